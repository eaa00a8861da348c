//! The encrypted connection: one side speaks, the other listens, and the borrow checker knows which.

use crate::exit::Exit;
use crate::limits;
use crate::sys::Stream;
use crate::wire::noise::{Opener, Sealer, TAG, Transport};
use crate::wire::record::{HEADER, Record};
use crate::wire::{Batch, Message, WireError};
use std::borrow::Cow;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// A connection on which both sides have proven the secret.
pub struct Channel {
    stream: Stream,
    seal: Sealer,
    open: Opener,
    idle: Duration,
    heard: Instant,
    sent: Instant,
    inbox: Inbox,
    /// The record whose messages are being read.
    current: Option<Record>,
    batch: Batch,
}

/// A record on its way in.
#[derive(Default)]
struct Inbox {
    header: [u8; HEADER],
    header_read: usize,
    body: Vec<u8>,
    body_read: usize,
    spare: Vec<u8>,
}

/// The right to speak.
pub struct Speaker<'c>(&'c mut Channel);

/// The duty to listen.
pub struct Listener<'c>(&'c mut Channel);

impl Channel {
    /// Over a stream, with the keys of a finished handshake. `idle`: how long the peer may be silent.
    #[must_use]
    pub fn new(stream: Stream, transport: Transport, idle: Duration) -> Channel {
        let Transport { seal, open, .. } = transport;
        let (now, inbox) = (Instant::now(), Inbox::default());
        Channel { stream, seal, open, idle, heard: now, sent: now, inbox, current: None, batch: Batch::new() }
    }

    /// Begins a turn in which we speak.
    pub fn speak(&mut self) -> Speaker<'_> {
        Speaker(self)
    }

    /// Begins a turn in which the peer speaks.
    pub fn listen(&mut self) -> Listener<'_> {
        Listener(self)
    }

    /// Sets how long the peer may be silent.
    pub fn set_idle(&mut self, idle: Duration) {
        self.idle = idle;
        self.heard = Instant::now();
    }

    /// Waits for what a worker sends, saying `Alive` as often as needed; `None` when the worker is gone.
    ///
    /// # Errors
    /// The connection broke, or the peer gave up meanwhile.
    pub fn await_worker<T>(&mut self, worker: &Receiver<T>) -> Result<Option<T>, WireError> {
        loop {
            let quiet = limits::ALIVE.saturating_sub(self.sent.elapsed());
            match worker.recv_timeout(quiet) {
                Ok(value) => return Ok(Some(value)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => self.alive()?,
            }
        }
    }

    /// Does `work` on another thread while the peer is told that we are alive.
    ///
    /// # Errors
    /// The connection broke, or the peer gave up meanwhile; `work` is done all the same.
    pub fn while_working<T: Send>(&mut self, work: impl FnOnce() -> T + Send) -> Result<T, WireError> {
        std::thread::scope(|scope| {
            let (done, worker) = std::sync::mpsc::sync_channel(1);
            scope.spawn(move || {
                // The receiver is gone when the connection broke: then nobody wants the result.
                let _ = done.send(work());
            });
            match self.await_worker(&worker)? {
                Some(value) => Ok(value),
                None => {
                    unreachable!("a worker ended without a result: it panicked, and the scope passes that on")
                }
            }
        })
    }

    /// Says `Alive`, out of turn or in it.
    fn alive(&mut self) -> Result<(), WireError> {
        let mut batch = Batch::new();
        // It fits: the batch is empty.
        let _ = batch.push(&Message::Alive);
        self.write_record(&mut batch)?;
        self.hear()
    }

    /// Tells the peer why we give up, ends writing and drains for a moment, or TCP would throw the reason away.
    pub fn abort(&mut self, exit: Exit, text: &str) {
        let cut = text
            .char_indices()
            .map(|(at, _)| at)
            .take_while(|at| *at <= limits::TEXT - 4)
            .last()
            .unwrap_or(0);
        let text = if text.len() <= limits::TEXT { text } else { text.get(..cut).unwrap_or_default() };
        let mut batch = Batch::new();
        let _ = batch.push(&Message::Abort { exit, text: Cow::Borrowed(text) });
        self.set_idle(limits::DRAIN);
        // Whatever fails now, the session is over and its reason is known here.
        let _ = self.write_record(&mut batch);
        self.drain();
    }

    /// Ends writing and reads on for a moment, so that the last thing we said is read.
    pub fn drain(&mut self) {
        self.stream.end_writing();
        let until = Instant::now() + limits::DRAIN;
        let mut buffer = [0; 16 * 1024];
        while let Ok(ready) = self.stream.wait(true, false, until) {
            if ready.read && !matches!(self.stream.try_read(&mut buffer), Ok(Some(1..) | None)) {
                break;
            }
        }
    }

    /// Reads what the peer said, after a write failed or was refused: it may have given its reason.
    #[must_use]
    pub fn last_word(&mut self, error: WireError) -> WireError {
        if !matches!(error, WireError::Io(_) | WireError::Closed) {
            return error;
        }
        self.set_idle(limits::DRAIN);
        while let Ok(mut record) = self.next_record() {
            while let Ok(Some(message)) = record.message() {
                if let Message::Abort { exit, text } = message {
                    return WireError::Aborted { exit, text: text.into_owned() };
                }
            }
        }
        error
    }

    /// Seals the batch and writes it, listening for `Alive` and `Abort` meanwhile; the batch is empty afterwards.
    fn write_record(&mut self, batch: &mut Batch) -> Result<(), WireError> {
        let buffer = batch.buffer();
        let tag = self.seal.seal(buffer.get_mut(HEADER..).unwrap_or_default())?;
        buffer.extend_from_slice(&tag);
        let length = u32::try_from(buffer.len() - HEADER).map_err(|_| WireError::Seal)?;
        if let Some(header) = buffer.get_mut(..HEADER) {
            header.copy_from_slice(&length.to_be_bytes());
        }
        let mut left: &[u8] = buffer;
        let mut progress = Instant::now();
        while !left.is_empty() {
            let written = self.stream.try_write(left)?;
            left = left.get(written..).unwrap_or_default();
            if written > 0 {
                progress = Instant::now();
            } else {
                let ready = self.stream.wait(true, true, progress.max(self.heard) + self.idle)?;
                if ready.read {
                    self.hear()?;
                }
            }
        }
        self.sent = Instant::now();
        batch.clear();
        Ok(())
    }

    /// Takes what arrived while it is not the peer's turn: `Alive` is noted, `Abort` ends the session.
    fn hear(&mut self) -> Result<(), WireError> {
        while let Some(mut record) = self.try_record()? {
            while let Some(message) = record.message()? {
                match message {
                    Message::Alive => {}
                    Message::Abort { exit, text } => {
                        return Err(WireError::Aborted { exit, text: text.into_owned() });
                    }
                    _ => return Err(WireError::Violation("it spoke out of turn")),
                }
            }
            self.inbox.spare = record.into_buffer();
        }
        Ok(())
    }

    /// The next record if it is there, without waiting. The end of the stream is [`WireError::Closed`].
    fn try_record(&mut self) -> Result<Option<Record>, WireError> {
        let inbox = &mut self.inbox;
        loop {
            let space = if inbox.header_read < HEADER {
                inbox.header.get_mut(inbox.header_read..)
            } else {
                inbox.body.get_mut(inbox.body_read..)
            };
            match self.stream.try_read(space.unwrap_or_default())? {
                None => return Ok(None),
                Some(0) => return Err(WireError::Closed),
                Some(read) if inbox.header_read < HEADER => {
                    inbox.header_read += read;
                    if inbox.header_read < HEADER {
                        continue;
                    }
                    let length = u32::from_be_bytes(inbox.header) as usize;
                    if !(TAG + 1..=limits::RECORD + TAG).contains(&length) {
                        return Err(WireError::Malformed("the length of a record is out of range"));
                    }
                    inbox.body = std::mem::take(&mut inbox.spare);
                    inbox.body.resize(length, 0);
                    inbox.body_read = 0;
                }
                Some(read) => inbox.body_read += read,
            }
            self.heard = Instant::now();
            if inbox.header_read == HEADER && inbox.body_read == inbox.body.len() && !inbox.body.is_empty() {
                let mut body = std::mem::take(&mut inbox.body);
                inbox.header_read = 0;
                inbox.body_read = 0;
                let end = self.open.open(&mut body)?.len();
                return Ok(Some(Record::new(body, end)));
            }
        }
    }

    /// The next record, waited for as long as the peer may be silent.
    fn next_record(&mut self) -> Result<Record, WireError> {
        loop {
            if let Some(record) = self.try_record()? {
                return Ok(record);
            }
            self.stream.wait(true, false, self.heard + self.idle)?;
        }
    }
}

impl Speaker<'_> {
    /// Says a message; it leaves when a record is full or the turn ends.
    ///
    /// # Errors
    /// The connection broke, or the peer gave up.
    pub fn say(&mut self, message: &Message<'_>) -> Result<(), WireError> {
        if self.0.batch.push(message) {
            return Ok(());
        }
        self.flush()?;
        if self.0.batch.push(message) {
            Ok(())
        } else {
            Err(WireError::Malformed("our message is too large"))
        }
    }

    /// Sends what was said so far.
    ///
    /// # Errors
    /// The connection broke, or the peer gave up.
    pub fn flush(&mut self) -> Result<(), WireError> {
        let mut batch = std::mem::take(&mut self.0.batch);
        if !batch.is_empty() {
            self.send(&mut batch)?;
        }
        self.0.batch = batch;
        Ok(())
    }

    /// Sends a record that a worker filled, after what was said so far.
    ///
    /// # Errors
    /// The connection broke, or the peer gave up.
    pub fn send(&mut self, batch: &mut Batch) -> Result<(), WireError> {
        // Heard before each record: a receiver that gives up stops us within one.
        self.0.hear()?;
        self.0.write_record(batch)
    }

    /// Waits for what a worker sends, as [`Channel::await_worker`].
    ///
    /// # Errors
    /// The connection broke, or the peer gave up.
    pub fn await_worker<T>(&mut self, worker: &Receiver<T>) -> Result<Option<T>, WireError> {
        self.0.await_worker(worker)
    }

    /// Ends the turn.
    ///
    /// # Errors
    /// The connection broke, or the peer gave up.
    pub fn end(mut self) -> Result<(), WireError> {
        self.flush()
    }
}

impl Listener<'_> {
    /// The next message but `Alive`.
    ///
    /// # Errors
    /// The connection broke, the peer was silent, gave up, or sent what is no message.
    pub fn message(&mut self) -> Result<Message<'_>, WireError> {
        if self.0.current.as_ref().is_none_or(Record::is_over) {
            let record = self.record()?;
            if let Some(over) = self.0.current.replace(record) {
                self.recycle(over);
            }
        }
        let Some(record) = &mut self.0.current else { return Err(WireError::Closed) };
        match record.message()? {
            Some(Message::Abort { exit, text }) => Err(WireError::Aborted { exit, text: text.into_owned() }),
            Some(message) => Ok(message),
            None => Err(WireError::Malformed("a record is empty")),
        }
    }

    /// The next whole record that is not `Alive`.
    ///
    /// # Errors
    /// As [`Listener::message`].
    pub fn record(&mut self) -> Result<Record, WireError> {
        loop {
            let record = self.0.next_record()?;
            if !record.ends_with(&Message::Alive) {
                return Ok(record);
            }
            self.recycle(record);
        }
    }

    /// Waits for what a worker sends, as [`Channel::await_worker`].
    ///
    /// # Errors
    /// The connection broke, or the peer gave up.
    pub fn await_worker<T>(&mut self, worker: &Receiver<T>) -> Result<Option<T>, WireError> {
        self.0.await_worker(worker)
    }

    /// Gives the memory of a record back for the next one.
    pub fn recycle(&mut self, record: Record) {
        self.0.inbox.spare = record.into_buffer();
    }
}
