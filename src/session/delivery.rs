//! What the sender reads of its files: in turn 2a for their digests; in turn 3 a worker reads the wanted ones right into
//! records, and the connection sends them.

mod delta;
mod digests;

pub(super) use digests::{digest, digests};

use crate::digest::Content;
use crate::limits;
use crate::report::{Carried, Monitor, Progress, Transfer};
use crate::session::blocks::Blocks;
use crate::session::digesting::{Begun, Digesting, beginning};
use crate::session::ranges::{Beginning, Ranges};
use crate::session::{Error, worker};
use crate::spec::{Entry, Index, Time};
use crate::sys::{self, File, Stat, clock};
use crate::tree::{Opener, Remembered, Root};
use crate::wire::{Batch, Channel, Message, Packer};
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};

fn time(stat: &Stat) -> Time {
    Time { sec: stat.mtime.0, nsec: stat.mtime.1 }
}

/// Records on their way from the reading worker to the connection.
const READ_AHEAD: usize = 8;
/// A file of no more bytes is put into one record, of which less than a quarter stays empty for that.
const SMALL: u64 = limits::RECORD as u64 / 4;
/// Room for what is said before and behind the contents of a file.
const AROUND: u64 = 128;
/// Bytes of one hole in a message: a second's work at most.
const HOLE: u64 = 1 << 30;

/// Sends the wanted files; what shrinks, compressed, if there is a packer.
pub(super) fn files(
    connection: &mut Channel,
    (root, remembered): (&Root, &Remembered<'_>),
    wanted: &Ranges<'_>,
    packer: Option<Packer>,
    monitor: &mut dyn Monitor,
) -> Result<(), Error> {
    let progress = wanted.total()?;
    std::thread::scope(|scope| {
        // Made in here, so that they go when the connection breaks: by that the worker knows that it may end.
        let (filled, from_worker) = channel();
        let (empty, to_worker) = channel();
        for _ in 0..READ_AHEAD {
            let _ = empty.send(Batch::new());
        }
        worker::start(scope, move || {
            let (opener, batch, blocks) = (Opener::new(root, false), Batch::new(), None);
            let mut reader = Reader {
                opener,
                remembered,
                batch,
                packer,
                progress,
                filled,
                to_worker,
                blocks,
                as_is: false,
                sent: Vec::new(),
            };
            // Nobody takes what is read any more: the connection ended, and the other thread knows why.
            let _ = reader.run(wanted);
        })?;
        // They end with this turn, however it ends: the worker must not wait for an empty record for ever.
        let (empty, from_worker) = (empty, from_worker);
        let mut speaker = connection.speak();
        while let Some((mut batch, progress, sent)) = speaker.await_worker(&from_worker)? {
            speaker.send(&mut batch)?;
            monitor.progress(&progress);
            if monitor.wants_transfers() {
                let tell = |index: &Index| {
                    monitor.transfer(&transfer(&wanted.spec().entry(*index), Carried::Sent));
                };
                sent.iter().for_each(tell);
            }
            let _ = empty.send(batch);
        }
        Ok(speaker.end()?)
    })
}

/// The connection is gone.
struct Gone;

/// Reads files into records.
struct Reader<'r> {
    opener: Opener<'r>,
    remembered: &'r Remembered<'r>,
    batch: Batch,
    packer: Option<Packer>,
    progress: Progress,
    filled: Sender<(Batch, Progress, Vec<Index>)>,
    /// The files that were sent as a whole since the last record.
    sent: Vec<Index>,
    to_worker: Receiver<Batch>,
    /// What the receiver has of the file in hand.
    blocks: Option<Blocks<'r>>,
    /// Whether that file is sent as it is.
    as_is: bool,
}

/// How reading one file once ended.
enum Reading {
    Whole,
    /// It changed meanwhile.
    Changed,
    Failed(io::Error),
}

impl<'r> Reader<'r> {
    fn run(&mut self, wanted: &'r Ranges<'_>) -> Result<(), Gone> {
        for (index, entry) in wanted.entries() {
            self.blocks = wanted.blocks(index);
            let name = entry.path.split_last().map(|(_, name)| name);
            self.as_is = name.is_some_and(|name| self.opener.root().policy().sends_as_is(name));
            self.file(index, &entry, wanted.beginning(index))?;
            self.progress.files += 1;
        }
        self.say(&Message::FilesEnd)?;
        self.pass_on()
    }

    /// Sends one file; once more when it changed while it was read.
    fn file(&mut self, index: Index, entry: &Entry<'_>, there: Option<Beginning>) -> Result<(), Gone> {
        for again in [false, true] {
            if again {
                self.say(&Message::Again)?;
            }
            match self.file_once(index, entry, there.filter(|_| !again))? {
                Reading::Whole => {
                    self.sent.push(index);
                    return Ok(());
                }
                Reading::Changed => {}
                Reading::Failed(error) => return self.missing(index, sys::errno(&error)),
            }
        }
        self.missing(index, libc::ESTALE)
    }

    fn missing(&mut self, index: Index, errno: i32) -> Result<(), Gone> {
        self.say(&Message::Missing { index: index.get(), errno })
    }

    fn file_once(
        &mut self,
        index: Index,
        entry: &Entry<'_>,
        there: Option<Beginning>,
    ) -> Result<Reading, Gone> {
        let (file, before) = match self.opener.open(&entry.path) {
            Ok(opened) => opened,
            Err(error) => return Ok(Reading::Failed(error)),
        };
        let changed = entry.size != Some(before.size) || entry.time != Some(time(&before));
        if changed && !is_told_by_size_and_time(entry, &before) {
            return Ok(Reading::Failed(io::Error::from_raw_os_error(libc::ESTALE)));
        }
        // A file gets its stamps when a write begins, and by a clock that ticks: one that goes on, or another in the same
        // tick, would change nothing that could be seen afterwards.
        clock::wait_until_past(before.ctime, limits::TICK);
        let started = clock::now();
        let hole = file.settle();
        let begun = there.filter(|_| !changed).map_or(Ok(None), |there| beginning(&file, there));
        let begun = match begun {
            Ok(begun) => begun,
            Err(error) => return Ok(Reading::Failed(error)),
        };
        let sparse = hole < before.size;
        if let Some(Begun { from, .. }) = begun {
            self.say(&Message::Resumed)?;
            self.progress.bytes = self.progress.bytes.saturating_add(from);
        } else if before.size <= SMALL && !sparse && (self.batch.room() as u64) < before.size + AROUND {
            self.pass_on()?;
        }
        self.say(&Message::File { index: index.get(), size: before.size, time: time(&before) })?;
        self.packer.iter_mut().for_each(Packer::next_file);
        let digest = match self.contents(&file, (before.size, sparse), begun)? {
            Ok(Some(digest)) => digest,
            Ok(None) => return Ok(Reading::Changed),
            Err(error) => return Ok(Reading::Failed(error)),
        };
        match file.stat() {
            Ok(after) if after.same_contents(&before) => {
                self.say(&Message::FileEnd { digest })?;
                self.remembered.learn(&before, started, &digest);
                Ok(Reading::Whole)
            }
            Ok(_) => Ok(Reading::Changed),
            Err(error) => Ok(Reading::Failed(error)),
        }
    }

    /// Reads the contents from this offset on, up to which they are digested already, and tells holes from data if the
    /// file is sparse. `None` when it is shorter than it was.
    fn contents(
        &mut self,
        file: &File,
        (size, sparse): (u64, bool),
        begun: Option<Begun>,
    ) -> Result<io::Result<Option<[u8; 32]>>, Gone> {
        let mut at = begun.as_ref().map_or(0, |begun| begun.from);
        let mut content = Digesting::new(size, begun);
        while at < size {
            let end = if sparse {
                match file.next_data(at) {
                    Ok(data) => {
                        let (start, end) = data.unwrap_or((size, size));
                        let start = start.clamp(at, size);
                        while at < start {
                            let part = HOLE.min(start - at);
                            self.hole(part, &mut content)?;
                            at += part;
                        }
                        end.clamp(at, size)
                    }
                    Err(error) => return Ok(Err(error)),
                }
            } else {
                size
            };
            let blocks = self.blocks.take();
            while at < end {
                let sent = match &blocks {
                    Some(blocks) => self.delta(file, (at, end), &mut content, blocks)?,
                    None => self.data(file, (at, end), &mut content)?,
                };
                match sent {
                    Ok(0) => return Ok(Ok(None)),
                    Ok(read) => at += read,
                    Err(error) => return Ok(Err(error)),
                }
            }
            self.blocks = blocks;
        }
        Ok(Ok(Some(content.finish())))
    }

    /// Says a part of a hole. A large one takes long to digest: each part is passed on, while somebody takes it.
    fn hole(&mut self, length: u64, content: &mut Digesting) -> Result<(), Gone> {
        self.say(&Message::Hole(length))?;
        content.zeros(length);
        self.progress.bytes = self.progress.bytes.saturating_add(length);
        if length == HOLE { self.pass_on() } else { Ok(()) }
    }

    /// Reads one piece right into the record.
    fn data(
        &mut self,
        file: &File,
        (at, end): (u64, u64),
        content: &mut Digesting,
    ) -> Result<io::Result<u64>, Gone> {
        let left = end - at;
        // A smaller piece is not worth a frame: the next record has room.
        if (self.batch.room() as u64) < left.min(Content::STEP) {
            self.pass_on()?;
        }
        let piece = piece(at, left, self.batch.room() as u64);
        let read = match self.batch.read_data(piece, |space| file.read_at(space, at)) {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        content.update(self.batch.last(read));
        if let Some(packer) = self.packer.as_mut().filter(|_| !self.as_is) {
            packer.pack(&mut self.batch, read);
        }
        self.progress.bytes = self.progress.bytes.saturating_add(read as u64);
        Ok(Ok(read as u64))
    }

    fn say(&mut self, message: &Message<'_>) -> Result<(), Gone> {
        if self.batch.push(message) {
            return Ok(());
        }
        self.pass_on()?;
        // It fits: no message of this turn but data is longer than a few bytes.
        let _ = self.batch.push(message);
        Ok(())
    }

    /// Hands the record over and takes an empty one.
    fn pass_on(&mut self) -> Result<(), Gone> {
        let empty = self.to_worker.recv().map_err(|_| Gone)?;
        let full = std::mem::replace(&mut self.batch, empty);
        let sent = std::mem::take(&mut self.sent);
        self.filled.send((full, self.progress, sent)).map_err(|_| Gone)
    }
}

/// How many of the bytes that are left of a content from here on are the next piece, when there is room for so many.
fn piece(at: u64, left: u64, room: u64) -> u64 {
    if left <= room {
        return left;
    }
    let odd = (at + room) % Content::STEP;
    if odd < room { room - odd } else { room }
}

/// What is told of an entry that was carried or removed.
pub(super) fn transfer<'e>(entry: &'e Entry<'_>, what: Carried) -> Transfer<'e> {
    Transfer {
        what,
        path: entry.path.borrowed(),
        size: entry.size.unwrap_or_default(),
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        time: entry.time.map(|time| time.sec),
        target: entry.link.as_deref(),
    }
}

/// Whether a file that changed since it was described can be sent all the same: its size and time travel with it, but
/// the receiver would compare it with digests of what it was, and give it owner and mode of what it was.
fn is_told_by_size_and_time(entry: &Entry<'_>, now: &Stat) -> bool {
    let same = |said: Option<u32>, is| said.is_none_or(|said| said == is);
    entry.digests.algorithms().is_empty()
        && same(entry.mode, now.mode)
        && same(entry.uid, now.uid)
        && same(entry.gid, now.gid)
}
