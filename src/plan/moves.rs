//! Wanted files that may be here already, under another name: a guess on paper, for digests to confirm.

use crate::digest::Algorithm;
use crate::plan::compare::{Action, Plan, PlanStep};
use crate::spec::{Entry, Index, Kind, Spec};
use std::hash::{DefaultHasher, Hash, Hasher};

/// A wanted file, and one that is here and may have its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The wanted entry.
    pub want: Index,
    /// What is here.
    pub have: Index,
}

/// Files that may have been moved, or copied.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// Those of which size and time agree, in the order of what is wanted.
    pub likely: Vec<Pair>,
    /// Those of which the specifications have the same digest, in the same order.
    pub certain: Vec<Pair>,
    /// Large files that are here and as long as one that is wanted, by length; those that are to stay come after the
    /// others.
    large: Vec<(u64, bool, Index)>,
}

/// Files from this size on are worth a question of their own when only their length agrees.
const LARGE: u64 = 64 * 1024;
/// How many bytes must be wanted, for each entry that is here, to look at those too that stay what they are: of these a
/// wanted file can be a copy, but hardly has been moved.
const WORTH: u64 = 1024;
/// How many files of one length are compared with one that is wanted.
const OF_ONE_LENGTH: usize = 8;

impl Moves {
    /// Looks for the files that are to be fetched, but for those of which `skip` says that they were found.
    #[must_use]
    pub fn find(want: &Spec, have: &Spec, plan: &Plan, skip: impl Fn(&PlanStep) -> bool) -> Moves {
        let mut moves = Moves::default();
        if have.census().files == 0 {
            return moves;
        }
        let (mut wanted, mut lengths, mut volume) = (Vec::new(), Vec::new(), 0u64);
        for step in plan.steps.iter().filter(|step| step.action == Action::Fetch && !skip(step)) {
            let entry = want.entry(step.want);
            if let Some(key) = key(&entry) {
                volume = volume.saturating_add(entry.length());
                wanted.push((key, step.want));
                lengths.extend(large(&entry));
            }
        }
        wanted.sort_unstable();
        lengths.sort_unstable();
        let mut there = Vec::new();
        let mut look = |at: Index| {
            let entry = have.entry(at);
            // What has no other use goes first.
            let stays = || plan.extras.binary_search(&at).is_err();
            if let Some(key) = key(&entry)
                && wanted.binary_search_by_key(&key, |(key, _)| *key).is_ok()
            {
                there.push((key, stays(), at));
            }
            if let Some(length) = large(&entry).filter(|length| lengths.binary_search(length).is_ok()) {
                moves.large.push((length, stays(), at));
            }
        };
        if wanted.is_empty() {
            return moves;
        }
        if volume / WORTH >= have.len().into() {
            (0..have.len()).filter_map(|number| have.index(number)).for_each(&mut look);
        } else {
            let stays = |action| matches!(action, Action::Meta | Action::Detach | Action::Blocked(_));
            let replaced = plan.steps.iter().filter(|step| !stays(step.action));
            plan.extras.iter().copied().chain(replaced.filter_map(|step| step.have)).for_each(&mut look);
        }
        there.sort_unstable();
        moves.large.sort_unstable();
        moves.pair(want, have, &wanted, &there);
        moves
    }

    /// Pairs what has the same key: the first with the first, since what is moved keeps its order.
    fn pair(&mut self, want: &Spec, have: &Spec, wanted: &[(Key, Index)], there: &[(Key, bool, Index)]) {
        let mut rest = there;
        for row in wanted.chunk_by(|a, b| a.0 == b.0) {
            let Some((key, _)) = row.first() else { continue };
            rest = rest.get(rest.partition_point(|(other, ..)| other < key)..).unwrap_or_default();
            let same = rest.partition_point(|(other, ..)| other == key);
            let mut sources = rest.iter().take(same);
            let mut source = None;
            for (_, at) in row {
                // One may have been copied several times.
                source = sources.next().or(source);
                let Some((.., from)) = source else { break };
                let (pair, wanted, there) =
                    (Pair { want: *at, have: *from }, want.entry(*at), have.entry(*from));
                match wanted.digests.agrees(&there.digests) {
                    _ if wanted.size != there.size => {}
                    Some(true) => self.certain.push(pair),
                    None if wanted.digests.algorithms().is_empty() && wanted.time == there.time => {
                        self.likely.push(pair);
                    }
                    _ => {}
                }
            }
        }
        self.likely.sort_unstable_by_key(|pair| pair.want);
        self.certain.sort_unstable_by_key(|pair| pair.want);
    }

    /// Whether anything is worth a question because it is as long as a file that is wanted.
    #[must_use]
    pub const fn knows_lengths(&self) -> bool {
        !self.large.is_empty()
    }

    /// What is as long as this file, which is worth a question.
    pub fn as_long<'m>(&'m self, want: &Entry<'_>) -> impl Iterator<Item = Index> + use<'m> {
        let length = large(want);
        let from = self.large.partition_point(|(other, ..)| Some(*other) < length);
        let same = self.large.iter().skip(from).take_while(move |(other, ..)| Some(*other) == length);
        same.take(OF_ONE_LENGTH).map(|(.., at)| *at)
    }

    /// Whether this wanted file is one of those of which size and time, or digests, agree with one that is here.
    #[must_use]
    pub fn holds(&self, want: Index) -> bool {
        let is_in = |pairs: &[Pair]| pairs.binary_search_by_key(&want, |pair| pair.want).is_ok();
        is_in(&self.likely) || is_in(&self.certain)
    }
}

/// What two files have in common that are probably the same, in no more bytes than tell a million apart.
type Key = [u8; 5];

/// Of their digest, or else of their size and time. There is nothing to gain from empty ones.
fn key(entry: &Entry<'_>) -> Option<Key> {
    if entry.kind != Kind::File || entry.size.is_none_or(|size| size == 0) {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    if entry.digests.algorithms().is_empty() {
        (entry.size, entry.time?).hash(&mut hasher);
    } else {
        // Of the others some can be the same by chance, and some by intent.
        entry.digests.get(Algorithm::Blake3)?.hash(&mut hasher);
    }
    hasher.finish().to_be_bytes().first_chunk().copied()
}

/// The length of a file that is worth a question when nothing else agrees.
fn large(entry: &Entry<'_>) -> Option<u64> {
    let asked = entry.kind == Kind::File && entry.digests.algorithms().is_empty();
    entry.size.filter(|size| asked && *size >= LARGE)
}
