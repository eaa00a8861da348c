//! Keeps what is about to be replaced or removed.

use super::Run;
use super::removal::is_gone;
use crate::install::keep::{Kept, Old};
use crate::install::{Failure, at};
use crate::path::RelPath;
use crate::plan::PlanStep;
use crate::report::Step;
use crate::spec::Kind;

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
            // They get new names: those are flushed with the others, and the time of their directory is set again, like
            // that of what holds the directory of backups, which is perhaps made.
            self.disturbed.insert(parent.borrowed().into_owned());
            let mut place = install.keep.place(&parent);
            while let Some(path) = place.filter(|path| !self.disturbed.contains(path)) {
                place = path.split_last().map(|(above, _)| above.into_owned());
                self.disturbed.insert(path);
            }
        }
        let there =
            self.cursor.holder(path).and_then(|(holder, name)| Ok((holder, name, holder.stat(name)?)));
        let (holder, ..) = match there {
            // Somebody else took it away, or it went with what holds it.
            Err(error) if is_gone(&error) => return Ok(Kept::Moved),
            there => there.map_err(at(Step::Keep))?,
        };
        let (have, want, root) = (install.have, install.want, install.root.dir());
        let old = Old { path, root, holder, stage, temporary: &temporary, have, want };
        let kept = install.keep.keep(&mut self.shelf, old)?;
        self.done.report.kept += 1;
        Ok(kept)
    }

    /// Keeps what goes with a directory that is replaced.
    pub(super) fn keep_below(&mut self, step: &PlanStep) -> Result<(), Failure> {
        let have = self.install.have;
        let Some(top) = step.have.filter(|_| !self.install.keep.is_nothing()) else { return Ok(()) };
        let below = (top.get() + 1..have.end_of(top)).filter_map(|number| have.index(number));
        for entry in below.map(|index| have.entry(index)).filter(|entry| entry.kind != Kind::Dir) {
            self.keep(&entry.path)?;
        }
        Ok(())
    }
}
