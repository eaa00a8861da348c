//! Transport records: many frames sealed together, a frame being one message with its kind and length before it.

use crate::limits;
use crate::wire::noise::TAG;
use crate::wire::{Message, WireError};
use std::io;

/// Bytes before the body of a message: kind, and length as 32 bits, big-endian.
pub(crate) const FRAME: usize = 5;
/// Bytes before the ciphertext: its length as 32 bits, big-endian.
pub(crate) const HEADER: usize = 4;

/// The plaintext of one record being filled; there is room before it for the header and behind it for the tag.
#[derive(Debug)]
pub struct Batch(Vec<u8>);

impl Default for Batch {
    fn default() -> Batch {
        Batch::new()
    }
}

impl Batch {
    /// An empty record.
    #[must_use]
    pub fn new() -> Batch {
        let mut buffer = Vec::with_capacity(HEADER + limits::RECORD + TAG);
        buffer.resize(HEADER, 0);
        Batch(buffer)
    }

    /// Whether nothing was put into it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.len() == HEADER
    }

    /// Bytes that the body of one more message can have.
    #[must_use]
    pub fn room(&self) -> usize {
        (HEADER + limits::RECORD).saturating_sub(self.0.len() + FRAME)
    }

    /// Appends a message; false, and nothing done, when there is no room.
    #[must_use]
    pub fn push(&mut self, message: &Message<'_>) -> bool {
        let start = self.begin(message.kind());
        message.encode(&mut self.0);
        let fits = self.0.len() <= HEADER + limits::RECORD;
        if fits {
            self.end(start)
        } else {
            self.0.truncate(start)
        }
        fits
    }

    /// Appends a `Data` message of at most `limit` bytes that `fill` reads right into the record; gives back how many
    /// it read, and appends nothing when that is none.
    ///
    /// # Errors
    /// As `fill`.
    pub fn read_data(
        &mut self,
        limit: u64,
        mut fill: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let start = self.begin(Message::Data(&[]).kind());
        let body = self.0.len();
        let room =
            (HEADER + limits::RECORD).saturating_sub(body).min(usize::try_from(limit).unwrap_or(usize::MAX));
        self.0.resize(body + room, 0);
        let read = fill(self.0.get_mut(body..).unwrap_or_default());
        match read {
            Ok(read @ 1..) => {
                self.0.truncate(body + read);
                self.end(start);
            }
            _ => self.0.truncate(start),
        }
        read
    }

    /// The bytes of a `Data` message that [`Batch::read_data`] just appended.
    #[must_use]
    pub fn last(&self, length: usize) -> &[u8] {
        self.0.len().checked_sub(length).and_then(|at| self.0.get(at..)).unwrap_or_default()
    }

    /// Removes it again.
    pub(super) fn take_back(&mut self, length: usize) {
        self.0.truncate(self.0.len().saturating_sub(FRAME + length));
    }

    /// As it is at the other side.
    #[cfg(test)]
    pub(super) fn reopened(self) -> Record {
        let plain: Vec<u8> = self.0.get(HEADER..).unwrap_or_default().to_vec();
        let end = plain.len();
        Record::new(plain, end)
    }

    fn begin(&mut self, kind: u8) -> usize {
        let start = self.0.len();
        self.0.extend_from_slice(&[kind, 0, 0, 0, 0]);
        start
    }

    fn end(&mut self, start: usize) {
        let length = u32::try_from(self.0.len() - start - FRAME).unwrap_or(u32::MAX);
        if let Some(field) = self.0.get_mut(start + 1..start + FRAME) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }

    /// The buffer, header room and all, for sealing.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// Empties it.
    pub(super) fn clear(&mut self) {
        self.0.truncate(HEADER);
    }
}

/// A record that was opened.
#[derive(Debug)]
pub struct Record {
    buffer: Vec<u8>,
    at: usize,
    end: usize,
}

impl Record {
    /// Of a buffer that holds plaintext up to `end`.
    pub(super) fn new(buffer: Vec<u8>, end: usize) -> Record {
        Record { buffer, at: 0, end }
    }

    /// The next message but `Alive`, or `None` after the last.
    ///
    /// # Errors
    /// The bytes are no message; or it is `Abort`, with which the peer gives up wherever it stands.
    pub fn message(&mut self) -> Result<Option<Message<'_>>, WireError> {
        if self.is_over() {
            return Ok(None);
        }
        let long = WireError::Malformed("a frame is longer than its record");
        let [kind, a, b, c, d, rest @ ..] = self.buffer.get(self.at..self.end).unwrap_or_default() else {
            return Err(long);
        };
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let body = rest.get(..length).ok_or(long)?;
        self.at += FRAME + length;
        match Message::decode(*kind, body)? {
            Message::Abort { exit, text } => Err(WireError::Aborted { exit, text: text.into_owned() }),
            message => Ok(Some(message)),
        }
    }

    /// Whether a message of the same kind as `message` is the last of the record but `Alive`: each turn ends with a
    /// record.
    #[must_use]
    pub fn ends_with(&self, message: &Message<'_>) -> bool {
        let mut rest = self.buffer.get(self.at..self.end).unwrap_or_default();
        let mut last = 0;
        while let [kind, a, b, c, d, tail @ ..] = rest {
            last = if *kind == Message::Alive.kind() { last } else { *kind };
            rest = tail.get(u32::from_be_bytes([*a, *b, *c, *d]) as usize..).unwrap_or_default();
        }
        last == message.kind()
    }

    /// Whether every message was taken, but for `Alive`, which wants no answer.
    #[must_use]
    pub fn is_over(&mut self) -> bool {
        const ALIVE: [u8; FRAME] = [Message::Alive.kind(), 0, 0, 0, 0];
        let rest = self.buffer.get(self.at..self.end).unwrap_or_default();
        self.at += rest.chunks(FRAME).take_while(|frame| **frame == ALIVE).count() * FRAME;
        self.at >= self.end
    }

    /// Gives the memory back for the next record.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
