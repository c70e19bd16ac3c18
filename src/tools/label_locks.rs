//! One creation at a time per place and label: the API's own check for uniqueness is racy, and models call in parallel.
//! Holds for this process alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout_at};

use super::locked;
use crate::apc::{Label, NewServiceAccount, Place};

/// The right to create an account of one label. Dropping it lets the next creation of the label begin.
type LabelLock = Arc<tokio::sync::Mutex<()>>;

/// The labels for which a creation is under way.
#[derive(Default)]
pub struct LabelLocks {
    locks: Mutex<HashMap<(Place, Label), LabelLock>>,
}

impl LabelLocks {
    /// Waits until no other creation of the label is under way; none if one still is by then. Dropping the guard lets the
    /// next one begin.
    pub async fn lock(
        &self,
        new: &NewServiceAccount,
        until: Instant,
    ) -> Option<OwnedMutexGuard<()>> {
        let lock = self.lock_of(new);
        timeout_at(until, lock.lock_owned()).await.ok()
    }

    fn lock_of(&self, new: &NewServiceAccount) -> LabelLock {
        let mut locks = locked(&self.locks);
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        let label = (new.place.clone(), new.label.clone());
        Arc::clone(locks.entry(label).or_default())
    }
}
