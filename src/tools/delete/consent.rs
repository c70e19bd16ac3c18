//! The user's consent to a deletion: the yes-or-no question before an account is deleted.
//! Takes nothing but a clear yes to the account as it is now.

use serde_json::json;

use super::failures::{confirmation_required, declined, nobody_answered, refused};
use super::find;
use crate::apc::operations;
use crate::apc::token::TokenKind;
use crate::apc::{Binding, Bindings, Entity, Place, ServiceAccount};
use crate::guards::policy::Confirm;
use crate::guards::text::quoted;
use crate::tools::account_view::to_the_second;
use crate::tools::user::{Answer, Form, Question, Selection, Unanswered};
use crate::tools::{Call, Code, Failure, NoResult};

/// The text beside the box. Some clients show it over a choice of yes and no.
pub(super) const BOX: &str = "Delete it (yes or no)";

/// The cause for which the user is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    OwnKey,
    /// Too little of its key shows to rule that out.
    MayBeOwnKey,
    /// It has rights elsewhere, or may have.
    OtherBindings,
    /// The account was selected, and not named by its id.
    Selection,
    /// The policy.
    Policy,
    /// The call brings an answer, so there was a question: a no may be in it.
    Answer,
}

impl Cause {
    /// Nothing where the account may be deleted unasked. The first four hold whatever the policy says.
    fn of(call: &Call, deletion: &Deletion, selection: Option<&Selection>) -> Option<Self> {
        let (account, token) = (&deletion.account, &call.installation.token);
        let is_a_key = TokenKind::of(token) == TokenKind::ServiceAccountKey;
        match call.policy().confirm {
            _ if is_a_key && account.has_key(token) => Some(Self::OwnKey),
            _ if is_a_key && account.may_have_key(token) => Some(Self::MayBeOwnKey),
            _ if deletion.reaches_beyond() => Some(Self::OtherBindings),
            _ if selection.is_some() => Some(Self::Selection),
            Confirm::Always => Some(Self::Policy),
            Confirm::Auto if call.user.can_be_asked() => Some(Self::Policy),
            Confirm::Auto | Confirm::Never => call.user.brings_answer().then_some(Self::Answer),
        }
    }
}

/// An account to be deleted, as it was found.
pub(super) struct Deletion {
    pub(super) account: ServiceAccount,
    /// The other places in whose lists it stands, where its bindings do not name them.
    pub(super) also_in: Vec<Place>,
}

impl Deletion {
    /// The account that stands in the lists of all these places. It is deleted from the first one.
    pub(super) fn of(found: Vec<ServiceAccount>) -> Option<Self> {
        let mut found = found.into_iter();
        let account = found.next()?;
        let named: Vec<_> = account.bindings.known().iter().collect();
        let is_named = |place: &Place| {
            let entity = Entity::Place(place.clone());
            named.iter().any(|binding| binding.entity == entity)
        };
        let also_in = found.map(|other| other.place);
        let also_in = also_in.filter(|place| !is_named(place)).collect();
        Some(Self { account, also_in })
    }

    fn reaches_beyond(&self) -> bool {
        self.account.reaches_beyond() || !self.also_in.is_empty()
    }
}

impl From<ServiceAccount> for Deletion {
    fn from(account: ServiceAccount) -> Self {
        let also_in = Vec::new();
        Self { account, also_in }
    }
}

/// Asks the user whether this account shall be deleted, or takes the answer that the call brings, where there is a cause.
pub(super) async fn confirm(
    call: &mut Call,
    deletion: &Deletion,
    selection: Option<Selection>,
) -> Result<(), NoResult> {
    let account = &deletion.account;
    let Some(cause) = Cause::of(call, deletion, selection.as_ref()) else {
        return Ok(());
    };
    if !call.user.can_be_asked() && !call.user.brings_answer() {
        return Err(confirmation_required(deletion, cause).into());
    }
    let question = question(call, deletion, cause, selection).await;
    match call.ask(&question).await {
        Answer::Yes(_) => Ok(still_the_same(call, account).await?),
        Answer::InputRequired(question) => Err(NoResult::InputRequired(question)),
        Answer::No(refusal) => Err(refused(refusal).about(account).into()),
        Answer::NoPerson(machine) => {
            let what = format!("confirm the deletion of {}", described(account));
            let failure = nobody_answered(machine, &what, cause, call.policy());
            Err(failure.about(account).into())
        }
        Answer::CannotAsk => Err(confirmation_required(deletion, cause).into()),
    }
}

async fn question(
    call: &Call,
    deletion: &Deletion,
    cause: Cause,
    selection: Option<Selection>,
) -> Question {
    let account = &deletion.account;
    // A yes to an ordinary question is none to one about these accounts.
    let (subject, own_key) = match cause {
        Cause::OwnKey => (
            "delete_own_key",
            " Its key is the one that this server itself uses: after the deletion the server can do nothing.",
        ),
        Cause::MayBeOwnKey => (
            "delete_maybe_own_key",
            " The API does not show enough of its key: it may be the one that this server itself uses. If it is, the server can do nothing after the deletion.",
        ),
        Cause::OtherBindings => ("delete_other_roles", ""),
        Cause::Selection | Cause::Policy | Cause::Answer => ("delete", ""),
    };
    let message = format!(
        "Delete the service account {} of {}? Whatever uses its key stops working at once.{}{}",
        described(account),
        known_place(call, &account.place).await,
        other_rights(deletion),
        own_key,
    );
    Question {
        key: format!("{subject}:{}", account.id),
        message: call.secrets().scrubbed(message),
        facts: facts(deletion),
        form: Form::Confirm {
            title: BOX.to_owned(),
        },
        selection,
    }
}

/// The facts about an account that a yes depends on. Its last use may move on while the user reads.
fn facts(deletion: &Deletion) -> String {
    let Deletion { account, also_in } = deletion;
    let others: Vec<_> = account.other_bindings().map(ToString::to_string).collect();
    let is_readable = account.bindings != Bindings::Unreadable;
    let place = account.place.to_string();
    let also_in: Vec<_> = also_in.iter().map(ToString::to_string).collect();
    let role = account.role();
    json!([place, account.label, role, others, is_readable, also_in]).to_string()
}

/// The other bindings and places of an account as sentences, since one deletion ends them all.
pub(super) fn other_rights(deletion: &Deletion) -> String {
    let Deletion { account, also_in } = deletion;
    let all = account.other_bindings();
    let all: Vec<_> = all.map(|binding| quoted(&binding.to_string())).collect();
    let is_unknown =
        |binding: &Binding| binding.role.is_none() || binding.entity == Entity::Unknown;
    let is_unclear =
        account.bindings == Bindings::Unreadable || account.bindings.known().iter().any(is_unknown);
    let mut text = String::new();
    if !all.is_empty() {
        let all = all.join(", ");
        text += &format!(" It has further roles, which end as well: {all}.");
    }
    if is_unclear {
        text += " The API could not show its roles in full, so it may have rights elsewhere that end as well.";
    }
    if account.reaches_beyond() && text.is_empty() {
        text += " Its role reaches the whole installation, and ends everywhere.";
    }
    if !also_in.is_empty() {
        let places = std::iter::once(&account.place).chain(also_in);
        let places: Vec<_> = places.map(ToString::to_string).collect();
        text += &format!(
            " It stands in the lists of several places, and its rights end in all of them: {}.",
            places.join(", ")
        );
    }
    text
}

pub(super) const DISAPPEARED: &str = "the account has disappeared since the question was asked";

/// While the user was thinking, somebody else may have changed or deleted it: then the yes was to
/// something else.
pub(super) async fn still_the_same(call: &Call, account: &ServiceAccount) -> Result<(), Failure> {
    let now = find(call, &account.id, &account.place).await;
    let refusal = match now {
        Ok(now) if now.label == account.label && now.bindings == account.bindings => return Ok(()),
        Ok(_) => refused(Unanswered::Changed),
        Err(failure) if failure.code() == Code::NotFound => declined(DISAPPEARED),
        Err(failure) => return Err(failure),
    };
    Err(refusal.about_account(&account.id))
}

pub(super) fn described(account: &ServiceAccount) -> String {
    let label = quoted(account.label.as_deref().unwrap_or_default());
    let id = quoted(account.id.as_str());
    let role = quoted(account.role().unwrap_or("unknown"));
    let used = account.last_used_at.clone().map(to_the_second);
    let used = used.map_or("never or unknown".to_owned(), |used| quoted(&used));
    let created = account.created_at.clone().map(to_the_second);
    let created = created.map_or(String::new(), |date| format!("created {}, ", quoted(&date)));
    format!("{label} (id {id}, role {role}, {created}last used {used})")
}

pub(super) async fn known_place(call: &Call, place: &Place) -> String {
    let label = match place {
        Place::Workspace(id) => {
            let known = operations::workspace(&call.api(), id).await.ok().flatten();
            known.and_then(|workspace| workspace.label)
        }
        Place::Deployment(id) => call.known_deployments.label_of(id),
    };
    match label {
        Some(label) => {
            let (kind, id) = (place.kind(), quoted(place.id()));
            format!("{kind} {} ({id})", quoted(&label))
        }
        None => place.to_string(),
    }
}
