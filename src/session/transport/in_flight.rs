//! The requests in flight: their ids, and how many there may be.
//! Gives every request a number of its own, so that a late answer never meets a reused id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::RequestId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most requests in flight; beyond it nothing is read.
const REQUESTS_MAX: usize = 1024;

/// The room that one request takes until its answer is written.
pub type Room = OwnedSemaphorePermit;

/// The requests that have no answer yet. Clones share them.
#[derive(Clone)]
pub struct InFlight {
    room: Arc<Semaphore>,
    requests: Arc<Mutex<Requests>>,
}

#[derive(Default)]
struct Requests {
    last: i64,
    numbers: HashMap<RequestId, RequestId>,
    waiting: HashMap<RequestId, (RequestId, Room)>,
}

impl Default for InFlight {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(REQUESTS_MAX)),
            requests: Arc::default(),
        }
    }
}

impl InFlight {
    /// Waits until there is room for another request.
    pub async fn room(&self) -> Room {
        match Arc::clone(&self.room).acquire_owned().await {
            Ok(room) => room,
            // The semaphore is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// Whether a request of this id has no answer yet.
    pub fn contains(&self, id: &RequestId) -> bool {
        self.lock().numbers.contains_key(id)
    }

    /// The number of a new request. Nothing where its id is in flight.
    pub fn begin(&self, id: &RequestId, room: Room) -> Option<RequestId> {
        let mut requests = self.lock();
        if requests.numbers.contains_key(id) {
            return None;
        }
        requests.last += 1;
        let number = RequestId::Number(requests.last);
        requests.numbers.insert(id.clone(), number.clone());
        requests.waiting.insert(number.clone(), (id.clone(), room));
        Some(number)
    }

    /// Takes back the request of this id. It will get no answer, and its id is free again. Nothing
    /// where it has its answer already.
    pub fn cancel(&self, id: &RequestId) -> Option<RequestId> {
        let mut requests = self.lock();
        let number = requests.numbers.remove(id)?;
        requests.waiting.remove(&number);
        Some(number)
    }

    /// Puts the client's id in the place of a number, and brings the room to keep until the answer is
    /// written. Nothing where the request was taken back.
    pub fn end(&self, number: &mut RequestId) -> Option<Room> {
        let mut requests = self.lock();
        let (id, room) = requests.waiting.remove(number)?;
        requests.numbers.remove(&id);
        *number = id;
        Some(room)
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
