//! `get_service_accounts`: the accounts of one workspace, or of all that are visible.
//! Reads lists only: the API's single read hands out accounts of other workspaces.

use std::sync::LazyLock;

use rmcp::model::{CallToolResult, JsonObject};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::account_view::AccountView;
use super::arguments::{Search, Whole};
use super::by_levels::{self, ByLevels};
use super::context::Call;
use super::failure::Failure;
use super::places::{self, Gaps, NamedPlace, ReadWorkspace, WorkspaceView};
use super::{Definition, Hints, Run, ToolEntry, schema, success};
use crate::apc::operations::{Candidate, Listing};
use crate::apc::{DeploymentId, Place, ServiceAccount, ServiceAccountId, Workspace, WorkspaceId};
use crate::guards::policy::Policy;

/// The row of the table.
pub const TOOL: ToolEntry = ToolEntry {
    name: NAME,
    title: "List service accounts",
    run: Run::Read(|call, arguments| Box::pin(async move { Ok(run(call, arguments).await?) })),
    hints: Hints {
        destructive: false,
        idempotent: true,
    },
    define: |options| Definition {
        description: description(&options.policy),
        input: INPUT.under(&options.policy).clone(),
        output: by_levels::output::<GetResult>(&options.policy),
    },
};

const NAME: &str = "get_service_accounts";

fn description(policy: &Policy) -> String {
    let place = match policy.has_deployments() {
        true => "place or, without one, of every workspace the",
        false => "workspace or, without workspace_id, of every workspace the",
    };
    format!(
        "List service accounts of one {place} token can see. Use it to find ids, roles and dates, or whether a label is \
         taken. Changes nothing. Returns a page of accounts, the total of matches on all pages, next_offset if there are \
         more, and the workspaces searched."
    )
}

/// The number of accounts on a page, unless the call says another.
const LIMIT_DEFAULT: u64 = 100;

/// The largest whole number that every JSON reader takes as it is.
const OFFSET_MAX: u64 = (1 << 53) - 1;

type Limit = Whole<1, 1000>;
type Offset = Whole<0, OFFSET_MAX>;

static INPUT: LazyLock<ByLevels> =
    LazyLock::new(|| ByLevels::new(schema::input::<Arguments>(), |_| {}));

/// The arguments.
#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// Only this workspace.
    workspace_id: Option<WorkspaceId>,
    /// Only this deployment.
    deployment_id: Option<DeploymentId>,
    /// With the accounts of the deployments of these workspaces, which lists the deployments as well. Default false.
    include_deployments: Option<bool>,
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

struct Query {
    include_deployments: bool,
    service_account_id: Option<ServiceAccountId>,
    label: Option<String>,
    limit: u64,
    offset: u64,
}

/// Runs the tool.
async fn run(call: &Call, given: JsonObject) -> Result<CallToolResult, Failure> {
    let arguments: Arguments = call.read(NAME, INPUT.under(call.policy()), given)?;
    let named = NamedPlace {
        workspace_id: arguments.workspace_id.clone(),
        deployment_id: arguments.deployment_id.clone(),
    };
    let query = Query::of(arguments);
    let place = named.resolve(call).await?;
    let (matches, workspaces, gaps) = match &place {
        Some(Place::Workspace(id)) if query.include_deployments => {
            let one = Workspace {
                id: id.clone(),
                label: None,
            };
            several(call, &query, vec![one], None).await?
        }
        Some(place) => in_one(call, &query, place).await?,
        None => {
            let visible = places::visible(call).await?;
            several(call, &query, visible.workspaces, Some(visible.gaps)).await?
        }
    };
    if let (Some(id), 0) = (&query.service_account_id, matches.total) {
        return Err(gaps.missing_account(id, place.as_ref(), call.policy()));
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
            include_deployments: arguments.include_deployments.unwrap_or_default(),
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
    let mut total = 0;
    let listing = call.list(place, query.selection(&mut total)).await?;
    let mut gaps = Gaps::default();
    gaps.add_unreadable_accounts(place, &listing);
    let first = listing.accounts;
    Ok((Matches { first, total }, None, gaps))
}

/// Reads several workspaces, and their deployments where they are wanted or the account is in none of the workspaces. A
/// place that could not be read is listed without a count. The API has listed visible workspaces itself, and told of gaps;
/// it is not known whether one exists that the call names.
async fn several(
    call: &Call,
    query: &Query,
    workspaces: Vec<Workspace>,
    visible: Option<Gaps>,
) -> Result<Results, Failure> {
    let is_known = visible.is_some();
    let read = |place| async move {
        let mut total = 0;
        let selection = query.selection(&mut total);
        let listing = match &place {
            Place::Workspace(_) if !is_known => call.list(&place, selection).await?,
            _ => call.list_listed(&place, selection).await?,
        };
        Ok(PlaceMatches { listing, total })
    };
    let wants_deployments = |read: &[ReadWorkspace<PlaceMatches>]| {
        let mut outcomes = read.iter().flat_map(|read| &read.outcome);
        let is_missing = outcomes.all(|matches| matches.total == 0);
        query.include_deployments
            || (query.service_account_id.is_some() && is_missing && call.policy().has_deployments())
    };
    let reading = places::read_all(call, workspaces, read, wants_deployments).await?;
    let mut gaps = visible.unwrap_or_default();
    gaps.add_unread(&reading);
    let views = reading.views(query.include_deployments, |matches| matches.total);
    let mut sum = Matches::default();
    for (place, PlaceMatches { listing, total }) in reading.into_lists() {
        gaps.add_unreadable_accounts(&place, &listing);
        sum.total += total;
        sum.first.extend(listing.accounts);
    }
    Ok((sum, Some(views), gaps))
}
