//! The user's consent to a deletion: the selection of an account, and the question before one is deleted.
//! Takes nothing but a clear yes to the account as it is now.

use tokio::time::Instant;

use super::failures::{confirmation_required, declined, listed, nothing_there};
use super::find;
use crate::apc::installation::TokenKind;
use crate::apc::operations;
use crate::apc::{Binding, Bindings, Entity, Place, ServiceAccount};
use crate::guards::policy::Confirm;
use crate::guards::text::quoted;
use crate::tools::NoResult;
use crate::tools::context::Call;
use crate::tools::failure::{Code, Failure};
use crate::tools::user::{Answer, Form, Question};

/// The number of accounts that a user is given to choose from.
const CHOICES: usize = 100;

/// Asks the user which account of the workspace is meant; that is the confirmation as well.
pub(super) async fn select(call: &mut Call, place: &Place) -> Result<ServiceAccount, NoResult> {
    let accounts = call.list(place, |_| true).await?.accounts;
    if accounts.is_empty() {
        return Err(nothing_there(place).into());
    }
    if accounts.len() > CHOICES || !call.user.can_be_asked() {
        return Err(listed(place, &accounts).into());
    }
    let question = Question {
        key: format!("select:{}", place.id()),
        message: format!(
            "Which service account of {} shall be deleted? The one you select is deleted for good, without another question.",
            known_place(call, place).await
        ),
        form: Form::Select {
            title: "Service account to delete".to_owned(),
            choices: accounts
                .iter()
                .map(|account| choice(call, account))
                .collect(),
        },
    };
    match ask(call, &question).await {
        Answer::CannotAsk => Err(listed(place, &accounts).into()),
        Answer::InputRequired(question) => Err(NoResult::InputRequired(question)),
        Answer::No(why) => Err(declined(why).about_place(place).into()),
        Answer::Yes(chosen) => {
            let chosen = accounts
                .into_iter()
                .find(|account| account.id.as_str() == chosen);
            Ok(still_the_same(call, chosen.ok_or_else(|| declined("it has vanished"))?).await?)
        }
    }
}

/// A reason for which an account is never deleted unasked, whatever the policy says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Its key is the one that this server uses.
    OwnKey,
    /// It has rights elsewhere, or may have.
    OtherBindings,
}

impl Reason {
    fn of(call: &Call, account: &ServiceAccount) -> Option<Self> {
        match is_own(call, account) {
            true => Some(Self::OwnKey),
            false => account.reaches_beyond().then_some(Self::OtherBindings),
        }
    }
}

/// Asks the user whether this account shall be deleted, where the policy or the account itself wants that.
pub(super) async fn confirm(call: &mut Call, account: &ServiceAccount) -> Result<(), NoResult> {
    let reason = Reason::of(call, account);
    let policy = call.policy().confirm;
    match (policy, reason, call.user.can_be_asked()) {
        (Confirm::Never, None, _) | (Confirm::Auto, None, false) => return Ok(()),
        (_, _, false) => return Err(confirmation_required(account, reason).into()),
        _ => {}
    }
    let question = Question {
        // A yes to an ordinary question is none to one about these accounts.
        key: match reason {
            None => format!("delete:{}", account.id),
            Some(Reason::OwnKey) => format!("delete_own_key:{}", account.id),
            Some(Reason::OtherBindings) => format!("delete_other_roles:{}", account.id),
        },
        message: format!(
            "Delete the service account {} of {}? Whatever uses its key stops working at once.{}{}",
            described(account),
            known_place(call, &account.place).await,
            other_rights(account),
            own_key(reason),
        ),
        form: Form::Confirm {
            title: "Delete it for good".to_owned(),
        },
    };
    match ask(call, &question).await {
        Answer::Yes(_) => Ok(still_the_same(call, account.clone()).await.map(drop)?),
        Answer::InputRequired(question) => Err(NoResult::InputRequired(question)),
        Answer::No(why) => Err(declined(why)
            .about_account(&account.id)
            .about_place(&account.place)
            .into()),
        Answer::CannotAsk => Err(confirmation_required(account, reason).into()),
    }
}

/// The other bindings of an account as a sentence, since one deletion ends them all.
pub(super) fn other_rights(account: &ServiceAccount) -> String {
    if account.bindings == Bindings::Unreadable || has_unknown_binding(account) {
        return " The API could not show its roles in full, so it may have rights elsewhere that end as well.".to_owned();
    }
    let all: Vec<_> = account
        .other_bindings()
        .map(|binding| quoted(&binding.to_string()))
        .collect();
    match (all.is_empty(), account.reaches_beyond()) {
        (true, false) => String::new(),
        (true, true) => " Its role reaches the whole installation, and ends everywhere.".to_owned(),
        (false, _) => format!(
            " It has further roles, which end as well: {}.",
            all.join(", ")
        ),
    }
}

/// Whether a role or an entity of a binding is not known.
fn has_unknown_binding(account: &ServiceAccount) -> bool {
    let is_unknown =
        |binding: &Binding| binding.role.is_none() || binding.entity == Entity::Unknown;
    account.bindings.known().iter().any(is_unknown)
}

fn own_key(reason: Option<Reason>) -> &'static str {
    match reason {
        Some(Reason::OwnKey) => {
            " It is the account whose key this server itself uses: afterwards it can do nothing any more."
        }
        _ => "",
    }
}

/// Asks; the time the user takes is not the call's.
async fn ask(call: &mut Call, question: &Question) -> Answer {
    let asked = Instant::now();
    let answer = call.user.ask(question).await;
    call.deadline += asked.elapsed();
    answer
}

/// While the user was thinking, somebody else may have changed or deleted it: then the yes was to
/// something else.
async fn still_the_same(call: &Call, account: ServiceAccount) -> Result<ServiceAccount, Failure> {
    let now = find(call, &account.id, &account.place).await;
    let same =
        |now: &ServiceAccount| now.label == account.label && now.bindings == account.bindings;
    match now {
        Ok(now) if same(&now) => Ok(account),
        Ok(_) => Err(declined("it has changed since the question").about_account(&account.id)),
        Err(failure) if failure.code() == Code::NotFound => {
            Err(declined("it has vanished since the question").about_account(&account.id))
        }
        Err(failure) => Err(failure),
    }
}

/// Whether the account's key may be the one this server uses: nothing that shows of it says otherwise.
fn is_own(call: &Call, account: &ServiceAccount) -> bool {
    let token = &call.installation.token;
    TokenKind::of(token) == TokenKind::ServiceAccountKey && account.may_have_key(token)
}

fn choice(call: &Call, account: &ServiceAccount) -> (String, String) {
    let own = if is_own(call, account) {
        ", the key this server itself uses"
    } else {
        ""
    };
    (
        account.id.as_str().to_owned(),
        format!("{}{own}{}", described(account), other_rights(account)),
    )
}

pub(super) fn described(account: &ServiceAccount) -> String {
    let label = quoted(account.label.as_deref().unwrap_or_default());
    let role = quoted(account.role().unwrap_or("unknown"));
    let used = account
        .last_used_at
        .as_deref()
        .map_or("never or unknown".to_owned(), quoted);
    format!("{label} (role {role}, last used {used})")
}

/// The place as people know it.
async fn known_place(call: &Call, place: &Place) -> String {
    let Place::Workspace(id) = place else {
        return place.to_string();
    };
    let known = operations::workspace(&call.api(), id).await.ok().flatten();
    match known.and_then(|workspace| workspace.label) {
        Some(label) => format!("workspace {} ({})", quoted(&label), quoted(id.as_str())),
        None => place.to_string(),
    }
}
