//! Serves one connection: greeting, module, rounds.

use crate::exit::Exit;
use crate::path::RelPath;
use crate::report::{Report, Side};
use crate::server::account::{Account, refuse};
use crate::server::admission::{module_place, strange};
use crate::server::config::{Config, Module};
use crate::server::confine::{Asked, Places, confine};
use crate::server::door::Visitor;
use crate::server::hooks::Transfers;
use crate::server::log::Log;
use crate::server::logged::Logged;
use crate::server::metrics::{Outlet, outlet};
use crate::server::motd::Motd;
use crate::server::permit::{marked, permit};
use crate::server::strangers::Place;
use crate::session::{Baselines, Error, Memory, Offer, Receiver, deliver, greet_server, offer, receive};
use crate::spec::{Keyword, Keywords, SpecWriter, WriteError};
use crate::sys::private::PrivateError;
use crate::sys::stdio::Peer;
use crate::sys::{Dir, Spool, Stream, error_words, private};
use crate::terms::{Guise, MUNGED_DIR, Policy, Taking};
use crate::tree::{Remembered, Root, Scan, View, is_reserved, scan};
use crate::vis::{shown, shown_text};
use crate::wire::message::{Direction, Round};
use crate::wire::scope::Ahead;
use crate::wire::{Channel, Flags, Message, Patience, WireError};
use std::borrow::Cow;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// Serves one connection, which began at this moment, by this configuration.
pub(super) fn serve(connection: OwnedFd, peer: Peer, (config, begun): (&Config, Instant), log: &Log) -> Exit {
    let stream = Stream::new(connection);
    let state = private::open_private_dir(&config.globals.state_dir, true).map(Dir::from);
    let metrics = outlet(config.globals.metrics_file.as_deref(), log);
    let turn_away = |reason| refuse(state.as_ref().ok(), metrics.as_ref(), log, reason);
    let kept = private::open_private_dir(&config.globals.kept_dir(), true).map(Dir::from);
    let place = match strange(&kept, &peer, log) {
        Ok(place) => place,
        Err(exit) => {
            turn_away("strangers");
            return exit;
        }
    };
    // Armed before the first byte is read.
    let deadline = begun + config.globals.handshake_timeout;
    let greeted = greet_server(stream, &|user| config.secrets_of(user), deadline);
    let (mut channel, user) = match greeted {
        Ok(greeted) => greeted,
        Err(error) => {
            log.notice(format_args!("{peer}: {error}"));
            turn_away(if matches!(error, Error::Denied) { "secret" } else { "greeting" });
            return error.exit();
        }
    };
    let (visitor, transfers) = (Visitor::new(peer, user), Transfers::default());
    let mut session = Session { config, visitor, log, place, proven: false, transfers };
    let exit = match session.run(&mut channel, (state, kept), metrics) {
        Ok(exit) => exit,
        Err(error) => {
            log.error(format_args!("{session}: {error}"));
            if error.is_ours_to_tell() {
                channel.abort(error.exit(), &error.to_string());
            }
            error.exit()
        }
    };
    // The client does not wait for what comes after.
    drop(channel);
    if let Some(fault) = std::mem::take(&mut session.transfers).end(exit) {
        log.warning(format_args!("{session}: {fault}"));
    }
    exit
}

/// One connection whose greeting is over.
struct Session<'s> {
    config: &'s Config,
    visitor: Visitor,
    log: &'s Log,
    /// Among strangers, until the client's first record has opened: before that it may be a recording.
    place: Option<Place>,
    /// Whether it has.
    proven: bool,
    transfers: Transfers,
}

impl std::fmt::Display for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let claimed = if self.proven { "" } else { "claimed " };
        write!(f, "{} {claimed}user \"{}\"", self.visitor.peer(), shown_text(self.visitor.user()))
    }
}

/// How long a peer may be silent when the configuration sets no limit.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

fn refused(exit: Exit, text: impl Into<String>) -> Error {
    Error::Refused(exit, text.into())
}

impl Session<'_> {
    fn run(
        &mut self,
        channel: &mut Channel,
        (state, kept): (Result<Dir, PrivateError>, Result<Dir, PrivateError>),
        metrics: Option<Outlet>,
    ) -> Result<Exit, Error> {
        let asked = match channel.listen().message()? {
            Message::List => None,
            Message::Open { module, path } => Some((module.into_owned(), path.into_owned())),
            _ => return Err(WireError::Violation("something else than the name of a module").into()),
        };
        self.proven = true;
        if let Some(place) = self.place.take() {
            place.leave().map_err(|error| Error::System("leave the place of a stranger", error))?;
        }
        let mut motd = Motd::of(self.config.globals.motd_file.as_deref(), (self.log, self));
        let Some((module, path)) = asked else { return self.list(channel, motd) };
        self.log.info(format_args!("{self}: opens {}", shown(module.as_bytes())));
        let found = self.config.module(&module);
        let entered = channel.while_working(|| found.and_then(|found| self.visitor.enter(found)))?;
        let Some(module) = &entered else {
            if found.is_some() {
                self.log.notice(format_args!("{self}: may not open {}", shown(module.as_bytes())));
            }
            return Err(refused(Exit::Refused, "no such module, or not for you"));
        };
        channel.set_patience(Patience::Silence(module.timeout.unwrap_or(FOREVER)));
        if path.components().next().is_some_and(is_reserved) {
            return Err(refused(Exit::Refused, "the path is reserved"));
        }
        if module.policy.munge_links && Dir::open_root(Path::new(MUNGED_DIR)).is_ok() {
            let text = format!("{MUNGED_DIR} is a directory, and would give munged links a meaning");
            return Err(refused(Exit::Config, text));
        }
        module.bandwidth.iter().for_each(|rate| channel.limit(*rate));
        if module.open_noatime {
            crate::sys::keep_access_times();
        }
        let who = format!("{self}: module {}", module.name);
        let _place = module_place(module, &kept, &who, self.log)?;
        // What is in there is not for a process that its client may have taken over.
        drop(kept);
        let who = (&self.visitor.peer(), self.visitor.user());
        let mut account = Account::open(state.as_ref().ok(), self.log, who, &module.name);
        let (config, log, visitor) = (self.config, self.log, &self.visitor);
        let places = confine(&Asked { config, module, visitor, session: &*self, log }, state, metrics)?;
        account.keep_in(places.state.as_ref().ok(), places.metrics.as_ref());
        self.transfers = Transfers::new(places.broker);
        let mut exit = Exit::Ok;
        let mut tree: Option<Tree> = None;
        let mut welcome = false;
        let mut ahead = Ahead::default();
        let mut held = None;
        loop {
            match channel.listen().message()? {
                Message::Paths(paths) => ahead.take(paths)?,
                Message::Held { digest } => held = Some(digest),
                Message::Round(round) => {
                    let round = ahead.join(round)?;
                    permit(module, &round)?;
                    // What a dry run only thought of may be there by now, or is to be made; and what may be opened, and how,
                    // is another thing for each direction.
                    let tree = match &mut tree {
                        Some(tree) if !tree.root.is_nothing() && tree.direction == round.direction => tree,
                        none => none.insert(self.open(module, &places, &path, &round)?),
                    };
                    marked(module, &tree.dir, (self.log, self))?;
                    self.transfers.begin(channel, round.direction == Direction::Push)?;
                    // What the client takes of its own tree is nothing to ours.
                    let pull = round.direction == Direction::Pull;
                    tree.root.take(if pull { round.taking } else { Taking::default() });
                    if !std::mem::replace(&mut welcome, true) {
                        // Leaves with the first thing we have to say.
                        let mut speaker = channel.speak();
                        motd.tell(&mut speaker)?;
                        speaker.say(&Message::Welcome { single: tree.single.borrowed() })?;
                    }
                    let began = account.begin(&round);
                    let (tree, asked) = ((&*tree, &path), (&round, held.take()));
                    let ended = self.round(channel, (module, &places, &mut account), tree, asked);
                    account.end(&round, began, &ended);
                    let report = ended?;
                    self.transfers.add(&report);
                    exit = exit.max_of(report.exit());
                }
                Message::Bye => return Ok(exit),
                _ => return Err(WireError::Violation("something else than a round").into()),
            }
        }
    }

    /// Names the modules that this user may see.
    fn list(&mut self, channel: &mut Channel, mut motd: Motd) -> Result<Exit, Error> {
        self.log.info(format_args!("{self}: lists modules"));
        let listed = self.config.modules.iter().filter(|module| module.list);
        let open: Vec<Module> =
            channel.while_working(|| listed.filter_map(|module| self.visitor.enter(module)).collect())?;
        let mut speaker = channel.speak();
        motd.tell(&mut speaker)?;
        for module in &open {
            speaker.say(&Message::Module {
                name: Cow::Borrowed(&module.name),
                comment: Cow::Borrowed(&module.comment),
                read_only: module.read_only,
            })?;
        }
        speaker.say(&Message::ModulesEnd)?;
        speaker.end()?;
        channel.drain();
        Ok(Exit::Ok)
    }

    /// Opens the tree a first round is about.
    fn open(
        &self,
        module: &Module,
        places: &Places,
        path: &RelPath<'static>,
        round: &Round,
    ) -> Result<Tree, Error> {
        let push = round.direction == Direction::Push;
        let dir = places.module.again().map_err(|error| Error::System("hold the module", error))?;
        marked(module, &dir, (self.log, self))?;
        let policy = &module.policy;
        let absent = || {
            let absent = io::Error::from_raw_os_error(libc::ENOENT);
            refused(Exit::Io, format!("{path}: cannot open: {}", error_words(&absent)))
        };
        // A round that goes into the module begins with a directory, which is made if need be.
        if policy.fence.bars_way(path, true) || push && policy.fence.may_bar(path) {
            return Err(absent());
        }
        let root = if push {
            Root::to_fill(&dir, path, module.read_only || round.flags.has(Flags::DRY_RUN))
        } else {
            Root::below(&dir, path)
        };
        let mut root =
            root.map_err(|error| refused(Exit::Io, format!("{path}: cannot open: {}", error_words(&error))))?;
        let single = match path.split_last() {
            Some((_, name)) if !push && root.is_bare() => RelPath::ROOT.join(name).unwrap_or(RelPath::ROOT),
            _ => RelPath::ROOT,
        };
        let below = match path.split_last() {
            Some((above, _)) if root.is_bare() && !root.is_nothing() => above,
            _ => path.borrowed(),
        };
        if root.is_bare() && policy.fence.bars(path, false) {
            return Err(absent());
        }
        root.offer_by(Policy { fence: policy.fence.at(&below), ..policy.clone() });
        Ok(Tree { dir, root, single, direction: round.direction })
    }

    fn round(
        &self,
        channel: &mut Channel,
        (module, places, account): (&Module, &Places, &mut Account<'_>),
        (tree, path): (&Tree, &RelPath<'_>),
        (round, held): (&Round, Option<[u8; 32]>),
    ) -> Result<Report, Error> {
        let Places { state, spool, .. } = places;
        let client = if round.direction == Direction::Push { Side::Sender } else { Side::Receiver };
        let (session, visitor) = (self.to_string(), &self.visitor);
        let below = shown(path.as_bytes());
        let mut monitor = Logged { log: self.log, session, module, client, visitor, below, account };
        let started = Instant::now();
        let names = [self.visitor.user(), &module.name].map(|name| name.as_bytes().to_vec());
        let names = [&names[..], &[path.as_bytes().to_vec()]].concat();
        let baselines = match state {
            Ok(state) => Baselines::of_server(state, &names, round, held),
            Err(_) => Baselines::none(),
        };
        let remembered =
            state.as_ref().ok().and_then(|state| Remembered::of(state, spool, tree.root.dir()).ok());
        let remembered = remembered.unwrap_or(Remembered::none());
        let report = match round.direction {
            Direction::Push => {
                let state = state.as_ref().map_err(|error| refused(Exit::Config, error.clone()))?;
                let receiver = Receiver {
                    module: &tree.dir,
                    root: &tree.root,
                    spool,
                    state,
                    durable: module.durable,
                    below: path.borrowed(),
                    versions: module.keep_versions,
                    links: &self.links(tree, round)?,
                    remembered: &remembered,
                    baselines: &baselines,
                };
                receive(channel, &receiver, round, &mut monitor)?
            }
            Direction::Pull => {
                let mut keywords = round.keywords.for_transfer();
                if module.policy.numeric_ids {
                    keywords = keywords.without(Keywords::of(&[Keyword::Uname, Keyword::Gname]));
                }
                let outgoing = Guise { chmod: module.policy.outgoing.clone(), ..Guise::default() };
                // Without a state directory nothing is remembered, and nothing else is amiss.
                let source = [module.name.as_bytes(), &[0], path.as_bytes()].concat();
                let memory = state.as_ref().map_or(Memory::none(), |state| Memory::of(state, &source));
                let what = Scan {
                    scope: &round.scope,
                    keywords,
                    one_file_system: false,
                    sockets: true,
                    view: View::Sender,
                    remembered: Some(&remembered),
                    stop: None,
                };
                let begun = crate::sys::clock::now();
                let mut described = channel.while_working(|| {
                    let mut writer = Spool::create(spool)
                        .and_then(|spool| SpecWriter::new(spool, keywords))
                        .map_err(WriteError::Io)?;
                    let scanned = scan(&tree.root, what, &mut writer)?;
                    let described = Offer::new(writer.seal().map_err(WriteError::Io)?, scanned, begun);
                    described
                        .in_guise(&outgoing, || Spool::create(spool))?
                        .in_guise(&round.guise, || Spool::create(spool))
                })??;
                described.doubt = memory.doubt(&tree.root, &round.scope);
                let said = offer(channel, &described, &baselines, &mut monitor)?;
                let report =
                    deliver(channel, (&tree.root, &remembered), (&described, said), round, &mut monitor)?;
                memory.after(&tree.root, round, &described, &report);
                baselines.after(round, described.told(), said.digest, &report);
                if !round.flags.has(Flags::DRY_RUN) {
                    remembered.keep();
                }
                report
            }
        };
        // What was only compared must not read in the log like what was done.
        let tried = if round.flags.has(Flags::DRY_RUN) { "dry run of a " } else { "" };
        self.log.notice(format_args!(
            "{self}: {tried}{} {}: {} files, {} bytes, {} removed, {} problems, {:.1} s, exit {}",
            if round.direction == Direction::Push { "push to" } else { "pull from" },
            module.name,
            report.files,
            report.bytes,
            report.removed,
            report.problems,
            started.elapsed().as_secs_f64(),
            report.exit().code(),
        ));
        Ok(report)
    }
}

impl Session<'_> {
    /// The trees of the module in which a round lets us look for files. One that is missing has none.
    fn links(&self, tree: &Tree, round: &Round) -> Result<Vec<Root>, Error> {
        let mut links = Vec::new();
        for path in &round.keeping.link_dest {
            if path.components().next().is_some_and(is_reserved) {
                return Err(refused(Exit::Refused, "the path is reserved"));
            }
            match Root::below(&tree.dir, path) {
                Ok(root) if !root.is_bare() => links.push(root),
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(refused(Exit::Io, format!("{path}: cannot open: {}", error_words(&error))));
                }
                _ => self.log.notice(format_args!("{self}: {path}: no such directory to link from")),
            }
        }
        Ok(links)
    }
}

/// The tree a connection is about.
struct Tree {
    /// The module's root.
    dir: Dir,
    /// Where in it.
    root: Root,
    /// The name, when it is a single file.
    single: RelPath<'static>,
    /// Which way the rounds go for which it was opened.
    direction: Direction,
}
