//! What is known of one file, in so many bytes, and how it is found among others.

use crate::digest::{Algorithm, Algorithms, Digests};
use crate::sys::Stat;
use crate::sys::xattr::Sight;
use std::cmp::Ordering;

/// A file as it was when something was learned of it, and that.
pub(super) type Record = [u8; RECORD];

/// Bytes of the digest of contents.
const DIGEST: usize = 32;
/// Bytes that tell which file it is.
const FILE: usize = 16;
/// Bytes that tell that it is what it was: the same, size, and both times.
const WHICH: usize = FILE + 32;
/// Bytes of a record: the last one says what is known.
pub(super) const RECORD: usize = WHICH + DIGEST + 1;

/// In the last byte: whether the digest is known.
const DIGESTED: u8 = 0x80;
/// In the last byte: who found no extended attributes.
const SEEN: u8 = 0x03;

/// What is known of a file that is what it was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::tree) struct Known {
    /// The digest of its contents.
    pub(super) digest: Option<[u8; 32]>,
    /// Who looked for extended attributes and found none.
    pub(super) plain: Option<Sight>,
}

impl Known {
    /// BLAKE3 of its contents in the form of a specification, if that is to have no other digest.
    #[must_use]
    pub(in crate::tree) fn digests(&self, algorithms: Algorithms) -> Option<Digests<'static>> {
        if algorithms != [Algorithm::Blake3].into_iter().collect() {
            return None;
        }
        self.digest.as_ref().map(Digests::of_blake3)
    }

    /// Both together, of the same file.
    pub(super) fn and(self, other: Known) -> Known {
        Known { digest: self.digest.or(other.digest), plain: self.plain.max(other.plain) }
    }

    /// As a record of this file.
    pub(super) fn of(&self, which: &[u8; WHICH]) -> Record {
        let mut record = [self.digest.map_or(0, |_| DIGESTED) | self.plain.map_or(0, Sight::level); RECORD];
        if let Some((file, rest)) = record.split_first_chunk_mut()
            && let Some((digest, _)) = rest.split_first_chunk_mut()
        {
            (*file, *digest) = (*which, self.digest.unwrap_or_default());
        }
        record
    }
}

/// A file as it is: file system, number in it, size, time of modification, time of change.
pub(super) fn which(stat: &Stat) -> [u8; WHICH] {
    let pair = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
    let words = [
        pair(stat.dev.0, stat.dev.1),
        stat.ino,
        stat.size,
        stat.mtime.0.cast_unsigned(),
        stat.ctime.0.cast_unsigned(),
        pair(stat.mtime.1, stat.ctime.1),
    ];
    let mut bytes = [0; WHICH];
    bytes.as_chunks_mut().0.iter_mut().zip(words).for_each(|(to, word)| *to = word.to_be_bytes());
    bytes
}

/// Which file a record is of: the order of records.
pub(super) fn file(record: &Record) -> u128 {
    record.first_chunk().map_or(0, |file| u128::from_be_bytes(*file))
}

/// The file as it was.
pub(super) fn was(record: &Record) -> &[u8; WHICH] {
    record.first_chunk().unwrap_or(&[0; WHICH])
}

/// What is known of it.
pub(super) fn known(record: &Record) -> Known {
    let Some((_, [digest @ .., what])) = record.split_first_chunk::<WHICH>() else { return Known::default() };
    let digest = <[u8; DIGEST]>::try_from(digest).ok().filter(|_| what & DIGESTED != 0);
    Known { digest, plain: Sight::of_level(what & SEEN) }
}

/// Where the record of this file is among records that are sorted: sought from a place on where it often is near by.
pub(super) fn find(records: &[Record], wanted: u128, near: usize) -> Option<usize> {
    let (mut low, mut high) = (0, records.len());
    let (mut at, mut step) = (near.min(high.saturating_sub(1)), 1);
    // Where it went from the last place, as long as it goes on that way in longer and longer steps.
    let mut way = None;
    while low < high {
        let order = file(records.get(at)?).cmp(&wanted);
        match order {
            Ordering::Equal => return Some(at),
            Ordering::Less => low = at + 1,
            Ordering::Greater => high = at,
        }
        let on = way.is_none_or(|way| way == order);
        at = match order {
            Ordering::Less if on && step <= high - low => low + step - 1,
            Ordering::Greater if on && step <= high - low => high - step,
            _ => low + (high - low) / 2,
        };
        way = Some(if on { order } else { Ordering::Equal });
        step *= 2;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_in_a_record() {
        let which = std::array::from_fn(|at| u8::try_from(at).unwrap());
        for digest in [None, Some([0; 32]), Some([255; 32])] {
            for plain in [None, Some(Sight::Own), Some(Sight::Part), Some(Sight::All)] {
                let all = Known { digest, plain };
                let record = all.of(&which);
                assert_eq!((known(&record), was(&record)), (all, &which));
                assert_eq!(all.and(Known::default()), all);
                assert_eq!(Known::default().and(all), all);
            }
        }
        assert_eq!(known(&[255; RECORD]), Known { digest: Some([255; 32]), plain: Some(Sight::All) });
    }

    #[test]
    fn each_is_found_from_everywhere() {
        for count in [0, 1, 2, 3, 10, 100] {
            let record = |number: u128| {
                let mut record = [0; RECORD];
                record[..FILE].copy_from_slice(&number.to_be_bytes());
                record
            };
            let records: Vec<Record> = (0..count).map(|at| record(2 * at as u128 + 1)).collect();
            for near in (0..=count).chain([usize::MAX]) {
                for wanted in 0..=2 * count {
                    let there = (wanted % 2 == 1).then_some(wanted / 2);
                    assert_eq!(
                        find(&records, wanted as u128, near),
                        there,
                        "{wanted} of {count} from {near}"
                    );
                }
            }
        }
    }
}
