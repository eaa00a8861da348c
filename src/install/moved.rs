//! A file that is here under another name, at which it may stay or not: it comes into the stage as it was when its
//! contents were found to be those that are wanted.

use crate::config::Durable;
use crate::install::adopt::copy_open;
use crate::install::{Failure, Meta, Stage, at};
use crate::report::Step;
use crate::spec::{Entry, Time};
use crate::sys::{Dir, Stat};
use std::io;

/// What tells that a file is the one that was looked at, and was not written to since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    inode: u64,
    size: u64,
    time: (i64, u32),
    changed: (i64, u32),
}

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

    /// Whether a specification describes it.
    #[must_use]
    pub fn is_of(&self, entry: &Entry<'_>) -> bool {
        entry.size == Some(self.size) && entry.time == Some(Time { sec: self.time.0, nsec: self.time.1 })
    }
}

impl Stage {
    /// Makes the file that has this name in `holder` what `want` says: by one more name for it, if it `goes` from there
    /// later in this round, and otherwise by a copy. Gives back the number in its name in the stage.
    ///
    /// # Errors
    /// It is not what it was, or there is no room.
    pub fn move_in(
        &self,
        (holder, name): (&Dir, &[u8]),
        (known, goes): (&Known, bool),
        want: &Entry<'_>,
        meta: &Meta<'_>,
        durable: Durable,
    ) -> Result<u64, Failure> {
        let number = self.number();
        let new = Stage::numbered(number);
        let dir = self.dir().map_err(at(Step::Write))?;
        let (old, stat) = holder.open_file(name).map_err(at(Step::Read))?;
        if Known::of(&stat) != *known {
            return Err((Step::Read, io::Error::from_raw_os_error(libc::ESTALE)));
        }
        if goes && stat.nlink == 1 && holder.make_hard_link(name, dir, &new).is_ok() {
            let linked = dir.stat(&new).map_err(at(Step::Write))?;
            // The new name changed nothing but when it was changed.
            if (Known { changed: known.changed, ..Known::of(&linked) }) == *known {
                return Ok(number);
            }
            dir.remove(&new).map_err(at(Step::Write))?;
        }
        copy_open(old, &stat, (dir, &new), want, meta, durable)?;
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::RelPath;
    use crate::plan::Owners;
    use crate::spec::Kind;
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
        let move_in =
            |known: &Known, goes| stage.move_in((&module, b"f"), (known, goes), &want, &meta, Durable::None);
        let known = || Known::of(&module.stat(b"f").unwrap());
        let before = known();
        let copy = move_in(&before, false).unwrap();
        let staged = |number| stage.dir().unwrap().stat(&Stage::numbered(number)).unwrap();
        assert!(staged(copy).nlink == 1 && staged(copy).ino != before.inode);
        assert_eq!(fs::read(at("module/.smsync").join(format!("new-{copy}"))).unwrap(), b"hello");
        let link = move_in(&before, true).unwrap();
        assert!(staged(link).ino == before.inode);
        // It has two names now, and was changed by that.
        assert!(move_in(&before, true).is_err());
        assert!(staged(move_in(&known(), true).unwrap()).ino != before.inode);
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
