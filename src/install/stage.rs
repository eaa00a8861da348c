//! The stage: a directory at the module's root where new files wait until all have arrived.

use crate::digest::{self, Content};
use crate::install::meta::FILE_MODE;
use crate::install::{remove, unlock};
use crate::limits;
use crate::path::RelPath;
use crate::spec::{Entry, Index, Time};
use crate::sys::{self, Dir, FileKind, Lock, LockFile};
use crate::tree::STAGE;
use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The stage of one module. While it lives, no other round changes the module.
#[derive(Debug)]
pub struct Stage {
    module: Dir,
    dir: OnceLock<Dir>,
    /// Held while it is made: several threads write into it.
    making: Mutex<()>,
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
    /// The directory where locks are kept cannot be written to.
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
                let reason = sys::error_words(error);
                write!(f, "cannot lock the tree, in or beside the state directory: {reason}")
            }
            StageError::Io(error) => {
                write!(f, "cannot use the stage '.smsync': {}", sys::error_words(error))
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

/// Makes a directory ours alone. What the module's root passes on must not reach what is made in it, and so into the tree.
pub(super) fn own(dir: &Dir) -> io::Result<()> {
    dir.drop_acl()?;
    dir.set_own_owner(Some(sys::ids::euid()), Some(sys::ids::egid()))?;
    dir.set_own_mode(0o700)
}

/// The name under which a file waits: whoever wants the same path, size and time finds it again.
fn name_of(path: &RelPath<'_>, size: u64, time: Time) -> Vec<u8> {
    let mut hash = Content::new();
    hash.update(path.as_bytes());
    hash.update(&[0]);
    hash.update(&size.to_be_bytes());
    hash.update(&time.sec.to_be_bytes());
    hash.update(&time.nsec.to_be_bytes());
    short(&hash)
}

/// As much of a digest as makes a name.
fn short(hash: &Content) -> Vec<u8> {
    digest::hex(&hash.finish()).get(..32).unwrap_or_default().to_vec()
}

impl Stage {
    /// What is locked while the stage of this module lives: a file in this directory, where it is made if need be.
    ///
    /// # Errors
    /// See [`StageError`].
    pub fn lock_file(module: &Dir, locks: &Dir) -> Result<LockFile, StageError> {
        let stat = module.stat_self()?;
        let name = format!("lock-{}-{}-{}", stat.dev.0, stat.dev.1, stat.ino);
        LockFile::open(locks, name.as_bytes()).map_err(StageError::Lock)
    }

    /// Locks the module and looks what an interrupted run left. Makes nothing.
    ///
    /// # Errors
    /// See [`StageError`].
    pub fn open(module: &Dir, lock: &LockFile) -> Result<Stage, StageError> {
        let lock = lock.take().map_err(StageError::Lock)?.ok_or(StageError::Locked)?;
        let stage = Stage {
            module: module.again()?,
            dir: OnceLock::new(),
            making: Mutex::new(()),
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
        let _one_at_a_time = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(dir) = self.dir.get() {
            return Ok(dir);
        }
        self.keeping_looks(|module| {
            module.make_dir(STAGE)?;
            // Half made it would not be known as ours to remove.
            let dir = module.subdir(STAGE).and_then(|dir| own(&dir).map(|()| dir));
            let dir = dir.inspect_err(|_| drop(module.remove_dir(STAGE)))?;
            // It was not set: that was looked up above.
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

    /// Whether it holds something of this name that an interrupted run left.
    pub(super) fn has_left_this(&self, name: &[u8]) -> bool {
        self.left.contains(name)
    }

    /// The names of what an interrupted run left.
    pub(super) fn names_left(&self) -> impl Iterator<Item = &Box<[u8]>> {
        self.left.iter()
    }

    /// The permissions with which a file is made, in here where nobody else sees it: all that it is to have, unless a write
    /// takes them away, or it may have to be opened once more to be gone on with.
    pub(super) fn first_mode(want: &Entry<'_>, size: u64) -> u32 {
        let mode = want.mode.unwrap_or(FILE_MODE);
        if mode & !0o777 == 0 && size < limits::PARTIAL { mode } else { 0o600 }
    }

    /// The name under which the file of this path, size and time waits.
    pub(super) fn waiting(path: &RelPath<'_>, size: u64, time: Time) -> Vec<u8> {
        name_of(path, size, time)
    }

    /// The name under which a directory of this path is built that is new as a whole.
    pub(super) fn tree(path: &RelPath<'_>) -> Vec<u8> {
        let mut hash = Content::new();
        hash.update(path.as_bytes());
        [b"tree-", short(&hash).as_slice()].concat()
    }

    /// The name under which what is made here for an entry waits.
    pub(super) fn made(index: Index) -> Vec<u8> {
        format!("new-{}", index.get()).into_bytes()
    }

    /// A name that was not used yet, for what is kept.
    pub(super) fn free_name(&self) -> Vec<u8> {
        format!("kept-{}", self.serial.fetch_add(1, Ordering::Relaxed)).into_bytes()
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
