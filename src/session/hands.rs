//! Threads that write files into the stage, those of one record each, while more records arrive.

use crate::digest::Content;
use crate::install::{Places, Staged, is_final};
use crate::limits;
use crate::report::{Problem, Problems, Progress};
use crate::session::Error;
use crate::session::admit;
use crate::session::intake::{Intake, full};
use crate::session::worker;
use crate::spec::Index;
use crate::sys::threads;
use crate::wire::{Record, Whole, WireError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::Scope;

/// A record, and the files that are in it.
pub(super) struct Load {
    pub(super) record: Record,
    pub(super) files: Vec<(Index, Whole)>,
    /// What has come with all that is in it.
    pub(super) progress: Progress,
}

/// What came of the files.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) arrived: Staged,
    pub(super) problems: Problems,
    /// What the next file would meet as well.
    failed: Option<Error>,
}

/// What the threads share.
pub(super) struct Hands<'h> {
    intake: Intake<'h>,
    loads: Mutex<Receiver<Load>>,
    written: Mutex<Written>,
    /// Set when nothing more is to be written.
    over: AtomicBool,
}

impl<'h> Hands<'h> {
    /// For what comes through this channel.
    pub(super) fn new(intake: Intake<'h>, loads: Receiver<Load>) -> Hands<'h> {
        let (loads, written, over) = (Mutex::new(loads), Mutex::default(), AtomicBool::new(false));
        Hands { intake, loads, written, over }
    }

    /// Starts as many as are of use, or as are to be had: fewer are slower, and nothing else.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn start<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        done: &Sender<(Record, Progress)>,
    ) -> Result<(), Error> {
        // Large files are written by another thread, which may stand deep in the stage, and in the tree for what it keeps.
        for number in 0..threads::at_once(limits::HANDS, limits::DEPTH, 2 * limits::DEPTH) {
            let done = done.clone();
            // It ends with this thread: by that the connection knows that nothing more comes back.
            let hand = worker::start(scope, move || self.work(&done));
            if number == 0 {
                hand?;
            }
        }
        Ok(())
    }

    /// Whether one of them met what the next file would meet as well.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Writes until there is nothing more to come; each record goes back.
    fn work(&self, done: &Sender<(Record, Progress)>) {
        let Intake { stage, want, fresh, .. } = self.intake;
        let mut places = Places::new(stage, want, fresh);
        loop {
            let next = self.loads.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(load) = next else { return };
            self.write(&mut places, &load);
            // The connection may be gone; then nobody wants it.
            let _ = done.send((load.record, load.progress));
        }
    }

    fn write(&self, places: &mut Places<'_>, load: &Load) {
        let Intake { want, meta, durable, max_file_size, arrivals, .. } = self.intake;
        let mut arrived = Vec::with_capacity(load.files.len());
        let mut problems = Vec::new();
        let mut failed = None;
        for (index, file) in &load.files {
            if self.is_over() {
                break;
            }
            let contents = load.record.contents(file);
            if Content::of(contents) != file.digest {
                failed = Some(WireError::Violation("contents that are not those of the digest").into());
                break;
            }
            let entry = want.entry(*index);
            let taken = if admit::is_large(contents.len() as u64, max_file_size) {
                Err(admit::too_large())
            } else {
                places.take(*index, &entry, (contents, file.time), &file.digest, (meta, durable))
            };
            match taken {
                Ok((whole, last)) => {
                    match last {
                        Some(stat) => arrivals.note_staged(*index, &file.digest, stat),
                        None => arrivals.note(*index, &file.digest),
                    }
                    arrived.push((*index, entry, whole));
                }
                Err(failure) if is_final(&failure) => {
                    failed = Some(full(failure.1));
                    break;
                }
                Err((step, error)) => problems.push(Problem::new(&entry.path, step, &error)),
            }
        }
        if failed.is_some() {
            self.over.store(true, Ordering::Relaxed);
        }
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        arrived.iter().for_each(|(index, entry, whole)| written.arrived.insert(*index, entry, *whole));
        problems.into_iter().for_each(|problem| written.problems.push(problem));
        written.failed = written.failed.take().or(failed);
    }

    /// What came of all files.
    ///
    /// # Errors
    /// What the next file would have met as well.
    pub(super) fn written(self) -> Result<Written, Error> {
        let mut written = self.written.into_inner().unwrap_or_else(PoisonError::into_inner);
        written.failed.take().map_or(Ok(written), Err)
    }
}
