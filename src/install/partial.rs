//! A file that an interrupted run left unfinished in the stage, to be gone on with.

use crate::config::Durable;
use crate::digest::Content;
use crate::install::{Incoming, Places};
use crate::limits;
use crate::spec::{Entry, Index, Time};
use crate::sys::{Buffer, File};
use std::io::{self, Read};

/// The beginning of a file. Whether it is the right one is for the sender to say.
#[derive(Debug)]
pub struct Partial {
    file: File,
    content: Box<Content>,
    offset: u64,
}

impl Places<'_> {
    /// The beginning of the file of this entry, of which an interrupted run left enough to be worth the comparison.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn partial(&mut self, index: Index, entry: &Entry<'_>) -> io::Result<Option<Partial>> {
        let (Some(size), Some(time)) = (entry.size, entry.time) else { return Ok(None) };
        let (dir, name) = self.file(index, &entry.path, size, time)?;
        let (file, stat) = dir.open_file_to_write(&name)?;
        if stat.nlink != 1 || stat.size >= size {
            return Ok(None);
        }
        let (mut content, mut offset) = (Box::<Content>::default(), 0);
        let mut buffer = Buffer::new(limits::RECORD);
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
        Ok(Incoming::resumed(self.file, (size, time), durable, self.offset, self.content))
    }
}
