//! How many connections there may be: of those that have proven nothing, and of each module.

use super::config::Module;
use super::log::{Log, shown};
use super::strangers::{Admission, Place, admit};
use crate::exit::Exit;
use crate::limits;
use crate::session::Error;
use crate::sys::slots::Slots;
use crate::sys::stdio::Peer;
use crate::sys::{Dir, ids};
use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long whoever found no place sleeps before it looks again.
const NAP: Duration = Duration::from_millis(20);

/// A place for a connection that has not proven anything, if there is where to keep places; and how many others had to go
/// for it.
pub(super) fn strange(
    kept: &Result<Dir, String>,
    peer: &Peer,
    log: &Log,
) -> (Result<Option<Place>, Exit>, usize) {
    let kept = match kept {
        Ok(kept) => kept,
        Err(error) => {
            log.warning(format_args!("{peer}: those that have not proven a secret are not counted: {error}"));
            return (Ok(None), 0);
        }
    };
    match admit(kept, peer) {
        Ok(Admission { place, ended }) => {
            for from in &ended {
                log.notice(format_args!("{from}: ended a greeting: too many have not proven a secret"));
            }
            if place.is_none() {
                log.warning(format_args!("{peer}: refused: too many greetings at once"));
            }
            (place.map(Some).ok_or(Exit::TryAgain), ended.len())
        }
        // A full disk must not turn everybody away: a flood is held off less well until it has room again.
        Err(error) => {
            log.error(format_args!("{peer}: cannot count greetings beside the state directory: {error}"));
            (Ok(None), 0)
        }
    }
}

/// A place among the connections that a module may have at once, for as long as the value lives. `who` is for the log.
///
/// # Errors
/// There is none, or they cannot be counted: then nobody gets one.
pub(super) fn module_place(
    module: &Module,
    kept: &Result<Dir, String>,
    who: &str,
    log: &Log,
) -> Result<Option<Slots>, Error> {
    let refused = |exit, text: &str| Error::Refused(exit, text.into());
    let most = match u32::try_from(module.max_connections) {
        Ok(0) => return Ok(None),
        Ok(most) => most,
        Err(_) => return Err(refused(Exit::Refused, "the module is disabled")),
    };
    let uid = ids::euid();
    let failed = |error: &dyn Display| {
        match &module.lock_file {
            Some(path) => log.error(format_args!("{who}: lock file, as uid {uid}: {}: {error}", shown(path))),
            None => log.error(format_args!("{who}: lock file, as uid {uid}: in 'state dir': {error}")),
        }
        refused(Exit::System, "the connections of the module cannot be counted")
    };
    let slots = match (&module.lock_file, kept) {
        (Some(path), _) => Slots::open(path),
        (None, Ok(kept)) => Slots::in_dir(kept, &[b"connections-", module.name.as_bytes()].concat()),
        (None, Err(error)) => return Err(failed(error)),
    };
    let slots = slots.map_err(|error| failed(&error))?;
    // Who has just ended, and comes again, finds the server of before still writing down what it learned.
    let deadline = Instant::now() + limits::PLACE;
    loop {
        if slots.take(most).map_err(|error| failed(&error))?.is_some() {
            return Ok(Some(slots));
        }
        if Instant::now() >= deadline {
            let text = format!("max connections ({most}) reached: try again later");
            return Err(refused(Exit::TryAgain, &text));
        }
        std::thread::sleep(NAP);
    }
}
