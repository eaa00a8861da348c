//! What was carried or removed, name by name: for a log.

use crate::path::RelPath;

/// What became of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// Its contents went to the other side.
    Sent,
    /// They came from there.
    Received,
    /// It was removed.
    Removed,
}

/// A name that was carried or removed, as the specification has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer<'t> {
    /// What became of it.
    pub what: Carried,
    /// Below the root of the round.
    pub path: RelPath<'t>,
    /// Bytes of its contents.
    pub size: u64,
    /// Permissions, where they are said.
    pub mode: Option<u32>,
    /// Owner, likewise.
    pub uid: Option<u32>,
    /// Group, likewise.
    pub gid: Option<u32>,
    /// Seconds since 1970 of its last change, likewise.
    pub time: Option<i64>,
    /// Where it leads to, if it is a symbolic link.
    pub target: Option<&'t [u8]>,
}
