//! What the receiver has: its tree is described while the sender describes its own, wherever that can be done without
//! knowing what is wanted.

use crate::path::{Local, Scope};
use crate::report::Monitor;
use crate::session::error::WRITE_SPEC;
use crate::session::receive::Receiver;
use crate::session::text::{Bounds, Sink};
use crate::session::{Error, admit, offered::Offered};
use crate::spec::{Keyword, Keywords, Spec, SpecWriter};
use crate::sys::Spool;
use crate::tree::{Scan, Scanned, View, scan};
use crate::wire::Channel;
use crate::wire::message::Round;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, sync_channel};
use std::thread::Builder;

/// The receiver's tree.
pub(super) struct Survey {
    pub(super) have: Spec,
    pub(super) scanned: Scanned,
    /// What is said of each path.
    keywords: Keywords,
}

/// What the receiver says of its own tree, to itself, besides digests.
const HAVE: Keywords = Keywords::TRANSFER.union(Keywords::of(&[Keyword::Nlink]));

/// What both sides have, before anything is compared.
pub(super) struct Sides {
    pub(super) offered: Offered,
    /// The receiver's tree, where it could be described already.
    pub(super) survey: Option<Survey>,
}

/// Takes in what the sender has to say. Meanwhile the receiver's tree is described, unless that takes to know what is
/// wanted: the digests are those that the round speaks of.
pub(super) fn both(
    channel: &mut Channel,
    receiver: &Receiver<'_>,
    round: &Round,
    monitor: &mut dyn Monitor,
) -> Result<Sides, Error> {
    if !round.scope.filter().items().is_empty() {
        return Ok(Sides { offered: offered(channel, receiver, &round.scope, monitor)?, survey: None });
    }
    let unwanted = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (done, worker) = sync_channel(1);
        let stop = &unwanted;
        let work = move || {
            // Whoever gave up does not want it.
            let _ = done.send(survey(receiver, round, round.keywords, None, Some(stop)));
        };
        // Where no thread is to be had, it is described when it is known what is wanted.
        let _ = Builder::new().spawn_scoped(scope, work);
        let sides = meet(channel, receiver, &round.scope, &worker, monitor);
        // When the session is over, nobody waits for the rest of the tree.
        unwanted.store(true, Ordering::Relaxed);
        sides
    })
}

fn meet(
    channel: &mut Channel,
    receiver: &Receiver<'_>,
    scope: &Scope,
    worker: &mpsc::Receiver<Result<Survey, Error>>,
    monitor: &mut dyn Monitor,
) -> Result<Sides, Error> {
    let offered = offered(channel, receiver, scope, monitor)?;
    Ok(Sides { offered, survey: channel.await_worker(worker)?.transpose()? })
}

/// What the sender has to say, checked.
fn offered(
    channel: &mut Channel,
    receiver: &Receiver<'_>,
    scope: &Scope,
    monitor: &mut dyn Monitor,
) -> Result<Offered, Error> {
    let offered = Offered::take(channel, &|| sink(receiver), receiver.baselines, monitor)?;
    admit::count(offered.entries(), receiver.root.policy())?;
    channel.while_working(|| offered.seal(scope))?
}

impl Survey {
    /// Whether it says all that is to be compared with this specification.
    pub(super) fn answers(&self, round: &Round, want: &Spec) -> bool {
        let keywords = keywords(round, want.keywords());
        keywords.without(self.keywords) == Keywords::NONE
    }
}

/// What is to be said of each path where the sender says this.
fn keywords(round: &Round, said: Keywords) -> Keywords {
    // Names and attributes are looked up only if the sender speaks of them: then it is in the same words.
    let looked_up = Keywords::of(&[Keyword::Uname, Keyword::Gname, Keyword::Xattr]);
    let mut keywords = HAVE.without(looked_up.without(round.keywords));
    said.algorithms().iter().map(Keyword::of_algorithm).for_each(|keyword| keywords.insert(keyword));
    keywords
}

/// Describes the receiver's tree, with the digests that are among what the sender says. `wanted` is its specification and
/// what its files of rules say.
pub(super) fn survey(
    receiver: &Receiver<'_>,
    round: &Round,
    said: Keywords,
    wanted: Option<(&Spec, &[Local])>,
    stop: Option<&AtomicBool>,
) -> Result<Survey, Error> {
    let keywords = keywords(round, said);
    let failed = |error| Error::Disk(WRITE_SPEC, error);
    let mut writer = SpecWriter::new(spool(receiver)?, keywords).map_err(failed)?;
    let (want, locals) = wanted.map_or((None, &[][..]), |(want, locals)| (Some(want), locals));
    let view = View::Receiver { want, locals };
    let scope = &round.scope;
    let remembered = Some(receiver.remembered);
    let what = Scan { scope, keywords, one_file_system: true, sockets: false, view, remembered, stop };
    let scanned = scan(receiver.root, what, &mut writer)?;
    Ok(Survey { have: writer.seal().map_err(failed)?, scanned, keywords })
}

/// What the sender's text goes into.
fn sink(receiver: &Receiver<'_>) -> Result<Sink, Error> {
    let free = receiver.spool.file_system().ok().and_then(|system| system.free_bytes);
    let max_files = receiver.root.policy().max_files;
    Ok(Sink::new(spool(receiver)?, Bounds { free, max_files }))
}

pub(super) fn spool(receiver: &Receiver<'_>) -> Result<Spool, Error> {
    Spool::create(receiver.spool).map_err(|error| Error::System("make a file in the spool directory", error))
}
