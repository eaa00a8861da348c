//! Transport records: many frames sealed together, a frame being one message with its kind and length before it.

use crate::limits;
use crate::spec::Time;
use crate::sys::Buffer;
use crate::wire::noise::{Sealer, TAG};
use crate::wire::{Message, WireError};
use std::io;
use std::ops::Range;

/// Bytes before the body of a message: kind, and length as 32 bits, big-endian.
pub(crate) const FRAME: usize = 5;
/// Bytes before the ciphertext: its length as 32 bits, big-endian.
pub(crate) const HEADER: usize = 4;

/// The plaintext of one record being filled; there is room before it for the header and behind it for the tag.
#[derive(Debug)]
pub struct Batch {
    /// As long as the longest record from the beginning, so that what is read into it is not made zero before.
    buffer: Buffer,
    end: usize,
    /// The body of one message.
    body: Vec<u8>,
}

impl Default for Batch {
    fn default() -> Batch {
        Batch::new()
    }
}

impl Batch {
    /// An empty record.
    #[must_use]
    pub fn new() -> Batch {
        Batch { buffer: Buffer::new(HEADER + limits::RECORD + TAG), end: HEADER, body: Vec::new() }
    }

    /// Whether nothing was put into it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end == HEADER
    }

    /// Bytes that the body of one more message can have.
    #[must_use]
    pub fn room(&self) -> usize {
        (HEADER + limits::RECORD).saturating_sub(self.end + FRAME)
    }

    /// Appends a message; false, and nothing done, when there is no room.
    #[must_use]
    pub fn push(&mut self, message: &Message<'_>) -> bool {
        let mut body = std::mem::take(&mut self.body);
        body.clear();
        message.encode(&mut body);
        let start = self.end + FRAME;
        // Behind the room there is only that of the tag.
        let fits = body.len() <= self.room() && start <= HEADER + limits::RECORD;
        if let Some(space) = self.buffer.get_mut(start..start + body.len()).filter(|_| fits) {
            space.copy_from_slice(&body);
            self.end(message.kind(), body.len());
        }
        self.body = body;
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
        let room = self.room().min(usize::try_from(limit).unwrap_or(usize::MAX));
        let start = self.end + FRAME;
        let read = fill(self.buffer.get_mut(start..start + room).unwrap_or_default());
        if let Ok(read @ 1..) = read {
            self.end(Message::Data(&[]).kind(), read.min(room));
        }
        read
    }

    /// The bytes of a `Data` message that [`Batch::read_data`] just appended.
    #[must_use]
    pub fn last(&self, length: usize) -> &[u8] {
        self.end.checked_sub(length).and_then(|at| self.buffer.get(at..self.end)).unwrap_or_default()
    }

    /// Removes it again.
    pub(super) fn take_back(&mut self, length: usize) {
        self.end = self.end.saturating_sub(FRAME + length).max(HEADER);
    }

    /// As it is at the other side.
    #[cfg(test)]
    pub(super) fn reopened(self) -> Record {
        Record::of(self.plaintext())
    }

    /// Ends a message of which the body is there.
    fn end(&mut self, kind: u8, length: usize) {
        let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        if let Some(frame) = self.buffer.get_mut(self.end..self.end + FRAME) {
            frame.copy_from_slice(&[kind, a, b, c, d]);
        }
        self.end += FRAME + length;
    }

    /// Seals what was put into it; gives back the record, header and tag and all.
    pub(super) fn seal(&mut self, seal: &mut Sealer) -> Result<&[u8], WireError> {
        let tag = seal.seal(self.buffer.get_mut(HEADER..self.end).unwrap_or_default())?;
        let whole = self.end + TAG;
        let length = u32::try_from(whole - HEADER).map_err(|_| WireError::Seal)?;
        for (at, bytes) in [(0, &length.to_be_bytes()[..]), (self.end, &tag[..])] {
            if let Some(space) = self.buffer.get_mut(at..at + bytes.len()) {
                space.copy_from_slice(bytes);
            }
        }
        self.buffer.get(..whole).ok_or(WireError::Seal)
    }

    /// What was put into it.
    #[cfg(test)]
    pub(super) fn plaintext(&self) -> &[u8] {
        self.buffer.get(HEADER..self.end).unwrap_or_default()
    }

    /// Empties it.
    pub(super) fn clear(&mut self) {
        self.end = HEADER;
    }
}

/// A file that is in one record with all that is said of it.
#[derive(Debug, Clone)]
pub struct Whole {
    /// Which one.
    pub index: u32,
    /// Its size.
    pub size: u64,
    /// Its time of modification.
    pub time: Time,
    /// What its contents are said to be.
    pub digest: [u8; 32],
    /// Where in the record they are.
    contents: Range<usize>,
}

/// A record that was opened.
#[derive(Debug)]
pub struct Record {
    buffer: Buffer,
    at: usize,
    end: usize,
}

impl Record {
    /// Of a buffer that holds plaintext up to `end`.
    pub(super) fn new(buffer: Buffer, end: usize) -> Record {
        Record { buffer, at: 0, end }
    }

    /// Of this plaintext.
    #[cfg(test)]
    pub(super) fn of(plaintext: &[u8]) -> Record {
        let mut buffer = Buffer::new(plaintext.len());
        buffer.copy_from_slice(plaintext);
        Record::new(buffer, plaintext.len())
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

    /// The next file, if all of it is in this record and its contents are in one piece.
    pub fn whole(&mut self) -> Option<Whole> {
        let (file, at) = self.frame(self.at)?;
        let Ok(Message::File { index, size, time }) = Message::decode(file.0, self.buffer.get(file.1)?)
        else {
            return None;
        };
        let ((mut kind, mut body), mut at) = self.frame(at)?;
        let mut contents = 0..0;
        if kind == Message::Data(&[]).kind() {
            contents = body;
            ((kind, body), at) = self.frame(at)?;
        }
        match Message::decode(kind, self.buffer.get(body)?) {
            Ok(Message::FileEnd { digest }) if contents.len() as u64 == size => {
                self.at = at;
                Some(Whole { index, size, time, digest, contents })
            }
            _ => None,
        }
    }

    /// The contents of a file that [`Record::whole`] found in it.
    #[must_use]
    pub fn contents(&self, whole: &Whole) -> &[u8] {
        self.buffer.get(whole.contents.clone()).unwrap_or_default()
    }

    /// The kind and the place of the body of the message that begins here, and where the next one does.
    fn frame(&self, at: usize) -> Option<((u8, Range<usize>), usize)> {
        let [kind, a, b, c, d, rest @ ..] = self.buffer.get(at..self.end)? else { return None };
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let (start, _) = (at + FRAME, rest.get(..length)?);
        Some(((*kind, start..start + length), start + length))
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
    pub(super) fn into_buffer(self) -> Buffer {
        self.buffer
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
