//! Turn 3 at the receiver: a worker writes what arrives into the stage while the connection reads on.

use crate::config::Durable;
use crate::install::{Arrived, Failure, Incoming, Meta, Stage, hopeless};
use crate::path::RelPath;
use crate::report::{Monitor, Problem, Progress, Step};
use crate::session::Error;
use crate::spec::{Entry, Index, Spec};
use crate::wire::{Channel, Message, Record, WireError};
use std::collections::HashMap;
use std::io;
use std::sync::mpsc::channel;

/// What the files are for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intake<'i> {
    pub(super) want: &'i Spec,
    pub(super) stage: &'i Stage,
    pub(super) meta: &'i Meta<'i>,
    pub(super) durable: Durable,
}

/// What came of them.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) arrived: HashMap<Index, Arrived>,
    pub(super) bytes: u64,
    pub(super) problems: Vec<Problem>,
    /// Files that the sender no longer has, or that kept changing.
    pub(super) vanished: Vec<Problem>,
}

/// Records on their way from the connection to the writing worker.
const AHEAD: usize = 4;

/// Takes the wanted files, in this order, into the stage.
pub(super) fn take(
    connection: &mut Channel,
    intake: Intake<'_>,
    wanted: &[Index],
    monitor: &mut dyn Monitor,
) -> Result<Taken, Error> {
    let (to_worker, records) = channel::<Record>();
    let (done, from_worker) = channel();
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || {
            let mut writer = Writer::new(intake, wanted);
            for mut record in records {
                writer.record(&mut record)?;
                // The connection may be gone; then the last word is what it says.
                let _ = done.send((record, writer.progress));
            }
            writer.end()
        });
        let mut listener = connection.listen();
        let mut ahead = 0;
        let mut over = false;
        while !over {
            let record = listener.record()?;
            over = record.ends_with(&Message::FilesEnd);
            if to_worker.send(record).is_err() {
                break;
            }
            ahead += 1;
            while ahead >= AHEAD {
                match listener.await_worker(&from_worker)? {
                    Some((record, progress)) => {
                        listener.recycle(record);
                        monitor.progress(&progress);
                        ahead -= 1;
                    }
                    None => break,
                }
            }
            if ahead >= AHEAD {
                break;
            }
        }
        drop(to_worker);
        while listener.await_worker(&from_worker)?.is_some() {}
        match worker.join() {
            Ok(taken) => taken,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Writes files into the stage.
struct Writer<'i> {
    intake: Intake<'i>,
    wanted: std::slice::Iter<'i, Index>,
    /// The file that is arriving; without its contents when they are not wanted any more.
    current: Option<(Entry<'i>, Index, Result<Incoming, Failure>)>,
    /// The file that is to come once more.
    again: Option<Index>,
    taken: Taken,
    progress: Progress,
    over: bool,
}

impl<'i> Writer<'i> {
    fn new(intake: Intake<'i>, wanted: &'i [Index]) -> Writer<'i> {
        let size = |index: &Index| intake.want.entry(*index).size.unwrap_or_default();
        let progress = Progress {
            files_total: wanted.len() as u64,
            bytes_total: wanted.iter().map(size).sum(),
            ..Progress::default()
        };
        Writer {
            intake,
            wanted: wanted.iter(),
            current: None,
            again: None,
            taken: Taken::default(),
            progress,
            over: false,
        }
    }

    fn record(&mut self, record: &mut Record) -> Result<(), Error> {
        while let Some(message) = record.message()? {
            if self.over {
                return Err(WireError::Violation("more after the last file").into());
            }
            self.message(&message)?;
        }
        Ok(())
    }

    fn message(&mut self, message: &Message<'_>) -> Result<(), Error> {
        let broken = |what| Err(WireError::Violation(what).into());
        match *message {
            Message::File { index, size, time } => {
                let index = self.next(index)?;
                let want = self.intake.want.entry(index);
                let begun = self.intake.stage.begin(&want.path, size, time, self.intake.durable);
                let begun = usable(begun, Step::Write)?;
                self.current = Some((want, index, begun));
            }
            Message::Data(piece) => self.piece(piece.len() as u64, |incoming| incoming.write(piece))?,
            Message::Hole(length) => self.piece(length, |incoming| incoming.hole(length))?,
            Message::FileEnd { digest } => {
                let Some((want, index, incoming)) = self.current.take() else {
                    return broken("the end of no file");
                };
                match incoming.and_then(|incoming| incoming.finish(&digest, &want, self.intake.meta)) {
                    Ok(arrived) => {
                        self.taken.arrived.insert(index, arrived);
                        self.progress.files += 1;
                    }
                    Err((_, error)) if hopeless(&error) => return Err(full(error)),
                    Err(failure) => self.problem(&want.path, &failure),
                }
            }
            Message::Again => {
                let Some((_, index, _)) = self.current.take() else { return broken("no file to send again") };
                self.again = Some(index);
            }
            Message::Missing { index, errno } => {
                let index = match self.current.take() {
                    Some((_, current, _)) if current.get() == index => current,
                    Some(_) => return broken("another file is missing than the one that is sent"),
                    None => self.next(index)?,
                };
                let path = self.intake.want.entry(index).path.into_owned();
                let problem = Problem { path, step: Step::Read, errno };
                if matches!(errno, libc::ENOENT | libc::ENOTDIR | libc::ESTALE) {
                    self.taken.vanished.push(problem);
                } else {
                    self.taken.problems.push(problem);
                }
            }
            Message::FilesEnd => {
                if self.current.is_some() || self.again.is_some() || self.wanted.len() > 0 {
                    return broken("fewer files than were wanted");
                }
                self.over = true;
            }
            _ => return broken("a message that the receiver does not expect"),
        }
        Ok(())
    }

    /// The next file must be the next one wanted, or the one that comes again.
    fn next(&mut self, index: u32) -> Result<Index, Error> {
        let expected = self.again.take().or_else(|| self.wanted.next().copied());
        match expected {
            Some(expected) if expected.get() == index && self.current.is_none() => Ok(expected),
            _ => Err(WireError::Violation("another file than the next one wanted").into()),
        }
    }

    fn piece(
        &mut self,
        length: u64,
        write: impl FnOnce(&mut Incoming) -> io::Result<()>,
    ) -> Result<(), Error> {
        let Some((_, _, incoming)) = &mut self.current else {
            return Err(WireError::Violation("contents of no file").into());
        };
        self.progress.bytes += length;
        self.taken.bytes += length;
        if let Ok(open) = incoming {
            if !open.fits(length) {
                return Err(WireError::Violation("more contents than the file was said to have").into());
            }
            if let Err(failure) = usable(write(open), Step::Write)? {
                *incoming = Err(failure);
            }
        }
        Ok(())
    }

    fn problem(&mut self, path: &RelPath<'_>, (step, error): &Failure) {
        self.taken.problems.push(Problem::new(path, *step, error));
    }

    fn end(self) -> Result<Taken, Error> {
        Ok(self.taken)
    }
}

/// Tells an error of one file from one that the next file would meet as well.
fn usable<T>(done: io::Result<T>, step: Step) -> Result<Result<T, Failure>, Error> {
    match done {
        Err(error) if hopeless(&error) => Err(full(error)),
        done => Ok(done.map_err(|error| (step, error))),
    }
}

fn full(error: io::Error) -> Error {
    Error::Disk("write into the stage", error)
}
