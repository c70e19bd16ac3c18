//! The requests in flight: their ids, and a bound on their number.
//! Gives every request a number of its own, so that a late answer never meets a reused id.
//!
//! While the bound is reached nothing is read, neither a cancellation nor the end of input. A signal or a
//! closed output still ends the session.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::RequestId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most requests in flight; beyond it nothing is read.
const REQUESTS_MAX: usize = 1024;

/// The room that one request takes until its answer is written.
pub type RequestPermit = OwnedSemaphorePermit;

/// The requests that have no answer yet.
pub struct InFlight {
    room: Arc<Semaphore>,
    requests: Mutex<Requests>,
}

#[derive(Default)]
struct Requests {
    last: i64,
    numbers: HashMap<RequestId, i64>,
    waiting: BTreeMap<i64, (RequestId, RequestPermit)>,
}

impl Default for InFlight {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(REQUESTS_MAX)),
            requests: Mutex::default(),
        }
    }
}

impl InFlight {
    /// Waits until there is room for another request.
    pub async fn room(&self) -> RequestPermit {
        match Arc::clone(&self.room).acquire_owned().await {
            Ok(room) => room,
            // The semaphore is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// Tells whether a request of this id has no answer yet.
    pub fn contains(&self, id: &RequestId) -> bool {
        self.lock().numbers.contains_key(id)
    }

    /// Numbers a new request. Its id must not be in flight.
    pub fn begin(&self, id: &RequestId, room: RequestPermit) -> RequestId {
        let mut requests = self.lock();
        requests.last += 1;
        let number = requests.last;
        requests.numbers.insert(id.clone(), number);
        requests.waiting.insert(number, (id.clone(), room));
        RequestId::Number(number)
    }

    /// Takes back the request of this id and returns its number. The request gets no answer, and its id
    /// is free again. Returns nothing if the request has its answer already.
    pub fn cancel(&self, id: &RequestId) -> Option<RequestId> {
        let mut requests = self.lock();
        let number = requests.numbers.remove(id)?;
        requests.waiting.remove(&number);
        Some(RequestId::Number(number))
    }

    /// Replaces the number in an answer by the client's id, and returns the room to keep until the answer
    /// is written. Returns nothing if the request was taken back.
    pub fn end(&self, number: &mut RequestId) -> Option<RequestPermit> {
        let RequestId::Number(known) = number else {
            return None;
        };
        let mut requests = self.lock();
        let (id, room) = requests.waiting.remove(known)?;
        requests.numbers.remove(&id);
        *number = id;
        Some(room)
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
