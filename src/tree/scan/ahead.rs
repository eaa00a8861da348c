//! Directories that are listed before their turn, by whoever helps.

use super::crew::Directory;
use super::examine::{Listing, ToList};
use super::place::Place;
use super::task::Task;
use super::{Level, Walk};
use crate::limits;
use crate::sys::FileKind;
use crate::tree::ScanError;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;

/// What is done ahead in one directory.
#[derive(Default)]
pub(super) struct Ahead {
    /// How many names are left behind the last one that was considered; not set before the first.
    left: Option<usize>,
    /// Subdirectories that are being listed, in their order.
    begun: VecDeque<(Box<[u8]>, Directory)>,
}

/// Whether too many files are open.
fn out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

impl<W: Write> Walk<'_, W> {
    /// Has the next subdirectories of a directory listed.
    pub(super) fn look_ahead(&mut self, level: &Level<'_>) {
        let Some(crew) = self.crew else { return };
        let depth = self.ahead.len();
        while let Some(name) = self.next_ahead(level) {
            let Ok(parent) = level.dir.of(name) else { return };
            // What is excluded is not to be read.
            let all = self.what.scope.filter().items().is_empty() && self.policy.fence.is_none();
            let only_on = Some(level.dev).filter(|_| self.stays());
            let directory =
                Arc::new(Task::new(ToList { parent: parent.clone(), name: name.into(), all, only_on }));
            crew.add_directory(depth, directory.clone());
            if let Some(ahead) = self.ahead.last_mut() {
                ahead.begun.push_back((name.into(), directory));
            }
        }
    }

    /// The next name that is to be listed ahead, if there is room for more.
    fn next_ahead<'l>(&mut self, level: &'l Level<'_>) -> Option<&'l [u8]> {
        loop {
            let begun = self.ahead.last()?.begun.len();
            if begun >= limits::SCAN_SIBLINGS
                || self.ahead.iter().map(|ahead| ahead.begun.len()).sum::<usize>() >= limits::SCAN_DIRECTORIES
            {
                return None;
            }
            let ahead = self.ahead.last_mut()?;
            let at = ahead.left.unwrap_or(usize::MAX).min(level.rest.len()).checked_sub(1)?;
            ahead.left = Some(at);
            let (name, kind) = level.rest.get(at)?;
            if *kind != Some(FileKind::Dir) {
                continue;
            }
            let Ok(path) = level.path.join(name) else { continue };
            let scope = self.what.scope;
            let mut hidden =
                || self.rules.excludes(&path, true, level.doomed) && self.wanted(&path).is_none();
            if scope.covers(&path) && !scope.leads(&path) && !hidden() {
                return Some(name);
            }
        }
    }

    /// Lists a directory of which the turn has come.
    pub(super) fn list(&mut self, place: &Place<'_>) -> Result<io::Result<Listing>, ScanError> {
        if let Some(listing) = self.listed(place) {
            return Ok(Ok(listing));
        }
        match place.list() {
            Err(error) if self.crew.is_some() && out_of_descriptors(&error) => {
                self.let_go()?;
                Ok(place.list().and_then(|dir| self.examiner.list(dir)))
            }
            opened => Ok(opened.and_then(|dir| self.examiner.list(dir))),
        }
    }

    /// What came of listing it ahead, if that was done.
    fn listed(&mut self, place: &Place<'_>) -> Option<Listing> {
        let depth = self.ahead.len();
        let (crew, begun) = (self.crew?, &mut self.ahead.last_mut()?.begun);
        // What came before it turned out to be something else.
        while begun.front().is_some_and(|(name, _)| **name < *place.name()) {
            begun.pop_front().iter().for_each(|(_, directory)| crew.take_directory(depth, directory));
        }
        begun.front().filter(|(name, _)| **name == *place.name() && !place.is_elsewhere())?;
        let (_, directory) = begun.pop_front()?;
        crew.take_directory(depth, &directory);
        directory.work(|to_list| self.examiner.ahead(&to_list));
        while !directory.is_over() && crew.help(&mut self.examiner) {}
        directory.wait()
    }

    /// Leaves a directory.
    pub(super) fn leave(&mut self) {
        let depth = self.ahead.len();
        if let (Some(ahead), Some(crew)) = (self.ahead.pop(), self.crew) {
            ahead.begun.iter().for_each(|(_, directory)| crew.take_directory(depth, directory));
        }
    }

    /// Closes every directory that is only held for what comes later.
    fn let_go(&mut self) -> Result<(), ScanError> {
        self.finish()?;
        for (at, ahead) in self.ahead.iter_mut().enumerate() {
            for (_, directory) in ahead.begun.drain(..) {
                if let Some(crew) = self.crew {
                    crew.take_directory(at + 1, &directory);
                }
                directory.work(|_| None);
                directory.wait();
            }
        }
        Ok(())
    }
}
