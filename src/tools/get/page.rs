//! A page of the list: the accounts that fit, the places, the clock, and the cursor behind the last account.
//! Never longer than a model can read: a page is cut by its characters as well.

use chrono::{SecondsFormat, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::Query;
use super::cursor::{Cursor, Position};
use crate::apc::ServiceAccount;
use crate::tools::account_view::AccountView;
use crate::tools::context::Call;
use crate::tools::places::{Unshown, WorkspaceView, shortened};

/// The longest page, in characters.
const PAGE_MAX: usize = 60_000;

/// The longest list of places on a page, in characters.
const PLACES_MAX: usize = 20_000;

/// The same on a page without accounts.
const PLACES_MAX_ALONE: usize = 50_000;

/// The characters around a cursor in a result.
const AROUND_CURSOR: usize = r#","next_cursor":"""#.len();

/// The result.
#[derive(Serialize, JsonSchema)]
pub(super) struct GetResult {
    service_accounts: Vec<AccountView>,
    /// Matches on all pages.
    total: u64,
    /// The cursor for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// On the first page; where a filter fits, only those with matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    workspaces: Option<Vec<WorkspaceView>>,
    /// The platform's clock.
    now: String,
    /// Unread places, recovered keys: tell the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<Vec<String>>,
}

/// The matches of a call, before they become a page.
pub(super) struct Matches {
    /// The first ones behind the cursor; one more than the page takes, if there are that many.
    pub(super) first: Vec<ServiceAccount>,
    pub(super) total: u64,
    pub(super) workspaces: Option<Vec<WorkspaceView>>,
    /// The time by which the API's clock is ahead of ours; none where it told no time.
    pub(super) clock_ahead: Option<TimeDelta>,
    pub(super) notes: Vec<String>,
}

impl Matches {
    /// The page of a query.
    pub(super) fn into_page(self, query: &Query, call: &Call) -> GetResult {
        let (workspaces, unshown) = match self.workspaces {
            // The first page has shown them.
            Some(all) if query.after.is_none() => {
                let (shown, unshown) = places(all, self.total, query);
                (Some(shown), unshown)
            }
            _ => (None, Unshown::default()),
        };
        let mut notes = self.notes;
        notes.extend(of_unshown(&unshown, query));
        let now = Utc::now() + self.clock_ahead.unwrap_or_default();
        let page = GetResult {
            service_accounts: Vec::new(),
            total: self.total,
            next_cursor: None,
            workspaces,
            now: now.to_rfc3339_opts(SecondsFormat::Secs, true),
            notes: Some(notes).filter(|notes| !notes.is_empty()),
        };
        page.filled(self.first, query, call)
    }
}

impl GetResult {
    /// Adds accounts, as far as the page takes them, and the cursor if there are more.
    fn filled(mut self, first: Vec<ServiceAccount>, query: &Query, call: &Call) -> Self {
        let mut room = PAGE_MAX.saturating_sub(length(&self));
        let mut last = None;
        for account in first {
            if self.service_accounts.len() == query.limit {
                self.next_cursor = last;
                break;
            }
            let position = Position::of_account(&account, query.order);
            let cursor = Cursor::text(&position, &query.binding);
            let view = AccountView::new(account, call.policy().key_output, call.secrets());
            let taken = length(&view) + ",".len();
            if taken + cursor.len() + AROUND_CURSOR > room && last.is_some() {
                self.next_cursor = last;
                break;
            }
            room = room.saturating_sub(taken);
            self.service_accounts.push(view);
            last = Some(cursor);
        }
        self
    }
}

/// The places that a page shows: where a filter fits, those with matches, unless the call only counts.
fn places(all: Vec<WorkspaceView>, total: u64, query: &Query) -> (Vec<WorkspaceView>, Unshown) {
    if query.limit == 0 {
        return shortened(all, PLACES_MAX_ALONE);
    }
    if total == 0 || !query.filter.is_set() {
        return shortened(all, PLACES_MAX);
    }
    let narrowed = |view: WorkspaceView| view.narrowed(query.include_deployments);
    shortened(all.into_iter().filter_map(narrowed).collect(), PLACES_MAX)
}

/// Sentences on the places that do not fit.
fn of_unshown(unshown: &Unshown, query: &Query) -> impl Iterator<Item = String> {
    let advice = match (query.include_deployments, query.limit) {
        (true, _) => "limit 0 and without include_deployments has more room for them",
        (false, 1..) => "limit 0 has more room for them",
        (false, 0) => {
            "a workspace_id counts one of them, and a platform administrator can tell their ids"
        }
    };
    let workspaces = (unshown.workspaces > 0).then(|| {
        format!(
            "{} further workspaces do not fit here; get_service_accounts with {advice}.",
            unshown.workspaces
        )
    });
    let deployments = (unshown.deployments > 0).then(|| {
        format!(
            "{} further deployments do not fit here; get_service_accounts with include_deployments, the workspace_id of one workspace and limit 0 has more room for them.",
            unshown.deployments
        )
    });
    workspaces.into_iter().chain(deployments)
}

/// The length of a part of the result, in characters.
fn length(part: &impl Serialize) -> usize {
    let text = serde_json::to_string(part).unwrap_or_default();
    text.chars().count()
}
