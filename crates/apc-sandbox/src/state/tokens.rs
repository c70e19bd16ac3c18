//! Users, the tokens that were given out to them, and the answer to who is calling.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use crate::state::account::Binding;
use crate::state::ids;
use crate::state::roles::{Entity, Grant, Level};

/// Somebody the API knows, with all roles held.
#[derive(Clone, Default)]
pub(crate) struct Caller {
    pub(crate) grants: Vec<Grant>,
}

impl Caller {
    fn with(bindings: &[Binding]) -> Caller {
        let grants = bindings.iter().map(|held| held.grant.clone()).collect();
        Caller { grants }
    }

    pub(crate) fn is_system_level(&self) -> bool {
        let mut roles = self.grants.iter().map(|grant| grant.role);
        roles.any(|role| role.level() == Some(Level::System))
    }

    pub(crate) fn is_bound_to(&self, entity: &Entity) -> bool {
        self.grants.iter().any(|grant| grant.entity == *entity)
    }
}

/// The sender of a request, as far as its token tells.
pub(crate) enum Identity {
    Known(Caller),
    Unknown,
    /// A key on whose bindings the API's own authentication crashes: it never answers.
    Unanswered,
}

impl Identity {
    /// The holder of a key. The API hangs if there is no binding, or a workspace role is bound to no workspace.
    pub(crate) fn of_key_holder(bindings: &[Binding]) -> Identity {
        let caller = Caller::with(bindings);
        let misplaced = |grant: &Grant| {
            grant.role.level() == Some(Level::Workspace) && grant.entity.level() != Level::Workspace
        };
        match bindings.is_empty() || caller.grants.iter().any(misplaced) {
            true => Identity::Unanswered,
            false => Identity::Known(caller),
        }
    }
}

#[derive(Default)]
pub(crate) struct Tokens {
    pub(crate) users: BTreeMap<String, Vec<Binding>>,
    /// The user and the expiry of each token.
    sessions: HashMap<String, (String, DateTime<Utc>)>,
}

impl Tokens {
    /// Gives out a user's token; a negative lifetime makes one that has expired.
    pub(crate) fn give(&mut self, user: &str, now: DateTime<Utc>, lifetime: TimeDelta) -> String {
        let expires = now + lifetime;
        let issued = now.min(expires) - TimeDelta::minutes(1);
        let token = ids::jwt(user, issued, expires);
        self.sessions.insert(token.clone(), (user.into(), expires));
        token
    }

    pub(crate) fn holder(&self, token: &str, now: DateTime<Utc>) -> Identity {
        let session = self.sessions.get(token);
        let valid = session.filter(|(_, expires)| *expires > now);
        match valid.and_then(|(user, _)| self.users.get(user)) {
            Some(bindings) => Identity::Known(Caller::with(bindings)),
            None => Identity::Unknown,
        }
    }
}
