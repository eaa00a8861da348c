//! Parts of an older file that the one that arrives has too: copied, or shared, where it is written.

use crate::install::Incoming;
use crate::limits;
use crate::sys::{File, Stat};
use std::io::{self, Read};

/// The older file.
#[derive(Debug)]
pub struct Basis {
    file: File,
    /// Whether some of it takes no room: only then holes are looked for, which takes time.
    sparse: bool,
}

impl Basis {
    /// Of what fstat(2) says of it.
    #[must_use]
    pub const fn new(file: File, stat: &Stat) -> Basis {
        Basis { file, sparse: stat.blocks.saturating_mul(512) < stat.size }
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

impl Incoming {
    /// Takes a part of an older file. What counts is what got here: it is digested where it was written.
    ///
    /// # Errors
    /// The disk is full, or broken; or the older file is shorter than it was.
    pub fn copy(&mut self, basis: &Basis, from: u64, length: u64) -> io::Result<()> {
        let begun = self.arrived;
        let (mut at, end) = (from, from + length);
        while at < end {
            let (start, stop) = basis.next_data(at, end)?;
            if start > at {
                self.arrived += start - at;
                self.file.seek(self.arrived)?;
                self.ends_in_hole = true;
            }
            basis.file.seek(start)?;
            if stop > start {
                self.ends_in_hole = false;
            }
            at = start;
            while at < stop {
                let copied = match basis.file.copy_to(&self.file, stop - at)? {
                    Some(copied @ 1..) => copied,
                    _ => self.read_from(&basis.file, stop - at)?,
                };
                at += copied;
                self.arrived += copied;
            }
        }
        self.digest_from(begun)
    }

    /// Where the kernel cannot copy.
    fn read_from(&self, basis: &File, most: u64) -> io::Result<u64> {
        let mut buffer = vec![0; limits::RECORD.min(usize::try_from(most).unwrap_or(usize::MAX))];
        let mut reader: &File = basis;
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            // It was cut short meanwhile.
            return Err(io::Error::from_raw_os_error(libc::ESTALE));
        }
        let mut writer: &File = &self.file;
        io::Write::write_all(&mut writer, buffer.get(..read).unwrap_or_default())?;
        Ok(read as u64)
    }

    /// Digests what was written from here on; a hole at the end is not there yet.
    fn digest_from(&mut self, begun: u64) -> io::Result<()> {
        let mut buffer = vec![0; limits::RECORD];
        let mut at = begun;
        while at < self.arrived {
            let most = usize::try_from(self.arrived - at).unwrap_or(usize::MAX).min(buffer.len());
            let space = buffer.get_mut(..most).unwrap_or_default();
            let mut read = self.file.read_at(space, at)?;
            if read == 0 {
                space.fill(0);
                read = space.len();
            }
            self.content.update(space.get(..read).unwrap_or_default());
            at += read as u64;
        }
        Ok(())
    }
}
