//! Makes everything new in the stage while the tree is as it was: what there is no room for fails before anything shows.

use super::{Run, Stopped};
use crate::config::Durable;
use crate::install::{Failure, Stage, at, is_final};
use crate::plan::Action;
use crate::report::Step;
use crate::spec::{Entry, Index, Kind, Time};
use crate::sys::{Dir, File, FileKind};
use std::io::{self, Read, Write};

impl Run<'_> {
    /// Makes directories, links and special files, and copies of files that must leave a shared inode.
    pub(super) fn prepare(&mut self) -> Result<(), Stopped> {
        for (step, want) in self.steps() {
            let made = match step.action {
                Action::Meta | Action::Blocked(_) => continue,
                Action::Fetch => {
                    if !self.install.arrived.contains_key(&step.want) {
                        self.absent.insert(step.want);
                    }
                    continue;
                }
                // The first name is not there: it was reported, and this one stays what it is.
                Action::Link(first) if self.absent.contains(&first) => continue,
                Action::Link(first) => self.make(Step::HardLink, |run, dir, name| run.link(first, dir, name)),
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

    fn copy(&mut self, want: &Entry<'_>, stage: &Dir, name: &[u8]) -> Result<(), Failure> {
        let (holder, there) = self.cursor.holder(&want.path).map_err(at(Step::Read))?;
        let (mut old, stat) = holder.open_file(there).map_err(at(Step::Read))?;
        let mut new = stage.make_file(name).map_err(at(Step::Write))?;
        copy_contents(&mut old, &mut new, stat.size)?;
        let made = new.stat().map_err(at(Step::Write))?;
        if made.size != stat.size || !old.stat().map_err(at(Step::Read))?.same_contents(&stat) {
            return Err((Step::Read, io::Error::from_raw_os_error(libc::ESTALE)));
        }
        let time = want.time.unwrap_or(Time { sec: stat.mtime.0, nsec: stat.mtime.1 });
        self.install.meta.file(&new, &made, want, time)?;
        if self.install.durable == Durable::File {
            let _on_disk = new.flush_to_disk().map_err(at(Step::Write))?;
        }
        Ok(())
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

/// Copies what a file holds into an empty one; holes stay holes.
fn copy_contents(old: &mut File, new: &mut File, size: u64) -> Result<(), Failure> {
    let mut buffer = vec![0; crate::limits::RECORD];
    let mut done = 0;
    while let Some((start, end)) = old.next_data(done).map_err(at(Step::Read))? {
        old.seek(start).map_err(at(Step::Read))?;
        new.seek(start).map_err(at(Step::Write))?;
        done = start;
        while done < end {
            let piece = usize::try_from(end - done).unwrap_or(usize::MAX).min(buffer.len());
            let read = old.read(buffer.get_mut(..piece).unwrap_or_default()).map_err(at(Step::Read))?;
            if read == 0 {
                // It was cut short meanwhile, which its size tells.
                return Ok(());
            }
            new.write_all(buffer.get(..read).unwrap_or_default()).map_err(at(Step::Write))?;
            done += read as u64;
        }
    }
    new.set_size(size).map_err(at(Step::Write))
}
