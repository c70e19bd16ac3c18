//! `delete_service_account`: an account that was looked at first, and that the user means.
//! Sends nothing for an id that is not in the list of its workspace: the API would delete any.

use rmcp::model::{CallToolResult, JsonObject, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::Instant;

use super::arguments::Arguments;
use super::change::{LOOKING_AGAIN, Outcome, Record, Seen, carry_through, look_again};
use super::result::{AccountView, Code, Failure, success, too_many_changes};
use super::user::{Answer, Form, Question};
use super::{Call, Ended, schema};
use crate::apc::error::{ApiError, Effect};
use crate::apc::installation::TokenKind;
use crate::apc::operations;
use crate::apc::{ServiceAccount, ServiceAccountId, WorkspaceId};
use crate::guards::policy::Confirm;
use crate::guards::text::quoted;

/// The tool's name.
pub const NAME: &str = "delete_service_account";

/// How many accounts are listed where none was named and nobody can be asked.
const LISTED: usize = 50;

/// How many accounts a user is given to choose from.
const CHOICES: usize = 100;

/// How much of a masked key shows.
const KEY_SHOWN: usize = 6;

/// The tool as clients see it.
pub fn definition() -> Tool {
    let description = "Delete a service account for good; what uses its key stops working. get_service_accounts \
         finds its id. It is looked up first: one that is not in the workspace is not touched. The user may be asked to \
         confirm. Returns the account as it was.";
    Tool::new(NAME, description, schema::input::<Doomed>())
        .with_title("Delete service account")
        .with_raw_output_schema(schema::output::<Deleted>())
        .with_annotations(
            ToolAnnotations::new()
                .read_only(false)
                .destructive(true)
                .idempotent(true)
                .open_world(true),
        )
}

/// The arguments, for the schema.
#[derive(JsonSchema)]
#[expect(
    dead_code,
    reason = "the schema is made from the fields; values are read one by one"
)]
struct Doomed {
    /// The account. Without it the user is asked to select one.
    service_account_id: Option<ServiceAccountId>,
    /// Its workspace. Without it: the default one, or else all are searched.
    workspace_id: Option<WorkspaceId>,
}

/// The result.
#[derive(Serialize, JsonSchema)]
struct Deleted {
    service_account: AccountView,
    /// The answer was lost and found again.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovered: Option<bool>,
}

/// An account that is gone.
struct Gone {
    account: ServiceAccount,
    recovered: bool,
}

impl Outcome for Gone {
    fn account_id(&self) -> &ServiceAccountId {
        &self.account.id
    }
}

/// Runs the tool.
pub async fn call(
    mut call: Call,
    given: Option<JsonObject>,
    record: &mut Record,
) -> Result<CallToolResult, Ended> {
    let (id, workspace) = read(given, &call, record)?;
    let account = match (id, workspace) {
        (Some(id), Some(workspace)) => find(&call, &id, &workspace).await?,
        (Some(id), None) => search(&call, &id).await?,
        (None, Some(workspace)) => {
            let account = select(&mut call, &workspace).await?;
            return Ok(delete(&call, account, record).await?);
        }
        (None, None) => return Err(neither().into()),
    };
    note(record, &account);
    confirm(&mut call, &account).await?;
    Ok(delete(&call, account, record).await?)
}

type Named = (Option<ServiceAccountId>, Option<WorkspaceId>);

fn read(given: Option<JsonObject>, call: &Call, record: &mut Record) -> Result<Named, Failure> {
    let mut arguments = Arguments::new(
        given,
        NAME,
        &["service_account_id", "workspace_id"],
        call.secrets(),
    )?;
    let id: Option<ServiceAccountId> = arguments.optional("service_account_id")?;
    if let Some(id) = &id {
        record.account(id);
    }
    let workspace: Option<WorkspaceId> = arguments.optional("workspace_id")?;
    let workspace = workspace.or_else(|| call.default_workspace());
    if let Some(workspace) = &workspace {
        record.workspace(workspace);
        call.check_workspace(workspace)?;
    }
    Ok((id, workspace))
}

fn note(record: &mut Record, account: &ServiceAccount) {
    record.account(&account.id);
    record.workspace(&account.workspace_id);
    record.label_and_role(account.label.as_deref(), account.role.as_deref());
}

async fn find(
    call: &Call,
    id: &ServiceAccountId,
    workspace: &WorkspaceId,
) -> Result<ServiceAccount, Failure> {
    let found = call
        .select_accounts(workspace, |account| account.id == id.as_str())
        .await?;
    found
        .into_iter()
        .next()
        .ok_or_else(|| not_in(id, workspace))
}

/// Looks through the visible workspaces; one that may not be listed cannot hold what may be deleted.
async fn search(call: &Call, id: &ServiceAccountId) -> Result<ServiceAccount, Failure> {
    for workspace in call.visible_workspaces().await? {
        match call
            .select_accounts(&workspace.id, |account| account.id == id.as_str())
            .await
        {
            Ok(found) => {
                if let Some(account) = found.into_iter().next() {
                    return Ok(account);
                }
            }
            Err(failure) if matches!(failure.code(), Code::PermissionDenied | Code::NotFound) => {}
            Err(failure) => return Err(failure),
        }
    }
    Err(nowhere(id))
}

/// Asks the user which account of the workspace is meant; that is the confirmation as well.
async fn select(call: &mut Call, workspace: &WorkspaceId) -> Result<ServiceAccount, Ended> {
    let accounts = call.accounts_of(workspace).await?;
    if accounts.is_empty() {
        return Err(nothing_there(workspace).into());
    }
    if accounts.len() > CHOICES {
        return Err(listed(workspace, &accounts).into());
    }
    let question = Question {
        key: format!("select:{workspace}"),
        message: format!(
            "Which service account of workspace {} shall be deleted? The one you select is deleted for good, without another question.",
            place(call, workspace).await
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
        Answer::CannotAsk => Err(listed(workspace, &accounts).into()),
        Answer::InputRequired(question) => Err(Ended::Asked(question)),
        Answer::No(why) => Err(declined(why).about_workspace(workspace).into()),
        Answer::Yes(chosen) => {
            let chosen = accounts
                .into_iter()
                .find(|account| account.id.as_str() == chosen);
            Ok(still_the_same(call, chosen.ok_or_else(|| declined("it has vanished"))?).await?)
        }
    }
}

/// Asks the user whether this account shall be deleted, where the policy wants that.
async fn confirm(call: &mut Call, account: &ServiceAccount) -> Result<(), Ended> {
    let own = is_own(call, account);
    let policy = call.policy().confirm;
    if policy == Confirm::Never && !own {
        return Ok(());
    }
    let question = Question {
        key: format!(
            "{}:{}",
            if own { "delete_own_key" } else { "delete" },
            account.id
        ),
        message: format!(
            "Delete the service account {} of workspace {}? Whatever uses its key stops working at once.{}",
            described(account),
            place(call, &account.workspace_id).await,
            if own { OWN_KEY } else { "" },
        ),
        form: Form::Confirm {
            title: "Delete it for good".to_owned(),
        },
    };
    match ask(call, &question).await {
        Answer::Yes(_) => Ok(still_the_same(call, account.clone()).await.map(drop)?),
        Answer::InputRequired(question) => Err(Ended::Asked(question)),
        Answer::No(why) => Err(declined(why)
            .about_account(&account.id)
            .about_workspace(&account.workspace_id)
            .into()),
        Answer::CannotAsk if policy == Confirm::Auto && !own => Ok(()),
        Answer::CannotAsk => Err(confirmation_required(account, own).into()),
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
    let now = find(call, &account.id, &account.workspace_id).await;
    let same = |now: &ServiceAccount| now.label == account.label && now.role == account.role;
    match now {
        Ok(now) if same(&now) => Ok(account),
        Ok(_) => Err(declined("it has changed since the question").about_account(&account.id)),
        Err(failure) if failure.code() == Code::NotFound => {
            Err(declined("it has vanished since the question").about_account(&account.id))
        }
        Err(failure) => Err(failure),
    }
}

const OWN_KEY: &str =
    " It is the account whose key this server itself uses: afterwards it can do nothing any more.";

/// Whether the account's key is the one this server uses: the whole key, or what shows of it.
fn is_own(call: &Call, account: &ServiceAccount) -> bool {
    let token = &call.installation.token;
    if TokenKind::of(token) != TokenKind::ServiceAccountKey {
        return false;
    }
    let Some(key) = &account.api_key else {
        return false;
    };
    let shown = |text: &str| text.chars().take(KEY_SHOWN).collect::<String>();
    key == token || (key.is_masked() && shown(key.expose()) == shown(token.expose()))
}

fn choice(call: &Call, account: &ServiceAccount) -> (String, String) {
    let own = if is_own(call, account) {
        ", the key this server itself uses"
    } else {
        ""
    };
    (
        account.id.as_str().to_owned(),
        format!("{}{own}", described(account)),
    )
}

fn described(account: &ServiceAccount) -> String {
    let label = quoted(account.label.as_deref().unwrap_or_default());
    let role = quoted(account.role.as_deref().unwrap_or("unknown"));
    let used = account
        .last_used_at
        .as_deref()
        .map_or("never or unknown".to_owned(), quoted);
    format!("{label} (role {role}, last used {used})")
}

/// The workspace as people know it.
async fn place(call: &Call, id: &WorkspaceId) -> String {
    let known = operations::workspace(&call.api(), id).await.ok().flatten();
    match known.and_then(|workspace| workspace.label) {
        Some(label) => format!("{} ({})", quoted(&label), quoted(id.as_str())),
        None => quoted(id.as_str()),
    }
}

async fn delete(
    call: &Call,
    account: ServiceAccount,
    record: &mut Record,
) -> Result<CallToolResult, Failure> {
    note(record, &account);
    call.house
        .rate
        .take()
        .map_err(|wait| too_many_changes(wait, call.policy()))?;
    let undecided = outcome_unknown(&account, "This server was stopped before the answer came.");
    let work = {
        let call = call.clone();
        async move { send(&call, account).await }
    };
    let Gone { account, recovered } = carry_through(call, record, undecided, work).await?;
    let view = AccountView::new(account, call.policy().key_output, call.secrets());
    Ok(success(&Deleted {
        service_account: view,
        recovered: recovered.then_some(true),
    }))
}

async fn send(call: &Call, account: ServiceAccount) -> Result<Gone, Failure> {
    let api = call.api_until(call.deadline - LOOKING_AGAIN);
    match operations::delete_workspace_service_account(&api, &account.workspace_id, &account.id)
        .await
    {
        Ok(()) => Ok(Gone {
            account,
            recovered: false,
        }),
        Err(error) if error.effect() == Effect::Unknown => find_lost(call, account, &error).await,
        Err(ApiError::AccountUnknown) => Err(gone_before(&account)),
        Err(error) => Err(call
            .failure(&error)
            .about_account(&account.id)
            .about_workspace(&account.workspace_id)),
    }
}

/// Finds out whether a deletion was done whose answer was lost.
async fn find_lost(
    call: &Call,
    account: ServiceAccount,
    error: &ApiError,
) -> Result<Gone, Failure> {
    let what = call.happened(error);
    let there = look_again(call, &account.workspace_id, |listing| {
        match listing
            .accounts
            .iter()
            .any(|listed| listed.id == account.id)
        {
            true => Seen::NotYet(true),
            false => Seen::Decided(false),
        }
    });
    match there.await {
        Some(false) => Ok(Gone {
            account,
            recovered: true,
        }),
        Some(true) => Err(outcome_unknown(
            &account,
            &format!("{what} It is still listed so far."),
        )),
        None => Err(outcome_unknown(
            &account,
            &format!("{what} The workspace could not be read afterwards."),
        )),
    }
}

fn neither() -> Failure {
    let text = "service_account_id and workspace_id are both missing; at least one is needed. Nothing was sent. Call get_service_accounts to find the id.";
    Failure::new(Code::InvalidArguments, text)
}

fn declined(why: &str) -> Failure {
    let text = format!("Nothing was deleted: {why}. Do not try again unless the user asks for it.");
    Failure::new(Code::Declined, text)
}

fn confirmation_required(account: &ServiceAccount, own: bool) -> Failure {
    let why = match own {
        true => {
            "it is the account whose key this server itself uses, and without it the server can do nothing any more"
        }
        false => "--confirm (APC_CONFIRM) is 'always'",
    };
    let text = format!(
        "Nothing was deleted: the user has to confirm the deletion of {}, since {why}, and this client cannot ask. Use a client that can, or another way to delete it.",
        described(account)
    );
    Failure::new(Code::ConfirmationRequired, text)
        .about_account(&account.id)
        .about_workspace(&account.workspace_id)
}

fn nothing_there(workspace: &WorkspaceId) -> Failure {
    let place = quoted(workspace.as_str());
    let text = format!("Workspace {place} has no service accounts, so there is nothing to delete.");
    Failure::new(Code::NotFound, text).about_workspace(workspace)
}

/// No account was named and nobody can be asked: what there is to name.
fn listed(workspace: &WorkspaceId, accounts: &[ServiceAccount]) -> Failure {
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
        "service_account_id is missing, and nothing was deleted. Workspace {} has (id, label): {}{more}. Call again with the id of the one that is meant; ask the user if that is not certain.",
        quoted(workspace.as_str()),
        some.join(", ")
    );
    Failure::new(Code::InvalidArguments, text).about_workspace(workspace)
}

fn not_in(id: &ServiceAccountId, workspace: &WorkspaceId) -> Failure {
    let text = format!(
        "There is no service account {} in workspace {}, so nothing was deleted. It may be deleted already or belong to another workspace. Call get_service_accounts without arguments to see every account you can.",
        quoted(id.as_str()),
        quoted(workspace.as_str())
    );
    Failure::new(Code::NotFound, text)
        .about_account(id)
        .about_workspace(workspace)
}

fn nowhere(id: &ServiceAccountId) -> Failure {
    let text = format!(
        "There is no service account {} in any workspace that this token may list, so nothing was deleted. It may be deleted already, or its workspace may have to be named as workspace_id.",
        quoted(id.as_str())
    );
    Failure::new(Code::NotFound, text).about_account(id)
}

fn gone_before(account: &ServiceAccount) -> Failure {
    let text = format!(
        "Service account {} was there a moment ago and is gone now: somebody else has deleted it. Nothing is left to do.",
        quoted(account.id.as_str())
    );
    Failure::new(Code::NotFound, text)
        .about_account(&account.id)
        .about_workspace(&account.workspace_id)
}

fn outcome_unknown(account: &ServiceAccount, what: &str) -> Failure {
    let id = quoted(account.id.as_str());
    let text = format!(
        "The deletion of {id} was sent, and whether it was done is not known. {what} Call get_service_accounts with that service_account_id: if it is still listed, delete it again."
    );
    Failure::new(Code::OutcomeUnknown, text)
        .about_account(&account.id)
        .about_workspace(&account.workspace_id)
}
