//! Slots that processes hold: each is a record of a file, of which the first byte is locked as long as its holder lives.
//!
//! The locks are seen by every process that opens the file, whoever started it.

use crate::sys::Dir;
use crate::sys::dir::one;
use crate::sys::ids;
use crate::sys::ofd::{self, Held};
use crate::sys::private::{check_own, open_dir_of, unopened};
use rustix::fs::{FileType, Mode, OFlags};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes of a record.
pub const RECORD: usize = 1024;

/// Behind all records: who changes several slots at once locks this byte first.
const GATE: i64 = i64::MAX - 1;

/// The bits of a mode by which somebody else than the owner may open a file; those of the group are the mask of an ACL.
pub(super) const OTHERS: u32 = 0o077;

/// How long whoever waits for the gate sleeps before it tries again.
const NAP: Duration = Duration::from_millis(2);

/// A file of slots.
#[derive(Debug)]
pub struct Slots(File);

/// The gate of such a file: while it is held, no other process takes or leaves a slot through it.
#[derive(Debug)]
pub struct Gate<'s>(&'s Slots);

const FLAGS: OFlags =
    OFlags::RDWR.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

impl Slots {
    /// Of this name in a private directory; the file is made if there is none.
    ///
    /// # Errors
    /// It cannot be opened or made.
    pub fn in_dir(dir: &Dir, name: &[u8]) -> io::Result<Slots> {
        let flags = FLAGS | OFlags::CREATE;
        Slots::new(rustix::fs::openat(dir, one(name)?, flags, Mode::RUSR | Mode::WUSR)?)
    }

    /// The same, if there is one.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn there(dir: &Dir, name: &[u8]) -> io::Result<Option<Slots>> {
        match rustix::fs::openat(dir, one(name)?, FLAGS, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => Ok(None),
            file => Slots::new(file?).map(Some),
        }
    }

    /// Of this absolute name, which the administrator chose. One of ours is closed to everybody else: whoever may read it
    /// could lock all of it, and keep every place for himself. Who has it open already keeps what he has.
    ///
    /// # Errors
    /// It cannot be opened, made or closed to others, others decide where it is, or it is no regular file with one name.
    pub fn open(path: &Path) -> io::Result<Slots> {
        let (dir, name) = open_dir_of(path)?;
        let own = Mode::RUSR | Mode::WUSR;
        let file = rustix::fs::openat(&dir, name, FLAGS | OFlags::CREATE, own).map_err(unopened)?;
        let stat = rustix::fs::fstat(&file)?;
        check_own(dir, &stat)?;
        let slots = Slots::new(file)?;
        if stat.st_uid == ids::euid() && stat.st_mode & OTHERS != 0 {
            rustix::fs::fchmod(&slots.0, own).map_err(|errno| {
                let mode = stat.st_mode & 0o7777;
                io::Error::other(format!(
                    "others may open it (mode {mode:04o}), and that cannot be changed: {errno}"
                ))
            })?;
        }
        Ok(slots)
    }

    fn new(file: OwnedFd) -> io::Result<Slots> {
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_nlink != 1 {
            return Err(io::Error::other("it is no regular file with one name"));
        }
        Ok(Slots(file.into()))
    }

    /// What it has open. The slots that were taken are held as long as anybody has it open.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Takes the first of so many slots that is free, until it is left or this value is dropped. Says which.
    ///
    /// # Errors
    /// The file system knows no locks.
    pub fn take(&self, count: u32) -> io::Result<Option<u32>> {
        for at in 0..count {
            if ofd::lock(&self.0, offset(at))? {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Leaves a slot that was taken.
    pub fn leave(&self, at: u32) {
        ofd::unlock(&self.0, offset(at));
    }

    /// Whether another process holds this slot, or another value of this one.
    ///
    /// # Errors
    /// The file system knows no locks.
    pub fn is_held(&self, at: u32) -> io::Result<bool> {
        Ok(ofd::held(&self.0, offset(at))? != Held::Not)
    }

    /// What the last holder of a slot wrote; zeros behind it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&self, at: u32) -> io::Result<[u8; RECORD]> {
        let mut record = [0; RECORD];
        let mut filled = 0;
        while let Some(space) = record.get_mut(filled..).filter(|space| !space.is_empty()) {
            match self.0.read_at(space, position(at).saturating_add(filled as u64))? {
                0 => break,
                read => filled = filled.saturating_add(read),
            }
        }
        Ok(record)
    }

    /// Writes the record of a slot that is held; what does not fit is cut off.
    ///
    /// # Errors
    /// The disk is full.
    pub fn write(&self, at: u32, text: &[u8]) -> io::Result<()> {
        let mut record = [0; RECORD];
        record.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
        self.0.write_all_at(&record, position(at))
    }

    /// Waits for the gate; `None` when it is not to be had by the deadline.
    ///
    /// # Errors
    /// The file system knows no locks.
    pub fn gate(&self, deadline: Instant) -> io::Result<Option<Gate<'_>>> {
        while !ofd::lock(&self.0, GATE)? {
            if Instant::now() >= deadline {
                return Ok(None);
            }
            std::thread::sleep(NAP);
        }
        Ok(Some(Gate(self)))
    }
}

impl Drop for Gate<'_> {
    fn drop(&mut self) {
        ofd::unlock(&self.0.0, GATE);
    }
}

fn position(at: u32) -> u64 {
    u64::from(at).saturating_mul(RECORD as u64)
}

fn offset(at: u32) -> i64 {
    i64::try_from(position(at)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_has_one_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slots");
        let [first, second, third] = [(); 3].map(|()| Slots::open(&path).unwrap());
        assert_eq!(first.take(2).unwrap(), Some(0));
        assert_eq!(second.take(2).unwrap(), Some(1));
        assert_eq!(third.take(2).unwrap(), None);
        assert!(third.is_held(0).unwrap() && third.is_held(1).unwrap() && !third.is_held(2).unwrap());
        second.write(1, b"second").unwrap();
        assert!(third.read(1).unwrap().starts_with(b"second\0") && third.read(7).unwrap() == [0; RECORD]);
        first.leave(0);
        assert_eq!(third.take(2).unwrap(), Some(0));
        drop(second);
        assert_eq!(first.take(2).unwrap(), Some(1), "a slot outlives its holder");
    }

    #[test]
    fn one_at_a_time_passes_the_gate() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slots");
        let [first, second] = [(); 2].map(|()| Slots::open(&path).unwrap());
        let gate = first.gate(Instant::now()).unwrap().unwrap();
        assert!(second.gate(Instant::now() + NAP).unwrap().is_none());
        assert_eq!(second.take(1).unwrap(), Some(0), "the gate is none of the slots");
        drop(gate);
        assert!(second.gate(Instant::now()).unwrap().is_some());
    }

    #[test]
    fn only_a_plain_file_will_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("file"), "").unwrap();
        std::os::unix::fs::symlink(path("file"), path("link")).unwrap();
        assert!(Slots::open(&path("link")).is_err());
        Slots::open(&path("file")).unwrap();
        std::fs::hard_link(path("file"), path("second")).unwrap();
        assert!(Slots::open(&path("file")).is_err());
    }

    #[test]
    fn only_its_owner_can_lock_what_is_ours() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slots");
        std::fs::write(&path, "").unwrap();
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        for bits in [0o644, 0o620, 0o601, 0o666, 0o4755] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(bits)).unwrap();
            // Who only asks changes nothing, and has nothing to say: it will be mended.
            crate::sys::usable::counted(&path).unwrap();
            assert_eq!(mode(), bits);
            Slots::open(&path).unwrap();
            assert_eq!(mode(), 0o600, "{bits:o}");
        }
    }
}
