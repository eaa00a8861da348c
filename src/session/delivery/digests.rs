//! Turn 2a: the digest of a file, at either side, and at the sender the answers, for which several threads read.

use super::time;
use crate::digest::Content;
use crate::limits;
use crate::session::ranges::Questions;
use crate::session::worker::{self, Turn};
use crate::session::{Error, moves};
use crate::spec::{Entry, Index, Spec};
use crate::sys::{Buffer, clock, threads};
use crate::tree::{Opener, Remembered, Root};
use crate::wire::{Channel, Message, Speaker, WireError};
use std::io::{self, Read};
use std::sync::mpsc::sync_channel;

/// Batches of answers on their way from the reading threads to the connection.
const AHEAD: usize = 32;

/// A file that is asked about.
#[derive(Clone, Copy)]
struct Asked {
    index: Index,
    /// Whether it is asked about together with others.
    together: bool,
}

/// Answers `Ask`: the digests of these files. One that cannot be read or that changed gets no answer, unless it was asked
/// about together with others.
pub(in crate::session) fn digests(
    connection: &mut Channel,
    (root, remembered): (&Root, &Remembered<'_>),
    asked: &Questions<'_>,
) -> Result<(), Error> {
    let Questions { single, together, .. } = asked;
    // Every one is a regular file, or the readers would leave it out.
    let (one, other) = (single.total()?, together.total()?);
    let files = one.files_total.saturating_add(other.files_total);
    let is_small = files <= limits::SCAN_BATCH as u64
        && one.bytes_total.saturating_add(other.bytes_total) < limits::SCAN_BATCH_BYTES;
    // No more batches than files: one needs no second thread.
    let most = if is_small { 1 } else { usize::try_from(files).unwrap_or(usize::MAX) };
    std::thread::scope(|scope| {
        // Made in here, so that it goes when the connection breaks: by that the readers know that they may end.
        let (done, from_readers) = sync_channel(AHEAD);
        worker::start(scope, move || {
            let (spec, turn) = (single.spec(), Turn::default());
            let single = single.indices().map(|index| Asked { index, together: false });
            let together = together.indices().map(|index| Asked { index, together: true });
            let todo = batches(spec, single.chain(together)).take(most).enumerate();
            threads::spread(todo, |batches| {
                let (mut opener, mut buffer) = (Opener::new(root, false), Buffer::new(limits::RECORD));
                let mut answer = |asked: Asked| {
                    let digest = digest(&mut opener, &spec.entry(asked.index), remembered, &mut buffer);
                    (asked, digest.ok())
                };
                for (number, batch) in batches {
                    let place = turn.place(number);
                    let answers: Vec<_> = batch.into_iter().map(&mut answer).collect();
                    place.wait();
                    if done.send(answers).is_err() {
                        return;
                    }
                }
            });
        })?;
        let mut speaker = connection.speak();
        let mut row = Vec::with_capacity(limits::TOGETHER);
        while let Some(answers) = speaker.await_worker(&from_readers)? {
            for answer in answers {
                match answer {
                    (Asked { together: true, .. }, digest) => row.push(digest.unwrap_or([0; 32])),
                    (Asked { index, .. }, Some(digest)) => {
                        speaker.say(&Message::Digest { index: index.get(), digest })?;
                    }
                    (Asked { .. }, None) => {}
                }
                if row.len() == limits::TOGETHER {
                    say_together(&mut speaker, &mut row)?;
                }
            }
        }
        if !row.is_empty() {
            say_together(&mut speaker, &mut row)?;
        }
        speaker.say(&Message::DigestsEnd)?;
        Ok(speaker.end()?)
    })
}

/// What one thread reads at a time.
fn batches(spec: &Spec, mut asked: impl Iterator<Item = Asked>) -> impl Iterator<Item = Vec<Asked>> {
    std::iter::from_fn(move || {
        let (mut batch, mut bytes) = (Vec::new(), 0u64);
        while batch.len() < limits::SCAN_BATCH
            && bytes < limits::SCAN_BATCH_BYTES
            && let Some(next) = asked.next()
        {
            bytes = bytes.saturating_add(spec.size(next.index).unwrap_or_default());
            batch.push(next);
        }
        (!batch.is_empty()).then_some(batch)
    })
}

/// Says one digest of all that are in the row.
fn say_together(speaker: &mut Speaker<'_>, row: &mut Vec<[u8; 32]>) -> Result<(), WireError> {
    speaker.say(&Message::Together { digest: moves::together(row.drain(..)) })
}

/// The digest of a file of the tree, if it is still what its specification says. `buffer` is for reading.
pub(in crate::session) fn digest(
    opener: &mut Opener<'_>,
    entry: &Entry<'_>,
    remembered: &Remembered<'_>,
    buffer: &mut Buffer,
) -> io::Result<[u8; 32]> {
    let begun = clock::now();
    let (mut file, stat) = opener.open(&entry.path)?;
    let changed = || io::Error::from_raw_os_error(libc::ESTALE);
    if entry.size != Some(stat.size) || entry.time != Some(time(&stat)) {
        return Err(changed());
    }
    if let Some(digest) = remembered.digest(&stat) {
        return Ok(digest);
    }
    let mut content = Content::new();
    loop {
        let read = file.read(buffer)?;
        if read == 0 {
            break;
        }
        content.update(buffer.get(..read).unwrap_or_default());
    }
    if !file.stat()?.same_contents(&stat) {
        return Err(changed());
    }
    let digest = content.finish();
    remembered.learn(&stat, begun, &digest);
    Ok(digest)
}
