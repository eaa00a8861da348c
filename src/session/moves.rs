//! Moves: a wanted file of which the contents are here under another name is not sent.

use crate::digest::Content;
use crate::install::{Known, Left, Mark, Staged};
use crate::limits;
use crate::plan::{Moves, Pair, Plan, PlanStep, differences};
use crate::session::spare::Here;
use crate::session::turns::name;
use crate::session::{Error, delivery};
use crate::spec::{Index, Marks, Spec};
use crate::sys::{Buffer, clock, threads};
use crate::tree::{Cursor, Opener, Remembered};
use crate::wire::{Channel, Message, WireError};
use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::Builder;

/// Where the contents of a wanted file are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    pub(super) have: Index,
    /// What tells that it is still the same.
    mark: Mark,
    /// Whether it is all that is wanted, and goes from where it is: it can get the new name itself.
    pub(super) goes: bool,
}

impl Source {
    /// What is to be found there, and whether it goes.
    pub(super) const fn what(&self) -> (Mark, bool) {
        (self.mark, self.goes)
    }
}

/// Where the contents of wanted files are, in tree order; sixteen bytes each.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<(Index, Source)>);

impl Sources {
    /// Those that were found. One file can get one name in place of its own: other names are copies.
    pub(super) fn new(mut found: Vec<(Index, Source)>) -> Sources {
        found.sort_unstable_by_key(|(index, _)| *index);
        let mut gone = Marks::default();
        for (_, source) in found.iter_mut().filter(|(_, source)| source.goes) {
            source.goes = !gone.contains(source.have);
            gone.insert(source.have);
        }
        Sources(found)
    }

    /// All but these.
    pub(super) fn without(mut self, those: impl Fn(Index) -> bool) -> Sources {
        self.0.retain(|(index, _)| !those(*index));
        self
    }

    /// Where those of this one are.
    pub(super) fn get(&self, index: Index) -> Option<&Source> {
        let at = self.0.binary_search_by_key(&index, |(index, _)| *index).ok()?;
        self.0.get(at).map(|(_, source)| source)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Index, &Source)> {
        self.0.iter().map(|(index, source)| (*index, source))
    }
}

/// What is digested is what is wanted if the sender's digest is the same.
type Answer = (Index, [u8; 32]);

/// The digest of these digests, of [`limits::TOGETHER`] files at most: who knows the same ones need not be told each.
pub(super) fn together(digests: impl Iterator<Item = [u8; 32]>) -> [u8; 32] {
    let mut content = Content::new();
    digests.for_each(|digest| content.update(&digest));
    content.finish()
}

/// Digests of what is here.
struct Own<'o> {
    have: &'o Spec,
    opener: Opener<'o>,
    cursor: Cursor<'o>,
    remembered: &'o Remembered<'o>,
    buffer: Buffer,
}

impl<'o> Own<'o> {
    fn new(here: &'o Here<'o>) -> Own<'o> {
        let Here { root, have, remembered, .. } = *here;
        let (opener, cursor) = (Opener::new(root, true), Cursor::new(root, true));
        Own { have, opener, cursor, remembered, buffer: Buffer::new(limits::RECORD) }
    }

    /// The digest of a file, and what tells later that it is still the same.
    fn digest(&mut self, at: Index) -> io::Result<([u8; 32], Mark)> {
        let entry = self.have.entry(at);
        let (holder, name) = self.cursor.holder(&entry.path)?;
        let known = Known::of(&holder.stat(name)?);
        clock::wait_until_past(known.changed(), limits::TICK);
        Ok((delivery::digest(&mut self.opener, &entry, self.remembered, &mut self.buffer)?, known.mark()))
    }
}

/// The question of turn 2a, and what is known without it.
pub(super) struct Question<'q> {
    pub(super) here: &'q Here<'q>,
    pub(super) plan: &'q Plan,
    pub(super) moves: &'q Moves,
    /// What an interrupted run left.
    pub(super) left: &'q Left,
    /// Whose digests are asked for one by one.
    pub(super) asked: &'q [PlanStep],
}

/// What came of it.
#[derive(Default)]
pub(super) struct Answered {
    /// Files in the stage that are taken over.
    pub(super) arrived: Staged,
    /// Files that are in the tree, under the same names.
    pub(super) same: Marks,
    /// Files that are in the tree under other names.
    pub(super) found: Vec<(Index, Source)>,
    /// Digests of what was not found, and is as long as something else here.
    pub(super) open: Vec<Answer>,
}

/// What the sender said.
enum Heard {
    /// Digests of some of the files that were asked about one by one.
    Single(Vec<Answer>),
    /// The digest of the next that were asked about together.
    Together([u8; 32]),
}

/// So many answers are compared at once, so that a million of them do not wait in memory.
const BATCH: usize = 256 * limits::TOGETHER;

impl Question<'_> {
    /// Asks; while the sender reads its files, we read ours. Where some that were asked about together differ, asks once
    /// more, for each of them.
    pub(super) fn ask(&self, channel: &mut Channel) -> Result<Answered, Error> {
        let likely = &self.moves.likely;
        let mut answered = Answered { found: self.certain(channel)?, ..Answered::default() };
        if self.asked.is_empty() && likely.is_empty() {
            return Ok(answered);
        }
        let mut speaker = channel.speak();
        let asked = self.asked.iter().map(|step| step.want);
        name(&mut speaker, asked, |first, count| Message::Ask { first, count })?;
        let together = likely.iter().map(|pair| pair.want);
        name(&mut speaker, together, |first, count| Message::AskTogether { first, count })?;
        speaker.say(&Message::AskEnd)?;
        speaker.end()?;
        let unlike = std::thread::scope(|scope| {
            let ((tell, heard), (ready, is_ready)) = (mpsc::channel(), mpsc::channel());
            let (done, worker) = mpsc::sync_channel(1);
            let answered = &mut answered;
            // Nobody waits for it any more when the connection broke.
            let work = move || drop(done.send(self.compare(answered, &heard, &ready)));
            // Where no thread is to be had, these files are sent.
            let _ = Builder::new().spawn_scoped(scope, work);
            self.hear(channel, &tell, &is_ready)?;
            drop(tell);
            channel.await_worker(&worker).map_err(Error::from)
        })?;
        let unlike = unlike.unwrap_or_default();
        if !unlike.is_empty() {
            self.ask_again(channel, &unlike, &mut answered)?;
        }
        Ok(answered)
    }

    /// Hears the answers: for some of what was asked, in the same order, and for all that was asked together.
    fn hear(
        &self,
        channel: &mut Channel,
        tell: &Sender<Heard>,
        is_ready: &Receiver<()>,
    ) -> Result<(), Error> {
        let rows = self.moves.likely.len().div_ceil(limits::TOGETHER);
        let (mut expected, mut batch, mut sums) = (self.asked.iter(), Vec::new(), 0);
        let mut listener = channel.listen();
        loop {
            let (single, sum) = match listener.message()? {
                Message::Digest { index, digest } => {
                    let step = expected.find(|step| step.want.get() == index).filter(|_| sums == 0);
                    let step = step.ok_or(WireError::Violation("a digest that was not asked for"))?;
                    (Some((step.want, digest)), None)
                }
                Message::Together { digest } if sums < rows => (None, Some(digest)),
                Message::DigestsEnd if sums == rows => (None, None),
                _ => return Err(WireError::Violation("something else than a digest").into()),
            };
            batch.extend(single);
            if batch.len() == BATCH || single.is_none() && !batch.is_empty() {
                // What comes faster than it is compared waits at the sender.
                listener.await_worker(is_ready)?;
                let _ = tell.send(Heard::Single(std::mem::take(&mut batch)));
            }
            match (single, sum) {
                (None, None) => return Ok(()),
                (_, Some(digest)) => {
                    sums += 1;
                    let _ = tell.send(Heard::Together(digest));
                }
                _ => {}
            }
        }
    }

    /// Compares what is here with what is heard, as it comes. Gives back those pairs of which the digests differ together.
    fn compare(&self, answered: &mut Answered, heard: &Receiver<Heard>, ready: &Sender<()>) -> Vec<Pair> {
        let mut asked = self.asked.iter();
        let mut first = None;
        while !self.asked.is_empty() {
            let _ = ready.send(());
            match heard.recv() {
                Ok(Heard::Single(answers)) => self.compare_single(answered, &mut asked, answers),
                Ok(Heard::Together(digest)) => {
                    first = Some(digest);
                    break;
                }
                Err(_) => return Vec::new(),
            }
        }
        let mut theirs = first.into_iter().chain(heard.iter().filter_map(|heard| match heard {
            Heard::Together(digest) => Some(digest),
            Heard::Single(_) => None,
        }));
        let mut unlike = Vec::new();
        for batch in self.moves.likely.chunks(BATCH) {
            let mut read = vec![None; batch.len()];
            threads::spread(batch.iter().zip(&mut read), |pairs| {
                let mut own = Own::new(self.here);
                pairs.for_each(|(pair, read)| *read = own.digest(pair.have).ok());
            });
            for (pairs, read) in batch.chunks(limits::TOGETHER).zip(read.chunks(limits::TOGETHER)) {
                let digest = |read: &Option<([u8; 32], _)>| read.map_or([0; 32], |(digest, _)| digest);
                let Some(theirs) = theirs.next() else { return Vec::new() };
                let agree = theirs == together(read.iter().map(digest));
                for (pair, read) in pairs.iter().zip(read) {
                    match read {
                        Some((digest, mark)) if agree => {
                            self.here.arrivals.note(pair.want, digest);
                            answered.found.push((pair.want, self.source(pair, *mark)));
                        }
                        Some(_) => unlike.push(*pair),
                        None => {}
                    }
                }
            }
        }
        unlike
    }

    /// Compares files that were asked about one by one; `asked` are those that were not answered yet.
    fn compare_single<'a>(
        &self,
        answered: &mut Answered,
        asked: &mut impl Iterator<Item = &'a PlanStep>,
        answers: Vec<Answer>,
    ) {
        let steps = answers.iter().filter_map(|(want, _)| asked.find(|step| step.want == *want)).collect();
        let steps: Vec<&PlanStep> = steps;
        let pairs = steps.iter().copied().zip(answers.iter().map(|(_, digest)| digest));
        let (arrived, same) = self.here.compare(pairs, self.left);
        let is_open =
            |(want, _): &Answer| !arrived.contains(*want) && !same.contains(*want) && self.has_as_long(*want);
        answered.open.extend(answers.into_iter().filter(is_open));
        answered.arrived.extend(arrived);
        answered.same.extend(same.iter());
    }

    fn has_as_long(&self, want: Index) -> bool {
        self.moves.knows_lengths() && self.moves.as_long(&self.here.want.entry(want)).next().is_some()
    }

    /// Asks for each digest of these.
    fn ask_again(&self, channel: &mut Channel, pairs: &[Pair], answered: &mut Answered) -> Result<(), Error> {
        let mut speaker = channel.speak();
        let wants = pairs.iter().map(|pair| pair.want);
        name(&mut speaker, wants, |first, count| Message::Ask { first, count })?;
        speaker.say(&Message::AskEnd)?;
        speaker.end()?;
        let mut pairs = pairs.iter();
        loop {
            let (mut answers, mut is_last) = (Vec::new(), false);
            while answers.len() < BATCH && !is_last {
                match channel.listen().message()? {
                    Message::Digest { index, digest } => {
                        let pair = pairs.find(|pair| pair.want.get() == index);
                        let pair = pair.ok_or(WireError::Violation("a digest that was not asked for"))?;
                        answers.push((*pair, digest));
                    }
                    Message::DigestsEnd => is_last = true,
                    _ => return Err(WireError::Violation("something else than a digest").into()),
                }
            }
            let compared = channel.while_working(|| {
                threads::spread(answers.into_iter(), |answers| {
                    let mut own = Own::new(self.here);
                    let (mut found, mut unlike) = (Vec::new(), Vec::new());
                    for (pair, digest) in answers {
                        match own.digest(pair.have) {
                            Ok((ours, mark)) if ours == digest => {
                                self.here.arrivals.note(pair.want, &digest);
                                found.push((pair.want, self.source(&pair, mark)));
                            }
                            _ => unlike.push((pair.want, digest)),
                        }
                    }
                    (found, unlike)
                })
            })?;
            for (found, unlike) in compared {
                answered.found.extend(found);
                answered.open.extend(unlike.into_iter().filter(|(want, _)| self.has_as_long(*want)));
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// What the specifications say is the same.
    fn certain(&self, channel: &mut Channel) -> Result<Vec<(Index, Source)>, Error> {
        if self.moves.certain.is_empty() {
            return Ok(Vec::new());
        }
        let known = |pair: &Pair, own: &mut Own<'_>| {
            let entry = self.here.have.entry(pair.have);
            let (holder, name) = own.cursor.holder(&entry.path).ok()?;
            let known = Known::of(&holder.stat(name).ok()?);
            known.is_of(&entry).then(|| (pair.want, self.source(pair, known.mark())))
        };
        Ok(channel.while_working(|| {
            let mut own = Own::new(self.here);
            self.moves.certain.iter().filter_map(|pair| known(pair, &mut own)).collect()
        })?)
    }

    /// Compares what is as long as these files, and has perhaps their contents.
    pub(super) fn compare_as_long(&self, answers: &[Answer]) -> Vec<(Index, Source)> {
        let Question { here, moves, .. } = *self;
        let mut sorted: Vec<&Answer> = answers.iter().collect();
        sorted.sort_by_cached_key(|(want, _)| (here.want.size(*want), *want));
        let as_long = sorted.chunk_by(|one, other| here.want.size(one.0) == here.want.size(other.0));
        let found = threads::spread(as_long, |as_long| {
            let (mut own, mut found) = (Own::new(here), Vec::new());
            for answers in as_long {
                // Each is read once, whatever it is compared with.
                let mut read: HashMap<Index, Option<([u8; 32], Mark)>> = HashMap::new();
                for (at, digest) in answers {
                    let same = moves.as_long(&here.want.entry(*at)).find_map(|have| {
                        let read = read.entry(have).or_insert_with(|| own.digest(have).ok());
                        read.filter(|(ours, _)| ours == digest).map(|(_, mark)| (have, mark))
                    });
                    if let Some((have, mark)) = same {
                        here.arrivals.note(*at, digest);
                        found.push((*at, self.source(&Pair { want: *at, have }, mark)));
                    }
                }
            }
            found
        });
        found.into_iter().flatten().collect()
    }

    fn source(&self, pair: &Pair, mark: Mark) -> Source {
        let Here { want, have, rules, delete, keeps, .. } = *self.here;
        let there = have.entry(pair.have);
        let goes = delete
            && !keeps
            && there.inode.is_none()
            && self.plan.extras.binary_search(&pair.have).is_ok()
            && differences(&want.entry(pair.want), &there, rules).is_empty();
        Source { have: pair.have, mark, goes }
    }
}
