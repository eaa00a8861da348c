//! The threads that help a scan, and what there is for them to do: what comes soonest in tree order goes first.

use super::Scan;
use super::examine::{Batch, Examiner, Facts, Listing, ToList};
use super::task::Task;
use crate::limits;
use crate::spec::Keyword;
use crate::sys::process;
use crate::sys::xattr::ByName;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope};

/// Files of one directory that are to be examined.
pub(super) type Files = Arc<Task<Batch, Vec<Facts>>>;
/// A directory that is to be listed.
pub(super) type Directory = Arc<Task<ToList, Listing>>;

/// Something to do.
enum Work {
    Files(Files),
    Directory(Directory),
}

/// What there is to do.
#[derive(Default)]
struct Queue {
    files: VecDeque<Files>,
    /// By their depth: the deepest come first.
    directories: Vec<VecDeque<Directory>>,
    /// Threads that wait for something to do.
    idle: usize,
    over: bool,
}

/// Threads that help.
#[derive(Default)]
pub(super) struct Crew {
    queue: Mutex<Queue>,
    more: Condvar,
}

/// Sends the threads home when it goes.
pub(super) struct Shift<'c>(&'c Crew);

impl Drop for Shift<'_> {
    fn drop(&mut self) {
        self.0.queue().over = true;
        self.0.more.notify_all();
    }
}

impl Queue {
    fn next(&mut self) -> Option<Work> {
        if let Some(files) = self.files.pop_front() {
            return Some(Work::Files(files));
        }
        self.directories.iter_mut().rev().find_map(VecDeque::pop_front).map(Work::Directory)
    }
}

impl Crew {
    /// Until this goes there may be something to do.
    pub(super) fn shift(&self) -> Shift<'_> {
        Shift(self)
    }

    /// Starts the threads, as many as can run beside the one that is there.
    pub(super) fn start<'s>(&'s self, scope: &'s Scope<'s, '_>, what: Scan<'s>) {
        for _ in 1..process::parallelism().min(limits::SCANNERS) {
            if what.keywords.contains(Keyword::Xattr) {
                ByName::spawn(scope, move |attributes| self.serve(Examiner::new(what, Some(attributes))));
            } else {
                // Where no thread is to be had, the scan goes on without.
                let _ = Builder::new().spawn_scoped(scope, move || self.serve(Examiner::new(what, None)));
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut examiner: Examiner<'_>) {
        let mut queue = self.queue();
        while !queue.over {
            match queue.next() {
                Some(work) => {
                    drop(queue);
                    work.done_by(&mut examiner);
                    queue = self.queue();
                }
                None => {
                    queue.idle += 1;
                    queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
                    queue.idle -= 1;
                }
            }
        }
    }

    /// Does something that waits to be done; false when nothing does.
    pub(super) fn help(&self, examiner: &mut Examiner<'_>) -> bool {
        let next = self.queue().next();
        next.map(|work| work.done_by(examiner)).is_some()
    }

    fn wake(&self, queue: MutexGuard<'_, Queue>) {
        let idle = queue.idle > 0;
        drop(queue);
        if idle {
            self.more.notify_one();
        }
    }

    /// Has files examined.
    pub(super) fn add_files(&self, files: Files) {
        let mut queue = self.queue();
        queue.files.push_back(files);
        self.wake(queue);
    }

    /// Has a directory listed.
    pub(super) fn add_directory(&self, depth: usize, directory: Directory) {
        let mut queue = self.queue();
        if queue.directories.len() <= depth {
            queue.directories.resize_with(depth + 1, VecDeque::new);
        }
        if let Some(directories) = queue.directories.get_mut(depth) {
            directories.push_back(directory);
        }
        self.wake(queue);
    }

    /// Files of which the turn has come.
    pub(super) fn take_files(&self, files: &Files) {
        let mut queue = self.queue();
        if queue.files.front().is_some_and(|front| Arc::ptr_eq(front, files)) {
            queue.files.pop_front();
        }
    }

    /// A directory of which the turn has come.
    pub(super) fn take_directory(&self, depth: usize, directory: &Directory) {
        if let Some(directories) = self.queue().directories.get_mut(depth) {
            directories.retain(|waiting| !Arc::ptr_eq(waiting, directory));
        }
    }
}

impl Work {
    fn done_by(self, examiner: &mut Examiner<'_>) {
        match self {
            Work::Files(files) => files.work(|batch| Some(examiner.batch(&batch))),
            Work::Directory(directory) => directory.work(|to_list| examiner.ahead(&to_list)),
        }
    }
}
