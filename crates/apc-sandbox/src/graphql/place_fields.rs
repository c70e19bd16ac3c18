//! The fields of workspaces, deployments and the installation itself.

use crate::graphql::call::Call;
use crate::graphql::node::{self, Answer, Node, text, time};
use crate::line::Line;
use crate::state::roles::Entity;
use crate::state::store::{Deployment, Workspace};

pub(crate) fn workspace(workspace: &Workspace, call: &Call<'_>) -> Answer {
    let entity = Entity::Workspace(workspace.id.clone());
    match call.field() {
        "label" | "createdAt" | "updatedAt" if call.loses_scalars() => Ok(None),
        "id" => Ok(text(&workspace.id)),
        "label" => Ok(text(&workspace.label)),
        "createdAt" | "updatedAt" => Ok(time(workspace.created_at)),
        "serviceAccounts" => node::accounts_of(call, &entity),
        "roleBindings" => role_bindings(&entity, call),
        "deployments" => {
            let deployments = call.store(|store| store.deployments_of(&workspace.id));
            node::many(deployments.into_iter().map(Node::Deployment))
        }
        // Nobody has described a workspace here.
        _ => Ok(None),
    }
}

pub(crate) fn deployment(deployment: &Deployment, call: &Call<'_>) -> Answer {
    match call.field() {
        "id" => Ok(text(&deployment.id)),
        "label" => Ok(text(&deployment.label)),
        "releaseName" => Ok(text(&deployment.release_name)),
        "serviceAccounts" => node::accounts_of(call, &Entity::Deployment(deployment.id.clone())),
        "workspace" => {
            let id = deployment.workspace.as_deref();
            id.map_or(Ok(None), |id| node::workspace(call, id))
        }
        _ => Ok(None),
    }
}

pub(crate) fn app_config(call: &Call<'_>) -> Answer {
    let version = match call.line() {
        Line::Today => "2.2.0-sandbox",
        Line::Of2020 => "0.16.0-sandbox",
    };
    Ok(match call.field() {
        "version" => text(version),
        "baseDomain" => text("sandbox.localhost"),
        _ => None,
    })
}

/// Lists the bindings of users, then those of service accounts.
fn role_bindings(entity: &Entity, call: &Call<'_>) -> Answer {
    let here = |node: &Node| matches!(node, Node::Binding(found, _) if found.is_on(entity));
    let found: Vec<_> = call.store(|store| {
        let users = store.tokens.users.values().flatten().cloned();
        let of_users = users.map(|binding| Node::Binding(binding, None));
        let accounts = store.accounts_of(entity);
        let of_accounts = accounts.iter().flat_map(node::bindings);
        of_users.chain(of_accounts).filter(here).collect()
    });
    node::many(found)
}
