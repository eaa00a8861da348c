//! Extended attributes, of what is open and of what cannot be opened.

use crate::sys::dir::one;
use crate::sys::{Dir, fault};
use nix::sched::{CloneFlags, unshare};
use rustix::fs::XattrFlags;
use rustix::io::Errno;
use rustix::thread::CapabilitySet;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::thread::{Builder, Scope};

/// Names with their values.
pub type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

/// POSIX access control lists, under the names the kernel has for them.
const ACLS: [&[u8]; 2] = [b"system.posix_acl_access", b"system.posix_acl_default"];

/// Labels that belong to this host's own policy and mean nothing on another.
const LABELS: [&[u8]; 3] = [b"security.selinux", b"security.ima", b"security.evm"];

/// Whether attributes of this name are replicated: `user.*` and ACLs by everybody, `trusted.*` and `security.*` by
/// root, who alone can set them; other `system.*` are views of what is carried anyhow.
#[must_use]
pub fn is_carried(name: &[u8], root: bool) -> bool {
    name.starts_with(b"user.")
        || ACLS.contains(&name)
        || root
            && (name.starts_with(b"trusted.") || name.starts_with(b"security."))
            && !LABELS.contains(&name)
}

/// How much of the extended attributes a process is shown: in this order, each is shown what the one before is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// What every user is shown.
    Own,
    /// What root is shown whose rights are restricted: all but `trusted.*`.
    Part,
    /// Everything.
    All,
}

/// The number of the first user namespace, in which this host's root is: PROC_USER_INIT_INO of the kernel.
const FIRST_NAMESPACE: u64 = 0xeffffffd;

impl Sight {
    /// How much we are shown; `None` where that cannot be found out.
    #[must_use]
    pub fn ours() -> Option<Sight> {
        if !rustix::process::geteuid().is_root() {
            return Some(Sight::Own);
        }
        let may = rustix::thread::capabilities(None).ok()?.effective;
        let all = may.contains(CapabilitySet::SYS_ADMIN) && namespace()? == FIRST_NAMESPACE;
        Some(if all { Sight::All } else { Sight::Part })
    }

    /// As a number, at most 3.
    #[must_use]
    pub const fn level(self) -> u8 {
        match self {
            Sight::Own => 1,
            Sight::Part => 2,
            Sight::All => 3,
        }
    }

    /// Of this number.
    #[must_use]
    pub const fn of_level(level: u8) -> Option<Sight> {
        match level {
            1 => Some(Sight::Own),
            2 => Some(Sight::Part),
            3 => Some(Sight::All),
            _ => None,
        }
    }
}

/// The number of our user namespace. A process asks for it before it confines itself.
fn namespace() -> Option<u64> {
    static NUMBER: OnceLock<Option<u64>> = OnceLock::new();
    *NUMBER.get_or_init(|| Some(rustix::fs::stat(c"/proc/self/ns/user").ok()?.st_ino))
}

/// Room for what most lists and values need.
const LITTLE: usize = 512;
/// Room for the longest there can be: XATTR_LIST_MAX, XATTR_SIZE_MAX.
const MUCH: usize = 64 * 1024;

/// Asks the kernel for something, with little room first.
fn sized(mut ask: impl FnMut(&mut [u8]) -> Result<usize, Errno>) -> io::Result<Vec<u8>> {
    let mut little = [0; LITTLE];
    match ask(&mut little) {
        Ok(length) => return Ok(little.get(..length).unwrap_or_default().to_vec()),
        Err(Errno::RANGE) => {}
        Err(error) => return Err(error.into()),
    }
    let mut much = vec![0; MUCH];
    let length = ask(&mut much)?;
    much.truncate(length);
    Ok(much)
}

/// Reads the carried attributes through `list` and `get`; a file system without any has none.
fn read(
    list: impl FnMut(&mut [u8]) -> Result<usize, Errno>,
    get: impl Fn(&CStr, &mut [u8]) -> Result<usize, Errno>,
) -> io::Result<Attributes> {
    let names = match sized(list) {
        Ok(names) => names,
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut attributes = Vec::new();
    if names.is_empty() {
        return Ok(attributes);
    }
    let root = rustix::process::geteuid().is_root();
    for name in names.split(|&byte| byte == 0).filter(|name| is_carried(name, root)) {
        let text = CString::new(name)?;
        match sized(|space| get(&text, space)) {
            Ok(value) => attributes.push((name.to_vec(), value)),
            // Removed since it was listed.
            Err(error) if error.raw_os_error() == Some(libc::ENODATA) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(attributes)
}

/// The carried attributes of what is open for reading.
///
/// # Errors
/// They cannot be read.
pub fn of_open(file: impl AsFd) -> io::Result<Attributes> {
    let file = file.as_fd();
    read(|space| rustix::fs::flistxattr(file, space), |name, space| rustix::fs::fgetxattr(file, name, space))
}

/// What came of setting attributes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// Whether any was set or removed.
    pub changed: bool,
    /// Whether the file system keeps none of a kind that was to be set, and so went without.
    pub without_attributes: bool,
    /// The same of access control lists.
    pub without_acls: bool,
}

/// Makes the carried attributes of what is open just these; the pairs that differ only.
///
/// # Errors
/// One cannot be set or removed.
pub fn set_open<'w>(file: impl AsFd, want: impl Iterator<Item = (&'w [u8], Vec<u8>)>) -> io::Result<Settled> {
    let file = file.as_fd();
    settle(&of_open(file)?, want, |name, value| match value {
        Some(value) => rustix::fs::fsetxattr(file, name, value, XattrFlags::empty()),
        None => rustix::fs::fremovexattr(file, name),
    })
}

/// Sets what differs and removes what is not wanted.
fn settle<'w>(
    have: &Attributes,
    want: impl Iterator<Item = (&'w [u8], Vec<u8>)>,
    change: impl Fn(&CStr, Option<&[u8]>) -> Result<(), Errno>,
) -> io::Result<Settled> {
    let want: Attributes = want.map(|(name, value)| (name.to_vec(), value)).collect();
    let mut settled = Settled::default();
    for (name, _) in have.iter().filter(|(name, _)| !want.iter().any(|(wanted, _)| wanted == name)) {
        settled.changed = true;
        fault::point("removexattr")?;
        change(&CString::new(name.as_slice())?, None)?;
    }
    for (name, value) in want.iter().filter(|pair| !have.contains(pair)) {
        fault::point("setxattr")?;
        match change(&CString::new(name.as_slice())?, Some(value)) {
            Err(Errno::OPNOTSUPP) if ACLS.contains(&name.as_slice()) => settled.without_acls = true,
            Err(Errno::OPNOTSUPP) => settled.without_attributes = true,
            done => {
                done?;
                settled.changed = true;
            }
        }
    }
    Ok(settled)
}

/// A thread with a working directory of its own: there, attributes are reached by one name without opening anything.
/// (The kernel has calls that take a directory since 6.13 only.)
#[derive(Debug)]
pub struct ByName(());

impl ByName {
    /// Does `work` in such a thread.
    ///
    /// # Errors
    /// The kernel gives no thread a working directory of its own.
    pub fn run<T: Send>(work: impl FnOnce(&ByName) -> T + Send) -> io::Result<T> {
        std::thread::scope(|scope| {
            let work = || {
                unshare(CloneFlags::CLONE_FS)?;
                Ok(work(&ByName(())))
            };
            Builder::new()
                .spawn_scoped(scope, work)?
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Does `work` in such a thread, which ends by the end of the scope; not at all where there is none to be had.
    pub fn spawn<'s>(scope: &'s Scope<'s, '_>, work: impl FnOnce(&ByName) + Send + 's) {
        let thread = || {
            if unshare(CloneFlags::CLONE_FS).is_ok() {
                work(&ByName(()));
            }
        };
        let _ = Builder::new().spawn_scoped(scope, thread);
    }

    /// Stands in this directory from now on.
    ///
    /// # Errors
    /// It cannot be searched.
    pub fn enter(&self, dir: &Dir) -> io::Result<()> {
        Ok(rustix::process::fchdir(dir)?)
    }

    /// The carried attributes of a name in the directory where we stand; a link is not followed.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn of(&self, name: &[u8]) -> io::Result<Attributes> {
        let name = one(name)?;
        read(
            |space| rustix::fs::llistxattr(name, space),
            |attribute, space| rustix::fs::lgetxattr(name, attribute, space),
        )
    }

    /// Makes the carried attributes of a name in the directory where we stand just these.
    ///
    /// # Errors
    /// One cannot be set or removed.
    pub fn set<'w>(
        &self,
        name: &[u8],
        want: impl Iterator<Item = (&'w [u8], Vec<u8>)>,
    ) -> io::Result<Settled> {
        let have = self.of(name)?;
        let name = CString::new(one(name)?)?;
        settle(&have, want, |attribute, value| match value {
            Some(value) => rustix::fs::lsetxattr(&name, attribute, value, XattrFlags::empty()),
            None => rustix::fs::lremovexattr(&name, attribute),
        })
    }
}
