//! The order of an installation: all that is new into the stage, flush, put in place from the root down, remove,
//! directories from the leaves up, flush.

mod finish;
mod kept;
mod prepare;
mod removal;

use crate::config::Durable;
use crate::install::keep::{Kept, Shelf};
use crate::install::{Failure, Fresh, Keep, Meta, Nameless, Places, Stage, Staged, at, place, problem};
use crate::path::RelPath;
use crate::plan::{Action, Because, Plan, PlanStep};
use crate::report::{Problem, Report, Step};
use crate::spec::{Entry, Index, Kind, Marks, Spec};
use crate::sys::{self, Dir};
use crate::tree::{Cursor, Root};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

/// All that an installation works with.
#[derive(Debug)]
pub struct Install<'i> {
    /// The tree to be changed.
    pub root: &'i Root,
    /// Where what is new waits.
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
    /// What is new as a whole, and is built in the stage.
    pub fresh: &'i Fresh,
    /// The files that wait in the stage.
    pub arrived: &'i Staged,
    /// Files that were found elsewhere and wait in the stage, under names of their own.
    pub found: &'i Marks,
    /// What is kept of what is replaced or removed.
    pub keep: &'i Keep<'i>,
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
    /// Which extras are gone.
    pub removed: Marks,
    /// What lost its name and takes long to be freed.
    pub nameless: Nameless,
}

/// Why an installation was given up: doing what, and how.
pub type Stopped = (&'static str, io::Error);

impl Install<'_> {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.plan.steps.is_empty() && (self.plan.extras.is_empty() || !self.delete)
    }

    /// Changes the tree.
    ///
    /// # Errors
    /// There is no room for what is new, and nothing was changed; or a flush failed: what is on the disk is not known,
    /// and asking again would not tell; or the stage cannot be removed. Any other failure is a [`Problem`] of its entry.
    pub fn run(&self) -> Result<Installed, Stopped> {
        let mut run = Run {
            install: self,
            cursor: Cursor::new(self.root, true),
            places: Places::new(self.stage, self.want, self.fresh),
            made: self.found.clone(),
            prepared: !self.found.is_empty(),
            linked: HashMap::new(),
            absent: Marks::default(),
            copies: Marks::default(),
            disturbed: BTreeSet::new(),
            new: BTreeSet::new(),
            bound: sys::ids::euid() != 0,
            unlocked: BTreeMap::new(),
            shelf: Shelf::default(),
            done: Installed::default(),
        };
        let flush = |error| ("flush to the disk", error);
        run.prepare()?;
        run.flush_files().map_err(flush)?;
        run.place();
        run.remove();
        self.keep.prune(&mut run.shelf, self.have);
        // What was replaced goes with the stage; before the root gets its time, and before the last flush.
        let cleared = self.stage.clear();
        run.directories();
        run.flush_names().map_err(flush)?;
        cleared.map_err(|error| ("remove the stage '.smsync'", error))?;
        Ok(run.done)
    }
}

struct Run<'i> {
    install: &'i Install<'i>,
    cursor: Cursor<'i>,
    /// Where things wait that others are made of.
    places: Places<'i>,
    /// What else than arrived files waits in the stage by itself.
    made: Marks,
    /// Whether anything else than arrived files waits in the stage.
    prepared: bool,
    /// How many new names were made for a file that stays where it is, by the entry of its first name.
    linked: HashMap<Index, u64>,
    /// What should wait in the stage and does not: why is reported already.
    absent: Marks,
    /// Names of a file that can have no more of them: each is a file of its own.
    copies: Marks,
    /// Directories whose time, at least, must be set again.
    disturbed: BTreeSet<RelPath<'static>>,
    /// Directories that were made.
    new: BTreeSet<RelPath<'static>>,
    /// Whether modes bind us: they do not bind root.
    bound: bool,
    /// Directories in which something was done, with the mode of those that had to let us in.
    unlocked: BTreeMap<RelPath<'static>, Option<u32>>,
    /// Where what is kept goes.
    shelf: Shelf,
    done: Installed,
}

impl<'i> Run<'i> {
    fn failed(&mut self, path: &RelPath<'_>, failure: &Failure) {
        self.done.problems.push(problem(path, failure));
    }

    /// Whether a directory and what is in it give way to something else.
    fn replaces_tree(&self, step: &PlanStep, want: &Entry<'_>) -> bool {
        let have = self.install.have;
        let next = step.have.and_then(|at| have.index(at.get().saturating_add(1)));
        want.kind != Kind::Dir
            && !matches!(step.action, Action::Blocked(_))
            && next.is_some_and(|next| have.entry(next).path.is_within(&want.path))
    }

    /// Changes metadata while every file has the names it had when it was examined; then puts everything in place, from
    /// the root down, but for what replaces whole trees.
    fn place(&mut self) {
        self.cursor.forget();
        let in_place = |step: &&PlanStep| step.action == Action::Meta;
        let steps = || self.install.plan.steps.iter();
        // Whether the last directory that is new as a whole is where it belongs.
        let mut is_there = false;
        for step in steps().filter(in_place).chain(steps().filter(|step| !in_place(step))) {
            if self.install.fresh.is_inside(step.want) {
                if is_there && !self.absent.contains(step.want) {
                    self.count(step);
                }
                continue;
            }
            let want = self.install.want.entry(step.want);
            if self.replaces_tree(step, &want) {
                continue;
            }
            let placed = self.place_one(step, &want);
            is_there = placed.is_ok() && !self.absent.contains(step.want);
            if let Err(failure) = placed {
                self.failed(&want.path, &failure);
            }
        }
    }

    /// Counts what got its name.
    fn count(&mut self, step: &PlanStep) {
        let report = &mut self.done.report;
        match step.action {
            Action::Detach => report.changed += 1,
            Action::Link(_) => report.linked += u64::from(!self.copies.contains(step.want)),
            Action::MakeNode | Action::MakeDir => report.made += 1,
            Action::Fetch | Action::Meta | Action::Blocked(_) => {}
        }
    }

    fn place_one(&mut self, step: &PlanStep, want: &Entry<'_>) -> Result<(), Failure> {
        let blocked = |errno| Err((Step::Place, io::Error::from_raw_os_error(errno)));
        match step.action {
            Action::Blocked(Because::NotEmpty) => return blocked(libc::ENOTEMPTY),
            Action::Blocked(Because::Unseen) => {
                // The way there meets another file system; or else a directory that could not be listed.
                self.cursor.holder(&want.path).map_err(at(Step::Place))?;
                return blocked(libc::EACCES);
            }
            Action::Meta => return self.in_place(step, want),
            Action::Fetch | Action::Detach | Action::MakeDir | Action::MakeNode | Action::Link(_) => {}
        }
        // What does not wait in the stage was reported when it did not get there.
        let Some(waiting) = self.waiting(step.want, want) else { return Ok(()) };
        let stage = self.install.stage.dir().map_err(at(Step::Place))?;
        let there = step.have.map(|have| self.install.have.entry(have).kind);
        if there == Some(Kind::Dir) && want.kind != Kind::Dir {
            // To leave its place, a directory must be writable itself.
            self.unlock(&want.path);
        }
        // The contents of what is only parted from its other names are those that come.
        let goes = there.filter(|kind| *kind != Kind::Dir && step.action != Action::Detach);
        let there = match goes {
            Some(_) if self.keep(&want.path)? == Kept::Moved => None,
            _ => there,
        };
        let old = step.have.filter(|_| there.is_some()).map(|have| self.install.have.entry(have));
        let old = old.and_then(|old| self.done.nameless.candidate(&old));
        let (holder, name) = self.holder(&want.path)?;
        let old = old.and_then(|old| old.open(holder, name));
        place::place(stage, &waiting, holder, name, want.kind, there)?;
        old.into_iter().for_each(|old| self.done.nameless.keep(old));
        self.count(step);
        if step.action == Action::MakeDir {
            self.new.insert(want.path.clone().into_owned());
            self.disturbed.insert(want.path.clone().into_owned());
        }
        Ok(())
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

    fn in_place(&mut self, step: &PlanStep, want: &Entry<'_>) -> Result<(), Failure> {
        if want.kind == Kind::Dir {
            self.disturbed.insert(want.path.clone().into_owned());
        } else {
            let have = step.have.ok_or((Step::Mode, io::ErrorKind::NotFound.into()))?;
            let have = self.install.have.entry(have);
            let linked = self.linked.get(&step.want).copied().unwrap_or_default();
            let have = Entry { nlink: Some(have.names().saturating_add(linked)), ..have };
            let (holder, name) = self.cursor.holder(&want.path).map_err(at(Step::Mode))?;
            let file = self.install.meta.in_place(holder, name, want, &have)?;
            if let Some(file) = file.filter(|_| self.install.durable == Durable::File) {
                let _on_disk = file.flush_to_disk().map_err(at(Step::Write))?;
            }
        }
        self.done.report.changed += 1;
        Ok(())
    }
}
