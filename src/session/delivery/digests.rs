//! Turn 2a at the sender: the digests of files that the receiver may have already, read by all processors.

use super::time;
use crate::digest::Content;
use crate::limits;
use crate::session::ranges::Questions;
use crate::session::worker::{self, Turn};
use crate::session::{Error, moves};
use crate::spec::{Entry, Index, Spec};
use crate::sys::{Buffer, clock};
use crate::tree::{Opener, Remembered, Root};
use crate::wire::{Channel, Message};
use std::io::{self, Read};
use std::sync::mpsc::sync_channel;

/// Files that one thread reads before another's answers may follow: few that are large, or many that are small, of which
/// each is read in less time than two threads need to wait for each other.
const LOAD: usize = 32;
/// Bytes of them, but for the last.
const LOAD_BYTES: u64 = 1 << 20;
/// Loads on their way from the reading threads to the connection.
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
    let (one, other) = (single.total()?.files_total, together.total()?.files_total);
    let most = usize::try_from(one.saturating_add(other)).unwrap_or(usize::MAX);
    std::thread::scope(|scope| {
        // Made in here, so that it goes when the connection breaks: by that the readers know that they may end.
        let (done, from_readers) = sync_channel(AHEAD);
        worker::start(scope, move || {
            let (spec, turn) = (single.spec(), Turn::default());
            let single = single.indices().map(|index| Asked { index, together: false });
            let together = together.indices().map(|index| Asked { index, together: true });
            // No more loads than files: one needs no second thread.
            let loads = loads(spec, single.chain(together)).take(most).enumerate();
            worker::spread(loads, |loads| {
                let (mut opener, mut buffer) = (Opener::new(root, false), Buffer::new(limits::RECORD));
                let mut answer = |asked: Asked| {
                    let digest = digest(&mut opener, &spec.entry(asked.index), remembered, &mut buffer);
                    (asked, digest.ok())
                };
                for (number, load) in loads {
                    let place = turn.place(number);
                    let answers: Vec<_> = load.into_iter().map(&mut answer).collect();
                    place.wait();
                    if done.send(answers).is_err() {
                        return;
                    }
                }
            });
        })?;
        let from_readers = from_readers;
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
                    speaker.say(&Message::Together { digest: moves::together(row.drain(..)) })?;
                }
            }
        }
        if !row.is_empty() {
            speaker.say(&Message::Together { digest: moves::together(row.drain(..)) })?;
        }
        speaker.say(&Message::DigestsEnd)?;
        Ok(speaker.end()?)
    })
}

/// What one thread reads at a time.
fn loads(spec: &Spec, mut asked: impl Iterator<Item = Asked>) -> impl Iterator<Item = Vec<Asked>> {
    std::iter::from_fn(move || {
        let (mut load, mut bytes) = (Vec::new(), 0u64);
        while load.len() < LOAD
            && bytes < LOAD_BYTES
            && let Some(next) = asked.next()
        {
            bytes = bytes.saturating_add(spec.size(next.index).unwrap_or_default());
            load.push(next);
        }
        (!load.is_empty()).then_some(load)
    })
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
