//! Lists of which only the beginning is kept, so that no answer takes more memory than its text.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The first `MAX` entries of a list.
#[derive(Debug)]
pub struct Bounded<T, const MAX: usize> {
    pub kept: Vec<T>,
    /// The number of the others, which were not looked at.
    pub left_off: usize,
}

impl<T, const MAX: usize> Default for Bounded<T, MAX> {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            left_off: 0,
        }
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Bounded<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Entries(PhantomData))
    }
}

struct Entries<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Entries<T, MAX> {
    type Value = Bounded<T, MAX>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut entries: S) -> Result<Self::Value, S::Error> {
        let mut bounded = Bounded::default();
        while bounded.kept.len() < MAX {
            match entries.next_element()? {
                Some(entry) => bounded.kept.push(entry),
                None => return Ok(bounded),
            }
        }
        while entries.next_element::<IgnoredAny>()?.is_some() {
            bounded.left_off += 1;
        }
        Ok(bounded)
    }
}
