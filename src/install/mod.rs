//! Carries out a plan on a live tree: what is new waits in the stage until all of it is there.

mod adopt;
mod basis;
mod durable;
mod fresh;
mod incoming;
mod keep;
mod left;
mod meta;
mod moved;
mod nameless;
mod partial;
mod place;
mod places;
mod remove;
mod run;
mod stage;
mod staged;
mod unlock;

pub use basis::Basis;
pub use durable::for_files;
pub use fresh::Fresh;
pub use incoming::{Arrived, Incoming};
pub use keep::{Keep, Versions};
pub use left::Left;
pub use meta::Meta;
pub use moved::{Known, Mark};
pub use nameless::Nameless;
pub use partial::Partial;
pub use places::Places;
pub use run::{Install, Installed, Stopped};
pub use stage::{Stage, StageError};
pub use staged::Staged;

use crate::path::RelPath;
use crate::report::{Problem, Step};
use std::io;

/// What failed at an entry: the step and the error; the caller knows the path.
pub type Failure = (Step, io::Error);

/// Names the step that an error belongs to.
fn at(step: Step) -> impl Fn(io::Error) -> Failure {
    move |error| (step, error)
}

/// A failure as the problem of this path.
fn problem(path: &RelPath<'_>, (step, error): &Failure) -> Problem {
    Problem::new(path, *step, error)
}

/// Whether a failure says that nothing more can be written, whichever file is next: not what the sender could not read,
/// nor attributes that are too large for a file system with room for other files.
#[must_use]
pub fn is_final((step, error): &Failure) -> bool {
    let too_large = *step == Step::Xattr && error.raw_os_error() == Some(libc::ENOSPC);
    *step != Step::Read && !too_large && hopeless(error)
}

/// Whether an error says that nothing more can be written, whichever file is next.
#[must_use]
pub fn hopeless(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ENOSPC
                | libc::EDQUOT
                | libc::EROFS
                | libc::EIO
                | libc::EMFILE
                | libc::ENFILE
                | libc::ENOMEM
        )
    )
}
