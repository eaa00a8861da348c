//! Turn 3 at the receiver: workers write what arrives into the stage while the connection reads on.

mod kept;

use crate::config::Durable;
use crate::install::{
    Basis, Failure, Fresh, Incoming, Meta, Partial, Places, Stage, Staged, hopeless, is_final,
};
use crate::report::{Monitor, Problem, Problems, Progress, Side, Step};
use crate::session::Error;
use crate::session::admit;
use crate::session::arrivals::Arrivals;
use crate::session::bases::Bases;
use crate::session::hands::{Hands, Load, Written};
use crate::session::worker;
use crate::spec::{Entry, Index, Marks, Spec, Time};
use crate::wire::{Channel, Listener, Message, Record, Unpacker, Whole, WireError};
use std::collections::HashMap;
use std::io;
use std::iter::Peekable;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// What the files are for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intake<'i> {
    pub(super) want: &'i Spec,
    pub(super) stage: &'i Stage,
    pub(super) fresh: &'i Fresh,
    pub(super) meta: &'i Meta<'i>,
    pub(super) durable: Durable,
    /// Larger files are not taken.
    pub(super) max_file_size: Option<u64>,
    /// Where digests of what arrived are noted.
    pub(super) arrivals: &'i Arrivals<'i>,
    /// Of what older files are here.
    pub(super) bases: &'i Bases<'i>,
}

/// What came of them.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) arrived: Staged,
    pub(super) bytes: u64,
    pub(super) problems: Problems,
    /// Files that the sender no longer has, or that kept changing.
    pub(super) vanished: Problems,
}

/// Records on their way from the connection to the writing worker.
const AHEAD: usize = 8;
/// Bytes of a hole that are digested before the worker looks up: a second's work at most.
const HOLE: u64 = 1 << 30;

/// Takes the wanted files, in this order, into the stage.
pub(super) fn take(
    connection: &mut Channel,
    intake: Intake<'_>,
    wanted: &Marks,
    partial: HashMap<Index, Partial>,
    monitor: &mut dyn Monitor,
) -> Result<Taken, Error> {
    let gone = AtomicBool::new(false);
    let (to_hands, loads) = channel();
    let hands = Hands::new(intake, loads);
    let taken = std::thread::scope(|scope| {
        let (to_worker, records) = channel();
        let (done, from_worker) = channel();
        hands.start(scope, &done)?;
        let (hands, gone) = (&hands, &gone);
        let work = move || Writer::new(intake, wanted, partial, (hands, to_hands), gone).run(records, done);
        let worker = worker::start(scope, work)?;
        let fed = feed(connection.listen(), to_worker, &from_worker, monitor);
        gone.store(fed.is_err(), Ordering::Relaxed);
        match (worker.join(), fed) {
            (Ok(Ok(taken)), Ok(())) => Ok(taken),
            (Ok(Ok(_) | Err(Error::Wire(WireError::Closed))), Err(error)) => Err(error.into()),
            // What the worker met came before whatever became of the connection.
            (Ok(Err(error)), _) => Err(error),
            (Err(panic), _) => std::panic::resume_unwind(panic),
        }
    });
    let Written { arrived, problems, .. } = hands.written()?;
    let mut taken = taken?;
    taken.arrived.extend(arrived);
    taken.problems += problems;
    Ok(taken)
}

/// Passes records on to the worker, until the last or until it gave up.
fn feed(
    mut listener: Listener<'_>,
    to_worker: Sender<Record>,
    from_worker: &Receiver<(Record, Progress)>,
    monitor: &mut dyn Monitor,
) -> Result<(), WireError> {
    let mut ahead = 0;
    let mut over = false;
    while !over {
        let record = listener.record()?;
        over = record.ends_with(&Message::FilesEnd);
        if to_worker.send(record).is_err() {
            return Ok(());
        }
        ahead += 1;
        while ahead >= AHEAD {
            let Some((record, progress)) = listener.await_worker(from_worker)? else { return Ok(()) };
            listener.recycle(record);
            monitor.progress(&progress);
            ahead -= 1;
        }
    }
    drop(to_worker);
    while listener.await_worker(from_worker)?.is_some() {}
    Ok(())
}

/// Writes files into the stage.
struct Writer<'i> {
    intake: Intake<'i>,
    places: Places<'i>,
    /// Who writes what is in one record as a whole.
    hands: (&'i Hands<'i>, Sender<Load>),
    wanted: Peekable<Box<dyn Iterator<Item = Index> + 'i>>,
    current: Option<Current<'i>>,
    /// The file that is to come once more.
    again: Option<Index>,
    /// Files of which the beginning is in the stage, until their turn comes.
    partial: HashMap<Index, Partial>,
    /// Whether the next file goes on where its beginning ends.
    resumed: bool,
    unpacker: Unpacker,
    taken: Taken,
    progress: Progress,
    over: bool,
    /// Set when the connection is gone: what is left of the record in hand is in vain.
    gone: &'i AtomicBool,
}

/// The file that is arriving.
struct Current<'i> {
    index: Index,
    want: Entry<'i>,
    /// Bytes that are still to come.
    left: u64,
    /// Whether it comes for the second time.
    again: bool,
    /// The older file that it has parts of, once it has any.
    basis: Option<Basis>,
    /// Without its contents when they are not wanted any more.
    incoming: Result<Incoming, Failure>,
}

impl<'i> Writer<'i> {
    fn new(
        intake: Intake<'i>,
        wanted: &'i Marks,
        partial: HashMap<Index, Partial>,
        hands: (&'i Hands<'i>, Sender<Load>),
        gone: &'i AtomicBool,
    ) -> Writer<'i> {
        let size = |index: Index| intake.want.size(index).unwrap_or_default();
        let progress = Progress {
            files_total: wanted.len().into(),
            bytes_total: wanted.iter().map(size).fold(0, u64::saturating_add),
            ..Progress::default()
        };
        Writer {
            intake,
            places: Places::new(intake.stage, intake.want, intake.fresh),
            hands,
            wanted: (Box::new(wanted.iter()) as Box<dyn Iterator<Item = Index>>).peekable(),
            current: None,
            again: None,
            partial,
            resumed: false,
            unpacker: Unpacker::default(),
            taken: Taken::default(),
            progress,
            over: false,
            gone,
        }
    }

    fn run(mut self, records: Receiver<Record>, done: Sender<(Record, Progress)>) -> Result<Taken, Error> {
        for mut record in records {
            // Why is told by who met it.
            if self.hands.0.is_over() {
                break;
            }
            let files = self.record(&mut record)?;
            let progress = self.progress;
            // The connection may be gone; then the last word is what it says.
            if files.is_empty() {
                let _ = done.send((record, progress));
            } else {
                let _ = self.hands.1.send(Load { record, files, progress });
            }
        }
        Ok(self.taken)
    }

    /// Takes what is in a record, but for the files that are in it as a whole.
    fn record(&mut self, record: &mut Record) -> Result<Vec<(Index, Whole)>, Error> {
        let mut files = Vec::new();
        loop {
            let between = self.current.is_none() && self.again.is_none() && !self.resumed && !self.over;
            if between && let Some(whole) = record.whole() {
                let index = self.next(whole.index)?;
                self.partial.remove(&index);
                self.progress.bytes = self.progress.bytes.saturating_add(whole.size);
                self.progress.files += 1;
                self.taken.bytes = self.taken.bytes.saturating_add(whole.size);
                files.push((index, whole));
                continue;
            }
            let Some(message) = record.message()? else { return Ok(files) };
            if self.over {
                return Err(WireError::Violation("more after the last file").into());
            }
            self.message(&message)?;
        }
    }

    fn message(&mut self, message: &Message<'_>) -> Result<(), Error> {
        let broken = |what| Err(WireError::Violation(what).into());
        match *message {
            Message::File { index, size, time } => self.begin(index, size, time)?,
            Message::Resumed => {
                let next = self.wanted.peek();
                let there = next.is_some_and(|next| self.partial.contains_key(next));
                if self.resumed || !there || self.current.is_some() || self.again.is_some() {
                    return broken("a file that cannot be gone on with");
                }
                self.resumed = true;
            }
            _ if self.resumed => return broken("no file to go on with"),
            Message::Data(piece) => {
                self.count(piece.len() as u64)?;
                self.write(|incoming| incoming.write(piece))?;
            }
            Message::Packed { size, piece } => {
                self.count(size.into())?;
                let mut unpacker = std::mem::take(&mut self.unpacker);
                let piece = unpacker.unpack(size, piece)?;
                self.write(|incoming| incoming.write(piece))?;
                self.unpacker = unpacker;
            }
            Message::Hole(length) => self.hole(length)?,
            Message::Copy { from, length } => self.kept(from, length)?,
            Message::FileEnd { digest } => {
                let Some(current) = self.current.take() else { return broken("the end of no file") };
                self.end(current, &digest)?;
            }
            Message::Again => match self.current.take() {
                Some(Current { index, again: false, .. }) => self.again = Some(index),
                Some(_) => return broken("a file that is to come a third time"),
                None => return broken("no file to send again"),
            },
            Message::Missing { index, errno } => {
                let index = match self.current.take() {
                    Some(current) if current.index.get() == index => current.index,
                    Some(_) => return broken("another file is missing than the one that is sent"),
                    None => self.next(index)?,
                };
                let path = self.intake.want.entry(index).path.into_owned();
                let problem = Problem { path, step: Step::Read, side: Side::Sender, errno };
                if vanished(errno) {
                    self.taken.vanished.push(problem);
                } else {
                    self.taken.problems.push(problem);
                }
            }
            Message::FilesEnd => {
                if self.current.is_some() || self.again.is_some() || self.wanted.peek().is_some() {
                    return broken("fewer files than were wanted");
                }
                self.over = true;
            }
            _ => return broken("a message that the receiver does not expect"),
        }
        Ok(())
    }

    /// Begins the next file, or goes on with it.
    fn begin(&mut self, index: u32, size: u64, time: Time) -> Result<(), Error> {
        let again = self.again.is_some();
        let index = self.next(index)?;
        let want = self.intake.want.entry(index);
        let Intake { durable, max_file_size, .. } = self.intake;
        let there = self.partial.remove(&index).filter(|_| std::mem::take(&mut self.resumed));
        let (offset, incoming) = match there {
            Some(_) if want.size != Some(size) || want.time != Some(time) => {
                return Err(WireError::Violation("another file than the one that was begun").into());
            }
            Some(there) => (there.offset(), usable(there.go_on(size, time, durable))?),
            None if admit::is_large(size, max_file_size) => (0, Err(admit::too_large())),
            None => (0, usable(self.places.begin(index, &want, (size, time), durable))?),
        };
        self.progress.bytes = self.progress.bytes.saturating_add(offset);
        let left = size.saturating_sub(offset);
        self.current = Some(Current { index, want, left, again, basis: None, incoming });
        Ok(())
    }

    /// The next file must be the next one wanted, or the one that comes again.
    fn next(&mut self, index: u32) -> Result<Index, Error> {
        let expected = self.again.take().or_else(|| self.wanted.next());
        match expected {
            Some(expected) if expected.get() == index && self.current.is_none() => Ok(expected),
            _ => Err(WireError::Violation("another file than the next one wanted").into()),
        }
    }

    /// Counts contents of the current file, which must be no more than it was said to have.
    fn count(&mut self, length: u64) -> Result<(), Error> {
        let current = self.current.as_mut().ok_or(WireError::Violation("contents of no file"))?;
        let left = current.left.checked_sub(length);
        current.left = left.ok_or(WireError::Violation("more contents than the file was said to have"))?;
        self.progress.bytes = self.progress.bytes.saturating_add(length);
        self.taken.bytes = self.taken.bytes.saturating_add(length);
        Ok(())
    }

    /// Writes to the current file, unless that failed before.
    fn write(&mut self, write: impl FnOnce(&mut Incoming) -> io::Result<()>) -> Result<(), Error> {
        if let Some(Current { incoming, .. }) = &mut self.current
            && let Ok(open) = incoming
            && let Err(failure) = usable(write(open))?
        {
            *incoming = Err(failure);
        }
        Ok(())
    }

    /// Takes a hole. A large one takes long to digest: not longer than somebody waits for it.
    fn hole(&mut self, length: u64) -> Result<(), Error> {
        self.count(length)?;
        let mut left = length;
        loop {
            let part = left.min(HOLE);
            self.write(|incoming| incoming.hole(part))?;
            left -= part;
            if left == 0 {
                return Ok(());
            }
            if self.gone.load(Ordering::Relaxed) {
                return Err(WireError::Closed.into());
            }
        }
    }

    /// Ends a file, which must be what was announced.
    fn end(&mut self, current: Current<'_>, digest: &[u8; 32]) -> Result<(), Error> {
        let Current { index, want, left, basis, incoming, .. } = current;
        if left > 0 {
            return Err(WireError::Violation("less contents than the file was said to have").into());
        }
        let other = incoming.as_ref().is_ok_and(|incoming| incoming.digest() != *digest);
        if other && basis.is_none() {
            return Err(WireError::Violation("contents that are not those of the digest").into());
        }
        let incoming = if other { Err(kept::broken()) } else { incoming };
        match incoming.and_then(|incoming| incoming.finish(digest, &want, self.intake.meta)) {
            Ok(arrived) => {
                self.intake.arrivals.note(index, digest);
                self.taken.arrived.insert(index, &want, arrived);
                self.progress.files += 1;
            }
            Err(failure) if is_final(&failure) => return Err(full(failure.1)),
            Err((step, error)) => self.taken.problems.push(Problem::new(&want.path, step, &error)),
        }
        Ok(())
    }
}

/// Whether a sender that met this error has no such file any more, or one that kept changing.
fn vanished(errno: i32) -> bool {
    // A link, a directory and a socket in its place cannot be opened as a file.
    matches!(errno, libc::ENOENT | libc::ENOTDIR | libc::ESTALE | libc::ELOOP | libc::EISDIR | libc::ENXIO)
}

/// Tells an error of one file from one that the next file would meet as well.
fn usable<T>(done: io::Result<T>) -> Result<Result<T, Failure>, Error> {
    match done {
        Err(error) if hopeless(&error) => Err(full(error)),
        done => Ok(done.map_err(|error| (Step::Write, error))),
    }
}

pub(super) fn full(error: io::Error) -> Error {
    Error::Disk("write into the stage", error)
}
