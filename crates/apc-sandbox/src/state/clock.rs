//! The API's clock, which may be wrong.

use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};

/// The machine's time plus a skew.
#[derive(Clone, Copy, Default)]
pub(crate) struct Clock {
    pub(crate) skew: TimeDelta,
}

impl Clock {
    pub(crate) fn now(self) -> DateTime<Utc> {
        DateTime::<Utc>::from(SystemTime::now()) + self.skew
    }
}
