//! Turn 1 at the receiver: the sender's specification goes into the spool, and nothing is done before all of it is checked.

use crate::limits;
use crate::path::{Descent, Local, RelPath, Scope, Side};
use crate::report::{Doubt, Monitor};
use crate::session::baseline::Told;
use crate::session::text::{Complete, Sink, Text};
use crate::session::{Baselines, Error};
use crate::spec::{Digested, Entry, Kind, Known, Renewal, Spec};
use crate::tree::{STAGE, VERSIONS, is_reserved};
use crate::wire::{Channel, Message, WireError};

/// What the sender said in its first turn.
pub(super) struct Offered<S = Spec> {
    pub(super) spec: S,
    /// BLAKE3 of its text.
    pub(super) digest: [u8; 32],
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

/// A specification of which no line is checked yet.
pub(super) struct Unchecked {
    text: Digested,
    /// How many entries it is said to have; nothing else passes when it is checked.
    entries: u32,
    /// The baseline of which it is made, if it is, and in what it differs from that.
    base: Option<(Known, Renewal)>,
}

impl Offered<Unchecked> {
    /// Takes the specification into the spool, and checks that it is the one that was sent. When it is told by its
    /// difference from one that is not here, it is asked for as a whole.
    pub(super) fn take(
        channel: &mut Channel,
        sink: &dyn Fn() -> Result<Sink, Error>,
        baselines: &Baselines<'_>,
        monitor: &mut dyn Monitor,
    ) -> Result<Offered<Unchecked>, Error> {
        let mut said = Said::default();
        if let Some(offered) = said.take(channel, sink, Some(baselines), monitor)? {
            return Ok(offered);
        }
        let mut speaker = channel.speak();
        speaker.say(&Message::Whole)?;
        speaker.end()?;
        // The other things that the sender said hold, and come no more.
        let again = Said { over: true, ..said }.take(channel, sink, None, monitor)?;
        again.ok_or_else(|| WireError::Violation("something else than a whole specification").into())
    }

    /// How many entries it is said to have.
    pub(super) const fn entries(&self) -> u32 {
        self.spec.entries
    }

    /// Checks every line of the specification, and that it says nothing of what the round is not about.
    pub(super) fn seal(self, scope: &Scope) -> Result<Offered, Error> {
        let named = |local: &Local| scope.filter().files().any(|(at, ..)| at == local.file);
        if !self.locals.iter().all(named) {
            return Err(WireError::Violation("rules of a file that the round does not name").into());
        }
        let Unchecked { text, entries, base } = self.spec;
        let spec = match &base {
            Some((known, renewal)) => Spec::seal_renewed(text, known, renewal)?,
            None => Spec::seal(text.into_spool())?,
        };
        if spec.len() != entries {
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
        let Offered { digest, whole, skipped, problems, holes, doubt, locals, .. } = self;
        Ok(Offered { spec, digest, whole, skipped, problems, holes, doubt, locals })
    }
}

/// What the sender says besides its specification.
#[derive(Default)]
struct Said {
    problems: u64,
    doubt: Option<Doubt>,
    rules: Rules,
    /// Whether that was all.
    over: bool,
}

/// How the specification comes.
enum Way {
    Unknown,
    Comes(Box<Text>, Option<Known>),
    /// As edits of something that is not here: so many bytes.
    InVain(u64),
}

impl Way {
    fn piece(&mut self, piece: &[u8]) -> Result<(), Error> {
        match self {
            Way::Comes(text, _) => text.take(piece),
            Way::InVain(bytes) => {
                *bytes += piece.len() as u64;
                if *bytes > limits::SPEC_BYTES {
                    return Err(WireError::Violation("a specification that is too large").into());
                }
                Ok(())
            }
            Way::Unknown => Err(WireError::Violation("edits of no specification").into()),
        }
    }
}

impl Said {
    /// Takes the turn; `None` when the specification did not come. No baseline may be referred to when there are none.
    fn take(
        &mut self,
        channel: &mut Channel,
        sink: &dyn Fn() -> Result<Sink, Error>,
        baselines: Option<&Baselines<'_>>,
        monitor: &mut dyn Monitor,
    ) -> Result<Option<Offered<Unchecked>>, Error> {
        let tell = |base| baselines.map_or_else(Told::default, |baselines| baselines.tell(base));
        let mut way = Way::Unknown;
        let mut listener = channel.listen();
        loop {
            match listener.message()? {
                Message::Baseline { digest } if baselines.is_some() && matches!(way, Way::Unknown) => {
                    way = match baselines.and_then(|baselines| baselines.find(&digest)) {
                        None => Way::InVain(0),
                        Some(base) => {
                            let (known, told) = (base.known, tell(Some(digest)));
                            Way::Comes(Box::new(Text::edits(sink()?, base, told)?), Some(known))
                        }
                    };
                }
                Message::Edits(piece) if !matches!(way, Way::Comes(_, None)) => way.piece(piece)?,
                Message::Spec(piece) => {
                    if matches!(way, Way::Unknown) {
                        way = Way::Comes(Box::new(Text::whole(sink()?, tell(None))?), None);
                    }
                    if !matches!(way, Way::Comes(_, None)) {
                        return Err(WireError::Violation("a specification in two ways").into());
                    }
                    way.piece(piece)?;
                }
                Message::SpecEnd { digest, entries, whole, skipped, holes } => {
                    listener.end()?;
                    let (text, known) = match way {
                        Way::Comes(text, known) => (text, known),
                        Way::InVain(_) => return Ok(None),
                        Way::Unknown => (Box::new(Text::whole(sink()?, Told::default())?), None),
                    };
                    let Complete { text, renewal, told } = text.end(&digest)?;
                    let base = known.zip(renewal);
                    if let Some(baselines) = baselines {
                        baselines.note(told);
                    }
                    let Said { problems, doubt, rules: Rules { locals, .. }, .. } = std::mem::take(self);
                    let spec = Unchecked { text, entries, base };
                    return Ok(Some(Offered {
                        spec,
                        digest,
                        whole,
                        skipped,
                        problems,
                        holes,
                        doubt,
                        locals,
                    }));
                }
                message => self.besides(message, monitor)?,
            }
        }
    }

    fn besides(&mut self, message: Message<'_>, monitor: &mut dyn Monitor) -> Result<(), Error> {
        match message {
            Message::Problem(_) if !self.over && self.problems == limits::PROBLEMS as u64 => {
                return Err(WireError::Violation("too many problems").into());
            }
            Message::Problem(problem) if !self.over => {
                self.problems += 1;
                monitor.problem(&problem);
            }
            Message::Doubt(one) if !self.over && self.doubt.is_none() => self.doubt = Some(one),
            Message::Rules(local) if !self.over => self.rules.take(local)?,
            _ => return Err(WireError::Violation("something else than a specification").into()),
        }
        Ok(())
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
