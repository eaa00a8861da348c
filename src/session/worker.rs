//! Threads beside the one that has the connection.

use crate::session::Error;
use crate::session::error::START;
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// Starts one that the session needs.
///
/// # Errors
/// None is to be had: the user, or the host, has as many processes as it may.
pub(super) fn start<'s, T: Send + 's>(
    scope: &'s Scope<'s, '_>,
    work: impl FnOnce() -> T + Send + 's,
) -> Result<ScopedJoinHandle<'s, T>, Error> {
    Builder::new().spawn_scoped(scope, work).map_err(|error| Error::System(START, error))
}
