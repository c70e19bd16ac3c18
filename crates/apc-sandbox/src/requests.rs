//! The log of the requests that reached the sandbox.

use std::collections::VecDeque;

use serde_json::Value;

/// The number of requests that are remembered: a sandbox may run for days.
const REMEMBERED: usize = 10_000;

/// A request that reached the sandbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The names of the top-level fields; none if it was no GraphQL.
    pub operation: Vec<String>,
    /// The document.
    pub query: String,
    /// The variables, or null.
    pub variables: Value,
    /// The `Authorization` header as it was sent.
    pub authorization: Option<String>,
    /// The HTTP status of the answer, once there is one.
    pub status: Option<u16>,
}

#[derive(Default)]
pub(crate) struct Requests {
    kept: VecDeque<(u64, Recorded)>,
    arrived: u64,
}

impl Requests {
    /// Keeps a request and returns its number.
    pub(crate) fn record(&mut self, request: Recorded) -> u64 {
        self.arrived += 1;
        if self.kept.len() == REMEMBERED {
            self.kept.pop_front();
        }
        self.kept.push_back((self.arrived, request));
        self.arrived
    }

    pub(crate) fn record_status(&mut self, number: u64, status: u16) {
        // The answer comes soon after the request, so the search from the end is a short one.
        let mut requests = self.kept.iter_mut().rev();
        if let Some((_, request)) = requests.find(|(found, _)| *found == number) {
            request.status = Some(status);
        }
    }

    pub(crate) fn all(&self) -> Vec<Recorded> {
        let requests = self.kept.iter();
        requests.map(|(_, request)| request.clone()).collect()
    }

    pub(crate) fn clear(&mut self) {
        self.kept.clear();
    }
}
