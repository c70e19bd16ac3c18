//! Several places read at once: the workspaces that a token can see, and what could not be read of them.
//! Drops nothing silently: a place that could not be read becomes a note, or the error of the call.

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
pub struct Visible {
    /// The workspaces, within the allow-list.
    pub workspaces: Vec<Workspace>,
    /// The entries of the API's list that could not be read.
    pub unreadable: usize,
}

/// A workspace, and its list as far as it could be read.
pub struct ReadWorkspace<T> {
    /// The workspace.
    pub workspace: Workspace,
    /// Its list, or the reason why there is none.
    pub outcome: Result<T, Failure>,
}

/// Finds the workspaces of the token: those it is bound to, else all of them for a system-level token; and the default
/// workspace and those of the allow-list. Under an allow-list none besides.
///
/// # Errors
/// The token sees no workspace: a system-level one on a release that does not list them all, or one without a role in
/// any workspace.
pub async fn visible(call: &Call) -> Result<Visible, Failure> {
    let failed = |error: &ApiError| call.failure(error);
    let mut found = operations::workspaces(&call.api())
        .await
        .map_err(|error| failed(&error))?;
    let mut is_system_level = None;
    if found.listed.is_empty() && found.unreadable == 0 {
        let all = all_workspaces(call).await.map_err(|error| failed(&error))?;
        is_system_level = Some(all.is_some());
        found = all.flatten().unwrap_or_default();
    }
    found
        .listed
        .retain(|workspace| call.policy().allows(&workspace.id));
    add_named(call, &mut found.listed).await;
    match (found.listed.is_empty(), found.unreadable) {
        (true, 0) => return Err(no_workspace(call, is_system_level.unwrap_or_default())),
        (true, unreadable) => return Err(unreadable_workspaces(unreadable)),
        (false, _) => {}
    }
    Ok(Visible {
        workspaces: found.listed,
        unreadable: found.unreadable,
    })
}

/// The list of all workspaces for a system-level token: none for another token, `Some(None)` on a release without
/// that list.
async fn all_workspaces(call: &Call) -> Result<Option<Option<Workspaces>>, ApiError> {
    let api = call.api();
    match operations::sys_workspaces(&api).await {
        Ok(all) if !all.listed.is_empty() || all.unreadable > 0 => Ok(Some(Some(all))),
        Err(ApiError::PermissionDenied) => Ok(None),
        Ok(_) | Err(ApiError::Incompatible { .. }) => {
            let is_system_level = operations::is_system_level(&api).await?;
            Ok(is_system_level.then_some(None))
        }
        Err(error) => Err(error),
    }
}

/// Adds the default workspace and those of the allow-list, where the token's own list does not have them.
async fn add_named(call: &Call, visible: &mut Vec<Workspace>) {
    let default = call.default_workspace();
    let allowed = call.policy().allowed_workspaces.iter().flatten();
    let mut missing: Vec<WorkspaceId> = Vec::new();
    for id in default.iter().chain(allowed) {
        if visible.iter().all(|workspace| workspace.id != *id) && !missing.contains(id) {
            missing.push(id.clone());
        }
    }
    let labelled = stream::iter(missing).map(async |id| {
        let known = operations::workspace(&call.api(), &id).await;
        known
            .ok()
            .flatten()
            .unwrap_or(Workspace { id, label: None })
    });
    visible.extend(labelled.buffered(AT_ONCE).collect::<Vec<_>>().await);
}

fn no_workspace(call: &Call, is_system_level: bool) -> Failure {
    let source = &call.installation.token_source;
    if is_system_level {
        let text = format!(
            "workspace_id is missing: the token from {source} is a system-level one, and this release of the platform does not list all workspaces. Nothing was changed. Call again with a workspace_id; a platform administrator can tell the ids."
        );
        return Failure::new(Code::InvalidArguments, text);
    }
    let text = format!(
        "The token from {source} is valid, but it has no role in any workspace, or only roles on deployments; the API does not tell which. Nothing was changed. Ask an admin of the workspace for a role there (WORKSPACE_VIEWER to list, usually WORKSPACE_EDITOR or WORKSPACE_ADMIN to create and delete), or set another token."
    );
    Failure::new(Code::PermissionDenied, text)
}

fn unreadable_workspaces(count: usize) -> Failure {
    let text = format!(
        "The API listed {count} workspaces for this token, and none of them could be read by the API itself. Nothing was changed. If it happens again, ask those who run the installation."
    );
    Failure::new(Code::ApiError, text)
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

/// The failure that speaks for all: a token that is not accepted, or the clearest of them where nothing was read.
fn decisive<T>(all: &[ReadWorkspace<T>]) -> Option<Failure> {
    let failures: Vec<_> = all
        .iter()
        .filter_map(|read| read.outcome.as_ref().err())
        .collect();
    let refused = |failure: &&Failure| failure.code() == Code::Unauthenticated;
    if let Some(refused) = failures.iter().copied().find(refused) {
        return Some(refused.clone());
    }
    if failures.len() < all.len() {
        return None;
    }
    let is_trouble = |failure: &&Failure| !failure.is_denial();
    let trouble = failures.iter().copied().find(is_trouble);
    trouble.or(failures.first().copied()).cloned()
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
        let what = match listing.unreadable {
            0 if listing.is_complete => return,
            0 => "The API reported an error beside the list".to_owned(),
            1 => "1 account could not be read by the API itself".to_owned(),
            many => format!("{many} accounts could not be read by the API itself"),
        };
        self.has_trouble = true;
        self.notes.push(format!(
            "{what}, in {place}. What is not listed there may still exist."
        ));
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
                    "There is no service account {account} in {searched}. Nothing was changed. It may be deleted, or its workspace may have to be named as workspace_id."
                ),
            ),
            (false, _) => (
                self.code(),
                format!(
                    "Service account {account} was not found in {searched}, but not everything could be read, so it may still exist. {} Nothing was changed.",
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

fn named(workspace: &Workspace) -> String {
    let id = quoted(workspace.id.as_str());
    match &workspace.label {
        Some(label) => format!("{id} {}", quoted(label)),
        None => id,
    }
}
