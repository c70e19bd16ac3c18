//! `delete_service_account`: an account that was looked at first.
//! Sends nothing for an id that is not in the list of its workspace: the API would delete any.

use rmcp::model::{CallToolResult, JsonObject, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::Serialize;

use super::arguments::Arguments;
use super::result::{AccountView, Code, Failure, quoted, success};
use super::{Call, schema};
use crate::apc::error::{ApiError, Effect};
use crate::apc::operations;
use crate::apc::{ServiceAccount, ServiceAccountId, WorkspaceId};

/// The tool's name.
pub const NAME: &str = "delete_service_account";

/// How many accounts are listed where none was named.
const LISTED: usize = 50;

/// The tool as clients see it.
pub fn definition() -> Tool {
    let description = "Delete a service account for good; whatever uses its key stops working at once. Name the account \
         by service_account_id; get_service_accounts finds it. The account is looked up first, and one that is not in the \
         workspace is not touched. Returns the account as it was.";
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
    /// The account; without it the accounts of the workspace are listed to choose from.
    service_account_id: Option<ServiceAccountId>,
    /// The workspace it is in. Without it the default workspace counts, or else every visible one is searched.
    workspace_id: Option<WorkspaceId>,
}

/// The result.
#[derive(Serialize, JsonSchema)]
struct Deleted {
    service_account: AccountView,
}

/// Runs the tool.
pub async fn call(call: &Call, given: Option<JsonObject>) -> Result<CallToolResult, Failure> {
    let mut arguments = Arguments::new(given, NAME, &["service_account_id", "workspace_id"])?;
    let id: Option<ServiceAccountId> = arguments.optional("service_account_id")?;
    let workspace = arguments
        .optional("workspace_id")?
        .or_else(|| call.installation.default_workspace.clone());
    let account = match (id, workspace) {
        (Some(id), Some(workspace)) => find(call, &id, &workspace).await?,
        (Some(id), None) => search(call, &id).await?,
        (None, Some(workspace)) => return Err(select(call, &workspace).await?),
        (None, None) => return Err(neither()),
    };
    delete(call, &account).await?;
    Ok(success(&Deleted {
        service_account: AccountView::new(account, call.secrets()),
    }))
}

async fn find(
    call: &Call,
    id: &ServiceAccountId,
    workspace: &WorkspaceId,
) -> Result<ServiceAccount, Failure> {
    let accounts = call.accounts_of(workspace).await?;
    accounts
        .into_iter()
        .find(|account| account.id == *id)
        .ok_or_else(|| not_in(id, workspace))
}

/// Looks through the visible workspaces; one that may not be listed cannot hold what may be deleted.
async fn search(call: &Call, id: &ServiceAccountId) -> Result<ServiceAccount, Failure> {
    for workspace in call.visible_workspaces().await? {
        match call.accounts_of(&workspace.id).await {
            Ok(accounts) => {
                if let Some(account) = accounts.into_iter().find(|account| account.id == *id) {
                    return Ok(account);
                }
            }
            Err(failure) if matches!(failure.code(), Code::PermissionDenied | Code::NotFound) => {}
            Err(failure) => return Err(failure),
        }
    }
    Err(nowhere(id))
}

async fn delete(call: &Call, account: &ServiceAccount) -> Result<(), Failure> {
    let deleted = operations::delete_workspace_service_account(
        &call.api(),
        &account.workspace_id,
        &account.id,
    )
    .await;
    match deleted {
        Ok(()) => Ok(()),
        Err(ApiError::AccountUnknown) => Err(gone(account)),
        Err(error) if error.effect() == Effect::Unknown => {
            Err(outcome_unknown(call, account, &error))
        }
        Err(error) => Err(call
            .failure(&error)
            .about_account(&account.id)
            .about_workspace(&account.workspace_id)),
    }
}

fn neither() -> Failure {
    let text = "service_account_id and workspace_id are both missing; at least one is needed. Nothing was sent. Call get_service_accounts to find the id.";
    Failure::new(Code::InvalidArguments, text)
}

/// No account was named: what there is to name.
async fn select(call: &Call, workspace: &WorkspaceId) -> Result<Failure, Failure> {
    let accounts = call.accounts_of(workspace).await?;
    let place = quoted(workspace.as_str());
    if accounts.is_empty() {
        let text =
            format!("Workspace {place} has no service accounts, so there is nothing to delete.");
        return Ok(Failure::new(Code::NotFound, text).about_workspace(workspace));
    }
    let named = |account: &ServiceAccount| {
        format!(
            "{} {}",
            account.id,
            quoted(account.label.as_deref().unwrap_or_default())
        )
    };
    let listed: Vec<_> = accounts.iter().take(LISTED).map(named).collect();
    let more = match accounts.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(", and {more} more that get_service_accounts lists"),
    };
    let text = format!(
        "service_account_id is missing, and nothing was deleted. Workspace {place} has {}{more}. Call again with the id of the one that is meant; ask the user if that is not certain.",
        listed.join(", ")
    );
    Ok(Failure::new(Code::InvalidArguments, text).about_workspace(workspace))
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

fn gone(account: &ServiceAccount) -> Failure {
    let text = format!(
        "Service account {} was there a moment ago and is gone now: somebody else has deleted it. Nothing is left to do.",
        quoted(account.id.as_str())
    );
    Failure::new(Code::NotFound, text)
        .about_account(&account.id)
        .about_workspace(&account.workspace_id)
}

fn outcome_unknown(call: &Call, account: &ServiceAccount, error: &ApiError) -> Failure {
    let id = quoted(account.id.as_str());
    let text = format!(
        "The deletion of {id} was sent, and whether it was done is not known. {} Call get_service_accounts with that service_account_id: if it is still listed, delete it again.",
        call.happened(error)
    );
    Failure::new(Code::OutcomeUnknown, text)
        .about_account(&account.id)
        .about_workspace(&account.workspace_id)
}
