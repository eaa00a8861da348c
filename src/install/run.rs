//! The order of an installation: flush, put in place from the root down, remove, directories from the leaves up, flush.

use crate::config::Durable;
use crate::install::meta::Meta;
use crate::install::{Arrived, Failure, Stage, at, place, problem, unlock};
use crate::path::RelPath;
use crate::plan::{Action, Because, Plan, PlanStep};
use crate::report::{Problem, Report, Step};
use crate::spec::{Entry, Index, Kind, Spec, Time};
use crate::sys::{self, Dir, File, FileKind};
use crate::tree::{Cursor, Root};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Read, Write};

/// All that an installation works with.
#[derive(Debug)]
pub struct Install<'i> {
    /// The tree to be changed.
    pub root: &'i Root,
    /// Where new files wait.
    pub stage: &'i Stage,
    /// What the tree is to be.
    pub want: &'i Spec,
    /// What it was.
    pub have: &'i Spec,
    /// What is to be done.
    pub plan: &'i Plan,
    /// How metadata are set.
    pub meta: &'i Meta<'i>,
    /// When to flush.
    pub durable: Durable,
    /// The files that wait in the stage.
    pub arrived: &'i HashMap<Index, Arrived>,
    /// Whether extras are to be removed, if everything else works.
    pub delete: bool,
}

/// What an installation did.
#[derive(Debug, Default)]
pub struct Installed {
    /// Its sums; those of the transfer are not in it.
    pub report: Report,
    /// What failed.
    pub problems: Vec<Problem>,
}

impl Install<'_> {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.plan.steps.is_empty() && (self.plan.extras.is_empty() || !self.delete)
    }

    /// Changes the tree.
    ///
    /// # Errors
    /// A flush failed: what is on the disk is not known, and asking again would not tell. Any other failure is a
    /// [`Problem`] of its entry.
    pub fn run(&self) -> io::Result<Installed> {
        let mut run = Run {
            install: self,
            meta: self.meta,
            cursor: Cursor::new(self.root, true),
            leaders: Cursor::new(self.root, true),
            disturbed: BTreeSet::new(),
            new: BTreeSet::new(),
            bound: sys::ids::euid() != 0,
            unlocked: BTreeMap::new(),
            detached: HashMap::new(),
            done: Installed::default(),
        };
        run.detach();
        run.flush_files()?;
        run.place();
        if run.done.problems.is_empty() {
            run.remove();
        } else {
            run.done.report.extra += self.plan.extras.len() as u64;
        }
        // What was replaced goes with the stage; before the root gets its time, and before the last flush.
        self.stage.clear()?;
        run.directories();
        run.flush_directories()?;
        run.done.report.unowned = run.meta.unowned();
        run.done.report.unsupported = run.meta.unsupported();
        run.done.report.problems = run.done.problems.len() as u64;
        Ok(run.done)
    }
}

struct Run<'i> {
    install: &'i Install<'i>,
    meta: &'i Meta<'i>,
    cursor: Cursor<'i>,
    /// The way to first names of link groups, which lie elsewhere than the names being made.
    leaders: Cursor<'i>,
    /// Directories whose time, at least, must be set again.
    disturbed: BTreeSet<RelPath<'static>>,
    /// Directories that were made.
    new: BTreeSet<RelPath<'static>>,
    /// Whether modes bind us: they do not bind root.
    bound: bool,
    /// Directories in which something was done, with the mode of those that had to let us in.
    unlocked: BTreeMap<RelPath<'static>, Option<u32>>,
    /// Copies that wait in the stage, with their size and time.
    detached: HashMap<Index, Arrived>,
    done: Installed,
}

impl<'i> Run<'i> {
    fn failed(&mut self, path: &RelPath<'_>, failure: &Failure) {
        self.done.problems.push(problem(path, failure));
    }

    fn steps(&self) -> impl Iterator<Item = (&'i PlanStep, Entry<'i>)> + use<'i> {
        let install = self.install;
        install.plan.steps.iter().map(|step| (step, install.want.entry(step.want)))
    }

    /// Copies the files that must leave a shared inode into the stage, while the tree is as it was.
    fn detach(&mut self) {
        for (step, want) in self.steps().filter(|(step, _)| step.action == Action::Detach) {
            match self.detach_one(&want) {
                Ok(arrived) => drop(self.detached.insert(step.want, arrived)),
                Err(failure) => self.failed(&want.path, &failure),
            }
        }
    }

    fn detach_one(&mut self, want: &Entry<'_>) -> Result<Arrived, Failure> {
        let (holder, name) = self.cursor.holder(&want.path).map_err(at(Step::Read))?;
        let (mut old, stat) = holder.open_file(name).map_err(at(Step::Read))?;
        let arrived = Arrived {
            size: stat.size,
            time: want.time.unwrap_or(Time { sec: stat.mtime.0, nsec: stat.mtime.1 }),
        };
        let waiting = Stage::waiting(&want.path, arrived.size, arrived.time);
        let dir = self.install.stage.dir().map_err(at(Step::Write))?;
        let mut new: File = dir.make_file(&waiting).map_err(at(Step::Write))?;
        let mut buffer = vec![0; crate::limits::RECORD];
        loop {
            let read = old.read(&mut buffer).map_err(at(Step::Read))?;
            if read == 0 {
                break;
            }
            new.write_all(buffer.get(..read).unwrap_or_default()).map_err(at(Step::Write))?;
        }
        let made = new.stat().map_err(at(Step::Write))?;
        if made.size != arrived.size || !old.stat().map_err(at(Step::Read))?.same_contents(&stat) {
            return Err((Step::Read, io::Error::from_raw_os_error(libc::ESTALE)));
        }
        self.meta.file(&new, &made, want, arrived.time)?;
        if self.install.durable == Durable::File {
            let _on_disk = new.flush_to_disk().map_err(at(Step::Write))?;
        }
        Ok(arrived)
    }

    /// Everything in the stage reaches the disk before anything gets its name.
    fn flush_files(&self) -> io::Result<()> {
        let waiting = !self.install.arrived.is_empty() || !self.detached.is_empty();
        match self.install.durable {
            Durable::Batch if waiting => self.install.root.dir().flush_file_system().map(drop),
            _ => Ok(()),
        }
    }

    /// Changes metadata while every file has the names it had when it was examined; then makes, replaces and links
    /// names, from the root down.
    fn place(&mut self) {
        let in_place = |(step, _): &(&PlanStep, Entry<'_>)| step.action == Action::Meta;
        for (step, want) in self.steps().filter(in_place).chain(self.steps().filter(|step| !in_place(step))) {
            let there = step.have.map(|have| self.install.have.entry(have).kind);
            if there == Some(Kind::Dir) && want.kind != Kind::Dir {
                // To leave its place, a directory must be writable itself.
                self.unlock(&want.path);
            }
            if let Err(failure) = self.place_one(step, &want, there) {
                self.failed(&want.path, &failure);
            }
        }
    }

    fn place_one(&mut self, step: &PlanStep, want: &Entry<'_>, there: Option<Kind>) -> Result<(), Failure> {
        match step.action {
            Action::Fetch => {
                // What did not arrive was reported when it did not.
                let Some(arrived) = self.install.arrived.get(&step.want) else { return Ok(()) };
                self.waiting(want, *arrived, there)
            }
            Action::Detach => {
                let Some(arrived) = self.detached.get(&step.want).copied() else { return Ok(()) };
                self.waiting(want, arrived, there)?;
                self.done.report.changed += 1;
                Ok(())
            }
            Action::MakeDir => self.make_dir(want, there),
            Action::MakeNode => self.make_node(want, there),
            Action::Link(leader) => self.link(want, leader, there),
            Action::Meta => self.in_place(step, want),
            Action::Blocked(Because::NotEmpty) => {
                Err((Step::Place, io::Error::from_raw_os_error(libc::ENOTEMPTY)))
            }
            Action::Blocked(Because::Unseen) => {
                // The way there meets another file system; or else a directory that could not be listed.
                self.cursor.holder(&want.path).map_err(at(Step::Place))?;
                Err((Step::Place, io::Error::from_raw_os_error(libc::EACCES)))
            }
        }
    }

    /// The directory that holds the path, which will be disturbed.
    fn holder<'p>(&mut self, path: &'p RelPath<'_>) -> Result<(&Dir, &'p [u8]), Failure> {
        if let Some((parent, _)) = path.split_last() {
            self.unlock(&parent);
            if !self.disturbed.contains(&parent) {
                self.disturbed.insert(parent.into_owned());
            }
        }
        self.cursor.holder(path).map_err(at(Step::Place))
    }

    /// Lets us change names in a directory of ours. Where that fails, what is to be done in it fails and is reported.
    fn unlock(&mut self, path: &RelPath<'_>) {
        if !self.bound || self.unlocked.contains_key(path) {
            return;
        }
        let old = if path.is_root() {
            unlock::open_dir(self.install.root.dir())
        } else {
            self.cursor.holder(path).and_then(|(holder, name)| unlock::named(holder, name))
        };
        self.unlocked.insert(path.clone().into_owned(), old.ok().flatten());
    }

    fn waiting(&mut self, want: &Entry<'_>, arrived: Arrived, there: Option<Kind>) -> Result<(), Failure> {
        let waiting = Stage::waiting(&want.path, arrived.size, arrived.time);
        let stage = self.install.stage.dir().map_err(at(Step::Place))?;
        let (holder, name) = self.holder(&want.path)?;
        place::place(stage, &waiting, holder, name, want.kind, there)
    }

    /// A directory is made in the stage, so that it inherits neither an ACL nor a group from where it goes.
    fn make_dir(&mut self, want: &Entry<'_>, there: Option<Kind>) -> Result<(), Failure> {
        let fresh = self.install.stage.fresh();
        let stage = self.install.stage.dir().map_err(at(Step::MakeDir))?;
        let (holder, name) = self.holder(&want.path)?;
        stage.make_dir(&fresh).map_err(at(Step::MakeDir))?;
        place::place(stage, &fresh, holder, name, Kind::Dir, there)?;
        self.new.insert(want.path.clone().into_owned());
        self.disturbed.insert(want.path.clone().into_owned());
        self.done.report.made += 1;
        Ok(())
    }

    fn make_node(&mut self, want: &Entry<'_>, there: Option<Kind>) -> Result<(), Failure> {
        let fresh = self.install.stage.fresh();
        let stage = self.install.stage.dir().map_err(at(Step::MakeNode))?;
        let mode = want.mode.unwrap_or(0o600);
        let device = want.device.map_or((0, 0), |device| (device.major, device.minor));
        match (want.kind, &want.link) {
            (Kind::Link, Some(target)) => stage.make_link(&fresh, target).map_err(at(Step::MakeLink))?,
            (Kind::Fifo, _) => {
                stage.make_node(&fresh, FileKind::Fifo, mode, device).map_err(at(Step::MakeNode))?
            }
            (Kind::Char, _) => {
                stage.make_node(&fresh, FileKind::Char, mode, device).map_err(at(Step::MakeNode))?
            }
            (Kind::Block, _) => {
                stage.make_node(&fresh, FileKind::Block, mode, device).map_err(at(Step::MakeNode))?
            }
            _ => return Err((Step::MakeNode, io::ErrorKind::InvalidInput.into())),
        }
        self.meta.unopened(stage, &fresh, want)?;
        let (holder, name) = self.holder(&want.path)?;
        place::place(stage, &fresh, holder, name, want.kind, there)?;
        self.done.report.made += 1;
        Ok(())
    }

    fn link(&mut self, want: &Entry<'_>, leader: Index, there: Option<Kind>) -> Result<(), Failure> {
        let first = self.install.want.entry(leader).path;
        let stage = self.install.stage;
        self.holder(&want.path)?;
        let (from, first) = self.leaders.holder(&first).map_err(at(Step::HardLink))?;
        let (holder, name) = self.cursor.holder(&want.path).map_err(at(Step::HardLink))?;
        place::link(stage, (from, first), holder, name, want.kind, there)?;
        self.done.report.linked += 1;
        Ok(())
    }

    fn in_place(&mut self, step: &PlanStep, want: &Entry<'_>) -> Result<(), Failure> {
        if want.kind == Kind::Dir {
            self.disturbed.insert(want.path.clone().into_owned());
        } else {
            let have = step.have.ok_or((Step::Mode, io::ErrorKind::NotFound.into()))?;
            let have = self.install.have.entry(have);
            let (holder, name) = self.cursor.holder(&want.path).map_err(at(Step::Mode))?;
            self.meta.in_place(holder, name, want, &have)?;
        }
        self.done.report.changed += 1;
        Ok(())
    }

    /// Removes extras, deepest first. What went with a directory that was replaced is gone already.
    fn remove(&mut self) {
        let extras = &self.install.plan.extras;
        if !self.install.delete {
            self.done.report.extra += extras.len() as u64;
            return;
        }
        self.cursor.forget();
        for extra in extras.iter().rev().map(|extra| self.install.have.entry(*extra)) {
            let removed = match self.holder(&extra.path) {
                Ok((holder, name)) if extra.kind == Kind::Dir => holder.remove_dir(name),
                Ok((holder, name)) => holder.remove(name),
                Err((_, error)) => Err(error),
            };
            match removed {
                Err(error) if !matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {
                    self.failed(&extra.path, &(Step::Remove, error));
                }
                _ => self.done.report.removed += 1,
            }
        }
    }

    /// Gives directories their metadata, deepest first, since each change below disturbs the time above.
    fn directories(&mut self) {
        self.cursor.forget();
        for path in std::mem::take(&mut self.disturbed).iter().rev() {
            let old = self.unlocked.get(path).copied().flatten();
            let want = match (self.install.want.find(path), old) {
                (Some(want), old) => Entry { mode: want.mode.or(old), ..want },
                (None, Some(mode)) => Entry { mode: Some(mode), ..Entry::new(path.borrowed(), Kind::Dir) },
                (None, None) => continue,
            };
            let done = if path.is_root() {
                self.meta.open_dir(self.install.root.dir(), &want, false)
            } else {
                self.cursor
                    .holder(path)
                    .map_err(at(Step::Mode))
                    .and_then(|(holder, name)| self.meta.dir(holder, name, &want, self.new.contains(path)))
            };
            // That a directory is not there was reported when it could not be made.
            match done {
                Err((_, error)) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {}
                Err(failure) => self.failed(path, &failure),
                Ok(()) if self.install.durable == Durable::File => self.touched(path),
                Ok(()) => {}
            }
        }
    }

    /// Flushes one directory, when files are flushed one by one.
    fn touched(&mut self, path: &RelPath<'_>) {
        let flushed = if path.is_root() {
            self.install.root.dir().flush_to_disk()
        } else {
            self.cursor
                .holder(path)
                .and_then(|(holder, name)| holder.subdir(name))
                .and_then(|dir| dir.flush_to_disk())
        };
        if let Err(error) = flushed {
            self.failed(path, &(Step::Write, error));
        }
    }

    /// Names and metadata reach the disk before anything is reported as done.
    fn flush_directories(&self) -> io::Result<()> {
        match self.install.durable {
            Durable::Batch => self.install.root.dir().flush_file_system().map(drop),
            Durable::File | Durable::None => Ok(()),
        }
    }
}
