//! Finds in a file the blocks that another one has, of which nothing but the digests is known.

use crate::digest::Rolling;
use std::hash::{BuildHasher, RandomState};
use std::io;

/// The blocks of a file that the other side has.
#[derive(Debug)]
pub(super) struct Blocks {
    rolling: Rolling,
    sums: Vec<u64>,
    /// Numbers of blocks, each behind the place that its digest says; blocks that are the same are entered once.
    table: Vec<u32>,
    /// Decides of places, so that nobody can choose digests that have the same one.
    factor: u64,
    shift: u32,
}

/// No block.
const NONE: u32 = u32::MAX;

impl Blocks {
    /// Those of these digests, in their order.
    pub(super) fn new(rolling: Rolling, sums: Vec<u64>) -> Blocks {
        let places = (sums.len() * 2).next_power_of_two().max(2);
        let shift = u64::BITS - places.trailing_zeros();
        let factor = RandomState::new().hash_one(places) | 1;
        let mut blocks = Blocks { rolling, sums, table: vec![NONE; places], factor, shift };
        for number in 0..blocks.sums.len() {
            let sum = blocks.sums.get(number).copied().unwrap_or_default();
            let (found, place) = blocks.look(sum);
            if let (None, Some(entry)) = (found, blocks.table.get_mut(place)) {
                *entry = u32::try_from(number).unwrap_or(NONE);
            }
        }
        blocks
    }

    /// How many bytes each has.
    pub(super) const fn size(&self) -> usize {
        self.rolling.block()
    }

    fn has(&self, number: u32, sum: u64) -> bool {
        self.sums.get(number as usize) == Some(&sum)
    }

    /// A block of this digest, and its place, or that of one.
    fn look(&self, sum: u64) -> (Option<u32>, usize) {
        let mask = self.table.len() - 1;
        let mut place = usize::try_from(sum.wrapping_mul(self.factor) >> self.shift).unwrap_or_default();
        loop {
            match self.table.get(place) {
                Some(&number) if number != NONE && self.has(number, sum) => return (Some(number), place),
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

/// Looks for blocks in a content that comes in pieces. Each byte is digested twice at most: once in a block, and once when
/// the block moves over it.
#[derive(Debug)]
pub(super) struct Search<'b> {
    blocks: &'b Blocks,
    window: Vec<u8>,
    /// Where in the window what is new begins.
    new: usize,
    /// Where in the window the block begins that is looked at.
    at: usize,
    /// The digest of that block, if it is known.
    sum: Option<u64>,
    /// The block behind the last one that was found: likely the next.
    next: u32,
    /// How many bytes were digested.
    #[cfg(test)]
    work: usize,
}

/// So many new bytes are passed on without waiting for where they end.
const NEW: usize = 128 * 1024;
/// How much is read at once, and a block at least.
const PIECE: usize = 1 << 20;

impl<'b> Search<'b> {
    pub(super) const fn new(blocks: &'b Blocks) -> Search<'b> {
        Search {
            blocks,
            window: Vec::new(),
            new: 0,
            at: 0,
            sum: None,
            next: NONE,
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
        self.window.drain(..self.new);
        self.at -= self.new;
        self.new = 0;
        let had = self.window.len();
        let piece = PIECE.max(self.blocks.size()).min(usize::try_from(limit).unwrap_or(usize::MAX));
        self.window.resize(had + piece, 0);
        let read = read(self.window.get_mut(had..).unwrap_or_default());
        self.window.truncate(had + read.as_ref().map_or(0, |read| *read));
        read.map(|_| self.window.get(had..).unwrap_or_default())
    }

    /// The next part of what was read; `None` when more is to be read, or, after the last, nothing is left.
    pub(super) fn part(&mut self, last: bool) -> Option<Part<'_>> {
        let size = self.blocks.size();
        if self.window.len() - self.at >= size {
            let block = self.window.get(self.at..self.at + size).unwrap_or_default();
            let mut sum = self.sum.unwrap_or_else(|| self.blocks.rolling.of(block));
            #[cfg(test)]
            {
                self.work += if self.sum.is_none() { size } else { 0 };
            }
            let mut found = self.found(sum);
            if found.is_none() {
                let out = self.window.get(self.at..).unwrap_or_default();
                let coming = self.window.get(self.at + size..).unwrap_or_default();
                let mut moved = 0;
                for (out, coming) in out.iter().zip(coming) {
                    sum = self.blocks.rolling.roll(sum, *out, *coming);
                    moved += 1;
                    found = self.blocks.look(sum).0;
                    if found.is_some() || self.at + moved - self.new >= NEW {
                        break;
                    }
                }
                self.at += moved;
                #[cfg(test)]
                {
                    self.work += moved;
                }
            }
            self.sum = Some(sum);
            match found {
                Some(block) if self.at == self.new => {
                    self.at += size;
                    (self.new, self.sum, self.next) = (self.at, None, block + 1);
                    return Some(Part::Kept(block));
                }
                Some(_) => return self.pass(self.at),
                None if self.at - self.new >= NEW => return self.pass(self.at),
                None => {}
            }
        }
        if last && self.new < self.window.len() {
            (self.at, self.sum) = (self.window.len(), None);
            return self.pass(self.at);
        }
        None
    }

    fn found(&self, sum: u64) -> Option<u32> {
        if self.blocks.has(self.next, sum) { Some(self.next) } else { self.blocks.look(sum).0 }
    }

    /// What is new up to there.
    fn pass(&mut self, end: usize) -> Option<Part<'_>> {
        let from = std::mem::replace(&mut self.new, end);
        self.window.get(from..end).map(Part::New)
    }
}

#[cfg(test)]
#[path = "blocks_tests.rs"]
mod tests;
