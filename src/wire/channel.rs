//! The encrypted connection: one side speaks, the other listens, and the borrow checker knows which.

use crate::config::Rate;
use crate::exit::Exit;
use crate::limits;
use crate::sys::Stream;
use crate::wire::inbox::Inbox;
use crate::wire::noise::{Opener, Sealer, Transport};
use crate::wire::pace::Pace;
use crate::wire::record::Record;
use crate::wire::{Batch, Message, WireError};
use std::borrow::Cow;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// A connection on which both sides have proven the secret.
pub struct Channel {
    stream: Stream,
    seal: Sealer,
    open: Opener,
    patience: Patience,
    pace: Pace,
    sent: Instant,
    /// Whether it is our turn: then the peer has nothing to say but `Alive` and `Abort`.
    ours: bool,
    inbox: Inbox,
    /// The record whose messages are being read.
    current: Option<Record>,
    batch: Batch,
    /// Bytes written.
    written: u64,
}

/// How long the peer is waited for.
#[derive(Debug, Clone, Copy)]
pub enum Patience {
    /// Until then, whatever it sends meanwhile.
    Until(Instant),
    /// For so long after the last byte from it.
    Silence(Duration),
}

impl Patience {
    /// When it ends, if the peer was last heard or first waited for at `since`.
    fn end(self, since: Instant) -> Instant {
        match self {
            Patience::Until(end) => end,
            Patience::Silence(limit) => since + limit,
        }
    }
}

/// The right to speak.
pub struct Speaker<'c>(&'c mut Channel);

/// The duty to listen.
pub struct Listener<'c>(&'c mut Channel);

impl Channel {
    /// Over a stream, with the keys of a finished handshake.
    #[must_use]
    pub fn new(stream: Stream, transport: Transport, patience: Patience) -> Channel {
        let Transport { seal, open, .. } = transport;
        Channel {
            stream,
            seal,
            open,
            patience,
            pace: Pace::new(None),
            sent: Instant::now(),
            ours: false,
            inbox: Inbox::new(),
            current: None,
            batch: Batch::new(),
            written: 0,
        }
    }

    /// Bytes written and read since the greeting, with all that records add to messages.
    #[must_use]
    pub const fn traffic(&self) -> (u64, u64) {
        (self.written, self.inbox.read())
    }

    /// Whether the peer is on this host, as far as its address tells.
    #[must_use]
    pub fn is_of_this_host(&self) -> bool {
        self.stream.is_loopback()
    }

    /// Begins a turn in which we speak.
    pub fn speak(&mut self) -> Speaker<'_> {
        self.ours = true;
        Speaker(self)
    }

    /// Begins a turn in which the peer speaks.
    pub fn listen(&mut self) -> Listener<'_> {
        self.ours = false;
        Listener(self)
    }

    /// Sets how long the peer is waited for from now on.
    pub fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    /// Writes and reads no more than so many bytes a second from now on.
    pub fn limit(&mut self, rate: Rate) {
        self.pace = Pace::new(Some(rate));
        self.inbox.limit(rate);
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
    /// The connection broke, or the peer gave up meanwhile; `work` is done all the same. Or there is no thread.
    pub fn while_working<T: Send>(&mut self, work: impl FnOnce() -> T + Send) -> Result<T, WireError> {
        std::thread::scope(|scope| {
            let (done, worker) = std::sync::mpsc::sync_channel(1);
            let work = move || {
                // The receiver is gone when the connection broke: then nobody wants the result.
                let _ = done.send(work());
            };
            Builder::new().spawn_scoped(scope, work).map_err(WireError::Thread)?;
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
        self.patience = Patience::Until(Instant::now() + limits::DRAIN);
        self.pace = Pace::new(None);
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
        let end = Instant::now() + limits::DRAIN;
        self.patience = Patience::Until(end);
        while Instant::now() < end
            && let Ok(mut record) = self.next_record()
        {
            loop {
                match record.message() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(aborted @ WireError::Aborted { .. }) => return aborted,
                    Err(_) => return error,
                }
            }
        }
        error
    }

    /// Seals the batch and writes it, listening for `Alive` and `Abort` meanwhile; the batch is empty afterwards.
    fn write_record(&mut self, batch: &mut Batch) -> Result<(), WireError> {
        let mut left = batch.seal(&mut self.seal)?;
        let mut progress = Instant::now();
        while !left.is_empty() {
            // What is said out of turn is short, and must not be late.
            let most = if self.ours { self.pace.allowed(left.len(), Instant::now()) } else { left.len() };
            if most == 0 {
                if self.pace.wait(&self.stream)? {
                    self.hear()?;
                }
                continue;
            }
            let written = self.stream.try_write(left.get(..most).unwrap_or(left))?;
            self.pace.passed(written, Instant::now());
            left = left.get(written..).unwrap_or_default();
            self.written += written as u64;
            if written > 0 {
                progress = Instant::now();
            } else {
                let end = self.patience.end(progress.max(self.inbox.heard()));
                if self.stream.wait(self.ours, true, end)?.read {
                    self.hear()?;
                }
            }
        }
        self.sent = Instant::now();
        batch.clear();
        Ok(())
    }

    /// Takes what arrived while it is our turn: `Alive` is noted, `Abort` ends the session, and nothing else may come.
    /// One record each time, for no flood of them is to keep us from our work. While the peer speaks, what it says
    /// stays where it is until we listen.
    fn hear(&mut self) -> Result<(), WireError> {
        if !self.ours {
            return Ok(());
        }
        if let Some(left) = self.current.take() {
            self.hear_nothing_in(left)?;
        }
        match self.try_record()? {
            Some(record) => self.hear_nothing_in(record),
            None => Ok(()),
        }
    }

    fn hear_nothing_in(&mut self, mut record: Record) -> Result<(), WireError> {
        if record.message()?.is_some() {
            return Err(WireError::Violation("it spoke out of turn"));
        }
        self.inbox.recycle(record);
        Ok(())
    }

    /// The next record if it is there, without waiting.
    fn try_record(&mut self) -> Result<Option<Record>, WireError> {
        self.inbox.try_record(&self.stream, &mut self.open, !self.ours)
    }

    /// The next record, waited for as long as the peer may be silent from now on.
    fn next_record(&mut self) -> Result<Record, WireError> {
        let begun = Instant::now();
        loop {
            if let Some(record) = self.try_record()? {
                return Ok(record);
            }
            if !self.inbox.wait_until_due() {
                self.stream.wait(true, false, self.patience.end(begun.max(self.inbox.heard())))?;
            }
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
        while self.0.current.as_mut().is_none_or(Record::is_over) {
            let record = self.0.next_record()?;
            if let Some(over) = self.0.current.replace(record) {
                self.recycle(over);
            }
        }
        let next = self.0.current.as_mut().and_then(|record| record.message().transpose());
        next.unwrap_or(Err(WireError::Closed))
    }

    /// The next record, whole or what is left of one.
    ///
    /// # Errors
    /// The connection broke, or the peer was silent.
    pub fn record(&mut self) -> Result<Record, WireError> {
        match self.0.current.take() {
            Some(left) => Ok(left),
            None => self.0.next_record(),
        }
    }

    /// Waits for what a worker sends, as [`Channel::await_worker`].
    ///
    /// # Errors
    /// The connection broke, or the peer gave up.
    pub fn await_worker<T>(&mut self, worker: &Receiver<T>) -> Result<Option<T>, WireError> {
        self.0.await_worker(worker)
    }

    /// Ends the turn, with which its record must end too.
    ///
    /// # Errors
    /// Something follows.
    pub fn end(self) -> Result<(), WireError> {
        self.0.current.take().map_or(Ok(()), |left| self.0.hear_nothing_in(left))
    }

    /// Gives the memory of a record back for the next one.
    pub fn recycle(&mut self, record: Record) {
        self.0.inbox.recycle(record);
    }
}

#[cfg(test)]
#[path = "channel_tests.rs"]
mod tests;
