//! Large files that are about to lose their name. To free what one takes is work for the kernel, a second for some six
//! gigabytes of memory, which it does when nobody has the file open any more: not while a client waits.

use crate::limits;
use crate::spec::Entry;
use crate::sys::{Dir, Handle};

/// Files that are held open until this is dropped.
#[derive(Debug, Default)]
pub struct Nameless {
    files: Vec<Handle>,
    bytes: u64,
}

/// One that may become one of them.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    size: u64,
    /// Bytes of all of them then.
    all: u64,
}

/// One of them, while it has its name.
pub(super) struct Leaving(Handle, u64);

impl Nameless {
    /// Whether it is worth it for what is to be replaced or removed.
    pub(super) fn candidate(&self, there: &Entry<'_>) -> Option<Candidate> {
        let size = there.size.filter(|size| *size >= limits::SLOW_TO_FREE)?;
        let candidate = Candidate { size, all: self.bytes.saturating_add(size) };
        (self.files.len() < limits::NAMELESS).then_some(candidate)
    }

    /// Keeps one that has lost its name.
    pub(super) fn keep(&mut self, Leaving(file, size): Leaving) {
        self.files.push(file);
        self.bytes = self.bytes.saturating_add(size);
    }
}

impl Candidate {
    /// Opens it: but not where somebody may need the room meanwhile.
    pub(super) fn open(self, holder: &Dir, name: &[u8]) -> Option<Leaving> {
        let free = holder.file_system().ok()?.free_bytes?;
        let file = if free / 2 >= self.all { holder.hold(name).ok()? } else { return None };
        Some(Leaving(file, self.size))
    }
}
