//! The workspaces of deployments, as far as a call has learned them.
//! Reads lists only: the API has no way to ask for the workspace of one deployment.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use futures_util::{StreamExt, stream};

use super::AT_ONCE;
use crate::apc::exchange::Api;
use crate::apc::operations::{self, Deployments};
use crate::apc::{Deployment, DeploymentId, Place, WorkspaceId};
use crate::guards::text::quoted;
use crate::tools::place_words::unknown_place;
use crate::tools::{Call, Code, Failure, locked};

/// The deployments that a call has seen listed, and the workspace of each.
#[derive(Default)]
pub struct DeploymentWorkspaces(Mutex<HashMap<DeploymentId, (WorkspaceId, Option<String>)>>);

impl DeploymentWorkspaces {
    /// The workspace of a deployment.
    pub fn workspace_of(&self, id: &DeploymentId) -> Option<WorkspaceId> {
        Some(locked(&self.0).get(id)?.0.clone())
    }

    /// The label of a deployment.
    pub fn label_of(&self, id: &DeploymentId) -> Option<String> {
        locked(&self.0).get(id)?.1.clone()
    }

    fn add(&self, workspace: &WorkspaceId, deployments: &[Deployment]) {
        let mut all = locked(&self.0);
        for deployment in deployments {
            let home = (workspace.clone(), deployment.label.clone());
            all.insert(deployment.id.clone(), home);
        }
    }
}

/// Lists the deployments of a workspace, each once, and remembers where they are.
pub(super) async fn deployments_of(
    call: &Call,
    api: &Api<'_>,
    workspace: &WorkspaceId,
) -> Result<Deployments, Failure> {
    let place = Place::Workspace(workspace.clone());
    let listed = operations::deployments(api, workspace).await;
    let mut listed = listed.map_err(|error| call.failure_at(&error, &place))?;
    let mut known = HashSet::new();
    let is_new = |deployment: &Deployment| known.insert(deployment.id.clone());
    listed.listed.retain(is_new);
    call.known_deployments.add(workspace, &listed.listed);
    Ok(listed)
}

/// Looks for a deployment in the lists of these workspaces, several at once, until it is found.
///
/// # Errors
/// It is in none that could be read; in none at all if there are no failures.
pub(super) async fn find(
    call: &Call,
    api: &Api<'_>,
    workspaces: Vec<WorkspaceId>,
    id: &DeploymentId,
) -> Result<WorkspaceId, Vec<Failure>> {
    let lists = stream::iter(workspaces).map(|workspace| async move {
        let listed = deployments_of(call, api, &workspace).await;
        (workspace, listed)
    });
    let mut lists = lists.buffer_unordered(AT_ONCE);
    let mut failures = Vec::new();
    while let Some((workspace, listed)) = lists.next().await {
        match listed {
            Ok(listed) if super::has(&listed, id) => return Ok(workspace),
            Ok(Deployments { unreadable: 0, .. }) => {}
            Ok(Deployments { unreadable, .. }) => {
                failures.push(not_all_listed(unreadable, &workspace));
            }
            Err(failure) => failures.push(failure),
        }
    }
    Err(failures)
}

/// Makes sure that a deployment exists whose list of accounts is empty, as far as that can be found out. Only system-level
/// tokens get an empty list for a deployment that does not exist; they can list all deployments on most releases.
///
/// # Errors
/// It does not exist, or the API answered with something that leaves no doubt of trouble.
pub async fn check_deployment(
    call: &Call,
    api: &Api<'_>,
    id: &DeploymentId,
) -> Result<(), Failure> {
    let place = Place::Deployment(id.clone());
    let workspaces = match call.known_deployments.workspace_of(id) {
        Some(home) => vec![home],
        None => match operations::sys_workspaces(api).await {
            Ok(all) if all.unreadable == 0 && !all.listed.is_empty() => {
                let all = all.listed.into_iter();
                all.map(|workspace| workspace.id).collect()
            }
            // Not told to this caller, or by this release (some answer an empty list): the creation itself will tell.
            Ok(_) => return Ok(()),
            Err(error) if error.is_an_answer() => return Ok(()),
            Err(error) => return Err(call.failure_at(&error, &place)),
        },
    };
    match find(call, api, workspaces, id).await {
        Err(failures) if failures.is_empty() => Err(unknown_place(&place)),
        _ => Ok(()),
    }
}

pub(super) fn not_all_listed(unreadable: usize, workspace: &WorkspaceId) -> Failure {
    let place = Place::Workspace(workspace.clone());
    let text = format!(
        "The API itself could not read {unreadable} of the deployments of {place}, and the deployment is not among the others. Nothing was changed. If it happens again, ask those who run the installation."
    );
    Failure::new(Code::ApiError, text).about_place(&place)
}

/// The failure of a search that met trouble: the deployment may still be in an allowed workspace.
pub(super) fn not_searched(failure: &Failure, id: &DeploymentId) -> Failure {
    let text = format!(
        "Deployment {} could not be looked for in every workspace that --allow-workspace (APC_ALLOWED_WORKSPACES) allows, so nothing was asked of it. {}",
        quoted(id.as_str()),
        failure.text()
    );
    Failure::new(failure.code(), text).about_place(&Place::Deployment(id.clone()))
}
