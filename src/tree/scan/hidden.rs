//! What a scan does not describe, and what follows from that.

use super::Walk;
use crate::path::RelPath;
use crate::report::{Problem, Step};
use crate::spec::{Entry, Kind};
use crate::tree::ScanError;
use std::io::{self, Write};

impl<W: Write> Walk<'_, W> {
    /// Something in `dir` cannot be described. What has its path elsewhere is to be left alone, and a socket says that.
    pub(super) fn missed<L>(
        &mut self,
        dir: &RelPath<'_>,
        path: &RelPath<'_>,
        step: Step,
        error: &io::Error,
    ) -> Result<Option<L>, ScanError> {
        if self.what.scope.leads(path) {
            self.found.whole = false;
        } else if self.what.sockets {
            self.writer.push(&Entry::new(path.borrowed(), Kind::Socket))?;
        }
        self.hide(dir);
        self.found.problems.push(Problem::new(path, step, error));
        Ok(None)
    }

    /// Something in `dir` cannot be described, and nothing can stand for it.
    pub(super) fn lost(&mut self, dir: &RelPath<'_>, path: &RelPath<'_>, step: Step, error: &io::Error) {
        self.hide(dir);
        self.found.whole = false;
        self.found.problems.push(Problem::new(path, step, error));
    }

    /// A directory cannot be listed; it is marked `ignore`, which stands for what is in it.
    pub(super) fn unlisted(&mut self, path: &RelPath<'_>, error: &io::Error) {
        self.hide(path);
        self.found.problems.push(Problem::new(path, Step::List, error));
    }

    /// Remembers that the directory holds something the specification does not show.
    pub(super) fn hide(&mut self, dir: &RelPath<'_>) {
        if self.found.hidden.last().is_none_or(|last| last != dir) {
            self.found.hidden.push(dir.clone().into_owned());
        }
    }
}
