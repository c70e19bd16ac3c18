//! The choice among the accounts of a list: the parts that decide it, and the first ones of an order.
//! Keeps a bounded number of accounts, however long the list is.

/// The parts of an account that decide whether it is selected. It has no `Debug`: the key may be whole.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its label.
    pub label: Option<&'a str>,
    /// Its key, whole or masked.
    pub api_key: Option<&'a str>,
    /// Its role in the place of the list, where it shows.
    pub role: Option<&'a str>,
    /// Its category.
    pub category: Shown<&'a str>,
    /// When it was created.
    pub created_at: Option<&'a str>,
    /// When it was last used.
    pub last_used_at: Shown<&'a str>,
}

/// A value that may be none, or not known at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown<T> {
    /// The API shows it.
    Value(T),
    /// The API shows that there is none.
    Nothing,
    /// The release does not show it, or it could not be read.
    Unknown,
}

/// The first items of an order, at most a given number of them.
pub struct First<R, T> {
    kept: Vec<(R, T)>,
    most: usize,
    /// Set once the first of the items are sorted: later ones stand behind them.
    is_short: bool,
}

/// The fewest items at which the ones too many are dropped.
const ROOM: usize = 256;

/// The items that are kept for each one that stays, so that they are seldom sorted.
const ROOM_FOR_ONE: usize = 4;

impl<R: Ord, T> First<R, T> {
    /// An empty order that keeps at most this many.
    pub fn new(most: usize) -> Self {
        Self {
            kept: Vec::new(),
            most,
            is_short: false,
        }
    }

    /// Adds an item. Items of one rank stay in the order in which they came.
    pub fn push(&mut self, rank: R, item: T) {
        let last = self.most.checked_sub(1).map(|last| self.kept.get(last));
        let comes_too_late = match last {
            None => true,
            Some(last) => self.is_short && last.is_some_and(|(last, _)| *last <= rank),
        };
        if comes_too_late {
            return;
        }
        self.kept.push((rank, item));
        if self.kept.len() >= self.most.saturating_mul(ROOM_FOR_ONE).max(ROOM) {
            self.shorten();
        }
    }

    /// The items in their order.
    pub fn into_items(mut self) -> impl Iterator<Item = T> {
        self.shorten();
        self.kept.into_iter().map(|(_, item)| item)
    }

    fn shorten(&mut self) {
        self.kept.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.kept.truncate(self.most);
        self.is_short = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(most: usize, ranks: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut first = First::new(most);
        for rank in ranks {
            first.push(rank, rank);
            assert!(first.kept.len() < (ROOM_FOR_ONE * most).max(ROOM));
        }
        first.into_items().collect()
    }

    #[test]
    fn the_first_of_an_order_are_kept_in_bounded_room() {
        assert_eq!(first(3, (0..10_000).rev()), [0, 1, 2]);
        assert_eq!(first(3, 0..10_000), [0, 1, 2]);
        let mixed = (0..10_000).map(|number| number * 7_919 % 10_007);
        let mut expected: Vec<_> = mixed.clone().collect();
        expected.sort_unstable();
        assert_eq!(first(100, mixed), expected[..100]);
        assert!(first(0, 0..10).is_empty());
        assert_eq!(first(5, [2, 1].into_iter()), [1, 2]);
    }

    #[test]
    fn what_has_no_rank_stays_as_it_came() {
        let mut all = First::new(usize::MAX);
        for item in [3, 1, 2] {
            all.push((), item);
        }
        assert_eq!(all.into_items().collect::<Vec<_>>(), [3, 1, 2]);
    }
}
