//! What a round may ask for in a module, whoever asks.

use crate::exit::Exit;
use crate::path::RelPath;
use crate::server::config::Module;
use crate::server::log::Log;
use crate::session::{Error, refuse, words};
use crate::sys::{Dir, error_words};
use crate::terms::{Capability, Quick};
use crate::wire::Flags;
use crate::wire::message::{Direction, Round};
use std::fmt::Display;
use std::io;

/// Whether a round may be: any may look, but only a push changes something, or a pull that removes what it took.
pub(super) fn permit(module: &Module, round: &Round) -> Result<(), Error> {
    let refused = |text: &str| Err(Error::Refused(Exit::Refused, text.to_owned()));
    let pull = round.direction == Direction::Pull;
    if pull && module.write_only {
        return refused("the module is write only");
    }
    if module.read_only && !round.flags.has(Flags::DRY_RUN) && (!pull || round.remove_source) {
        return refused("the module is read only");
    }
    refuse(module.policy.refused, |capability| asks(module, round, capability))?;
    words(round.keywords, module.policy.refused)?;
    // Names by which what is excluded could be reached all the same.
    let around = [
        (pull && round.taking.follows_any(), "no links are followed (-L and the like)"),
        (!round.keeping.link_dest.is_empty(), "--link-dest is refused"),
        (!pull && round.keeping.backup.is_some(), "--backup is refused"),
    ];
    match around.into_iter().find(|(asked, _)| *asked && module.excludes) {
        Some((_, what)) => refused(&format!("the module excludes paths, so that {what}")),
        None => Ok(()),
    }
}

/// Whether the tree is there that the module is about, by a name that must be in it; the log of this session is told.
pub(super) fn marked(module: &Module, dir: &Dir, (log, session): (&Log, &dyn Display)) -> Result<(), Error> {
    holds(module, dir).map_err(|(marker, error)| {
        log.error(format_args!("{session}: module {}: {marker}: {}", module.name, error_words(&error)));
        let text = "which must be in the module ('require marker'), is not there: is it mounted?";
        Error::Refused(Exit::Io, format!("{marker}, {text}"))
    })
}

/// Whether there is in this directory what must be in that of the module; or what is not, and why.
pub(super) fn holds<'m>(module: &'m Module, dir: &Dir) -> Result<(), (&'m RelPath<'static>, io::Error)> {
    let Some(marker) = &module.require_marker else { return Ok(()) };
    let Some((parent, name)) = marker.split_last() else { return Ok(()) };
    let holder = dir.again().and_then(|dir| parent.components().try_fold(dir, |dir, name| dir.through(name)));
    holder.and_then(|holder| holder.stat(name)).map(drop).map_err(|error| (marker, error))
}

/// Whether a round asks for this, besides by its words.
fn asks(module: &Module, round: &Round, capability: Capability) -> bool {
    let push = round.direction == Direction::Push;
    // A check compares with all that is here, as if it were to be removed; which names what nobody may read.
    let changes = !round.flags.has(Flags::DRY_RUN) || module.write_only;
    match capability {
        Capability::DELETE => push && changes && round.flags.has(Flags::DELETE),
        Capability::FORCE_DELETE => push && changes && round.keeping.force,
        Capability::REMOVE_SOURCE => round.remove_source,
        Capability::CHECKSUM => round.comparison.quick == Quick::Never,
        Capability::COMPRESS => round.flags.has(Flags::COMPRESS),
        Capability::DELTA => round.flags.has(Flags::DELTA),
        Capability::COPY_LINKS => !push && round.taking.follows_any(),
        Capability::BACKUP => push && round.keeping.backup.is_some(),
        Capability::LINK_DEST => !round.keeping.link_dest.is_empty(),
        Capability::CHMOD => !round.guise.is_none(),
        Capability::DRY_RUN => round.flags.has(Flags::DRY_RUN),
        // Refused by its words, or entry by entry where such an entry comes.
        _ => false,
    }
}
