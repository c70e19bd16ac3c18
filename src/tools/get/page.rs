//! A page of the list: the accounts that fit, the places, the clock, and the cursor behind the last account.
//! Never longer than a model can read: a page is cut by its characters as well.

use chrono::{SecondsFormat, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::Query;
use super::cursor::{Cursor, Position};
use crate::apc::{ServiceAccount, Workspace};
use crate::guards::secret::Secrets;
use crate::tools::account_view::AccountView;
use crate::tools::context::Call;

/// The longest page, in characters.
const PAGE_MAX: usize = 60_000;

/// The longest list of places on a page, in characters.
const PLACES_MAX: usize = 20_000;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    workspaces: Option<Vec<WorkspaceView>>,
    /// The platform's clock.
    now: String,
    /// What could not be read, and keys that were recovered: tell the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<Vec<String>>,
}

// A workspace in a result. (A doc comment would become a description in the schema.)
#[derive(Serialize, JsonSchema)]
pub(super) struct WorkspaceView {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// Matches; absent where the token may not list them.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
}

impl WorkspaceView {
    /// Without secrets: the lists that were read after the workspaces may have told some.
    pub(super) fn new(workspace: &Workspace, count: Option<u64>, secrets: &Secrets) -> Self {
        let label = workspace.label.clone();
        Self {
            id: secrets.scrubbed(workspace.id.as_str().to_owned()),
            label: label.map(|label| secrets.scrubbed(label)),
            count,
        }
    }
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
        let (workspaces, unshown) = self.workspaces.map_or((None, 0), |all| {
            let (shown, unshown) = shortened(all);
            (Some(shown), unshown)
        });
        let mut notes = self.notes;
        notes.extend((unshown > 0).then(|| {
            format!("{unshown} further workspaces do not fit here; get_service_accounts with a workspace_id counts one of them.")
        }));
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

/// The places that fit, those with matches first where not all do; and the number of the others.
fn shortened(mut all: Vec<WorkspaceView>) -> (Vec<WorkspaceView>, usize) {
    if length(&all) <= PLACES_MAX {
        return (all, 0);
    }
    all.sort_by_key(|place| place.count == Some(0));
    let mut room = PLACES_MAX;
    let fitting = all.iter().take_while(|place| {
        let left = room.checked_sub(length(place) + ",".len());
        room = left.unwrap_or_default();
        left.is_some()
    });
    let fitting = fitting.count();
    let unshown = all.len() - fitting;
    all.truncate(fitting);
    (all, unshown)
}

/// The length of a part of the result, in characters.
fn length(part: &impl Serialize) -> usize {
    let text = serde_json::to_string(part).unwrap_or_default();
    text.chars().count()
}
