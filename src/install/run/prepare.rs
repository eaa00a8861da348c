//! Makes everything new in the stage while the tree is as it was: what there is no room for fails before anything shows.

use super::{Run, Stopped};
use crate::config::Durable;
use crate::install::{Failure, Places, Stage, adopt, at, is_final};
use crate::plan::{Action, PlanStep};
use crate::report::{Aspects, Step};
use crate::spec::{Entry, Index, Kind, Marks};
use crate::sys::{Dir, FileKind, threads};
use crate::tree::Cursor;
use std::borrow::Cow;
use std::io;

fn is(error: &io::Error, kind: io::ErrorKind) -> bool {
    error.kind() == kind
}

impl Run<'_> {
    /// Makes directories, links and special files, and copies of files that must leave a shared inode; what is new as a
    /// whole is whole and has its metadata then.
    pub(super) fn prepare(&mut self) -> Result<(), Stopped> {
        let install = self.install;
        let mut target = Places::new(install.stage, install.want, install.fresh);
        self.detach()?;
        for step in &install.plan.steps {
            let want = match step.action {
                Action::Meta | Action::Blocked(_) | Action::Detach => continue,
                // It has its name, unless something else is to have it that was found.
                Action::Fetch if install.arrived.contains(step.want) => continue,
                Action::Link(first) if self.absent.contains(first) => {
                    // The first name is not there: it was reported, and this one stays what it is.
                    self.absent.insert(step.want);
                    continue;
                }
                _ => install.want.entry(step.want),
            };
            match self.prepare_one(&mut target, step, &want) {
                Ok(true) => {}
                Ok(false) => self.leave_out(&mut target, step.want, &want),
                Err(failure) if is_final(&failure) => return Err(("write into the stage", failure.1)),
                Err(failure) => {
                    self.failed(&want.path, &failure);
                    self.leave_out(&mut target, step.want, &want);
                }
            }
        }
        self.complete(&mut target)
    }

    /// Copies files that must leave a shared inode, on all cores: others may be linked to the copies.
    fn detach(&mut self) -> Result<(), Stopped> {
        let install = self.install;
        let is_one = |step: &&PlanStep| step.action == Action::Detach;
        if !install.plan.steps.iter().any(|step| is_one(&step)) {
            return Ok(());
        }
        let copy = |cursor: &mut Cursor<'_>, index: Index| {
            let want = install.want.entry(index);
            let from = cursor.holder(&want.path).map_err(at(Step::Read))?;
            let to = (install.stage.dir().map_err(at(Step::Write))?, &*Stage::made(index));
            adopt::copy(from, to, &want, install.meta, install.durable)
        };
        let done = threads::spread(install.plan.steps.iter().filter(is_one), |steps| {
            let mut cursor = Cursor::new(install.root, true);
            let (mut made, mut failed) = (Marks::default(), Vec::new());
            for step in steps {
                match copy(&mut cursor, step.want) {
                    Ok(()) => made.insert(step.want),
                    Err(failure) => {
                        if is_final(&failure) {
                            steps.end();
                        }
                        failed.push((step.want, failure));
                    }
                }
            }
            (made, failed)
        });
        self.prepared = true;
        let mut failed = Vec::new();
        for (made, some_failed) in done {
            self.made.extend(made.iter());
            failed.extend(some_failed);
        }
        failed.sort_unstable_by_key(|(index, _)| *index);
        for (index, failure) in failed {
            if is_final(&failure) {
                return Err(("write into the stage", failure.1));
            }
            self.failed(&install.want.path(index), &failure);
            self.absent.insert(index);
        }
        Ok(())
    }

    /// Says whether it waits then.
    fn prepare_one(
        &mut self,
        target: &mut Places<'_>,
        step: &PlanStep,
        want: &Entry<'_>,
    ) -> Result<bool, Failure> {
        let (install, index) = (self.install, step.want);
        let to = (index, want);
        match step.action {
            Action::Meta | Action::Blocked(_) | Action::Detach => return Ok(false),
            Action::Fetch => return Ok(install.found.contains(index)),
            Action::Link(first) => {
                let linked =
                    self.make(target, to, Step::HardLink, |run, dir, name| run.link(first, dir, name));
                match linked {
                    Err((_, error)) if error.raw_os_error() == Some(libc::EMLINK) => {
                        self.copies.insert(index);
                        self.done.report.copied += 1;
                        if step.aspects == Aspects::HARDLINK {
                            // A copy is what it is already.
                            return Ok(false);
                        }
                        self.make(target, to, Step::Write, |run, dir, name| {
                            run.copy_of(first, want, dir, name)
                        })?;
                    }
                    linked => linked?,
                }
            }
            Action::MakeDir => {
                self.make(target, to, Step::MakeDir, |run, dir, name| match dir.make_dir(name) {
                    // Files that arrived are in it.
                    Err(error) if is(&error, io::ErrorKind::AlreadyExists) && run.is_fresh(index) => Ok(()),
                    made => made.map_err(at(Step::MakeDir)),
                })?;
            }
            Action::MakeNode => {
                let step = if want.kind == Kind::Link { Step::MakeLink } else { Step::MakeNode };
                self.make(target, to, step, |run, dir, name| run.node(want, dir, name))?;
            }
        }
        Ok(true)
    }

    fn is_fresh(&self, index: Index) -> bool {
        self.install.fresh.top(index).is_some()
    }

    /// Notes that something does not wait. What there is of it may not stay in a directory that is new as a whole, or that
    /// must stay away too.
    fn leave_out(&mut self, target: &mut Places<'_>, index: Index, want: &Entry<'_>) {
        let install = self.install;
        self.absent.insert(index);
        let Some(top) = install.fresh.top(index).filter(|top| *top != index && want.kind != Kind::Dir) else {
            return;
        };
        let inside = target.inside(index, &want.path);
        match inside.and_then(|inside| inside.map_or(Ok(()), |(dir, name)| dir.remove(&name))) {
            // Why it does not wait is told already, and why a directory could not be made.
            Err(error) if !is(&error, io::ErrorKind::NotFound) && !self.absent.contains(top) => {
                self.absent.insert(top);
                self.failed(&install.want.path(top), &(Step::Place, error));
            }
            _ => {}
        }
    }

    /// Makes something in a directory that is new as a whole, or else under a new name of the stage.
    fn make(
        &mut self,
        target: &mut Places<'_>,
        (index, want): (Index, &Entry<'_>),
        step: Step,
        make: impl FnOnce(&mut Self, &Dir, &[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.prepared = true;
        if let Some((dir, name)) = target.inside(index, &want.path).map_err(at(step))? {
            return make(self, dir, &name);
        }
        let stage = self.install.stage;
        make(self, stage.dir().map_err(at(step))?, &Stage::made(index))?;
        self.made.insert(index);
        Ok(())
    }

    /// Gives the directories in those that are new as a whole their metadata, deepest first. What gets a name in the tree
    /// gets them there: who may not write to a directory may not move it.
    fn complete(&mut self, target: &mut Places<'_>) -> Result<(), Stopped> {
        let install = self.install;
        let flush = install.durable == Durable::File;
        for step in install.plan.steps.iter().rev().filter(|step| step.action == Action::MakeDir) {
            let inside = install.fresh.is_inside(step.want);
            if self.absent.contains(step.want) || !inside && !flush {
                continue;
            }
            let want = install.want.entry(step.want);
            match self.complete_one(target, step.want, &want, (inside, flush)) {
                Err(failure) if is_final(&failure) => return Err(("write into the stage", failure.1)),
                Err(failure) => self.failed(&want.path, &failure),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    fn complete_one(
        &self,
        target: &mut Places<'_>,
        index: Index,
        want: &Entry<'_>,
        (inside, flush): (bool, bool),
    ) -> Result<(), Failure> {
        let held = target.inside(index, &want.path).map_err(at(Step::Mode))?;
        let Some((holder, name)) = held else { return Ok(()) };
        let dir = holder.subdir(&name).map_err(at(Step::Mode))?;
        if inside {
            self.install.meta.open_dir(&dir, want, true)?;
        }
        if flush {
            let _on_disk = dir.flush_to_disk().map_err(at(Step::Write))?;
        }
        Ok(())
    }

    /// The name in the stage under which an entry waits that is not in a directory which is new as a whole.
    pub(super) fn waiting(&self, index: Index, want: &Entry<'_>) -> Option<Vec<u8>> {
        if self.absent.contains(index) {
            return None;
        }
        if self.install.fresh.top(index) == Some(index) {
            return Some(Stage::tree(&want.path));
        }
        let made = self.made.contains(index).then(|| Stage::made(index));
        made.or_else(|| {
            let arrived = self.install.arrived.get(index, want)?;
            Some(Stage::waiting(&want.path, arrived.size, arrived.time))
        })
    }

    /// What holds a file that waits in the stage or is in place, its name there, and which of both.
    fn source<'p>(&mut self, index: Index, want: &'p Entry<'_>) -> io::Result<(&Dir, Cow<'p, [u8]>, bool)> {
        if self.is_fresh(index) {
            let inside = self.places.inside(index, &want.path)?;
            return inside.map(|(dir, name)| (dir, name, true)).ok_or_else(|| io::ErrorKind::NotFound.into());
        }
        if let Some(waiting) = self.waiting(index, want) {
            return Ok((self.install.stage.dir()?, waiting.into(), true));
        }
        let (holder, name) = self.cursor.holder(&want.path)?;
        Ok((holder, name.into(), false))
    }

    /// One more name of the file that has `first` already, or will have it.
    fn link(&mut self, first: Index, to: &Dir, name: &[u8]) -> Result<(), Failure> {
        let want = self.install.want.entry(first);
        let (holder, there, staged) = self.source(first, &want).map_err(at(Step::HardLink))?;
        holder.make_hard_link(&there, to, name).map_err(at(Step::HardLink))?;
        if !staged {
            *self.linked.entry(first).or_default() += 1;
        }
        Ok(())
    }

    /// A copy of the file that has `first` already, or will have it, and can have no more names.
    fn copy_of(&mut self, first: Index, want: &Entry<'_>, stage: &Dir, name: &[u8]) -> Result<(), Failure> {
        if want.kind != Kind::File {
            return self.node(want, stage, name);
        }
        let (meta, durable) = (self.install.meta, self.install.durable);
        let leader = self.install.want.entry(first);
        let (holder, there, _) = self.source(first, &leader).map_err(at(Step::Read))?;
        adopt::copy((holder, &there), (stage, name), want, meta, durable)
    }

    fn node(&mut self, want: &Entry<'_>, stage: &Dir, name: &[u8]) -> Result<(), Failure> {
        let special = |kind| {
            let device = want.device.map_or((0, 0), |device| (device.major, device.minor));
            stage.make_node(name, kind, want.mode.unwrap_or(0o600), device).map_err(at(Step::MakeNode))
        };
        match (want.kind, &want.link) {
            (Kind::Link, Some(target)) => {
                let target = self.install.root.policy().link_in(target);
                stage.make_link(name, &target).map_err(at(Step::MakeLink))?;
            }
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
