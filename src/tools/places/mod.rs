//! The places that a call is about: the one that it names, or all that the token can see.
//! Asks nothing of a place that the policy leaves out.

mod deployments;
mod gaps;
mod progress;
mod reading;
mod views;
mod visible;

use crate::apc::operations::Deployments;
use crate::apc::{DeploymentId, Level, Place, WorkspaceId};
use crate::tools::place_words::{
    deployment_not_allowed, elsewhere, not_in_workspace, not_listed, place_not_allowed,
};
use crate::tools::{Call, Code, Failure};

pub use deployments::{DeploymentWorkspaces, check_deployment};
pub use gaps::Gaps;
pub use progress::ReadProgress;
pub use reading::{ReadWorkspace, read_all};
pub use views::{Unshown, WorkspaceView, shortened};
pub use visible::{VisibleWorkspaces, visible};

use deployments::{deployments_of, find};

/// The number of lists that one call reads at once.
const AT_ONCE: usize = 16;

/// The ids by which the arguments of a call name a place.
#[derive(Debug, Clone, Default)]
pub struct NamedPlace {
    /// The workspace, or the one that the deployment has to be in.
    pub workspace_id: Option<WorkspaceId>,
    /// The deployment.
    pub deployment_id: Option<DeploymentId>,
}

impl NamedPlace {
    /// The level of the place.
    pub fn level(&self) -> Level {
        match self.deployment_id {
            Some(_) => Level::Deployment,
            None => Level::Workspace,
        }
    }

    /// The place that is named, if any is. The policy lets the call be about it, and a deployment is in the workspace that
    /// is named beside it. A deployment without a workspace is taken as given where the policy allows every workspace:
    /// its own token can list nothing.
    ///
    /// # Errors
    /// The policy leaves the place out, or the deployment is not in the workspace.
    pub async fn resolve(self, call: &Call) -> Result<Option<Place>, Failure> {
        let workspace = self.workspace_id;
        if let Some(id) = &workspace {
            let place = id.clone().into();
            check(call, &place)?;
        }
        let Some(deployment) = self.deployment_id else {
            return Ok(workspace.map(Place::Workspace));
        };
        match (&workspace, &call.policy().allowed_workspaces) {
            (None, None) => {}
            (Some(workspace), None) => check_inside(call, &deployment, workspace).await?,
            (named, Some(_)) => check_allowed(call, &deployment, named.as_ref()).await?,
        }
        Ok(Some(Place::Deployment(deployment)))
    }
}

async fn check_inside(
    call: &Call,
    deployment: &DeploymentId,
    workspace: &WorkspaceId,
) -> Result<(), Failure> {
    let listed = deployments_of(call, &call.api(), workspace).await;
    match listed.map_err(|failure| not_listed(failure, deployment, workspace))? {
        listed if has(&listed, deployment) => Ok(()),
        Deployments { unreadable: 0, .. } => Err(not_in_workspace(deployment, workspace)),
        Deployments { unreadable, .. } => Err(deployments::not_all_listed(unreadable, workspace)),
    }
}

fn has(listed: &Deployments, id: &DeploymentId) -> bool {
    listed.listed.iter().any(|deployment| deployment.id == *id)
}

/// Makes sure that the deployment is in an allowed workspace, and in the one that is named.
async fn check_allowed(
    call: &Call,
    deployment: &DeploymentId,
    named: Option<&WorkspaceId>,
) -> Result<(), Failure> {
    let allowed = call.policy().allowed_workspaces.iter().flatten();
    let allowed = allowed.cloned().collect();
    let failures = match find(call, &call.api(), allowed, deployment).await {
        Ok(home) => {
            return match named.filter(|named| **named != home) {
                Some(named) => Err(elsewhere(deployment, named, &home)),
                None => Ok(()),
            };
        }
        Err(failures) => failures,
    };
    let some_refused = !failures.is_empty();
    Err(match failures.iter().find(|failure| !failure.is_denial()) {
        Some(failure) if failure.code() == Code::Unauthenticated => failure.clone(),
        Some(failure) => deployments::not_searched(failure, deployment),
        None => deployment_not_allowed(deployment, call.policy(), some_refused),
    })
}

/// Checks that the policy lets calls be about a place. Under an allow-list a deployment counts as the workspace in whose list
/// the call has found it.
///
/// # Errors
/// The policy leaves the place out.
pub fn check(call: &Call, place: &Place) -> Result<(), Failure> {
    let policy = call.policy();
    let is_allowed = match place {
        Place::Workspace(id) => policy.allows(id),
        Place::Deployment(_) if policy.allowed_workspaces.is_none() => policy.has_deployments(),
        Place::Deployment(id) => {
            let home = call.known_deployments.workspace_of(id);
            policy.has_deployments() && home.is_some_and(|home| policy.allows(&home))
        }
    };
    match is_allowed {
        true => Ok(()),
        false => Err(place_not_allowed(place, policy)),
    }
}
