//! One creation at a time per workspace and label: the API's own check for uniqueness is racy, and
//! models call in parallel. What the ones before have made is remembered for those that follow.
//! Holds for this process alone.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout_at};

use crate::apc::{Label, NewServiceAccount, ServiceAccountId, WorkspaceId};

/// How many accounts are remembered. Only the youngest could be mistaken for a new one.
const REMEMBERED: usize = 1_000;

/// The creations under way, and the accounts that came of earlier ones.
#[derive(Default)]
pub struct Turns {
    gates: Mutex<HashMap<(WorkspaceId, Label), Gate>>,
    made: Mutex<VecDeque<ServiceAccountId>>,
}

type Gate = Arc<tokio::sync::Mutex<()>>;

/// The right to create an account of one label; the next one's turn comes when it goes.
pub struct Turn {
    /// Whether another creation of the label had to end first.
    pub waited: bool,
    _guard: OwnedMutexGuard<()>,
}

impl Turns {
    /// Waits for the turn of a creation; none if it has not come by then.
    pub async fn turn(&self, new: &NewServiceAccount, until: Instant) -> Option<Turn> {
        let gate = self.gate(new);
        if let Ok(guard) = Arc::clone(&gate).try_lock_owned() {
            return Some(Turn {
                waited: false,
                _guard: guard,
            });
        }
        let guard = timeout_at(until, gate.lock_owned()).await.ok()?;
        Some(Turn {
            waited: true,
            _guard: guard,
        })
    }

    /// Remembers an account that was made.
    pub fn remember(&self, id: &ServiceAccountId) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.len() == REMEMBERED {
            made.pop_front();
        }
        made.push_back(id.clone());
    }

    /// Whether an earlier creation made this account.
    pub fn has_made(&self, id: &ServiceAccountId) -> bool {
        self.made
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(id)
    }

    fn gate(&self, new: &NewServiceAccount) -> Gate {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.retain(|_, gate| Arc::strong_count(gate) > 1);
        Arc::clone(
            gates
                .entry((new.workspace_id.clone(), new.label.clone()))
                .or_default(),
        )
    }
}
