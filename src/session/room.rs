//! Whether what is wanted fits on the disk, as far as can be told before anything is sent.

use crate::plan::Action;
use crate::session::Error;
use crate::session::receive::Prepared;
use crate::spec::Index;
use crate::sys::FileSystem;
use crate::tree::Root;

/// What there is not enough of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Bytes.
    Bytes {
        /// How many are needed.
        needed: u64,
        /// How many are free.
        free: u64,
    },
    /// Files that the file system has numbers for.
    Files {
        /// How many are to be made.
        needed: u64,
        /// How many can be.
        free: u64,
    },
}

impl std::fmt::Display for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Room::Bytes { needed, free } => write!(f, "{needed} bytes are needed, and {free} are free"),
            Room::Files { needed, free } => write!(f, "{needed} files are to be made, and {free} can be"),
        }
    }
}

/// Compares the need with what is free. `there` says how many bytes of a wanted file are in the stage already, and
/// `holes` how many bytes of all of the sender's files take no room. Where the kernel does not tell what is free, there is
/// room.
pub(super) fn check(
    root: &Root,
    prepared: &Prepared,
    there: impl Fn(Index) -> Option<u64>,
    holes: u64,
) -> Result<(), Error> {
    let Ok(FileSystem { block, free_bytes, free_files, .. }) = root.dir().file_system() else {
        return Ok(());
    };
    let (mut bytes, mut files) = (0u64, 0u64);
    for step in &prepared.plan.steps {
        let staged = there(step.want);
        match step.action {
            Action::Fetch | Action::Detach => {
                let size = prepared.want.size(step.want).unwrap_or_default();
                let missing = size.saturating_sub(staged.unwrap_or_default());
                bytes = bytes.saturating_add(missing.div_ceil(block).saturating_mul(block));
            }
            Action::MakeDir | Action::MakeNode => {}
            Action::Link(_) | Action::Meta | Action::Blocked(_) => continue,
        }
        files += u64::from(staged.is_none());
    }
    let needed = bytes.saturating_sub(holes);
    match (free_bytes, free_files) {
        (Some(free), _) if needed > free => Err(Error::Room(Room::Bytes { needed, free })),
        (_, Some(free)) if files > free => Err(Error::Room(Room::Files { needed: files, free })),
        _ => Ok(()),
    }
}
