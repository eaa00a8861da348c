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
use super::private::{check_own, open_dir_of, unopened};
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

/// Whether there is no gate because none can be made.
pub(super) fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
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
                Err(error) if is_closed(&error) => return Ok(Gate(Err(error))),
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
        let fd = rustix::fs::openat(&dir, name, flags | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)
            .map_err(unopened)?;
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
    trimmed(&beginning(file).ok()?).parse().ok()
}

/// What a pid file holds is a number and nothing else, or it is something that was never meant to be overwritten.
///
/// # Errors
/// It is that, or cannot be read.
pub(super) fn check_written(file: &File) -> io::Result<()> {
    let text = beginning(file)?;
    if text.len() <= DIGITS && trimmed(&text).bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(io::Error::other("it holds something else than a process id, which would be lost"))
}

/// Without blanks, and without the zeros that some file systems leave where the power failed.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|char: char| char == '\0' || char.is_ascii_whitespace())
}

/// More than a process id takes, if there is more.
fn beginning(file: &File) -> io::Result<String> {
    let mut bytes = [0; DIGITS + 1];
    let read = file.read_at(&mut bytes, 0)?;
    Ok(String::from_utf8_lossy(bytes.get(..read).unwrap_or_default()).into_owned())
}

#[cfg(test)]
mod tests;
