//! Sends of a file what the receiver's has not, and of the rest where it is there.

use super::{Gone, Reader};
use crate::session::blocks::{Blocks, Part, Search};
use crate::session::digesting::Digesting;
use crate::sys::File;
use crate::wire::{Message, Packer};
use std::io::{self, Read};

/// Bytes of a row of blocks that is passed on, however much room its record has: the receiver puts them together while
/// the next ones are looked for.
const ROW: u64 = 16 << 20;

/// A row of blocks that is not said yet.
#[derive(Clone, Copy, Default)]
struct Row {
    from: u64,
    length: u64,
}

impl Reader<'_> {
    /// Reads from here to there, and says what is new and what is kept of them. Gives back how many there were.
    pub(super) fn delta(
        &mut self,
        file: &File,
        (begin, end): (u64, u64),
        content: &mut Digesting,
        blocks: &Blocks<'_>,
    ) -> Result<io::Result<u64>, Gone> {
        let mut search = Search::new(blocks);
        let (mut at, mut row, mut last) = (begin, Row::default(), false);
        while !last {
            let piece = match search.read(end - at, |space| file.read_at(space, at)) {
                Ok(piece) => piece,
                Err(error) => return Ok(Err(error)),
            };
            content.update(piece);
            at += piece.len() as u64;
            last = piece.is_empty() || at == end;
            while let Some(part) = search.part(last) {
                match part {
                    Part::Kept(number) => self.kept(&mut row, number, blocks.size() as u64)?,
                    Part::New(bytes) => {
                        self.end_row(&mut row)?;
                        self.fresh(bytes)?;
                    }
                }
            }
        }
        self.end_row(&mut row)?;
        Ok(Ok(at - begin))
    }

    fn kept(&mut self, row: &mut Row, number: u32, size: u64) -> Result<(), Gone> {
        let from = u64::from(number) * size;
        if row.length >= ROW {
            self.end_row(row)?;
            self.pass_on()?;
        } else if row.length > 0 && row.from + row.length != from {
            self.end_row(row)?;
        }
        *row = if row.length > 0 {
            Row { length: row.length + size, ..*row }
        } else {
            Row { from, length: size }
        };
        Ok(())
    }

    fn end_row(&mut self, row: &mut Row) -> Result<(), Gone> {
        let Row { from, length } = std::mem::take(row);
        if length > 0 {
            self.say(&Message::Copy { from, length })?;
            self.progress.bytes = self.progress.bytes.saturating_add(length);
        }
        Ok(())
    }

    fn fresh(&mut self, mut bytes: &[u8]) -> Result<(), Gone> {
        self.progress.bytes = self.progress.bytes.saturating_add(bytes.len() as u64);
        while !bytes.is_empty() {
            let least = if self.packer.is_some() { Packer::ROOM } else { 1024 };
            if (self.batch.room() as u64) < (bytes.len() as u64).min(least) {
                self.pass_on()?;
            }
            // Nothing that is in memory fails to be read.
            let taken = self.batch.read_data(bytes.len() as u64, |space| bytes.read(space));
            let Ok(taken @ 1..) = taken else { return Err(Gone) };
            if let Some(packer) = &mut self.packer {
                packer.pack(&mut self.batch, taken);
            }
        }
        Ok(())
    }
}
