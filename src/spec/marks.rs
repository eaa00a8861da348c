//! A set of entries of one specification: a bit for each, however many are in it.

use crate::spec::Index;

/// Entries that have something in common, in tree order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    words: Vec<u64>,
    count: u32,
}

/// Where the bit of an entry is.
const fn bit(index: Index) -> (usize, u64) {
    ((index.get() / u64::BITS) as usize, 1 << (index.get() % u64::BITS))
}

impl Marks {
    /// Puts an entry into the set, if it is not there yet.
    pub fn insert(&mut self, index: Index) {
        let (at, bit) = bit(index);
        if at >= self.words.len() {
            self.words.resize(at + 1, 0);
        }
        if let Some(word) = self.words.get_mut(at) {
            self.count += u32::from(*word & bit == 0);
            *word |= bit;
        }
    }

    /// Takes an entry out of the set, if it is in it.
    pub fn remove(&mut self, index: Index) {
        let (at, bit) = bit(index);
        if let Some(word) = self.words.get_mut(at) {
            self.count -= u32::from(*word & bit != 0);
            *word &= !bit;
        }
    }

    /// Whether an entry is in it.
    #[must_use]
    pub fn contains(&self, index: Index) -> bool {
        let (at, bit) = bit(index);
        self.words.get(at).is_some_and(|word| word & bit != 0)
    }

    /// How many are in it.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.count
    }

    /// Whether none is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Those that are in it.
    pub fn iter(&self) -> impl Iterator<Item = Index> + '_ {
        let bits = |word: &u64| {
            let word = *word;
            (0..u64::BITS).filter(move |bit| word & (1 << bit) != 0)
        };
        let places = self.words.iter().zip((0u32..).step_by(u64::BITS as usize));
        places.flat_map(move |(word, first)| bits(word).map(move |bit| Index::of(first + bit)))
    }
}

impl Extend<Index> for Marks {
    fn extend<I: IntoIterator<Item = Index>>(&mut self, indices: I) {
        indices.into_iter().for_each(|index| self.insert(index));
    }
}

impl FromIterator<Index> for Marks {
    fn from_iter<I: IntoIterator<Item = Index>>(indices: I) -> Marks {
        let mut marks = Marks::default();
        marks.extend(indices);
        marks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out_in_order() {
        let some = [700, 0, 63, 64, 65, 0, 699];
        let marks: Marks = some.into_iter().map(Index::of).collect();
        let out: Vec<u32> = marks.iter().map(Index::get).collect();
        assert_eq!(out, [0, 63, 64, 65, 699, 700]);
        assert_eq!(marks.len(), 6);
        assert!(marks.contains(Index::of(65)) && !marks.contains(Index::of(66)));
        assert!(!marks.contains(Index::of(1 << 20)) && Marks::default().is_empty());
        let mut fewer = marks;
        [64, 64, 1, 1 << 20].into_iter().map(Index::of).for_each(|index| fewer.remove(index));
        assert_eq!(fewer.iter().map(Index::get).collect::<Vec<_>>(), [0, 63, 65, 699, 700]);
        assert_eq!(fewer.len(), 5);
    }
}
