//! The pid file of a daemon: locked as long as it runs, so that a stale one never stops a start.
//!
//! Everybody may read it, and whoever may read it can lock it for reading: what a stranger holds so is replaced.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};

use super::ofd::{self, Held};
use super::private::{check_own, open_dir_of};
use crate::limits;

/// How long whoever meets another start waits before it looks again.
const NAP: Duration = Duration::from_millis(2);

/// Bytes of a process id in decimal, and more.
const DIGITS: usize = 20;

/// Why there is no pid file.
#[derive(Debug)]
pub enum PidFileError {
    /// A daemon holds it; its process id, if the file tells.
    Running(Option<u32>),
    /// It cannot be made, or is not a plain file.
    Io(io::Error),
}

impl fmt::Display for PidFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PidFileError::Running(Some(pid)) => write!(f, "already running as pid {pid}"),
            PidFileError::Running(None) => f.write_str("already running"),
            PidFileError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PidFileError {}

impl<E: Into<io::Error>> From<E> for PidFileError {
    fn from(error: E) -> PidFileError {
        PidFileError::Io(error.into())
    }
}

/// A pid file that is ours; dropping it removes it.
#[derive(Debug)]
pub struct PidFile(Named);

/// A file, and the name by which it was opened.
#[derive(Debug)]
struct Named {
    dir: OwnedFd,
    name: OsString,
    file: File,
}

impl PidFile {
    /// Makes the file (0644), locks it and writes our process id to it.
    ///
    /// # Errors
    /// Another process holds it, or it cannot be written.
    pub fn take(path: &Path) -> Result<PidFile, PidFileError> {
        let gate = Gate::pass(path)?;
        loop {
            let (dir, name) = open_dir_of(path)?;
            let opened = Named::open(dir, name)?;
            if opened.lock()? {
                // A daemon that ended between the two calls took the name away, and the next start would not see our lock.
                if opened.is_named() {
                    opened.write()?;
                    opened.show()?;
                    return Ok(PidFile(opened));
                }
                continue;
            }
            match opened.held()? {
                Held::Not => std::thread::sleep(NAP),
                Held::Writing => return Err(PidFileError::Running(written(&opened.file))),
                Held::Reading => return Ok(PidFile(gate.replace(opened)?)),
            }
        }
    }
}

/// The name of the gate of a pid file.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    beside.into()
}

/// What is wrong with another file than the one that was asked for.
pub(super) fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::other(format!("{}: {error}", path.as_os_str().as_bytes().escape_ascii()))
}

/// What one start at a time holds: a file of ours beside the pid file, which takes its place where a stranger has locked
/// that. There is none where no file can be made.
struct Gate(io::Result<Named>);

impl Gate {
    fn pass(path: &Path) -> io::Result<Gate> {
        let deadline = Instant::now() + limits::ADMISSION;
        let beside = beside(path);
        loop {
            let (dir, name) = open_dir_of(&beside)?;
            let file = match Named::open(dir, name) {
                // The pid file may be there all the same, made for us by somebody who could.
                Err(error) if matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem) => {
                    return Ok(Gate(Err(error)));
                }
                file => file.map_err(|error| named(&beside, &error))?,
            };
            if file.lock()? {
                if file.is_named() {
                    return Ok(Gate(Ok(file)));
                }
            } else if Instant::now() >= deadline {
                return Err(io::Error::other("another start does not come to its end"));
            } else {
                std::thread::sleep(NAP);
            }
        }
    }

    /// Puts it, locked, in the place of this file.
    fn replace(mut self, old: Named) -> io::Result<Named> {
        let Gate(file) = &mut self;
        let new = std::mem::replace(file, Err(PermissionDenied.into()))
            .map_err(|error| io::Error::other(format!("somebody who may read it has locked it: {error}")))?;
        new.write()?;
        rustix::fs::renameat(&new.dir, &new.name, &old.dir, &old.name)?;
        let new = Named { name: old.name, ..new };
        new.show()?;
        Ok(new)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Gate(Ok(file)) = self {
            // One that stays is harmless: it is no longer locked.
            let _ = file.remove();
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // One that stays is harmless: it is no longer locked.
        let _ = self.0.remove();
    }
}

impl Named {
    /// Opens the file of this name, which must be a plain one with one name, or makes it for its owner alone.
    fn open(dir: OwnedFd, name: &OsStr) -> io::Result<Named> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = rustix::fs::openat(&dir, name, flags | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)?;
        let stat = rustix::fs::fstat(&fd)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_nlink > 1 {
            return Err(io::Error::other("it is no regular file with one name"));
        }
        check_own(&dir, &stat)?;
        let file = fd.into();
        check_written(&file)?;
        Ok(Named { dir, name: name.to_owned(), file })
    }

    /// Takes the lock; whether it is ours.
    fn lock(&self) -> io::Result<bool> {
        ofd::lock(&self.file, 0)
    }

    fn held(&self) -> io::Result<Held> {
        ofd::held(&self.file, 0)
    }

    /// Our process id.
    fn write(&self) -> io::Result<()> {
        rustix::fs::ftruncate(&self.file, 0)?;
        writeln!(&self.file, "{}", std::process::id())
    }

    /// Readable for everyone, whatever the umask.
    fn show(&self) -> io::Result<()> {
        Ok(rustix::fs::fchmod(&self.file, Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH)?)
    }

    /// Whether the name still means this file.
    fn is_named(&self) -> bool {
        let named = rustix::fs::statat(&self.dir, &self.name, AtFlags::SYMLINK_NOFOLLOW);
        let (Ok(ours), Ok(named)) = (rustix::fs::fstat(&self.file), named) else { return false };
        (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino)
    }

    /// Removes the name, unless it means another file by now.
    fn remove(&self) -> io::Result<()> {
        if self.is_named() {
            rustix::fs::unlinkat(&self.dir, &self.name, AtFlags::empty())?;
        }
        Ok(())
    }
}

/// The process id in a file somebody else holds.
fn written(file: &File) -> Option<u32> {
    beginning(file).ok()?.trim_ascii_end().parse().ok()
}

/// What a pid file holds is a number and nothing else, or it is something that was never meant to be overwritten.
///
/// # Errors
/// It is that, or cannot be read.
pub(super) fn check_written(file: &File) -> io::Result<()> {
    let text = beginning(file)?;
    if text.len() <= DIGITS && text.trim_ascii_end().bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(io::Error::other("it holds something else than a process id, which would be lost"))
}

/// More than a process id takes, if there is more.
fn beginning(file: &File) -> io::Result<String> {
    let mut bytes = [0; DIGITS + 1];
    let read = file.read_at(&mut bytes, 0)?;
    Ok(String::from_utf8_lossy(bytes.get(..read).unwrap_or_default()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn one_holder_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        // What a crash left, longer than ours.
        std::fs::write(&path, "4000000000000000\n\n").unwrap();
        let first = PidFile::take(&path).unwrap();
        let pid = std::process::id();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{pid}\n"));
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o644);
        let refused = PidFile::take(&path).unwrap_err();
        assert_eq!(refused.to_string(), format!("already running as pid {pid}"));
        assert!(path.exists(), "a refused start must not take the file away");
        drop(first);
        assert!(!path.exists());
        drop(PidFile::take(&path).unwrap());
    }

    #[test]
    fn a_start_at_the_moment_of_an_end_excludes_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        let holders = std::sync::atomic::AtomicU32::new(0);
        let order = std::sync::atomic::Ordering::SeqCst;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..300 {
                        let Ok(held) = PidFile::take(&path) else { continue };
                        assert_eq!(holders.fetch_add(1, order), 0, "two daemons");
                        std::thread::sleep(std::time::Duration::from_micros(100));
                        holders.fetch_sub(1, order);
                        drop(held);
                    }
                });
            }
        });
        assert!(!path.exists());
    }

    /// A file that a crash left, locked by somebody who may read it.
    fn held_by_a_stranger(path: &Path) -> File {
        std::fs::write(path, "4000000000\n").unwrap();
        let stranger = File::open(path).unwrap();
        let whole = libc::flock { l_type: 0, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };
        assert_eq!(libc::F_RDLCK, 0);
        nix::fcntl::fcntl(&stranger, nix::fcntl::FcntlArg::F_OFD_SETLK(&whole)).unwrap();
        rustix::fs::flock(&stranger, rustix::fs::FlockOperation::LockExclusive).unwrap();
        stranger
    }

    #[test]
    fn what_a_stranger_holds_stops_no_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        let stranger = held_by_a_stranger(&path);
        let held = PidFile::take(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o644);
        assert!(matches!(PidFile::take(&path), Err(PidFileError::Running(_))), "ours is replaced");
        drop(stranger);
        drop(held);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn of_many_starts_that_meet_a_stranger_one_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        for _ in 0..100 {
            let stranger = held_by_a_stranger(&path);
            let start = std::sync::Barrier::new(4);
            let taken: Vec<_> = std::thread::scope(|scope| {
                let starts = [(); 4].map(|()| {
                    scope.spawn(|| {
                        start.wait();
                        PidFile::take(&path)
                    })
                });
                starts.map(|start| start.join().unwrap()).into_iter().filter_map(Result::ok).collect()
            });
            assert_eq!(taken.len(), 1, "daemons");
            drop(stranger);
            drop(taken);
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn leaves_another_file_of_that_name_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        let held = PidFile::take(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "another").unwrap();
        drop(held);
        assert_eq!(std::fs::read(&path).unwrap(), b"another");
    }

    #[test]
    fn overwrites_nothing_but_process_ids() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        for precious in [
            "precious\n",
            "4000 and more\n",
            "-1\n",
            "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n",
            "\u{663}\n",
        ] {
            std::fs::write(&path, precious).unwrap();
            let Err(PidFileError::Io(error)) = PidFile::take(&path) else { panic!("{precious:?} is lost") };
            assert!(error.to_string().contains("something else than a process id"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), precious);
        }
        for stale in ["", "\n", "1", "4194304\n"] {
            std::fs::write(&path, stale).unwrap();
            drop(PidFile::take(&path).unwrap());
            assert!(!path.exists());
        }
    }

    #[test]
    fn what_is_in_the_way_beside_it_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (path, gate) = (dir.path().join("pid"), dir.path().join("pid.new"));
        std::fs::write(&gate, "precious").unwrap();
        let refused = [PidFile::take(&path).unwrap_err().to_string(), {
            std::fs::write(&path, "").unwrap();
            crate::sys::usable::pid_file(&path).unwrap_err().to_string()
        }];
        for said in refused {
            assert!(said.starts_with(gate.to_str().unwrap()) && said.contains("something else"), "{said}");
        }
        assert_eq!(std::fs::read(&gate).unwrap(), b"precious");
    }

    #[test]
    fn writes_through_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let [target, soft, hard] = ["target", "soft", "hard"].map(|name| dir.path().join(name));
        std::fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, &soft).unwrap();
        std::fs::hard_link(&target, &hard).unwrap();
        for path in [&soft, &hard, &dir.path().to_owned()] {
            assert!(matches!(PidFile::take(path), Err(PidFileError::Io(_))), "{}", path.display());
        }
        assert_eq!(std::fs::read(&target).unwrap(), b"precious");
    }
}
