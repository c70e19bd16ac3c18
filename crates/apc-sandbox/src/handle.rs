//! Looks behind the curtain: what was asked, what is true, and what shall go wrong next.
//! Offers nothing of this through the API; people who use the sandbox see an ordinary installation.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Value;

use super::fault::{Fault, Faults, On};
use super::roles::Entity;
use super::seeds::Persona;
use super::store::{Account, NewAccount, Store};

/// How many requests are remembered: a sandbox may run for days.
const REMEMBERED: usize = 10_000;

/// A request that reached the sandbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The names of the top-level fields; none if it was no GraphQL.
    pub operation: Vec<String>,
    /// The document.
    pub query: String,
    /// The variables, or null.
    pub variables: Value,
    /// The `Authorization` header as it was sent.
    pub authorization: Option<String>,
    /// The HTTP status of the answer, once there is one.
    pub status: Option<u16>,
}

/// A service account as it is, unmasked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct AccountSnapshot {
    pub id: String,
    pub label: String,
    pub key: String,
    pub category: Option<String>,
    pub role: String,
    /// `WORKSPACE`, or `DEPLOYMENT` for all others, as the API has it.
    pub entity_type: String,
    pub entity_uuid: Option<String>,
}

/// All there is behind the API, shared by the server and whoever watches it.
#[derive(Clone)]
pub struct Handle {
    scene: Arc<Mutex<Scene>>,
}

pub(super) struct Scene {
    pub(super) store: Store,
    faults: Faults,
    lacking: Vec<String>,
    requests: VecDeque<(u64, Recorded)>,
    arrived: u64,
}

impl Handle {
    pub(super) fn new(store: Store) -> Handle {
        let scene = Scene {
            store,
            faults: Faults::default(),
            lacking: Vec::new(),
            requests: VecDeque::new(),
            arrived: 0,
        };
        let scene = Arc::new(Mutex::new(scene));
        Handle { scene }
    }

    /// The last 10,000 requests that arrived, in order.
    pub fn requests(&self) -> Vec<Recorded> {
        let scene = self.scene();
        let requests = scene.requests.iter();
        requests.map(|(_, request)| request.clone()).collect()
    }

    /// Forgets the requests that arrived.
    pub fn clear_requests(&self) {
        self.scene().requests.clear();
    }

    /// Lets the next `times` matching requests go wrong; faults injected earlier go first.
    pub fn inject(&self, fault: Fault, on: On, times: usize) {
        self.scene().faults.inject(fault, on, times);
    }

    /// Takes back the faults still to come.
    pub fn clear_faults(&self) {
        self.scene().faults.clear();
    }

    /// Becomes a release without this field: `field` on every type, or `Type.field`.
    pub fn lack_field(&self, name: &str) {
        self.scene().lacking.push(name.into());
    }

    /// Becomes a release with or without the check for duplicate labels.
    pub fn set_duplicate_check(&self, on: bool) {
        self.scene().store.allow_duplicates(!on);
    }

    /// Every account there is, by id.
    pub fn accounts(&self) -> Vec<AccountSnapshot> {
        let scene = self.scene();
        scene.store.accounts.values().map(snapshot).collect()
    }

    /// Every workspace there is: its id and its label.
    pub fn workspaces(&self) -> Vec<(String, String)> {
        let scene = self.scene();
        let workspaces = scene.store.workspaces.iter();
        workspaces
            .map(|workspace| (workspace.id.clone(), workspace.label.clone()))
            .collect()
    }

    /// Creates an account as a colleague would, unasked and unchecked.
    pub fn add_account(&self, account: NewAccount) -> AccountSnapshot {
        snapshot(&self.scene().store.add(account))
    }

    /// Deletes an account as a colleague would; tells whether there was one.
    pub fn remove_account(&self, id: &str) -> bool {
        self.scene().store.delete(id).is_ok()
    }

    /// Moves an account's creation into the past; tells whether there is such an account.
    pub fn age(&self, id: &str, by: Duration) -> bool {
        let mut scene = self.scene();
        let account = scene.store.accounts.get_mut(id);
        account.map(|account| account.created_at -= by).is_some()
    }

    /// A persona's token in the default installation; each call signs users in anew for 24 hours.
    pub fn token(&self, persona: Persona) -> String {
        self.scene().store.token(persona)
    }

    /// A token for a user of the store; one with a negative lifetime has expired.
    pub fn sign_in(&self, user: &str, lifetime: TimeDelta) -> String {
        self.scene().store.sign_in(user, lifetime)
    }

    pub(super) fn scene(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scene {
    pub(super) fn record(&mut self, request: Recorded) -> u64 {
        self.arrived += 1;
        if self.requests.len() == REMEMBERED {
            self.requests.pop_front();
        }
        self.requests.push_back((self.arrived, request));
        self.arrived
    }

    pub(super) fn record_status(&mut self, arrival: u64, status: u16) {
        // The answer comes soon after the request, so the search from the end is a short one.
        let mut requests = self.requests.iter_mut().rev();
        if let Some((_, request)) = requests.find(|(number, _)| *number == arrival) {
            request.status = Some(status);
        }
    }

    pub(super) fn take_fault(&mut self, fields: &[String]) -> Option<Fault> {
        self.faults.take(fields)
    }

    pub(super) fn lacks(&self, type_name: &str, field: &str) -> bool {
        let full = format!("{type_name}.{field}");
        self.lacking
            .iter()
            .any(|name| name == field || *name == full)
    }
}

fn snapshot(account: &Account) -> AccountSnapshot {
    let (entity_type, entity_uuid) = match &account.binding.entity {
        Entity::System => ("DEPLOYMENT", None),
        Entity::Workspace(id) => ("WORKSPACE", Some(id.clone())),
        Entity::Deployment(id) => ("DEPLOYMENT", Some(id.clone())),
    };
    AccountSnapshot {
        id: account.id.clone(),
        label: account.label.clone(),
        key: account.key.clone(),
        category: account.category.clone(),
        role: account.binding.role.name().into(),
        entity_type: entity_type.into(),
        entity_uuid,
    }
}
