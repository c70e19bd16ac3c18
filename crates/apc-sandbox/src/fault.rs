//! Faults on the way to the API and back, on demand, and the requests they hit.

use std::time::Duration;

/// One way for a request to go wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Waits, then works and answers, whether or not the caller is still there.
    Delay(Duration),
    /// Neither works nor answers.
    Hang,
    /// Does the work and never answers.
    HangAfter,
    /// Closes the connection without a byte, nothing done.
    DropBefore,
    /// Closes the connection without a byte, the work done.
    DropAfter,
    /// A canned answer, as proxies and ingresses give them.
    Answer {
        /// The HTTP status.
        status: u16,
        /// Headers beside `Content-Length` and `Date`.
        headers: Vec<(String, String)>,
        /// The body as it is sent.
        body: String,
        /// True if the work is done before the answer goes out.
        executed: bool,
    },
    /// Does the work, announces the whole body, sends half of it and closes.
    TruncateAfter,
    /// Does the work and sends the body in eighths with this pause before each.
    SlowDrip(Duration),
    /// Answers 200 with this error and null for every field, or for all data where a field must have a value. Nothing
    /// is done.
    ErrorBefore {
        /// `extensions.code`
        code: String,
        /// The error's message.
        message: String,
    },
    /// Does the work and answers as [`Fault::ErrorBefore`] does.
    ErrorAfter {
        /// `extensions.code`
        code: String,
        /// The error's message.
        message: String,
    },
}

/// The requests that a fault is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// The next GraphQL request, whatever it asks.
    Any,
    /// The next request with this top-level field.
    Field(&'static str),
}

impl On {
    pub(crate) fn matches(self, fields: &[String]) -> bool {
        match self {
            On::Any => true,
            On::Field(name) => fields.iter().any(|field| field == name),
        }
    }
}

/// The faults still to come, first injected first.
#[derive(Default)]
pub(crate) struct Faults {
    pending: Vec<Pending>,
}

struct Pending {
    fault: Fault,
    on: On,
    /// The number of matching requests that go unharmed before.
    spared: usize,
    times: usize,
}

impl Faults {
    pub(crate) fn inject(&mut self, fault: Fault, on: On, spared: usize, times: usize) {
        self.pending.push(Pending {
            fault,
            on,
            spared,
            times,
        });
    }

    /// The fault for a request of these fields, used up by being taken.
    pub(crate) fn take(&mut self, fields: &[String]) -> Option<Fault> {
        self.pending.retain(|pending| pending.times > 0);
        let pending = self.pending.iter_mut();
        for matching in pending.filter(|pending| pending.on.matches(fields)) {
            if matching.spared == 0 {
                matching.times -= 1;
                return Some(matching.fault.clone());
            }
            matching.spared -= 1;
        }
        None
    }
}
