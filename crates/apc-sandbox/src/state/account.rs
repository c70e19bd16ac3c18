//! Service accounts and their bindings.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::state::ids;
use crate::state::roles::{Entity, Grant, Role};

/// The time after its creation for which a key is shown whole.
const SHOWN_WHOLE: TimeDelta = TimeDelta::minutes(10);
/// The number of characters shown of a masked key.
const SHOWN_MASKED: usize = 6;

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
    /// The entity it belongs to.
    pub entity: Entity,
    /// The time since its creation.
    pub age: Duration,
    /// The time since its last use.
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

    pub(crate) fn made_at(self, now: DateTime<Utc>) -> Account {
        let created_at = now - self.age;
        Account {
            id: self.id.unwrap_or_else(|| ids::cuid(created_at)),
            key: self.key.unwrap_or_else(ids::api_key),
            label: Some(self.label),
            category: self.category,
            bindings: vec![Binding::new(self.role, self.entity, created_at)],
            last_used_at: self.last_used.map(|ago| now - ago),
            created_at,
            updated_at: created_at,
            breakage: None,
        }
    }
}

/// A way for the row of an account to be broken in lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breakage {
    /// The list has null in place of the account, and an error whose path leads to the account's id.
    Row,
    /// The whole list is null, with the same error.
    List,
}

#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) key: String,
    /// None only after an update to null.
    pub(crate) label: Option<String>,
    pub(crate) category: Option<String>,
    /// Oldest first. An account without any is an orphan: its workspace was deleted.
    pub(crate) bindings: Vec<Binding>,
    pub(crate) last_used_at: Option<DateTime<Utc>>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) breakage: Option<Breakage>,
}

impl Account {
    pub(crate) fn is_bound_to(&self, entity: &Entity) -> bool {
        self.bindings.iter().any(|binding| binding.is_on(entity))
    }

    pub(crate) fn is_old(&self, now: DateTime<Utc>) -> bool {
        self.created_at + SHOWN_WHOLE <= now
    }

    pub(crate) fn masked_key(&self) -> String {
        let shown = self.key.get(..SHOWN_MASKED).unwrap_or("");
        format!("{shown:*<width$}", width = self.key.len())
    }
}

/// A role on an entity, as the API keeps it: a row of its own.
#[derive(Clone)]
pub(crate) struct Binding {
    pub(crate) id: String,
    pub(crate) grant: Grant,
    pub(crate) created_at: DateTime<Utc>,
}

impl Binding {
    pub(crate) fn new(role: Role, entity: Entity, created_at: DateTime<Utc>) -> Binding {
        Binding {
            id: ids::cuid(created_at),
            grant: Grant { role, entity },
            created_at,
        }
    }

    pub(crate) fn is_on(&self, entity: &Entity) -> bool {
        self.grant.entity == *entity
    }
}
