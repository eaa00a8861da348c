//! A text as edits make it of another one, while both are read.

use crate::limits;
use crate::session::baseline::file::damaged;
use crate::session::edits::number;
use std::io::{self, BufRead, Read};

/// Reads the text that edits make of `base`; what is damaged is an error.
pub(super) struct Redone<B, E> {
    base: B,
    edits: E,
    /// A line of the edits, and where that begins which is to be read of it.
    line: Vec<u8>,
    at: usize,
    /// Lines of the other text that are still to come.
    keep: u64,
    /// Bytes of it that are at hand, and are to be read.
    ready: usize,
}

impl<B: BufRead, E: BufRead> Redone<B, E> {
    pub(super) const fn new(base: B, edits: E) -> Redone<B, E> {
        Redone { base, edits, line: Vec::new(), at: 0, keep: 0, ready: 0 }
    }

    /// Goes on to what is to be read next, unless all of it was.
    fn go_on(&mut self) -> io::Result<()> {
        while self.ready == 0 && self.at >= self.line.len() {
            if self.keep > 0 {
                (self.ready, self.keep) = lines(&mut self.base, self.keep)?;
                continue;
            }
            self.line.clear();
            self.at = 0;
            // A line, and what is before it.
            (&mut self.edits).take(limits::SPEC_LINE as u64 + 1).read_until(b'\n', &mut self.line)?;
            match self.line.split_first() {
                None => return Ok(()),
                Some((b'+', _)) => self.at = 1,
                Some((b'=', count)) => {
                    self.keep = number(count).ok_or_else(damaged)?;
                    self.line.clear();
                }
                Some((b'-', count)) => {
                    let mut left = number(count).ok_or_else(damaged)?;
                    while left > 0 {
                        let bytes;
                        (bytes, left) = lines(&mut self.base, left)?;
                        self.base.consume(bytes);
                    }
                    self.line.clear();
                }
                Some(_) => return Err(damaged()),
            }
        }
        Ok(())
    }
}

/// How many bytes at hand are of the next so many lines, and how many more of these there are then.
fn lines(base: &mut impl BufRead, count: u64) -> io::Result<(usize, u64)> {
    let part = base.fill_buf()?;
    if part.is_empty() {
        return Err(damaged());
    }
    let mut left = count;
    for end in memchr::memchr_iter(b'\n', part) {
        left -= 1;
        if left == 0 {
            return Ok((end + 1, 0));
        }
    }
    Ok((part.len(), left))
}

impl<B: BufRead, E: BufRead> BufRead for Redone<B, E> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.go_on()?;
        if self.ready == 0 {
            return Ok(self.line.get(self.at..).unwrap_or_default());
        }
        let part = self.base.fill_buf()?;
        Ok(part.get(..self.ready).unwrap_or(part))
    }

    fn consume(&mut self, amount: usize) {
        if self.ready == 0 {
            self.at += amount;
        } else {
            let amount = amount.min(self.ready);
            self.ready -= amount;
            self.base.consume(amount);
        }
    }
}

impl<B: BufRead, E: BufRead> Read for Redone<B, E> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let part = self.fill_buf()?;
        let read = part.len().min(buf.len());
        buf.get_mut(..read).unwrap_or_default().copy_from_slice(part.get(..read).unwrap_or_default());
        self.consume(read);
        Ok(read)
    }
}
