//! The user's consent to a deletion: the yes-or-no question before an account is deleted.
//! Takes nothing but a clear yes to the account as it is now.

use serde_json::json;

use super::failures::{confirmation_required, declined, nobody_confirmed, refused};
use super::find;
use crate::apc::installation::TokenKind;
use crate::apc::operations;
use crate::apc::{Binding, Bindings, Entity, Place, ServiceAccount};
use crate::guards::policy::Confirm;
use crate::guards::text::quoted;
use crate::tools::NoResult;
use crate::tools::context::Call;
use crate::tools::failure::{Code, Failure};
use crate::tools::user::{Answer, Form, Question, Selection};

/// The text beside the box. Some clients show it over a choice of yes and no.
pub(super) const BOX: &str = "Delete it (yes or no)";

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

/// Asks the user whether this account shall be deleted, where the policy, the account itself or a selection wants that.
pub(super) async fn confirm(
    call: &mut Call,
    account: &ServiceAccount,
    selection: Option<Selection>,
) -> Result<(), NoResult> {
    let reason = Reason::of(call, account);
    let policy = call.policy().confirm;
    match (policy, reason, call.user.can_be_asked()) {
        (Confirm::Never, None, _) | (Confirm::Auto, None, false) if selection.is_none() => {
            return Ok(());
        }
        (_, _, false) => return Err(confirmation_required(account, reason).into()),
        _ => {}
    }
    let question = question(call, account, reason, selection).await;
    match call.ask(&question).await {
        Answer::Yes(_) => Ok(still_the_same(call, account.clone()).await.map(drop)?),
        Answer::InputRequired(question) => Err(NoResult::InputRequired(question)),
        Answer::No(refusal) => Err(refused(refusal)
            .about_account(&account.id)
            .about_place(&account.place)
            .into()),
        Answer::NoPerson(machine) => Err(nobody_confirmed(machine, account, reason).into()),
        Answer::CannotAsk => Err(confirmation_required(account, reason).into()),
    }
}

async fn question(
    call: &Call,
    account: &ServiceAccount,
    reason: Option<Reason>,
    selection: Option<Selection>,
) -> Question {
    Question {
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
        facts: facts(account),
        form: Form::Confirm {
            title: BOX.to_owned(),
        },
        selection,
    }
}

/// The facts about an account that a yes depends on. Its last use may move on while the user reads.
fn facts(account: &ServiceAccount) -> String {
    let others: Vec<_> = account.other_bindings().map(ToString::to_string).collect();
    let is_readable = account.bindings != Bindings::Unreadable;
    let place = account.place.to_string();
    json!([place, account.label, account.role(), others, is_readable]).to_string()
}

/// The other bindings of an account as a sentence, since one deletion ends them all.
pub(super) fn other_rights(account: &ServiceAccount) -> String {
    let all: Vec<_> = account
        .other_bindings()
        .map(|binding| quoted(&binding.to_string()))
        .collect();
    let is_unclear = account.bindings == Bindings::Unreadable || has_unknown_binding(account);
    let mut sentences = Vec::new();
    if !all.is_empty() {
        sentences.push(format!(
            " It has further roles, which end as well: {}.",
            all.join(", ")
        ));
    }
    if is_unclear {
        sentences.push(" The API could not show its roles in full, so it may have rights elsewhere that end as well.".to_owned());
    }
    if account.reaches_beyond() && sentences.is_empty() {
        sentences.push(" Its role reaches the whole installation, and ends everywhere.".to_owned());
    }
    sentences.concat()
}

/// Tells whether a role or an entity of a binding is not known.
fn has_unknown_binding(account: &ServiceAccount) -> bool {
    let is_unknown =
        |binding: &Binding| binding.role.is_none() || binding.entity == Entity::Unknown;
    account.bindings.known().iter().any(is_unknown)
}

fn own_key(reason: Option<Reason>) -> &'static str {
    match reason {
        Some(Reason::OwnKey) => {
            " Its key is the one that this server itself uses: after the deletion the server can do nothing."
        }
        _ => "",
    }
}

/// While the user was thinking, somebody else may have changed or deleted it: then the yes was to
/// something else.
pub(super) async fn still_the_same(
    call: &Call,
    account: ServiceAccount,
) -> Result<ServiceAccount, Failure> {
    let now = find(call, &account.id, &account.place).await;
    let same =
        |now: &ServiceAccount| now.label == account.label && now.bindings == account.bindings;
    match now {
        Ok(now) if same(&now) => Ok(account),
        Ok(_) => Err(
            declined("the account has changed since the question was asked")
                .about_account(&account.id),
        ),
        Err(failure) if failure.code() == Code::NotFound => Err(declined(
            "the account has disappeared since the question was asked",
        )
        .about_account(&account.id)),
        Err(failure) => Err(failure),
    }
}

/// Tells whether the account's key may be the one this server uses: nothing that shows of it says otherwise.
fn is_own(call: &Call, account: &ServiceAccount) -> bool {
    let token = &call.installation.token;
    TokenKind::of(token) == TokenKind::ServiceAccountKey && account.may_have_key(token)
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
pub(super) async fn known_place(call: &Call, place: &Place) -> String {
    let label = match place {
        Place::Workspace(id) => {
            let known = operations::workspace(&call.api(), id).await.ok().flatten();
            known.and_then(|workspace| workspace.label)
        }
        Place::Deployment(id) => call.homes.label_of(id),
    };
    match label {
        Some(label) => format!(
            "{} {} ({})",
            place.kind(),
            quoted(&label),
            quoted(place.id())
        ),
        None => place.to_string(),
    }
}
