//! Several places read at once: the workspaces that a token can see, and what could not be read of them.
//! Drops nothing silently: a place that could not be read becomes a note, or the error of the call.

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};

use super::context::Call;
use super::failure::{Code, Failure};
use crate::apc::error::ApiError;
use crate::apc::operations::{self, Listing, Workspaces};
use crate::apc::{Place, ServiceAccountId, Workspace, WorkspaceId};
use crate::guards::text::quoted;

/// The number of lists that one call reads at once.
const AT_ONCE: usize = 16;

/// The number of places that a note names.
const NAMED: usize = 20;

/// The workspaces that calls without a place are about.
#[derive(Default)]
pub struct Visible {
    /// The workspaces, within the allow-list.
    pub workspaces: Vec<Workspace>,
    /// The workspaces that may be missing.
    pub gaps: Gaps,
}

/// A workspace, and its list as far as it could be read.
pub struct ReadWorkspace<T> {
    /// The workspace.
    pub workspace: Workspace,
    /// Its list, or the reason why there is none.
    pub outcome: Result<T, Failure>,
}

/// The level of a token, as its lists of workspaces tell it.
enum Level {
    /// Bound to workspaces.
    Workspaces,
    /// Bound to the whole installation, whose workspaces the release lists.
    System,
    /// Bound to the whole installation, on a release that does not list all workspaces.
    SystemWithoutList,
    /// Bound to deployments alone, or to nothing.
    Neither,
}

/// Finds the workspaces of the token: those it is bound to, else all of them for a system-level token; and the default
/// workspace and those of the allow-list. Under an allow-list none besides.
///
/// # Errors
/// The token is not accepted, or sees no workspace: a system-level one on a release that does not list them all, or one
/// without a role in any workspace.
pub async fn visible(call: &Call) -> Result<Visible, Failure> {
    let mut visible = Visible::default();
    let level = match listed_workspaces(call).await {
        Ok((level, listed)) => {
            visible.gaps.add_unreadable_workspaces(listed.unreadable);
            visible.add(listed.listed);
            Ok(level)
        }
        Err(failure) if failure.code() == Code::Unauthenticated => return Err(failure),
        Err(failure) => Err(failure),
    };
    visible
        .workspaces
        .retain(|workspace| call.policy().allows(&workspace.id));
    add_named(call, &mut visible).await;
    match (visible.workspaces.is_empty(), level) {
        (true, Err(failure)) => Err(failure),
        (true, Ok(_)) if !visible.gaps.is_empty() => Err(visible.gaps.nothing_read()),
        (true, Ok(Level::System)) => Ok(visible),
        (true, Ok(level)) => Err(no_workspace(call, &level)),
        (false, level) => {
            visible.gaps.add_missing_list(&level);
            Ok(visible)
        }
    }
}

impl Visible {
    fn add(&mut self, more: Vec<Workspace>) {
        for workspace in more {
            if self.workspaces.iter().all(|known| known.id != workspace.id) {
                self.workspaces.push(workspace);
            }
        }
    }
}

async fn listed_workspaces(call: &Call) -> Result<(Level, Workspaces), Failure> {
    let api = call.api();
    let failed = |error: ApiError| call.failure(&error);
    let bound = operations::workspaces(&api).await.map_err(failed)?;
    if !bound.listed.is_empty() || bound.unreadable > 0 {
        return Ok((Level::Workspaces, bound));
    }
    let all = match operations::sys_workspaces(&api).await {
        Ok(all) if !all.listed.is_empty() || all.unreadable > 0 => return Ok((Level::System, all)),
        Err(ApiError::PermissionDenied) => return Ok((Level::Neither, bound)),
        Ok(all) => Some(all),
        Err(ApiError::Incompatible { .. }) => None,
        Err(error) => return Err(failed(error)),
    };
    let is_system_level = operations::is_system_level(&api).await.map_err(failed)?;
    Ok(match (is_system_level, all) {
        (false, _) => (Level::Neither, bound),
        (true, Some(all)) => (Level::System, all),
        (true, None) => (Level::SystemWithoutList, bound),
    })
}

/// Adds the default workspace and those of the allow-list, where the token's own list does not have them.
async fn add_named(call: &Call, visible: &mut Visible) {
    let default = call.default_workspace();
    let allowed = call.policy().allowed_workspaces.iter().flatten();
    let named: BTreeSet<WorkspaceId> = default.iter().chain(allowed).cloned().collect();
    let is_missing = |id: &WorkspaceId| visible.workspaces.iter().all(|known| known.id != *id);
    let missing: Vec<_> = named.into_iter().filter(is_missing).collect();
    let asked = stream::iter(missing).map(|id| async move {
        let found = operations::workspace(&call.api(), &id).await;
        (id, found)
    });
    let answers: Vec<_> = asked.buffered(AT_ONCE).collect().await;
    for (id, found) in answers {
        match found {
            Ok(Some(workspace)) => visible.add(vec![workspace]),
            Ok(None) => visible.gaps.add_unknown_workspace(&id),
            Err(_) => visible.add(vec![Workspace { id, label: None }]),
        }
    }
}

fn no_workspace(call: &Call, level: &Level) -> Failure {
    let source = &call.installation.token_source;
    match level {
        Level::SystemWithoutList => Failure::new(
            Code::InvalidArguments,
            format!(
                "workspace_id is missing: the token from {source} is a system-level one, and this release of the platform does not list all workspaces. Nothing was changed. Call again with a workspace_id; a platform administrator can tell the ids."
            ),
        ),
        _ => Failure::new(
            Code::PermissionDenied,
            format!(
                "The token from {source} is valid, but it has no role in any workspace, or only roles on deployments; the API does not tell which. Nothing was changed. Ask an admin of the workspace for a role there (WORKSPACE_VIEWER to list, usually WORKSPACE_EDITOR or WORKSPACE_ADMIN to create and delete), or set another token."
            ),
        ),
    }
}

/// Reads the list of every workspace, several at once, in the order given.
///
/// # Errors
/// The token is not accepted any more, or nothing at all could be read.
pub async fn read_each<T, F>(
    workspaces: Vec<Workspace>,
    read: impl Fn(Place) -> F,
) -> Result<Vec<ReadWorkspace<T>>, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let reads = workspaces.into_iter().map(|workspace| {
        let outcome = read(Place::Workspace(workspace.id.clone()));
        async move {
            let outcome = outcome.await;
            ReadWorkspace { workspace, outcome }
        }
    });
    let all: Vec<_> = stream::iter(reads).buffered(AT_ONCE).collect().await;
    match decisive(&all) {
        Some(failure) => Err(failure),
        None => Ok(all),
    }
}

/// The failure that speaks for all: a token that is not accepted, or the sum of them where nothing was read.
fn decisive<T>(all: &[ReadWorkspace<T>]) -> Option<Failure> {
    let failures = || all.iter().filter_map(|read| read.outcome.as_ref().err());
    if let Some(refused) = failures().find(|failure| failure.code() == Code::Unauthenticated) {
        return Some(refused.clone());
    }
    match (failures().count(), failures().next()) {
        (count, _) if count < all.len() => None,
        (1, Some(only)) => Some(only.clone()),
        (0, _) => None,
        _ => {
            let mut gaps = Gaps::default();
            gaps.add_unread(all);
            Some(gaps.nothing_read())
        }
    }
}

/// Everything that a call could not read. It becomes notes of a result, and nothing in it is taken for gone.
#[derive(Default)]
pub struct Gaps {
    notes: Vec<String>,
    has_trouble: bool,
}

impl Gaps {
    /// Adds the workspaces that could not be read, with the reason.
    pub fn add_unread<T>(&mut self, all: &[ReadWorkspace<T>]) {
        let unread: Vec<_> = all
            .iter()
            .filter_map(|read| Some((&read.workspace, read.outcome.as_ref().err()?)))
            .collect();
        if unread.is_empty() {
            return;
        }
        self.has_trouble |= unread.iter().any(|(_, failure)| !failure.is_denial());
        let reason = |(workspace, failure): &(&Workspace, &Failure)| {
            format!("{} ({})", named(workspace), failure.code().name())
        };
        let mut named: Vec<_> = unread.iter().take(NAMED).map(reason).collect();
        if unread.len() > NAMED {
            named.push(format!("{} more", unread.len() - NAMED));
        }
        self.notes.push(format!(
            "Not read, so their accounts are missing here: workspace {}.",
            named.join(", ")
        ));
    }

    /// Adds the gaps of the list of visible workspaces.
    pub fn add_visible(&mut self, gaps: &Self) {
        self.notes.extend(gaps.notes.iter().cloned());
        self.has_trouble |= gaps.has_trouble;
    }

    fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    fn add_unknown_workspace(&mut self, id: &WorkspaceId) {
        self.notes.push(format!(
            "There is no workspace {}, which the settings of this server name.",
            quoted(id.as_str())
        ));
    }

    /// Adds the workspaces that are not known because the list of all could not be had.
    fn add_missing_list(&mut self, level: &Result<Level, Failure>) {
        let why = match level {
            Ok(Level::SystemWithoutList) => {
                "this release of the platform does not list all workspaces"
            }
            Err(_) => "the list of the token's workspaces could not be read",
            Ok(_) => return,
        };
        self.has_trouble = true;
        self.notes.push(format!(
            "Only the workspaces of this server's settings were read: {why}. Others may exist; name one as workspace_id."
        ));
    }

    /// The failure of a call that could read nothing.
    fn nothing_read(&self) -> Failure {
        let text = format!(
            "Nothing could be read. {} Nothing was changed. If the token lacks a role, ask an admin of the workspace for WORKSPACE_VIEWER; else call again later.",
            self.notes.join(" ")
        );
        Failure::new(self.code(), text)
    }

    /// Adds the entries of the API's list of workspaces that could not be read.
    pub fn add_unreadable_workspaces(&mut self, count: usize) {
        if count > 0 {
            self.has_trouble = true;
            self.notes.push(format!(
                "{count} of the token's workspaces could not be read by the API itself; their accounts are missing here."
            ));
        }
    }

    /// Adds the accounts of a place that could not be read.
    pub fn add_unreadable_accounts(&mut self, place: &Place, listing: &Listing) {
        if listing.partly_read > 0 {
            self.notes.push(format!(
                "The API itself could not read everything of {}, in {place}: what is missing there is not known.",
                counted(listing.partly_read)
            ));
        }
        self.has_trouble |= !listing.is_complete;
        match listing.unreadable {
            0 if listing.is_complete => {}
            0 => self.notes.push(format!(
                "The API reported an error beside the list, in {place}. An account that is not listed there may still exist."
            )),
            count => self.notes.push(format!(
                "The API itself could not read {}, in {place}. An account that is not listed there may still exist.",
                counted(count)
            )),
        }
    }

    /// The sentences for a result; none where everything was read.
    pub fn into_notes(self) -> Option<Vec<String>> {
        Some(self.notes).filter(|notes| !notes.is_empty())
    }

    /// The failure for an account that is in nothing that was read: it is not found only if everything was read.
    pub fn missing_account(&self, id: &ServiceAccountId, place: Option<&Place>) -> Failure {
        let account = quoted(id.as_str());
        let searched = match place {
            Some(place) => place.to_string(),
            None => "any workspace that this token may list".to_owned(),
        };
        let (code, text) = match (self.notes.is_empty(), place) {
            (true, Some(_)) => (
                Code::NotFound,
                format!(
                    "There is no service account {account} in {searched}. Nothing was changed. It may be deleted, or belong to another workspace: call get_service_accounts without arguments to see every account you can."
                ),
            ),
            (true, None) => (
                Code::NotFound,
                format!(
                    "There is no service account {account} in {searched}. Nothing was changed. It may be deleted, or its workspace may have to be named as workspace_id: call get_service_accounts without arguments to see every account you can."
                ),
            ),
            (false, _) => (
                self.code(),
                format!(
                    "Service account {account} was not found in {searched}, but not everything could be read, so it may still exist. {} Nothing was changed. Call again in a minute, or with the workspace_id that the user names.",
                    self.notes.join(" ")
                ),
            ),
        };
        let failure = Failure::new(code, text).about_account(id);
        match place {
            Some(place) => failure.about_place(place),
            None => failure,
        }
    }

    fn code(&self) -> Code {
        match self.has_trouble {
            true => Code::ApiError,
            false => Code::PermissionDenied,
        }
    }
}

fn counted(accounts: usize) -> String {
    match accounts {
        1 => "1 account".to_owned(),
        many => format!("{many} accounts"),
    }
}

fn named(workspace: &Workspace) -> String {
    let id = quoted(workspace.id.as_str());
    match &workspace.label {
        Some(label) => format!("{id} {}", quoted(label)),
        None => id,
    }
}
