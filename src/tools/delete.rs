//! `delete_service_account`: deletes an account that was looked up first and that the user means.
//! Sends nothing for an id that is not in the list of its workspace: the API would delete any.

use std::sync::LazyLock;

use rmcp::model::{CallToolResult, JsonObject};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::account_view::AccountView;
use super::change::{
    AuditRecord, ChangedAccount, LOOKING_AGAIN, Look, look_again, look_once, run_to_completion,
};
use super::context::Call;
use super::failure::{Code, Failure};
use super::places::{self, Gaps};
use super::user::{Answer, Form, Question};
use super::words::too_many_changes;
use super::{Definition, Hints, NoResult, Run, ToolEntry, schema, success};
use crate::apc::error::{ApiError, Effect};
use crate::apc::installation::TokenKind;
use crate::apc::operations::{self, Listing};
use crate::apc::{Bindings, Place, ServiceAccount, ServiceAccountId, WorkspaceId};
use crate::guards::policy::Confirm;
use crate::guards::text::quoted;

/// The row of the table.
pub const TOOL: ToolEntry = ToolEntry {
    name: NAME,
    title: "Delete service account",
    run: Run::Change(|call, arguments, record| Box::pin(run(call, arguments, record))),
    hints: Hints {
        destructive: true,
        idempotent: true,
    },
    define: |_| Definition {
        description: DESCRIPTION.to_owned(),
        input: INPUT.clone(),
        output: schema::output::<DeleteResult>(),
    },
};

const NAME: &str = "delete_service_account";

const DESCRIPTION: &str = "Delete a service account for good; what uses its key stops working. get_service_accounts \
    finds its id. It is looked up first: one that is not in the workspace is not touched. The user may be asked to \
    confirm. Returns the account as it was.";

/// How many accounts are listed where none was named and nobody can be asked.
const LISTED: usize = 50;

/// How many accounts a user is given to choose from.
const CHOICES: usize = 100;

static INPUT: LazyLock<JsonObject> = LazyLock::new(schema::input::<Arguments>);

/// The arguments.
#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// The account. Without it the user is asked to select one.
    service_account_id: Option<ServiceAccountId>,
    /// Its workspace. Without it: the default one, or else all are searched.
    workspace_id: Option<WorkspaceId>,
}

/// The result.
#[derive(Serialize, JsonSchema)]
struct DeleteResult {
    service_account: AccountView,
    /// The answer was lost and found again.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovered: Option<bool>,
}

/// An account that was deleted.
struct Deletion {
    account: ServiceAccount,
    recovered: bool,
}

impl ChangedAccount for Deletion {
    fn account_id(&self) -> &ServiceAccountId {
        &self.account.id
    }
}

/// Runs the tool.
async fn run(
    call: &mut Call,
    mut given: JsonObject,
    record: &mut AuditRecord,
) -> Result<CallToolResult, NoResult> {
    call.add_default_workspace(&mut given);
    let Arguments {
        service_account_id: id,
        workspace_id,
    } = call.read(NAME, &INPUT, given)?;
    let place = workspace_id.map(Place::Workspace);
    if let Some(place) = &place {
        record.place(place);
        call.check_place(place)?;
    }
    let account = match (id, place) {
        (Some(id), Some(place)) => find(call, &id, &place).await?,
        (Some(id), None) => search(call, &id).await?,
        (None, Some(place)) => {
            let account = select(call, &place).await?;
            return Ok(delete(call, account, record).await?);
        }
        (None, None) => return Err(neither().into()),
    };
    note(record, &account);
    confirm(call, &account).await?;
    Ok(delete(call, account, record).await?)
}

fn note(record: &mut AuditRecord, account: &ServiceAccount) {
    record.account(&account.id);
    record.place(&account.place);
    record.label_and_role(account.label.as_deref(), account.role());
}

async fn find(
    call: &Call,
    id: &ServiceAccountId,
    place: &Place,
) -> Result<ServiceAccount, Failure> {
    let listing = call
        .list(place, |account| account.id == id.as_str())
        .await?;
    let mut gaps = Gaps::default();
    gaps.add_unreadable_accounts(place, &listing);
    let found = listing.accounts.into_iter().next();
    found.ok_or_else(|| gaps.missing_account(id, Some(place)))
}

/// Looks through the visible workspaces. An account is missing only if all of them could be read.
async fn search(call: &Call, id: &ServiceAccountId) -> Result<ServiceAccount, Failure> {
    let visible = places::visible(call).await?;
    let read = |place| async move { call.list(&place, |account| account.id == id.as_str()).await };
    let all = places::read_each(visible.workspaces, read).await?;
    let mut gaps = Gaps::default();
    gaps.add_unreadable_workspaces(visible.unreadable);
    gaps.add_unread(&all);
    for read in all {
        let Ok(listing) = read.outcome else { continue };
        gaps.add_unreadable_accounts(&read.workspace.id.into(), &listing);
        if let Some(account) = listing.accounts.into_iter().next() {
            return Ok(account);
        }
    }
    Err(gaps.missing_account(id, None))
}

/// Asks the user which account of the workspace is meant; that is the confirmation as well.
async fn select(call: &mut Call, place: &Place) -> Result<ServiceAccount, NoResult> {
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
enum Reason {
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
async fn confirm(call: &mut Call, account: &ServiceAccount) -> Result<(), NoResult> {
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
fn other_rights(account: &ServiceAccount) -> String {
    if account.bindings == Bindings::Unreadable {
        return " The API could not show its roles, so it may have rights elsewhere that end as well.".to_owned();
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

/// Whether the account's key is the one this server uses.
fn is_own(call: &Call, account: &ServiceAccount) -> bool {
    let token = &call.installation.token;
    TokenKind::of(token) == TokenKind::ServiceAccountKey && account.has_key(token)
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

fn described(account: &ServiceAccount) -> String {
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

async fn delete(
    call: &Call,
    account: ServiceAccount,
    record: &mut AuditRecord,
) -> Result<CallToolResult, Failure> {
    note(record, &account);
    call.shared
        .rate
        .take()
        .map_err(|wait| too_many_changes(wait, call.policy()))?;
    let undecided = outcome_unknown(&account, "This server was stopped before the answer came.");
    let work = {
        let call = call.clone();
        async move { send(&call, account).await }
    };
    let Deletion { account, recovered } = run_to_completion(call, record, undecided, work).await?;
    let view = AccountView::new(account, call.policy().key_output, call.secrets());
    Ok(success(&DeleteResult {
        service_account: view,
        recovered: recovered.then_some(true),
    }))
}

async fn send(call: &Call, account: ServiceAccount) -> Result<Deletion, Failure> {
    let api = call.api_until(call.deadline - LOOKING_AGAIN);
    let deleted = operations::delete_service_account(&api, &account.place, &account.id).await;
    match deleted {
        Ok(()) => Ok(Deletion {
            account,
            recovered: false,
        }),
        Err(error) => match error.effect() {
            Effect::None => Err(not_deleted(call, &account, &error)),
            Effect::AnsweredWithError => answered(call, account, &error).await,
            Effect::AnswerLost => find_lost(call, account, &error).await,
        },
    }
}

/// The failure of a deletion that was certainly not made.
fn not_deleted(call: &Call, account: &ServiceAccount, error: &ApiError) -> Failure {
    match error {
        ApiError::AccountUnknown => gone_before(account),
        error => call
            .failure(error)
            .about_account(&account.id)
            .about_place(&account.place),
    }
}

/// Finds out whether a deletion was done that the API answered with an error. An account that is gone was deleted:
/// nothing can be mistaken for that.
async fn answered(
    call: &Call,
    account: ServiceAccount,
    error: &ApiError,
) -> Result<Deletion, Failure> {
    let what = call.happened(error);
    match look_once(call, &account.place).await {
        Some(listing) if is_listed(&listing, &account) => Err(still_there(&account, &what)),
        Some(listing) if listing.is_complete => Ok(Deletion {
            account,
            recovered: true,
        }),
        Some(_) => Err(outcome_unknown(
            &account,
            &format!("{what} Not every account could be read afterwards."),
        )),
        None => Err(outcome_unknown(
            &account,
            &format!(
                "{what} Its {} could not be read afterwards.",
                account.place.kind()
            ),
        )),
    }
}

fn is_listed(listing: &Listing, account: &ServiceAccount) -> bool {
    listing
        .accounts
        .iter()
        .any(|listed| listed.id == account.id)
}

/// The state of an account after a deletion whose answer was lost.
enum Sight {
    Gone,
    StillThere,
    NotEverythingRead,
}

/// Finds out whether a deletion was done whose answer was lost.
async fn find_lost(
    call: &Call,
    account: ServiceAccount,
    error: &ApiError,
) -> Result<Deletion, Failure> {
    let what = call.happened(error);
    let sight = look_again(call, &account.place, |listing| {
        match (is_listed(&listing, &account), listing.is_complete) {
            (true, _) => Look::NotYet(Sight::StillThere),
            (false, true) => Look::Decided(Sight::Gone),
            (false, false) => Look::NotYet(Sight::NotEverythingRead),
        }
    });
    let seen = match sight.await {
        Some(Sight::Gone) => {
            return Ok(Deletion {
                account,
                recovered: true,
            });
        }
        Some(Sight::StillThere) => "It is still listed so far.".to_owned(),
        Some(Sight::NotEverythingRead) => "Not every account could be read afterwards.".to_owned(),
        None => format!("Its {} could not be read afterwards.", account.place.kind()),
    };
    Err(outcome_unknown(&account, &format!("{what} {seen}")))
}

fn neither() -> Failure {
    let text = "service_account_id and workspace_id are both missing; at least one is needed. Nothing was sent. Call get_service_accounts to find the id.";
    Failure::new(Code::InvalidArguments, text)
}

fn declined(why: &str) -> Failure {
    let text = format!("Nothing was deleted: {why}. Do not try again unless the user asks for it.");
    Failure::new(Code::Declined, text)
}

fn confirmation_required(account: &ServiceAccount, reason: Option<Reason>) -> Failure {
    let why = match reason {
        Some(Reason::OwnKey) => {
            "it is the account whose key this server itself uses, and without it the server can do nothing any more".to_owned()
        }
        Some(Reason::OtherBindings) => format!(
            "deleting it ends rights elsewhere.{}",
            other_rights(account)
        ),
        None => "--confirm (APC_CONFIRM) is 'always'".to_owned(),
    };
    let text = format!(
        "Nothing was deleted: the user has to confirm the deletion of {}, since {}; and this client cannot ask. Use a client that can, or another way to delete it.",
        described(account),
        why.trim_end_matches('.')
    );
    Failure::new(Code::ConfirmationRequired, text)
        .about_account(&account.id)
        .about_place(&account.place)
}

fn nothing_there(place: &Place) -> Failure {
    let text = format!("There are no service accounts in {place}, so there is nothing to delete.");
    Failure::new(Code::NotFound, text).about_place(place)
}

/// No account was named and nobody can be asked: what there is to name.
fn listed(place: &Place, accounts: &[ServiceAccount]) -> Failure {
    let named = |account: &ServiceAccount| {
        format!(
            "{} {}",
            quoted(account.id.as_str()),
            quoted(account.label.as_deref().unwrap_or_default())
        )
    };
    let some: Vec<_> = accounts.iter().take(LISTED).map(named).collect();
    let more = match accounts.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(", and {more} more that get_service_accounts lists"),
    };
    let text = format!(
        "service_account_id is missing, and nothing was deleted. In {place} there are (id, label): {}{more}. Call again with the id of the one that is meant; ask the user if that is not certain.",
        some.join(", ")
    );
    Failure::new(Code::InvalidArguments, text).about_place(place)
}

/// The failure of a deletion that the API refused with an error, where the account is still listed.
fn still_there(account: &ServiceAccount, what: &str) -> Failure {
    let id = quoted(account.id.as_str());
    let text = format!(
        "{what} Nothing was deleted: {id} is still listed. Call again in a while; if it happens again, ask those who run the installation."
    );
    Failure::new(Code::ApiError, text)
        .about_account(&account.id)
        .about_place(&account.place)
}

fn gone_before(account: &ServiceAccount) -> Failure {
    let text = format!(
        "Service account {} was there a moment ago and is gone now: somebody else has deleted it. Nothing is left to do.",
        quoted(account.id.as_str())
    );
    Failure::new(Code::NotFound, text)
        .about_account(&account.id)
        .about_place(&account.place)
}

fn outcome_unknown(account: &ServiceAccount, what: &str) -> Failure {
    let id = quoted(account.id.as_str());
    let text = format!(
        "The deletion of {id} was sent, and whether it was done is not known. {what} Call get_service_accounts with that service_account_id: if it is still listed, delete it again."
    );
    Failure::new(Code::OutcomeUnknown, text)
        .about_account(&account.id)
        .about_place(&account.place)
}
