//! Finds in a file the blocks that another one has, of which nothing but the digests is known.

use crate::digest::{BlockDigests, BlockSum, Rolling, Sums};
use crate::sys::Buffer;
use std::hash::{BuildHasher, RandomState};
use std::io;

/// The blocks of a file that the other side has.
#[derive(Debug)]
pub(super) struct Blocks<'b> {
    digests: BlockDigests,
    sums: &'b [BlockSum],
    filter: Filter,
    /// Finds one of the blocks of a rolling digest.
    rolling: Table,
    /// Finds the block of both digests.
    both: Table,
}

/// No block.
const NONE: u32 = u32::MAX;

impl<'b> Blocks<'b> {
    /// Those of these digests, in their order.
    pub(super) fn new(digests: BlockDigests, sums: &'b [BlockSum]) -> Blocks<'b> {
        let (filter, table) = (Filter::new(sums.len()), || Table::new(sums.len()));
        let mut blocks = Blocks { digests, sums, filter, rolling: table(), both: table() };
        for (number, sum) in (0..NONE).zip(sums) {
            blocks.filter.enter(sum.rolling());
            let rolling = sum.rolling();
            blocks.rolling.enter(number, (rolling, 0), |other| has_rolling(sums, other, rolling));
            blocks.both.enter(number, both(*sum), |other| has(sums, other, *sum));
        }
        blocks
    }

    /// How many bytes each has.
    pub(super) const fn size(&self) -> usize {
        self.digests.block()
    }

    /// Whether there is a block of this rolling digest.
    fn may_have(&self, rolling: u64) -> bool {
        self.filter.may_have(rolling)
            && self.rolling.find((rolling, 0), |other| has_rolling(self.sums, other, rolling)).is_some()
    }

    /// The block that these bytes are.
    fn look(&self, sum: BlockSum) -> Option<u32> {
        self.both.find(both(sum), |other| has(self.sums, other, sum))
    }

    /// Whether these bytes are the block of this number.
    fn is(&self, number: usize, block: &[u8]) -> bool {
        let sum = self.sums.get(number);
        sum.is_some_and(|sum| sum.keyed() == self.digests.keyed.of(block))
    }

    /// Moves over `out`, and what comes into the block at its other end, until there may be a block. Says how far it
    /// went, and whether there may be one.
    fn roll(&self, sums: &mut Sums, out: &[u8], coming: &[u8]) -> (usize, bool) {
        let mut moved = 0;
        for (out, coming) in out.iter().zip(coming) {
            *sums = self.digests.rolling.roll(*sums, *out, *coming);
            moved += 1;
            if self.may_have(self.digests.rolling.digest(*sums)) {
                return (moved, true);
            }
        }
        (moved, false)
    }
}

fn has(sums: &[BlockSum], number: u32, sum: BlockSum) -> bool {
    sums.get(number as usize) == Some(&sum)
}

fn has_rolling(sums: &[BlockSum], number: u32, rolling: u64) -> bool {
    sums.get(number as usize).is_some_and(|sum| sum.rolling() == rolling)
}

const fn both(sum: BlockSum) -> (u64, u64) {
    (sum.rolling(), sum.keyed())
}

/// Tells of most rolling digests that no block has them, in a few kilobytes.
#[derive(Debug)]
struct Filter {
    bits: Vec<u64>,
    shift: u32,
}

impl Filter {
    /// Bits for each block: of as many digests, no more than one is looked up in vain.
    const EACH: usize = 32;

    fn new(count: usize) -> Filter {
        let bits = (count * Filter::EACH).next_power_of_two().max(64);
        Filter { bits: vec![0; bits / 64], shift: Rolling::BITS - bits.trailing_zeros() }
    }

    fn place(&self, rolling: u64) -> (usize, u64) {
        let bit = rolling >> self.shift;
        (usize::try_from(bit >> 6).unwrap_or_default(), 1 << (bit & 63))
    }

    fn enter(&mut self, rolling: u64) {
        let (word, bit) = self.place(rolling);
        if let Some(word) = self.bits.get_mut(word) {
            *word |= bit;
        }
    }

    fn may_have(&self, rolling: u64) -> bool {
        let (word, bit) = self.place(rolling);
        self.bits.get(word).is_some_and(|word| word & bit != 0)
    }
}

/// Numbers of blocks, each behind the place that its digests say; of those that have the same digests, the first.
#[derive(Debug)]
struct Table {
    places: Vec<u32>,
    /// Decide of places, so that nobody can choose digests that have the same one.
    factors: (u64, u64),
    shift: u32,
}

impl Table {
    fn new(count: usize) -> Table {
        let places = (count * 2).next_power_of_two().max(2);
        let shift = u64::BITS - places.trailing_zeros();
        let factor = || RandomState::new().hash_one(places) | 1;
        Table { places: vec![NONE; places], factors: (factor(), factor()), shift }
    }

    fn enter(&mut self, number: u32, digests: (u64, u64), is_same: impl Fn(u32) -> bool) {
        let (found, place) = self.look(digests, is_same);
        if let (None, Some(entry)) = (found, self.places.get_mut(place)) {
            *entry = number;
        }
    }

    fn find(&self, digests: (u64, u64), is_same: impl Fn(u32) -> bool) -> Option<u32> {
        self.look(digests, is_same).0
    }

    /// The number behind the place of these digests that is the same, and its place, or that of one.
    fn look(&self, digests: (u64, u64), is_same: impl Fn(u32) -> bool) -> (Option<u32>, usize) {
        let mask = self.places.len() - 1;
        let (one, two) = (digests.0.wrapping_mul(self.factors.0), digests.1.wrapping_mul(self.factors.1));
        let mut place = usize::try_from(one.wrapping_add(two) >> self.shift).unwrap_or_default();
        loop {
            match self.places.get(place) {
                Some(&number) if number != NONE && is_same(number) => return (Some(number), place),
                Some(&number) if number != NONE => place = (place + 1) & mask,
                _ => return (None, place),
            }
        }
    }
}

/// A part of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'p> {
    /// Bytes that the other file does not have.
    New(&'p [u8]),
    /// The block of this number.
    Kept(u32),
}

/// Looks for blocks in a content that comes in pieces. Behind a block that was found, the next one is expected, and looked
/// at by its keyed digest; if it is another, those behind it are expected where they were, for most files are changed in
/// place, and what is there instead is looked for as a whole. Else the rolling one moves on a byte at a time, until a block has it: what is there then has its
/// keyed digest computed too, but no more than [`IN_VAIN`] times in vain for as many bytes as a block has, whatever the
/// contents: so all takes time that grows with them only.
#[derive(Debug)]
pub(super) struct Search<'b> {
    blocks: &'b Blocks<'b>,
    window: Buffer,
    /// How much of the window was read.
    filled: usize,
    /// Where in the window what is new begins.
    new: usize,
    /// Where in the window the block begins that is looked at.
    at: usize,
    /// The sums of that block, if they are known.
    sums: Option<Sums>,
    /// What that block is, and which one is expected behind it.
    found: Option<(u32, u32)>,
    /// The block behind the last one that was found: likely the next.
    next: u32,
    /// How many blocks may still be looked for behind one that is another.
    ahead: usize,
    /// Whether the block that is looked at is known not to be the one that was expected.
    is_other: bool,
    /// And how many more in a row, before one that is where it was.
    others: usize,
    /// How many bytes may still be digested in vain.
    credit: usize,
    /// How many bytes were digested.
    #[cfg(test)]
    work: usize,
}

/// Blocks in a row that may have been changed in place. Each is looked for at the price of one that was found before.
const IN_PLACE: usize = 4;

/// What became of the block that was expected.
enum Expected {
    /// It is there; or, where it was changed in place, another one.
    Found,
    /// It was changed in place.
    New,
    /// More is to be read before that can be said.
    More,
    /// Something else is there.
    Other,
}

/// A keyed digest takes a tenth of the time that the rolling one needs to move over as much.
const IN_VAIN: usize = 8;
/// So many new bytes are passed on without waiting for where they end.
const NEW: usize = 128 * 1024;
/// How much is read at once, and a block at least: it stays where the processor finds it again.
const PIECE: usize = 256 * 1024;

impl<'b> Search<'b> {
    pub(super) fn new(blocks: &'b Blocks<'b>) -> Search<'b> {
        Search {
            blocks,
            // What is left of one piece is less than the blocks that are looked at together, and what is new.
            window: Buffer::new(PIECE.max(blocks.size()) + (1 + IN_PLACE) * blocks.size() + NEW),
            filled: 0,
            new: 0,
            at: 0,
            sums: None,
            found: None,
            next: NONE,
            ahead: 0,
            is_other: false,
            others: 0,
            credit: IN_VAIN * blocks.size(),
            #[cfg(test)]
            work: 0,
        }
    }

    /// Reads the next piece, of at most `limit` bytes, and gives it back: `None` at the end.
    pub(super) fn read(
        &mut self,
        limit: u64,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<&[u8]> {
        self.window.copy_within(self.new..self.filled, 0);
        self.filled -= self.new;
        self.at -= self.new;
        self.new = 0;
        let had = self.filled;
        let piece = PIECE.max(self.blocks.size()).min(usize::try_from(limit).unwrap_or(usize::MAX));
        self.filled += read(self.window.get_mut(had..had + piece).unwrap_or_default())?;
        Ok(self.window.get(had..self.filled).unwrap_or_default())
    }

    /// The next part of what was read; `None` when more is to be read, or, after the last, nothing is left.
    pub(super) fn part(&mut self, last: bool) -> Option<Part<'_>> {
        let size = self.blocks.size();
        while self.found.is_none() && self.filled - self.at >= size {
            match self.expect(last) {
                Expected::Found => {}
                Expected::New => continue,
                Expected::More => return None,
                Expected::Other => self.search(),
            }
            break;
        }
        match self.found {
            Some((block, next)) if self.at == self.new => {
                self.at += size;
                (self.new, self.sums, self.found, self.next) = (self.at, None, None, next);
                Some(Part::Kept(block))
            }
            None if self.at - self.new < NEW && !last => None,
            None if self.at - self.new < NEW => {
                (self.at, self.sums) = (self.filled, None);
                if self.new < self.filled { self.pass() } else { None }
            }
            _ => self.pass(),
        }
    }

    /// Looks for the block behind the last one that was found, and for those behind that where they were.
    fn expect(&mut self, last: bool) -> Expected {
        let size = self.blocks.size();
        if self.sums.is_some() || self.next as usize >= self.blocks.sums.len() {
            return Expected::Other;
        }
        let window = self.window.get(..self.filled).unwrap_or_default();
        let mut work = 0;
        let mut is = |ahead: usize| {
            work += size;
            let (at, next) = (self.at + ahead * size, self.next as usize + ahead);
            let block = window.get(at..at + size);
            block.is_some_and(|block| self.blocks.is(next, block))
        };
        if self.others == 0 {
            if !self.is_other && is(0) {
                self.worked(work);
                self.ahead = IN_PLACE.min(self.ahead + 1);
                self.found = Some((self.next, self.next + 1));
                return Expected::Found;
            }
            if self.ahead > 0 && !last && window.len() - self.at < (1 + self.ahead) * size {
                self.worked(work);
                self.is_other = true;
                return Expected::More;
            }
            let ahead = std::mem::take(&mut self.ahead);
            self.others = (1..=ahead).find(|ahead| is(*ahead)).unwrap_or_default();
            self.worked(work);
            self.is_other = false;
            if self.others == 0 {
                return Expected::Other;
            }
        }
        self.others -= 1;
        self.changed_in_place()
    }

    /// Looks for the block that is where another one was.
    fn changed_in_place(&mut self) -> Expected {
        let size = self.blocks.size();
        let block = self.window.get(self.at..self.at + size).unwrap_or_default();
        self.found = self.blocks.look(self.blocks.digests.of(block)).map(|block| (block, self.next + 1));
        self.worked(2 * size);
        if self.found.is_some() {
            return Expected::Found;
        }
        (self.at, self.next) = (self.at + size, self.next + 1);
        Expected::New
    }

    /// Looks for a block from where the window stands on, until one is found, there is enough that is new, or no more.
    fn search(&mut self) {
        let (blocks, size) = (self.blocks, self.blocks.size());
        let window = self.window.get(..self.filled).unwrap_or_default();
        let digests = &blocks.digests;
        let block = |at: usize| window.get(at..at + size).unwrap_or_default();
        let (mut work, mut hit) = (0, false);
        let mut sums = self.sums.unwrap_or_else(|| {
            work += size;
            let sums = digests.rolling.of(block(self.at));
            hit = blocks.may_have(digests.rolling.digest(sums));
            sums
        });
        loop {
            if hit && self.credit >= size {
                work += size;
                let keyed = digests.keyed.of(block(self.at));
                let found = blocks.look(BlockSum::new(digests.rolling.digest(sums), keyed));
                self.found = found.map(|block| (block, block + 1));
                if self.found.is_some() {
                    break;
                }
                self.credit -= size;
            }
            let end = window.len().min(self.new + NEW);
            let (out, coming) = (window.get(self.at..end), window.get(self.at + size..));
            let (moved, may_be) = blocks.roll(&mut sums, out.unwrap_or_default(), coming.unwrap_or_default());
            work += moved;
            self.at += moved;
            self.credit = self.credit.saturating_add(IN_VAIN * moved);
            hit = may_be;
            if !hit {
                break;
            }
        }
        self.sums = Some(sums);
        self.worked(work);
    }

    #[cfg_attr(not(test), allow(clippy::unused_self, clippy::needless_pass_by_ref_mut))]
    const fn worked(&mut self, _bytes: usize) {
        #[cfg(test)]
        {
            self.work += _bytes;
        }
    }

    /// What is new.
    fn pass(&mut self) -> Option<Part<'_>> {
        let from = std::mem::replace(&mut self.new, self.at);
        self.window.get(from..self.at).map(Part::New)
    }
}

#[cfg(test)]
#[path = "blocks_tests.rs"]
mod tests;
