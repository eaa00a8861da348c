//! Removes what is not wanted any more, last of all and only if everything else worked.

use super::Run;
use crate::install::keep::Kept;
use crate::install::{Failure, at};
use crate::report::Step;
use crate::spec::{Entry, Index, Kind, Marks};
use crate::sys::threads;
use crate::tree::Cursor;
use std::io;

/// Whether it is gone, by whomever; what went with a directory that was replaced is.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR))
}

impl Run<'_> {
    pub(super) fn remove(&mut self) {
        self.replace_trees();
        let extras = &self.install.plan.extras;
        if !self.install.delete || !self.done.problems.is_empty() {
            self.done.report.extra += extras.len() as u64;
            return;
        }
        self.cursor.forget();
        let tried = self.remove_many(extras);
        // Deepest first.
        for index in extras.iter().rev().filter(|index| !tried.contains(**index)) {
            let extra = self.install.have.entry(*index);
            match self.remove_one(&extra) {
                Err((Step::Remove, error)) if is_gone(&error) => self.done.removed.insert(*index),
                Err(failure) => self.failed(&extra.path, &failure),
                Ok(()) => self.done.removed.insert(*index),
            }
        }
        self.done.report.removed += u64::from(self.done.removed.len());
    }

    /// Puts in place what replaces whole trees.
    fn replace_trees(&mut self) {
        for step in self.install.plan.steps.iter().filter(|step| step.have.is_some()) {
            let want = self.install.want.entry(step.want);
            if !self.replaces_tree(step, &want) || self.waiting(step.want, &want).is_none() {
                continue;
            }
            let placed = if self.install.delete && self.done.problems.is_empty() {
                self.keep_below(step).and_then(|()| self.place_one(step, &want))
            } else {
                Err((Step::Place, io::Error::from_raw_os_error(libc::ENOTEMPTY)))
            };
            if let Err(failure) = placed {
                self.failed(&want.path, &failure);
            }
        }
    }

    /// Removes the files, links and the like, of which nothing is kept or takes long to be freed, directory by directory on
    /// all cores. Gives back which those are.
    fn remove_many(&mut self, extras: &[Index]) -> Marks {
        let install = self.install;
        if !install.keep.is_nothing() {
            return Marks::default();
        }
        let have = install.have;
        let neighbours = |one: &Index, other: &Index| {
            let (one, other) = (have.path(*one), have.path(*other));
            one.split_last().map(|(parent, _)| parent) == other.split_last().map(|(parent, _)| parent)
        };
        let together: Vec<&[Index]> = extras.chunk_by(neighbours).collect();
        for first in together.iter().filter_map(|some| some.first()) {
            // It is open to us from now on, and its time will be set; that it cannot be reached is told below.
            let _ = self.holder(&have.path(*first));
        }
        let nameless = &self.done.nameless;
        let is_simple = |entry: &Entry<'_>| entry.kind != Kind::Dir && nameless.candidate(entry).is_none();
        let done = threads::spread(together.iter(), |todo| {
            let mut cursor = Cursor::new(install.root, true);
            let (mut gone, mut failed) = (Marks::default(), Vec::new());
            for index in todo.copied().flatten() {
                let extra = have.entry(*index);
                if !is_simple(&extra) {
                    continue;
                }
                match cursor.holder(&extra.path).and_then(|(holder, name)| holder.remove(name)) {
                    Err(error) if !is_gone(&error) => failed.push((*index, error)),
                    _ => gone.insert(*index),
                }
            }
            (gone, failed)
        });
        let mut failed = Vec::new();
        for (gone, some_failed) in done {
            self.done.removed.extend(gone.iter());
            failed.extend(some_failed);
        }
        failed.sort_unstable_by_key(|(index, _)| *index);
        let mut tried = self.done.removed.clone();
        for (index, error) in failed {
            tried.insert(index);
            self.failed(&have.path(index), &(Step::Remove, error));
        }
        tried
    }

    fn remove_one(&mut self, extra: &Entry<'_>) -> Result<(), Failure> {
        if extra.kind != Kind::Dir && self.keep(&extra.path)? == Kept::Moved {
            return Ok(());
        }
        let old = self.done.nameless.candidate(extra);
        let (holder, name) = self.holder(&extra.path).map_err(|(_, error)| (Step::Remove, error))?;
        let old = old.and_then(|old| old.open(holder, name));
        let removed = if extra.kind == Kind::Dir { holder.remove_dir(name) } else { holder.remove(name) };
        removed.map_err(at(Step::Remove))?;
        old.into_iter().for_each(|old| self.done.nameless.keep(old));
        Ok(())
    }
}
