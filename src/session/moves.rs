//! Moves: a wanted file of which the contents are here under another name is not sent.

use crate::digest::Content;
use crate::install::{Known, Mark};
use crate::limits;
use crate::plan::{Moves, Pair, Plan, PlanStep, differences};
use crate::session::spare::Here;
use crate::session::turns::name;
use crate::session::{Error, delivery, worker};
use crate::spec::{Index, Marks, Spec};
use crate::sys::{Buffer, clock};
use crate::tree::{Cursor, Opener, Remembered};
use crate::wire::{Channel, Message, WireError};
use std::collections::HashMap;
use std::io;
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
    /// Whose digests are asked for one by one.
    pub(super) asked: &'q [PlanStep],
}

/// What came of it.
#[derive(Default)]
pub(super) struct Answered {
    /// Digests of what was not found: those that were asked for one by one, and then, in any order, those of the second
    /// time.
    pub(super) single: Vec<Answer>,
    /// What was found.
    pub(super) found: Vec<(Index, Source)>,
}

impl Question<'_> {
    /// Asks; while the sender reads its files, we read ours. Where some that were asked about together differ, asks once
    /// more, for each of them.
    pub(super) fn ask(&self, channel: &mut Channel) -> Result<Answered, Error> {
        let Question { here, moves, .. } = *self;
        let likely = &moves.likely;
        let mut answered = Answered { found: self.certain(channel)?, ..Answered::default() };
        if self.asked.is_empty() && likely.is_empty() {
            return Ok(answered);
        }
        let single: Vec<Index> = self.asked.iter().map(|step| step.want).collect();
        let likely_wants: Vec<Index> = likely.iter().map(|pair| pair.want).collect();
        let mut speaker = channel.speak();
        name(&mut speaker, &single, |first, count| Message::Ask { first, count })?;
        name(&mut speaker, &likely_wants, |first, count| Message::AskTogether { first, count })?;
        speaker.say(&Message::AskEnd)?;
        speaker.end()?;
        let (heard, own) = std::thread::scope(|scope| {
            let (done, worker) = std::sync::mpsc::sync_channel(1);
            let work = move || {
                let mut read = vec![None; likely.len()];
                worker::spread(likely.iter().zip(&mut read), |pairs| {
                    let mut own = Own::new(here);
                    pairs.for_each(|(pair, read)| *read = own.digest(pair.have).ok());
                });
                let digest = |read: &Option<([u8; 32], _)>| read.map_or([0; 32], |(digest, _)| digest);
                let sums = read.chunks(limits::TOGETHER).map(|row| together(row.iter().map(digest)));
                let sums: Vec<_> = sums.collect();
                // Nobody waits for it any more when the connection broke.
                let _ = done.send((sums, read));
            };
            // Where no thread is to be had, these files are sent.
            let _ = Builder::new().spawn_scoped(scope, work);
            let heard = answers(channel, &single, likely.len().div_ceil(limits::TOGETHER))?;
            Ok::<_, Error>((heard, channel.await_worker(&worker)?))
        })?;
        let (single, sums) = heard;
        answered.single = single;
        let (own_sums, known) = own.unwrap_or_default();
        let mut unlike: Vec<Pair> = Vec::new();
        for ((pairs, known), agree) in likely
            .chunks(limits::TOGETHER)
            .zip(known.chunks(limits::TOGETHER))
            .zip(sums.iter().zip(&own_sums).map(|(theirs, ours)| theirs == ours))
        {
            for (pair, known) in pairs.iter().zip(known) {
                match known {
                    Some((digest, mark)) if agree => {
                        here.arrivals.note(pair.want, digest);
                        answered.found.push((pair.want, self.source(pair, *mark)));
                    }
                    Some(_) => unlike.push(*pair),
                    None => {}
                }
            }
        }
        if !unlike.is_empty() {
            self.ask_again(channel, &unlike, &mut answered)?;
        }
        Ok(answered)
    }

    /// Asks for each digest of these.
    fn ask_again(&self, channel: &mut Channel, pairs: &[Pair], answered: &mut Answered) -> Result<(), Error> {
        let wants: Vec<Index> = pairs.iter().map(|pair| pair.want).collect();
        let mut speaker = channel.speak();
        name(&mut speaker, &wants, |first, count| Message::Ask { first, count })?;
        speaker.say(&Message::AskEnd)?;
        speaker.end()?;
        let (theirs, _) = answers(channel, &wants, 0)?;
        let mut pairs = pairs.iter();
        let answers = theirs.into_iter().map(|answer| (pairs.find(|pair| pair.want == answer.0), answer));
        let compared = channel.while_working(|| {
            worker::spread(answers, |answers| {
                let mut own = Own::new(self.here);
                let (mut found, mut unlike) = (Vec::new(), Vec::new());
                for (pair, (want, digest)) in answers {
                    let read = pair.and_then(|pair| Some((pair, own.digest(pair.have).ok()?)));
                    match read.filter(|(_, (ours, _))| *ours == digest) {
                        Some((pair, (_, mark))) => {
                            self.here.arrivals.note(want, &digest);
                            found.push((want, self.source(pair, mark)));
                        }
                        None => unlike.push((want, digest)),
                    }
                }
                (found, unlike)
            })
        })?;
        for (found, unlike) in compared {
            answered.found.extend(found);
            answered.single.extend(unlike);
        }
        Ok(())
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
    pub(super) fn compare(&self, answers: &[Answer]) -> Vec<(Index, Source)> {
        let Question { here, moves, .. } = *self;
        let mut sorted: Vec<&Answer> = answers.iter().collect();
        sorted.sort_by_cached_key(|(want, _)| (here.want.size(*want), *want));
        let as_long = sorted.chunk_by(|one, other| here.want.size(one.0) == here.want.size(other.0));
        let found = worker::spread(as_long, |as_long| {
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

/// What the sender answers: for some of what was asked, in the same order, and for all that was asked together.
fn answers(
    channel: &mut Channel,
    asked: &[Index],
    rows: usize,
) -> Result<(Vec<Answer>, Vec<[u8; 32]>), Error> {
    let (mut answers, mut sums, mut expected) = (Vec::new(), Vec::new(), asked.iter());
    loop {
        match channel.listen().message()? {
            Message::Digest { index, digest } => {
                let want = expected.find(|want| want.get() == index).filter(|_| sums.is_empty());
                let want = want.ok_or(WireError::Violation("a digest that was not asked for"))?;
                answers.push((*want, digest));
            }
            Message::Together { digest } if sums.len() < rows => sums.push(digest),
            Message::DigestsEnd if sums.len() == rows => return Ok((answers, sums)),
            _ => return Err(WireError::Violation("something else than a digest").into()),
        }
    }
}
