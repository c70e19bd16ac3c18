//! Bindings: roles on entities as the API keeps them, one row each.

use chrono::{DateTime, Utc};

use crate::state::ids;
use crate::state::roles::{Entity, Grant, Role};

/// A role on an entity, as a row of its own.
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

pub(crate) fn grants(bindings: &[Binding]) -> Vec<Grant> {
    let grants = bindings.iter().map(|binding| binding.grant.clone());
    grants.collect()
}
