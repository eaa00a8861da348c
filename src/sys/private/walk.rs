//! The walk from `/` to a private file, one name at a time, on descriptors that are kept.

use super::{PrivateError, Rule};
use rustix::fs::{self, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Symbolic links followed on one way: more than an administrator's alternatives(8) ever needs.
const SYMLINKS: u32 = 8;

/// A directory gone through, with its path for error messages.
struct Held {
    fd: OwnedFd,
    stat: Stat,
    path: PathBuf,
}

/// A walk under way.
pub(super) struct Walk<'a> {
    path: &'a Path,
    caller: u32,
    /// Whether directories on the way may be anybody's, so that only links are looked at; and whose links pass besides.
    others: bool,
    /// Who may not write to one that is looked at, as bits of its mode.
    writers: u32,
    also: Option<u32>,
    root: Held,
    /// The directories below the root, so that `..` goes back to one already checked.
    below: Vec<Held>,
    /// The names still to be looked up, the next one last.
    ahead: Vec<Vec<u8>>,
    symlinks: u32,
}

/// What a path leads to.
pub(super) enum Found<'a> {
    /// A directory; the walk stands in it.
    Directory(Walk<'a>),
    /// Anything else that has a name.
    Other(Leaf<'a>),
}

/// What a path leads to, if it is not a directory; the walk stands in the directory that holds it.
pub(super) struct Leaf<'a> {
    walk: Walk<'a>,
    name: Vec<u8>,
    stat: Stat,
    at: PathBuf,
}

/// The names of a path, the last one first; empty names and `.` lead nowhere.
fn names(path: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    path.split(|&byte| byte == b'/').rev().filter(|name| !matches!(*name, b"" | b".")).map(<[u8]>::to_vec)
}

/// Whether a component may be trusted: what a third user owns he can change at any time.
fn check_owner(stat: &Stat, caller: u32) -> Result<(), Rule> {
    if stat.st_uid == 0 || stat.st_uid == caller { Ok(()) } else { Err(Rule::Owner(stat.st_uid, caller)) }
}

/// The rules for a directory in which a name is looked up.
fn check_way(stat: &Stat, caller: u32, writers: u32) -> Result<(), Rule> {
    check_owner(stat, caller)?;
    // In a sticky directory others can add names, but not replace those of root and the caller; and whatever is found
    // there must be theirs.
    let sticky = stat.st_uid == 0 && stat.st_mode & 0o1000 != 0;
    // Where there is a POSIX ACL the group bits show its mask, the most it grants to anybody but owner and others.
    if stat.st_mode & writers == 0 || sticky { Ok(()) } else { Err(Rule::Writable(stat.st_mode & 0o7777)) }
}

/// The rules for the file itself, which holds secrets or not.
fn check_file(stat: &Stat, caller: u32, secret: bool) -> Result<(), Rule> {
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Rule::NotRegular);
    }
    check_owner(stat, caller)?;
    // Another name might stand in a directory that others write to.
    if stat.st_nlink != 1 {
        return Err(Rule::Links);
    }
    if !secret && stat.st_mode & 0o022 != 0 {
        return Err(Rule::Writable(stat.st_mode & 0o7777));
    }
    // This covers a POSIX ACL as well: its mask, shown as the group bits, is then empty and so grants nothing.
    if !secret || stat.st_mode & 0o177 == 0 { Ok(()) } else { Err(Rule::FileMode(stat.st_mode & 0o7777)) }
}

/// The rules for a program, of which another name does no harm.
fn check_program(stat: &Stat, caller: u32) -> Result<(), Rule> {
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Rule::NotRegular);
    }
    check_owner(stat, caller)?;
    if stat.st_mode & 0o022 == 0 { Ok(()) } else { Err(Rule::Writable(stat.st_mode & 0o7777)) }
}

impl<'a> Walk<'a> {
    /// Stands at `/`, with the whole path ahead; a relative one is below the current directory.
    pub(super) fn to(path: &'a Path) -> Result<Self, PrivateError> {
        let broken = |errno| PrivateError::new(path, path, Rule::System(errno));
        let whole = std::path::absolute(path)
            .map_err(|error| broken(Errno::from_io_error(&error).unwrap_or(Errno::INVAL)))?;
        let fd = fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(broken)?;
        let stat = fs::fstat(&fd).map_err(broken)?;
        let root = Held { fd, stat, path: PathBuf::from("/") };
        let ahead = names(whole.as_os_str().as_bytes()).collect();
        let caller = rustix::process::geteuid().as_raw();
        let (others, writers, also) = (false, 0o022, None);
        Ok(Walk { path, caller, others, writers, also, root, below: Vec::new(), ahead, symlinks: 0 })
    }

    /// The same walk through directories that are anybody's; the links of this user pass as well.
    pub(super) fn through_others(self, also: Option<u32>) -> Self {
        Walk { others: true, also, ..self }
    }

    /// The same walk through directories that their group may write to, as it may to /var/log on many hosts.
    pub(super) fn through_groups(self) -> Self {
        Walk { writers: 0o002, ..self }
    }

    /// The directory the walk stands in, to look names up in it; it keeps the rules too.
    pub(super) fn arrive(mut self) -> Result<OwnedFd, PrivateError> {
        if !self.others {
            self.check_here()?;
        }
        Ok(self.below.pop().map_or(self.root.fd, |held| held.fd))
    }

    /// The directory the walk stands in.
    fn here(&self) -> &Held {
        self.below.last().unwrap_or(&self.root)
    }

    /// A rule broken by the directory the walk stands in.
    pub(super) fn broken(&self, rule: Rule) -> PrivateError {
        PrivateError::new(self.path, &self.here().path, rule)
    }

    /// Opens a name in the directory the walk stands in.
    pub(super) fn open_at(&self, name: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        fs::openat(&self.here().fd, name, flags, Mode::empty())
    }

    /// The rules for a directory in which a name is looked up, applied to where the walk stands.
    pub(super) fn check_here(&self) -> Result<(), PrivateError> {
        check_way(&self.here().stat, self.caller, self.writers).map_err(|rule| self.broken(rule))
    }

    /// Opens the directory the walk stands in, for listing.
    pub(super) fn open_here(&self) -> Result<OwnedFd, PrivateError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.open_at(b".", flags).map_err(|errno| self.broken(Rule::System(errno)))
    }

    /// Walks on to the end. A missing directory is made with the mode `make`, the last one with 0700.
    pub(super) fn go(mut self, make: Option<Mode>) -> Result<Found<'a>, PrivateError> {
        while let Some(name) = self.ahead.pop() {
            if name == b".." {
                self.below.pop();
                continue;
            }
            if !self.others {
                self.check_here()?;
            }
            let path = self.here().path.join(OsStr::from_bytes(&name));
            let failed = |rule| PrivateError::new(self.path, &path, rule);
            let fd = self.look_up(&name, make).map_err(failed)?;
            let stat = fs::fstat(&fd).map_err(|errno| failed(Rule::System(errno)))?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {
                    let (fd, stat) = self.directory(&name).map_err(failed)?;
                    self.below.push(Held { fd, stat, path });
                }
                FileType::Symlink => self.follow(&Held { fd, stat, path })?,
                _ if self.ahead.is_empty() => {
                    return Ok(Found::Other(Leaf { walk: self, name, stat, at: path }));
                }
                _ => return Err(PrivateError::new(self.path, &path, Rule::NotDirectory)),
            }
        }
        Ok(Found::Directory(self))
    }

    /// Looks a name up without following or opening what it stands for.
    fn look_up(&self, name: &[u8], make: Option<Mode>) -> Result<OwnedFd, Rule> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = match (self.open_at(name, flags), make) {
            (Err(Errno::NOENT), Some(mode)) => {
                let mode = if self.ahead.is_empty() { Mode::RWXU } else { mode };
                match fs::mkdirat(&self.here().fd, name, mode) {
                    // Somebody else was quicker: what he made is checked like anything else.
                    Ok(()) | Err(Errno::EXIST) => self.open_at(name, flags),
                    Err(errno) => return Err(Rule::Make(errno, self.caller)),
                }
            }
            (found, _) => found,
        };
        found.map_err(Rule::System)
    }

    /// Looks up a name again that is a directory: what is mounted there when it is needed (autofs) is mounted for whoever
    /// wants a directory, and for nobody who only wants the name. No link is followed either.
    fn directory(&self, name: &[u8]) -> Result<(OwnedFd, Stat), Rule> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = self.open_at(name, flags).map_err(Rule::System)?;
        let stat = fs::fstat(&fd).map_err(Rule::System)?;
        Ok((fd, stat))
    }

    /// Puts a symbolic link's target in place of its name.
    fn follow(&mut self, link: &Held) -> Result<(), PrivateError> {
        let broken = |rule| PrivateError::new(self.path, &link.path, rule);
        if self.also != Some(link.stat.st_uid) {
            check_owner(&link.stat, self.caller)
                .map_err(|_| broken(Rule::LinkOwner(link.stat.st_uid, self.caller)))?;
        }
        self.symlinks += 1;
        if self.symlinks > SYMLINKS {
            return Err(broken(Rule::Symlinks));
        }
        // An empty name reads the very link that was checked.
        let target =
            fs::readlinkat(&link.fd, c"", Vec::new()).map_err(|errno| broken(Rule::System(errno)))?;
        if target.as_bytes().starts_with(b"/") {
            self.below.clear();
        }
        self.ahead.extend(names(target.as_bytes()));
        Ok(())
    }

    /// The rules for a directory that is to be the caller's alone, applied to where the walk stands.
    pub(super) fn check_private(&self) -> Result<(), PrivateError> {
        let stat = &self.here().stat;
        if stat.st_uid != self.caller {
            return Err(self.broken(Rule::Owner(stat.st_uid, self.caller)));
        }
        // A POSIX ACL grants nothing either: its mask is shown as the group bits.
        if stat.st_mode & 0o077 == 0 {
            Ok(())
        } else {
            Err(self.broken(Rule::DirectoryMode(stat.st_mode & 0o7777)))
        }
    }
}

impl Leaf<'_> {
    /// A rule broken by the leaf.
    pub(super) fn broken(&self, rule: Rule) -> PrivateError {
        PrivateError::new(self.walk.path, &self.at, rule)
    }

    /// Whether it keeps the rules for a program.
    pub(super) fn check_program(&self) -> Result<(), PrivateError> {
        check_program(&self.stat, self.walk.caller).map_err(|rule| self.broken(rule))
    }

    /// Opens the file for reading, if it keeps the rules.
    pub(super) fn open(&self, secret: bool) -> Result<File, PrivateError> {
        let broken = |rule| self.broken(rule);
        // Before opening, because opening alone does something to a device or a fifo; and the words are better than
        // "permission denied".
        check_file(&self.stat, self.walk.caller, secret).map_err(broken)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let system = |errno| self.broken(Rule::System(errno));
        let fd = self.walk.open_at(&self.name, flags).map_err(system)?;
        let stat = fs::fstat(&fd).map_err(system)?;
        if (stat.st_dev, stat.st_ino) != (self.stat.st_dev, self.stat.st_ino) {
            return Err(self.broken(Rule::Replaced));
        }
        check_file(&stat, self.walk.caller, secret).map_err(broken)?;
        Ok(File::from(fd))
    }
}
