//! What can go wrong on the way to the API and back, on demand.
//! Decides which request is hit; how it is hit is the HTTP face's business.

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
        /// Whether the work is done before the answer goes out.
        executed: bool,
    },
    /// Does the work, announces the whole body, sends half of it and closes.
    TruncateAfter,
    /// Does the work and sends the body in eighths with this pause before each.
    SlowDrip(Duration),
    /// Does the work and answers 200 with this error and null for every field.
    ErrorAfter {
        /// `extensions.code`
        code: String,
        /// The error's message.
        message: String,
    },
}

/// Which requests a fault is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// The next GraphQL request, whatever it asks.
    Any,
    /// The next request with this top-level field.
    Field(&'static str),
}

impl On {
    fn matches(self, fields: &[String]) -> bool {
        match self {
            On::Any => true,
            On::Field(name) => fields.iter().any(|field| field == name),
        }
    }
}

/// The faults still to come, first injected first.
#[derive(Default)]
pub(super) struct Faults {
    pending: Vec<(Fault, On, usize)>,
}

impl Faults {
    pub(super) fn inject(&mut self, fault: Fault, on: On, times: usize) {
        self.pending.push((fault, on, times));
    }

    pub(super) fn clear(&mut self) {
        self.pending.clear();
    }

    /// The fault for a request of these fields, used up by being taken.
    pub(super) fn take(&mut self, fields: &[String]) -> Option<Fault> {
        self.pending.retain(|(_, _, times)| *times > 0);
        let hit = |(_, on, _): &&mut (Fault, On, usize)| on.matches(fields);
        let (fault, _, times) = self.pending.iter_mut().find(hit)?;
        *times -= 1;
        Some(fault.clone())
    }
}
