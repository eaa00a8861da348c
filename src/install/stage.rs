//! The stage: a directory at the module's root where new files wait until all have arrived.

use crate::config::Durable;
use crate::digest::{self, Content};
use crate::install::incoming::specified;
use crate::install::{Failure, Incoming, at, remove, unlock};
use crate::limits;
use crate::path::RelPath;
use crate::report::Step;
use crate::spec::{Entry, Time};
use crate::sys::{self, Dir, FileKind, Lock};
use crate::tree::STAGE;
use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The stage of one module. While it lives, no other round changes the module.
#[derive(Debug)]
pub struct Stage {
    module: Dir,
    dir: OnceLock<Dir>,
    left: HashSet<Box<[u8]>>,
    serial: AtomicU64,
    _lock: Lock,
}

/// Why there is no stage.
#[derive(Debug)]
pub enum StageError {
    /// Another round is at work on this module.
    Locked,
    /// `.smsync` is there and not ours: whose it is.
    Foreign(u32),
    /// The state directory, where locks are kept, cannot be written to.
    Lock(io::Error),
    /// The stage itself cannot be used.
    Io(io::Error),
}

impl std::fmt::Display for StageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StageError::Locked => f.write_str("another transfer into this tree is running"),
            StageError::Foreign(uid) => {
                write!(
                    f,
                    "'.smsync' is not a private directory of ours (owner {uid}): remove it or move it away"
                )
            }
            StageError::Lock(error) => {
                let reason = sys::errno_words(sys::errno(error));
                write!(f, "cannot lock the tree in the state directory: {reason}")
            }
            StageError::Io(error) => {
                write!(f, "cannot use the stage '.smsync': {}", sys::errno_words(sys::errno(error)))
            }
        }
    }
}

impl std::error::Error for StageError {}

impl From<io::Error> for StageError {
    fn from(error: io::Error) -> Self {
        StageError::Io(error)
    }
}

/// Opens the stage that was just made. What the module's root passes on must not reach what is made in it, and so into
/// the tree.
fn own(module: &Dir) -> io::Result<Dir> {
    let dir = module.subdir(STAGE)?;
    dir.drop_acl()?;
    dir.set_own_owner(Some(sys::ids::euid()), Some(sys::ids::egid()))?;
    dir.set_own_mode(0o700)?;
    Ok(dir)
}

/// The name under which a file waits: whoever wants the same path, size and time finds it again.
fn name_of(path: &RelPath<'_>, size: u64, time: Time) -> Vec<u8> {
    let mut hash = Content::new();
    hash.update(path.as_bytes());
    hash.update(&[0]);
    hash.update(&size.to_be_bytes());
    hash.update(&time.sec.to_be_bytes());
    hash.update(&time.nsec.to_be_bytes());
    digest::hex(&hash.finish()).get(..32).unwrap_or_default().to_vec()
}

impl Stage {
    /// Locks the module and looks what an interrupted run left. Makes nothing.
    ///
    /// # Errors
    /// See [`StageError`].
    pub fn open(module: &Dir, state: &Dir) -> Result<Stage, StageError> {
        let stat = module.stat_self()?;
        let lock = format!("lock-{}-{}-{}", stat.dev.0, stat.dev.1, stat.ino);
        let lock = Lock::take(state, lock.as_bytes()).map_err(StageError::Lock)?.ok_or(StageError::Locked)?;
        let stage = Stage {
            module: module.again()?,
            dir: OnceLock::new(),
            left: HashSet::new(),
            serial: AtomicU64::new(0),
            _lock: lock,
        };
        let left = match module.stat(STAGE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => HashSet::new(),
            Err(error) => return Err(error.into()),
            Ok(stat)
                if stat.kind != Some(FileKind::Dir)
                    || stat.uid != sys::ids::euid()
                    || stat.mode & 0o077 != 0 =>
            {
                return Err(StageError::Foreign(stat.uid));
            }
            Ok(_) => {
                let dir = module.subdir(STAGE)?;
                let names = dir.names()?;
                // Cannot be set already: the stage was made above.
                let _ = stage.dir.set(dir);
                names.into_iter().collect()
            }
        };
        Ok(Stage { left, ..stage })
    }

    /// The directory, made when it is needed first.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn dir(&self) -> io::Result<&Dir> {
        if let Some(dir) = self.dir.get() {
            return Ok(dir);
        }
        self.keeping_looks(|module| {
            module.make_dir(STAGE)?;
            // Half made it would not be known as ours to remove.
            let dir = own(module).inspect_err(|_| drop(module.remove_dir(STAGE)))?;
            // It was not set: that was looked up above, and there is one thread that writes.
            let _ = self.dir.set(dir);
            Ok(())
        })?;
        self.dir.get().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Whether there is anything in it that could be taken over.
    #[must_use]
    pub fn has_left(&self) -> bool {
        !self.left.is_empty()
    }

    /// Whether an interrupted run left a finished or half-finished file for this entry.
    #[must_use]
    pub fn left(&self, entry: &Entry<'_>) -> bool {
        let (Some(size), Some(time)) = (entry.size, entry.time) else { return false };
        self.left.contains(name_of(&entry.path, size, time).as_slice())
    }

    /// How many bytes of this entry's file an interrupted run left.
    #[must_use]
    pub fn left_bytes(&self, entry: &Entry<'_>) -> Option<u64> {
        let name = name_of(&entry.path, entry.size?, entry.time?);
        self.left.contains(name.as_slice()).then(|| self.dir.get()?.stat(&name).ok())?.map(|stat| stat.size)
    }

    /// Removes what an interrupted run left, but for what `keep` names.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn sweep<'e>(&self, keep: impl Iterator<Item = Entry<'e>>) -> io::Result<()> {
        let keep: HashSet<Vec<u8>> =
            keep.filter_map(|entry| Some(name_of(&entry.path, entry.size?, entry.time?))).collect();
        if self.left.is_empty() {
            return Ok(());
        }
        let dir = self.dir()?;
        for name in self.left.iter().filter(|name| !keep.contains(name.as_ref())) {
            remove::clear(dir, name)?;
        }
        Ok(())
    }

    /// Takes over the file left for this entry, if its contents have this digest; gives it the entry's metadata, and
    /// flushes it if that is the policy: who wrote it may not have come so far.
    ///
    /// # Errors
    /// What failed. That it is not the right file is `Ok(false)`.
    pub fn take_over(
        &self,
        entry: &Entry<'_>,
        digest: &[u8; 32],
        meta: &crate::install::Meta<'_>,
        durable: Durable,
    ) -> Result<bool, Failure> {
        let (Some(size), Some(time)) = (entry.size, entry.time) else { return Ok(false) };
        let name = name_of(&entry.path, size, time);
        let dir = self.dir().map_err(at(Step::Write))?;
        let (mut file, stat) = dir.open_file(&name).map_err(at(Step::Write))?;
        if stat.size != size || stat.nlink != 1 {
            return Ok(false);
        }
        let mut content = Content::new();
        let mut buffer = vec![0; limits::RECORD];
        loop {
            let read = file.read(&mut buffer).map_err(at(Step::Write))?;
            if read == 0 {
                break;
            }
            content.update(buffer.get(..read).unwrap_or_default());
        }
        if content.finish() != *digest || !specified(&file, digest, entry).map_err(at(Step::Write))? {
            return Ok(false);
        }
        meta.file(&file, &stat, entry, time)?;
        if durable == Durable::File {
            let _on_disk = file.flush_to_disk().map_err(at(Step::Write))?;
        }
        Ok(true)
    }

    /// Begins a file that arrives.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn begin(&self, path: &RelPath<'_>, size: u64, time: Time, durable: Durable) -> io::Result<Incoming> {
        let name = name_of(path, size, time);
        let dir = self.dir()?;
        let file = match dir.make_file(&name) {
            // Left by an interrupted run and found not to be the right one, or sent twice because it changed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                dir.remove(&name)?;
                dir.make_file(&name)?
            }
            made => made?,
        };
        Ok(Incoming::new(file, size, time, durable))
    }

    /// The name under which the file of this path, size and time waits.
    pub(super) fn waiting(path: &RelPath<'_>, size: u64, time: Time) -> Vec<u8> {
        name_of(path, size, time)
    }

    /// A new number, for the name of something that is made here.
    pub(super) fn number(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// The name that belongs to a number.
    pub(super) fn numbered(number: u64) -> Vec<u8> {
        format!("new-{number}").into_bytes()
    }

    /// Removes the stage and all that is in it.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn clear(&self) -> io::Result<()> {
        let Some(dir) = self.dir.get() else { return Ok(()) };
        for name in dir.names()? {
            remove::clear(dir, &name)?;
        }
        self.keeping_looks(|module| match module.remove_dir(STAGE) {
            // Cleared before.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        })
    }

    /// Does something to the module's root that is not to show in its mode and time of modification: the stage comes
    /// and goes, and the tree is as it was.
    fn keeping_looks(&self, change: impl FnOnce(&Dir) -> io::Result<()>) -> io::Result<()> {
        let before = self.module.stat_self()?;
        let shut = unlock::open_dir(&self.module)?;
        let changed = change(&self.module);
        if let Some(mode) = shut {
            self.module.set_own_mode(mode)?;
        }
        match self.module.set_own_time(before.mtime) {
            // The root of somebody else, who lets us write: that time we cannot set.
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied && before.uid != sys::ids::euid() =>
            {
                changed
            }
            set => changed.and(set),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Algorithm, Digests};
    use crate::install::Meta;
    use crate::plan::Owners;
    use crate::spec::Kind;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_taken_over_is_what_was_specified() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["module", "state", "module/.smsync"] {
            fs::create_dir(at(name)).unwrap();
        }
        fs::set_permissions(at("module/.smsync"), fs::Permissions::from_mode(0o700)).unwrap();
        let (size, time) = (5, Time { sec: 7, nsec: 0 });
        let path = RelPath::new(&b"f"[..]).unwrap();
        let name = String::from_utf8(name_of(&path, size, time)).unwrap();
        fs::write(at("module/.smsync").join(name), "hello").unwrap();
        let open = |name| Dir::open_root(&at(name)).unwrap();
        let stage = Stage::open(&open("module"), &open("state")).unwrap();
        let owners = Owners::own(|_| None, |_| None, Vec::new());
        let meta = Meta::new(&owners, false);
        let take = |text: &str, sha1: Option<&'static str>| {
            let mut digests = Digests::default();
            if let Some(sha1) = sha1 {
                digests.set(Algorithm::Sha1, sha1.as_bytes()).unwrap();
            }
            let entry = Entry {
                size: Some(size),
                time: Some(time),
                digests,
                ..Entry::new(path.borrowed(), Kind::File)
            };
            stage.take_over(&entry, blake3::hash(text.as_bytes()).as_bytes(), &meta, Durable::None).unwrap()
        };
        assert!(take("hello", None) && !take("hellO", None));
        // sha1sum(1) of "hello", and of nothing.
        assert!(take("hello", Some("aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d")));
        assert!(!take("hello", Some("da39a3ee5e6b4b0d3255bfef95601890afd80709")));
    }
}
