//! The view behind the API, for tests: the requests that came, the true state, and switches for what shall go wrong.
//! Nothing of it is offered through the API itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::Barrier;

use crate::fault::{Fault, Faults, On};
use crate::line::Line;
use crate::requests::{Recorded, Requests};
use crate::snapshot::AccountSnapshot;
use crate::state::account::{Breakage, NewAccount};
use crate::state::roles::{Entity, Role};
use crate::state::seeds::Persona;
use crate::state::store::Store;

/// All there is behind the API, shared by the server and whoever watches it.
#[derive(Clone)]
pub struct Handle {
    line: Line,
    scene: Arc<Mutex<Scene>>,
}

#[derive(Default)]
pub(crate) struct Scene {
    pub(crate) store: Store,
    pub(crate) requests: Requests,
    pub(crate) faults: Faults,
    lacking: Vec<String>,
    arriving: Vec<(On, NewAccount)>,
}

impl Scene {
    /// Creates the accounts that wait for a request of these fields.
    pub(crate) fn let_accounts_arrive(&mut self, fields: &[String]) {
        let arriving = self.arriving.extract_if(.., |(on, _)| on.matches(fields));
        for (_, account) in arriving {
            self.store.add(account);
        }
    }

    pub(crate) fn lacks(&self, type_name: &str, field: &str) -> bool {
        let full = format!("{type_name}.{field}");
        let mut lacking = self.lacking.iter();
        lacking.any(|name| name == field || *name == full)
    }
}

impl Handle {
    pub(crate) fn new(store: Store) -> Handle {
        let line = store.line;
        let scene = Scene {
            store,
            ..Scene::default()
        };
        Handle {
            line,
            scene: Arc::new(Mutex::new(scene)),
        }
    }

    pub(crate) fn scene(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The line of the API that this sandbox speaks.
    pub fn line(&self) -> Line {
        self.line
    }
}

/// Requests and faults.
impl Handle {
    /// The last 10,000 requests that arrived, in order.
    pub fn requests(&self) -> Vec<Recorded> {
        self.scene().requests.all()
    }

    /// Forgets the requests that arrived.
    pub fn clear_requests(&self) {
        self.scene().requests.clear();
    }

    /// Lets the next `times` matching requests go wrong; faults injected earlier go first.
    pub fn inject(&self, fault: Fault, on: On, times: usize) {
        self.scene().faults.inject(fault, on, 0, times);
    }

    /// Lets the `nth` matching request from now go wrong, counted from 1, and no other.
    pub fn inject_nth(&self, fault: Fault, on: On, nth: usize) {
        let spared = nth.saturating_sub(1);
        self.scene().faults.inject(fault, on, spared, 1);
    }

    /// Takes back the faults still to come.
    pub fn clear_faults(&self) {
        self.scene().faults = Faults::default();
    }
}

/// Releases and configurations.
impl Handle {
    /// Becomes a release without this field: `field` on every type, or `Type.field`, such as `Query.sysWorkspaces`.
    pub fn lack_field(&self, name: &str) {
        self.scene().lacking.push(name.into());
    }

    /// Becomes a release with or without the check for duplicate labels. In 2020 there is one, today there is none.
    pub fn set_duplicate_check(&self, on: bool) {
        self.scene().store.checks_duplicates = Some(on);
    }

    /// Becomes a release in which a category that was left out is "" and not null.
    pub fn blank_categories(&self) {
        self.scene().store.blanks_categories = true;
    }

    /// Becomes an installation that masks keys from the start: even the creation shows 6 characters.
    pub fn mask_new_keys(&self) {
        self.scene().store.masks_new_keys = true;
    }

    /// Lets the line of today refuse in the words of the shield branch, its ancestor: bad tokens hear `Insufficient
    /// permissions.` as well, and from `workspaces` the text of a crash.
    pub fn use_shield_words(&self) {
        self.scene().store.uses_shield_words = true;
    }

    /// Lets the API's clock run ahead by this time, or behind: `createdAt`, the `Date` header, expiry and masking.
    pub fn skew_clock(&self, by: TimeDelta) {
        self.scene().store.skew = by;
    }

    /// Opens the window between the check for duplicates and the creation: the next `count` creations that pass the
    /// check wait for each other, and then all of them create. With fewer creations those wait for ever.
    pub fn race_creations(&self, count: usize) {
        let start = Arc::new(Barrier::new(count));
        self.scene().store.race = vec![start; count];
    }
}

/// The installation.
impl Handle {
    /// Every account there is, by id.
    pub fn accounts(&self) -> Vec<AccountSnapshot> {
        let scene = self.scene();
        scene.store.accounts.values().map(Into::into).collect()
    }

    /// Every workspace there is: its id and its label.
    pub fn workspaces(&self) -> Vec<(String, String)> {
        let scene = self.scene();
        let workspaces = scene.store.workspaces.iter();
        let named = workspaces.map(|found| (found.id.clone(), found.label.clone()));
        named.collect()
    }

    /// Every deployment that is not deleted: its id and its label.
    pub fn deployments(&self) -> Vec<(String, String)> {
        let scene = self.scene();
        let deployments = scene.store.deployments.iter();
        let there = deployments.filter(|deployment| !deployment.deleted);
        let named = there.map(|found| (found.id.clone(), found.label.clone()));
        named.collect()
    }

    /// Creates an account as a colleague would, unasked and unchecked.
    pub fn add_account(&self, account: NewAccount) -> AccountSnapshot {
        (&self.scene().store.add(account)).into()
    }

    /// Creates an account as a colleague would, at the moment at which the next matching request arrives: after
    /// whatever the caller has read before, and before that request is worked on.
    pub fn add_account_on(&self, on: On, account: NewAccount) {
        self.scene().arriving.push((on, account));
    }

    /// Deletes an account as a colleague would; tells whether there was one.
    pub fn remove_account(&self, id: &str) -> bool {
        self.scene().store.delete(id).is_ok()
    }

    /// Binds an account to one more entity; tells whether there is such an account.
    pub fn bind(&self, account: &str, role: Role, entity: Entity) -> bool {
        self.scene().store.bind(account, role, entity)
    }

    /// Deletes a workspace and the bindings to it; tells whether there was one. Accounts that were bound to nothing
    /// else become orphans: they are in no list, and the API never answers their keys.
    pub fn delete_workspace(&self, id: &str) -> bool {
        self.scene().store.delete_workspace(id)
    }

    /// Deletes a deployment; tells whether there was one. In 2020 it is only marked as deleted, and the keys of its
    /// accounts go on working; today its accounts are deleted with it.
    pub fn delete_deployment(&self, id: &str) -> bool {
        self.scene().store.delete_deployment(id)
    }

    /// Breaks the row of an account in lists that select its id; tells whether there is such an account.
    pub fn break_account(&self, id: &str, breakage: Breakage) -> bool {
        let mut scene = self.scene();
        let found = scene.store.accounts.get_mut(id);
        found.map(|found| found.breakage = Some(breakage)).is_some()
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
}
