//! What a receiver names of a specification: indices that rise strictly; of what it asks for, some are begun already.

use crate::digest::{BlockDigests, BlockSum};
use crate::limits;
use crate::report::Progress;
use crate::session::blocks::Blocks;
use crate::spec::{Entry, Index, Spec};
use crate::wire::WireError;
use std::collections::HashMap;

/// Indices that the receiver named, strictly rising.
#[derive(Debug)]
pub(super) struct Ranges<'s> {
    spec: &'s Spec,
    ranges: Vec<(u32, u32)>,
    end: u32,
    /// Those of which the receiver has the beginning.
    resumed: HashMap<u32, Beginning>,
    /// Those of which the receiver has an older one.
    bases: HashMap<u32, Base>,
    /// How many digests of blocks there are for all of these.
    sums: usize,
}

/// An older file, as the receiver has it.
#[derive(Debug)]
struct Base {
    block: usize,
    key: u64,
    sums: Vec<BlockSum>,
}

/// The beginning of a file, as the receiver has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beginning {
    pub(super) length: u64,
    pub(super) digest: [u8; 32],
}

impl<'s> Ranges<'s> {
    pub(super) fn new(spec: &'s Spec) -> Ranges<'s> {
        Ranges { spec, ranges: Vec::new(), end: 0, resumed: HashMap::new(), bases: HashMap::new(), sums: 0 }
    }

    /// Takes `count` indices from `first` on.
    pub(super) fn add(&mut self, first: u32, count: u32) -> Result<(), WireError> {
        let end = first.checked_add(count).filter(|end| *end <= self.spec.len() && count > 0);
        match end {
            Some(end) if first >= self.end => {
                self.ranges.push((first, end));
                self.end = end;
                Ok(())
            }
            _ => Err(WireError::Violation("an index is out of range or out of order")),
        }
    }

    /// Takes one file, of which the receiver has so many bytes with this digest.
    pub(super) fn resume(&mut self, index: u32, length: u64, digest: [u8; 32]) -> Result<(), WireError> {
        self.add(index, 1)?;
        let size = self.spec.index(index).and_then(|index| self.spec.size(index));
        if self.resumed.len() >= limits::PARTIALS || size.is_none_or(|size| length > size) {
            return Err(WireError::Violation("more than can be there of the files that are wanted"));
        }
        self.resumed.insert(index, Beginning { length, digest });
        Ok(())
    }

    /// Takes one file, of which the receiver has an older one in blocks of this size.
    pub(super) fn base(&mut self, index: u32, block: u32, key: u64) -> Result<(), WireError> {
        self.add(index, 1)?;
        let block = usize::try_from(block).ok().filter(|block| limits::BLOCKS.contains(block));
        let block = block.ok_or(WireError::Violation("a size of blocks that is none"))?;
        self.sums += limits::BASE;
        if self.sums > limits::SUMS {
            return Err(WireError::Violation("too many older files"));
        }
        self.bases.insert(index, Base { block, key, sums: Vec::new() });
        Ok(())
    }

    /// Takes digests of the blocks of the file that was named last, in their order.
    pub(super) fn sums(&mut self, sums: &[u8]) -> Result<(), WireError> {
        let (sums, rest) = sums.as_chunks::<{ BlockSum::LENGTH }>();
        let last = self.end.checked_sub(1).and_then(|last| self.bases.get_mut(&last));
        let base = last.ok_or(WireError::Violation("digests of the blocks of no file"))?;
        self.sums += sums.len();
        if self.sums > limits::SUMS || !rest.is_empty() {
            return Err(WireError::Violation("too many digests of blocks, or half a one"));
        }
        base.sums.extend(sums.iter().copied().map(BlockSum::told));
        Ok(())
    }

    /// The blocks of the older file that the receiver has of this one.
    pub(super) fn blocks(&self, index: Index) -> Option<Blocks<'_>> {
        let base = self.bases.get(&index.get())?;
        Some(Blocks::new(BlockDigests::new(base.key, base.block), &base.sums))
    }

    pub(super) const fn spec(&self) -> &'s Spec {
        self.spec
    }

    /// They themselves.
    pub(super) fn indices(&self) -> impl Iterator<Item = Index> + use<'_, 's> {
        let numbers = self.ranges.iter().flat_map(|(first, end)| *first..*end);
        numbers.filter_map(|number| self.spec.index(number))
    }

    /// The entries.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Index, Entry<'s>)> + use<'_, 's> {
        self.indices().map(|index| (index, self.spec.entry(index)))
    }

    /// What the receiver has of this one.
    pub(super) fn beginning(&self, index: Index) -> Option<Beginning> {
        self.resumed.get(&index.get()).copied()
    }

    /// Whether there is any.
    pub(super) fn is_begun(&self) -> bool {
        !self.ranges.is_empty()
    }

    /// How many files there are, and how large they are together.
    ///
    /// # Errors
    /// One is no regular file.
    pub(super) fn total(&self) -> Result<Progress, WireError> {
        let mut total = Progress::default();
        for index in self.indices() {
            let size =
                self.spec.size(index).ok_or(WireError::Violation("what is wanted is no regular file"))?;
            total.files_total += 1;
            total.bytes_total = total.bytes_total.saturating_add(size);
        }
        Ok(total)
    }
}

/// What the receiver asks in turn 2a.
#[derive(Debug)]
pub(super) struct Questions<'s> {
    /// Files, each of which is answered.
    pub(super) single: Ranges<'s>,
    /// Files that are answered together.
    pub(super) together: Ranges<'s>,
    /// Whether it asks for the second time.
    again: bool,
}

impl<'s> Questions<'s> {
    pub(super) fn new(spec: &'s Spec) -> Questions<'s> {
        Questions { single: Ranges::new(spec), together: Ranges::new(spec), again: false }
    }

    /// Whether there is any.
    pub(super) fn is_begun(&self) -> bool {
        self.single.is_begun() || self.together.is_begun()
    }

    /// Once more, if some were asked about together: they may be asked about one by one.
    pub(super) fn again(self) -> Option<Questions<'s>> {
        let more = self.together.is_begun() && !self.again;
        more.then(|| Questions { again: true, ..Questions::new(self.single.spec()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{Dir, Spool};
    use std::io::Write;

    /// So many files of a mebibyte.
    fn spec(files: usize) -> Spec {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(&Dir::open_root(dir.path()).unwrap()).unwrap();
        spool.write_all(b"#mtree\n. type=dir\n").unwrap();
        for number in 0..files {
            writeln!(spool, "./{number:08} type=file size=1048576 time=1.000000000").unwrap();
        }
        Spec::seal(spool).unwrap()
    }

    #[test]
    fn as_many_are_gone_on_with_as_the_limit_says() {
        let spec = spec(limits::PARTIALS + 1);
        let mut ranges = Ranges::new(&spec);
        for index in 1..=u32::try_from(limits::PARTIALS).unwrap() {
            ranges.resume(index, 1 << 20, [0; 32]).unwrap();
        }
        assert!(ranges.resume(spec.len() - 1, 1, [0; 32]).is_err());
        assert!(Ranges::new(&spec).resume(1, (1 << 20) + 1, [0; 32]).is_err(), "more than it has");
    }

    #[test]
    fn as_many_digests_of_blocks_come_as_the_limit_says() {
        let spec = spec(limits::SUMS / limits::BASE + 1);
        let mut ranges = Ranges::new(&spec);
        ranges.base(1, 4096, 7).unwrap();
        let mut left = limits::SUMS - limits::BASE;
        while left > 0 {
            let some = left.min(10_000);
            ranges.sums(&vec![0; some * BlockSum::LENGTH]).unwrap();
            left -= some;
        }
        assert!(ranges.sums(&[0; BlockSum::LENGTH]).is_err());
        // Each file takes room too, if it has no block.
        let mut ranges = Ranges::new(&spec);
        let most = u32::try_from(limits::SUMS / limits::BASE).unwrap();
        (1..=most).for_each(|index| ranges.base(index, 4096, 7).unwrap());
        assert!(ranges.base(most + 1, 4096, 7).is_err());
        let mut ranges = Ranges::new(&spec);
        ranges.base(1, 4096, 7).unwrap();
        assert!(ranges.sums(&[0; BlockSum::LENGTH - 1]).is_err(), "half a digest");
    }
}
