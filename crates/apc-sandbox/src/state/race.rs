//! The window between the check for a label and the creation of its account.
//!
//! Several parallel creations of one label may all pass the API's check before any account is made. Here this happens
//! on demand and always in the same way.

use std::sync::Arc;

use tokio::sync::Barrier;

/// The creations that still have to pass their check together.
#[derive(Default)]
pub(crate) struct Race {
    left: usize,
    start: Option<Arc<Barrier>>,
}

impl Race {
    pub(crate) fn of(count: usize) -> Race {
        Race {
            left: count,
            start: Some(Arc::new(Barrier::new(count))),
        }
    }

    /// The barrier at which a creation that passed its check waits for the others; none without a race.
    pub(crate) fn enter(&mut self) -> Option<Arc<Barrier>> {
        self.left = self.left.checked_sub(1)?;
        self.start.clone()
    }
}
