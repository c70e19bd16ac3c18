//! `get_service_accounts`: the accounts of one place, or of all that are visible.
//! Reads lists only: the API's single read hands out accounts of other workspaces.

mod cursor;
mod filter;
mod page;

use std::sync::{LazyLock, Mutex, PoisonError};

use rmcp::model::{CallToolResult, JsonObject};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

pub use filter::moment;

use cursor::{Cursor, Order, Position};
use filter::{Filter, KeyPrefix, LabelPattern, Moment, Tally};
use page::{GetResult, Matches};

use super::arguments::{SearchText, Switch, Whole, invalid};
use super::by_levels::{self, ByLevels};
use super::places::{self, Gaps, NamedPlace, ReadWorkspace, VisibleWorkspaces, WorkspaceView};
use super::{Call, Failure, NoResult, Run, ToolEntry, locked, schema, success};
use crate::apc::operations::{self, Listing};
use crate::apc::selection::{Candidate, First};
use crate::apc::{DeploymentId, Place, ServiceAccount, ServiceAccountId, WorkspaceId};
use crate::guards::policy::Policy;

/// The row of the table.
pub const TOOL: ToolEntry = ToolEntry {
    name: NAME,
    title: "List service accounts",
    run: Run::Read(|call, arguments| Box::pin(run(call, arguments))),
    destructive: false,
    idempotent: true,
    description: |options| description(&options.policy),
    input: |options| INPUT.under(&options.policy).clone(),
    output: by_levels::output::<GetResult>,
};

const NAME: &str = "get_service_accounts";

fn description(policy: &Policy) -> String {
    let place = match policy.has_deployments() {
        true => "place or, without one, of all workspaces",
        false => "workspace or, without one, of all",
    };
    format!(
        "List service accounts of one {place} that the token sees. Use it to find ids, free labels, a leaked key's account, \
         unused accounts; limit 0 only counts. Changes nothing. A whole key cannot be shown again. No last_used_at means no \
         use recorded: releases before 0.35 hardly record any, so ask before deleting for that. Returns accounts by \
         creation, total of all pages, next_cursor if there are more, now (the platform's clock), and notes: tell them to \
         the user."
    )
}

/// The number of accounts on a page, unless the call says another.
const LIMIT_DEFAULT: u32 = 50;

static INPUT: LazyLock<ByLevels> =
    LazyLock::new(|| ByLevels::new(schema::input::<Arguments>(), |_| {}));

/// The arguments.
#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// Id of one workspace; default all.
    workspace_id: Option<WorkspaceId>,
    /// Id of one deployment.
    deployment_id: Option<DeploymentId>,
    /// true: also the deployments, with names and counts; default false.
    include_deployments: Option<Switch>,
    /// Part of the label in any case, up to 255 characters; * is anything, so etl-* is a prefix.
    label: Option<SearchText>,
    /// Id of one account.
    service_account_id: Option<ServiceAccountId>,
    /// Exact role such as WORKSPACE_ADMIN, up to 255 characters.
    role: Option<SearchText>,
    /// Exact category, up to 255 characters.
    category: Option<SearchText>,
    /// First 6 to 255 characters of a key.
    key_prefix: Option<KeyPrefix>,
    /// Date such as 2026-08-01: last used before it, or never.
    unused_since: Option<Moment>,
    /// By creation; default oldest first.
    #[serde(default)]
    order: Order,
    /// Accounts per page, 0 to 200; default 50.
    #[schemars(extend("default" = LIMIT_DEFAULT))]
    limit: Option<Whole<0, 200>>,
    /// next_cursor of the page before; other arguments unchanged.
    cursor: Option<Cursor>,
}

/// A call's question, in the terms of this tool.
struct Query {
    include_deployments: bool,
    filter: Filter,
    order: Order,
    limit: usize,
    after: Option<Position>,
    /// The other arguments, which a cursor is bound to.
    binding: Vec<u8>,
}

async fn run(call: &Call, given: JsonObject) -> Result<CallToolResult, NoResult> {
    let binding = binding(&given);
    let arguments: Arguments = call.read(NAME, INPUT.under(call.policy()), given)?;
    let named = NamedPlace {
        workspace_id: arguments.workspace_id.clone(),
        deployment_id: arguments.deployment_id.clone(),
    };
    let query = Query::of(arguments, binding)?;
    let place = named.resolve(call).await?;
    let found = match &place {
        Some(Place::Workspace(id)) if query.include_deployments => {
            several(call, &query, VisibleWorkspaces::named(id.clone())).await?
        }
        Some(place) => in_one(call, &query, place).await?,
        None => several(call, &query, places::visible(call).await?).await?,
    };
    if let (Some(id), false) = (&query.filter.service_account_id, found.tally.has_id) {
        let gaps = found.gaps;
        let failure = gaps.missing_account(id, place.as_ref(), call.policy());
        return Err(failure.into());
    }
    let matches = found.into_matches(&query, call);
    Ok(success(&matches.into_page(&query, call)))
}

/// The arguments but the cursor, in one form for one meaning: without defaults, sorted, numbers as one kind.
fn binding(given: &JsonObject) -> Vec<u8> {
    let is_left_out = |name: &str, value: &Value| match name {
        "cursor" => true,
        "order" => value == "oldest",
        "limit" => value.as_f64() == Some(f64::from(LIMIT_DEFAULT)),
        _ => value == false,
    };
    let mut rest = given.clone();
    rest.retain(|name, value| !value.is_null() && value != "" && !is_left_out(name, value));
    for value in rest.values_mut() {
        if let Some(number) = value.as_f64() {
            *value = number.into();
        }
    }
    rest.sort_keys();
    serde_json::to_vec(&rest).unwrap_or_default()
}

impl Query {
    fn of(arguments: Arguments, binding: Vec<u8>) -> Result<Self, Failure> {
        let limit = arguments.limit;
        let limit = limit.map_or(LIMIT_DEFAULT.into(), |limit| limit.0);
        let after = match arguments.cursor {
            Some(cursor) => {
                let position = cursor.position(arguments.order, &binding);
                Some(position.ok_or_else(other_cursor)?)
            }
            None => None,
        };
        Ok(Self {
            include_deployments: arguments.include_deployments == Some(Switch(true)),
            filter: Filter {
                service_account_id: arguments.service_account_id,
                label: arguments.label.as_ref().map(LabelPattern::new),
                role: arguments.role,
                category: arguments.category,
                key_prefix: arguments.key_prefix,
                unused_since: arguments.unused_since,
            },
            order: arguments.order,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            after,
            binding,
        })
    }

    /// The number of accounts to read: one more tells whether there is a further page. Who only counts needs none.
    fn most(&self) -> usize {
        match self.limit {
            0 => 0,
            limit => limit + 1,
        }
    }

    /// The position of an account that fits and stands behind the cursor. The tally counts all that fit.
    fn rank<'a>(
        &'a self,
        place: &'a Place,
        tally: &'a mut Tally,
    ) -> impl FnMut(Candidate<'_>) -> Option<Position> + 'a {
        move |account| {
            let fits = tally.count(&self.filter, account);
            let position = fits.then(|| Position::of(account, place, self.order))?;
            let is_behind = self.after.as_ref().is_none_or(|after| position > *after);
            is_behind.then_some(position)
        }
    }
}

fn other_cursor() -> Failure {
    let accepted = Cursor::ACCEPTED.0;
    let fault = format!("cursor is not of a call with these arguments; accepted: {accepted}");
    invalid(&[fault])
}

/// The matches of all places that were read, and what could not be read.
struct SearchResult {
    first: Vec<ServiceAccount>,
    tally: Tally,
    workspaces: Option<Vec<WorkspaceView>>,
    clock_ahead: Option<chrono::TimeDelta>,
    gaps: Gaps,
}

impl SearchResult {
    fn into_matches(self, query: &Query, call: &Call) -> Matches {
        let shows_roles = operations::role_field(&call.api()).is_some();
        let mut notes = call.unfinished.notes();
        notes.extend(self.gaps.into_notes().into_iter().flatten());
        notes.extend(self.tally.notes(shows_roles));
        let skips_deployments = call.policy().has_deployments() && !query.include_deployments;
        let (tally, filter) = (&self.tally, &query.filter);
        notes.extend(tally.note_on_role(filter, skips_deployments, call.secrets()));
        Matches {
            first: self.first,
            total: self.tally.matches,
            workspaces: self.workspaces,
            clock_ahead: self.clock_ahead,
            notes,
        }
    }
}

async fn in_one(call: &Call, query: &Query, place: &Place) -> Result<SearchResult, Failure> {
    let mut tally = Tally::default();
    let rank = query.rank(place, &mut tally);
    let listing = call.list_first(place, query.most(), rank).await?;
    let mut gaps = Gaps::default();
    gaps.add_unreadable_accounts(place, &listing);
    Ok(SearchResult {
        first: listing.accounts,
        tally,
        workspaces: None,
        clock_ahead: listing.clock_ahead,
        gaps,
    })
}

/// The first accounts of all places, whichever is read first.
type Shared = Mutex<First<Position, ServiceAccount>>;

/// Reads several workspaces, and their deployments where those are wanted, or one account is looked for: it may stand in
/// several places. A place that could not be read is listed without a count.
async fn several(
    call: &Call,
    query: &Query,
    visible: VisibleWorkspaces,
) -> Result<SearchResult, Failure> {
    let (unproven, mut gaps) = (visible.unproven, visible.gaps);
    let shared = Shared::new(First::new(query.most()));
    let read = |place: Place| {
        let is_known = !unproven.contains(&place);
        read_one(call, query, &shared, place, is_known)
    };
    let wants_deployments = |_: &[ReadWorkspace<PlaceResult>]| {
        let has_id = query.filter.service_account_id.is_some();
        query.include_deployments || (has_id && call.policy().has_deployments())
    };
    let reading = places::read_all(call, visible.workspaces, read, wants_deployments).await?;
    gaps.add_unread(&reading);
    let views = reading.views(
        query.include_deployments,
        |(_, tally)| tally.matches,
        call.secrets(),
    );
    let first = shared.into_inner();
    let first = first.unwrap_or_else(PoisonError::into_inner);
    let (mut sum, mut clock_ahead) = (Tally::default(), None);
    for (place, (listing, tally)) in reading.into_lists() {
        gaps.add_unreadable_accounts(&place, &listing);
        clock_ahead = clock_ahead.or(listing.clock_ahead);
        sum.add(&tally);
    }
    Ok(SearchResult {
        first: first.into_items().collect(),
        tally: sum,
        workspaces: Some(views),
        clock_ahead,
        gaps,
    })
}

/// The list of one place, and the matches in it.
type PlaceResult = (Listing, Tally);

/// Reads the list of one place of several. Its accounts join those of the other places. A place that the API has not named
/// itself may not exist.
async fn read_one(
    call: &Call,
    query: &Query,
    shared: &Shared,
    place: Place,
    is_known: bool,
) -> Result<PlaceResult, Failure> {
    let mut tally = Tally::default();
    let rank = query.rank(&place, &mut tally);
    let mut listing = match is_known {
        true => {
            let api = call.api().with_good_token();
            call.list_known_first(&api, &place, query.most(), rank)
                .await?
        }
        false => call.list_first(&place, query.most(), rank).await?,
    };
    let mut first = locked(shared);
    for account in std::mem::take(&mut listing.accounts) {
        first.push(Position::of_account(&account, query.order), account);
    }
    Ok((listing, tally))
}
