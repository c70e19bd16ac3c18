//! The queries and mutations: who may call them and what they do.
//! Checks permissions where the API does, which is less often than one would wish.

use async_graphql::{Context, EmptySubscription, Json, Object, Result, Schema, SimpleObject};
use serde_json::Value;

use super::handle::Handle;
use super::refusal::Refusal;
use super::roles::{Action, Entity, Role};
use super::schema::{Deployment, ServiceAccount, Uuid, Workspace};
use super::sessions::Caller;
use super::store::{self, Changes, NewAccount};

pub(super) type Api = Schema<Query, Mutation, EmptySubscription>;

pub(super) fn api(handle: Handle) -> Api {
    let builder = Schema::build(Query, Mutation, EmptySubscription);
    builder.data(handle).finish()
}

pub(super) struct Query;
pub(super) struct Mutation;

#[derive(SimpleObject)]
pub(super) struct AppConfig {
    version: Option<String>,
    base_domain: Option<String>,
}

type Nullable<T> = Result<Option<T>>;
type NullableList<T> = Result<Option<Vec<Option<T>>>>;

#[Object]
impl Query {
    async fn app_config(&self) -> Option<AppConfig> {
        Some(AppConfig {
            version: Some("0.16.0-sandbox".into()),
            base_domain: Some("sandbox.localhost".into()),
        })
    }

    // What the caller is bound to; a system role by itself is bound to no workspace.
    async fn workspaces(&self, ctx: &Context<'_>) -> NullableList<Workspace> {
        let caller = caller(ctx)?.ok_or(Refusal::Forbidden)?;
        let scene = ctx.data::<Handle>()?.scene();
        let bound = |workspace: &&store::Workspace| is_bound(caller, &workspace.id);
        let visible = scene.store.workspaces.iter().filter(bound).cloned();
        Ok(Some(visible.map(Workspace).map(Some).collect()))
    }

    async fn workspace(&self, ctx: &Context<'_>, workspace_uuid: Uuid) -> Nullable<Workspace> {
        let id = workspace_uuid.0;
        authorize(ctx, Action::Get, &Entity::Workspace(id.clone()))?;
        let scene = ctx.data::<Handle>()?.scene();
        Ok(scene.store.find_workspace(&id).cloned().map(Workspace))
    }

    async fn workspace_service_account(
        &self,
        ctx: &Context<'_>,
        workspace_uuid: Uuid,
        service_account_uuid: Uuid,
    ) -> Nullable<ServiceAccount> {
        get(
            ctx,
            Entity::Workspace(workspace_uuid.0),
            service_account_uuid,
        )
    }

    async fn workspace_service_accounts(
        &self,
        ctx: &Context<'_>,
        workspace_uuid: Uuid,
    ) -> NullableList<ServiceAccount> {
        list(ctx, Entity::Workspace(workspace_uuid.0))
    }

    async fn deployment_service_account(
        &self,
        ctx: &Context<'_>,
        deployment_uuid: Uuid,
        service_account_uuid: Uuid,
    ) -> Nullable<ServiceAccount> {
        let deployment = Entity::Deployment(deployment_uuid.0);
        get(ctx, deployment, service_account_uuid)
    }

    async fn deployment_service_accounts(
        &self,
        ctx: &Context<'_>,
        deployment_uuid: Uuid,
    ) -> NullableList<ServiceAccount> {
        list(ctx, Entity::Deployment(deployment_uuid.0))
    }

    async fn workspace_deployments(
        &self,
        ctx: &Context<'_>,
        workspace_uuid: Uuid,
    ) -> NullableList<Deployment> {
        let id = workspace_uuid.0;
        authorize(ctx, Action::Get, &Entity::Workspace(id.clone()))?;
        let scene = ctx.data::<Handle>()?.scene();
        let here = |deployment: &&store::Deployment| deployment.workspace == id;
        let deployments = scene.store.deployments.iter().filter(here).cloned();
        Ok(Some(deployments.map(Deployment).map(Some).collect()))
    }
}

#[Object]
impl Mutation {
    async fn create_workspace_service_account(
        &self,
        ctx: &Context<'_>,
        label: String,
        category: Option<String>,
        workspace_uuid: Uuid,
        role: Role,
    ) -> Nullable<ServiceAccount> {
        let workspace = Entity::Workspace(workspace_uuid.0);
        create(ctx, category, NewAccount::new(label, role, workspace))
    }

    async fn delete_workspace_service_account(
        &self,
        ctx: &Context<'_>,
        service_account_uuid: Uuid,
        workspace_uuid: Uuid,
    ) -> Nullable<ServiceAccount> {
        let workspace = Entity::Workspace(workspace_uuid.0);
        delete(ctx, workspace, service_account_uuid)
    }

    async fn update_workspace_service_account(
        &self,
        ctx: &Context<'_>,
        service_account_uuid: Uuid,
        workspace_uuid: Uuid,
        payload: Json<Value>,
    ) -> Nullable<ServiceAccount> {
        let workspace = Entity::Workspace(workspace_uuid.0);
        authorize(ctx, Action::Update, &workspace)?;
        let changes = changes(&payload.0)?;
        let mut scene = ctx.data::<Handle>()?.scene();
        let account = scene
            .store
            .update(&service_account_uuid.0, &workspace, changes)?;
        Ok(Some(ServiceAccount::new(ctx, account)))
    }

    async fn create_deployment_service_account(
        &self,
        ctx: &Context<'_>,
        label: String,
        category: Option<String>,
        deployment_uuid: Uuid,
        role: Role,
    ) -> Nullable<ServiceAccount> {
        let deployment = Entity::Deployment(deployment_uuid.0);
        create(ctx, category, NewAccount::new(label, role, deployment))
    }

    async fn delete_deployment_service_account(
        &self,
        ctx: &Context<'_>,
        service_account_uuid: Uuid,
        deployment_uuid: Uuid,
    ) -> Nullable<ServiceAccount> {
        let deployment = Entity::Deployment(deployment_uuid.0);
        delete(ctx, deployment, service_account_uuid)
    }

    async fn create_system_service_account(
        &self,
        ctx: &Context<'_>,
        label: String,
        category: Option<String>,
        role: Role,
    ) -> Nullable<ServiceAccount> {
        create(ctx, category, NewAccount::new(label, role, Entity::System))
    }

    async fn delete_system_service_account(
        &self,
        ctx: &Context<'_>,
        service_account_uuid: Uuid,
    ) -> Nullable<ServiceAccount> {
        delete(ctx, Entity::System, service_account_uuid)
    }
}

fn caller<'a>(ctx: &Context<'a>) -> Result<Option<&'a Caller>> {
    Ok(ctx.data::<Option<Caller>>()?.as_ref())
}

fn authorize(ctx: &Context<'_>, action: Action, entity: &Entity) -> Result<()> {
    let scene = ctx.data::<Handle>()?.scene();
    Ok(scene.store.authorize(caller(ctx)?, action, entity)?)
}

fn is_bound(caller: &Caller, workspace: &str) -> bool {
    let mut entities = caller.bindings.iter().map(|binding| &binding.entity);
    entities.any(|entity| matches!(entity, Entity::Workspace(id) if id == workspace))
}

/// The account of this id, wherever it belongs: the API does not look.
fn get(ctx: &Context<'_>, entity: Entity, id: Uuid) -> Nullable<ServiceAccount> {
    authorize(ctx, Action::Get, &entity)?;
    let scene = ctx.data::<Handle>()?.scene();
    let account = scene.store.accounts.get(&id.0).cloned();
    Ok(account.map(|account| ServiceAccount::new(ctx, account)))
}

fn list(ctx: &Context<'_>, entity: Entity) -> NullableList<ServiceAccount> {
    authorize(ctx, Action::Get, &entity)?;
    let accounts = ctx.data::<Handle>()?.scene().store.accounts_of(&entity);
    let shown = accounts
        .into_iter()
        .map(|account| ServiceAccount::new(ctx, account));
    Ok(Some(shown.map(Some).collect()))
}

fn create(
    ctx: &Context<'_>,
    category: Option<String>,
    new: NewAccount,
) -> Nullable<ServiceAccount> {
    authorize(ctx, Action::Create, &new.entity)?;
    let new = NewAccount { category, ..new };
    let account = ctx.data::<Handle>()?.scene().store.create(new)?;
    Ok(Some(ServiceAccount::new(ctx, account)))
}

/// The right is asked of the entity named; the account deleted may belong anywhere.
fn delete(ctx: &Context<'_>, entity: Entity, id: Uuid) -> Nullable<ServiceAccount> {
    authorize(ctx, Action::Delete, &entity)?;
    let account = ctx.data::<Handle>()?.scene().store.delete(&id.0)?;
    Ok(Some(ServiceAccount::deleted(ctx, account)))
}

/// Of a payload only label, category and role count.
fn changes(payload: &Value) -> std::result::Result<Changes, Refusal> {
    let text = |name: &str| payload.get(name).and_then(Value::as_str);
    let role = match text("role") {
        Some(name) => Some(Role::parse(name).ok_or(Refusal::InvalidRole)?),
        None => None,
    };
    Ok(Changes {
        label: text("label").map(Into::into),
        category: text("category").map(Into::into),
        role,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    /// The indented lines of a schema's text, with the head of their block.
    fn fields(sdl: &str) -> Vec<String> {
        let mut head = "";
        let mut fields = Vec::new();
        for line in sdl.lines().filter(|line| !line.trim().starts_with('#')) {
            match line.starts_with(char::is_whitespace) {
                true => fields.push(format!("{head} {}", line.trim())),
                false => head = line,
            }
        }
        fields.sort();
        fields
    }

    #[test]
    fn the_schema_is_the_documented_one() {
        let sdl = api(Handle::new(Store::empty())).sdl();
        let builtin = |line: &String| line.starts_with("schema") || line.trim().is_empty();
        let ours: Vec<_> = fields(&sdl)
            .into_iter()
            .filter(|line| !builtin(line))
            .collect();
        assert_eq!(ours, fields(include_str!("schema.graphql")));
    }
}
