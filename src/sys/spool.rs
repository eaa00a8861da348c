//! A nameless file that is written once, then mapped: the one place where mapping a file is sound.

use crate::sys::Dir;
use memmap2::Mmap;
use std::fs::File;
use std::io::{self, BufWriter, Write};

/// A file without a name, open for writing only through this value.
#[derive(Debug)]
pub struct Spool {
    out: BufWriter<File>,
    written: u64,
}

/// The bytes of a [`Spool`] that was frozen: nothing can change them any more.
#[derive(Debug)]
pub struct Map(Mmap);

impl Spool {
    /// Makes a nameless file in `dir`.
    ///
    /// # Errors
    /// The directory's file system has no room or no O_TMPFILE.
    pub fn create(dir: &Dir) -> io::Result<Spool> {
        Ok(Spool { out: BufWriter::with_capacity(256 * 1024, dir.nameless_file()?), written: 0 })
    }

    /// Bytes written so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Ends writing and maps what was written.
    ///
    /// # Errors
    /// The last bytes cannot be written, or the kernel refuses the map.
    pub fn freeze(self) -> io::Result<Map> {
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        // SAFETY: a map is sound while nobody writes to or truncates the file behind it. The file was made with
        // O_TMPFILE|O_EXCL, so it has no name and can never get one; the only descriptor is `file`, which is not
        // shared with any process and is closed at the end of this function, after which no way to the file is left
        // but this read-only private map. (Only root could go through /proc, and root can change our memory anyhow.)
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(&file) }?;
        Ok(Map(map))
    }
}

impl Write for Spool {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_all(buf)?;
        Ok(buf.len())
    }

    fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
        self.out.write_all(buf)?;
        self.written += buf.len() as u64;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Map {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}
