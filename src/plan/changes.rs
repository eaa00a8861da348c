//! What a plan changes, told path by path: for whoever looks on, and for a dry run.

use crate::plan::Owners;
use crate::plan::compare::{Action, Plan, PlanStep};
use crate::report::{Aspects, Change, Deed, Fate};
use crate::spec::{Device, Entry, Keyword, Marks, Spec, Time};

/// What became of a plan, or would become of it, besides what it says itself.
#[derive(Debug)]
pub struct Outcome<'o> {
    /// Who was to own what.
    pub owners: &'o Owners,
    /// The wanted files that an interrupted run had left in the stage.
    pub taken_over: Marks,
    /// The wanted files that become one more name of what another tree here has.
    pub linked: Marks,
    /// Those that become copies of what is here.
    pub copied: Marks,
    /// The extras that are removed.
    pub removed: Marks,
}

impl Plan {
    /// What the steps and extras change, in tree order within each.
    pub fn changes<'a>(
        &'a self,
        want: &'a Spec,
        have: &'a Spec,
        outcome: &'a Outcome<'a>,
    ) -> impl Iterator<Item = Change> + 'a {
        let steps = self.steps.iter().map(|step| change(step, want, have, outcome));
        steps.chain(self.extras(have, &outcome.removed))
    }

    /// The extras, of which these are removed, in tree order.
    pub fn extras<'a>(&'a self, have: &'a Spec, removed: &'a Marks) -> impl Iterator<Item = Change> + 'a {
        self.extras.iter().map(move |extra| {
            let deed = if removed.contains(*extra) { Deed::Removed } else { Deed::Kept };
            let entry = have.entry(*extra);
            Change {
                kind: entry.kind.in_stat(),
                path: entry.path.into_owned(),
                fate: Fate::Extra,
                deed,
                aspects: Aspects::NONE,
                target: Box::default(),
                wanted: Vec::new(),
                found: Vec::new(),
            }
        })
    }
}

fn change(step: &PlanStep, want: &Spec, have: &Spec, outcome: &Outcome<'_>) -> Change {
    let wanted = want.entry(step.want);
    let there = step.have.map(|at| have.entry(at));
    let deed = match step.action {
        Action::Fetch if outcome.taken_over.contains(step.want) => Deed::TakenOver,
        Action::Fetch if outcome.linked.contains(step.want) => Deed::Linked,
        Action::Fetch if outcome.copied.contains(step.want) => Deed::Copied,
        Action::Fetch => Deed::Sent,
        Action::Detach => Deed::Copied,
        Action::MakeDir | Action::MakeNode => Deed::Made,
        Action::Link(_) => Deed::Linked,
        Action::Meta => Deed::Set,
        Action::Blocked(_) => Deed::Blocked,
    };
    let target = match step.action {
        Action::Link(first) => want.path(first).as_bytes().into(),
        // Of the file at the same path in another tree.
        Action::Fetch if deed == Deed::Linked => wanted.path.as_bytes().into(),
        _ => wanted.link.as_deref().unwrap_or_default().into(),
    };
    let values = |of: &dyn Fn(Aspects) -> Option<Vec<u8>>| -> Vec<Box<[u8]>> {
        step.aspects.iter().map(|aspect| of(aspect).unwrap_or_default().into()).collect()
    };
    let owners = (outcome.owners.user(&wanted), outcome.owners.group(&wanted));
    let found = values(&|aspect| {
        let there = there.as_ref()?;
        value(there, (there.uid, there.gid), &wanted, aspect)
    });
    let fate = if there.is_none() { Fate::Missing } else { Fate::Changed };
    Change {
        fate,
        kind: wanted.kind.in_stat(),
        deed,
        aspects: step.aspects,
        target,
        wanted: values(&|aspect| value(&wanted, owners, there.as_ref().unwrap_or(&wanted), aspect)),
        found,
        path: wanted.path.into_owned(),
    }
}

/// What an entry says in one respect, as mtree(5) writes it; nothing where one value does not tell it. Of the digests it
/// is the strongest that the other entry has too.
fn value(
    entry: &Entry<'_>,
    (user, group): (Option<u32>, Option<u32>),
    other: &Entry<'_>,
    aspect: Aspects,
) -> Option<Vec<u8>> {
    let text = match aspect {
        Aspects::TYPE => entry.kind.name().to_owned(),
        Aspects::SIZE => entry.size?.to_string(),
        Aspects::TIME => {
            let Time { sec, nsec } = entry.time?;
            format!("{sec}.{nsec:09}")
        }
        Aspects::MODE => format!("{:#o}", entry.mode?).replacen("0o", "0", 1),
        Aspects::USER => user?.to_string(),
        Aspects::GROUP => group?.to_string(),
        Aspects::LINK => return entry.link.as_deref().map(<[u8]>::to_vec),
        Aspects::DEVICE => {
            let Device { major, minor } = entry.device?;
            format!("native,{major},{minor}")
        }
        Aspects::DIGEST => {
            let common = entry.digests.algorithms().intersection(other.digests.algorithms());
            let algorithm = common.strongest()?;
            let digest = String::from_utf8_lossy(entry.digests.get(algorithm)?).into_owned();
            format!("{}={digest}", Keyword::of_algorithm(algorithm).name())
        }
        _ => return None,
    };
    Some(text.into_bytes())
}
