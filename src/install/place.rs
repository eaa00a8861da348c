//! Puts what waits in the stage into its place: by rename, or by exchange where a directory is involved.

use crate::install::{Failure, Stage, at, remove};
use crate::report::Step;
use crate::spec::Kind;
use crate::sys::Dir;
use std::io;

/// Puts `staged` at `name` in `holder`, where there is something of kind `there` now, or nothing.
///
/// # Errors
/// The kernel refused. Then what was there is there still, unless the file system cannot exchange names.
pub(super) fn place(
    stage: &Dir,
    staged: &[u8],
    holder: &Dir,
    name: &[u8],
    new: Kind,
    there: Option<Kind>,
) -> Result<(), Failure> {
    let replaces = |kind| (kind == Kind::Dir) != (new == Kind::Dir);
    if !there.is_some_and(replaces) {
        return stage.rename(staged, holder, name).map_err(at(Step::Place));
    }
    match stage.exchange(staged, holder, name) {
        // What was there is in the stage now and goes with it.
        Ok(()) => Ok(()),
        Err(error) if cannot_exchange(&error) => {
            // Old overlays and some subvolumes. For a moment neither is there; the new one is staged and flushed, and
            // the next run puts it in place if this one ends here.
            remove::clear(holder, name).map_err(at(Step::Remove))?;
            stage.rename(staged, holder, name).map_err(at(Step::Place))
        }
        Err(error) => Err((Step::Place, error)),
    }
}

fn cannot_exchange(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EXDEV | libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP))
}

/// Makes `name` in `holder` one more name of the file that is `leader` in `from`.
///
/// # Errors
/// The kernel refused.
pub(super) fn link(
    stage: &Stage,
    (from, leader): (&Dir, &[u8]),
    holder: &Dir,
    name: &[u8],
    kind: Kind,
    there: Option<Kind>,
) -> Result<(), Failure> {
    let fresh = stage.fresh();
    let dir = stage.dir().map_err(at(Step::HardLink))?;
    from.make_hard_link(leader, dir, &fresh).map_err(at(Step::HardLink))?;
    place(dir, &fresh, holder, name, kind, there)?;
    // rename(2) between two names of one file does nothing and leaves both: then the name was right already.
    match dir.remove(&fresh) {
        Err(error)
            if error.kind() != io::ErrorKind::NotFound && error.raw_os_error() != Some(libc::EISDIR) =>
        {
            Err((Step::HardLink, error))
        }
        _ => Ok(()),
    }
}
