//! The scan: describes a live tree as a specification, in tree order.

mod facts;
mod hidden;
mod place;
mod rules;

use crate::digest::Algorithms;
use crate::limits;
use crate::path::{Descent, Local, RelPath, Scope};
use crate::report::{Problem, Step};
use crate::spec::{Entry, Keyword, Keywords, Kind, Spec, SpecWriter, WriteError};
use crate::sys::xattr::{self, ByName};
use crate::sys::{Dir, FileKind, Stat};
use crate::terms::Taking;
use crate::tree::follow::Way;
use crate::tree::scanned::kind;
use crate::tree::{Remembered, Root, Scanned, is_reserved};
use place::Place;
use std::collections::HashMap;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

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
/// [`Problem`] and the scan goes on; a directory that cannot be listed is marked `ignore`, which protects it.
pub fn scan<W: Write + Send>(
    root: &Root,
    what: Scan<'_>,
    writer: &mut SpecWriter<W>,
) -> Result<Scanned, ScanError> {
    if what.keywords.contains(Keyword::Xattr) {
        ByName::run(|attributes| walk(root, what, writer, Some(attributes)))?
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
    let mut walk = Walk {
        taking: if matches!(what.view, View::Sender) { *root.taking() } else { Taking::default() },
        ids: Vec::new(),
        attributes,
        stands: false,
        what,
        algorithms: what.keywords.algorithms(),
        writer,
        rules: what.rules(),
        spare: what.spares(),
        met: vec![false; what.scope.only().len()],
        said: 0,
        said_rules: 0,
        found: Scanned { whole: true, ..Scanned::default() },
        users: HashMap::new(),
        groups: HashMap::new(),
        buffer: Vec::new(),
    };
    walk.root(root)?;
    walk.miss();
    let mut found = walk.found;
    if matches!(what.view, View::Sender) {
        found.locals = walk.rules.into_locals();
    }
    // A directory is found to hide something after those below it.
    found.hidden.sort_unstable();
    found.hidden.dedup();
    Ok(found)
}

struct Walk<'a, W: Write> {
    attributes: Option<&'a ByName>,
    /// Whether the thread stands in the directory of the last level, where attributes are read.
    stands: bool,
    what: Scan<'a>,
    taking: Taking,
    /// Where links are followed: the directories from the root down to the one being walked.
    ids: Vec<Stat>,
    algorithms: Algorithms,
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
    buffer: Vec<u8>,
}

/// A directory being walked: what is left of it, sorted, last first.
struct Level<'d> {
    dir: Held<'d>,
    path: RelPath<'static>,
    rest: Vec<Box<[u8]>>,
    /// Whether the directory is known to be removed.
    doomed: bool,
    /// The file system that is walked.
    dev: (u32, u32),
    /// The one that the directory is on.
    on: (u32, u32),
}

/// A directory of the walk: opened by it, or the root's.
enum Held<'d> {
    Own(Rc<Way>),
    Root(&'d Root),
}

impl Held<'_> {
    fn of(&self, name: &[u8]) -> io::Result<&Dir> {
        match self {
            Held::Own(way) => Ok(&way.dir),
            Held::Root(root) => root.holder(name).ok_or_else(|| io::ErrorKind::NotFound.into()),
        }
    }
}

impl<W: Write> Walk<'_, W> {
    fn root(&mut self, root: &Root) -> Result<(), ScanError> {
        let listed = root.names();
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
        if !bare && self.attributes.is_some() {
            entry.xattrs = self.known(&RelPath::ROOT, xattr::of_open(root.dir()));
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
        let rest = sorted(names.into_iter().filter(|name| !is_reserved(name)).collect());
        let dev = root.stat().dev;
        let mut levels =
            vec![Level { dir: Held::Root(root), path: RelPath::ROOT, rest, doomed: false, dev, on: dev }];
        if !root.is_bare() {
            self.ids.push(*root.stat());
        }
        while let Some(level) = levels.last_mut() {
            let Some(name) = level.rest.pop() else {
                levels.pop();
                self.ids.pop();
                self.stands = false;
                continue;
            };
            if let Some(deeper) = self.name(level, &name)? {
                levels.push(deeper);
                self.stands = false;
            }
        }
        Ok(())
    }

    /// An error once nobody wants the description any more.
    fn go_on(&self) -> io::Result<()> {
        let stopped = self.what.stop.is_some_and(|stop| stop.load(Ordering::Relaxed));
        if stopped { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }

    /// Describes one name of a directory; gives back the level below it when it is a directory to be walked.
    fn name(&mut self, level: &Level<'_>, name: &[u8]) -> Result<Option<Level<'static>>, ScanError> {
        self.go_on()?;
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
        let stat = match level.dir.of(name).and_then(|dir| dir.stat(name)) {
            Ok(stat) => stat,
            // It vanished since the directory was listed: it is simply not there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return self.missed(&level.path, &path, Step::Stat, &error);
            }
        };
        let Some(place) = self.place(level, name, &path, stat) else { return Ok(None) };
        let stat = place.stat;
        let is_dir = stat.kind == Some(FileKind::Dir);
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
            _ => self.leaf(level, &place, path, kind),
        }
    }

    fn directory(
        &mut self,
        level: &Level<'_>,
        place: &Place<'_>,
        path: RelPath<'static>,
    ) -> Result<Option<Level<'static>>, ScanError> {
        let opened = place.list().and_then(|dir| Ok((dir.names()?, dir)));
        // The descriptor tells which directory is walked; the name may have changed hands since the stat before.
        let now = opened.as_ref().ok().and_then(|(_, dir)| dir.stat_self().ok()).unwrap_or(place.stat);
        // What is grafted onto the root has a file system of its own.
        let grafted = matches!(level.dir, Held::Root(root) if root.is_bare());
        let dev = if grafted { now.dev } else { level.dev };
        if now.dev != level.on && !grafted {
            self.found.mounts.push(path.clone());
        }
        let stays = self.what.one_file_system || self.taking.has(Taking::ONE_FILE_SYSTEM);
        let mounted = stays && now.dev != dev;
        let leads = self.what.scope.leads(&path);
        let mut entry = if leads {
            Entry::new(path.borrowed(), Kind::Dir)
        } else {
            self.describe(path.borrowed(), Kind::Dir, &now)
        };
        let readable = opened.as_ref().map_or(true, |(_, dir)| mounted || self.read_rules(dir, &path));
        entry.ignore = opened.is_err() || mounted || !readable;
        if !leads {
            entry.xattrs = self.xattrs(level, place, &path);
        }
        if let Err(error) = &opened
            && error.kind() == io::ErrorKind::NotFound
        {
            return Ok(None);
        }
        self.writer.push(&entry)?;
        match opened {
            Ok(_) if mounted || !readable => {
                self.hide(&path);
                Ok(None)
            }
            Ok((names, dir)) => {
                let doomed = self.spare && (level.doomed || self.wanted(&path) != Some(Kind::Dir));
                let dir = match self.way(level, place, dir) {
                    Ok(way) => Held::Own(way),
                    Err(error) => {
                        self.unlisted(&path, &error);
                        self.found.whole = false;
                        return Ok(None);
                    }
                };
                self.ids.push(now);
                Ok(Some(Level { dir, path, rest: sorted(names), doomed, dev, on: now.dev }))
            }
            Err(error) => {
                self.unlisted(&path, &error);
                Ok(None)
            }
        }
    }

    fn leaf(
        &mut self,
        level: &Level<'_>,
        place: &Place<'_>,
        path: RelPath<'static>,
        kind: Kind,
    ) -> Result<Option<Level<'static>>, ScanError> {
        let stat = &place.stat;
        if stat.size > limits::FILE_SIZE && kind == Kind::File {
            return self.missed(&level.path, &path, Step::Stat, &io::Error::from_raw_os_error(libc::EFBIG));
        }
        let mut entry = self.describe(path.borrowed(), kind, stat);
        if kind == Kind::File {
            self.found.holes += stat.size.saturating_sub(stat.blocks.saturating_mul(512));
        }
        let mut left = kind == Kind::File && !self.taking.takes(stat.size);
        if kind == Kind::Link {
            match place.dir().and_then(|dir| dir.read_link(place.name())) {
                Ok(target) => {
                    left = self.taking.leaves(&path, &target);
                    entry.link = Some(target.into());
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => {
                    return self.missed(&level.path, &path, Step::Stat, &error);
                }
            }
        }
        if left {
            // Neither sent nor changed nor removed.
            self.writer.push(&Entry { optional: true, nochange: true, inode: None, ..entry })?;
            return Ok(None);
        }
        if kind == Kind::File && !self.algorithms.is_empty() {
            match place.dir().and_then(|dir| self.digest(dir, place.name(), stat)) {
                Ok(digests) => entry.digests = digests,
                Err(error) => self.found.problems.push(Problem::new(&path, Step::Read, &error)),
            }
        }
        entry.xattrs = self.xattrs(level, place, &path);
        self.writer.push(&entry)?;
        Ok(None)
    }
}

/// In tree order, last first, so that the next one is popped.
fn sorted(mut names: Vec<Box<[u8]>>) -> Vec<Box<[u8]>> {
    names.sort_unstable_by(|a, b| b.cmp(a));
    names
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
