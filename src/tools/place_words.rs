//! The words of failures about places: one that is not there, not allowed, not open to the token, or elsewhere.
//! Claims nothing that the API does not tell: it refuses unknown, deleted and foreign places alike.

use rmcp::model::JsonObject;

use super::failure::{Code, Failure};
use super::words::first_named;
use crate::apc::installation::Installation;
use crate::apc::{DeploymentId, Place, WorkspaceId};
use crate::guards::policy::Policy;
use crate::guards::text::quoted;

const NAMED: usize = 50;

/// The fault of a call that needs a place and names none.
pub fn no_place() -> String {
    one_is_needed("workspace_id and deployment_id are both missing")
}

/// The fault of a call that needs a place and has nothing but an empty text in the place of an id.
pub fn empty_place(given: &JsonObject, default: Option<&WorkspaceId>) -> String {
    let is_empty = |name: &str| given.get(name).is_some_and(|value| value == "");
    let fault = one_is_needed(
        match (is_empty("workspace_id"), is_empty("deployment_id")) {
            (true, true) => "workspace_id and deployment_id are both ''",
            (true, false) => "workspace_id is '' and deployment_id is missing",
            (false, true) => "workspace_id is missing and deployment_id is ''",
            (false, false) => return no_place(),
        },
    );
    match default {
        Some(id) => format!("{fault}; {}", left_out("both", id)),
        None => fault,
    }
}

fn one_is_needed(fault: &str) -> String {
    let accepted = WorkspaceId::ACCEPTED.0;
    format!(
        "{fault}; one of them is needed, which get_service_accounts shows; accepted: {accepted}"
    )
}

/// The clause on arguments that are better left out than empty.
pub fn left_out(arguments: &str, default: &WorkspaceId) -> String {
    let default = quoted(default.as_str());
    format!("leaving {arguments} out, or null, means the default workspace {default}")
}

/// The failure of a call about a place that does not exist.
pub fn unknown_place(place: &Place) -> Failure {
    let way_out = match place {
        Place::Workspace(_) => "limit 0 to see the workspaces of this token.",
        Place::Deployment(_) => "include_deployments to see the deployments of each workspace.",
    };
    let text = format!(
        "There is no {place}. Nothing was changed. Call get_service_accounts with {way_out}"
    );
    Failure::new(Code::NotFound, text).about_place(place)
}

/// The failure of a call about a place that the allow-list leaves out.
pub fn place_not_allowed(place: &Place, policy: &Policy) -> Failure {
    let text = format!(
        "This server may not touch {place}: it is not among those that --allow-workspace (APC_ALLOWED_WORKSPACES) allows{}. Nothing was sent; whoever runs this server can allow it.",
        allowed(policy)
    );
    Failure::new(Code::NotAllowed, text).about_place(place)
}

/// The failure of a call about a deployment that was found in no allowed workspace.
pub fn deployment_not_allowed(id: &DeploymentId, policy: &Policy, some_refused: bool) -> Failure {
    let refused = match some_refused {
        true => {
            " The token may not list the deployments of every one of them; the token of a deployment can list none, so it cannot be used with an allow-list."
        }
        false => "",
    };
    let place = Place::Deployment(id.clone());
    let text = format!(
        "This server may not touch {place}: it was not found in any workspace that --allow-workspace (APC_ALLOWED_WORKSPACES) allows{}.{refused} Nothing was asked of the deployment; whoever runs this server can allow its workspace.",
        allowed(policy)
    );
    Failure::new(Code::NotAllowed, text).about_place(&place)
}

fn allowed(policy: &Policy) -> String {
    let all = policy.allowed_workspaces.iter().flatten();
    let all: Vec<_> = all.map(|id| quoted(id.as_str())).collect();
    let named = first_named(all.into_iter(), NAMED, |id| id);
    named.map_or_else(String::new, |named| format!(" ({named})"))
}

/// The failure of a call whose deployment is not in the workspace that is named beside it.
pub fn not_in_workspace(deployment: &DeploymentId, workspace: &WorkspaceId) -> Failure {
    let (id, workspace_id) = (quoted(deployment.as_str()), quoted(workspace.as_str()));
    let text = format!(
        "There is no deployment {id} in workspace {workspace_id}. Nothing was changed. It may be deleted, or belong to another workspace: call get_service_accounts with include_deployments to see the deployments of each workspace, or leave workspace_id out."
    );
    about_both(Failure::new(Code::NotFound, text), deployment, workspace)
}

/// The failure of a call whose deployment is in another workspace than the one that is named beside it.
pub fn elsewhere(deployment: &DeploymentId, named: &WorkspaceId, home: &WorkspaceId) -> Failure {
    let (id, named_id) = (quoted(deployment.as_str()), quoted(named.as_str()));
    let text = format!(
        "Deployment {id} is not in workspace {named_id}, but in workspace {}. Nothing was changed. Call again with that workspace_id, or without one.",
        quoted(home.as_str())
    );
    about_both(Failure::new(Code::NotFound, text), deployment, named)
}

/// The failure of a call whose workspace does not show its deployments.
pub fn not_listed(failure: Failure, deployment: &DeploymentId, workspace: &WorkspaceId) -> Failure {
    if failure.code() != Code::PermissionDenied {
        return failure;
    }
    let text = format!(
        "The token may not list the deployments of workspace {workspace}, or there is no such workspace, so it cannot be checked that deployment {id} is in it. Nothing was changed. Call again with the deployment_id alone: the token of a deployment can list nothing else.",
        workspace = quoted(workspace.as_str()),
        id = quoted(deployment.as_str()),
    );
    let failure = Failure::new(Code::PermissionDenied, text);
    about_both(failure, deployment, workspace)
}

fn about_both(failure: Failure, deployment: &DeploymentId, workspace: &WorkspaceId) -> Failure {
    let failure = failure.about_place(&workspace.clone().into());
    failure.about_place(&deployment.clone().into())
}

/// The sentence for a token that may belong to a deployment, where a workspace was refused to it.
pub fn of_deployment(place: &Place, policy: &Policy) -> &'static str {
    match place {
        Place::Workspace(_) if policy.has_deployments() => {
            " The token of a deployment needs that deployment_id in place of a workspace_id."
        }
        _ => "",
    }
}

/// The failure of a change that the API refuses to a token that has read the list of the place in this call.
pub fn change_denied(verb: &str, place: &Place, installation: &Installation) -> Failure {
    let (source, host) = (&installation.token_source, installation.url.host());
    let way_out = match place {
        Place::Workspace(_) => {
            "usually takes the role WORKSPACE_EDITOR or WORKSPACE_ADMIN in the workspace. Ask an admin of the workspace for the role."
        }
        Place::Deployment(_) => {
            "takes the role DEPLOYMENT_EDITOR or DEPLOYMENT_ADMIN on the deployment; WORKSPACE_EDITOR or WORKSPACE_ADMIN on its workspace is enough on some releases only. Ask an admin of the deployment for the role."
        }
    };
    let text = format!(
        "The token from {source} is valid at {host} and may list the service accounts of {place}, but may not {verb} any there. Nothing was changed. To {verb} an account {way_out}"
    );
    Failure::new(Code::PermissionDenied, text).about_place(place)
}

/// The failure of a list that the API refuses to a good token, in a place that no argument names. To look at the workspaces
/// of the token would end in the same refusal.
pub fn listing_denied(place: &Place, policy: &Policy, installation: &Installation) -> Failure {
    let Place::Workspace(_) = place else {
        return denied(place, policy, installation);
    };
    let (source, host) = (&installation.token_source, installation.url.host());
    let text = format!(
        "The token from {source} is valid at {host} but may not list the service accounts of {place}. Nothing was changed. That takes the role WORKSPACE_VIEWER or a higher one in the workspace. Ask an admin of the workspace for the role. If a setting of this server alone names the workspace (--workspace-id, --allow-workspace), it may not exist.{}",
        of_deployment(place, policy)
    );
    Failure::new(Code::PermissionDenied, text).about_place(place)
}

/// The sentences on a request about a workspace that the API refuses to a good token.
pub fn not_permitted(installation: &Installation) -> String {
    let (source, host) = (&installation.token_source, installation.url.host());
    format!(
        "The token from {source} is valid at {host} but may not do this, or there is no such workspace: the API says the same of both. Nothing was changed. Listing takes WORKSPACE_VIEWER there, creating and deleting usually WORKSPACE_EDITOR or WORKSPACE_ADMIN: ask an admin of the workspace for the role, or call get_service_accounts with limit 0 to see the workspaces of this token."
    )
}

/// The failure of a request that the API refuses to a good token. The reasons that it may have cannot be told apart, and
/// which roles it accepts on a deployment differs from release to release.
pub fn denied(place: &Place, policy: &Policy, installation: &Installation) -> Failure {
    let (source, host) = (&installation.token_source, installation.url.host());
    let text = match place {
        Place::Workspace(_) => not_permitted(installation) + of_deployment(place, policy),
        Place::Deployment(_) => format!(
            "The token from {source} is valid at {host} but may not do this on {place}: it has no role there that allows it, or the deployment is deleted, belongs to a workspace of others, or does not exist; the API says the same of all. Nothing was changed. Listing takes DEPLOYMENT_VIEWER, creating and deleting DEPLOYMENT_EDITOR or DEPLOYMENT_ADMIN on the deployment; the role WORKSPACE_EDITOR or WORKSPACE_ADMIN on its workspace is enough on some releases only. Ask an admin of the deployment for the role."
        ),
    };
    Failure::new(Code::PermissionDenied, text).about_place(place)
}
