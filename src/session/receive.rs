//! The receiver's side of a round: compares, asks for what it lacks, installs, and says how it went.

use crate::config::Durable;
use crate::digest::Content;
use crate::install::{Arrived, Install, Installed, Meta, Stage, StageError, for_files};
use crate::limits;
use crate::plan::{Action, Owners, Plan, compare};
use crate::report::{Fate, Monitor, Problem, Report};
use crate::session::Error;
use crate::session::intake::{self, Intake, Taken};
use crate::session::spare::{Here, spare};
use crate::spec::{Index, Keyword, Keywords, Spec, SpecWriter};
use crate::sys::{self, Dir, Spool};
use crate::tree::{Root, Scan, Scanned, Scope, scan};
use crate::wire::{Channel, Flags, Message, WireError};
use std::collections::HashMap;
use std::io::{self, Write};

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

/// What the sender said in its first turn.
struct Offered {
    spool: Spool,
    whole: bool,
    skipped: u64,
    problems: u64,
}

/// Receives one round: turns 1 to 4.
///
/// # Errors
/// The connection broke, the sender broke the protocol, or nothing can be written any more.
pub fn receive(
    channel: &mut Channel,
    receiver: &Receiver<'_>,
    flags: Flags,
    scope: &Scope,
    monitor: &mut dyn Monitor,
) -> Result<Report, Error> {
    let spool = Spool::create(receiver.spool)
        .map_err(|error| Error::System("make a file in the spool directory", error))?;
    let offered = take_offer(channel, spool, monitor)?;
    let mut report = Report { skipped: offered.skipped, problems: offered.problems, ..Report::default() };
    let may_delete = flags.has(Flags::DELETE) && offered.whole;
    let owners = owners();
    let mut prepared =
        channel.while_working(|| prepare(receiver, offered.spool, flags, scope, &owners))??;
    report.entries = prepared.want.len().into();
    let meta = Meta::new(&owners);
    let arrived = {
        let Prepared { want, have, stage, plan, .. } = &mut prepared;
        let here = Here { want, have, root: receiver.root, stage: stage.as_ref() };
        spare(channel, &here, plan, &meta)?
    };
    let changes = Changes { flags, prepared: &prepared };
    let Some(stage) = &prepared.stage else {
        forecast(&prepared, flags, &mut report);
        return finish(channel, report, &changes, &[], monitor);
    };
    let done = run(channel, receiver, &prepared, arrived, stage, &meta, may_delete, &mut report, monitor);
    match done {
        Ok(problems) => finish(channel, report, &changes, &problems, monitor),
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
        Owners::own(sys::ids::group_id, sys::ids::groups())
    }
}

/// Takes the specification into the spool, and checks that it is the one that was sent.
fn take_offer(channel: &mut Channel, spool: Spool, monitor: &mut dyn Monitor) -> Result<Offered, Error> {
    let malformed = |_| WireError::Malformed("the specification does not decompress");
    let mut decoder =
        zstd::stream::write::Decoder::new(Checked { spool, content: Content::new(), full: None })
            .map_err(|error| Error::System("decompress the specification", error))?;
    // What level 1 needs and a little more: a peer does not choose how much memory we take.
    decoder.window_log_max(23).map_err(|error| Error::System("decompress the specification", error))?;
    let mut problems = 0;
    let mut listener = channel.listen();
    loop {
        match listener.message()? {
            Message::Problem(problem) => {
                problems += 1;
                if problems > limits::PROBLEMS as u64 {
                    return Err(WireError::Violation("too many problems").into());
                }
                monitor.problem(&problem);
            }
            Message::Spec(piece) => {
                let written = decoder.write_all(piece);
                if let Some(error) = decoder.get_mut().full.take() {
                    return Err(error);
                }
                written.map_err(malformed)?;
            }
            Message::SpecEnd { digest, whole, skipped, .. } => {
                decoder.flush().map_err(malformed)?;
                let Checked { spool, content, .. } = decoder.into_inner();
                if content.finish() != digest {
                    return Err(WireError::Malformed("the specification is not the one that was sent").into());
                }
                return Ok(Offered { spool, whole, skipped, problems });
            }
            _ => return Err(WireError::Violation("something else than a specification").into()),
        }
    }
}

/// Counts and digests what goes into the spool.
struct Checked {
    spool: Spool,
    content: Content,
    full: Option<Error>,
}

impl Write for Checked {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.spool.written() + piece.len() as u64 > limits::SPEC_BYTES {
            self.full = Some(WireError::Violation("a specification that is too large").into());
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.content.update(piece);
        match self.spool.write_all(piece) {
            Ok(()) => Ok(piece.len()),
            Err(error) => {
                let kind = error.kind();
                self.full = Some(Error::Disk("write the specification into the spool directory", error));
                Err(kind.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.spool.flush()
    }
}

/// What is known before anything is asked for.
struct Prepared {
    want: Spec,
    have: Spec,
    scanned: Scanned,
    plan: Plan,
    /// None in a dry run.
    stage: Option<Stage>,
}

/// Checks the specification, locks the module, scans its tree, and compares.
fn prepare(
    receiver: &Receiver<'_>,
    spool: Spool,
    flags: Flags,
    scope: &Scope,
    owners: &Owners,
) -> Result<Prepared, Error> {
    let want = Spec::seal(spool)?;
    if want.iter().any(|(_, entry)| !scope.covers(&entry.path) || entry.path.is_within(&reserved())) {
        return Err(WireError::Violation("an entry outside of the scope").into());
    }
    let stage =
        if flags.has(Flags::DRY_RUN) { None } else { Some(Stage::open(receiver.module, receiver.state)?) };
    let spool = Spool::create(receiver.spool)
        .map_err(|error| Error::System("make a file in the spool directory", error))?;
    let digests = want.keywords().algorithms().iter().map(Keyword::of_algorithm);
    let mut keywords = HAVE;
    digests.for_each(|keyword| keywords.insert(keyword));
    let mut writer =
        SpecWriter::new(spool, keywords).map_err(|error| Error::Disk("write the specification", error))?;
    let what = Scan { scope, keywords, one_file_system: true };
    let scanned = scan(receiver.root, what, &mut writer)?;
    let have = writer.seal().map_err(|error| Error::Disk("write the specification", error))?;
    let plan = compare(&want, &have, &scanned.hidden, owners, flags.has(Flags::DELETE));
    Ok(Prepared { want, have, scanned, plan, stage })
}

/// What the receiver says of its own tree, to itself: numbers only.
const HAVE: Keywords = Keywords::TRANSFER
    .without(Keywords::of(&[Keyword::Uname, Keyword::Gname]))
    .union(Keywords::of(&[Keyword::Nlink]));

fn reserved() -> crate::path::RelPath<'static> {
    crate::path::RelPath::new(crate::tree::STAGE).unwrap_or(crate::path::RelPath::ROOT)
}

/// Asks for what is not here, takes it in and installs. Gives back what failed.
#[allow(clippy::too_many_arguments)]
fn run(
    channel: &mut Channel,
    receiver: &Receiver<'_>,
    prepared: &Prepared,
    mut arrived: HashMap<Index, Arrived>,
    stage: &Stage,
    meta: &Meta<'_>,
    may_delete: bool,
    report: &mut Report,
    monitor: &mut dyn Monitor,
) -> Result<Vec<Problem>, Error> {
    let Prepared { want, have, plan, .. } = prepared;
    report.resumed = arrived.len() as u64;
    let wanted: Vec<Index> = plan.wanted().filter(|index| !arrived.contains_key(index)).collect();
    let durable = for_files(receiver.durable, wanted.len());
    let mut problems = Vec::new();
    if !wanted.is_empty() {
        ask(channel, &wanted, Message::WantEnd, |first, count| Message::Want { first, count })?;
        let taken = intake::take(channel, Intake { want, stage, meta, durable }, &wanted, monitor)?;
        let Taken { arrived: new, bytes, problems: failed, vanished } = taken;
        report.files = new.len() as u64;
        report.bytes = bytes;
        report.vanished = vanished.len() as u64;
        vanished.iter().for_each(|problem| monitor.problem(problem));
        arrived.extend(new);
        problems = failed;
    }
    let delete = may_delete && problems.is_empty() && report.problems == 0;
    let install =
        Install { root: receiver.root, stage, want, have, plan, meta, durable, arrived: &arrived, delete };
    if !install.is_idle() {
        let installed = channel.while_working(|| install.run())?;
        let Installed { report: sums, problems: failed } =
            installed.map_err(|error| Error::Disk("flush to the disk", error))?;
        *report = report.plus(&Report { problems: 0, ..sums });
        problems.extend(failed);
    } else {
        report.extra += plan.extras.len() as u64;
        stage.clear().map_err(StageError::Io)?;
    }
    Ok(problems)
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
fn forecast(prepared: &Prepared, flags: Flags, report: &mut Report) {
    for step in &prepared.plan.steps {
        match step.action {
            Action::Fetch => {
                report.files += 1;
                report.bytes += prepared.want.entry(step.want).size.unwrap_or_default();
            }
            Action::MakeDir | Action::MakeNode => report.made += 1,
            Action::Link(_) => report.linked += 1,
            Action::Detach | Action::Meta => report.changed += 1,
            Action::Blocked(_) => report.problems += 1,
        }
    }
    let extras = prepared.plan.extras.len() as u64;
    if flags.has(Flags::DELETE) { report.removed += extras } else { report.extra += extras }
}

/// What is itemised in the last turn.
struct Changes<'c> {
    flags: Flags,
    prepared: &'c Prepared,
}

/// Turn 4: says how it went.
fn finish(
    channel: &mut Channel,
    report: Report,
    changes: &Changes<'_>,
    problems: &[Problem],
    monitor: &mut dyn Monitor,
) -> Result<Report, Error> {
    let Changes { flags, prepared } = changes;
    let mut report = report;
    let own = prepared.scanned.problems.iter().chain(problems);
    report.problems += (prepared.scanned.problems.len() + problems.len()) as u64;
    let mut speaker = channel.speak();
    for problem in own.take(limits::PROBLEMS) {
        monitor.problem(problem);
        speaker.say(&Message::Problem(problem.clone()))?;
    }
    if flags.has(Flags::ITEMIZE) {
        let delete = flags.has(Flags::DELETE);
        for change in prepared.plan.changes(&prepared.want, &prepared.have) {
            if change.fate != Fate::Extra || delete {
                monitor.change(&change);
                speaker.say(&Message::Change(change))?;
            }
        }
    }
    speaker.say(&Message::Report(report))?;
    speaker.end()?;
    Ok(report)
}
