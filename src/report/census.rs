//! What a tree is made of: how many paths of each type, and how many bytes.

use crate::sys::FileKind;

/// Paths counted by type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub dirs: u64,
    /// Symbolic links.
    pub links: u64,
    /// Devices.
    pub devices: u64,
    /// Named pipes and sockets.
    pub specials: u64,
    /// Bytes of the regular files and of the targets of links.
    pub bytes: u64,
}

impl Census {
    /// Counts one more path; `size` in bytes is that of a regular file, or the length of a link's target.
    pub const fn count(&mut self, kind: FileKind, size: u64) {
        let counted = match kind {
            FileKind::File => &mut self.files,
            FileKind::Dir => &mut self.dirs,
            FileKind::Link => &mut self.links,
            FileKind::Block | FileKind::Char => &mut self.devices,
            FileKind::Fifo | FileKind::Socket => &mut self.specials,
        };
        *counted += 1;
        self.bytes = self.bytes.saturating_add(size);
    }

    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.files + self.dirs + self.links + self.devices + self.specials
    }

    /// The sum of two trees.
    #[must_use]
    pub const fn plus(self, other: Census) -> Census {
        Census {
            files: self.files + other.files,
            dirs: self.dirs + other.dirs,
            links: self.links + other.links,
            devices: self.devices + other.devices,
            specials: self.specials + other.specials,
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}
