//! What makes a file unfit for secrets, in words that say how to repair it.

use rustix::io::Errno;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A file or directory is not as private as it must be, or cannot be opened.
#[derive(Debug)]
pub struct PrivateError {
    path: PathBuf,
    at: PathBuf,
    rule: Rule,
}

/// The rule that is broken, or what the system refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The system refused to open or look at it.
    System(Errno),
    /// It is missing, and the system refused this caller to make it.
    Make(Errno, u32),
    /// The file opened but could not be read.
    Read(std::io::ErrorKind),
    /// Owned by this uid; the second is the caller's.
    Owner(u32, u32),
    /// The same of a symbolic link.
    LinkOwner(u32, u32),
    /// A directory of this mode on the way is writable by its group or others.
    Writable(u32),
    /// A file of this mode is open to its group or others, or executable.
    FileMode(u32),
    /// A directory of this mode is open to its group or others.
    DirectoryMode(u32),
    /// Not a regular file.
    NotRegular,
    /// Not a directory.
    NotDirectory,
    /// A file with a second name, or with none left.
    Links,
    /// One symbolic link too many.
    Symlinks,
    /// Larger than this number of bytes.
    TooLarge(u64),
    /// Another file took its name while it was being opened.
    Replaced,
}

impl PrivateError {
    /// `path` is what was asked for, `at` the component of its way that breaks the rule.
    pub(super) fn new(path: &Path, at: &Path, rule: Rule) -> Self {
        PrivateError { path: path.to_path_buf(), at: at.to_path_buf(), rule }
    }

    /// The broken rule.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// The component that breaks it.
    #[must_use]
    pub fn at(&self) -> &Path {
        &self.at
    }
}

impl std::fmt::Display for PrivateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // vis(3) is for what others chose; this is the administrator's own name, and sys uses no module beside it.
        let at = self.at.as_os_str().as_bytes().escape_ascii();
        if self.at != self.path {
            write!(f, "{}: ", self.path.as_os_str().as_bytes().escape_ascii())?;
        }
        write!(f, "{at}")?;
        match self.rule {
            Rule::System(errno) => write!(f, " cannot be opened: {errno}"),
            Rule::Make(errno, caller) => {
                let path = self.path.as_os_str().as_bytes().escape_ascii();
                write!(f, " cannot be made: {errno}; repair: make {path}, mode 0700, owner {caller}")
            }
            Rule::Read(kind) => write!(f, " cannot be read: {kind}"),
            Rule::Owner(uid, caller) => write!(
                f,
                " belongs to uid {uid} and not to the caller, uid {caller}; repair: chown -h {caller} {at}"
            ),
            // Giving it to the caller would have him trust where it leads.
            Rule::LinkOwner(uid, caller) => write!(
                f,
                " belongs to uid {uid} and not to the caller, uid {caller}, and leads where that one likes; repair: remove \
                 this symbolic link, or name what is meant without it"
            ),
            Rule::Writable(mode) => {
                write!(f, " is writable by its group or others (mode {mode:04o}); repair: chmod go-w {at}")
            }
            Rule::FileMode(mode) => {
                write!(f, " is not for its owner alone (mode {mode:04o}); repair: chmod 0600 {at}")
            }
            Rule::DirectoryMode(mode) => {
                write!(f, " is not for its owner alone (mode {mode:04o}); repair: chmod 0700 {at}")
            }
            Rule::NotRegular => f.write_str(" is not a regular file"),
            Rule::NotDirectory => f.write_str(" is not a directory"),
            Rule::Links => f.write_str(
                " does not have exactly one name (hard link); repair: replace it by a copy of its own",
            ),
            Rule::Symlinks => f.write_str(" is one symbolic link too many"),
            Rule::TooLarge(max) => write!(f, " is larger than {max} bytes"),
            Rule::Replaced => f.write_str(" was replaced while it was being opened; try again"),
        }
    }
}

impl PrivateError {
    /// The same of a program: to give what somebody else wrote to root would have root run it.
    pub(super) fn of_program(self) -> io::Error {
        let at = self.at.as_os_str().as_bytes().escape_ascii();
        let what = match self.rule {
            Rule::Owner(uid, caller) | Rule::LinkOwner(uid, caller) => {
                format!("{at} belongs to uid {uid} and not to the caller, uid {caller}")
            }
            Rule::Writable(mode) => format!("{at} is writable by its group or others (mode {mode:04o})"),
            _ => return self.into(),
        };
        io::Error::other(format!(
            "{what}, so that somebody else decides what is run; repair: see what it is, and have it where only root writes"
        ))
    }
}

impl std::error::Error for PrivateError {}

/// The error of the system, if it is one.
impl From<PrivateError> for io::Error {
    fn from(error: PrivateError) -> io::Error {
        match error.rule {
            Rule::System(errno) | Rule::Make(errno, _) => errno.into(),
            Rule::NotDirectory => Errno::NOTDIR.into(),
            _ => io::Error::other(error),
        }
    }
}
