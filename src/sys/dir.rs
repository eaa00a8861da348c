//! A directory that is held open: everything in a tree is reached from one, a name at a time, never following a link.

use crate::sys::{File, FileKind, Stat};
use rustix::fs::{Access, AtFlags, Mode, OFlags, RawDir};
use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// A held directory. Each method takes one name in it: `/`, NUL, `.`, `..` and the empty name are refused before the
/// kernel sees them, so a slip above this floor is an error and never a way out.
#[derive(Debug)]
pub struct Dir(OwnedFd);

/// Holds something, and lets nobody do anything with it.
#[derive(Debug)]
pub struct Handle(#[expect(dead_code, reason = "it is there to be held")] OwnedFd);

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Dir {
    fn from(fd: OwnedFd) -> Dir {
        Dir(fd)
    }
}

/// A name in a directory, and what the listing says that it is.
pub type Listed = (Box<[u8]>, Option<FileKind>);

/// Lets a name through that stays in the directory.
pub(super) fn one(name: &[u8]) -> io::Result<&[u8]> {
    match name {
        b"" | b"." | b".." => Err(io::ErrorKind::InvalidInput.into()),
        _ if name.iter().any(|byte| matches!(byte, b'/' | 0)) => Err(io::ErrorKind::InvalidInput.into()),
        _ => Ok(name),
    }
}

/// Whether files that are read keep their time of access.
static KEEP_ACCESS_TIMES: AtomicBool = AtomicBool::new(false);

/// From now on the files that this process reads keep their time of access, where it may ask for that.
pub fn keep_access_times() {
    KEEP_ACCESS_TIMES.store(true, Ordering::Relaxed);
}

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

impl Dir {
    /// Opens the root of a tree by its path: the only path with a `/` that ever reaches a system call here.
    ///
    /// # Errors
    /// It is no directory, or cannot be opened.
    pub fn open_root(path: &Path) -> io::Result<Dir> {
        Ok(Dir(rustix::fs::open(path, DIRECTORY | OFlags::RDONLY, Mode::empty())?))
    }

    /// Opens the directory of this name for listing.
    ///
    /// # Errors
    /// It is a symbolic link, no directory, or cannot be opened.
    pub fn subdir(&self, name: &[u8]) -> io::Result<Dir> {
        let flags = DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        Ok(Dir(rustix::fs::openat(&self.0, one(name)?, flags, Mode::empty())?))
    }

    /// Holds the directory of this name to go through it: the right to search it is enough.
    ///
    /// # Errors
    /// It is a symbolic link, no directory, or cannot be searched.
    pub fn through(&self, name: &[u8]) -> io::Result<Dir> {
        let flags = DIRECTORY | OFlags::PATH | OFlags::NOFOLLOW;
        Ok(Dir(rustix::fs::openat(&self.0, one(name)?, flags, Mode::empty())?))
    }

    /// Holds what has this name, whatever it is, so that it stays when the name goes.
    ///
    /// # Errors
    /// There is nothing, or no descriptor is left.
    pub fn hold(&self, name: &[u8]) -> io::Result<Handle> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Handle(rustix::fs::openat(&self.0, one(name)?, flags, Mode::empty())?))
    }

    /// The same directory, held once more.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn again(&self) -> io::Result<Dir> {
        Ok(Dir(rustix::io::fcntl_dupfd_cloexec(&self.0, 3)?))
    }

    /// The directory above this one, to go through it. Only for whoever may go anywhere: who is confined keeps the way that
    /// it came.
    ///
    /// # Errors
    /// It cannot be searched.
    pub fn above(&self) -> io::Result<Dir> {
        let flags = DIRECTORY | OFlags::PATH | OFlags::NOFOLLOW;
        Ok(Dir(rustix::fs::openat(&self.0, c"..", flags, Mode::empty())?))
    }

    /// The same directory, opened for listing.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn to_list(&self) -> io::Result<Dir> {
        Ok(Dir(rustix::fs::openat(
            &self.0,
            c".",
            DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW,
            Mode::empty(),
        )?))
    }

    /// The names in it, in no order. The directory must have been opened for listing.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn names(&self) -> io::Result<Vec<Box<[u8]>>> {
        Ok(self.listing()?.into_iter().map(|(name, _)| name).collect())
    }

    /// The same, and what the listing says that each of them is, which not every file system does.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn listing(&self) -> io::Result<Vec<Listed>> {
        rustix::fs::seek(&self.0, rustix::fs::SeekFrom::Start(0))?;
        let mut buffer = [MaybeUninit::<u8>::uninit(); 32 * 1024];
        let mut listing = RawDir::new(&self.0, &mut buffer);
        let mut names = Vec::new();
        while let Some(entry) = listing.next() {
            let entry = entry?;
            let name: &CStr = entry.file_name();
            if !matches!(name.to_bytes(), b"." | b"..") {
                names.push((name.to_bytes().into(), FileKind::of(entry.file_type())));
            }
        }
        Ok(names)
    }

    /// lstat(2) of the name.
    ///
    /// # Errors
    /// There is nothing of this name, or the directory cannot be searched.
    pub fn stat(&self, name: &[u8]) -> io::Result<Stat> {
        Ok(rustix::fs::statat(&self.0, one(name)?, AtFlags::SYMLINK_NOFOLLOW)?.into())
    }

    /// stat(2) of the name: of what a symbolic link leads to, wherever that is, or of the link itself when it leads
    /// nowhere. Only for a user's own wish to look at what his links lead to.
    ///
    /// # Errors
    /// There is nothing of this name, or the directory cannot be searched.
    pub fn stat_following(&self, name: &[u8]) -> io::Result<Stat> {
        match rustix::fs::statat(&self.0, one(name)?, AtFlags::empty()) {
            Ok(stat) => Ok(stat.into()),
            Err(_) => self.stat(name),
        }
    }

    /// Opens the directory that this name is or leads to, for listing. As [`Dir::stat_following`], for looking only.
    ///
    /// # Errors
    /// It is no directory, or cannot be opened.
    pub fn subdir_following(&self, name: &[u8]) -> io::Result<Dir> {
        let flags = DIRECTORY | OFlags::RDONLY | OFlags::NONBLOCK;
        Ok(Dir(rustix::fs::openat(&self.0, one(name)?, flags, Mode::empty())?))
    }

    /// lstat(2) of the directory itself.
    ///
    /// # Errors
    /// The kernel refuses, which it never should.
    pub fn stat_self(&self) -> io::Result<Stat> {
        Ok(rustix::fs::fstat(&self.0)?.into())
    }

    /// The target of the symbolic link of this name.
    ///
    /// # Errors
    /// It is no symbolic link.
    pub fn read_link(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        Ok(rustix::fs::readlinkat(&self.0, one(name)?, Vec::new())?.into_bytes())
    }

    /// Opens the regular file of this name for reading. Nothing else is ever opened: a device or a named pipe put in
    /// its place does not block us and has no effect.
    ///
    /// # Errors
    /// It is no regular file, or cannot be opened.
    pub fn open_file(&self, name: &[u8]) -> io::Result<(File, Stat)> {
        self.open_for_reading(name, OFlags::NOFOLLOW)
    }

    /// Opens the regular file that this name is or leads to, for reading. As [`Dir::stat_following`], for looking only.
    ///
    /// # Errors
    /// It is no regular file, or cannot be opened.
    pub fn open_file_following(&self, name: &[u8]) -> io::Result<(File, Stat)> {
        self.open_for_reading(name, OFlags::empty())
    }

    /// Whether we may read what has this name, which is no symbolic link.
    #[must_use]
    pub fn can_read(&self, name: &[u8]) -> bool {
        let how = AtFlags::EACCESS | AtFlags::SYMLINK_NOFOLLOW;
        one(name).is_ok_and(|name| rustix::fs::accessat(&self.0, name, Access::READ_OK, how).is_ok())
    }

    fn open_for_reading(&self, name: &[u8], how: OFlags) -> io::Result<(File, Stat)> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | how;
        let open =
            |flags| rustix::fs::openat(&self.0, one(name)?, flags, Mode::empty()).map_err(io::Error::from);
        let opened = if KEEP_ACCESS_TIMES.load(Ordering::Relaxed) {
            // Only the owner may ask for it; others read all the same.
            open(flags | OFlags::NOATIME).or_else(|error| match error.kind() {
                io::ErrorKind::PermissionDenied => open(flags),
                _ => Err(error),
            })
        } else {
            open(flags)
        };
        let file = File::from(opened?);
        let stat = file.stat()?;
        match stat.kind {
            Some(FileKind::File) => Ok((file, stat)),
            Some(FileKind::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            _ => Err(io::Error::from_raw_os_error(libc::ESTALE)),
        }
    }

    /// The same for reading and writing.
    ///
    /// # Errors
    /// It is no regular file, or cannot be opened.
    pub fn open_file_to_write(&self, name: &[u8]) -> io::Result<(File, Stat)> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&self.0, one(name)?, flags, Mode::empty())?);
        match file.stat()? {
            stat if stat.kind == Some(FileKind::File) => Ok((file, stat)),
            _ => Err(io::Error::from_raw_os_error(libc::ESTALE)),
        }
    }

    /// A file without a name, which can never get one.
    pub(super) fn nameless_file(&self) -> io::Result<std::fs::File> {
        let flags = OFlags::TMPFILE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, c".", flags, Mode::RUSR | Mode::WUSR)?.into())
    }
}
