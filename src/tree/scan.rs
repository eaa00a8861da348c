//! The scan: describes a live tree as a specification, in tree order.

mod ahead;
mod crew;
mod emit;
mod examine;
mod facts;
mod hidden;
mod level;
mod place;
mod rules;
mod task;

use crate::limits;
use crate::path::{Descent, Local, RelPath, Scope};
use crate::report::Step;
use crate::spec::{Entry, Keyword, Keywords, Kind, Spec, SpecWriter, WriteError};
use crate::sys::xattr::ByName;
use crate::sys::{FileKind, Stat};
use crate::terms::{Policy, Taking};
use crate::tree::scanned::kind;
use crate::tree::{Remembered, Root, Scanned, is_reserved};
use ahead::Ahead;
use crew::Crew;
use emit::{Line, Source, Waiting};
use examine::{Examined, Examiner, Facts, sorted};
use level::{Held, Level};
use place::Place;
use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What to describe, and how.
#[derive(Debug, Clone, Copy)]
pub struct Scan<'a> {
    /// The part of the tree.
    pub scope: &'a Scope,
    /// What to say of each path.
    pub keywords: Keywords,
    /// Whether to stay on the root's file system.
    pub one_file_system: bool,
    /// Whether sockets are named; else they are hidden, like what is excluded.
    pub sockets: bool,
    /// On which side it is.
    pub view: View<'a>,
    /// What is known of contents that were read before.
    pub remembered: Option<&'a Remembered<'a>>,
    /// Is set when nobody wants the description any more.
    pub stop: Option<&'a AtomicBool>,
}

/// On which side a scan is: which rules of the scope it goes by.
#[derive(Debug, Clone, Copy)]
pub enum View<'a> {
    /// It leaves out what is hidden, and reads the files of rules that it finds on the way.
    Sender,
    /// It leaves out what is protected, unless the specification wants it.
    Receiver {
        /// What is wanted; nothing is known of that where the scope has no rules.
        want: Option<&'a Spec>,
        /// What the sender's files of rules say.
        locals: &'a [Local],
    },
}

/// Why there is no specification.
pub type ScanError = WriteError;

/// Describes the tree below `root` to `writer`.
///
/// # Errors
/// The output failed, there are more entries than [`limits`] allows, or it was stopped. What cannot be read in the tree is a
/// [`crate::report::Problem`] and the scan goes on; a directory that cannot be listed is marked `ignore`, which protects it.
pub fn scan<W: Write + Send>(
    root: &Root,
    what: Scan<'_>,
    writer: &mut SpecWriter<W>,
) -> Result<Scanned, ScanError> {
    if what.keywords.contains(Keyword::Xattr) {
        ByName::run(|attributes| walk(root, what, writer, Some(attributes))).map_err(ScanError::Thread)?
    } else {
        walk(root, what, writer, None)
    }
}

fn walk<W: Write>(
    root: &Root,
    what: Scan<'_>,
    writer: &mut SpecWriter<W>,
    attributes: Option<&ByName>,
) -> Result<Scanned, ScanError> {
    let crew = Crew::default();
    std::thread::scope(|threads| {
        let _shift = crew.shift();
        let mut walk = Walk {
            taking: if matches!(what.view, View::Sender) { *root.taking() } else { Taking::default() },
            policy: root.policy().clone(),
            ids: Vec::new(),
            what,
            examiner: Examiner::new(what, attributes),
            crew: None,
            start: &|| {
                crew.start(threads, what);
                &crew
            },
            seen: 0,
            ahead: Vec::new(),
            line: Line::default(),
            writer,
            rules: what.rules(),
            spare: what.spares(),
            met: vec![false; what.scope.only().len()],
            said: 0,
            said_rules: 0,
            found: Scanned { whole: true, ..Scanned::default() },
            users: HashMap::new(),
            groups: HashMap::new(),
        };
        walk.root(root)?;
        Ok(walk.found())
    })
}

struct Walk<'a, W: Write> {
    what: Scan<'a>,
    taking: Taking,
    policy: Arc<Policy>,
    /// Where links are followed: the directories from the root down to the one being walked.
    ids: Vec<Stat>,
    examiner: Examiner<'a>,
    /// The threads that help, once there is enough to do.
    crew: Option<&'a Crew>,
    start: &'a dyn Fn() -> &'a Crew,
    /// How many names were looked at.
    seen: u32,
    /// What is done ahead in each of the directories from the root down to the one being walked.
    ahead: Vec<Ahead>,
    line: Line,
    writer: &'a mut SpecWriter<W>,
    rules: Descent<'a>,
    /// Whether any rule is perishable.
    spare: bool,
    /// Which of the paths of the scope were there, or excluded.
    met: Vec<bool>,
    /// Bytes and rules of the files of rules so far.
    said: usize,
    said_rules: usize,
    found: Scanned,
    users: HashMap<u32, Option<Vec<u8>>>,
    groups: HashMap<u32, Option<Vec<u8>>>,
}

impl<W: Write> Walk<'_, W> {
    fn root(&mut self, root: &Root) -> Result<(), ScanError> {
        let listed = root.listing();
        let bare = root.is_bare() || !self.what.scope.only().is_empty();
        let mut entry = if bare {
            Entry::new(RelPath::ROOT, Kind::Dir)
        } else {
            // As it is now: an earlier round of this connection may have changed it.
            let now = root.dir().stat_self().unwrap_or(*root.stat());
            self.describe(RelPath::ROOT, Kind::Dir, &now)
        };
        let readable = listed.is_err() || root.is_bare() || self.read_rules(root.dir(), &RelPath::ROOT);
        entry.ignore = listed.is_err() || !readable;
        if !bare && let Some(attributes) = self.examiner.attributes_of(root.dir()) {
            entry.xattrs = self.known(&RelPath::ROOT, attributes);
        }
        self.writer.push(&entry)?;
        let names = match listed {
            Ok(names) => names,
            Err(error) => {
                self.unlisted(&RelPath::ROOT, &error);
                return Ok(());
            }
        };
        if !readable {
            return Ok(());
        }
        let rest = sorted(names.into_iter().filter(|(name, _)| !is_reserved(name)).collect());
        let dev = root.stat().dev;
        let (dir, examined) = (Held::Root(root), VecDeque::new());
        let top = Level { dir, path: RelPath::ROOT, rest, examined, doomed: false, dev, on: dev };
        if !root.is_bare() {
            self.ids.push(*root.stat());
        }
        self.levels(top)
    }

    /// Walks a directory and what is below it.
    fn levels(&mut self, top: Level<'_>) -> Result<(), ScanError> {
        let mut levels = vec![top];
        self.ahead.push(Ahead::default());
        while let Some(level) = levels.last_mut() {
            let Some((name, _)) = level.rest.pop() else {
                levels.pop();
                self.leave();
                self.ids.pop();
                continue;
            };
            self.seen = self.seen.saturating_add(1);
            if self.seen == limits::SCAN_ALONE {
                self.crew = Some((self.start)());
            }
            let examined = level.examined.pop_front();
            self.look_ahead(level);
            if let Some(deeper) = self.name(level, &name, examined)? {
                levels.push(deeper);
                self.ahead.push(Ahead::default());
            }
        }
        self.finish()
    }

    /// Describes one name of a directory; gives back the level below it when it is a directory to be walked.
    fn name(
        &mut self,
        level: &Level<'_>,
        name: &[u8],
        examined: Option<Examined>,
    ) -> Result<Option<Level<'static>>, ScanError> {
        self.examiner.go_on()?;
        let path = match level.path.join(name) {
            Ok(path) => path,
            Err(_) => {
                let error = io::Error::from_raw_os_error(libc::ENAMETOOLONG);
                self.lost(&level.path, &level.path, Step::List, &error);
                return Ok(None);
            }
        };
        if !self.what.scope.covers(&path) {
            return Ok(None);
        }
        // Whatever it is: that it is there is not to be told even by what is wrong with it.
        if self.policy.fence.bars(&path, false) && self.policy.fence.bars(&path, true) {
            self.hide(&level.path);
            return Ok(None);
        }
        let Examined { stat, facts } = examined.unwrap_or_else(|| Examined {
            stat: level.dir.of(name).and_then(|dir| dir.stat(name)),
            facts: None,
        });
        let stat = match stat {
            Ok(stat) => stat,
            // It vanished since the directory was listed: it is simply not there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                self.skip(path, Step::Stat, &error)?;
                return Ok(None);
            }
        };
        let Some(place) = self.place(level, name, &path, stat) else { return Ok(None) };
        let stat = place.stat;
        let is_dir = stat.kind == Some(FileKind::Dir);
        if self.is_barred(&path, is_dir) || self.is_unreadable(&place) {
            self.hide(&level.path);
            return Ok(None);
        }
        let hidden = self.rules.excludes(&path, is_dir, level.doomed) && self.wanted(&path).is_none();
        self.meet(&path, hidden);
        // Of a name on the way that is no directory a sender says nothing.
        if hidden || !is_dir && matches!(self.what.view, View::Sender) && self.what.scope.leads(&path) {
            self.hide(&level.path);
            return Ok(None);
        }
        let socket = stat.kind == Some(FileKind::Socket);
        self.found.skipped += u64::from(socket);
        let Some(kind) = kind(&stat).filter(|_| !socket || self.what.sockets) else {
            self.hide(&level.path);
            return Ok(None);
        };
        match kind {
            Kind::Dir => self.directory(level, &place, path),
            _ => self.leaf(&place, path, kind, facts).map(|()| None),
        }
    }

    fn directory(
        &mut self,
        level: &Level<'_>,
        place: &Place<'_>,
        path: RelPath<'static>,
    ) -> Result<Option<Level<'static>>, ScanError> {
        let mut listed = self.list(place)?;
        // The descriptor tells which directory is walked; the name may have changed hands since the stat before.
        let now = listed.as_ref().ok().and_then(|listing| listing.dir.stat_self().ok()).unwrap_or(place.stat);
        // What is grafted onto the root has a file system of its own.
        let grafted = matches!(level.dir, Held::Root(root) if root.is_bare());
        let dev = if grafted { now.dev } else { level.dev };
        if now.dev != level.on && !grafted {
            self.found.mounts.push(path.clone());
        }
        let mounted = self.stays() && now.dev != dev;
        let leads = self.what.scope.leads(&path);
        let readable =
            listed.as_ref().map_or(true, |listing| mounted || self.read_rules(&listing.dir, &path));
        if let Err(error) = &listed {
            let unseen = error.kind() == io::ErrorKind::PermissionDenied && self.ignores_unreadable();
            if unseen || error.kind() == io::ErrorKind::NotFound {
                return Ok(None);
            }
        }
        let attributes = match &mut listed {
            _ if leads => None,
            Ok(listing) => listing.attributes.take(),
            Err(_) => place.dir().ok().and_then(|dir| self.examiner.attributes(dir, place.name())),
        };
        self.push(Waiting {
            path: path.clone(),
            kind: Kind::Dir,
            stat: Some(now).filter(|_| !leads),
            ignore: listed.is_err() || mounted || !readable,
            left: false,
            facts: Source::Known(Facts { attributes, ..Facts::default() }),
        })?;
        let listing = match listed {
            Ok(_) if mounted || !readable => {
                self.hide(&path);
                return Ok(None);
            }
            Ok(listing) => listing,
            Err(error) => {
                self.unlisted(&path, &error);
                return Ok(None);
            }
        };
        let doomed = self.spare && (level.doomed || self.wanted(&path) != Some(Kind::Dir));
        let dir = match self.way(level, place, listing.dir) {
            Ok(way) => Held::Own(way),
            Err(error) => {
                self.unlisted(&path, &error);
                self.found.whole = false;
                return Ok(None);
            }
        };
        self.ids.push(now);
        let (rest, examined) = (listing.names, listing.examined);
        Ok(Some(Level { dir, path, rest, examined, doomed, dev, on: now.dev }))
    }

    /// Whether other file systems are left alone.
    fn stays(&self) -> bool {
        self.what.one_file_system || self.taking.has(Taking::ONE_FILE_SYSTEM)
    }

    fn leaf(
        &mut self,
        place: &Place<'_>,
        path: RelPath<'static>,
        kind: Kind,
        facts: Option<Facts>,
    ) -> Result<(), ScanError> {
        let stat = place.stat;
        if stat.size > limits::FILE_SIZE && kind == Kind::File {
            return self.skip(path, Step::Stat, &io::Error::from_raw_os_error(libc::EFBIG));
        }
        if kind == Kind::File {
            let holes = stat.size.saturating_sub(stat.blocks.saturating_mul(512));
            self.found.holes = self.found.holes.saturating_add(holes);
        }
        let left = kind == Kind::File && !self.taking.takes(stat.size);
        let facts = match facts.filter(|_| !place.is_elsewhere()) {
            _ if left => Source::Known(Facts::default()),
            Some(facts) => Source::Known(facts),
            None => match place.dir() {
                Ok(dir) => self.ask(dir, place.name(), &stat),
                // It is not grafted onto the root any more.
                Err(_) => return Ok(()),
            },
        };
        self.push(Waiting { path, kind, stat: Some(stat), ignore: false, left, facts })
    }

    /// Something cannot be described. What has its path elsewhere is to be left alone, and a socket says that.
    fn skip(&mut self, path: RelPath<'static>, step: Step, error: &io::Error) -> Result<(), ScanError> {
        if !self.missed(&path, step, error) {
            return Ok(());
        }
        let facts = Source::Known(Facts::default());
        self.push(Waiting { path, kind: Kind::Socket, stat: None, ignore: false, left: false, facts })
    }

    /// What was found besides the specification.
    fn found(mut self) -> Scanned {
        // A directory is found to hide something after those below it, and some things are found ahead of others.
        self.found.hidden.sort_unstable();
        self.found.hidden.dedup();
        self.found.problems.sort_by(|a, b| a.path.cmp(&b.path));
        self.miss();
        if matches!(self.what.view, View::Sender) {
            self.found.locals = self.rules.into_locals();
        }
        self.found
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
