//! The progress of a call that reads many places, for a client that wants to hear of it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::tools::user::User;

/// The number of reports on one reading, at most.
const REPORTS: u64 = 20;

/// The places that a call has read, and those that it knows of.
#[derive(Default)]
pub struct ReadProgress {
    read: AtomicU64,
    total: AtomicU64,
}

impl ReadProgress {
    pub(super) fn expect(&self, places: usize) {
        let places = u64::try_from(places).unwrap_or(u64::MAX);
        self.total.fetch_add(places, Ordering::Relaxed);
    }

    /// Counts a place that was read, and tells the client now and then.
    pub(super) async fn advance(&self, user: &dyn User) {
        let read = self.read.fetch_add(1, Ordering::Relaxed) + 1;
        let total = self.total.load(Ordering::Relaxed);
        if total > 1 && (read == total || read.is_multiple_of(total.div_ceil(REPORTS))) {
            let message = format!("read {read} of {total} places");
            user.report(read, total, message).await;
        }
    }
}
