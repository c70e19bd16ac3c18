//! `get_service_accounts`: what is there, in one workspace or in all that are visible.
//! Reads lists only: the API's single read hands out accounts of other workspaces.

use futures_util::{StreamExt, TryStreamExt, stream};
use rmcp::model::{CallToolResult, JsonObject, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::Serialize;

use super::arguments::{Arguments, Search, Whole};
use super::result::{AccountView, Code, Failure, success};
use super::{Call, schema};
use crate::apc::operations::Glimpse;
use crate::apc::{ServiceAccount, ServiceAccountId, Workspace, WorkspaceId};
use crate::guards::secret::Secrets;
use crate::guards::text::quoted;

/// The tool's name.
pub const NAME: &str = "get_service_accounts";

/// How many workspaces of one call are read at once.
const AT_ONCE: usize = 8;

const LIMIT_DEFAULT: u64 = 100;

/// The largest whole number that every JSON reader takes as it is.
const OFFSET_MAX: u64 = (1 << 53) - 1;

type Limit = Whole<1, 1000>;
type Offset = Whole<0, OFFSET_MAX>;

/// The tool as clients see it.
pub fn definition() -> Tool {
    let description = "List service accounts of one workspace or, without workspace_id, of every workspace the token \
         can see. Use it to find ids, roles and dates, or whether a label is taken. Changes nothing. Returns a page of \
         accounts, the total of matches on all pages, next_offset if there are more, and the workspaces searched.";
    Tool::new(NAME, description, schema::input::<Asked>())
        .with_title("List service accounts")
        .with_raw_output_schema(schema::output::<Found>())
        .with_annotations(
            ToolAnnotations::new()
                .read_only(true)
                .destructive(false)
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
struct Asked {
    /// Only this workspace.
    workspace_id: Option<WorkspaceId>,
    /// Only the account with this id.
    service_account_id: Option<ServiceAccountId>,
    /// Only labels that contain this text, in any case.
    #[schemars(with = "Option<String>", length(min = 1, max = 255))]
    label: Option<()>,
    /// Accounts per page.
    #[schemars(with = "Option<u64>", range(min = 1, max = 1000), extend("default" = 100))]
    limit: Option<()>,
    /// The next_offset of the page before.
    #[schemars(with = "Option<u64>", range(min = 0), extend("default" = 0))]
    offset: Option<()>,
}

/// The result.
#[derive(Serialize, JsonSchema)]
struct Found {
    service_accounts: Vec<AccountView>,
    total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspaces: Option<Vec<WorkspaceView>>,
}

// A workspace in a result. (A doc comment would become a description in the schema.)
#[derive(Serialize, JsonSchema)]
struct WorkspaceView {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// Matches; absent where the token may not list them.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
}

struct Query {
    workspace_id: Option<WorkspaceId>,
    service_account_id: Option<ServiceAccountId>,
    label: Option<String>,
    limit: u64,
    offset: u64,
}

/// Runs the tool.
pub async fn call(call: &Call, given: Option<JsonObject>) -> Result<CallToolResult, Failure> {
    let query = Query::read(given, call.secrets())?;
    let (matches, workspaces) = match &query.workspace_id {
        Some(workspace_id) => {
            call.check_workspace(workspace_id)?;
            (query.matches(call, workspace_id).await?, None)
        }
        None => {
            let (matches, workspaces) = everywhere(call, &query).await?;
            (matches, Some(workspaces))
        }
    };
    if let (Some(id), 0) = (&query.service_account_id, matches.total) {
        return Err(not_found(id, query.workspace_id.as_ref()));
    }
    Ok(success(&query.page(matches, workspaces, call)))
}

/// The accounts that were asked for: how many there are, and the first of them, as far as the page
/// can reach.
#[derive(Default)]
struct Matches {
    first: Vec<ServiceAccount>,
    total: u64,
}

impl Query {
    fn read(given: Option<JsonObject>, secrets: &Secrets) -> Result<Self, Failure> {
        let known = [
            "workspace_id",
            "service_account_id",
            "label",
            "limit",
            "offset",
        ];
        let mut arguments = Arguments::new(given, NAME, &known, secrets)?;
        Ok(Self {
            workspace_id: arguments.optional("workspace_id")?,
            service_account_id: arguments.optional("service_account_id")?,
            label: arguments
                .optional::<Search>("label")?
                .map(|text| text.0.to_lowercase()),
            limit: arguments
                .optional::<Limit>("limit")?
                .map_or(LIMIT_DEFAULT, |limit| limit.0),
            offset: arguments
                .optional::<Offset>("offset")?
                .map_or(0, |offset| offset.0),
        })
    }

    async fn matches(&self, call: &Call, workspace_id: &WorkspaceId) -> Result<Matches, Failure> {
        let mut total = 0;
        let select = |account: Glimpse<'_>| {
            let matches = self.is_match(account);
            total += u64::from(matches);
            matches && total <= self.offset.saturating_add(self.limit)
        };
        let first = call.select_accounts(workspace_id, select).await?;
        Ok(Matches { first, total })
    }

    fn is_match(&self, account: Glimpse<'_>) -> bool {
        let label = account.label.unwrap_or_default();
        self.service_account_id
            .as_ref()
            .is_none_or(|id| id.as_str() == account.id)
            && self
                .label
                .as_ref()
                .is_none_or(|text| label.to_lowercase().contains(text))
    }

    fn page(&self, matches: Matches, workspaces: Option<Vec<WorkspaceView>>, call: &Call) -> Found {
        let keys = call.policy().key_output;
        let Matches { first, total } = matches;
        let end = self.offset.saturating_add(self.limit);
        let page = first
            .into_iter()
            .skip(index(self.offset))
            .take(index(self.limit));
        Found {
            service_accounts: page
                .map(|account| AccountView::new(account, keys, call.secrets()))
                .collect(),
            total,
            next_offset: (end < total).then_some(end),
            workspaces,
        }
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Every visible workspace is read; one that may not be read is listed without a count.
async fn everywhere(call: &Call, query: &Query) -> Result<(Matches, Vec<WorkspaceView>), Failure> {
    let visible = call.visible_workspaces().await?;
    let read: Vec<_> = stream::iter(visible)
        .map(|workspace| in_one(call, query, workspace))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let mut all = Matches::default();
    let mut workspaces = Vec::with_capacity(read.len());
    for (workspace, matches) in read {
        workspaces.push(WorkspaceView {
            id: workspace.id.into_string(),
            label: workspace.label,
            count: matches.as_ref().map(|matches| matches.total),
        });
        let matches = matches.unwrap_or_default();
        all.total += matches.total;
        all.first.extend(matches.first);
    }
    Ok((all, workspaces))
}

async fn in_one(
    call: &Call,
    query: &Query,
    workspace: Workspace,
) -> Result<(Workspace, Option<Matches>), Failure> {
    match query.matches(call, &workspace.id).await {
        Ok(matches) => Ok((workspace, Some(matches))),
        Err(failure) if matches!(failure.code(), Code::PermissionDenied | Code::NotFound) => {
            Ok((workspace, None))
        }
        Err(failure) => Err(failure),
    }
}

fn not_found(id: &ServiceAccountId, workspace_id: Option<&WorkspaceId>) -> Failure {
    let account = quoted(id.as_str());
    let text = match workspace_id {
        Some(workspace) => format!(
            "There is no service account {account} in workspace {}. It may be deleted or belong to another workspace. Call get_service_accounts without arguments to see every account you can.",
            quoted(workspace.as_str())
        ),
        None => format!(
            "There is no service account {account} in any workspace that this token may list. It may be deleted, or its workspace may have to be named as workspace_id."
        ),
    };
    let failure = Failure::new(Code::NotFound, text).about_account(id);
    match workspace_id {
        Some(workspace) => failure.about_workspace(workspace),
        None => failure,
    }
}
