//! The fields of workspaces, deployments and the installation itself.

use crate::graphql::call::Call;
use crate::graphql::node::{self, BindingView, Node};
use crate::graphql::scalars::{Answer, text, time};
use crate::line::Line;
use crate::state::account::Account;
use crate::state::binding::Binding;
use crate::state::roles::Entity;
use crate::state::store::{Deployment, Workspace};

pub(crate) fn workspace(workspace: &Workspace, call: &Call<'_>) -> Answer {
    let entity = Entity::Workspace(workspace.id.clone());
    let field = call.field();
    let scalar = matches!(field, "label" | "createdAt" | "updatedAt");
    if call.line() == Line::Of2020 && call.is_aliased() && scalar {
        return Ok(None);
    }
    match field {
        "id" => Ok(text(&workspace.id)),
        "label" => Ok(text(&workspace.label)),
        "createdAt" | "updatedAt" => Ok(time(workspace.created_at)),
        "serviceAccounts" => service_accounts(&entity, call),
        "roleBindings" => node::many(role_bindings(&entity, call)),
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
        "serviceAccounts" => service_accounts(&Entity::Deployment(deployment.id.clone()), call),
        "workspace" => match &deployment.workspace {
            Some(id) => node::workspace(call, id),
            None => Ok(None),
        },
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

fn service_accounts(entity: &Entity, call: &Call<'_>) -> Answer {
    let accounts = call.store(|store| store.accounts_of(entity));
    node::accounts(call, accounts, entity.level())
}

/// Collects the bindings of users, then those of service accounts.
fn role_bindings(entity: &Entity, call: &Call<'_>) -> Vec<Node> {
    call.store(|store| {
        let users = store.tokens.users.values().flatten();
        let users = users.map(|binding| (binding.clone(), None));
        let accounts = store.accounts_of(entity);
        let accounts = accounts.iter().flat_map(bindings);
        let here = users
            .chain(accounts)
            .filter(|(binding, _)| binding.is_on(entity));
        here.map(|(binding, account)| Node::Binding(BindingView { binding, account }))
            .collect()
    })
}

fn bindings(account: &Account) -> impl Iterator<Item = (Binding, Option<Account>)> {
    let bindings = account.bindings.iter().cloned();
    bindings.map(|binding| (binding, Some(account.clone())))
}
