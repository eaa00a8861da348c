//! Turn 2a: what is wanted and need not be sent, because the sender's digests show that it is here.

use crate::config::Durable;
use crate::install::{Arrived, Fresh, Left, Meta, Partial, Places, Stage, StageError, Staged};
use crate::limits;
use crate::plan::{Action, Moves, Plan, PlanStep, Rules};
use crate::report::Aspects;
use crate::session::arrivals::Arrivals;
use crate::session::moves::{Answered, Question, Sources};
use crate::session::{Error, delivery};
use crate::spec::{Entry, Index, Marks, Spec};
use crate::sys::{Buffer, threads};
use crate::tree::{Opener, Remembered, Root};
use crate::wire::Channel;
use std::collections::HashMap;
use std::io;

/// Where wanted contents may be already.
pub(super) struct Here<'h> {
    pub(super) want: &'h Spec,
    pub(super) have: &'h Spec,
    /// The tree: a file of which the time differs may be the same all the same.
    pub(super) root: &'h Root,
    /// The stage, in which an interrupted run may have left finished files; none in a dry run.
    pub(super) stage: Option<&'h Stage>,
    /// What is built there as a whole.
    pub(super) fresh: &'h Fresh,
    /// How files that are taken over get their metadata.
    pub(super) meta: &'h Meta<'h>,
    /// When to flush them.
    pub(super) durable: Durable,
    /// What is known of contents of the tree.
    pub(super) remembered: &'h Remembered<'h>,
    /// Where digests of what is here are noted.
    pub(super) arrivals: &'h Arrivals<'h>,
    /// In what files differ.
    pub(super) rules: &'h Rules<'h>,
    /// Whether what is not wanted goes.
    pub(super) delete: bool,
    /// Whether what goes is kept elsewhere.
    pub(super) keeps: bool,
    /// Whether only what differs is sent of a large file.
    pub(super) delta: bool,
}

/// What need not be sent, or not all of it.
#[derive(Debug, Default)]
pub(super) struct Spared {
    /// Files in the stage that are taken over.
    pub(super) arrived: Staged,
    /// Files of which the beginning is in the stage.
    pub(super) partial: HashMap<Index, Partial>,
    /// Files that are in the tree under other names.
    pub(super) moved: Sources,
}

/// Asks for the digests of what may be here. Gives back the files of the stage that can be taken over, or gone on with, and
/// those of the tree that have other names; in the plan, files that are found to have the wanted contents keep them.
pub(super) fn spare(channel: &mut Channel, here: &Here<'_>, plan: &mut Plan) -> Result<Spared, Error> {
    let left = channel.while_working(|| here.left(plan))?.map_err(StageError::Io)?;
    let fetched = || plan.steps.iter().filter(|step| step.action == Action::Fetch);
    let is_here = |step: &PlanStep| touched(step) && !here.differs(step) || left.whole.contains(step.want);
    let moves = channel.while_working(|| Moves::find(here.want, here.have, plan, is_here))?;
    let maybe = |step: &PlanStep| {
        if !moves.knows_lengths() {
            return false;
        }
        let other = |at| step.have != Some(at) || !here.differs(step);
        !moves.holds(step.want) && moves.as_long(&here.want.entry(step.want)).any(other)
    };
    let asked: Vec<PlanStep> = fetched().filter(|step| is_here(step) || maybe(step)).copied().collect();
    let question = Question { here, plan, moves: &moves, left: &left, asked: &asked };
    let Answered { arrived, same, found: mut moved, open } = question.ask(channel)?;
    if !open.is_empty() {
        moved.extend(channel.while_working(|| question.compare_as_long(&open))?);
    }
    let moved = Sources::new(moved);
    channel.while_working(|| plan.keep_contents(here.want, here.have, &same, here.rules))?;
    let here_now = |index: &Index| same.contains(*index) || moved.get(*index).is_some();
    let lacking: Vec<Index> = left.begun.into_iter().filter(|index| !here_now(index)).collect();
    let partial = channel.while_working(|| here.partial(&lacking))?;
    Ok(Spared { arrived, partial, moved })
}

/// Whether what is there may be the same file at another time.
fn touched(step: &PlanStep) -> bool {
    let other = Aspects::TYPE.with(Aspects::SIZE).with(Aspects::DIGEST);
    step.have.is_some() && !step.aspects.intersects(other)
}

impl Here<'_> {
    /// Whether what is there of a wanted file is so large that its blocks are compared at once. To ask whether it is the
    /// same all the same, the sender would read all of it once more.
    fn differs(&self, step: &PlanStep) -> bool {
        let size = |at| self.have.size(at).unwrap_or_default();
        self.delta && step.have.is_some_and(|at| size(at) >= limits::COMPARED_AT_ONCE)
    }

    /// What an interrupted run left of use in the stage.
    fn left(&self, plan: &Plan) -> io::Result<Left> {
        match self.stage {
            Some(stage) if stage.has_left() => stage.sweep(self.want, self.fresh, &plan.wanted().collect()),
            _ => Ok(Left::default()),
        }
    }

    /// The beginnings of these files. What cannot be read is sent from its own beginning.
    fn partial(&self, begun: &[Index]) -> HashMap<Index, Partial> {
        let Some(stage) = self.stage else { return HashMap::new() };
        let partial = threads::spread(begun.iter(), |begun| {
            let mut places = Places::new(stage, self.want, self.fresh);
            let partial = |index: &Index| {
                let partial = places.partial(*index, &self.want.entry(*index)).ok().flatten()?;
                Some((*index, partial))
            };
            begun.filter_map(partial).collect::<Vec<_>>()
        });
        partial.into_iter().flatten().collect()
    }

    /// Finds the contents of these digests in the stage, or in the tree at the same path. What cannot be read is sent like
    /// any other.
    pub(super) fn compare<'a>(
        &self,
        answered: impl Iterator<Item = (&'a PlanStep, &'a [u8; 32])> + Send,
        left: &Left,
    ) -> (Staged, Marks) {
        let found = threads::spread(answered, |answered| {
            let mut places = self.stage.map(|stage| Places::new(stage, self.want, self.fresh));
            let (mut opener, mut buffer) = (Opener::new(self.root, true), Buffer::new(limits::RECORD));
            let (mut arrived, mut same) = (Staged::default(), Vec::new());
            for (step, digest) in answered {
                let places = places.as_mut().filter(|_| left.whole.contains(step.want));
                if let Some((entry, as_what)) =
                    places.and_then(|places| self.take_over(places, step.want, digest, &mut buffer))
                {
                    self.arrivals.note(step.want, digest);
                    arrived.insert(step.want, &entry, as_what);
                    continue;
                }
                let Some(at) = step.have.filter(|_| touched(step)) else { continue };
                let own = delivery::digest(&mut opener, &self.have.entry(at), self.remembered, &mut buffer);
                if own.is_ok_and(|own| own == *digest) {
                    self.arrivals.note(step.want, digest);
                    same.push(step.want);
                }
            }
            (arrived, same)
        });
        let (mut arrived, mut same) = (Staged::default(), Marks::default());
        for (some_arrived, some_same) in found {
            arrived.extend(some_arrived);
            same.extend(some_same);
        }
        (arrived, same)
    }

    /// Takes over the file that waits for this entry, if it has these contents.
    fn take_over(
        &self,
        places: &mut Places<'_>,
        index: Index,
        digest: &[u8; 32],
        buffer: &mut Buffer,
    ) -> Option<(Entry<'_>, Arrived)> {
        let entry = self.want.entry(index);
        let (size, time) = (entry.size?, entry.time?);
        let taken = places.take_over(index, &entry, (digest, buffer), self.meta, self.durable);
        taken.is_ok_and(|taken| taken).then_some((entry, Arrived { size, time }))
    }
}
