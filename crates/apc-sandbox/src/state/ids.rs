//! Makes ids, keys and tokens shaped like the API's own. They open nothing but a sandbox.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};

const BASE64URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A cuid: `c`, the time, a counter, and noise, so that ids sort by creation.
pub(crate) fn cuid(at: DateTime<Utc>) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let time = base36(at.timestamp_millis().unsigned_abs(), 8);
    let counter = base36(COUNTER.fetch_add(1, Ordering::Relaxed), 4);
    format!("c{time}{counter}{}", base36(random(), 12))
}

/// An API key: 32 hex digits.
pub(crate) fn api_key() -> String {
    format!("{:016x}{:016x}", random(), random())
}

/// A user's token. Its signature is noise: the sandbox remembers the tokens it gave out.
pub(crate) fn jwt(user: &str, issued: DateTime<Utc>, expires: DateTime<Utc>) -> String {
    let header = serde_json::json!({"alg": "RS256", "typ": "JWT"});
    let (iat, exp) = (issued.timestamp(), expires.timestamp());
    let payload = serde_json::json!({"uuid": user, "iat": iat, "exp": exp});
    let [header, payload] = [header, payload].map(|part| base64url(part.to_string().as_bytes()));
    format!("{header}.{payload}.{}", base64url(api_key().as_bytes()))
}

/// The last `width` base-36 digits of a number.
fn base36(mut number: u64, width: usize) -> String {
    let mut digits = vec!['0'; width];
    for digit in digits.iter_mut().rev() {
        *digit = char::from_digit((number % 36) as u32, 36).unwrap_or('0');
        number /= 36;
    }
    digits.into_iter().collect()
}

fn base64url(bytes: &[u8]) -> String {
    bytes.chunks(3).flat_map(sextets).collect()
}

/// Up to three bytes as one character more than there are bytes.
fn sextets(chunk: &[u8]) -> impl Iterator<Item = char> {
    let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
    let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    let count = chunk.len() + 1;
    let digit = move |at: usize| BASE64URL.get((bits >> (18 - 6 * at) & 63) as usize);
    (0..count).filter_map(move |at| digit(at).map(|byte| char::from(*byte)))
}

/// Each `RandomState` hashes with keys of its own.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_every_remainder_of_three() {
        assert_eq!(base64url(b"f"), "Zg");
        assert_eq!(base64url(b"fo"), "Zm8");
        assert_eq!(base64url(b"foo?>"), "Zm9vPz4");
    }

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let now = DateTime::<Utc>::from(std::time::SystemTime::now());
        let ids: Vec<_> = (0..100).map(|_| cuid(now)).collect();
        assert!(ids.is_sorted());
        assert!(ids.iter().all(|id| id.len() == 25 && id.starts_with('c')));
    }
}
