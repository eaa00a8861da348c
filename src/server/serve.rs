//! Serves one connection: greeting, module, rounds.

use crate::exit::Exit;
use crate::path::RelPath;
use crate::report::Report;
use crate::server::account::{Account, is_turned_away};
use crate::server::admission::{module_place, strange};
use crate::server::books::Books;
use crate::server::config::{Config, Module};
use crate::server::confine::{Asked, Places, Shut, confine, open};
use crate::server::door::Visitor;
use crate::server::homes::Homes;
use crate::server::hooks::Transfers;
use crate::server::log::Log;
use crate::server::motd::Motd;
use crate::server::permit::{marked, permit};
use crate::server::presence::Presence;
use crate::server::refused::Reason;
use crate::server::round::Tree;
use crate::server::strangers::Place;
use crate::session::{Error, greet_server};
use crate::sys::stdio::Peer;
use crate::sys::{Dir, Stream};
use crate::terms::{MUNGED_DIR, Taking};
use crate::tree::is_reserved;
use crate::vis::{shown, shown_text};
use crate::wire::message::{Direction, Round};
use crate::wire::scope::Ahead;
use crate::wire::{Channel, Message, Patience, WireError};
use std::borrow::Cow;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// Serves one connection, which began at this moment, by this configuration, with these directories.
pub(super) fn serve(
    (connection, peer): (OwnedFd, Peer),
    (config, begun): (&Config, Instant),
    homes: Homes,
    log: &Log,
) -> Exit {
    let stream = Stream::new(connection);
    let turn_away = |reason| books(&homes, config).refuse(reason, log);
    let (place, ended) = strange(&homes.kept, &peer, log);
    let place = match place {
        Ok(place) => place,
        Err(exit) => {
            (0..=ended).for_each(|_| turn_away(Reason::Strangers));
            return exit;
        }
    };
    // Armed before the first byte is read.
    let deadline = begun + config.globals.handshake_timeout;
    let greeted = greet_server(stream, &|user| config.secrets_of(user), deadline);
    // Not before: who has a secret does not wait for that.
    (0..ended).for_each(|_| turn_away(Reason::Strangers));
    let (mut channel, user) = match greeted {
        Ok(greeted) => greeted,
        Err(error) => {
            log.notice(format_args!("{peer}: {error}"));
            // Whoever has no place is not ended in the middle of writing.
            drop(place);
            turn_away(if matches!(error, Error::Denied) { Reason::Secret } else { Reason::Greeting });
            return error.exit();
        }
    };
    let (visitor, transfers) = (Visitor::new(peer, user), Transfers::default());
    let wish = Wish::default();
    let mut session = Session { config, visitor, log, place, proven: false, wish, transfers };
    let exit = match session.run(&mut channel, homes) {
        Ok(exit) => exit,
        Err(error) => {
            log.error(format_args!("{session}: {}{error}", session.wish));
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

/// Where those are counted that are turned away before they have opened a module.
fn books<'b>(homes: &'b Homes, config: &'b Config) -> Books<'b> {
    let shown = config.globals.metrics_file.as_deref();
    Books { kept: homes.kept.as_ref().ok(), shown }
}

/// One connection whose greeting is over.
pub(super) struct Session<'s> {
    config: &'s Config,
    pub(super) visitor: Visitor,
    pub(super) log: &'s Log,
    /// Among strangers, until the client's first record has opened: before that it may be a recording.
    place: Option<Place>,
    /// Whether it has.
    proven: bool,
    pub(super) wish: Wish,
    transfers: Transfers,
}

/// What the client wants, as far as it has said so: it goes before what became of that.
#[derive(Default)]
pub(super) struct Wish {
    /// The module, and where in it.
    place: Option<String>,
    direction: Option<Direction>,
}

impl std::fmt::Display for Wish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(place) = &self.place else { return Ok(()) };
        let what = match self.direction {
            None => "module",
            Some(Direction::Push) => "push to",
            Some(Direction::Pull) => "pull from",
        };
        write!(f, "{what} {place}: ")
    }
}

impl Wish {
    fn open(module: &str, path: &RelPath<'_>) -> Wish {
        let module = shown(module.as_bytes());
        let place = if *path == RelPath::ROOT { module } else { format!("{module}/{path}") };
        Wish { place: Some(place), direction: None }
    }
}

impl std::fmt::Display for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let claimed = if self.proven { "" } else { "claimed " };
        write!(f, "{} {claimed}user \"{}\"", self.visitor.peer(), shown_text(self.visitor.user()))
    }
}

/// How long a peer may be silent when the configuration sets no limit.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

pub(super) fn refused(exit: Exit, text: impl Into<String>) -> Error {
    Error::Refused(exit, text.into())
}

impl Session<'_> {
    fn run(&mut self, channel: &mut Channel, homes: Homes) -> Result<Exit, Error> {
        let asked = match channel.listen().message()? {
            Message::List => None,
            Message::Open { module, path } => Some((module.into_owned(), path.into_owned())),
            _ => return Err(WireError::Violation("something else than the name of a module").into()),
        };
        self.proven = true;
        if let Some(place) = self.place.take() {
            place.leave().map_err(|error| Error::System("leave the place of a stranger", error))?;
        }
        let motd = Motd::of(self.config.globals.motd_file.as_deref(), (self.log, self));
        let Some((module, path)) = asked else { return self.list(channel, motd) };
        self.wish = Wish::open(&module, &path);
        let module = self.enter(channel, &module, &path);
        let turn_away = |error: &Error, reason| {
            if is_turned_away(error) {
                books(&homes, self.config).refuse(reason, self.log);
            }
        };
        let module = &module.inspect_err(|error| turn_away(error, Reason::Access))?;
        let who = format!("{self}: module {}", module.name);
        let connection = module_place(module, &homes.kept, &who, self.log);
        let connection = connection.inspect_err(|error| turn_away(error, Reason::Module))?;
        let dir = open(module).map_err(|Shut { told, reason }| {
            self.log.error(format_args!("{who}: the module cannot be opened: {reason}"));
            refused(Exit::Io, format!("the module cannot be opened: {told}"))
        });
        let dir = dir?;
        let (config, log, visitor) = (self.config, self.log, &self.visitor);
        let asked = Asked { config, module, visitor, session: &*self, log };
        let presence = Presence::enter(connection, homes.kept.as_ref().ok(), &asked);
        let places = confine(&asked, dir, homes, presence)?;
        let mut account = Account::new(places.broker, log, who);
        self.transfers = Transfers::new(places.broker);
        let mut exit = Exit::Ok;
        let mut tree: Option<Tree> = None;
        let mut ahead = Ahead::default();
        let mut held = None;
        let mut welcome = Some(motd);
        loop {
            match channel.listen().message()? {
                Message::Paths(paths) => ahead.take(paths)?,
                Message::Held { digest } => held = Some(digest),
                Message::Round(round) => {
                    let round = ahead.join(round)?;
                    self.wish.direction = Some(round.direction);
                    account.begin(&round);
                    let asked = (&round, held.take());
                    let ended = self.take(
                        channel,
                        (module, &places, &mut account),
                        (&mut tree, &path),
                        asked,
                        &mut welcome,
                    );
                    let report = ended.inspect_err(|error| account.failed(error))?;
                    self.transfers.add(&report);
                    exit = exit.max_of(report.exit());
                }
                Message::Bye => return Ok(exit),
                _ => return Err(WireError::Violation("something else than a round").into()),
            }
        }
    }

    /// The module of this name as it is to this client.
    fn enter(&self, channel: &mut Channel, name: &str, path: &RelPath<'_>) -> Result<Module, Error> {
        self.log.info(format_args!("{self}: opens {}", shown(name.as_bytes())));
        let found = self.config.module(name);
        // Whether there is a module must not be told by how long it takes, nor by whom the resolver is asked about.
        let named = self.config.modules.iter().any(Module::names_hosts);
        let entered = channel.while_working(|| {
            if named {
                self.visitor.look_up();
            }
            found.and_then(|found| self.visitor.enter(found))
        })?;
        let Some(module) = entered else {
            if found.is_some() {
                self.log.notice(format_args!("{self}: may not open {}", shown(name.as_bytes())));
            }
            return Err(refused(Exit::Refused, "no such module, or not for you"));
        };
        if let Some(file) = &module.log_file {
            let failed = |error| self.log.error(format_args!("{self}: module {}: {error}", module.name));
            self.log.go_on_in(file).unwrap_or_else(failed);
        }
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
        Ok(module)
    }

    /// A round that the client asks for, if it may be. The first is welcomed.
    fn take(
        &mut self,
        channel: &mut Channel,
        (module, places, account): (&Module, &Places, &mut Account<'_>),
        (tree, path): (&mut Option<Tree>, &RelPath<'static>),
        (round, held): (&Round, Option<[u8; 32]>),
        welcome: &mut Option<Motd>,
    ) -> Result<Report, Error> {
        account.at(Some(Reason::Round));
        permit(module, round)?;
        // What a dry run only thought of may be there by now, or is to be made; and what may be opened, and how, is another
        // thing for each direction.
        let tree = match tree {
            Some(tree) if !tree.root.is_nothing() && tree.direction == round.direction => tree,
            none => none.insert(self.open(module, places, path, round)?),
        };
        marked(module, &tree.dir, (self.log, self))?;
        account.at(Some(Reason::Hook));
        self.transfers.begin(channel, round.direction == Direction::Push)?;
        account.at(None);
        // What the client takes of its own tree is nothing to ours.
        let pull = round.direction == Direction::Pull;
        tree.root.take(if pull { round.taking } else { Taking::default() });
        if let Some(mut motd) = welcome.take() {
            // Leaves with the first thing we have to say.
            let mut speaker = channel.speak();
            motd.tell(&mut speaker)?;
            speaker.say(&Message::Welcome { single: tree.single.borrowed() })?;
        }
        self.round(channel, (module, places, account), (tree, path), (round, held))
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
                read_only: module.read_only || module.is_disabled(),
                write_only: module.write_only || module.is_disabled(),
            })?;
        }
        speaker.say(&Message::ModulesEnd)?;
        speaker.end()?;
        channel.drain();
        Ok(Exit::Ok)
    }
}
