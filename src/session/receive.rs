//! The receiver's side of a round: compares, asks for what it lacks, installs, and says how it went.

use crate::config::Durable;
use crate::exit::Exit;
use crate::install::{Arrived, Install, Installed, Meta, Stage, StageError, for_files};
use crate::limits;
use crate::plan::{Action, Outcome, Owners, Plan, Rules, compare};
use crate::report::{Fate, Monitor, Problems, Report};
use crate::session::Error;
use crate::session::error::WRITE_SPEC;
use crate::session::intake::{self, Intake, Taken};
use crate::session::moving;
use crate::session::offered::Offered;
use crate::session::spare::{Here, spare};
use crate::spec::{Index, Keyword, Keywords, Spec, SpecWriter};
use crate::sys::tick::{self, Tick};
use crate::sys::{self, Dir, Spool};
use crate::tree::{Root, Scan, Scanned, View, scan};
use crate::vis::shown;
use crate::wire::message::Round;
use crate::wire::{Channel, Flags, Message};
use std::collections::HashMap;

/// Where a receiver works.
#[derive(Debug)]
pub struct Receiver<'r> {
    /// The module, at the root of which the stage is.
    pub module: &'r Dir,
    /// The tree to be changed, in the module.
    pub root: &'r Root,
    /// Where the specification is spooled.
    pub spool: &'r Dir,
    /// Where locks are kept.
    pub state: &'r Dir,
    /// When to flush.
    pub durable: Durable,
}

/// Receives one round: turns 1 to 4.
///
/// # Errors
/// The connection broke, the sender broke the protocol, or nothing can be written any more.
pub fn receive(
    channel: &mut Channel,
    receiver: &Receiver<'_>,
    round: &Round,
    monitor: &mut dyn Monitor,
) -> Result<Report, Error> {
    let spool = Spool::create(receiver.spool)
        .map_err(|error| Error::System("make a file in the spool directory", error))?;
    let offered = Offered::take(channel, spool, monitor)?;
    let mut report = Report { skipped: offered.skipped, problems: offered.problems, ..Report::default() };
    let owners = owners();
    let (mut prepared, stage) = channel.while_working(|| prepare(receiver, offered, round, &owners))??;
    report.entries = prepared.want.len().into();
    monitor.census(prepared.want.census());
    let meta = Meta::new(&owners, round.keywords.contains(Keyword::Xattr));
    // By all that has to get into the stage: what an interrupted run left there may not be on the disk either.
    let durable = for_files(receiver.durable, prepared.plan.wanted().count());
    let arrived = {
        let Prepared { want, have, plan, .. } = &mut prepared;
        let here = Here { want, have, root: receiver.root, stage: stage.as_ref(), meta: &meta, durable };
        spare(channel, &here, plan)?
    };
    let mut outcome =
        Outcome { owners: &owners, taken_over: arrived.keys().copied().collect(), removed: prepared.delete };
    let changes = |outcome| Changes { round, root: receiver.root, prepared: &prepared, meta: &meta, outcome };
    let Some(stage) = stage else {
        forecast(&prepared, &mut report);
        return finish(channel, report, &changes(outcome), &Problems::default(), monitor);
    };
    let intake = Intake { want: &prepared.want, stage: &stage, meta: &meta, durable };
    let done = run(channel, receiver.root, &prepared, intake, arrived, &mut report, monitor);
    match done {
        Ok(listed) => {
            // Unlocked first: whoever reads the report may come back at once.
            drop(stage);
            outcome.removed &= report.extra == 0;
            finish(channel, report, &changes(outcome), &listed, monitor)
        }
        Err(error) => {
            // A disk that is full is not left full; what any other end leaves, the next run takes over.
            if matches!(error, Error::Disk(..)) {
                let _ = stage.clear();
            }
            Err(error)
        }
    }
}

/// Who is to own what, by what this process may do.
fn owners() -> Owners {
    if sys::ids::euid() == 0 {
        Owners::any(sys::ids::user_id, sys::ids::group_id)
    } else {
        Owners::own(sys::ids::user_id, sys::ids::group_id, sys::ids::groups())
    }
}

/// What is known before anything is asked for.
struct Prepared {
    want: Spec,
    have: Spec,
    scanned: Scanned,
    plan: Plan,
    /// Whether what is not wanted may go: it was asked for, and the sender could read everything.
    delete: bool,
}

/// Checks the specification, locks the module unless it is a dry run, scans its tree, and compares.
fn prepare(
    receiver: &Receiver<'_>,
    offered: Offered,
    round: &Round,
    owners: &Owners,
) -> Result<(Prepared, Option<Stage>), Error> {
    let Round { flags, scope, guise, .. } = round;
    // A name that is nowhere would be an error of every file.
    if let Some((what, name)) = owners.unknown(guise) {
        let text = format!("the receiver knows no {what} '{}' (--{what}map, --chown)", shown(name));
        return Err(Error::Refused(Exit::System, text));
    }
    let delete = flags.has(Flags::DELETE) && offered.whole;
    let (want, locals) = offered.seal(scope)?;
    let stage = if flags.has(Flags::DRY_RUN) { None } else { Some(open_stage(receiver)?) };
    let spool = Spool::create(receiver.spool)
        .map_err(|error| Error::System("make a file in the spool directory", error))?;
    let digests = want.keywords().algorithms().iter().map(Keyword::of_algorithm);
    let xattrs = round.keywords.contains(Keyword::Xattr);
    let mut keywords = if xattrs { HAVE } else { HAVE.without(Keywords::of(&[Keyword::Xattr])) };
    digests.for_each(|keyword| keywords.insert(keyword));
    let mut writer = SpecWriter::new(spool, keywords).map_err(|error| Error::Disk(WRITE_SPEC, error))?;
    let view = View::Receiver { want: &want, locals: &locals };
    let what = Scan { scope, keywords, one_file_system: true, sockets: false, view };
    let scanned = scan(receiver.root, what, &mut writer)?;
    let have = writer.seal().map_err(|error| Error::Disk(WRITE_SPEC, error))?;
    let rules = Rules {
        owners,
        delete,
        links: round.keywords.contains(Keyword::Inode),
        xattrs,
        comparison: round.comparison,
        tick: Tick::FINE,
    };
    let plan = compare(&want, &have, &scanned.hidden, &rules);
    // Asked only then: most file systems keep what they are given.
    let tick =
        if plan.looks_coarse(&want, &have) { tick::of_directory(receiver.root.dir()) } else { Tick::FINE };
    let plan = match tick {
        Tick::FINE => plan,
        tick => compare(&want, &have, &scanned.hidden, &Rules { tick, ..rules }),
    };
    Ok((Prepared { want, have, scanned, plan, delete }, stage))
}

/// Locks the module. What waits at its root cannot be renamed into another file system.
fn open_stage(receiver: &Receiver<'_>) -> Result<Stage, Error> {
    let module = receiver.module.stat_self().map_err(|error| Error::System("examine the module", error))?;
    if module.dev != receiver.root.stat().dev {
        let text = "another file system is mounted there: export it as a module of its own";
        return Err(Error::Refused(Exit::Refused, text.into()));
    }
    Ok(Stage::open(receiver.module, receiver.state)?)
}

/// What the receiver says of its own tree, to itself: numbers only.
const HAVE: Keywords = Keywords::TRANSFER
    .without(Keywords::of(&[Keyword::Uname, Keyword::Gname]))
    .union(Keywords::of(&[Keyword::Nlink]));

/// Asks for what is not here, takes it in and installs. Gives back what failed, and what vanished.
fn run(
    channel: &mut Channel,
    root: &Root,
    prepared: &Prepared,
    intake: Intake<'_>,
    mut arrived: HashMap<Index, Arrived>,
    report: &mut Report,
    monitor: &mut dyn Monitor,
) -> Result<Problems, Error> {
    let Prepared { want, have, plan, .. } = prepared;
    let Intake { stage, meta, durable, .. } = intake;
    report.resumed = arrived.len() as u64;
    let wanted: Vec<Index> = plan.wanted().filter(|index| !arrived.contains_key(index)).collect();
    let mut listed = Problems::default();
    if !wanted.is_empty() {
        ask(channel, &wanted, Message::WantEnd, |first, count| Message::Want { first, count })?;
        let taken = intake::take(channel, intake, &wanted, monitor)?;
        let Taken { arrived: new, bytes, problems, vanished } = taken;
        report.files = new.len() as u64;
        report.bytes = bytes;
        report.vanished = vanished.count();
        report.problems += problems.count();
        arrived.extend(new);
        problems.iter().chain(vanished.iter()).for_each(|problem| listed.push(problem.clone()));
    }
    // What vanished while it was read may have gone to a name that this specification does not have.
    let delete = prepared.delete && report.problems == 0 && report.vanished == 0;
    let install = Install { root, stage, want, have, plan, meta, durable, arrived: &arrived, delete };
    if !install.is_idle() {
        let installed = channel.while_working(|| install.run())?;
        let Installed { report: sums, problems } =
            installed.map_err(|(doing, error)| Error::Disk(doing, error))?;
        *report = report.plus(&Report { problems: problems.len() as u64, ..sums });
        problems.into_iter().for_each(|problem| listed.push(problem));
    } else {
        report.extra += plan.extras.len() as u64;
        stage.clear().map_err(StageError::Io)?;
    }
    (report.unowned, report.unsupported) = (meta.unowned(), meta.unsupported());
    Ok(listed)
}

/// Names indices, those in a row together.
pub(super) fn ask<'m>(
    channel: &mut Channel,
    indices: &[Index],
    end: Message<'m>,
    message: impl Fn(u32, u32) -> Message<'m>,
) -> Result<(), Error> {
    let mut speaker = channel.speak();
    for row in indices.chunk_by(|a, b| a.get() + 1 == b.get()) {
        if let Some(first) = row.first() {
            speaker.say(&message(first.get(), u32::try_from(row.len()).unwrap_or(u32::MAX)))?;
        }
    }
    speaker.say(&end)?;
    Ok(speaker.end()?)
}

/// What a run would do.
fn forecast(prepared: &Prepared, report: &mut Report) {
    for step in &prepared.plan.steps {
        match step.action {
            Action::Fetch => {
                report.files += 1;
                let size = prepared.want.entry(step.want).size.unwrap_or_default();
                report.bytes = report.bytes.saturating_add(size);
            }
            Action::MakeDir | Action::MakeNode => report.made += 1,
            Action::Link(_) => report.linked += 1,
            Action::Detach | Action::Meta => report.changed += 1,
            Action::Blocked(_) => report.problems += 1,
        }
    }
    let extras = prepared.plan.extras.len() as u64;
    if prepared.delete { report.removed += extras } else { report.extra += extras }
}

/// What is itemised in the last turn.
struct Changes<'c> {
    round: &'c Round,
    root: &'c Root,
    prepared: &'c Prepared,
    outcome: Outcome<'c>,
    meta: &'c Meta<'c>,
}

/// Turn 4: says how it went.
fn finish(
    channel: &mut Channel,
    report: Report,
    changes: &Changes<'_>,
    listed: &Problems,
    monitor: &mut dyn Monitor,
) -> Result<Report, Error> {
    let Changes { round, prepared, meta, outcome, .. } = changes;
    let flags = round.flags;
    let mut report = report;
    let own = prepared.scanned.problems.iter().chain(listed.iter());
    report.problems += prepared.scanned.problems.len() as u64;
    let mut speaker = channel.speak();
    for problem in own.take(limits::PROBLEMS) {
        monitor.problem(problem);
        speaker.say(&Message::Problem(problem.clone()))?;
    }
    for lost in meta.lost() {
        monitor.unsupported(&lost);
        speaker.say(&Message::Unsupported(lost))?;
    }
    if flags.has(Flags::ITEMIZE) {
        let delete = flags.has(Flags::DELETE);
        for change in prepared.plan.changes(&prepared.want, &prepared.have, outcome) {
            if change.fate != Fate::Extra || delete {
                monitor.change(&change);
                speaker.say(&Message::Change(change))?;
            }
        }
    }
    let taken = round.remove_source && !flags.has(Flags::DRY_RUN);
    if taken && report.problems == 0 && report.vanished == 0 {
        let place = moving::place(changes.root.dir())
            .map_err(|error| Error::System("examine the destination", error))?;
        // What was left as it was, for whatever reason, the sender keeps.
        let left = prepared.plan.left.iter().map(|index| index.get());
        let mut first = 0;
        for end in left.chain([prepared.want.len()]) {
            if end > first {
                speaker.say(&Message::Have { place, first, count: end - first })?;
            }
            first = end.saturating_add(1);
        }
    }
    speaker.say(&Message::Report(report))?;
    speaker.end()?;
    if taken { moving::hear(channel, report, monitor) } else { Ok(report) }
}
