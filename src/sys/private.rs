//! Opening what holds secrets: nobody but root and the caller may read it, nor decide what its path leads to. And what
//! others may read, but not decide about: files that are written to, and programs that are run.
//!
//! Every step is taken on a held descriptor, so what was checked is what is opened.

mod error;
mod walk;

pub use error::{PrivateError, Rule};

use crate::sys::ids::{self, is_root};
use rustix::fs::Mode;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use walk::{Found, Walk};

/// Opens a file that holds secrets, for reading.
///
/// The file is regular, has one link, is owned by root or the caller and is open to nobody but its owner
/// (`mode & 0177 == 0`). Every directory in which a name of its path is looked up is owned by root or the caller and
/// not writable by group or others; a sticky directory of root's such as /tmp passes, since only what root or the
/// caller put there is gone through. At most eight symbolic links are followed, each owned by root or the caller.
///
/// # Errors
/// The rule that is broken and where; or what the system refused.
pub fn open_private(path: &Path) -> Result<File, PrivateError> {
    open(path, true)
}

fn open(path: &Path, secret: bool) -> Result<File, PrivateError> {
    match Walk::to(path)?.go(None)? {
        Found::Other(leaf) => leaf.open(secret),
        Found::Directory(walk) => Err(walk.broken(Rule::NotRegular)),
    }
}

/// Reads the whole of a file that [`open_private`] opens, if it is not larger than `max` bytes.
///
/// # Errors
/// As [`open_private`], and when the file is larger or cannot be read.
pub fn read_private(path: &Path, max: u64) -> Result<Vec<u8>, PrivateError> {
    read(path, open_private(path)?, max)
}

/// Reads the whole of a file that holds no secret, but is not for others to write: everything else is as with
/// [`open_private`].
///
/// # Errors
/// As [`read_private`].
pub fn read_trusted(path: &Path, max: u64) -> Result<Vec<u8>, PrivateError> {
    read(path, open(path, false)?, max)
}

fn read(path: &Path, file: File, max: u64) -> Result<Vec<u8>, PrivateError> {
    let broken = |rule| PrivateError::new(path, path, rule);
    let mut bytes = Vec::new();
    // One byte past the bound tells a file that is too large, also one that grows meanwhile.
    file.take(max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| broken(Rule::Read(error.kind())))?;
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > max { Err(broken(Rule::TooLarge(max))) } else { Ok(bytes) }
}

/// Whether a program is fit to be run as the caller: it is a regular file that belongs to root or the caller and that
/// nobody else may write to, and so is each directory on the way, as with [`open_private`]; of a script what interprets it
/// too.
///
/// # Errors
/// Who else decides what it is, and where; or what the system refused.
pub fn check_program(path: &Path) -> io::Result<()> {
    check_one_program(path)?;
    let mut next = interpreter(path);
    // As often as execve(2) goes on to another.
    for _ in 0..INTERPRETERS {
        let Some(program) = next else { break };
        check_one_program(&program).map_err(|error| of_interpreter(&program, &error))?;
        next = interpreter(&program);
    }
    Ok(())
}

/// How often an interpreter may be a script itself (BINPRM_MAX_RECURSION of Linux).
const INTERPRETERS: usize = 5;

/// What a script names behind its `#!`, as far as it can be read and is a path.
pub(super) fn interpreter(path: &Path) -> Option<PathBuf> {
    let mut head = Vec::new();
    // As much as execve(2) looks at.
    File::open(path).ok()?.take(256).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let word = line.split(|byte| matches!(byte, b' ' | b'\t')).find(|word| !word.is_empty())?;
    word.starts_with(b"/").then(|| PathBuf::from(OsStr::from_bytes(word)))
}

/// The same error of an interpreter, with its name.
pub(super) fn of_interpreter(program: &Path, error: &io::Error) -> io::Error {
    let (name, why) = (program.as_os_str().as_bytes().escape_ascii(), super::error_words(error));
    io::Error::new(error.kind(), format!("its interpreter {name}: {why}"))
}

fn check_one_program(path: &Path) -> io::Result<()> {
    let found = Walk::to(path).and_then(|walk| walk.go(None));
    let checked = found.and_then(|found| match found {
        Found::Other(leaf) => leaf.check_program(),
        Found::Directory(walk) => Err(walk.broken(Rule::NotRegular)),
    });
    checked.map_err(PrivateError::of_program)
}

/// Opens a directory that is the caller's alone (`mode & 077 == 0`); the way there follows [`open_private`]'s rules.
/// With `create`, what is missing of the path is made: its last directory with mode 0700, those above with 0755.
///
/// # Errors
/// As [`open_private`].
pub fn open_private_dir(path: &Path, create: bool) -> Result<OwnedFd, PrivateError> {
    let make = Mode::from_raw_mode(0o755);
    let walk = match Walk::to(path)?.go(create.then_some(make))? {
        Found::Directory(walk) => walk,
        Found::Other(leaf) => return Err(leaf.broken(Rule::NotDirectory)),
    };
    walk.check_private()?;
    walk.open_here()
}

/// Opens a directory of files that [`open_private`] opens, to see which there are: nobody but root and the caller may put
/// any there, or take them away. `None` when it is no directory.
///
/// # Errors
/// As [`open_private`].
pub fn open_listed_dir(path: &Path) -> Result<Option<OwnedFd>, PrivateError> {
    match Walk::to(path)?.go(None)? {
        Found::Directory(walk) => walk.check_here().and_then(|()| walk.open_here()).map(Some),
        Found::Other(_) => Ok(None),
    }
}

/// Opens a directory that the administrator named and others may write to, and above: the root of a module. A symbolic
/// link on the way is followed only if root, the caller or `also` owns it, since whoever else may write to a directory on
/// the way could lead us anywhere.
///
/// # Errors
/// Such a link, or one too many; or what the system refused.
pub fn open_named_dir(path: &Path, also: Option<u32>) -> Result<OwnedFd, PrivateError> {
    match Walk::to(path)?.through_others(also).go(None)? {
        Found::Directory(walk) => walk.open_here(),
        Found::Other(leaf) => Err(leaf.broken(Rule::NotDirectory)),
    }
}

/// The directory of a file that the administrator named and that is written to, such as a log, and the name in it. Root
/// goes no way that others decide about: each directory belongs to root and is not for everybody to write, unless sticky,
/// and each symbolic link is root's. A group may write, as to /var/log on many hosts: what it puts there is its own, and so
/// refused. For any other caller only the links are looked at, as with [`open_named_dir`]: they lead to nothing that only
/// root may write to.
///
/// # Errors
/// Such a directory or link, with its name; or what the system refused.
pub fn open_dir_of(path: &Path) -> io::Result<(OwnedFd, &OsStr)> {
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let dir = path.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new("."));
    let walk = Walk::to(dir)?;
    let walk = if is_root() { walk.through_groups() } else { walk.through_others(None) };
    match walk.go(None)? {
        Found::Directory(walk) => Ok((walk.arrive()?, name)),
        Found::Other(leaf) => Err(leaf.broken(Rule::NotDirectory).into()),
    }
}

/// Why a name in that directory could not be opened: with O_NOFOLLOW, that it leads through too many links means that it is
/// one.
pub(super) fn unopened(errno: rustix::io::Errno) -> io::Error {
    match errno {
        rustix::io::Errno::LOOP => io::Error::other("it is a symbolic link: name the file that it leads to"),
        errno => errno.into(),
    }
}

/// Whether a file that was found in the directory of [`open_dir_of`] may have been put there by others, for us to write to:
/// it is neither root's nor the caller's, and they may put files there. The owner of a directory always may.
///
/// # Errors
/// It may; or what the system refused.
pub fn check_own(dir: impl AsFd, stat: &rustix::fs::Stat) -> io::Result<()> {
    let is_ours = |stat: &rustix::fs::Stat| stat.st_uid == 0 || stat.st_uid == ids::euid();
    if is_ours(stat) {
        return Ok(());
    }
    let dir = rustix::fs::fstat(dir)?;
    if is_ours(&dir) && dir.st_mode & 0o022 == 0 {
        return Ok(());
    }
    let uid = stat.st_uid;
    let text = format!(
        "it belongs to uid {uid}, in a directory where others may put files: remove it, or name a file elsewhere"
    );
    Err(io::Error::other(text))
}

/// Whether the path names anything. What cannot be told counts as there, so that it is refused rather than passed over.
#[must_use]
pub fn exists(path: &Path) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match std::fs::symlink_metadata(path) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), NotFound | NotADirectory),
    }
}

#[cfg(test)]
mod tests;
