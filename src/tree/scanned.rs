//! What a scan finds besides the specification that it writes.

use crate::path::{Local, RelPath};
use crate::report::Problem;
use crate::spec::Kind;
use crate::sys::{FileKind, Stat};

/// What a scan found besides the specification.
#[derive(Debug, Default)]
pub struct Scanned {
    /// Whether everything that is there is in the specification, or protected by an `ignore`.
    pub whole: bool,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// Entries of types that are not carried.
    pub skipped: u64,
    /// Directories, in tree order, that hold something the specification does not show: excluded, not carried, on
    /// another file system, unreadable. They cannot be removed or replaced.
    pub hidden: Vec<RelPath<'static>>,
    /// What the files of rules say that were found.
    pub locals: Vec<Local>,
    /// Directories on which another file system is mounted.
    pub mounts: Vec<RelPath<'static>>,
    /// Bytes of regular files that take no room.
    pub holes: u64,
}

/// The kind of a path, if it is one that is carried.
pub(super) fn kind(stat: &Stat) -> Option<Kind> {
    Some(match stat.kind? {
        FileKind::Block => Kind::Block,
        FileKind::Char => Kind::Char,
        FileKind::Dir => Kind::Dir,
        FileKind::Fifo => Kind::Fifo,
        FileKind::File => Kind::File,
        FileKind::Link => Kind::Link,
        FileKind::Socket => Kind::Socket,
    })
}
