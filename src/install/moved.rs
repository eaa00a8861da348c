//! A file that is here under another name, at which it may stay or not: it comes into the stage as it was when its
//! contents were found to be those that are wanted.

use crate::config::Durable;
use crate::install::adopt::copy_open;
use crate::install::{Failure, Meta, Places, at};
use crate::report::Step;
use crate::spec::{Entry, Index, Time};
use crate::sys::{Dir, Stat};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::LazyLock;

/// What tells that a file is the one that was looked at, and was not written to since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Known {
    inode: u64,
    size: u64,
    time: (i64, u32),
    changed: (i64, u32),
}

/// The hash of what is [`Known`] of a file, which nobody outside of this process can foresee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u64);

impl Known {
    /// Of what lstat(2) says.
    #[must_use]
    pub const fn of(stat: &Stat) -> Known {
        Known { inode: stat.ino, size: stat.size, time: stat.mtime, changed: stat.ctime }
    }

    /// When it was last changed in any way.
    #[must_use]
    pub const fn changed(&self) -> (i64, u32) {
        self.changed
    }

    /// What is kept of it, where there may be millions.
    #[must_use]
    pub fn mark(&self) -> Mark {
        static STATE: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Mark(STATE.hash_one(self))
    }

    /// Whether a specification describes it.
    #[must_use]
    pub fn is_of(&self, entry: &Entry<'_>) -> bool {
        entry.size == Some(self.size) && entry.time == Some(Time { sec: self.time.0, nsec: self.time.1 })
    }
}

impl Places<'_> {
    /// Makes the file that has this name in `holder` what the wanted entry says: by one more name for it, if it `goes`
    /// from there later in this round, and otherwise by a copy.
    ///
    /// # Errors
    /// It is not what it was, or there is no room.
    pub fn move_in(
        &mut self,
        (holder, name): (&Dir, &[u8]),
        (mark, goes): (Mark, bool),
        (index, want): (Index, &Entry<'_>),
        meta: &Meta<'_>,
        durable: Durable,
    ) -> Result<(), Failure> {
        let (old, stat) = holder.open_file(name).map_err(at(Step::Read))?;
        let known = Known::of(&stat);
        if known.mark() != mark {
            return Err((Step::Read, io::Error::from_raw_os_error(libc::ESTALE)));
        }
        self.make_found((index, want), |dir, new| {
            if goes && stat.nlink == 1 && holder.make_hard_link(name, dir, new).is_ok() {
                let linked = dir.stat(new).map_err(at(Step::Write))?;
                // The new name changed nothing but when it was changed.
                if (Known { changed: known.changed, ..Known::of(&linked) }) == known {
                    return Ok(());
                }
                dir.remove(new).map_err(at(Step::Write))?;
            }
            copy_open(old, &stat, (dir, new), want, meta, durable)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::{Fresh, Stage};
    use crate::path::RelPath;
    use crate::plan::Owners;
    use crate::spec::{Keywords, Kind, SpecWriter};
    use crate::sys::Spool;
    use std::fs;

    #[test]
    fn what_was_written_to_since_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        ["module", "state"].into_iter().for_each(|name| fs::create_dir(at(name)).unwrap());
        fs::write(at("module/f"), "hello").unwrap();
        let open = |name| Dir::open_root(&at(name)).unwrap();
        let (module, owners) = (open("module"), Owners::own(|_| None, |_| None, Vec::new()));
        let stage = Stage::open(&module, &Stage::lock_file(&module, &open("state")).unwrap()).unwrap();
        let meta = Meta::new(&owners, false);
        let path = RelPath::new(&b"g"[..]).unwrap();
        let want = Entry { mode: Some(0o600), ..Entry::new(path, Kind::File) };
        let new = Stage::made(Index::ROOT);
        let mut spec = SpecWriter::new(Spool::create(&open("state")).unwrap(), Keywords::TRANSFER).unwrap();
        spec.push(&Entry::new(RelPath::ROOT, Kind::Dir)).unwrap();
        let (spec, fresh) = (spec.seal().unwrap(), Fresh::default());
        let move_in = |known: &Known, goes| {
            let (from, what, to) = ((&module, &b"f"[..]), (known.mark(), goes), (Index::ROOT, &want));
            Places::new(&stage, &spec, &fresh).move_in(from, what, to, &meta, Durable::None)?;
            let text = fs::read(at("module/.smsync/new-0")).unwrap();
            let staged = stage.dir().unwrap().stat(&new).unwrap();
            stage.dir().unwrap().remove(&new).unwrap();
            Ok::<_, Failure>((text, staged))
        };
        let known = || Known::of(&module.stat(b"f").unwrap());
        let before = known();
        let (text, copy) = move_in(&before, false).unwrap();
        assert!(copy.nlink == 1 && copy.ino != before.inode);
        assert_eq!(text, b"hello");
        let (_, link) = move_in(&before, true).unwrap();
        assert!(link.ino == before.inode);
        // It had two names, and was changed by that.
        std::thread::sleep(crate::limits::TICK);
        fs::hard_link(at("module/f"), at("module/other")).unwrap();
        assert!(move_in(&before, true).is_err());
        assert!(move_in(&known(), true).unwrap().1.ino != before.inode);
        let before = known();
        std::thread::sleep(crate::limits::TICK);
        fs::write(at("module/f"), "HELLO").unwrap();
        std::os::unix::fs::chown(at("module/f"), None, None).unwrap();
        let back =
            crate::sys::File::from(std::os::fd::OwnedFd::from(fs::File::open(at("module/f")).unwrap()));
        back.set_time(before.time).unwrap();
        assert_eq!((known().size, known().time), (before.size, before.time));
        assert_eq!(move_in(&before, false).unwrap_err().1.raw_os_error(), Some(libc::ESTALE));
    }
}
