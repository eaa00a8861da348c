//! Push, pull and check: one round over one connection.

use crate::client::config::ClientConfig;
use crate::client::connect::connect;
use crate::client::failure::{Failure, system};
use crate::client::options::{Choosing, Comparison, Network, below};
use crate::client::remote::{Place, Remote};
use crate::client::rules;
use crate::client::show::Show;
use crate::client::source;
use crate::config::Durable;
use crate::exit::Exit;
use crate::install::Stage;
use crate::path::{RelPath, Scope};
use crate::report::{Monitor, Report, Side};
use crate::session::{Baselines, Error, Memory, Offer, Receiver, deliver, offer, receive};
use crate::spec::{Keyword, Keywords};
use crate::sys::{self, Dir, Spool, private};
use crate::terms::{Guise, Keeping, Taking};
use crate::tree::{Remembered, Root};
use crate::wire::message::{Direction, Round};
use crate::wire::scope::say_round;
use crate::wire::{Channel, Flags, Message, WireError};
use std::ffi::OsString;
use std::path::Path;

/// A transfer that the command line asks for.
#[derive(Debug)]
pub(super) struct Request<'r> {
    pub(super) config: &'r ClientConfig,
    pub(super) network: &'r Network,
    pub(super) comparison: &'r Comparison,
    pub(super) choosing: &'r Choosing,
    pub(super) guise: Guise,
    pub(super) taking: Taking,
    pub(super) asked: Asked<'r>,
}

/// What a command asks for, beyond what is compared.
#[derive(Debug)]
pub(super) struct Asked<'r> {
    pub(super) flags: Flags,
    /// Whether the source is to lose what has arrived.
    pub(super) remove_source: bool,
    pub(super) keeping: Keeping,
    /// Trees in which files may be that need not be sent, seen from the destination.
    pub(super) link_dest: &'r [OsString],
    /// Whether files are sent whole.
    pub(super) whole_file: bool,
}

impl Request<'_> {
    /// What the sender is to say of each path.
    fn keywords(&self) -> Keywords {
        let Comparison { keywords, add, remove, checksum, .. } = self.comparison;
        let chosen = keywords.unwrap_or(Keywords::TRANSFER).union(add.unwrap_or_default());
        let mut chosen = chosen.without(remove.unwrap_or_default()).for_transfer();
        if *checksum {
            chosen.insert(Keyword::Blake3);
        }
        if self.choosing.numeric_ids {
            chosen = chosen.without(Keywords::of(&[Keyword::Uname, Keyword::Gname]));
        }
        let Guise { users, groups, chmod } = &self.guise;
        let told = [(Keyword::Uid, users.is_empty()), (Keyword::Gid, groups.is_empty())];
        let told = told.into_iter().chain([(Keyword::Mode, chmod.is_empty())]);
        told.filter(|(_, as_it_is)| !as_it_is).for_each(|(keyword, _)| chosen.insert(keyword));
        chosen
    }

    /// What the server is asked for. To this very host, files are sent whole: that is faster than comparing them.
    fn round(&self, direction: Direction, keywords: Keywords, scope: Scope, here: bool) -> Round {
        let flags = self.asked.flags.with(Flags::DELTA, !self.asked.whole_file && !here);
        Round {
            comparison: self.choosing.comparison(),
            guise: self.guise.clone(),
            remove_source: self.asked.remove_source,
            taking: self.taking,
            keeping: self.asked.keeping.clone(),
            ..Round::new(direction, flags, keywords, scope)
        }
    }

    /// Makes the remote tree like what is here.
    pub(super) fn push(
        &self,
        sources: &[OsString],
        remote: &Remote,
        show: &mut Show,
    ) -> Result<Report, Failure> {
        let (mut root, only) = source::open(sources)?;
        root.take(self.taking);
        let listed = source::listed(&self.comparison.selection, only.is_empty())?;
        if listed.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Report::default());
        }
        let scope = source::scope(listed.unwrap_or(only), rules::filter(&self.comparison.selection)?)?;
        let link_dest =
            self.asked.link_dest.iter().map(|dir| below(&remote.path, dir)).collect::<Result<Vec<_>, _>>();
        let link_dest = link_dest.map_err(|error| Failure::new(Exit::Usage, error).about("--link-dest"))?;
        let state = state_dir();
        // Without a state directory nothing is remembered, and nothing else is amiss.
        if let Err(failure) = &state
            && self.asked.flags.has(Flags::DELETE)
            && !self.asked.keeping.force
        {
            let text =
                "nothing is remembered of the source, and --delete will not notice what is not mounted in it";
            show.error(&format!("warning: {text}: {failure}"));
        }
        let state = state.ok();
        let known = state.as_ref().filter(|_| self.comparison.spec.is_none());
        let memory = known.map_or(Memory::none(), |state| source::memory(state, sources));
        let spool_dir = source::spool_dir()?;
        let remembered = state.as_ref().map(|state| Remembered::of(state, &spool_dir, root.dir()));
        let remembered = remembered.and_then(Result::ok).unwrap_or(Remembered::none());
        let given = self
            .comparison
            .spec
            .as_ref()
            .map(|file| source::read_spec(file, &scope, self.choosing))
            .transpose()?;
        // What a given specification does not speak of is left as it is.
        let keywords = given.as_ref().map_or_else(|| self.keywords(), |given| given.spec.keywords());
        self.with(remote, Side::Receiver, show, |channel, show| {
            let here = channel.is_of_this_host();
            let mut speaker = channel.speak();
            speaker.say(&open_message(remote))?;
            let round = self.round(Direction::Push, keywords, scope.clone(), here);
            let round = Round { keeping: Keeping { link_dest, ..round.keeping }, ..round };
            let baselines = state.as_ref().map_or(Baselines::none(), |state| {
                Baselines::of_client((state, &spool_dir), &source::names(remote, sources), &round)
            });
            say_round(&mut speaker, round.clone())?;
            // The server learns what it is about while we look what we have.
            speaker.end()?;
            let described = match given {
                Some(given) => given,
                None => channel.while_working(|| {
                    let described = source::describe(&root, &scope, keywords, &remembered)?;
                    Ok::<_, Failure>(Offer { doubt: memory.doubt(&root, &scope), ..described })
                })??,
            };
            let spool = || Spool::create(&spool_dir);
            let described = channel.while_working(|| described.in_guise(&self.guise, spool))??;
            show.step(&format!("{} entries described", described.spec.len()));
            if self.asked.flags.has(Flags::ITEMIZE) {
                show.census(described.spec.census());
            }
            let said = offer(channel, &described, &baselines, show)?;
            welcome(channel, None, show)?;
            let report = deliver(channel, (&root, &remembered), (&described, said), &round, show)?;
            memory.after(&root, &round, &described, &report);
            baselines.after(&round, described.told(), said.digest, &report);
            if !round.flags.has(Flags::DRY_RUN) {
                remembered.keep();
            }
            Ok(report)
        })
    }

    /// Makes what is at `dest` like the remote tree.
    pub(super) fn pull(
        &self,
        remote: &Remote,
        dest: &OsString,
        below: &RelPath<'_>,
        show: &mut Show,
    ) -> Result<Report, Failure> {
        let listed = source::listed(&self.comparison.selection, below.is_root())?;
        if listed.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Report::default());
        }
        let scope = source::scope(listed.unwrap_or_default(), rules::filter(&self.comparison.selection)?)?;
        let (spool, state) = (source::spool_dir()?, state_dir()?);
        self.with(remote, Side::Sender, show, |channel, show| {
            let here = channel.is_of_this_host();
            let mut speaker = channel.speak();
            speaker.say(&open_message(remote))?;
            let round = self.round(Direction::Pull, self.keywords(), scope, here);
            let baselines = Baselines::of_client((&state, &spool), &source::names(remote, &[]), &round);
            if let Some(digest) = baselines.base() {
                speaker.say(&Message::Held { digest })?;
            }
            say_round(&mut speaker, round.clone())?;
            speaker.end()?;
            let single = welcome(channel, remote.path.split_last(), show)?;
            let whole = single.is_none();
            // A single file goes into the directory, and nothing else in there is meant.
            let only = single.map_or_else(|| round.scope.only().to_vec(), |name| vec![name]);
            let round = Round { scope: Scope::new(only, round.scope.filter().clone()), ..round };
            // Only now, so that a refusal leaves nothing behind.
            let path = Path::new(dest);
            let dest = Dest::open(dest, self.asked.flags.has(Flags::DRY_RUN))?;
            let links = links(path, dest.absent, self.asked.link_dest)?;
            let root = dest.tree(if whole { below } else { &RelPath::ROOT })?;
            let links = links.iter().map(|root| Root::below(root.dir(), below));
            let links: Vec<Root> = links.flatten().filter(|root| !root.is_bare()).collect();
            let remembered = Remembered::of(&state, &spool, root.dir()).unwrap_or(Remembered::none());
            let receiver = Receiver {
                module: &dest.dir,
                root: &root,
                spool: &spool,
                lock: &Stage::lock_file(&dest.dir, &state).map_err(Error::Stage)?,
                durable: Durable::Batch,
                below: below.borrowed(),
                versions: 0,
                links: &links,
                remembered: &remembered,
                baselines: &baselines,
            };
            Ok(receive(channel, &receiver, &round, show)?)
        })
    }

    /// Does a round over a connection of its own, of which the server is this side, and tells it how it ended.
    fn with(
        &self,
        remote: &Remote,
        side: Side,
        show: &mut Show,
        round: impl FnOnce(&mut Channel, &mut Show) -> Result<Report, Failure>,
    ) -> Result<Report, Failure> {
        let mut channel = connect(self.config, &remote.host, Some(&remote.module), self.network)
            .map_err(|failure| failure.about(remote))?;
        show.step(&format!("connected to {}", remote.host));
        show.meet(&remote.host.name, side);
        match round(&mut channel, show) {
            Ok(report) => {
                let mut speaker = channel.speak();
                // The report is here: that the server is gone already changes nothing.
                let _ = speaker.say(&Message::Bye).and_then(|()| speaker.end());
                show.traffic(channel.traffic());
                Ok(report)
            }
            Err(failure) => Err(explain(&mut channel, failure).about(remote)),
        }
    }
}

/// Tells the server why we give up, or finds out why it did.
pub(super) fn explain(channel: &mut Channel, failure: Failure) -> Failure {
    match failure.error.downcast::<Error>() {
        Ok(Error::Wire(error)) => {
            let error = Error::Wire(channel.last_word(error));
            if error.is_ours_to_tell() {
                channel.abort(error.exit(), &error.to_string());
            }
            error.into()
        }
        Ok(error) => {
            channel.abort(error.exit(), &error.to_string());
            let here = error.is_of_this_host();
            let failure = Failure::from(error);
            // The name of the remote tree will stand before it.
            if here { failure.about("on this host") } else { failure }
        }
        Err(error) => {
            // Whatever is no error of the session happened here, and the server's administrator cannot mend it.
            channel.abort(failure.exit, &format!("the client gave up: {error:#}"));
            Failure { exit: failure.exit, error }.about("on this host")
        }
    }
}

fn open_message(remote: &Remote) -> Message<'_> {
    Message::Open { module: remote.module.as_str().into(), path: remote.path.borrowed() }
}

/// Takes the server's consent: the name, when the path is that of a single file and `last` its last component.
fn welcome(
    channel: &mut Channel,
    last: Option<(RelPath<'_>, &[u8])>,
    show: &mut Show,
) -> Result<Option<RelPath<'static>>, Failure> {
    let mut told = false;
    loop {
        return match channel.listen().message()? {
            Message::Motd(text) if !std::mem::replace(&mut told, true) => {
                show.motd(&text);
                continue;
            }
            Message::Welcome { single } if single.is_root() => Ok(None),
            Message::Welcome { single } if last.is_some_and(|(_, name)| name == single.as_bytes()) => {
                Ok(Some(single.into_owned()))
            }
            Message::Welcome { .. } => {
                Err(WireError::Violation("another file than the one asked for").into())
            }
            _ => Err(WireError::Violation("something else than its consent").into()),
        };
    }
}

/// The trees to link from, seen from the destination. One that is missing has no files.
fn links(dest: &Path, absent: bool, dirs: &[OsString]) -> Result<Vec<Root>, Failure> {
    let mut links = Vec::new();
    for dir in dirs {
        // A destination that is not made yet has nothing in it, but there is something beside it.
        let beside = Path::new(dir).strip_prefix("..").ok().zip(dest.parent()).filter(|_| absent);
        let path = beside.map_or_else(|| dest.join(dir), |(dir, above)| Path::new(".").join(above).join(dir));
        match Root::open(&path) {
            Ok(root) => links.push(root),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let name = crate::vis::shown(path.as_os_str().as_encoded_bytes());
                return Err(system(Exit::Io, format_args!("--link-dest: {name}"), &error));
            }
        }
    }
    Ok(links)
}

/// Where locks are kept.
fn state_dir() -> Result<Dir, Failure> {
    let home = sys::env::state_home().ok_or_else(|| {
        Failure::new(Exit::System, "neither $XDG_STATE_HOME nor $HOME says where to keep locks")
    })?;
    let dir = private::open_private_dir(&home.join("smsync"), true)
        .map_err(|error| Failure::new(Exit::System, error))?;
    Ok(Dir::from(dir))
}

/// A directory of this host into which something remote goes.
#[derive(Debug)]
struct Dest {
    /// The directory; in a dry run that would make it, the one it would be in.
    dir: Dir,
    absent: bool,
    dry: bool,
}

impl Dest {
    /// Opens the directory; makes it when only its last component is missing.
    fn open(path: &OsString, dry: bool) -> Result<Dest, Failure> {
        let path = Path::new(path);
        let name = crate::vis::shown(path.as_os_str().as_encoded_bytes());
        let failed = |error: std::io::Error| system(Exit::Io, &name, &error);
        let missing = match Dir::open_root(path) {
            Ok(dir) => return Ok(Dest { dir, absent: false, dry }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => error,
            Err(error) => return Err(failed(error)),
        };
        let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let last = path.file_name().ok_or_else(|| failed(missing))?.as_encoded_bytes();
        let above = Dir::open_root(above).map_err(failed)?;
        if dry {
            return Ok(Dest { dir: above, absent: true, dry });
        }
        above.make_dir(last).map_err(failed)?;
        let dir = above.subdir(last).map_err(failed)?;
        dir.set_own_mode(0o755).map_err(failed)?;
        Ok(Dest { dir, absent: false, dry })
    }

    /// The tree in it that is to be filled.
    fn tree(&self, below: &RelPath<'_>) -> Result<Root, Failure> {
        let tree = if self.absent {
            self.dir.again().and_then(Root::nothing)
        } else {
            Root::to_fill(&self.dir, below, self.dry)
        };
        tree.map_err(|error| system(Exit::Io, below, &error))
    }
}

/// The two sides of a transfer: which is remote.
#[derive(Debug)]
pub(super) enum Sides {
    /// From here to there.
    Push(Vec<OsString>, Remote),
    /// From there to here.
    Pull(Vec<Remote>, OsString),
}

impl Sides {
    /// Sorts the arguments of a command.
    pub(super) fn parse(sources: &[OsString], dest: &OsString) -> Result<Sides, Failure> {
        let usage = |text: String| Failure::new(Exit::Usage, text);
        let places: Result<Vec<Place>, String> = sources.iter().map(|source| Place::parse(source)).collect();
        let (mut local, mut remote) = (Vec::new(), Vec::new());
        for place in places.map_err(usage)? {
            match place {
                Place::Local(path) => local.push(path),
                Place::Remote(tree) => remote.push(tree),
            }
        }
        match Place::parse(dest).map_err(usage)? {
            Place::Remote(dest) if remote.is_empty() => Ok(Sides::Push(local, dest)),
            Place::Local(dest) if local.is_empty() => Ok(Sides::Pull(remote, dest)),
            _ => Err(usage(
                "one side must be here and the other remote ([user@]host[:port]::module[/path])".into(),
            )),
        }
    }
}
