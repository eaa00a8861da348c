//! Compares what is wanted with what is there: a pure function from two specifications to a [`Plan`].

use crate::path::RelPath;
use crate::plan::links::Links;
use crate::plan::{Merge, Met, Owners};
use crate::report::Aspects;
use crate::spec::{Entry, Index, Kind, Marks, Spec, Time};
use crate::sys::tick::{self, Tick};
use crate::terms::{Comparison, Quick};

/// What is to be done at one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Ask the sender for the contents.
    Fetch,
    /// Copy the contents that are here into a file of its own: the name shares it with others that must not change.
    Detach,
    /// Make a directory.
    MakeDir,
    /// Make a symbolic link, a named pipe or a device.
    MakeNode,
    /// Make the name a link of the file at this index.
    Link(Index),
    /// Change metadata only.
    Meta,
    /// Nothing can be done.
    Blocked(Because),
}

/// Why nothing can be done at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// A directory that is not empty is in the way, and nothing may be removed, or not all of it is ours to remove.
    NotEmpty,
    /// The directory above it could not be examined, or another file system is mounted there.
    Unseen,
}

/// One thing to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanStep {
    /// The wanted entry.
    pub want: Index,
    /// What is there now.
    pub have: Option<Index>,
    /// What to do.
    pub action: Action,
    /// In what they differ.
    pub aspects: Aspects,
}

/// What must be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// At wanted paths, in tree order.
    pub steps: Vec<PlanStep>,
    /// Entries of the receiver that are not wanted and can be removed, in tree order.
    pub extras: Vec<Index>,
    /// Wanted entries that the receiver is not to have, or not like that, in tree order.
    pub left: Vec<Index>,
}

/// What decides besides the two specifications.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'r> {
    /// Who is to own what.
    pub owners: &'r Owners,
    /// Whether extras may be removed to make way.
    pub delete: bool,
    /// Whether the specification tells which names are one file.
    pub links: bool,
    /// Whether extended attributes are carried: then those that are not wanted go.
    pub xattrs: bool,
    /// Which differences count.
    pub comparison: Comparison,
    /// How fine the times are that the receiver's file system keeps.
    pub tick: Tick,
    /// Wanted names that stay what they are, whatever is planned for them: no other name becomes one file with them.
    pub away: Option<&'r Marks>,
}

impl Rules<'_> {
    /// Whether this name stays what it is.
    pub(super) fn is_away(&self, want: Index) -> bool {
        self.away.is_some_and(|away| away.contains(want))
    }
}

impl Plan {
    /// Whether some times here look like those that are wanted, cut to what a coarse file system keeps.
    #[must_use]
    pub fn looks_coarse(&self, want: &Spec, have: &Spec) -> bool {
        self.steps.iter().filter(|step| step.aspects.contains(Aspects::TIME)).any(|step| {
            let there = step.have.and_then(|have_at| have.entry(have_at).time);
            let times = want.entry(step.want).time.zip(there);
            times.is_some_and(|(want, have)| tick::looks_cut(pair(want), pair(have)))
        })
    }

    /// Lets these wanted files keep the contents that are there, which were found to be theirs: what is to be set is
    /// set in place, or in a copy where names share the file that are not to become what it does.
    pub fn keep_contents(&mut self, want: &Spec, have: &Spec, same: &Marks, rules: &Rules<'_>) {
        if same.is_empty() {
            return;
        }
        let is_linked = |at: Index| have.entry(at).inode.is_some();
        let linked =
            self.steps.iter().any(|step| same.contains(step.want) && step.have.is_some_and(is_linked));
        let mut links = if linked { Links::new(want, have, rules) } else { Links::default() };
        let mut staying: Vec<(Index, Option<Index>)> = Vec::new();
        for step in self.steps.iter_mut().filter(|step| same.contains(step.want)) {
            let there = step.have.filter(|_| linked).map(|at| (at, have.entry(at)));
            if there.is_some_and(|(at, have)| links.part(step.want, (at, &have), rules, &mut step.aspects)) {
                step.action = Action::Detach;
            } else {
                step.action = Action::Meta;
                staying.push((step.want, step.have));
            }
        }
        let stays = |want: Index| {
            let at = staying.binary_search_by_key(&want, |(want, _)| *want).ok()?;
            staying.get(at).map(|(_, have)| *have)
        };
        self.steps.retain(|step| match step.action {
            // The other names that they have already.
            Action::Link(first) => {
                !stays(first).flatten().zip(step.have).is_some_and(|(one, other)| links.are_one(one, other))
            }
            // Some were only asked about.
            _ => !step.aspects.is_empty() || stays(step.want).is_none(),
        });
    }

    /// The extras that can go: none, where something that is wanted is blocked.
    #[must_use]
    pub fn removable(&self) -> Marks {
        let blocked = self.steps.iter().any(|step| matches!(step.action, Action::Blocked(_)));
        self.extras.iter().copied().filter(|_| !blocked).collect()
    }

    /// Whether the file that has the name of this wanted entry now keeps it.
    #[must_use]
    pub fn keeps_file(&self, want: Index) -> bool {
        let at = self.steps.binary_search_by_key(&want, |step| step.want).ok();
        at.and_then(|at| self.steps.get(at)).is_none_or(|step| step.action == Action::Meta)
    }

    /// The files to ask for, in tree order.
    pub fn wanted(&self) -> impl Iterator<Item = Index> + '_ {
        self.steps.iter().filter(|step| step.action == Action::Fetch).map(|step| step.want)
    }
}

/// What must be done to make `have` like `want`. `hidden` are the directories of the receiver, sorted, that hold
/// something its scan did not show.
pub fn compare(want: &Spec, have: &Spec, hidden: &[RelPath<'_>], rules: &Rules<'_>) -> Plan {
    let mut compare = Compare {
        rules,
        hidden,
        links: Links::new(want, have, rules),
        plan: Plan::default(),
        ignored: None,
        unseen: None,
        in_the_way: None,
    };
    let merge = Merge::new([want, have]);
    // Where nothing proves that contents are the same, no entry may be passed over.
    let merge = if rules.comparison.quick == Quick::Never { merge.complete() } else { merge };
    let mut merge = merge.peekable();
    while let Some(met) = merge.next() {
        let occupied = merge.peek().is_some_and(|next| next.path.is_within(&met.path));
        compare.path(met, occupied);
    }
    compare.plan
}

/// In what an entry differs from one that is somewhere else.
#[must_use]
pub fn differences(want: &Entry<'_>, have: &Entry<'_>, rules: &Rules<'_>) -> Aspects {
    let compare = Compare {
        rules,
        hidden: &[],
        links: Links::default(),
        plan: Plan::default(),
        ignored: None,
        unseen: None,
        in_the_way: None,
    };
    compare.metadata(want, have).with(contents(want, have))
}

struct Compare<'c> {
    rules: &'c Rules<'c>,
    hidden: &'c [RelPath<'c>],
    links: Links,
    plan: Plan,
    /// The wanted directory whose contents are left alone.
    ignored: Option<RelPath<'static>>,
    /// The directory of the receiver that could not be listed.
    unseen: Option<RelPath<'static>>,
    /// The directory of the receiver that must go to make way for something else, and may not.
    in_the_way: Option<RelPath<'static>>,
}

fn below(directory: Option<&RelPath<'_>>, path: &RelPath<'_>) -> bool {
    directory.is_some_and(|directory| path.is_within(directory))
}

impl Compare<'_> {
    /// `occupied`: whether something below this path is wanted or there.
    fn path(&mut self, met: Met<'_, 2>, occupied: bool) {
        let Met { path, entries: [want, have] } = met;
        if below(self.ignored.as_ref(), &path) {
            self.plan.left.extend(want.map(|(index, _)| index));
            return;
        }
        if want.as_ref().is_some_and(|(_, entry)| entry.ignore) {
            self.ignored = Some(path.clone().into_owned());
        }
        if have.as_ref().is_some_and(|(_, entry)| entry.ignore) {
            self.unseen = Some(path.clone().into_owned());
        }
        if let Some((index, want)) = &want {
            let have = have.as_ref().map(|(_, have)| have);
            if self.keeps(want, have) || self.passes_over(want, have) {
                self.plan.left.push(*index);
                return;
            }
        }
        match (want, have) {
            (Some((index, want)), None) => {
                let action = if below(self.unseen.as_ref(), &path) {
                    Action::Blocked(Because::Unseen)
                } else if below(self.in_the_way.as_ref(), &path) {
                    Action::Blocked(Because::NotEmpty)
                } else {
                    self.make(index, &want)
                };
                self.step(index, None, action, Aspects::NONE);
            }
            (Some((index, want)), Some((at, have))) => self.both(index, &want, at, &have, occupied),
            (None, Some((at, _))) => {
                // What is extra and holds something that we do not see is not ours to remove.
                if !self.hides(&path) && !below(self.in_the_way.as_ref(), &path) {
                    self.plan.extras.push(at);
                }
            }
            (None, None) => {}
        }
    }

    /// Whether what is there, or that nothing is, is to stay so; then what is below it is no concern of ours either.
    fn keeps(&mut self, want: &Entry<'_>, have: Option<&Entry<'_>>) -> bool {
        // A socket is not carried; what has its path here need not be one.
        let kept = want.kind == Kind::Socket || if have.is_some() { want.nochange } else { want.optional };
        if kept && have.is_none_or(|have| have.kind != want.kind) {
            self.ignored = Some(want.path.clone().into_owned());
        }
        kept
    }

    /// Whether the comparison that was asked for leaves this path as it is.
    fn passes_over(&mut self, want: &Entry<'_>, have: Option<&Entry<'_>>) -> bool {
        let Comparison { existing, ignore_existing, update, .. } = self.rules.comparison;
        let Some(have) = have else { return existing };
        let directories = (want.kind == Kind::Dir, have.kind == Kind::Dir);
        if ignore_existing && directories != (true, true) {
            if directories != (false, false) {
                self.ignored = Some(want.path.clone().into_owned());
            }
            return true;
        }
        let files = want.kind == Kind::File && have.kind == Kind::File;
        update && files && have.time > want.time && self.other_time(want, have)
    }

    fn lead(&mut self, want: Index, kept: Option<Index>) {
        if !self.rules.is_away(want) {
            self.links.lead(want, kept);
        }
    }

    fn step(&mut self, want: Index, have: Option<Index>, action: Action, aspects: Aspects) {
        self.plan.steps.push(PlanStep { want, have, action, aspects });
    }

    /// Whether anything at or below the path is hidden from the scan.
    fn hides(&self, path: &RelPath<'_>) -> bool {
        let at = self.hidden.partition_point(|hidden| hidden < path);
        self.hidden.get(at).is_some_and(|hidden| hidden.is_within(path))
    }

    /// How to make what is not there.
    fn make(&mut self, index: Index, want: &Entry<'_>) -> Action {
        if let Some(leader) = self.links.leader(index) {
            return Action::Link(leader.want);
        }
        self.lead(index, None);
        match want.kind {
            Kind::Dir => Action::MakeDir,
            Kind::File => Action::Fetch,
            Kind::Link | Kind::Fifo | Kind::Block | Kind::Char | Kind::Socket => Action::MakeNode,
        }
    }

    fn both(&mut self, index: Index, want: &Entry<'_>, at: Index, have: &Entry<'_>, occupied: bool) {
        if want.kind != have.kind {
            let blocked =
                have.kind == Kind::Dir && (self.hides(&want.path) || occupied && !self.rules.delete);
            let action = if blocked {
                self.in_the_way = Some(want.path.clone().into_owned());
                Action::Blocked(Because::NotEmpty)
            } else {
                self.make(index, want)
            };
            return self.step(index, Some(at), action, Aspects::TYPE);
        }
        let mut aspects = self.metadata(want, have);
        aspects = aspects.with(contents(want, have));
        if let Some(leader) = self.links.leader(index) {
            // The same file as the group's first name, and that one stays: whatever else differs is set there.
            if leader.kept.is_some_and(|kept| self.links.are_one(kept, at)) {
                return;
            }
            return self.step(index, Some(at), Action::Link(leader.want), aspects.with(Aspects::HARDLINK));
        }
        // Another time means other contents, unless digests say that they are the same.
        let proven = want.digests.agrees(&have.digests) == Some(true);
        let differs = match self.rules.comparison.quick {
            Quick::SizeAndTime => aspects.contains(Aspects::TIME),
            Quick::Size => false,
            Quick::Never => true,
        };
        let remade = aspects
            .intersects(Aspects::SIZE.with(Aspects::DIGEST).with(Aspects::LINK).with(Aspects::DEVICE))
            || want.kind == Kind::File && differs && !proven
            || matches!(want.kind, Kind::Fifo | Kind::Block | Kind::Char) && aspects.contains(Aspects::MODE);
        if remade {
            self.lead(index, None);
            let action = if want.kind == Kind::File { Action::Fetch } else { Action::MakeNode };
            return self.step(index, Some(at), action, aspects);
        }
        if self.links.part(index, (at, have), self.rules, &mut aspects) {
            self.lead(index, None);
            let action = if want.kind == Kind::File { Action::Detach } else { Action::MakeNode };
            return self.step(index, Some(at), action, aspects);
        }
        self.lead(index, Some(at));
        if !aspects.is_empty() {
            self.step(index, Some(at), Action::Meta, aspects);
        }
    }

    /// Whether the time differs, as far as it counts and as the file system could keep it.
    fn other_time(&self, want: &Entry<'_>, have: &Entry<'_>) -> bool {
        let (Some(want), Some(have)) = (want.time, have.time) else { return want.time.is_some() };
        let within = self.rules.comparison.window > 0
            && want.sec.abs_diff(have.sec) <= self.rules.comparison.window.into();
        want != have && !within && self.rules.tick.cut(pair(want)) != pair(have)
    }

    /// In what owner, mode and time differ.
    fn metadata(&self, want: &Entry<'_>, have: &Entry<'_>) -> Aspects {
        let mut aspects = Aspects::NONE;
        let differs =
            |wanted: Option<u32>, there: Option<u32>| wanted.is_some() && there.is_some() && wanted != there;
        aspects.note(Aspects::USER, differs(self.rules.owners.user(want), have.uid));
        aspects.note(Aspects::GROUP, differs(self.rules.owners.group(want), have.gid));
        aspects.note(Aspects::MODE, want.kind != Kind::Link && differs(want.mode, have.mode));
        aspects.note(Aspects::TIME, self.other_time(want, have));
        if self.rules.xattrs {
            let wanted = self.rules.owners.xattrs(want);
            if wanted != have.xattrs {
                let differ = |those: fn(&[u8]) -> bool| wanted.filtered(those) != have.xattrs.filtered(those);
                aspects.note(Aspects::ACL, differ(is_acl));
                aspects.note(Aspects::XATTR, differ(|name| !is_acl(name)));
            }
        }
        aspects
    }
}

fn pair(time: Time) -> (i64, u32) {
    (time.sec, time.nsec)
}

/// Whether an extended attribute is a POSIX access control list.
fn is_acl(name: &[u8]) -> bool {
    name.starts_with(b"system.posix_acl_")
}

/// In what contents differ.
fn contents(want: &Entry<'_>, have: &Entry<'_>) -> Aspects {
    let mut aspects = Aspects::NONE;
    aspects.note(Aspects::SIZE, want.size.is_some() && want.size != have.size);
    aspects.note(Aspects::LINK, want.link.is_some() && want.link != have.link);
    aspects.note(Aspects::DEVICE, want.device.is_some() && want.device != have.device);
    aspects.note(Aspects::DIGEST, want.digests.agrees(&have.digests) == Some(false));
    aspects
}
