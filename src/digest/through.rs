//! A writer that digests what goes through it.

use crate::digest::Content;
use std::io::{self, Write};

/// Digests what is written to `W`.
pub struct Through<W: Write> {
    out: W,
    content: Content,
}

impl<W: Write> Through<W> {
    /// On the way to `out`.
    pub fn new(out: W) -> Through<W> {
        Through { out, content: Content::new() }
    }

    /// Gives the writer back; and how many bytes went through, and their BLAKE3.
    pub fn finish(self) -> (W, u64, [u8; 32]) {
        (self.out, self.content.length(), self.content.finish())
    }
}

impl<W: Write> Write for Through<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.out.write_all(piece)?;
        self.content.update(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
