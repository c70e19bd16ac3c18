//! The installation's state: workspaces, deployments, users, service accounts, and what can be asked of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Barrier;

use crate::line::Line;
use crate::state::account::{Account, Binding, NewAccount};
use crate::state::roles::{Access, Action, Entity, Role};
use crate::state::tokens::{Caller, Identity, Tokens};

/// An installation. Start empty or from the default seeds, add what is needed, hand it to the sandbox.
#[derive(Default)]
pub struct Store {
    pub(crate) line: Line,
    /// The error of the API's clock.
    pub(crate) skew: TimeDelta,
    pub(crate) workspaces: Vec<Workspace>,
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) tokens: Tokens,
    /// None is the line's own habit.
    pub(crate) checks_duplicates: Option<bool>,
    pub(crate) blanks_categories: bool,
    pub(crate) masks_new_keys: bool,
    pub(crate) uses_shield_words: bool,
    /// The barriers of the next creations. Each that passed the check for its label takes one and waits there, so that
    /// creations of one label pass their checks together.
    pub(crate) race: Vec<Arc<Barrier>>,
}

#[derive(Clone)]
pub(crate) struct Workspace {
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) created_at: DateTime<Utc>,
}

#[derive(Clone)]
pub(crate) struct Deployment {
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) release_name: String,
    /// None if the workspace was deleted.
    pub(crate) workspace: Option<String>,
    pub(crate) deleted: bool,
}

impl Store {
    /// An installation without anything in it, of the default line.
    pub fn empty() -> Store {
        Store::default()
    }

    /// Makes it an installation of this line.
    pub fn line(mut self, line: Line) -> Store {
        self.line = line;
        self
    }

    /// Adds a workspace.
    pub fn workspace(mut self, id: &str, label: &str) -> Store {
        self.workspaces.push(Workspace {
            id: id.into(),
            label: label.into(),
            created_at: self.now(),
        });
        self
    }

    /// Adds a deployment to a workspace.
    pub fn deployment(mut self, id: &str, label: &str, workspace: &str) -> Store {
        self.deployments.push(Deployment {
            id: id.into(),
            label: label.into(),
            release_name: format!("{}-0001", label.to_lowercase().replace(' ', "-")),
            workspace: Some(workspace.into()),
            deleted: false,
        });
        self
    }

    /// Adds a user, who signs in through the handle.
    pub fn user(mut self, id: &str, grants: &[(Role, Entity)]) -> Store {
        let now = self.now();
        let bindings = grants.iter().cloned();
        let bindings = bindings.map(|(role, entity)| Binding::new(role, entity, now));
        self.tokens.users.insert(id.into(), bindings.collect());
        self
    }

    /// Adds a service account.
    pub fn account(mut self, account: NewAccount) -> Store {
        self.add(account);
        self
    }

    /// Adds a service account and returns it with the id that it got.
    pub(crate) fn add(&mut self, new: NewAccount) -> Account {
        let account = new.made_at(self.now());
        self.accounts.insert(account.id.clone(), account.clone());
        account
    }

    /// The time of the API's clock, which may be wrong.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        DateTime::<Utc>::from(SystemTime::now()) + self.skew
    }

    pub(crate) fn sign_in(&mut self, user: &str, lifetime: TimeDelta) -> String {
        self.tokens.give(user, self.now(), lifetime)
    }

    /// The sender of a request with this `Authorization` header: a bare token, or exactly `Bearer ` before it.
    pub(crate) fn identify(&self, authorization: Option<&str>) -> Identity {
        let Some(value) = authorization else {
            return Identity::Unknown;
        };
        let token = value.strip_prefix("Bearer ").unwrap_or(value);
        if token.len() != 32 || token.contains('.') {
            return self.tokens.holder(token, self.now());
        }
        let mut accounts = self.accounts.values();
        match accounts.find(|account| account.key == token) {
            Some(account) => Identity::of_key_holder(&account.bindings),
            None => Identity::Unknown,
        }
    }

    pub(crate) fn allows(&self, caller: &Caller, action: Action, entity: &Entity) -> bool {
        let home = self.home(entity);
        let access = Access {
            line: self.line,
            action,
            entity,
            home: home.as_ref(),
        };
        access.is_granted_by(&caller.grants)
    }

    /// The workspace of a deployment that is not deleted.
    fn home(&self, entity: &Entity) -> Option<Entity> {
        let Entity::Deployment(id) = entity else {
            return None;
        };
        let deployment = self.find_deployment(id).filter(|found| !found.deleted)?;
        deployment.workspace.clone().map(Entity::Workspace)
    }

    pub(crate) fn find_workspace(&self, id: &str) -> Option<&Workspace> {
        self.workspaces.iter().find(|found| found.id == id)
    }

    pub(crate) fn find_deployment(&self, id: &str) -> Option<&Deployment> {
        self.deployments.iter().find(|found| found.id == id)
    }

    /// The workspaces that fit, in the line's order.
    pub(crate) fn workspaces_where(&self, fits: impl Fn(&Workspace) -> bool) -> Vec<Workspace> {
        let found = self.workspaces.iter().filter(|workspace| fits(workspace));
        self.in_order(found.cloned().collect())
    }

    /// The deployments of a workspace that are not deleted, in the line's order.
    pub(crate) fn deployments_of(&self, workspace: &str) -> Vec<Deployment> {
        let here = |deployment: &&Deployment| {
            !deployment.deleted && deployment.workspace.as_deref() == Some(workspace)
        };
        let found = self.deployments.iter().filter(here);
        self.in_order(found.cloned().collect())
    }

    /// The accounts bound to an entity, in the line's order.
    pub(crate) fn accounts_of(&self, entity: &Entity) -> Vec<Account> {
        self.accounts_where(|account| account.is_bound_to(entity))
    }

    pub(crate) fn accounts_where(&self, fits: impl Fn(&Account) -> bool) -> Vec<Account> {
        let found = self.accounts.values().filter(|account| fits(account));
        let mut accounts: Vec<_> = found.cloned().collect();
        if self.line == Line::Today {
            accounts.sort_by_key(|account| account.created_at);
        }
        self.in_order(accounts)
    }

    /// Reverses the order today, where it is unspecified, so that nobody relies on ids.
    fn in_order<T>(&self, mut rows: Vec<T>) -> Vec<T> {
        if self.line == Line::Today {
            rows.reverse();
        }
        rows
    }
}
