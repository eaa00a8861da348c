//! Puts what waits in the stage into its place: by rename, or by exchange where a directory is involved.

use crate::install::{Failure, at, remove};
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
        Err(error) if cannot_exchange(&error) => aside(stage, staged, holder, name),
        Err(error) => Err((Step::Place, error)),
    }
}

/// Without an exchange, neither is there for a moment. If this run ends then, the next one puts the new one in place.
fn aside(stage: &Dir, staged: &[u8], holder: &Dir, name: &[u8]) -> Result<(), Failure> {
    let old = [staged, b"-old"].concat();
    match holder.rename(name, stage, &old) {
        Ok(()) => stage.rename(staged, holder, name).map_err(|error| {
            // Back again; if that fails too, it is the first failure that tells why.
            let _ = stage.rename(&old, holder, name);
            (Step::Place, error)
        }),
        // An overlay cannot move a directory of its lower layer at all.
        Err(error) if error.raw_os_error() == Some(libc::EXDEV) => {
            remove::clear(holder, name).map_err(at(Step::Remove))?;
            stage.rename(staged, holder, name).map_err(at(Step::Place))
        }
        Err(error) => Err((Step::Place, error)),
    }
}

fn cannot_exchange(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EXDEV | libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP))
}
