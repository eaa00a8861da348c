//! Turn 1 at the receiver: the sender's specification goes into the spool, and nothing is done before all of it is checked.

use crate::digest::Content;
use crate::limits;
use crate::path::{Descent, Local, RelPath, Scope, Side};
use crate::report::{Doubt, Monitor};
use crate::session::Error;
use crate::session::error::WRITE_SPEC;
use crate::spec::{Entry, Kind, Spec};
use crate::sys::Spool;
use crate::tree::{STAGE, VERSIONS, is_reserved};
use crate::wire::{Channel, Message, WireError};
use std::io::{self, Write};

/// What the sender said in its first turn.
pub(super) struct Offered {
    spool: Spool,
    entries: u32,
    /// Whether the sender could read everything that its specification is about.
    pub(super) whole: bool,
    /// Entries of types that are not carried.
    pub(super) skipped: u64,
    /// How many problems the sender has.
    pub(super) problems: u64,
    /// Bytes of its files that take no room there.
    pub(super) holes: u64,
    /// What makes it think that not everything is there.
    pub(super) doubt: Option<Doubt>,
    /// What the sender's files of filter rules say.
    pub(super) locals: Vec<Local>,
}

impl Offered {
    /// Takes the specification into the spool, and checks that it is the one that was sent.
    pub(super) fn take(
        channel: &mut Channel,
        spool: Spool,
        monitor: &mut dyn Monitor,
    ) -> Result<Offered, Error> {
        let mut text = Text::new(spool, limits::SPEC_BYTES)?;
        let (mut problems, mut doubt, mut rules) = (0, None, Rules::default());
        let mut listener = channel.listen();
        loop {
            match listener.message()? {
                Message::Problem(_) if problems == limits::PROBLEMS as u64 => {
                    return Err(WireError::Violation("too many problems").into());
                }
                Message::Problem(problem) => {
                    problems += 1;
                    monitor.problem(&problem);
                }
                Message::Doubt(one) if doubt.is_none() => doubt = Some(one),
                Message::Rules(local) => rules.take(local)?,
                Message::Spec(piece) => text.take(piece)?,
                Message::SpecEnd { digest, entries, whole, skipped, holes } => {
                    listener.end()?;
                    let spool = text.end(&digest)?;
                    let locals = rules.locals;
                    return Ok(Offered { spool, entries, whole, skipped, problems, holes, doubt, locals });
                }
                _ => return Err(WireError::Violation("something else than a specification").into()),
            }
        }
    }

    /// Checks every line of the specification, and that it says nothing of what the round is not about. Gives back what
    /// the sender's files of rules say too.
    pub(super) fn seal(self, scope: &Scope) -> Result<(Spec, Vec<Local>), Error> {
        let named = |local: &Local| scope.filter().files().any(|(at, ..)| at == local.file);
        if !self.locals.iter().all(named) {
            return Err(WireError::Violation("rules of a file that the round does not name").into());
        }
        let spec = Spec::seal(self.spool)?;
        if spec.len() != self.entries {
            return Err(WireError::Malformed("another number of entries than was said").into());
        }
        // Of a whole tree everything may be said but what is reserved; what is below that would come after it.
        let foreign = if *scope == Scope::default() {
            [STAGE, VERSIONS]
                .iter()
                .any(|name| RelPath::ROOT.join(name).is_ok_and(|path| spec.find(&path).is_some()))
        } else {
            let mut rules = Descent::new(scope.filter(), Side::Sender, &self.locals);
            spec.iter().any(|(_, entry)| is_foreign(&entry, scope, &mut rules))
        };
        if foreign {
            return Err(WireError::Violation("an entry outside of the scope").into());
        }
        Ok((spec, self.locals))
    }
}

/// What the sender's files of filter rules say: no more than they may.
#[derive(Default)]
struct Rules {
    locals: Vec<Local>,
    rules: usize,
    bytes: usize,
}

impl Rules {
    fn take(&mut self, local: Local) -> Result<(), WireError> {
        let place = |local: &Local| (local.directory.clone(), local.file);
        if self.locals.last().is_some_and(|last| place(last) >= place(&local)) {
            return Err(WireError::Violation("rules of files are out of order"));
        }
        self.rules += local.rules.len().max(1);
        self.bytes += local.bytes();
        if self.rules > limits::FILTER_RULES || self.bytes > limits::FILTER_BYTES {
            return Err(WireError::Violation("too many rules of files"));
        }
        self.locals.push(local);
        Ok(())
    }
}

/// Whether the round is not about this entry: it is out of scope, excluded or reserved, or it says something of a
/// directory that only leads to the scope.
fn is_foreign(entry: &Entry<'_>, scope: &Scope, rules: &mut Descent<'_>) -> bool {
    let path = &entry.path;
    let bare = || Entry { ignore: entry.ignore, ..Entry::new(path.borrowed(), Kind::Dir) };
    !scope.covers(path)
        || rules.excludes(path, entry.kind == Kind::Dir, false)
        || path.components().next().is_some_and(is_reserved)
        || scope.leads(path) && *entry != bare()
}

/// A text that comes compressed, on its way into the spool.
struct Text(zstd::stream::write::Decoder<'static, Checked>);

impl Text {
    /// Of at most `limit` bytes.
    fn new(spool: Spool, limit: u64) -> Result<Text, Error> {
        let failed = |error| Error::System("decompress the specification", error);
        let checked = Checked { spool, limit, content: Content::new(), failed: None };
        let mut decoder = zstd::stream::write::Decoder::new(checked).map_err(failed)?;
        decoder.window_log_max(limits::SPEC_WINDOW).map_err(failed)?;
        Ok(Text(decoder))
    }

    fn take(&mut self, piece: &[u8]) -> Result<(), Error> {
        let written = self.0.write_all(piece);
        self.checked(written)
    }

    /// The spool with the whole text, which has this digest.
    fn end(mut self, digest: &[u8; 32]) -> Result<Spool, Error> {
        let flushed = self.0.flush();
        self.checked(flushed)?;
        let Checked { spool, content, .. } = self.0.into_inner();
        if content.finish() == *digest {
            Ok(spool)
        } else {
            Err(WireError::Malformed("the specification is not the one that was sent").into())
        }
    }

    /// Tells an error of ours from what is no compressed text.
    fn checked(&mut self, done: io::Result<()>) -> Result<(), Error> {
        let ours = self.0.get_mut().failed.take();
        let malformed = || WireError::Malformed("the specification does not decompress").into();
        done.map_err(|_| ours.unwrap_or_else(malformed))
    }
}

/// Counts and digests what goes into the spool.
struct Checked {
    spool: Spool,
    limit: u64,
    content: Content,
    /// What went wrong here, and not in the decoder.
    failed: Option<Error>,
}

impl Checked {
    fn on_disk<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| {
            self.failed = Some(Error::Disk(WRITE_SPEC, error));
            io::ErrorKind::Other.into()
        })
    }
}

impl Write for Checked {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.spool.written() + piece.len() as u64 > self.limit {
            self.failed = Some(WireError::Violation("a specification that is too large").into());
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.content.update(piece);
        let written = self.spool.write(piece);
        self.on_disk(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.spool.flush();
        self.on_disk(flushed)
    }
}

#[cfg(test)]
#[path = "offered_tests.rs"]
mod tests;
