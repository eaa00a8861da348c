//! Records on their way in: read as they come, never waited for, and opened when they are whole.

use crate::config::Rate;
use crate::limits;
use crate::sys::{Buffer, Stream};
use crate::wire::WireError;
use crate::wire::noise::{Opener, TAG};
use crate::wire::pace::Pace;
use crate::wire::record::{HEADER, Record};
use std::time::Instant;

/// The record that is on its way in.
pub(super) struct Inbox {
    header: [u8; HEADER],
    header_read: usize,
    body: Buffer,
    /// Bytes that the header announced.
    length: usize,
    body_read: usize,
    /// Memory of an earlier record.
    spare: Option<Buffer>,
    heard: Instant,
    /// Bytes that came since, none of which made a record whole.
    since: usize,
    pace: Pace,
    /// Bytes read.
    read: u64,
}

impl Inbox {
    pub(super) fn new() -> Inbox {
        Inbox {
            header: [0; HEADER],
            header_read: 0,
            body: Buffer::default(),
            length: 0,
            body_read: 0,
            spare: None,
            heard: Instant::now(),
            since: 0,
            pace: Pace::new(None),
            read: 0,
        }
    }

    /// Bytes read so far.
    pub(super) const fn read(&self) -> u64 {
        self.read
    }

    /// When the last record was whole, or so much of one had come that it is no drip; or when the connection was made.
    pub(super) const fn heard(&self) -> Instant {
        self.heard
    }

    /// Gives the memory of a record back for the next one.
    pub(super) fn recycle(&mut self, record: Record) {
        self.spare = Some(record.into_buffer());
    }

    /// Reads no more than so many bytes a second from now on.
    pub(super) fn limit(&mut self, rate: Rate) {
        self.pace = Pace::new(Some(rate));
    }

    /// Waits until more may be read, if that is not now: the peer has to wait with us.
    pub(super) fn wait_until_due(&self) -> bool {
        let now = Instant::now();
        let early = self.pace.early(now);
        early.iter().for_each(|due| std::thread::sleep(due.saturating_duration_since(now)));
        early.is_some()
    }

    /// The next record if all of it is there, and if it may be read yet in case that it is `paced`. The end of the stream is [`WireError::Closed`].
    pub(super) fn try_record(
        &mut self,
        stream: &Stream,
        open: &mut Opener,
        paced: bool,
    ) -> Result<Option<Record>, WireError> {
        loop {
            let space = if self.header_read < HEADER {
                self.header.get_mut(self.header_read..)
            } else {
                self.body.get_mut(self.body_read..self.length)
            };
            let space = space.unwrap_or_default();
            let most = if paced { self.pace.allowed(space.len(), Instant::now()) } else { space.len() };
            if most == 0 {
                return Ok(None);
            }
            let read = stream.try_read(space.get_mut(..most).unwrap_or_default())?;
            self.read += read.unwrap_or_default() as u64;
            self.pace.passed(read.unwrap_or_default(), Instant::now());
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
            self.since += read.unwrap_or_default();
            let whole = self.header_read == HEADER && self.body_read == self.length;
            if whole || self.since >= limits::PROGRESS {
                (self.heard, self.since) = (Instant::now(), 0);
            }
            if whole {
                let mut body = std::mem::take(&mut self.body);
                self.header_read = 0;
                let end = open.open(body.get_mut(..self.length).unwrap_or_default())?.len();
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
        self.body = self.spare.take().unwrap_or_else(|| Buffer::new(limits::RECORD + TAG));
        (self.length, self.body_read) = (length, 0);
        Ok(())
    }
}
