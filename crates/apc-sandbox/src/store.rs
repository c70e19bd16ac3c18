//! The installation's state: workspaces, deployments, users and service accounts, and the API's rules over them.
//! Knows no GraphQL and no HTTP, and closes none of the holes the API has.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};

use super::ids;
use super::refusal::Refusal;
use super::roles::{Action, Binding, Entity, Role};
use super::sessions::{Caller, Session};

/// A service account to start from.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its id; without one it gets one that fits its age.
    pub id: Option<String>,
    /// Its API key; without one it gets a random one.
    pub key: Option<String>,
    /// Its label.
    pub label: String,
    /// Its category.
    pub category: Option<String>,
    /// Its role on the entity.
    pub role: Role,
    /// Where it belongs.
    pub entity: Entity,
    /// How long ago it was created.
    pub age: Duration,
    /// How long ago it was last used.
    pub last_used: Option<Duration>,
}

impl NewAccount {
    /// A fresh account that was never used.
    pub fn new(label: impl Into<String>, role: Role, entity: Entity) -> NewAccount {
        NewAccount {
            id: None,
            key: None,
            label: label.into(),
            category: None,
            role,
            entity,
            age: Duration::ZERO,
            last_used: None,
        }
    }
}

/// An installation. Start empty or from the default seeds, add what is needed, hand it to the sandbox.
#[derive(Default)]
pub struct Store {
    pub(super) workspaces: Vec<Workspace>,
    pub(super) deployments: Vec<Deployment>,
    pub(super) accounts: BTreeMap<String, Account>,
    pub(super) users: HashMap<String, Vec<Binding>>,
    pub(super) sessions: HashMap<String, Session>,
    allows_duplicates: bool,
}

#[derive(Clone)]
pub(super) struct Workspace {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) created_at: DateTime<Utc>,
}

#[derive(Clone)]
pub(super) struct Deployment {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) release_name: String,
    pub(super) workspace: String,
}

#[derive(Clone)]
pub(super) struct Account {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) label: String,
    pub(super) category: Option<String>,
    pub(super) binding: Binding,
    pub(super) last_used_at: Option<DateTime<Utc>>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

/// What an update may change; `label: None` is a payload without one.
pub(super) struct Changes {
    pub(super) label: Option<String>,
    pub(super) category: Option<String>,
    pub(super) role: Option<Role>,
}

impl Store {
    /// An installation without anything in it.
    pub fn empty() -> Store {
        Store::default()
    }

    /// Adds a workspace.
    pub fn workspace(mut self, id: &str, label: &str) -> Store {
        self.workspaces.push(Workspace {
            id: id.into(),
            label: label.into(),
            created_at: now(),
        });
        self
    }

    /// Adds a deployment to a workspace.
    pub fn deployment(mut self, id: &str, label: &str, workspace: &str) -> Store {
        self.deployments.push(Deployment {
            id: id.into(),
            label: label.into(),
            release_name: format!("{}-0001", label.to_lowercase().replace(' ', "-")),
            workspace: workspace.into(),
        });
        self
    }

    /// Adds a user, who signs in through the handle.
    pub fn user(mut self, id: &str, bindings: &[(Role, Entity)]) -> Store {
        let bind = |(role, entity): &(Role, Entity)| Binding {
            role: *role,
            entity: entity.clone(),
        };
        self.users
            .insert(id.into(), bindings.iter().map(bind).collect());
        self
    }

    /// Adds a service account.
    pub fn account(mut self, account: NewAccount) -> Store {
        self.add(account);
        self
    }

    /// Adds a service account and says which id it got.
    pub(super) fn add(&mut self, new: NewAccount) -> Account {
        let created_at = now() - new.age;
        let account = Account {
            id: new.id.unwrap_or_else(|| ids::cuid(created_at)),
            key: new.key.unwrap_or_else(ids::api_key),
            label: new.label,
            category: new.category,
            binding: Binding {
                role: new.role,
                entity: new.entity,
            },
            last_used_at: new.last_used.map(|ago| now() - ago),
            created_at,
            updated_at: created_at,
        };
        self.accounts.insert(account.id.clone(), account.clone());
        account
    }

    pub(super) fn allow_duplicates(&mut self, allowed: bool) {
        self.allows_duplicates = allowed;
    }

    /// Refuses a caller that is unknown or lacks the right, in the same words.
    pub(super) fn authorize(
        &self,
        caller: Option<&Caller>,
        action: Action,
        entity: &Entity,
    ) -> Result<(), Refusal> {
        let home = self.home(entity);
        let bindings = caller.map_or(&[][..], |caller| &caller.bindings);
        let allowed = |binding: &Binding| binding.allows(action, entity, home.as_ref());
        match bindings.iter().any(allowed) {
            true => Ok(()),
            false => Err(Refusal::Forbidden),
        }
    }

    fn home(&self, entity: &Entity) -> Option<Entity> {
        let Entity::Deployment(id) = entity else {
            return None;
        };
        let deployment = self.find_deployment(id)?;
        Some(Entity::Workspace(deployment.workspace.clone()))
    }

    pub(super) fn find_workspace(&self, id: &str) -> Option<&Workspace> {
        self.workspaces.iter().find(|workspace| workspace.id == id)
    }

    pub(super) fn find_deployment(&self, id: &str) -> Option<&Deployment> {
        let mut deployments = self.deployments.iter();
        deployments.find(|deployment| deployment.id == id)
    }

    /// The accounts bound to an entity, by id.
    pub(super) fn accounts_of(&self, entity: &Entity) -> Vec<Account> {
        let bound = |account: &&Account| account.binding.entity == *entity;
        self.accounts.values().filter(bound).cloned().collect()
    }

    /// Creates an account. The role is taken as it comes: the API checks none but a system account's.
    pub(super) fn create(&mut self, new: NewAccount) -> Result<Account, Refusal> {
        self.expect_unique(Some(&new.label), &new.entity)?;
        match &new.entity {
            Entity::Workspace(id) if self.find_workspace(id).is_none() => {
                Err(no_node("Workspace", id))
            }
            Entity::Deployment(id) if self.find_deployment(id).is_none() => {
                Err(no_node("Deployment", id))
            }
            Entity::System if !new.role.is_system() => Err(Refusal::InvalidRole),
            _ => Ok(self.add(new)),
        }
    }

    /// Deletes by id alone, wherever the account belongs.
    pub(super) fn delete(&mut self, id: &str) -> Result<Account, Refusal> {
        self.accounts.remove(id).ok_or(Refusal::NotFound)
    }

    /// Changes an account by id alone. An unchanged label counts as a duplicate.
    pub(super) fn update(
        &mut self,
        id: &str,
        entity: &Entity,
        changes: Changes,
    ) -> Result<Account, Refusal> {
        self.expect_unique(changes.label.as_deref(), entity)?;
        let account = self.accounts.get_mut(id).ok_or(Refusal::NotFound)?;
        account.label = changes.label.unwrap_or_else(|| account.label.clone());
        account.category = changes.category.or(account.category.take());
        account.binding.role = changes.role.unwrap_or(account.binding.role);
        account.updated_at = now();
        Ok(account.clone())
    }

    fn expect_unique(&self, label: Option<&str>, entity: &Entity) -> Result<(), Refusal> {
        let mut bound = self.accounts_of(entity).into_iter();
        let taken = label.is_none_or(|label| bound.any(|account| account.label == label));
        let label = label.unwrap_or("undefined").to_string();
        match taken && !self.allows_duplicates {
            true => Err(Refusal::Duplicate { label }),
            false => Ok(()),
        }
    }
}

fn no_node(model: &'static str, id: &str) -> Refusal {
    let id = id.into();
    Refusal::NoNode { model, id }
}

/// The time of this machine, which is also the API's.
pub(super) fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}
