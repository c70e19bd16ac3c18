//! `get_service_accounts`: the accounts of one workspace, or of all that are visible.
//! Reads lists only: the API's single read hands out accounts of other workspaces.

use std::sync::LazyLock;

use rmcp::model::{CallToolResult, JsonObject};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::account_view::AccountView;
use super::arguments::{Search, Whole};
use super::context::Call;
use super::failure::Failure;
use super::places::{self, Gaps, ReadWorkspace};
use super::recovery::unfinished;
use super::{Definition, Hints, Run, ToolEntry, schema, success};
use crate::apc::operations::{Candidate, Listing};
use crate::apc::{Place, ServiceAccount, ServiceAccountId, WorkspaceId};
use crate::guards::secret::Secrets;

/// The row of the table.
pub const TOOL: ToolEntry = ToolEntry {
    name: NAME,
    title: "List service accounts",
    run: Run::Read(|call, arguments| Box::pin(async move { Ok(run(call, arguments).await?) })),
    hints: Hints {
        destructive: false,
        idempotent: true,
    },
    define: |_| Definition {
        description: DESCRIPTION.to_owned(),
        input: INPUT.clone(),
        output: schema::output::<GetResult>(),
    },
};

const NAME: &str = "get_service_accounts";

const DESCRIPTION: &str = "List service accounts of one workspace or, without workspace_id, of every workspace the \
    token can see. Use it to find ids, roles and dates, or whether a label is taken. Changes nothing. Returns a page of \
    accounts, the total of matches on all pages, next_offset if there are more, and the workspaces searched.";

/// The number of accounts on a page, unless the call says another.
const LIMIT_DEFAULT: u64 = 100;

/// The largest whole number that every JSON reader takes as it is.
const OFFSET_MAX: u64 = (1 << 53) - 1;

type Limit = Whole<1, 1000>;
type Offset = Whole<0, OFFSET_MAX>;

static INPUT: LazyLock<JsonObject> = LazyLock::new(schema::input::<Arguments>);

/// The arguments.
#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// Only this workspace.
    workspace_id: Option<WorkspaceId>,
    /// Only the account with this id.
    service_account_id: Option<ServiceAccountId>,
    /// Only labels that contain this text, in any case.
    label: Option<Search>,
    /// Accounts per page.
    #[schemars(extend("default" = LIMIT_DEFAULT))]
    limit: Option<Limit>,
    /// The next_offset of the page before.
    #[schemars(extend("default" = 0))]
    offset: Option<Offset>,
}

/// The result.
#[derive(Serialize, JsonSchema)]
struct GetResult {
    service_accounts: Vec<AccountView>,
    total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspaces: Option<Vec<WorkspaceView>>,
    /// What could not be read, and keys that were recovered: tell the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<Vec<String>>,
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

impl WorkspaceView {
    /// Without secrets. The lists that were read after the workspaces may have told some.
    fn scrubbed(self, secrets: &Secrets) -> Self {
        Self {
            id: secrets.scrubbed(self.id),
            label: self.label.map(|label| secrets.scrubbed(label)),
            count: self.count,
        }
    }
}

struct Query {
    workspace_id: Option<WorkspaceId>,
    service_account_id: Option<ServiceAccountId>,
    label: Option<String>,
    limit: u64,
    offset: u64,
}

/// Runs the tool.
async fn run(call: &Call, given: JsonObject) -> Result<CallToolResult, Failure> {
    let query = Query::of(call.read(NAME, &INPUT, given)?);
    let place = query.workspace_id.clone().map(Place::Workspace);
    let (matches, workspaces, gaps) = match &place {
        Some(place) => in_one(call, &query, place).await?,
        None => everywhere(call, &query).await?,
    };
    if let (Some(id), 0) = (&query.service_account_id, matches.total) {
        return Err(gaps.missing_account(id, place.as_ref()));
    }
    Ok(success(&query.page(matches, workspaces, gaps, call)))
}

/// The matches in one place: the first of them, as far as the page can reach, and the number of all.
struct PlaceMatches {
    listing: Listing,
    total: u64,
}

/// The matches of all places, the places that were read, and the gaps.
type Results = (Matches, Option<Vec<WorkspaceView>>, Gaps);

/// The matches in all places.
#[derive(Default)]
struct Matches {
    first: Vec<ServiceAccount>,
    total: u64,
}

impl Query {
    fn of(arguments: Arguments) -> Self {
        Self {
            workspace_id: arguments.workspace_id,
            service_account_id: arguments.service_account_id,
            label: arguments.label.map(|text| text.0.to_lowercase()),
            limit: arguments.limit.map_or(LIMIT_DEFAULT, |limit| limit.0),
            offset: arguments.offset.map_or(0, |offset| offset.0),
        }
    }

    /// The selection of the accounts that match, as far as the page can reach. It counts them all.
    fn selection<'a>(&'a self, total: &'a mut u64) -> impl FnMut(Candidate<'_>) -> bool + 'a {
        move |account| {
            let matches = self.is_match(account);
            *total += u64::from(matches);
            matches && *total <= self.offset.saturating_add(self.limit)
        }
    }

    fn is_match(&self, account: Candidate<'_>) -> bool {
        let label = account.label.unwrap_or_default();
        self.service_account_id
            .as_ref()
            .is_none_or(|id| id.as_str() == account.id)
            && self
                .label
                .as_ref()
                .is_none_or(|text| label.to_lowercase().contains(text))
    }

    fn page(
        &self,
        matches: Matches,
        workspaces: Option<Vec<WorkspaceView>>,
        gaps: Gaps,
        call: &Call,
    ) -> GetResult {
        let keys = call.policy().key_output;
        let Matches { first, total } = matches;
        let end = self.offset.saturating_add(self.limit);
        let page = first
            .into_iter()
            .skip(index(self.offset))
            .take(index(self.limit));
        let clean = |view: WorkspaceView| view.scrubbed(call.secrets());
        GetResult {
            service_accounts: page
                .map(|account| AccountView::new(account, keys, call.secrets()))
                .collect(),
            total,
            next_offset: (end < total).then_some(end),
            workspaces: workspaces.map(|all| all.into_iter().map(clean).collect()),
            notes: notes(call, gaps),
        }
    }
}

/// What could not be read, and what came of unfinished creations.
fn notes(call: &Call, gaps: Gaps) -> Option<Vec<String>> {
    let mut notes = call.unfinished.notes();
    notes.extend(gaps.into_notes().into_iter().flatten());
    Some(notes).filter(|notes| !notes.is_empty())
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

async fn in_one(call: &Call, query: &Query, place: &Place) -> Result<Results, Failure> {
    call.check_place(place)?;
    let mut total = 0;
    let listing = call.list(place, query.selection(&mut total)).await?;
    let mut gaps = Gaps::default();
    gaps.add_unreadable_accounts(place, &listing);
    let first = listing.accounts;
    Ok((Matches { first, total }, None, gaps))
}

/// Reads every visible workspace; one that could not be read is listed without a count.
async fn everywhere(call: &Call, query: &Query) -> Result<Results, Failure> {
    let visible = places::visible(call).await?;
    let read = |place| async move {
        let (api, mut total) = (call.api().with_good_token(), 0);
        let selection = query.selection(&mut total);
        unfinished::finish(call, &place).await;
        let listing = call.list_known(&api, &place, selection).await?;
        Ok(PlaceMatches { listing, total })
    };
    let all = places::read_each(visible.workspaces, read).await?;
    let mut gaps = Gaps::default();
    gaps.add_visible(&visible.gaps);
    gaps.add_unread(&all);
    let mut sum = Matches::default();
    let mut workspaces = Vec::with_capacity(all.len());
    for ReadWorkspace { workspace, outcome } in all {
        let matches = outcome.ok();
        workspaces.push(WorkspaceView {
            id: workspace.id.as_str().to_owned(),
            label: workspace.label,
            count: matches.as_ref().map(|matches| matches.total),
        });
        if let Some(PlaceMatches { listing, total }) = matches {
            gaps.add_unreadable_accounts(&workspace.id.into(), &listing);
            sum.total += total;
            sum.first.extend(listing.accounts);
        }
    }
    Ok((sum, Some(workspaces), gaps))
}
