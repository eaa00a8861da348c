//! Records on their way in: read as they come, never waited for, and opened when they are whole.

use crate::limits;
use crate::sys::Stream;
use crate::wire::WireError;
use crate::wire::noise::{Opener, TAG};
use crate::wire::record::{HEADER, Record};
use std::time::Instant;

/// The record that is on its way in.
pub(super) struct Inbox {
    header: [u8; HEADER],
    header_read: usize,
    body: Vec<u8>,
    body_read: usize,
    /// Memory of an earlier record.
    spare: Vec<u8>,
    heard: Instant,
    /// Bytes read.
    read: u64,
}

impl Inbox {
    pub(super) fn new() -> Inbox {
        Inbox {
            header: [0; HEADER],
            header_read: 0,
            body: Vec::new(),
            body_read: 0,
            spare: Vec::new(),
            heard: Instant::now(),
            read: 0,
        }
    }

    /// Bytes read so far.
    pub(super) const fn read(&self) -> u64 {
        self.read
    }

    /// When the last byte came, or when the connection was made.
    pub(super) const fn heard(&self) -> Instant {
        self.heard
    }

    /// Gives the memory of a record back for the next one.
    pub(super) fn recycle(&mut self, record: Record) {
        self.spare = record.into_buffer();
    }

    /// The next record if all of it is there. The end of the stream is [`WireError::Closed`].
    pub(super) fn try_record(
        &mut self,
        stream: &Stream,
        open: &mut Opener,
    ) -> Result<Option<Record>, WireError> {
        loop {
            let space = if self.header_read < HEADER {
                self.header.get_mut(self.header_read..)
            } else {
                self.body.get_mut(self.body_read..)
            };
            let read = stream.try_read(space.unwrap_or_default())?;
            self.read += read.unwrap_or_default() as u64;
            match read {
                None => return Ok(None),
                Some(0) => return Err(WireError::Closed),
                Some(read) if self.header_read < HEADER => {
                    self.header_read += read;
                    if self.header_read == HEADER {
                        self.begin()?;
                    }
                }
                Some(read) => self.body_read += read,
            }
            self.heard = Instant::now();
            if self.header_read == HEADER && self.body_read == self.body.len() {
                let mut body = std::mem::take(&mut self.body);
                self.header_read = 0;
                let end = open.open(&mut body)?.len();
                return Ok(Some(Record::new(body, end)));
            }
        }
    }

    /// Makes room for the body that the header announces: never empty, and no more than a record has.
    fn begin(&mut self) -> Result<(), WireError> {
        let length = u32::from_be_bytes(self.header) as usize;
        if !(TAG + 1..=limits::RECORD + TAG).contains(&length) {
            return Err(WireError::Malformed("the length of a record is out of range"));
        }
        self.body = std::mem::take(&mut self.spare);
        self.body.resize(length, 0);
        self.body_read = 0;
        Ok(())
    }
}
