//! Turn 2a: what is wanted and need not be sent, because the sender's digests show that it is here.

use crate::config::Durable;
use crate::install::{Arrived, Meta, Partial, Stage, StageError};
use crate::limits;
use crate::plan::{Action, Plan, PlanStep};
use crate::report::Aspects;
use crate::session::arrivals::Arrivals;
use crate::session::turns::ask;
use crate::session::{Error, delivery};
use crate::spec::{Index, Spec};
use crate::tree::{Opener, Remembered, Root};
use crate::wire::{Channel, Message, WireError};
use std::collections::{HashMap, HashSet};

/// Where wanted contents may be already.
pub(super) struct Here<'h> {
    pub(super) want: &'h Spec,
    pub(super) have: &'h Spec,
    /// The tree: a file of which the time differs may be the same all the same.
    pub(super) root: &'h Root,
    /// The stage, in which an interrupted run may have left finished files; none in a dry run.
    pub(super) stage: Option<&'h Stage>,
    /// How files that are taken over get their metadata.
    pub(super) meta: &'h Meta<'h>,
    /// When to flush them.
    pub(super) durable: Durable,
    /// What is known of contents of the tree.
    pub(super) remembered: &'h Remembered<'h>,
    /// Where digests of what is here are noted.
    pub(super) arrivals: &'h Arrivals<'h>,
}

/// What is in the stage.
#[derive(Debug, Default)]
pub(super) struct Spared {
    /// Files that are taken over.
    pub(super) arrived: HashMap<Index, Arrived>,
    /// Files of which the beginning is there.
    pub(super) partial: HashMap<Index, Partial>,
}

/// Asks for the digests of what may be here. Gives back the files of the stage that can be taken over, or gone on with; in
/// the plan, files of the tree that are found to have the wanted contents keep them.
pub(super) fn spare(channel: &mut Channel, here: &Here<'_>, plan: &mut Plan) -> Result<Spared, Error> {
    let fetched = || plan.steps.iter().filter(|step| step.action == Action::Fetch);
    let left = |step: &&PlanStep| here.stage.is_some_and(|stage| stage.left(&here.want.entry(step.want)));
    if let Some(stage) = here.stage {
        let kept = fetched().filter(left).map(|step| here.want.entry(step.want));
        stage.sweep(kept).map_err(StageError::Io)?;
    }
    let whole = |step: &&PlanStep| {
        let entry = here.want.entry(step.want);
        here.stage
            .is_some_and(|stage| stage.left_bytes(&entry).is_some() && stage.left_bytes(&entry) == entry.size)
    };
    let asked: Vec<PlanStep> = fetched().filter(|step| touched(step) || whole(step)).copied().collect();
    if asked.is_empty() {
        let partial = channel.while_working(|| here.partial(fetched()))?;
        return Ok(Spared { partial, ..Spared::default() });
    }
    let indices: Vec<Index> = asked.iter().map(|step| step.want).collect();
    ask(channel, &indices, Message::AskEnd, |first, count| Message::Ask { first, count })?;
    let answers = answers(channel, &asked)?;
    let (arrived, same) = channel.while_working(|| here.compare(&answers))?;
    plan.keep_contents(here.have, &same);
    let lacking =
        plan.steps.iter().filter(|step| step.action == Action::Fetch && !arrived.contains_key(&step.want));
    let partial = channel.while_working(|| here.partial(lacking))?;
    Ok(Spared { arrived, partial })
}

/// Whether what is there may be the same file at another time.
fn touched(step: &PlanStep) -> bool {
    let other = Aspects::TYPE.with(Aspects::SIZE).with(Aspects::DIGEST);
    step.have.is_some() && !step.aspects.intersects(other)
}

/// What the sender answers: for some of what was asked, in the same order.
fn answers(channel: &mut Channel, asked: &[PlanStep]) -> Result<Vec<(PlanStep, [u8; 32])>, Error> {
    let (mut answers, mut expected) = (Vec::new(), asked.iter());
    loop {
        match channel.listen().message()? {
            Message::Digest { index, digest } => {
                let step = expected.find(|step| step.want.get() == index);
                let step = step.ok_or(WireError::Violation("a digest that was not asked for"))?;
                answers.push((*step, digest));
            }
            Message::DigestsEnd => return Ok(answers),
            _ => return Err(WireError::Violation("something else than a digest").into()),
        }
    }
}

impl Here<'_> {
    /// The beginnings of these files. What cannot be read is sent from its own beginning.
    fn partial<'s>(&self, lacking: impl Iterator<Item = &'s PlanStep>) -> HashMap<Index, Partial> {
        let Some(stage) = self.stage else { return HashMap::new() };
        let partial = |step: &PlanStep| {
            let partial = stage.partial(&self.want.entry(step.want)).ok().flatten()?;
            Some((step.want, partial))
        };
        lacking.filter_map(partial).take(limits::PARTIALS).collect()
    }

    /// Finds the contents of these digests in the stage or in the tree. What cannot be read is sent like any other.
    fn compare(&self, answers: &[(PlanStep, [u8; 32])]) -> (HashMap<Index, Arrived>, HashSet<Index>) {
        let (mut arrived, mut same) = (HashMap::new(), HashSet::new());
        let (mut opener, mut buffer) = (Opener::new(self.root, true), Vec::new());
        for (step, digest) in answers {
            let entry = self.want.entry(step.want);
            let taken = |stage: &Stage| {
                stage.left(&entry)
                    && stage.take_over(&entry, digest, self.meta, self.durable).is_ok_and(|is| is)
            };
            if let (true, Some(size), Some(time)) = (self.stage.is_some_and(taken), entry.size, entry.time) {
                self.arrivals.note(step.want, digest);
                arrived.insert(step.want, Arrived { size, time });
            } else if let Some(at) = step.have.filter(|_| touched(step))
                && delivery::digest(&mut opener, &self.have.entry(at), self.remembered, &mut buffer)
                    .is_ok_and(|have| have == *digest)
            {
                self.arrivals.note(step.want, digest);
                same.insert(step.want);
            }
        }
        (arrived, same)
    }
}
