//! The receiver's side of a round: compares, asks for what it lacks, installs, and says how it went.

use crate::config::Durable;
use crate::exit::Exit;
use crate::install::{
    Fresh, Install, Installed, Keep, Meta, Nameless, Stage, StageError, Versions, for_files,
};
use crate::path::RelPath;
use crate::plan::{Outcome, Owners, Plan, Rules, compare};
use crate::report::{Carried, Monitor, Problems, Report};
use crate::session::admit::{self, Admitted};
use crate::session::arrivals::Arrivals;
use crate::session::bases::Bases;
use crate::session::basis::{self, Adoption, Elsewhere};
use crate::session::delivery::transfer;
use crate::session::guard::Removal;
use crate::session::intake::{self, Intake, Taken};
use crate::session::room;
use crate::session::spare::{Here, Spared, spare};
use crate::session::survey::{self, Sides, Survey};
use crate::session::turns::{Changes, finish, forecast, over, want_files};
use crate::session::{Baselines, Error};
use crate::spec::{Index, Keyword, Marks, Spec};
use crate::sys::tick::{self, Tick};
use crate::sys::{self, Dir, LockFile};
use crate::terms::Backup;
use crate::tree::{Remembered, Root, Scanned, is_reserved};
use crate::vis::shown;
use crate::wire::message::Round;
use crate::wire::{Channel, Flags};

/// Where a receiver works.
#[derive(Debug)]
pub struct Receiver<'r> {
    /// The module, at the root of which the stage is.
    pub module: &'r Dir,
    /// The tree to be changed, in the module.
    pub root: &'r Root,
    /// Where the specification is spooled.
    pub spool: &'r Dir,
    /// What is locked while the module is changed.
    pub lock: &'r LockFile,
    /// When to flush.
    pub durable: Durable,
    /// Where in the module the tree is.
    pub below: RelPath<'r>,
    /// How many old versions of each file the module keeps.
    pub versions: u32,
    /// Trees in which wanted files may be.
    pub links: &'r [Root],
    /// What is known of contents of the tree.
    pub remembered: &'r Remembered<'r>,
    /// Specifications of earlier rounds.
    pub baselines: &'r Baselines<'r>,
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
    let owners = owners();
    let stage = channel.while_working(|| begin(receiver, round, &owners))??;
    let sides = survey::both(channel, receiver, round, monitor)?;
    let offered = &sides.offered;
    let digest = offered.digest;
    let mut report = Report { skipped: offered.skipped, problems: offered.problems, ..Report::default() };
    let (doubt, holes) = (offered.doubt.clone(), offered.holes);
    let mut prepared = channel.while_working(|| prepare(receiver, sides, round, &owners))??;
    report.entries = prepared.want.len().into();
    monitor.census(prepared.want.census());
    let Prepared { want, have, plan, scanned, .. } = &prepared;
    let most = receiver.root.policy().max_delete;
    let removal = Removal { plan, want, have, scope: &round.scope, most };
    if prepared.delete
        && let Some(refusal) = removal.refusal(&round.keeping, doubt)
    {
        drop(stage);
        let problems: Vec<_> = prepared.refused.iter().chain(&scanned.problems).cloned().collect();
        let report = removal.refuse(channel, report, &problems, &refusal, monitor)?;
        // A sender that would remove what has arrived says that it did not.
        return over(channel, report, round, monitor);
    }
    report.problems += prepared.refused.count();
    let arrivals = Arrivals::new(receiver.spool, receiver.remembered);
    let meta = Meta::new(&owners, round.keywords.contains(Keyword::Xattr));
    // By all that has to get into the stage: what an interrupted run left there may not be on the disk either.
    let durable = for_files(receiver.durable, prepared.plan.wanted().count());
    let away = std::mem::take(&mut prepared.away);
    let rules = &Rules { tick: prepared.tick, away: Some(&away), ..rules(round, &owners, prepared.delete) };
    let keeps = round.keeping.backup.is_some() || receiver.versions > 0;
    let fresh = Fresh::of(&prepared.plan, &prepared.want);
    let mut spared = {
        let Prepared { want, have, plan, delete, .. } = &mut prepared;
        let (root, stage, fresh, meta, delete) = (receiver.root, stage.as_ref(), &fresh, &meta, *delete);
        let (remembered, arrivals) = (receiver.remembered, &arrivals);
        let here = Here {
            want,
            have,
            root,
            stage,
            fresh,
            meta,
            durable,
            remembered,
            arrivals,
            rules,
            delete,
            keeps,
            delta: round.flags.has(Flags::DELTA),
        };
        spare(channel, &here, plan)?
    };
    let found = {
        let lacking = prepared.plan.wanted().filter(|index| !spared.arrived.contains(*index));
        let sides = (&prepared.want, &prepared.have, &prepared.plan);
        let elsewhere = channel.while_working(|| basis::find(receiver.links, sides, lacking, rules))?;
        elsewhere.and(std::mem::take(&mut spared.moved))
    };
    let mut outcome = Outcome {
        owners: &owners,
        taken_over: spared.arrived.marks().clone(),
        linked: found.linked(),
        copied: found.copied(),
        removed: if prepared.delete { prepared.plan.removable() } else { Marks::default() },
    };
    let changes = |outcome| Changes { round, root: receiver.root, prepared: &prepared, meta: &meta, outcome };
    let Some(stage) = stage else {
        forecast(&prepared, &outcome, keeps, &mut report);
        return finish(channel, report, &changes(outcome), &Problems::default(), monitor);
    };
    let Spared { arrived, partial, .. } = &spared;
    let there = |index| {
        let whole = arrived.contains(index).then_some(u64::MAX);
        let linked = || found.needs_no_room(index).then_some(u64::MAX);
        whole.or_else(linked).or_else(|| Some(partial.get(&index)?.offset()))
    };
    room::check(receiver.root, &prepared, there, holes)?;
    let bases = {
        let Prepared { want, have, plan, .. } = &prepared;
        let lacks = |index| !arrived.contains(index) && !partial.contains_key(&index) && !found.has(index);
        let read = || Bases::read(receiver.root, (want, have), plan, lacks);
        let none = || Bases::none(receiver.root, have);
        if round.flags.has(Flags::DELTA) { channel.while_working(read)? } else { none() }
    };
    let fresh = &fresh;
    let (want, bases) = (&prepared.want, &bases);
    let max_file_size = receiver.root.policy().max_file_size;
    let intake = Intake {
        want,
        stage: &stage,
        fresh,
        meta: &meta,
        durable,
        max_file_size,
        arrivals: &arrivals,
        bases,
    };
    let versions = (receiver.versions > 0).then(|| Versions {
        module: receiver.module,
        below: &receiver.below,
        most: receiver.versions,
        suffix: [b"~", sys::clock::stamp().as_bytes()].concat(),
    });
    let keep = Keep { backup: round.keeping.backup.as_ref(), versions };
    let tree = Tree { root: receiver.root, links: receiver.links, found: &found, keep: &keep };
    let done = run(channel, &tree, &prepared, intake, spared, &mut report, monitor);
    match done {
        Ok(Done { listed, removed, nameless: _nameless }) => {
            let placed = sys::clock::now();
            // Unlocked first: whoever reads the report may come back at once.
            drop(stage);
            if monitor.wants_transfers() {
                for extra in removed.iter() {
                    monitor.transfer(&transfer(&prepared.have.entry(extra), Carried::Removed));
                }
            }
            outcome.removed = removed;
            // Before the report: the sender's next round may build on it.
            if prepared.scanned.problems.is_empty() {
                let said = prepared.said.as_ref().unwrap_or(&prepared.want);
                let keep = || receiver.baselines.after(round, said, digest, &report);
                channel.while_working(keep)?;
            }
            let report = finish(channel, report, &changes(outcome), &listed, monitor)?;
            // Nobody waits for that any more.
            if report.exit() == Exit::Ok {
                arrivals.remember(receiver.root, &prepared.want, placed);
            }
            receiver.remembered.keep();
            Ok(report)
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
pub(super) struct Prepared {
    pub(super) want: Spec,
    /// What the sender said, where that is something else.
    said: Option<Spec>,
    /// What of it the module does not take.
    pub(super) refused: Problems,
    pub(super) have: Spec,
    pub(super) scanned: Scanned,
    pub(super) plan: Plan,
    /// Whether what is not wanted may go: it was asked for, and the sender could read everything.
    pub(super) delete: bool,
    /// How fine the times are that the receiver's file system keeps.
    tick: Tick,
    /// Wanted names that stay what they are for the sake of backups.
    away: Marks,
}

/// Refuses what cannot be done whatever the sender has, and locks the module unless it is a dry run.
fn begin(receiver: &Receiver<'_>, round: &Round, owners: &Owners) -> Result<Option<Stage>, Error> {
    // A name that is nowhere would be an error of every file.
    if let Some((what, name)) = owners.unknown(&round.guise) {
        let text = format!("the receiver knows no {what} '{}' (--{what}map, --chown)", shown(name));
        return Err(Error::Refused(Exit::Usage, text));
    }
    let kept = round.keeping.backup.as_ref().and_then(|backup| backup.dir().components().next());
    if kept.is_some_and(is_reserved) {
        return Err(Error::Refused(Exit::Refused, "the path of the backups is reserved".into()));
    }
    if round.flags.has(Flags::DRY_RUN) { Ok(None) } else { open_stage(receiver).map(Some) }
}

/// Admits the specification, scans the tree if that was not done yet, and compares.
fn prepare(
    receiver: &Receiver<'_>,
    Sides { offered, survey }: Sides,
    round: &Round,
    owners: &Owners,
) -> Result<Prepared, Error> {
    let delete = round.flags.has(Flags::DELETE) && offered.whole;
    let (said, locals) = (offered.spec, offered.locals);
    let policy = receiver.root.policy();
    admit::words(said.keywords(), policy.refused)?;
    let (want, said, refused) = match admit::admit(&said, policy, || survey::spool(receiver))? {
        Some(Admitted { want, refused }) => (want, Some(said), refused),
        None => (said, None, Problems::default()),
    };
    let Survey { have, scanned, .. } = match survey.filter(|survey| survey.answers(round, &want)) {
        Some(survey) => survey,
        None => survey::survey(receiver, round, want.keywords(), Some((&want, &locals)), None)?,
    };
    let backup = round.keeping.backup.as_ref();
    let mut away = backup.map(|backup| kept_apart(&want, backup)).unwrap_or_default();
    let rules = rules(round, owners, delete);
    let mut plan = compare(&want, &have, &scanned.hidden, &Rules { away: Some(&away), ..rules });
    // Asked only then: most file systems keep what they are given.
    let tick =
        if plan.looks_coarse(&want, &have) { tick::of_directory(receiver.root.dir()) } else { Tick::FINE };
    if tick != Tick::FINE {
        plan = compare(&want, &have, &scanned.hidden, &Rules { tick, away: Some(&away), ..rules });
    }
    if let Some(backup) = backup {
        let blocked = plan.protect(&want, &have, backup, delete);
        // Of a file of which the first name is in the way of something, the next one leads.
        if blocked.iter().any(|index| want.inode(index).is_some()) {
            away.extend(blocked.iter());
            plan = compare(&want, &have, &scanned.hidden, &Rules { tick, away: Some(&away), ..rules });
            plan.protect(&want, &have, backup, delete);
        }
    }
    Ok(Prepared { want, said, refused, have, scanned, plan, delete, tick, away })
}

/// The wanted names that are in the directory of backups.
fn kept_apart(want: &Spec, backup: &Backup) -> Marks {
    let top = Some(backup.dir()).filter(|dir| !dir.is_root()).and_then(|dir| want.find_index(dir));
    top.into_iter().flat_map(|top| (top.get()..want.end_of(top)).filter_map(|at| want.index(at))).collect()
}

/// What decides of the comparison.
fn rules<'r>(round: &Round, owners: &'r Owners, delete: bool) -> Rules<'r> {
    let carries = |keyword| round.keywords.contains(keyword);
    let (links, xattrs) = (carries(Keyword::Inode), carries(Keyword::Xattr));
    Rules { owners, delete, links, xattrs, comparison: round.comparison, tick: Tick::FINE, away: None }
}

/// Locks the module. What waits at its root cannot be renamed into another file system.
fn open_stage(receiver: &Receiver<'_>) -> Result<Stage, Error> {
    let module = receiver.module.stat_self().map_err(|error| Error::System("examine the module", error))?;
    if module.dev != receiver.root.stat().dev {
        let text = "another file system is mounted there: export it as a module of its own";
        return Err(Error::Refused(Exit::Refused, text.into()));
    }
    sys::process::no_umask();
    Ok(Stage::open(receiver.module, receiver.lock)?)
}

/// The tree to be changed, and what comes into it from elsewhere on this host, or goes there.
struct Tree<'t> {
    root: &'t Root,
    links: &'t [Root],
    found: &'t Elsewhere,
    keep: &'t Keep<'t>,
}

/// How it went, besides the sums.
#[derive(Default)]
struct Done {
    /// What failed, and what vanished.
    listed: Problems,
    /// The extras that are gone.
    removed: Marks,
    /// What is to be freed when nobody waits any more.
    nameless: Nameless,
}

/// Asks for what is not here, takes it in and installs.
fn run(
    channel: &mut Channel,
    tree: &Tree<'_>,
    prepared: &Prepared,
    intake: Intake<'_>,
    Spared { mut arrived, partial, .. }: Spared,
    report: &mut Report,
    monitor: &mut dyn Monitor,
) -> Result<Done, Error> {
    let Prepared { want, have, plan, .. } = prepared;
    let Intake { stage, fresh, meta, durable, .. } = intake;
    report.resumed = arrived.marks().len().into();
    let Tree { root, links: trees, found, .. } = *tree;
    let adoption = Adoption { trees, root, found, have, want, stage, fresh, meta, durable };
    let found = channel.while_working(|| adoption.run(report))??;
    let here = |index: &Index| arrived.contains(*index) || found.contains(*index);
    let wanted: Marks = plan.wanted().filter(|index| !here(index)).collect();
    let mut done = Done::default();
    if !wanted.is_empty() {
        want_files(channel, &wanted, &partial, intake.bases)?;
        let taken = intake::take(channel, intake, &wanted, partial, monitor)?;
        let Taken { arrived: new, bytes, problems, vanished } = taken;
        report.files = new.marks().len().into();
        report.bytes = bytes;
        report.vanished = vanished.count();
        report.problems += problems.count();
        if monitor.wants_transfers() {
            for index in new.marks().iter() {
                monitor.transfer(&transfer(&want.entry(index), Carried::Received));
            }
        }
        arrived.extend(new);
        problems.iter().chain(vanished.iter()).for_each(|problem| done.listed.push(problem.clone()));
    }
    // What vanished while it was read may have gone to a name that this specification does not have. What the sender
    // could not examine at all is spared by the specification itself.
    let delete = prepared.delete && done.listed.count() == 0;
    let (root, keep) = (tree.root, tree.keep);
    let (arrived, found) = (&arrived, &found);
    let install =
        Install { root, stage, want, have, plan, meta, durable, fresh, arrived, found, keep, delete };
    if !install.is_idle() {
        let installed = channel.while_working(|| install.run())?;
        let Installed { report: sums, problems, removed, nameless } =
            installed.map_err(|(doing, error)| Error::Disk(doing, error))?;
        *report = report.plus(&Report { problems: problems.len() as u64, ..sums });
        (done.removed, done.nameless) = (removed, nameless);
        problems.into_iter().for_each(|problem| done.listed.push(problem));
    } else {
        report.extra += plan.extras.len() as u64;
        stage.clear().map_err(StageError::Io)?;
    }
    (report.unowned, report.unsupported) = (meta.unowned(), meta.unsupported());
    Ok(done)
}
