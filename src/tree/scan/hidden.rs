//! What a scan does not describe, and what follows from that.

use super::{Place, View, Walk};
use crate::path::RelPath;
use crate::report::{Problem, Step};
use crate::sys::FileKind;
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

    /// Whether a path is not there to the other side. At the receiver that is what it cannot have, whatever it is.
    pub(super) fn is_barred(&self, path: &RelPath<'_>, is_dir: bool) -> bool {
        match self.what.view {
            View::Sender => self.policy.fence.bars(path, is_dir),
            View::Receiver { .. } => self.policy.fence.may_bar(path),
        }
    }

    /// Whether what cannot be read is not there.
    pub(super) fn ignores_unreadable(&self) -> bool {
        matches!(self.what.view, View::Sender) && self.policy.ignore_nonreadable
    }

    /// Whether it is a file that is not there because it cannot be read.
    pub(super) fn is_unreadable(&self, place: &Place<'_>) -> bool {
        self.ignores_unreadable()
            && place.stat.kind == Some(FileKind::File)
            && !place.dir().is_ok_and(|dir| dir.can_read(place.name()))
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
