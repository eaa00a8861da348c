//! What waits to be described, in tree order, until all is known of it.

use super::Walk;
use super::crew::Files;
use super::examine::{Batch, Facts};
use super::task::Task;
use crate::limits;
use crate::path::RelPath;
use crate::report::{Problem, Step};
use crate::spec::{Entry, Kind};
use crate::sys::{Dir, FileKind, Stat};
use crate::tree::ScanError;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;

/// A path that is to be described.
pub(super) struct Waiting {
    pub(super) path: RelPath<'static>,
    pub(super) kind: Kind,
    /// What stat(2) said; nothing, if nothing but the type is to be said.
    pub(super) stat: Option<Stat>,
    pub(super) ignore: bool,
    /// Whether it is neither sent nor changed nor removed.
    pub(super) left: bool,
    pub(super) facts: Source,
}

/// Where the rest is known from.
pub(super) enum Source {
    Known(Facts),
    /// It is the next thing that comes of this.
    Asked(Files),
}

/// What waits, and what is asked meanwhile.
#[derive(Default)]
pub(super) struct Line {
    waiting: VecDeque<Waiting>,
    /// The batch that is being filled, with its directory, its files and their bytes.
    open: Option<(Files, Arc<Dir>, usize, u64)>,
    /// Batches of which nothing was taken yet.
    batches: usize,
    /// What came of the batch that the next of those that wait may be from.
    came: Option<(Files, std::vec::IntoIter<Facts>)>,
}

impl Line {
    /// Whether more waits than may.
    fn is_long(&self) -> bool {
        self.waiting.len() > limits::SCAN_WAITING || self.batches > limits::SCAN_BATCHES
    }

    /// Whether the next one can be described without waiting for it.
    fn is_ready(&self) -> bool {
        self.waiting.front().is_some_and(|next| match &next.facts {
            Source::Known(_) => true,
            Source::Asked(files) => self.has(files) || files.is_over(),
        })
    }

    /// Whether what came of this batch is at hand.
    fn has(&self, files: &Files) -> bool {
        self.came.as_ref().is_some_and(|(came, _)| Arc::ptr_eq(came, files))
    }
}

impl<W: Write> Walk<'_, W> {
    /// Where the rest of what is to be known of a name will come from: whoever helps is asked, or else it is done at once.
    pub(super) fn ask(&mut self, dir: &Arc<Dir>, name: &[u8], stat: &Stat) -> Source {
        if !self.examiner.asks(stat) {
            return Source::Known(Facts::default());
        }
        if self.crew.is_none() {
            return Source::Known(self.examiner.facts(dir, name, stat));
        }
        if self.line.open.as_ref().is_some_and(|(_, open, ..)| !Arc::ptr_eq(open, dir)) {
            self.close();
        }
        let line = &mut self.line;
        let (files, _, count, bytes) = line.open.get_or_insert_with(|| {
            line.batches += 1;
            let batch = Batch { dir: dir.clone(), files: Vec::new() };
            (Arc::new(Task::new(batch)), dir.clone(), 0, 0)
        });
        files.change(|batch| batch.files.push((name.into(), *stat)));
        *count += 1;
        if self.examiner.digests() && stat.kind == Some(FileKind::File) {
            *bytes = bytes.saturating_add(stat.size);
        }
        let asked = Source::Asked(files.clone());
        if *count >= limits::SCAN_BATCH || *bytes >= limits::SCAN_BATCH_BYTES {
            self.close();
        }
        asked
    }

    /// Has the files examined that were asked about.
    pub(super) fn close(&mut self) {
        if let (Some((files, ..)), Some(crew)) = (self.line.open.take(), self.crew) {
            crew.add_files(files);
        }
    }

    /// Describes this path after those that wait.
    pub(super) fn push(&mut self, next: Waiting) -> Result<(), ScanError> {
        self.line.waiting.push_back(next);
        while self.line.is_ready() || self.line.is_long() {
            self.next()?;
        }
        Ok(())
    }

    /// Describes all that waits.
    pub(super) fn finish(&mut self) -> Result<(), ScanError> {
        self.close();
        while !self.line.waiting.is_empty() {
            self.next()?;
        }
        Ok(())
    }

    /// Describes what comes next.
    fn next(&mut self) -> Result<(), ScanError> {
        let Some(Waiting { path, kind, stat, ignore, left, facts }) = self.line.waiting.pop_front() else {
            return Ok(());
        };
        let facts = match facts {
            Source::Known(facts) => facts,
            Source::Asked(files) => self.answer(&files)?,
        };
        self.describe_all(&path, (kind, stat), (ignore, left), facts)
    }

    /// What came of asking about the next file of a batch.
    fn answer(&mut self, files: &Files) -> io::Result<Facts> {
        if !self.line.has(files) {
            if self.line.open.as_ref().is_some_and(|(open, ..)| Arc::ptr_eq(open, files)) {
                self.line.open = None;
            }
            if let Some(crew) = self.crew {
                crew.take_files(files);
            }
            files.work(|batch| Some(self.examiner.batch(&batch)));
            while !files.is_over() && self.crew.is_some_and(|crew| crew.help(&mut self.examiner)) {}
            let came = files.wait().unwrap_or_default().into_iter();
            self.line.batches -= 1;
            self.line.came = Some((files.clone(), came));
        }
        // There are fewer answers only when it was stopped.
        let next = self.line.came.as_mut().and_then(|(_, came)| came.next());
        next.ok_or_else(|| io::ErrorKind::Interrupted.into())
    }

    fn describe_all(
        &mut self,
        path: &RelPath<'_>,
        (kind, stat): (Kind, Option<Stat>),
        (ignore, left): (bool, bool),
        facts: Facts,
    ) -> Result<(), ScanError> {
        let mut entry = match &stat {
            Some(stat) => self.describe(path.borrowed(), kind, stat),
            None => Entry::new(path.borrowed(), kind),
        };
        entry.ignore = ignore;
        let mut left = left;
        match facts.target {
            Some(Ok(target)) => {
                let target = self.policy.link_out(target);
                left = self.taking.leaves(path, &target);
                entry.link = Some(target.into());
            }
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Some(Err(error)) => {
                if self.missed(path, Step::Stat, &error) {
                    self.writer.push(&Entry::new(path.borrowed(), Kind::Socket))?;
                }
                return Ok(());
            }
            None => {}
        }
        if left {
            // Neither sent nor changed nor removed.
            return self.writer.push(&Entry { optional: true, nochange: true, inode: None, ..entry });
        }
        match facts.digests {
            Some(Ok(digests)) => entry.digests = digests,
            Some(Err(error)) => self.found.problems.push(Problem::new(path, Step::Read, &error)),
            None => {}
        }
        if let Some(attributes) = facts.attributes {
            entry.xattrs = self.known(path, attributes);
        }
        self.writer.push(&entry)
    }
}
