//! One round of a session: the tree that it is about, and what goes over.

use crate::exit::Exit;
use crate::path::RelPath;
use crate::report::{Report, Side};
use crate::server::account::Account;
use crate::server::config::Module;
use crate::server::confine::{Lacking, Places};
use crate::server::logged::Logged;
use crate::server::permit::marked;
use crate::server::serve::{Session, refused};
use crate::session::{Baselines, Error, Memory, Offer, Receiver, deliver, offer, receive};
use crate::spec::{Keyword, Keywords, SpecWriter, WriteError};
use crate::sys::{Dir, Spool, error_words};
use crate::terms::{Guise, Policy};
use crate::tree::{Remembered, Root, Scan, View, is_reserved, scan};
use crate::vis::shown;
use crate::wire::message::{Direction, Round};
use crate::wire::{Channel, Flags};
use std::io;
use std::time::Instant;

/// The tree a connection is about.
pub(super) struct Tree {
    /// The module's root.
    pub(super) dir: Dir,
    /// Where in it.
    pub(super) root: Root,
    /// The name, when it is a single file.
    pub(super) single: RelPath<'static>,
    /// Which way the rounds go for which it was opened.
    pub(super) direction: Direction,
}

impl Session<'_> {
    /// Opens the tree a first round is about.
    pub(super) fn open(
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

    pub(super) fn round(
        &self,
        channel: &mut Channel,
        (module, places, account): (&Module, &Places, &mut Account<'_>),
        (tree, path): (&Tree, &RelPath<'_>),
        (round, held): (&Round, Option<[u8; 32]>),
    ) -> Result<Report, Error> {
        let Places { state, lock, spool, .. } = places;
        let client = if round.direction == Direction::Push { Side::Sender } else { Side::Receiver };
        let (session, visitor) = (self.to_string(), &self.visitor);
        let below = shown(path.as_bytes());
        // What was only compared must not read in the log like what was done.
        let tried = if round.flags.has(Flags::DRY_RUN) { "dry run of a " } else { "" };
        let (what, started) = (format!("{tried}{}", self.wish), Instant::now());
        let mut monitor =
            Logged { log: self.log, session, what, started, module, client, visitor, below, account };
        let names = [self.visitor.user(), &module.name].map(|name| name.as_bytes().to_vec());
        let names = [&names[..], &[path.as_bytes().to_vec()]].concat();
        let baselines = match state {
            Ok(state) => Baselines::of_server((state, spool), &names, round, held),
            Err(_) => Baselines::none(),
        };
        let remembered =
            state.as_ref().ok().and_then(|state| Remembered::of(state, spool, tree.root.dir()).ok());
        let remembered = remembered.unwrap_or(Remembered::none());
        match round.direction {
            Direction::Push => {
                let lacks = |Lacking { exit, told, reason }: &Lacking| {
                    self.log.error(format_args!("{self}: module {}: {reason}", module.name));
                    refused(*exit, told.as_str())
                };
                state.as_ref().map_err(lacks)?;
                let receiver = Receiver {
                    module: &tree.dir,
                    root: &tree.root,
                    spool,
                    lock: lock.as_ref().map_err(lacks)?,
                    durable: module.durable,
                    below: path.borrowed(),
                    versions: module.keep_versions,
                    links: &self.links(tree, round)?,
                    remembered: &remembered,
                    baselines: &baselines,
                };
                receive(channel, &receiver, round, &mut monitor)
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
                if let Err(Lacking { reason, .. }) = state
                    && round.flags.has(Flags::DELETE)
                    && !round.keeping.force
                {
                    let text =
                        "nothing is remembered, and nobody will notice what is not mounted in the module";
                    self.log.warning(format_args!("{self}: {text}: {reason}"));
                }
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
                Ok(report)
            }
        }
    }

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
