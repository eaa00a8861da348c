//! Keeps what is about to be replaced or removed.

use super::Run;
use crate::install::keep::{Kept, Old};
use crate::install::{Failure, at};
use crate::path::RelPath;
use crate::report::Step;
use crate::spec::Kind;
use std::io;

impl Run<'_> {
    /// Keeps what has this path, which is no directory, if anything is kept.
    pub(super) fn keep(&mut self, path: &RelPath<'_>) -> Result<Kept, Failure> {
        let install = self.install;
        if install.keep.is_nothing() {
            return Ok(Kept::Here);
        }
        let stage = install.stage.dir().map_err(at(Step::Keep))?;
        let temporary = install.stage.free_name();
        if let Some((parent, _)) = path.split_last() {
            self.unlock(&parent);
            // They get new names: those are flushed with the others, and the time of their directory is set again.
            let place = install.keep.place(&parent);
            self.disturbed.extend(place.into_iter().chain([parent.into_owned()]));
        }
        let (holder, name) = self.cursor.holder(path).map_err(at(Step::Keep))?;
        if holder.stat(name).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            // Somebody else took it away.
            return Ok(Kept::Moved);
        }
        let (have, want, root) = (install.have, install.want, install.root.dir());
        let old = Old { path, root, holder, stage, temporary: &temporary, have, want };
        let kept = install.keep.keep(&mut self.shelf, old)?;
        self.done.report.kept += 1;
        Ok(kept)
    }

    /// Keeps what goes with a directory that is replaced.
    pub(super) fn keep_below(&mut self, path: &RelPath<'_>) -> Result<(), Failure> {
        let have = self.install.have;
        if self.install.keep.is_nothing() {
            return Ok(());
        }
        let below = have.iter().skip_while(|(_, entry)| entry.path <= *path);
        let below = below.take_while(|(_, entry)| entry.path.is_within(path));
        for (_, entry) in below.filter(|(_, entry)| entry.kind != Kind::Dir) {
            self.keep(&entry.path)?;
        }
        Ok(())
    }
}
