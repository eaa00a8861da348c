//! A file that an interrupted run left unfinished in the stage, to be gone on with.

use crate::config::Durable;
use crate::digest::Content;
use crate::install::{Incoming, Stage};
use crate::limits;
use crate::spec::{Entry, Time};
use crate::sys::File;
use std::io::{self, Read};

/// The beginning of a file. Whether it is the right one is for the sender to say.
#[derive(Debug)]
pub struct Partial {
    file: File,
    content: Content,
    offset: u64,
}

impl Stage {
    /// The beginning of the file of this entry, if an interrupted run left enough of it to be worth the comparison.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn partial(&self, entry: &Entry<'_>) -> io::Result<Option<Partial>> {
        let (Some(size), Some(time)) = (entry.size, entry.time) else { return Ok(None) };
        let left = self.left_bytes(entry);
        if left.is_none_or(|left| left < limits::PARTIAL || left >= size) {
            return Ok(None);
        }
        let (file, stat) = self.dir()?.open_file_to_write(&Stage::waiting(&entry.path, size, time))?;
        if stat.nlink != 1 {
            return Ok(None);
        }
        let (mut content, mut offset) = (Content::new(), 0);
        let mut buffer = vec![0; limits::RECORD];
        let mut reader: &File = &file;
        loop {
            let read = reader.read(&mut buffer)?;
            if read == 0 {
                return Ok(Some(Partial { file, content, offset }));
            }
            content.update(buffer.get(..read).unwrap_or_default());
            offset += read as u64;
        }
    }
}

impl Partial {
    /// How many bytes there are.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// BLAKE3 of these.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.content.finish()
    }

    /// The file goes on to arrive.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn go_on(self, size: u64, time: Time, durable: Durable) -> io::Result<Incoming> {
        // What was read is what counts: it stands at its end.
        self.file.seek(self.offset)?;
        Ok(Incoming::resumed(self.file, size, time, durable, self.offset, self.content))
    }
}
