//! What surrounds the changes: the right to make them, the metadata of directories, and the flushes.

use super::Run;
use crate::config::Durable;
use crate::install::{Failure, at, unlock};
use crate::path::RelPath;
use crate::report::Step;
use crate::spec::{Entry, Kind};
use crate::sys::Dir;
use std::io;

fn is(error: &io::Error, errno: i32) -> bool {
    error.raw_os_error() == Some(errno)
}

impl Run<'_> {
    /// Lets us change names in a directory of ours. Where that fails, what is to be done in it fails and is reported.
    pub(super) fn unlock(&mut self, path: &RelPath<'_>) {
        if !self.bound || self.unlocked.contains_key(path) {
            return;
        }
        let old = if path.is_root() {
            unlock::open_dir(self.install.root.dir())
        } else {
            self.cursor.holder(path).and_then(|(holder, name)| unlock::named(holder, name))
        };
        let old = old.ok().flatten();
        if old.is_some() {
            self.disturbed.insert(path.clone().into_owned());
        }
        self.unlocked.insert(path.clone().into_owned(), old);
    }

    /// Opens a directory for listing.
    fn open(&mut self, path: &RelPath<'_>) -> io::Result<Dir> {
        if path.is_root() {
            return self.install.root.dir().again();
        }
        self.cursor.holder(path).and_then(|(holder, name)| holder.subdir(name))
    }

    /// Everything in the stage reaches the disk before anything gets its name.
    pub(super) fn flush_files(&self) -> io::Result<()> {
        let waiting = !self.install.arrived.marks().is_empty() || self.prepared;
        match self.install.durable {
            Durable::Batch if waiting => self.install.root.dir().flush_file_system().map(drop),
            _ => Ok(()),
        }
    }

    /// Gives directories their metadata, deepest first, since each change below disturbs the time above.
    pub(super) fn directories(&mut self) {
        self.cursor.forget();
        for path in self.disturbed.clone().iter().rev() {
            let want = self.install.want.find(path).filter(|want| want.kind == Kind::Dir && !want.nochange);
            let had = self.unlocked.get(path).copied().flatten();
            if want.is_none() && had.is_none() {
                continue;
            }
            let mut want = want.unwrap_or_else(|| Entry::new(path.borrowed(), Kind::Dir));
            want.mode = want.mode.or(had);
            match self.directory(&want) {
                // That a directory is not there was reported when it could not be made.
                Err((_, error)) if is(&error, libc::ENOENT) || is(&error, libc::ENOTDIR) => {}
                Err(failure) => self.failed(path, &failure),
                Ok(()) => {}
            }
        }
    }

    fn directory(&mut self, want: &Entry<'_>) -> Result<(), Failure> {
        let meta = self.install.meta;
        let device = self.install.root.stat().dev;
        match self.open(&want.path) {
            // Another file system is mounted there, and its root is none of ours.
            Ok(dir) if dir.stat_self().map_err(at(Step::Stat))?.dev != device => {
                Err((Step::Mode, io::Error::from_raw_os_error(libc::EXDEV)))
            }
            Ok(dir) => meta.open_dir(&dir, want, self.new.contains(&want.path)),
            // A directory that its owner may not read: every call by name but chmod is old.
            Err(error) if is(&error, libc::EACCES) => {
                let (holder, name) = self.cursor.holder(&want.path).map_err(at(Step::Mode))?;
                meta.unreadable(holder, name, want)
            }
            Err(error) => Err((Step::Mode, error)),
        }
    }

    /// Names and metadata reach the disk before anything is reported as done.
    pub(super) fn flush_names(&mut self) -> io::Result<()> {
        let everything = |run: &Run<'_>| run.install.root.dir().flush_file_system().map(drop);
        match self.install.durable {
            Durable::None => Ok(()),
            Durable::Batch => everything(self),
            // Versions are not in the tree.
            Durable::File if self.install.keep.versions.is_some() && self.done.report.kept > 0 => {
                everything(self)
            }
            Durable::File => {
                for path in std::mem::take(&mut self.disturbed) {
                    match self.open(&path) {
                        Ok(dir) => drop(dir.flush_to_disk()?),
                        // One that may not be read cannot be flushed by itself.
                        Err(error) if is(&error, libc::EACCES) => return everything(self),
                        // It was removed, or never made.
                        Err(error) if is(&error, libc::ENOENT) || is(&error, libc::ENOTDIR) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(())
            }
        }
    }
}
