//! The progress of a call, for a client that gave a token to hear of it.
//! Never goes back: a call may read first and wait for its user afterwards, more than once.

use std::sync::atomic::{AtomicU64, Ordering};

use rmcp::RoleServer;
use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;

/// The progress of one call, on from what its client has heard of by now.
pub(super) struct CallProgress<'a> {
    context: &'a RequestContext<RoleServer>,
    reported: &'a AtomicU64,
    /// The progress before this part of the call.
    before: u64,
}

impl<'a> CallProgress<'a> {
    /// The progress of a call from its start.
    pub(super) fn of(context: &'a RequestContext<RoleServer>, reported: &'a AtomicU64) -> Self {
        Self {
            context,
            reported,
            before: 0,
        }
    }

    /// The progress of the next part of a call.
    pub(super) fn onwards(self) -> Self {
        let before = self.reported.load(Ordering::Relaxed);
        Self { before, ..self }
    }

    /// Tells that so much of this part is done. A part that was told further already is not told again.
    pub(super) async fn tell(&self, done: u64, total: u64, message: &str) {
        let Some(token) = self.context.meta.get_progress_token() else {
            return;
        };
        let now = self.before.saturating_add(done);
        if self.reported.fetch_max(now, Ordering::Relaxed) >= now {
            return;
        }
        let end = self.before.saturating_add(total);
        let progress = ProgressNotificationParam::new(token, number(now))
            .with_total(number(end))
            .with_message(message);
        // A client that has left is noticed elsewhere.
        let _ = self.context.peer.notify_progress(progress).await;
    }
}

/// The protocol has floating numbers; ours are small.
fn number(whole: u64) -> f64 {
    u32::try_from(whole).map_or(f64::from(u32::MAX), f64::from)
}
