//! The queries, and who may send them.

use crate::graphql::call::Call;
use crate::graphql::node::{self, Answer, Node, Seen};
use crate::graphql::words::Dialect;
use crate::line::Line;
use crate::state::account::Account;
use crate::state::refusal::Refusal;
use crate::state::roles::{Action, Entity};
use crate::state::store::{Deployment, Workspace};

pub(crate) fn resolve(call: &Call<'_>) -> Answer {
    match call.field() {
        "appConfig" => node::one(Node::AppConfig),
        "workspaces" => workspaces(call),
        "sysWorkspaces" => sys_workspaces(call),
        "workspace" => workspace(call),
        "workspaceServiceAccount" => single(call, &call.workspace()),
        "workspaceServiceAccounts" => list(call, &call.workspace()),
        "deploymentServiceAccount" => single(call, &call.deployment()),
        "deploymentServiceAccounts" => list(call, &call.deployment()),
        "serviceAccounts" => service_accounts(call),
        "workspaceDeployments" => workspace_deployments(call),
        "workspaceDeployment" => workspace_deployment(call),
        _ => Ok(None),
    }
}

/// Lists the workspaces that the caller is bound to. A system role by itself is bound to none.
fn workspaces(call: &Call<'_>) -> Answer {
    let caller = call.caller().map_err(|refusal| match call.dialect() {
        // The shield branch looks for the roles of an unknown caller before it checks that there is one.
        Dialect::Shield => Refusal::Crash {
            property: "roleBindings",
            nothing: "undefined",
        },
        _ => refusal,
    })?;
    let label = call.text("label");
    let bound = |workspace: &Workspace| {
        let named = label.as_ref().is_none_or(|label| *label == workspace.label);
        named && caller.is_bound_to(&Entity::Workspace(workspace.id.clone()))
    };
    let workspaces = call.store(|store| store.workspaces_where(bound));
    node::many(workspaces.into_iter().map(Node::Workspace))
}

fn sys_workspaces(call: &Call<'_>) -> Answer {
    if !call.caller()?.is_system_level() {
        return Err(Refusal::NotPermitted);
    }
    let workspaces = call.store(|store| store.workspaces_where(|_| true));
    node::many(workspaces.into_iter().map(Node::Workspace))
}

fn workspace(call: &Call<'_>) -> Answer {
    call.authorize(Action::Get, &call.workspace())?;
    node::workspace(call, &call.id("workspaceUuid"))
}

/// The account of this id, wherever it belongs: the API does not look.
fn single(call: &Call<'_>, entity: &Entity) -> Answer {
    call.authorize(Action::Get, entity)?;
    let account = call.store(|store| store.accounts.get(&call.account_id()).cloned());
    let seen = Seen::On(entity.level());
    Ok(account.map(|account| Node::account(call, account, seen).into()))
}

fn list(call: &Call<'_>, entity: &Entity) -> Answer {
    call.authorize(Action::Get, entity)?;
    node::accounts_of(call, entity)
}

/// An older query. It shows accounts only of the very entities that the caller is bound to.
fn service_accounts(call: &Call<'_>) -> Answer {
    let caller = call.caller()?;
    let account_id = call.text("serviceAccountUuid");
    let entity = entity_named(call)?;
    let sees_all = caller.is_system_level();
    let foreign = |entity: &Entity| !caller.is_bound_to(entity);
    if !sees_all && entity.as_ref().is_some_and(foreign) {
        return Err(Refusal::NotPermitted);
    }
    let fits = |account: &Account| {
        let on_entity = |entity: &Entity| account.is_bound_to(entity);
        let mut bindings = account.bindings.iter();
        account_id.as_ref().is_none_or(|id| *id == account.id)
            && entity.as_ref().is_none_or(on_entity)
            && (sees_all || bindings.any(|binding| !foreign(&binding.grant.entity)))
    };
    let accounts = call.store(|store| store.accounts_where(fits));
    let level = entity.unwrap_or(Entity::System).level();
    node::accounts(call, accounts, level)
}

/// The entity of `entityType` and `entityUuid`. Only today the system needs no id.
fn entity_named(call: &Call<'_>) -> Result<Option<Entity>, Refusal> {
    let entity_type = call.text("entityType").unwrap_or_default();
    let named = call.argument("serviceAccountUuid").is_some();
    match (entity_type.as_str(), call.text("entityUuid"), call.line()) {
        ("SYSTEM", _, Line::Today) => Ok(Some(Entity::System)),
        ("WORKSPACE", Some(id), _) => Ok(Some(Entity::Workspace(id))),
        ("DEPLOYMENT", Some(id), _) => Ok(Some(Entity::Deployment(id))),
        _ if named => Ok(None),
        _ => Err(Refusal::MissingArgument("serviceAccountUuid or entityUuid")),
    }
}

fn workspace_deployments(call: &Call<'_>) -> Answer {
    if !call.caller()?.is_system_level() {
        call.authorize(Action::Get, &call.workspace())?;
    }
    node::many(deployments_named(call).into_iter().map(Node::Deployment))
}

fn workspace_deployment(call: &Call<'_>) -> Answer {
    call.authorize(Action::Get, &call.workspace())?;
    let first = deployments_named(call).into_iter().next();
    Ok(first.map(|found| Node::Deployment(found).into()))
}

/// The deployments of the workspace, with this release name if one is given.
fn deployments_named(call: &Call<'_>) -> Vec<Deployment> {
    let workspace = call.id("workspaceUuid");
    let mut deployments = call.store(|store| store.deployments_of(&workspace));
    if let Some(name) = call.text("releaseName") {
        deployments.retain(|deployment| deployment.release_name == name);
    }
    deployments
}
