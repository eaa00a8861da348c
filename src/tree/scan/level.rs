//! A directory of a walk.

use super::examine::Examined;
use crate::path::RelPath;
use crate::sys::{Dir, Listed};
use crate::tree::Root;
use crate::tree::follow::Way;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

/// A directory being walked.
pub(super) struct Level<'d> {
    pub(super) dir: Held<'d>,
    pub(super) path: RelPath<'static>,
    /// What is left of it, last first.
    pub(super) rest: Vec<Listed>,
    /// What the first of these are, as far as that is known.
    pub(super) examined: VecDeque<Examined>,
    /// Whether the directory is known to be removed.
    pub(super) doomed: bool,
    /// The file system that is walked.
    pub(super) dev: (u32, u32),
    /// The one that the directory is on.
    pub(super) on: (u32, u32),
}

/// A directory of the walk: opened by it, or the root's.
pub(super) enum Held<'d> {
    Own(Rc<Way>),
    Root(&'d Root),
}

impl Held<'_> {
    /// The directory that holds this name.
    pub(super) fn of(&self, name: &[u8]) -> io::Result<&Arc<Dir>> {
        match self {
            Held::Own(way) => Ok(&way.dir),
            Held::Root(root) => root.holder(name).ok_or_else(|| io::ErrorKind::NotFound.into()),
        }
    }
}
