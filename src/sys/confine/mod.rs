//! Confinement: what a process can do from here on is what the one module needs that it serves.
//!
//! Every other file of this program sees to it that no path leads out of a tree. This one sees to it that the kernel
//! would refuse, should one of them fail. Each layer catches what others let through: Landlock knows nothing of owners,
//! modes and times, a chroot nothing of devices, a filter of system calls nothing of names.

mod caps;
mod fence;
mod filter;
mod identity;
mod jail;
mod memory;
mod proof;

pub use identity::{Identity, by_group_name, by_user_name, groups_of, primary_group};

pub(in crate::sys) use proof::one_thread;

use crate::sys::Dir;
use std::fmt;
use std::io;
use std::os::fd::RawFd;

/// One of the things that are laid around a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// chroot(2) to the module's root. Only root can.
    Chroot,
    /// No capabilities but those that replicating takes. Only root has any.
    Capabilities,
    /// Landlock: files outside the module cannot be opened, made or removed.
    Landlock,
    /// seccomp(2): no system calls but those that replicating takes, and none of them by a path from nowhere.
    Seccomp,
}

impl Layer {
    /// All of them, in the order in which they are laid.
    pub const ALL: [Layer; 4] = [Layer::Chroot, Layer::Capabilities, Layer::Landlock, Layer::Seccomp];
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layer::Chroot => "chroot",
            Layer::Capabilities => "caps",
            Layer::Landlock => "landlock",
            Layer::Seccomp => "seccomp",
        })
    }
}

/// What a process is to be confined to, and how.
#[derive(Debug, Clone)]
pub struct Confinement {
    /// The layers that are wanted.
    pub layers: Vec<Layer>,
    /// Whether one that cannot be had ends it; if not, the others are laid all the same.
    pub strict: bool,
    /// Whether the module may be written to.
    pub writable: bool,
    /// Whether files that are read keep their time of access, which takes the rights of their owner.
    pub keep_access_times: bool,
    /// Whom to become.
    pub identity: Option<Identity>,
    /// What is open, belongs to the server, and stays open for one purpose.
    pub lent: Vec<(RawFd, Purpose)>,
}

/// What a descriptor may be used for, besides closing it: neither are owner and mode of the file changed by it, nor is it
/// cut off or made another number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Writing behind what is there, or sending.
    Writing,
    /// Locking the file.
    Locking,
}

/// What a process is confined by.
#[derive(Debug, Default)]
pub struct Confined {
    /// The layers, by name; Landlock with the version of its interface.
    laid: Vec<String>,
    /// Those that were wanted and cannot be had, and why.
    pub missing: Vec<ConfineError>,
}

impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.laid.is_empty() { f.write_str("nothing") } else { f.write_str(&self.laid.join(", ")) }
    }
}

/// Why a process cannot be confined.
#[derive(Debug)]
pub struct ConfineError {
    step: String,
    reason: String,
}

impl ConfineError {
    fn new(step: impl fmt::Display, reason: impl fmt::Display) -> ConfineError {
        ConfineError { step: step.to_string(), reason: reason.to_string() }
    }
}

impl fmt::Display for ConfineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.reason)
    }
}

impl std::error::Error for ConfineError {}

/// An error of the system in our words.
fn words(error: impl Into<io::Error>) -> String {
    crate::sys::error_words(&error.into())
}

impl Confinement {
    /// Confines this process, which must have one thread: others begin with what it is confined by. Of directories only
    /// the module and those in `held` can be reached afterwards; in a chroot, all are held anew so that `..` of them leads
    /// nowhere, and no device in them is opened.
    ///
    /// # Errors
    /// The identity cannot be taken on; or a layer cannot be had, or does not hold when it is tried, and they are strict.
    pub fn confine(&self, module: &mut Dir, held: &mut [Dir]) -> Result<Confined, ConfineError> {
        let mut confined = Confined::default();
        memory::settle();
        proof::one_thread().map_err(|error| ConfineError::new("one thread", words(error)))?;
        let outside = jail::outside().map_err(|error| ConfineError::new("/", words(error)))?;
        let kept = caps::needed(self);
        self.lay(Layer::Chroot, &mut confined, || {
            jail::enter(module, held).map_err(words)?;
            Ok(Some(Layer::Chroot.to_string()))
        })?;
        self.lay(Layer::Capabilities, &mut confined, || caps::bound(kept).map(|()| None).map_err(words))?;
        if let Some(identity) = &self.identity {
            identity.assume().map_err(|error| ConfineError::new(format!("become {identity}"), error))?;
        }
        self.lay(Layer::Capabilities, &mut confined, || {
            caps::keep(kept).map_err(words)?;
            Ok(Some(Layer::Capabilities.to_string()))
        })?;
        caps::no_new().map_err(|error| ConfineError::new("no new privileges", words(error)))?;
        self.lay(Layer::Landlock, &mut confined, || {
            let version = fence::put_up(module, self.writable, held)?;
            proof::landlock(&outside, module)?;
            Ok(Some(format!("{}{version}", Layer::Landlock)))
        })?;
        drop(outside);
        self.lay(Layer::Seccomp, &mut confined, || {
            filter::install(&self.lent)?;
            proof::seccomp()?;
            Ok(Some(Layer::Seccomp.to_string()))
        })?;
        Ok(confined)
    }

    /// Lays one layer, if it is wanted. One of which only a part can be laid yet has no name.
    fn lay(
        &self,
        layer: Layer,
        confined: &mut Confined,
        lay: impl FnOnce() -> Result<Option<String>, String>,
    ) -> Result<(), ConfineError> {
        if !self.layers.contains(&layer) {
            return Ok(());
        }
        match lay() {
            Ok(name) => confined.laid.extend(name),
            Err(reason) if self.strict => return Err(ConfineError::new(layer, reason)),
            Err(reason) => confined.missing.push(ConfineError::new(layer, reason)),
        }
        Ok(())
    }
}
