//! What the receiver says in its turns: what it asks for, and how it went.

use crate::install::{Meta, Partial};
use crate::limits;
use crate::plan::{Action, Outcome};
use crate::report::{Fate, Monitor, Problems, Report};
use crate::session::bases::Bases;
use crate::session::receive::Prepared;
use crate::session::{Error, moving};
use crate::spec::{Index, Kind, Marks};
use crate::tree::Root;
use crate::wire::message::Round;
use crate::wire::{Channel, Flags, Message, Speaker};
use std::collections::HashMap;

/// Asks for files, and for the ends of those that are there in part.
pub(super) fn want_files(
    channel: &mut Channel,
    wanted: &Marks,
    partial: &HashMap<Index, Partial>,
    bases: &Bases<'_>,
) -> Result<(), Error> {
    let mut speaker = channel.speak();
    let mut row = (0, 0);
    for index in wanted.iter() {
        let (there, based, wanted) = (partial.get(&index), bases.has(index), index);
        let index = index.get();
        let (first, count) = row;
        if there.is_none() && !based && count > 0 && first + count == index {
            row = (first, count + 1);
            continue;
        }
        if count > 0 {
            speaker.say(&Message::Want { first, count })?;
        }
        row = (index, 1);
        if let Some(there) = there {
            speaker.say(&Message::Resume { index, offset: there.offset(), digest: there.digest() })?;
            row = (0, 0);
        } else if based {
            bases.ask(&mut speaker, wanted)?;
            row = (0, 0);
        }
    }
    let (first, count) = row;
    if count > 0 {
        speaker.say(&Message::Want { first, count })?;
    }
    speaker.say(&Message::WantEnd)?;
    Ok(speaker.end()?)
}

/// Names indices, those in a row together.
pub(super) fn name<'m>(
    speaker: &mut Speaker<'_>,
    indices: impl Iterator<Item = Index>,
    message: impl Fn(u32, u32) -> Message<'m>,
) -> Result<(), Error> {
    let mut row = (0, 0);
    for index in indices.map(Index::get) {
        let (first, count) = row;
        if count > 0 && first + count == index {
            row = (first, count + 1);
            continue;
        }
        if count > 0 {
            speaker.say(&message(first, count))?;
        }
        row = (index, 1);
    }
    if row.1 > 0 {
        speaker.say(&message(row.0, row.1))?;
    }
    Ok(())
}

/// What a run would do.
pub(super) fn forecast(prepared: &Prepared, outcome: &Outcome<'_>, keeps: bool, report: &mut Report) {
    let Outcome { linked, copied, removed, .. } = outcome;
    let is_kept = |at: Index| keeps && prepared.have.entry(at).kind != Kind::Dir;
    for step in &prepared.plan.steps {
        let replaces = !matches!(step.action, Action::Detach | Action::Meta | Action::Blocked(_));
        report.kept += u64::from(replaces && step.have.is_some_and(is_kept));
        match step.action {
            Action::Fetch if linked.contains(step.want) => report.linked += 1,
            Action::Fetch if copied.contains(step.want) => report.copied += 1,
            Action::Fetch => {
                report.files += 1;
                let size = prepared.want.size(step.want).unwrap_or_default();
                report.bytes = report.bytes.saturating_add(size);
            }
            Action::MakeDir | Action::MakeNode => report.made += 1,
            Action::Link(_) => report.linked += 1,
            Action::Detach | Action::Meta => report.changed += 1,
            Action::Blocked(_) => report.problems += 1,
        }
    }
    report.removed += u64::from(removed.len());
    report.kept += removed.iter().filter(|extra| is_kept(*extra)).count() as u64;
    report.extra += prepared.plan.extras.len() as u64 - u64::from(removed.len());
}

/// What is itemised in the last turn.
pub(super) struct Changes<'c> {
    pub(super) round: &'c Round,
    pub(super) root: &'c Root,
    pub(super) prepared: &'c Prepared,
    pub(super) outcome: Outcome<'c>,
    pub(super) meta: &'c Meta<'c>,
}

/// Turn 4: says how it went.
pub(super) fn finish(
    channel: &mut Channel,
    report: Report,
    changes: &Changes<'_>,
    listed: &Problems,
    monitor: &mut dyn Monitor,
) -> Result<Report, Error> {
    let Changes { round, prepared, meta, outcome, .. } = changes;
    let flags = round.flags;
    let mut report = report;
    let own = prepared.refused.iter().chain(&prepared.scanned.problems).chain(listed.iter());
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
    if moving::is_asked(round) && report.problems == 0 && report.vanished == 0 {
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
    over(channel, report, round, monitor)
}

/// What comes after the report: nothing, unless there is turn 5.
pub(super) fn over(
    channel: &mut Channel,
    report: Report,
    round: &Round,
    monitor: &mut dyn Monitor,
) -> Result<Report, Error> {
    let report = if moving::is_asked(round) { moving::hear(channel, report, monitor)? } else { report };
    monitor.over(&report);
    Ok(report)
}
