//! How many connections there may be: of those that have proven nothing, and of each module.

use super::config::Module;
use super::log::Log;
use super::strangers::{Admission, Place, admit};
use crate::exit::Exit;
use crate::session::Error;
use crate::sys::Dir;
use crate::sys::private::PrivateError;
use crate::sys::slots::Slots;
use crate::sys::stdio::Peer;
use std::fmt::Display;

/// A place for a connection that has not proven anything, if there is where to keep places.
pub(super) fn strange(
    state: &Result<Dir, PrivateError>,
    peer: &Peer,
    log: &Log,
) -> Result<Option<Place>, Exit> {
    let Ok(state) = state else { return Ok(None) };
    match admit(state, peer) {
        Ok(Admission { place, ended }) => {
            for from in ended {
                log.notice(format_args!("{from}: ended a greeting: too many have not proven a secret"));
            }
            if place.is_none() {
                log.warning(format_args!("{peer}: refused: too many greetings at once"));
            }
            place.map(Some).ok_or(Exit::TryAgain)
        }
        Err(error) => {
            log.error(format_args!("{peer}: cannot count greetings in the state directory: {error}"));
            Err(Exit::System)
        }
    }
}

/// A place among the connections that a module may have at once, for as long as the value lives. `who` is for the log.
///
/// # Errors
/// There is none, or they cannot be counted: then nobody gets one.
pub(super) fn module_place(
    module: &Module,
    state: &Result<Dir, PrivateError>,
    who: &str,
    log: &Log,
) -> Result<Option<Slots>, Error> {
    let refused = |exit, text: &str| Error::Refused(exit, text.into());
    let most = match u32::try_from(module.max_connections) {
        Ok(0) => return Ok(None),
        Ok(most) => most,
        Err(_) => return Err(refused(Exit::Refused, "the module is disabled")),
    };
    let failed = |error: &dyn Display| {
        log.error(format_args!("{who}: lock file: {error}"));
        refused(Exit::System, "the connections of the module cannot be counted")
    };
    let slots = match (&module.lock_file, state) {
        (Some(path), _) => Slots::open(path),
        (None, Ok(state)) => Slots::in_dir(state, &[b"connections-", module.name.as_bytes()].concat()),
        (None, Err(error)) => return Err(failed(error)),
    };
    let slots = slots.map_err(|error| failed(&error))?;
    match slots.take(most).map_err(|error| failed(&error))? {
        Some(_) => Ok(Some(slots)),
        None => Err(refused(Exit::TryAgain, &format!("max connections ({most}) reached: try again later"))),
    }
}
