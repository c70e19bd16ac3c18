//! The types the API answers with, and how its service accounts show themselves.
//! Decides nothing about who may see them.

use async_graphql::{
    Context, Error, ID, InputValueError, InputValueResult, Object, Result, Scalar, ScalarType,
    Value,
};
use chrono::{SecondsFormat, TimeDelta, Utc};

use super::document::NOT_NULL;
use super::handle::Handle;
use super::roles::{Binding, Entity, Role};
use super::store::{self, Account};

/// How long after its creation a key is shown in full.
const SHOWN_IN_FULL: TimeDelta = TimeDelta::minutes(10);

/// An id. The API takes any value for one.
pub(super) struct Uuid(pub(super) String);

#[Scalar]
impl ScalarType for Uuid {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(id) => Ok(Uuid(id)),
            other => Ok(Uuid(other.to_string())),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// A time in the API's spelling: UTC, with milliseconds.
pub(super) struct DateTime(chrono::DateTime<Utc>);

#[Scalar]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        Err(InputValueError::expected_type(value))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

pub(super) struct ServiceAccount {
    account: Account,
    masked: bool,
    deleted: bool,
}

impl ServiceAccount {
    /// An account as the selection under `ctx` shows it: the masking hangs on `createdAt` being selected.
    pub(super) fn new(ctx: &Context<'_>, account: Account) -> ServiceAccount {
        let old = account.created_at + SHOWN_IN_FULL <= store::now();
        ServiceAccount {
            masked: old && ctx.look_ahead().field("createdAt").exists(),
            account,
            deleted: false,
        }
    }

    /// An account that was just deleted: its role binding is gone, and what is read through it as well.
    pub(super) fn deleted(ctx: &Context<'_>, account: Account) -> ServiceAccount {
        ServiceAccount {
            deleted: true,
            ..ServiceAccount::new(ctx, account)
        }
    }

    fn shown_key(&self) -> String {
        let key = &self.account.key;
        match self.masked {
            true => format!("{:*<32}", key.get(..6).unwrap_or("")),
            false => key.clone(),
        }
    }

    fn entity(&self) -> Option<&Entity> {
        (!self.deleted).then_some(&self.account.binding.entity)
    }
}

#[Object]
impl ServiceAccount {
    async fn id(&self, ctx: &Context<'_>) -> Result<ID> {
        required(ctx, ID(self.account.id.clone()))
    }

    async fn api_key(&self, ctx: &Context<'_>) -> Option<String> {
        unaliased(ctx, self.shown_key())
    }

    async fn label(&self, ctx: &Context<'_>) -> Option<String> {
        unaliased(ctx, self.account.label.clone())
    }

    async fn category(&self, ctx: &Context<'_>) -> Option<String> {
        unaliased(ctx, self.account.category.clone()).flatten()
    }

    async fn entity_type(&self, ctx: &Context<'_>) -> Result<String> {
        let name = match self.entity() {
            Some(Entity::Workspace(_)) => "WORKSPACE",
            _ => "DEPLOYMENT",
        };
        required(ctx, name.into())
    }

    async fn entity_uuid(&self, ctx: &Context<'_>) -> Option<Uuid> {
        match self.entity()? {
            Entity::System => None,
            Entity::Workspace(id) | Entity::Deployment(id) => unaliased(ctx, Uuid(id.clone())),
        }
    }

    async fn workspace_uuid(&self) -> Option<Uuid> {
        None
    }

    async fn deployment_uuid(&self) -> Option<Uuid> {
        None
    }

    async fn active(&self, ctx: &Context<'_>) -> Option<bool> {
        unaliased(ctx, true)
    }

    async fn last_used_at(&self, ctx: &Context<'_>) -> Option<DateTime> {
        unaliased(ctx, self.account.last_used_at.map(DateTime)).flatten()
    }

    async fn created_at(&self, ctx: &Context<'_>) -> Result<DateTime> {
        required(ctx, DateTime(self.account.created_at))
    }

    async fn updated_at(&self, ctx: &Context<'_>) -> Result<DateTime> {
        required(ctx, DateTime(self.account.updated_at))
    }

    async fn role_binding(&self, ctx: &Context<'_>) -> Result<RoleBinding> {
        if self.deleted {
            return Err(null_for_non_nullable(ctx));
        }
        required(ctx, RoleBinding::of(&self.account))
    }
}

/// Aliased fields inside a service account are null.
fn unaliased<T>(ctx: &Context<'_>, value: T) -> Option<T> {
    let field = ctx.field();
    let aliased = field.alias().is_some_and(|alias| alias != field.name());
    (!aliased).then_some(value)
}

fn required<T>(ctx: &Context<'_>, value: T) -> Result<T> {
    unaliased(ctx, value).ok_or_else(|| null_for_non_nullable(ctx))
}

fn null_for_non_nullable(ctx: &Context<'_>) -> Error {
    let field = ctx.field().name();
    Error::new(format!("{NOT_NULL} ServiceAccount.{field}."))
}

pub(super) struct RoleBinding {
    binding: Binding,
    account: Option<Account>,
}

impl RoleBinding {
    pub(super) fn of(account: &Account) -> RoleBinding {
        RoleBinding {
            binding: account.binding.clone(),
            account: Some(account.clone()),
        }
    }

    pub(super) fn of_user(binding: &Binding) -> RoleBinding {
        RoleBinding {
            binding: binding.clone(),
            account: None,
        }
    }
}

#[Object]
impl RoleBinding {
    async fn role(&self) -> Role {
        self.binding.role
    }

    async fn service_account(&self, ctx: &Context<'_>) -> Option<ServiceAccount> {
        let account = self.account.clone()?;
        Some(ServiceAccount::new(ctx, account))
    }

    async fn workspace(&self, ctx: &Context<'_>) -> Result<Option<Workspace>> {
        let Entity::Workspace(id) = &self.binding.entity else {
            return Ok(None);
        };
        let scene = ctx.data::<Handle>()?.scene();
        Ok(scene.store.find_workspace(id).cloned().map(Workspace))
    }

    async fn deployment(&self, ctx: &Context<'_>) -> Result<Option<Deployment>> {
        let Entity::Deployment(id) = &self.binding.entity else {
            return Ok(None);
        };
        let scene = ctx.data::<Handle>()?.scene();
        Ok(scene.store.find_deployment(id).cloned().map(Deployment))
    }
}

pub(super) struct Workspace(pub(super) store::Workspace);

impl Workspace {
    fn entity(&self) -> Entity {
        Entity::Workspace(self.0.id.clone())
    }
}

#[Object]
impl Workspace {
    async fn id(&self) -> Uuid {
        Uuid(self.0.id.clone())
    }

    async fn label(&self) -> Option<&str> {
        Some(&self.0.label)
    }

    async fn description(&self) -> Option<&str> {
        None
    }

    async fn role_bindings(&self, ctx: &Context<'_>) -> Result<Option<Vec<RoleBinding>>> {
        let (scene, entity) = (ctx.data::<Handle>()?.scene(), self.entity());
        let here = |binding: &&Binding| binding.entity == entity;
        let users = scene.store.users.values().flatten().filter(here);
        let accounts = scene.store.accounts_of(&entity);
        let bindings = users.map(RoleBinding::of_user);
        Ok(Some(
            bindings
                .chain(accounts.iter().map(RoleBinding::of))
                .collect(),
        ))
    }

    async fn service_accounts(
        &self,
        ctx: &Context<'_>,
    ) -> Result<Option<Vec<Option<ServiceAccount>>>> {
        let accounts = ctx
            .data::<Handle>()?
            .scene()
            .store
            .accounts_of(&self.entity());
        let shown = accounts
            .into_iter()
            .map(|account| ServiceAccount::new(ctx, account));
        Ok(Some(shown.map(Some).collect()))
    }

    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

pub(super) struct Deployment(pub(super) store::Deployment);

#[Object]
impl Deployment {
    async fn id(&self) -> Uuid {
        Uuid(self.0.id.clone())
    }

    async fn label(&self) -> Option<&str> {
        Some(&self.0.label)
    }

    async fn release_name(&self) -> Option<&str> {
        Some(&self.0.release_name)
    }

    async fn workspace(&self, ctx: &Context<'_>) -> Result<Option<Workspace>> {
        let scene = ctx.data::<Handle>()?.scene();
        let workspace = scene.store.find_workspace(&self.0.workspace);
        Ok(workspace.cloned().map(Workspace))
    }
}
