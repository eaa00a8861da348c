//! Whether what a round would remove seems meant; and when it does not, the end of the round.

use crate::limits;
use crate::path::{RelPath, Scope};
use crate::plan::Plan;
use crate::report::{Doubt, Monitor, Problem, Refusal, Report, Why};
use crate::session::Error;
use crate::spec::{Kind, Marks, Spec};
use crate::terms::{FEW, Keeping, Limit};
use crate::wire::{Channel, Message};

/// What a decision is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Removal<'r> {
    pub(super) plan: &'r Plan,
    pub(super) want: &'r Spec,
    pub(super) have: &'r Spec,
    pub(super) scope: &'r Scope,
    /// How much the module lets go at once.
    pub(super) most: Option<Limit>,
}

impl Removal<'_> {
    /// Why the round is not to be carried out, if it is not.
    pub(super) fn refusal(&self, keeping: &Keeping, doubt: Option<Doubt>) -> Option<Refusal> {
        let removals = self.plan.extras.len() as u64;
        if removals == 0 {
            return None;
        }
        let entries = count(self.have, self.scope);
        let refuse = |why, path| Some(Refusal { why, removals, entries, path });
        if self.most.is_some_and(|most| !most.allows(removals, entries)) {
            return refuse(Why::Module, RelPath::ROOT);
        }
        let allowed = keeping.limit.allows(removals, entries);
        if keeping.limit != Limit::Guard && !allowed {
            return refuse(Why::Limit, RelPath::ROOT);
        }
        if keeping.force {
            return None;
        }
        if let Some(Doubt { why, path }) = doubt {
            return refuse(why, path);
        }
        if let Some(path) = self.of_another_type() {
            return refuse(Why::Type, path);
        }
        if count(self.want, self.scope) == 0 {
            return refuse(Why::Empty, RelPath::ROOT);
        }
        if let Some(path) = self.emptied() {
            return refuse(Why::Empty, path);
        }
        if allowed { None } else { refuse(Why::Guard, RelPath::ROOT) }
    }

    /// A name that the round is about, of which the sender has nothing but the directory, and the receiver much.
    fn emptied(&self) -> Option<RelPath<'static>> {
        let much = |path: &RelPath<'_>| self.gone_below(path, FEW) == FEW;
        self.scope.only().iter().find(|path| much(path) && !self.want.holds(path)).cloned()
    }

    /// A name that the round is about and that is a directory with something in it here, and none at the sender.
    fn of_another_type(&self) -> Option<RelPath<'static>> {
        let is_dir =
            |spec: &Spec, path: &RelPath<'_>| spec.find(path).is_some_and(|entry| entry.kind == Kind::Dir);
        let holds = |path: &RelPath<'_>| self.gone_below(path, 1) == 1;
        let other = |path: &&RelPath<'_>| !is_dir(self.want, path) && is_dir(self.have, path) && holds(path);
        self.scope.only().iter().find(other).cloned()
    }

    /// How many names below this path would go, `most` at most.
    fn gone_below(&self, path: &RelPath<'_>, most: u64) -> u64 {
        let from = self.plan.extras.partition_point(|extra| self.have.path(*extra) <= *path);
        let below = self.plan.extras.iter().skip(from);
        let below = below.take_while(|extra| self.have.path(**extra).is_within(path));
        below.zip(0..most).count() as u64
    }

    /// Turn 4 of a round that is not carried out: why, and what would have gone.
    pub(super) fn refuse(
        &self,
        channel: &mut Channel,
        report: Report,
        problems: &[Problem],
        refusal: &Refusal,
        monitor: &mut dyn Monitor,
    ) -> Result<Report, Error> {
        let problems = || problems.iter().take(limits::PROBLEMS);
        let report = Report {
            problems: report.problems + problems().count() as u64,
            refused: refusal.removals,
            ..report
        };
        let mut speaker = channel.speak();
        for problem in problems() {
            monitor.problem(problem);
            speaker.say(&Message::Problem(problem.clone()))?;
        }
        monitor.refusal(refusal);
        speaker.say(&Message::Refusal(refusal.clone()))?;
        for change in self.plan.extras(self.have, &Marks::default()).take(limits::REFUSED as usize) {
            monitor.change(&change);
            speaker.say(&Message::Change(change))?;
        }
        speaker.say(&Message::Report(report))?;
        speaker.end()?;
        Ok(report)
    }
}

/// Entries that the round is about: neither the root nor what only leads to them.
fn count(spec: &Spec, scope: &Scope) -> u64 {
    let all = u64::from(spec.len()).saturating_sub(1);
    if scope.only().is_empty() {
        return all;
    }
    spec.iter().filter(|(_, entry)| !scope.leads(&entry.path)).count() as u64
}
