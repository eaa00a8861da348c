//! What a scan does not describe, and what follows from that.

use super::Walk;
use crate::path::RelPath;
use crate::report::{Problem, Step};
use std::io::{self, Write};

impl<W: Write> Walk<'_, W> {
    /// Something cannot be described; whether a socket is to stand for it, since what has its path elsewhere is to be
    /// left alone.
    pub(super) fn missed(&mut self, path: &RelPath<'_>, step: Step, error: &io::Error) -> bool {
        let leads = self.what.scope.leads(path);
        self.found.whole &= !leads;
        if let Some((dir, _)) = path.split_last() {
            self.hide(&dir);
        }
        self.found.problems.push(Problem::new(path, step, error));
        !leads && self.what.sockets
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
