//! Whether what a configuration names could be used now. Nothing is made or changed by asking.

use crate::sys::errno_words;
use crate::sys::ids;
use crate::sys::pidfile;
use crate::sys::private::{
    check_own, check_program, exists, interpreter, of_interpreter, open_dir_of, open_listed_dir,
    open_named_dir, unopened,
};
use crate::sys::slots::OTHERS;
use rustix::fs::{Access, AtFlags, CWD, FileType, Mode, OFlags, Stat};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

fn access(path: &Path, how: Access) -> io::Result<()> {
    Ok(rustix::fs::accessat(CWD, path, how, AtFlags::EACCESS)?)
}

/// A file to be written, which is made if it is missing; where nobody else decides, and of one name.
///
/// # Errors
/// Why it could not be.
pub fn file(path: &Path) -> io::Result<()> {
    written(path, OFlags::WRONLY | OFlags::APPEND, false).map(drop)
}

/// The same, but to be locked, and to hold a process id: it is a regular one in which nothing else is written.
///
/// # Errors
/// Why it could not be.
pub fn pid_file(path: &Path) -> io::Result<()> {
    let one = |path: &Path| match written(path, OFlags::RDWR, true)? {
        Some((file, _)) => pidfile::check_written(&file),
        None => Ok(()),
    };
    one(path)?;
    // Where none can be made there is none.
    let gate = pidfile::beside(path);
    match if exists(&gate) { one(&gate) } else { Ok(()) } {
        Err(error) if !pidfile::is_closed(&error) => Err(pidfile::named(&gate, &error)),
        _ => Ok(()),
    }
}

/// The same, for the places of connections: nobody but its owner may open it, or it is ours, to be closed to others.
///
/// # Errors
/// Why it could not be, or should not.
pub fn counted(path: &Path) -> io::Result<()> {
    match written(path, OFlags::RDWR, true)? {
        Some((_, stat)) if stat.st_mode & OTHERS != 0 && stat.st_uid != ids::euid() => {
            let (mode, uid) = (stat.st_mode & 0o7777, ids::euid());
            let text = format!(
                "others may open it (mode {mode:04o}) and take all its places; repair: give it to uid {uid}, with mode 0600"
            );
            Err(io::Error::other(text))
        }
        _ => Ok(()),
    }
}

/// What there is by now, if there is anything.
fn written(path: &Path, how: OFlags, regular: bool) -> io::Result<Option<(File, Stat)>> {
    let flags = how | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let (dir, name) = open_dir_of(path)?;
    match rustix::fs::openat(&dir, name, flags, Mode::empty()) {
        Ok(file) => {
            let stat = rustix::fs::fstat(&file)?;
            let is_regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
            if is_regular && stat.st_nlink != 1 {
                return Err(io::Error::other("it has a second name (hard link)"));
            }
            if regular && !is_regular {
                return Err(io::Error::other("it is no regular file"));
            }
            check_own(dir, &stat)?;
            Ok(Some((file.into(), stat)))
        }
        Err(rustix::io::Errno::NOENT) => path.parent().map_or(Ok(()), directory).map(|()| None),
        Err(error) => Err(unopened(error)),
    }
}

/// A directory in which names are made.
///
/// # Errors
/// Why they could not be.
pub fn directory(path: &Path) -> io::Result<()> {
    if !FileType::from_raw_mode(rustix::fs::stat(path)?.st_mode).is_dir() {
        return Err(rustix::io::Errno::NOTDIR.into());
    }
    access(path, Access::WRITE_OK | Access::EXEC_OK)
}

/// A private directory that is missing, and is made with what is missing above it.
///
/// # Errors
/// Why it could not be, or why it would not be private.
pub fn private_to_be(path: &Path) -> io::Result<()> {
    let there = path.ancestors().skip(1).find(|above| exists(above)).unwrap_or(Path::new("/"));
    match open_listed_dir(there)? {
        Some(_) => directory(there),
        None => Err(rustix::io::Errno::NOTDIR.into()),
    }
}

/// Where a path is below a directory, whatever links lead to either; `None` if it is elsewhere. What is missing of it is to
/// be made.
#[must_use]
pub fn below(path: &Path, dir: &Path) -> Option<PathBuf> {
    let real = |path: &Path| {
        let there = path.ancestors().find_map(|there| Some((there, there.canonicalize().ok()?)));
        there.map_or_else(
            || path.to_owned(),
            |(there, real)| match path.strip_prefix(there) {
                Ok(missing) if missing != Path::new("") => real.join(missing),
                _ => real,
            },
        )
    };
    real(path).strip_prefix(real(dir)).ok().map(Path::to_owned)
}

/// A file that takes the place of the one of this name, in a directory to which nobody else has led us.
///
/// # Errors
/// Why it could not.
pub fn replaced(path: &Path) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    open_named_dir(dir, None)?;
    match rustix::fs::lstat(path) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode).is_dir() => Err(rustix::io::Errno::ISDIR.into()),
        _ => directory(dir),
    }
}

/// The root of a tree that is open already: to be read, and perhaps to be written to. Who asks gets at it even where he
/// could not go the way to it.
///
/// # Errors
/// What cannot be done there and why, and whose it is.
pub fn tree(dir: impl AsFd, written: bool) -> io::Result<()> {
    let read = (Access::READ_OK | Access::EXEC_OK, "read");
    let asked = [Some(read), written.then_some((Access::WRITE_OK | Access::EXEC_OK, "written to"))];
    for (how, what) in asked.into_iter().flatten() {
        if let Err(error) = rustix::fs::accessat(&dir, c".", how, AtFlags::EACCESS) {
            let stat = rustix::fs::fstat(&dir)?;
            let (uid, gid, mode) = (stat.st_uid, stat.st_gid, stat.st_mode & 0o7777);
            let why = errno_words(error.raw_os_error());
            return Err(io::Error::other(format!(
                "it cannot be {what}: {why} (it is of uid {uid} gid {gid}, mode {mode:04o})"
            )));
        }
    }
    Ok(())
}

/// A directory in which a session keeps what is this user's alone. It is made when it is missing, and given to him while it
/// is this other one's, who gives it away.
///
/// # Errors
/// Why it could not be used, and what to do.
pub fn own_directory(path: &Path, uid: u32, giver: u32) -> io::Result<()> {
    let stat = match rustix::fs::lstat(path) {
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        stat => stat?,
    };
    let (owner, mode, at) = (stat.st_uid, stat.st_mode & 0o7777, path.as_os_str().as_bytes().escape_ascii());
    let text = if !FileType::from_raw_mode(stat.st_mode).is_dir() {
        format!("it is no directory; repair: rm {at}")
    } else if owner != uid && owner != giver {
        // What he put there is not to be given to another.
        format!(
            "it belongs to uid {owner} and not to uid {uid} (mode {mode:04o}); repair: rm -r {at}, it is made anew"
        )
    } else if mode & 0o777 != 0o700 {
        format!(
            "it is not for its owner alone to use (uid {owner}, mode {mode:04o}); repair: chmod 0700 {at}"
        )
    } else {
        return Ok(());
    };
    Err(io::Error::other(text))
}

/// A program that nobody else could have changed; of a script its interpreter too.
///
/// # Errors
/// Why it could not be run.
pub fn program(path: &Path) -> io::Result<()> {
    if !FileType::from_raw_mode(rustix::fs::stat(path)?.st_mode).is_file() {
        return Err(rustix::io::Errno::ACCESS.into());
    }
    access(path, Access::EXEC_OK)?;
    if let Some(interpreter) = interpreter(path) {
        let named = |error| io::Error::other(of_interpreter(&interpreter, &error).to_string());
        access(&interpreter, Access::EXEC_OK).map_err(named)?;
    }
    check_program(path)
}
