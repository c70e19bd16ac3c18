//! A set of secrets that finds its members in text.
//! Knows nothing of their age or origin.
//!
//! It is sorted instead of compiled into an automaton: an answer may bring thousands of keys, texts are short, and an
//! automaton over that many keys costs more than everything else in a call.

use std::borrow::Cow;

use super::secret::REDACTED;

/// Shorter strings are no secrets of this API, and scrubbing them would eat ordinary text.
const SHORTEST: usize = 16;

/// Secrets in the order of their bytes.
#[derive(Debug)]
pub struct SecretSet<T> {
    sorted: Vec<T>,
    /// The length of the shortest secret that was ever in the set, in bytes. A shorter text holds none.
    shortest: usize,
}

impl<T> Default for SecretSet<T> {
    fn default() -> Self {
        Self {
            sorted: Vec::new(),
            shortest: usize::MAX,
        }
    }
}

impl<T: AsRef<str>> SecretSet<T> {
    /// Adds a secret and tells whether it is new. A text that is too short to be a secret is not added.
    pub fn insert(&mut self, secret: T) -> bool {
        match self.position(secret.as_ref()) {
            Err(position) if secret.as_ref().len() >= SHORTEST => {
                self.shortest = self.shortest.min(secret.as_ref().len());
                self.sorted.insert(position, secret);
                true
            }
            _ => false,
        }
    }

    /// Takes a secret out.
    pub fn remove(&mut self, secret: &str) {
        if let Ok(position) = self.position(secret) {
            self.sorted.remove(position);
        }
    }

    /// The text with a mark in place of every secret. Of two that begin at one place the longer counts.
    pub fn scrub<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut clean = String::new();
        let mut rest = text;
        while let Some((start, length)) = self.find(rest) {
            let (before, from) = rest.split_at(start);
            clean.push_str(before);
            clean.push_str(REDACTED);
            rest = from.get(length..).unwrap_or_default();
        }
        if rest.len() == text.len() {
            return Cow::Borrowed(text);
        }
        clean.push_str(rest);
        Cow::Owned(clean)
    }

    /// The place and the length of the first secret in the text.
    fn find(&self, text: &str) -> Option<(usize, usize)> {
        let last = text.len().checked_sub(self.shortest)?;
        let starts = text.char_indices().map(|(start, _)| start);
        starts.take_while(|start| *start <= last).find_map(|start| {
            let length = self.at_beginning(text.get(start..)?.as_bytes())?;
            Some((start, length))
        })
    }

    /// The length of the longest secret that the text begins with.
    fn at_beginning(&self, text: &[u8]) -> Option<usize> {
        let beginning = text.get(..SHORTEST)?;
        let bytes = |secret: &T| secret.as_ref().len();
        let from = self
            .sorted
            .partition_point(|secret| secret.as_ref().as_bytes() < beginning);
        let alike = self.sorted.iter().skip(from).take_while(|secret| {
            let secret = secret.as_ref().as_bytes();
            secret.starts_with(beginning)
        });
        alike
            .filter(|secret| text.starts_with(secret.as_ref().as_bytes()))
            .map(bytes)
            .max()
    }

    fn position(&self, secret: &str) -> Result<usize, usize> {
        self.sorted
            .binary_search_by(|other| other.as_ref().cmp(secret))
    }
}

/// Secrets from anywhere, in any order, sorted once.
impl<T: AsRef<str>> FromIterator<T> for SecretSet<T> {
    fn from_iter<I: IntoIterator<Item = T>>(secrets: I) -> Self {
        let long = |secret: &T| secret.as_ref().len() >= SHORTEST;
        let mut sorted: Vec<_> = secrets.into_iter().filter(long).collect();
        sorted.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
        sorted.dedup_by(|one, other| one.as_ref() == other.as_ref());
        let shortest = sorted.iter().map(|secret| secret.as_ref().len()).min();
        Self {
            shortest: shortest.unwrap_or(usize::MAX),
            sorted,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set<'a>(secrets: &[&'a str]) -> SecretSet<&'a str> {
        secrets.iter().copied().collect()
    }

    #[test]
    fn a_text_that_is_the_shortest_secret_and_no_more_is_taken_out() {
        let shortest = "a".repeat(SHORTEST);
        assert_eq!(set(&[&shortest]).scrub(&shortest), REDACTED);
        let shorter = &shortest[1..];
        assert_eq!(set(&[shorter]).scrub(shorter), shorter);
        assert!(!SecretSet::default().insert(shorter));
    }

    #[test]
    fn of_two_secrets_the_longer_is_taken_out_whole() {
        let set = set(&[
            "abcdefghijklmnop",
            "abcdefghijklmnopqrst",
            "abcdefghijklmnopqrstz",
        ]);
        assert_eq!(set.scrub("<abcdefghijklmnopqrst>"), "<[redacted]>");
    }

    #[test]
    fn a_secret_that_is_taken_out_of_the_set_stays_in_texts() {
        let mut set = set(&["abcdefghijklmnop"]);
        assert!(!set.insert("abcdefghijklmnop"));
        set.remove("abcdefghijklmnop");
        assert_eq!(set.scrub("abcdefghijklmnop"), "abcdefghijklmnop");
    }

    proptest! {
        #[test]
        fn no_secret_is_left_in_any_text(
            secrets in proptest::collection::vec("[abü]{16,20}", 1..20),
            pieces in proptest::collection::vec(("[abü ]{0,20}", any::<proptest::sample::Index>()), 0..8),
        ) {
            let mut text = String::new();
            for (before, index) in &pieces {
                text.push_str(before);
                let secret: &String = index.get(&secrets);
                text.push_str(secret);
            }
            let set: SecretSet<_> = secrets.iter().collect();
            let clean = set.scrub(&text);
            prop_assert!(clean.split(REDACTED).all(|part| secrets.iter().all(|secret| !part.contains(secret))));
            prop_assert_eq!(pieces.is_empty(), clean.is_empty());
        }
    }
}
