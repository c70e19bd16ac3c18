//! One creation at a time per place and label: the API's own check for uniqueness is racy, and models call in parallel.
//! Holds for this process alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout_at};

use crate::apc::{Label, NewServiceAccount, Place};

type Lock = Arc<tokio::sync::Mutex<()>>;

/// The labels for which a creation is under way.
#[derive(Default)]
pub struct LabelLocks {
    locks: Mutex<HashMap<(Place, Label), Lock>>,
}

/// The right to create an account of one label. Dropping it lets the next creation of the label begin.
pub struct LabelLock {
    _guard: OwnedMutexGuard<()>,
}

impl LabelLocks {
    /// Waits until no other creation of the label is under way; none if one still is by then.
    pub async fn lock(&self, new: &NewServiceAccount, until: Instant) -> Option<LabelLock> {
        let lock = self.lock_of(new);
        let guard = timeout_at(until, lock.lock_owned()).await.ok()?;
        Some(LabelLock { _guard: guard })
    }

    fn lock_of(&self, new: &NewServiceAccount) -> Lock {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(
            locks
                .entry((new.place.clone(), new.label.clone()))
                .or_default(),
        )
    }
}
