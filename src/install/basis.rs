//! Parts of an older file that the one that arrives has too: copied, or shared, where it is written.

use crate::install::Incoming;
use crate::limits;
use crate::sys::{Buffer, File, Stat};
use std::io::{self, Write};
use std::sync::mpsc::channel;
use std::thread::{self, Builder};

/// The older file.
#[derive(Debug)]
pub struct Basis {
    file: File,
    /// Whether some of it takes no room: only then holes are looked for, which takes time.
    sparse: bool,
    /// Whether its file system may share parts of it.
    shares: bool,
}

impl Basis {
    /// Of what fstat(2) says of it.
    #[must_use]
    pub const fn new(file: File, stat: &Stat) -> Basis {
        Basis { file, sparse: stat.blocks.saturating_mul(512) < stat.size, shares: true }
    }

    /// Where the next data are from here on, and where they or this part end.
    fn next_data(&self, at: u64, end: u64) -> io::Result<(u64, u64)> {
        if !self.sparse {
            return Ok((at, end));
        }
        let (start, stop) = self.file.next_data(at)?.unwrap_or((end, end));
        Ok((start.clamp(at, end), stop.clamp(at, end)))
    }
}

/// From so many bytes on, what is read is digested while what was read before is written.
const TOGETHER: u64 = 4 * limits::RECORD as u64;
/// Pieces on their way from the one to the other.
const AHEAD: usize = 4;
/// Bytes of a block of most file systems, and of no more on any that shares blocks.
const BLOCK: u64 = *limits::BLOCKS.start() as u64;

impl Incoming {
    /// Takes a part of an older file: shares it where the file system can, and digests what is here then; otherwise what is
    /// digested is what is written.
    ///
    /// # Errors
    /// The disk is full, or broken; or the older file is shorter than it was.
    pub fn copy(&mut self, basis: &mut Basis, from: u64, length: u64) -> io::Result<()> {
        let (mut at, end) = (from, from + length);
        while at < end {
            let (start, stop) = basis.next_data(at, end)?;
            if start > at {
                self.hole(start - at)?;
            }
            at = start;
            // Only where blocks begin.
            if at < stop && basis.shares && self.arrived.is_multiple_of(BLOCK) && at.is_multiple_of(BLOCK) {
                basis.shares = basis.file.share_with(&self.file, (at, stop - at), self.arrived)?;
                if basis.shares {
                    self.digest_next(stop - at)?;
                    self.ends_in_hole = false;
                    at = stop;
                }
            }
            if at < stop {
                self.read_from(&basis.file, at, stop - at)?;
                at = stop;
            }
        }
        Ok(())
    }

    /// Reads a part of the older file, digests it and writes it: both at once, if it is large.
    fn read_from(&mut self, basis: &File, mut at: u64, length: u64) -> io::Result<()> {
        if length >= TOGETHER && self.read_together(basis, at, length)? {
            return Ok(());
        }
        let end = at + length;
        let mut buffer = Buffer::new(limits::RECORD);
        while at < end {
            let piece = read(basis, &mut buffer, (at, end), self.arrived)?;
            self.write(piece)?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    /// The same, both at once. False, and nothing is done, where no thread is to be had.
    fn read_together(&mut self, basis: &File, mut at: u64, length: u64) -> io::Result<bool> {
        let end = at + length;
        let mut position = self.arrived;
        let Incoming { file, content, .. } = &mut *self;
        let together = thread::scope(|scope| {
            let (filled, to_writer) = channel();
            let (emptied, to_reader) = channel();
            for _ in 0..AHEAD {
                // Its other end is here.
                let _ = emptied.send(Buffer::new(limits::RECORD));
            }
            let work = move || -> io::Result<()> {
                while at < end {
                    // Nobody writes any more: why is known there.
                    let Ok(mut buffer) = to_reader.recv() else { break };
                    let piece = read(basis, &mut buffer, (at, end), position)?;
                    content.update(piece);
                    let length = piece.len();
                    at += length as u64;
                    position += length as u64;
                    if filled.send((buffer, length)).is_err() {
                        break;
                    }
                }
                Ok(())
            };
            let Ok(reader) = Builder::new().spawn_scoped(scope, work) else { return Ok(false) };
            let written = to_writer.into_iter().try_for_each(move |(buffer, length): (Buffer, usize)| {
                file.write_all(buffer.get(..length).unwrap_or_default())?;
                // The last ones are not wanted again.
                let _ = emptied.send(buffer);
                Ok(())
            });
            match reader.join() {
                Ok(read) => written.and(read).map(|()| true),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })?;
        if together {
            self.arrived += length;
            self.ends_in_hole = false;
        }
        Ok(together)
    }

    /// Digests the next bytes, which are here already.
    fn digest_next(&mut self, length: u64) -> io::Result<()> {
        let mut buffer = Buffer::new(limits::RECORD);
        let end = self.arrived + length;
        while self.arrived < end {
            let piece = read(&self.file, &mut buffer, (self.arrived, end), self.arrived)?;
            self.content.update(piece);
            self.arrived += piece.len() as u64;
        }
        self.file.seek(self.arrived)
    }
}

/// The next piece of a part of the older file, which comes to this position of the new one: it ends where others of that
/// begin, so that its digest takes no longer than it must.
fn read<'b>(file: &File, buffer: &'b mut [u8], (at, end): (u64, u64), position: u64) -> io::Result<&'b [u8]> {
    let whole = buffer.len();
    let odd = usize::try_from(position % whole as u64).unwrap_or_default();
    let most = usize::try_from(end - at).unwrap_or(usize::MAX).min(whole - odd);
    match file.read_at(buffer.get_mut(..most).unwrap_or_default(), at)? {
        // It was cut short meanwhile.
        0 => Err(io::Error::from_raw_os_error(libc::ESTALE)),
        read => Ok(buffer.get(..read).unwrap_or_default()),
    }
}
