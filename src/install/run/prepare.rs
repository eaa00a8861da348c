//! Makes everything new in the stage while the tree is as it was: what there is no room for fails before anything shows.

use super::{Run, Stopped};
use crate::install::{Failure, Stage, adopt, at, is_final};
use crate::plan::Action;
use crate::report::{Aspects, Step};
use crate::spec::{Entry, Index, Kind};
use crate::sys::{Dir, FileKind};
use std::io;

impl Run<'_> {
    /// Makes directories, links and special files, and copies of files that must leave a shared inode.
    pub(super) fn prepare(&mut self) -> Result<(), Stopped> {
        for (step, want) in self.steps() {
            let made = match step.action {
                Action::Meta | Action::Blocked(_) => continue,
                Action::Fetch => {
                    if self.waiting(step.want, &want).is_none() {
                        self.absent.insert(step.want);
                    }
                    continue;
                }
                // The first name is not there: it was reported, and this one stays what it is.
                Action::Link(first) if self.absent.contains(&first) => continue,
                Action::Link(first) => {
                    let linked = self.make(Step::HardLink, |run, dir, name| run.link(first, dir, name));
                    match linked {
                        Err((_, error)) if error.raw_os_error() == Some(libc::EMLINK) => {
                            self.copies.insert(step.want);
                            self.done.report.copied += 1;
                            if step.aspects == Aspects::HARDLINK {
                                // A copy is what it is already.
                                self.absent.insert(step.want);
                                continue;
                            }
                            self.make(Step::Write, |run, dir, name| run.copy_of(first, &want, dir, name))
                        }
                        linked => linked,
                    }
                }
                Action::Detach => self.make(Step::Write, |run, dir, name| run.copy(&want, dir, name)),
                Action::MakeDir => {
                    self.make(Step::MakeDir, |_, dir, name| dir.make_dir(name).map_err(at(Step::MakeDir)))
                }
                Action::MakeNode => self.make(Step::MakeNode, |run, dir, name| run.node(&want, dir, name)),
            };
            match made {
                Ok(number) => drop(self.made.insert(step.want, number)),
                Err(failure) if is_final(&failure) => return Err(("write into the stage", failure.1)),
                Err(failure) => {
                    self.absent.insert(step.want);
                    self.failed(&want.path, &failure);
                }
            }
        }
        Ok(())
    }

    /// Makes something under a new name of the stage; gives back the number in that name.
    fn make(
        &mut self,
        step: Step,
        make: impl FnOnce(&mut Self, &Dir, &[u8]) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        let stage = self.install.stage;
        let number = stage.number();
        make(self, stage.dir().map_err(at(step))?, &Stage::numbered(number))?;
        Ok(number)
    }

    /// The name in the stage under which an entry waits.
    pub(super) fn waiting(&self, index: Index, want: &Entry<'_>) -> Option<Vec<u8>> {
        let made = self.made.get(&index).map(|number| Stage::numbered(*number));
        made.or_else(|| {
            let arrived = self.install.arrived.get(&index)?;
            Some(Stage::waiting(&want.path, arrived.size, arrived.time))
        })
    }

    /// One more name of the file that has `first` already, or will have it.
    fn link(&mut self, first: Index, stage: &Dir, name: &[u8]) -> Result<(), Failure> {
        let want = self.install.want.entry(first);
        if let Some(waiting) = self.waiting(first, &want) {
            return stage.make_hard_link(&waiting, stage, name).map_err(at(Step::HardLink));
        }
        let (holder, there) = self.cursor.holder(&want.path).map_err(at(Step::HardLink))?;
        holder.make_hard_link(there, stage, name).map_err(at(Step::HardLink))?;
        *self.linked.entry(first).or_default() += 1;
        Ok(())
    }

    /// A copy of the file that is in place.
    fn copy(&mut self, want: &Entry<'_>, stage: &Dir, name: &[u8]) -> Result<(), Failure> {
        let from = self.cursor.holder(&want.path).map_err(at(Step::Read))?;
        adopt::copy(from, (stage, name), want, self.install.meta, self.install.durable)
    }

    /// A copy of the file that has `first` already, or will have it, and can have no more names.
    fn copy_of(&mut self, first: Index, want: &Entry<'_>, stage: &Dir, name: &[u8]) -> Result<(), Failure> {
        if want.kind != Kind::File {
            return self.node(want, stage, name);
        }
        let leader = self.install.want.entry(first);
        let waiting = self.waiting(first, &leader);
        let from = match &waiting {
            Some(waiting) => (stage, waiting.as_slice()),
            None => self.cursor.holder(&leader.path).map_err(at(Step::Read))?,
        };
        adopt::copy(from, (stage, name), want, self.install.meta, self.install.durable)
    }

    fn node(&mut self, want: &Entry<'_>, stage: &Dir, name: &[u8]) -> Result<(), Failure> {
        let special = |kind| {
            let device = want.device.map_or((0, 0), |device| (device.major, device.minor));
            stage.make_node(name, kind, want.mode.unwrap_or(0o600), device).map_err(at(Step::MakeNode))
        };
        match (want.kind, &want.link) {
            (Kind::Link, Some(target)) => stage.make_link(name, target).map_err(at(Step::MakeLink))?,
            (Kind::Fifo, _) => special(FileKind::Fifo)?,
            (Kind::Char, _) => special(FileKind::Char)?,
            (Kind::Block, _) => special(FileKind::Block)?,
            _ => return Err((Step::MakeNode, io::ErrorKind::InvalidInput.into())),
        }
        self.install.meta.unopened(stage, name, want)?;
        match want.mode {
            // Which the change of the owner cleared.
            Some(mode) if want.kind != Kind::Link && mode & 0o6000 != 0 => {
                stage.set_mode_of_own(name, mode).map_err(at(Step::Mode))
            }
            _ => Ok(()),
        }
    }
}
