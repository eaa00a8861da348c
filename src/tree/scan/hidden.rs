//! What a scan does not describe, and what follows from that.

use super::Walk;
use crate::path::RelPath;
use crate::report::{Problem, Step};
use std::io::{self, Write};

impl<W: Write> Walk<'_, W> {
    /// Something in `dir` cannot be described, and nothing stands for it.
    pub(super) fn missed(&mut self, dir: &RelPath<'_>, path: &RelPath<'_>, step: Step, error: &io::Error) {
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
