//! Service accounts as tests see them: whole keys, all bindings.

use crate::state::account::Account;
use crate::state::roles::{Entity, Grant, Level};

/// A service account as it is, unmasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSnapshot {
    /// Its id.
    pub id: String,
    /// Its label; empty if it is null.
    pub label: String,
    /// Its whole key.
    pub key: String,
    /// Its category.
    pub category: Option<String>,
    /// The role of its first binding; empty if it has none.
    pub role: String,
    /// `WORKSPACE` if its first binding is on a workspace, `DEPLOYMENT` for all others, as the API of 2020 has it.
    pub entity_type: String,
    /// The id of the entity of its first binding.
    pub entity_uuid: Option<String>,
    /// All its bindings, oldest first.
    pub bindings: Vec<BindingSnapshot>,
}

/// A role of an account on an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingSnapshot {
    /// The role's name in the API.
    pub role: String,
    /// The entity it is held on.
    pub entity: Entity,
}

impl From<&Account> for AccountSnapshot {
    fn from(account: &Account) -> AccountSnapshot {
        let grants = account.bindings.iter().map(|binding| &binding.grant);
        let first = grants.clone().next();
        let snapshot = |grant: &Grant| BindingSnapshot {
            role: grant.role.name().into(),
            entity: grant.entity.clone(),
        };
        let entity = first.map(|grant| &grant.entity);
        let entity_type = match entity.map(Entity::level) {
            Some(Level::Workspace) => "WORKSPACE",
            _ => "DEPLOYMENT",
        };
        AccountSnapshot {
            id: account.id.clone(),
            label: account.label.clone().unwrap_or_default(),
            key: account.key.clone(),
            category: account.category.clone(),
            role: first.map_or("", |grant| grant.role.name()).into(),
            entity_type: entity_type.into(),
            entity_uuid: entity.and_then(Entity::id).map(Into::into),
            bindings: grants.map(snapshot).collect(),
        }
    }
}
