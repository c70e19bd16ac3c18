//! The order of a list, and the cursor that goes on behind an account of it.
//! Holds no number of accounts: whatever was created or deleted meanwhile, no account is skipped or shown twice.

use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

use super::super::arguments::text_argument;
use super::super::schema::{inlined_schema, text};
use super::filter::moment;
use crate::apc::selection::Candidate;
use crate::apc::{Accepted, Place, ServiceAccount};

/// The number of bytes of the hash that a cursor holds.
const HASH_BYTES: usize = 6;

/// The order of accounts by their creation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Order {
    #[default]
    Oldest,
    Newest,
}

impl Order {
    const ACCEPTED: Accepted = Accepted("oldest, newest");

    fn parse(text: &str) -> Result<Self, Accepted> {
        match text {
            "oldest" => Ok(Self::Oldest),
            "newest" => Ok(Self::Newest),
            _ => Err(Self::ACCEPTED),
        }
    }
}

/// A position in the list of all places: by creation, then by id, then by place. Accounts without a date stand last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    order: Order,
    /// The creation, in microseconds.
    created: Option<i64>,
    id: String,
    place: PlaceKey,
}

/// A place in the order: deployments after workspaces, then by id.
type PlaceKey = (bool, String);

impl Position {
    /// The position of an account of a list.
    pub(super) fn of(account: Candidate<'_>, place: &Place, order: Order) -> Self {
        Self::new(order, account.created_at, account.id, place)
    }

    /// The position of an account that was read.
    pub(super) fn of_account(account: &ServiceAccount, order: Order) -> Self {
        let created_at = account.created_at.as_deref();
        Self::new(order, created_at, account.id.as_str(), &account.place)
    }

    fn new(order: Order, created_at: Option<&str>, id: &str, place: &Place) -> Self {
        let created = created_at.and_then(moment);
        Self {
            order,
            created: created.map(|created| created.timestamp_micros()),
            id: id.to_owned(),
            place: (matches!(place, Place::Deployment(_)), place.id().to_owned()),
        }
    }

    fn key(&self) -> (Option<i64>, &str, &PlaceKey) {
        (self.created, &self.id, &self.place)
    }
}

impl Ord for Position {
    fn cmp(&self, other: &Self) -> Ordering {
        let undated = self.created.is_none().cmp(&other.created.is_none());
        let by_key = self.key().cmp(&other.key());
        undated.then(match self.order {
            Order::Oldest => by_key,
            Order::Newest => by_key.reverse(),
        })
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A cursor as the client hands it back: the position of the last account that it has seen, and a hash that binds this to
/// the other arguments.
pub(super) struct Cursor {
    hash: Vec<u8>,
    payload: Vec<u8>,
}

impl Cursor {
    /// The cursors that are accepted, in words.
    pub(super) const ACCEPTED: Accepted = Accepted(
        "the next_cursor of the page before, unchanged and with the same other arguments; leave it out to begin anew",
    );

    /// The text that goes on behind a position, in a call with these other arguments.
    pub(super) fn text(position: &Position, arguments: &[u8]) -> String {
        let payload = serde_json::to_vec(&position.key()).unwrap_or_default();
        URL_SAFE_NO_PAD.encode([hash(arguments, &payload), payload].concat())
    }

    /// The position, if the cursor was made for these other arguments.
    pub(super) fn position(self, order: Order, arguments: &[u8]) -> Option<Position> {
        let is_bound = hash(arguments, &self.payload) == self.hash;
        let (created, id, place) = serde_json::from_slice(&self.payload).ok()?;
        is_bound.then_some(Position {
            order,
            created,
            id,
            place,
        })
    }

    fn parse(text: &str) -> Result<Self, Accepted> {
        Self::read(text.trim()).ok_or(Self::ACCEPTED)
    }

    fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (hash, payload) = bytes.split_at_checked(HASH_BYTES)?;
        Some(Self {
            hash: hash.to_vec(),
            payload: payload.to_vec(),
        })
    }
}

fn hash(arguments: &[u8], payload: &[u8]) -> Vec<u8> {
    let both = [arguments, b"\n", payload].concat();
    let hash = digest(&SHA256, &both);
    hash.as_ref().iter().take(HASH_BYTES).copied().collect()
}

text_argument!(Order);
text_argument!(Cursor);
inlined_schema!(Cursor, "Cursor", text());
inlined_schema!(
    Order,
    "Order",
    schemars::json_schema!({"type": "string", "enum": ["oldest", "newest"], "default": "oldest"})
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apc::WorkspaceId;

    fn position(order: Order, created: Option<&str>, id: &str, place: &str) -> Position {
        let place = Place::Workspace(WorkspaceId::verbatim(place.to_owned()));
        Position::new(order, created, id, &place)
    }

    fn sorted(order: Order) -> Vec<String> {
        let mut all = [
            (Some("2026-01-01T00:00:00.000Z"), "b"),
            (Some("2026-01-01T01:00:00+01:00"), "a"),
            (None, "d"),
            (Some("2025-01-01T00:00:00.001Z"), "f"),
            (Some("2025-01-01T00:00:00.000Z"), "g"),
            (Some("never"), "c"),
        ]
        .map(|(created, id)| position(order, created, id, "w"));
        all.sort();
        all.map(|position| position.id).to_vec()
    }

    #[test]
    fn the_order_is_by_creation_then_by_id_and_the_newest_first_is_the_reverse() {
        assert_eq!(sorted(Order::Oldest), ["g", "f", "a", "b", "c", "d"]);
        assert_eq!(sorted(Order::Newest), ["b", "a", "f", "g", "d", "c"]);
    }

    #[test]
    fn a_cursor_is_read_back_with_the_same_arguments_alone() {
        for created in [None, Some("2026-01-01T00:00:00.123Z")] {
            let here = position(Order::Newest, created, "ck1", "w1");
            let text = Cursor::text(&here, b"label=x");
            let read = |arguments: &[u8]| {
                let cursor = Cursor::parse(&text).ok().unwrap();
                cursor.position(Order::Newest, arguments)
            };
            assert_eq!(read(b"label=x"), Some(here));
            assert_eq!(read(b"label=y"), None);
        }
    }

    #[test]
    fn a_cursor_with_one_character_changed_is_refused() {
        let here = position(Order::Oldest, Some("2026-01-01T00:00:00Z"), "ck1", "w1");
        let text = Cursor::text(&here, b"");
        for at in 0..text.len() {
            for other in ["A", "z", "-", "=", " "] {
                let mut broken = text.clone();
                broken.replace_range(at..=at, other);
                let read = Cursor::parse(&broken).ok();
                let position = read.and_then(|cursor| cursor.position(Order::Oldest, b""));
                assert!(position.is_none() || broken == text, "{broken}");
            }
        }
        for length in 0..text.len() {
            let short = Cursor::parse(&text[..length]).ok();
            assert!(
                short
                    .and_then(|cursor| cursor.position(Order::Oldest, b""))
                    .is_none()
            );
        }
    }
}
