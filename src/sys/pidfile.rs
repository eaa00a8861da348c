//! The pid file of a daemon: locked as long as it runs, so that a stale one never stops a start.
//!
//! Everybody may read it, and whoever may read it can lock it (flock(2)): what a stranger holds is put away.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::ids;
use super::private::{check_own, open_dir_of};

/// Bytes of a process id in decimal, and more.
const DIGITS: u64 = 20;

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
        loop {
            let (dir, name) = open_dir_of(path)?;
            let file = open(&dir, name)?;
            let opened = Named { dir, name: name.to_owned(), file };
            match rustix::fs::flock(&opened.file, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) if opened.is_strangers()? => {
                    opened.remove()?;
                    continue;
                }
                Err(Errno::WOULDBLOCK) => return Err(PidFileError::Running(written(&opened.file))),
                locked => locked?,
            }
            // A daemon that ended between the two calls took the name away, and the next start would not see our lock.
            if opened.is_named() {
                opened.write()?;
                return Ok(PidFile(opened));
            }
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
    /// Our process id, readable for everyone whatever the umask.
    fn write(&self) -> io::Result<()> {
        rustix::fs::ftruncate(&self.file, 0)?;
        writeln!(&self.file, "{}", std::process::id())?;
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

    /// Whether nobody holds the lock who could be a daemon of this file: neither root, nor the caller, nor its owner.
    fn is_strangers(&self) -> io::Result<bool> {
        let stat = rustix::fs::fstat(&self.file)?;
        let daemons = [0, ids::euid(), stat.st_uid];
        let holders = holders(stat.st_ino);
        Ok(!holders.is_empty() && !holders.iter().any(|uid| daemons.contains(uid)))
    }
}

/// The users of the processes that hold a lock on a file of this number, as far as they can be seen: proc_locks(5).
fn holders(inode: u64) -> Vec<u32> {
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    let held = move |line: &str| match line.split_ascii_whitespace().collect::<Vec<_>>()[..] {
        // Who waits has an arrow before it.
        [_, "FLOCK", _, _, pid, file, ..] => {
            (file.rsplit(':').next()?.parse() == Ok(inode)).then(|| user(pid))?
        }
        _ => None,
    };
    locks.lines().filter_map(held).collect()
}

/// The user as whom a process acts.
fn user(pid: &str) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Opens the file, which must be a plain one with one name.
fn open(dir: &OwnedFd, name: &OsStr) -> Result<File, PidFileError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let fd = rustix::fs::openat(dir, name, flags | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)?;
    let stat = rustix::fs::fstat(&fd)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_nlink > 1 {
        return Err(io::Error::other("it is no regular file with one name").into());
    }
    check_own(dir, &stat)?;
    Ok(fd.into())
}

/// The process id in a file somebody else holds.
fn written(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(DIGITS).read_to_string(&mut text).ok()?;
    text.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn one_holder_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        // What a crash left, longer than ours.
        std::fs::write(&path, "4000000000 and more\n").unwrap();
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

    #[test]
    fn what_a_stranger_holds_stops_no_start() {
        if !ids::is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = dir.path().join("pid");
        // A crash left it.
        std::fs::write(&path, "4000000000\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let mut stranger = std::process::Command::new("setpriv");
        stranger.args(["--reuid=65534", "--regid=65534", "--clear-groups", "flock", "--shared"]);
        stranger.arg(&path).args(["sh", "-c", "echo; read end"]);
        let mut stranger = stranger
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        stranger.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let held = PidFile::take(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        assert!(matches!(PidFile::take(&path), Err(PidFileError::Running(_))), "ours is put away");
        drop(stranger.stdin.take());
        stranger.wait().unwrap();
        drop(held);
        assert!(!path.exists());
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
