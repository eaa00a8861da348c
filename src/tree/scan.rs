//! The scan: describes a live tree as a specification, in tree order.

use crate::digest::{Algorithms, Digests, Hasher};
use crate::limits;
use crate::path::{RelPath, Scope};
use crate::report::{Problem, Step};
use crate::spec::{Device, Entry, InodeId, Keyword, Keywords, Kind, SpecWriter, Time, WriteError, Xattrs};
use crate::sys::xattr::{self, ByName};
use crate::sys::{self, Dir, FileKind, Stat};
use crate::tree::scanned::kind;
use crate::tree::{Root, Scanned, is_reserved};
use std::collections::HashMap;
use std::io::{self, Read, Write};

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
}

/// Why there is no specification.
pub type ScanError = WriteError;

/// Describes the tree below `root` to `writer`.
///
/// # Errors
/// The output failed, or there are more entries than [`limits`] allows. What cannot be read in the tree is a
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
        attributes,
        stands: false,
        what,
        algorithms: what.keywords.algorithms(),
        writer,
        found: Scanned { whole: true, ..Scanned::default() },
        users: HashMap::new(),
        groups: HashMap::new(),
        buffer: Vec::new(),
    };
    walk.root(root)?;
    let mut found = walk.found;
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
    algorithms: Algorithms,
    writer: &'a mut SpecWriter<W>,
    found: Scanned,
    users: HashMap<u32, Option<Vec<u8>>>,
    groups: HashMap<u32, Option<Vec<u8>>>,
    buffer: Vec<u8>,
}

/// A directory being walked: what is left of it, sorted, last first.
struct Level<'d> {
    dir: Held<'d>,
    path: RelPath<'static>,
    /// Which file system it is on.
    dev: (u32, u32),
    rest: Vec<Box<[u8]>>,
}

/// A directory of the walk: opened by it, or the root's.
enum Held<'d> {
    Own(Dir),
    Root(&'d Root),
}

impl Held<'_> {
    fn of(&self, name: &[u8]) -> io::Result<&Dir> {
        match self {
            Held::Own(dir) => Ok(dir),
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
        entry.ignore = listed.is_err();
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
        let rest = sorted(names.into_iter().filter(|name| !is_reserved(name)).collect());
        let mut levels =
            vec![Level { dir: Held::Root(root), path: RelPath::ROOT, dev: root.stat().dev, rest }];
        while let Some(level) = levels.last_mut() {
            let Some(name) = level.rest.pop() else {
                levels.pop();
                self.stands = false;
                continue;
            };
            if let Some(deeper) = self.name(level, &name, root.stat())? {
                levels.push(deeper);
                self.stands = false;
            }
        }
        Ok(())
    }

    /// Describes one name of a directory; gives back the level below it when it is a directory to be walked.
    fn name(
        &mut self,
        level: &Level<'_>,
        name: &[u8],
        root: &Stat,
    ) -> Result<Option<Level<'static>>, ScanError> {
        let path = match level.path.join(name) {
            Ok(path) => path,
            Err(_) => {
                let error = io::Error::from_raw_os_error(libc::ENAMETOOLONG);
                // Nothing can stand for it.
                self.hide(&level.path);
                self.found.whole = false;
                self.found.problems.push(Problem::new(&level.path, Step::List, &error));
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
        if self.what.scope.excludes(&path, stat.kind == Some(FileKind::Dir)) {
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
            Kind::Dir => self.directory(level, name, path, &stat, root),
            _ => self.leaf(level, name, path, kind, &stat),
        }
    }

    fn directory(
        &mut self,
        level: &Level<'_>,
        name: &[u8],
        path: RelPath<'static>,
        stat: &Stat,
        root: &Stat,
    ) -> Result<Option<Level<'static>>, ScanError> {
        let opened =
            level.dir.of(name).and_then(|dir| dir.subdir(name)).and_then(|dir| Ok((dir.names()?, dir)));
        // The descriptor tells which directory is walked; the name may have changed hands since the stat above.
        let now = opened.as_ref().ok().and_then(|(_, dir)| dir.stat_self().ok()).unwrap_or(*stat);
        let mounted = self.what.one_file_system && now.dev != root.dev;
        let leads = self.what.scope.leads(&path);
        let mut entry = if leads {
            Entry::new(path.borrowed(), Kind::Dir)
        } else {
            self.describe(path.borrowed(), Kind::Dir, &now)
        };
        entry.ignore = opened.is_err() || mounted;
        let grafted = matches!(level.dir, Held::Root(root) if root.is_bare());
        if now.dev != level.dev && !grafted {
            self.found.mounts.push(path.clone());
        }
        if !leads {
            entry.xattrs = self.xattrs(level, name, &path);
        }
        if let Err(error) = &opened
            && error.kind() == io::ErrorKind::NotFound
        {
            return Ok(None);
        }
        self.writer.push(&entry)?;
        match opened {
            Ok(_) if mounted => {
                self.hide(&path);
                Ok(None)
            }
            Ok((names, dir)) => {
                Ok(Some(Level { dir: Held::Own(dir), path, dev: now.dev, rest: sorted(names) }))
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
        name: &[u8],
        path: RelPath<'static>,
        kind: Kind,
        stat: &Stat,
    ) -> Result<Option<Level<'static>>, ScanError> {
        if stat.size > limits::FILE_SIZE && kind == Kind::File {
            return self.missed(&level.path, &path, Step::Stat, &io::Error::from_raw_os_error(libc::EFBIG));
        }
        let mut entry = self.describe(path.borrowed(), kind, stat);
        if kind == Kind::File {
            self.found.holes += stat.size.saturating_sub(stat.blocks.saturating_mul(512));
        }
        if kind == Kind::Link {
            match level.dir.of(name).and_then(|dir| dir.read_link(name)) {
                Ok(target) => entry.link = Some(target.into()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => {
                    return self.missed(&level.path, &path, Step::Stat, &error);
                }
            }
        }
        if kind == Kind::File && !self.algorithms.is_empty() {
            match level.dir.of(name).and_then(|dir| self.digest(dir, name, stat)) {
                Ok(digests) => entry.digests = digests,
                Err(error) => self.found.problems.push(Problem::new(&path, Step::Read, &error)),
            }
        }
        entry.xattrs = self.xattrs(level, name, &path);
        self.writer.push(&entry)?;
        Ok(None)
    }

    /// The extended attributes of a name, if they are asked for.
    fn xattrs(&mut self, level: &Level<'_>, name: &[u8], path: &RelPath<'_>) -> Xattrs<'static> {
        let Some(attributes) = self.attributes else { return Xattrs::default() };
        let entered =
            if self.stands { Ok(()) } else { level.dir.of(name).and_then(|dir| attributes.enter(dir)) };
        // Names that are grafted onto the root are each in a directory of their own.
        self.stands = entered.is_ok() && matches!(level.dir, Held::Own(_));
        let found = entered.and_then(|()| attributes.of(name));
        self.known(path, found)
    }

    /// Those that could be read; a name that vanished or cannot be read has none.
    fn known(&mut self, path: &RelPath<'_>, found: io::Result<xattr::Attributes>) -> Xattrs<'static> {
        match found {
            Ok(list) => Xattrs::of_values(list),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    self.found.problems.push(Problem::new(path, Step::Xattr, &error));
                }
                Xattrs::default()
            }
        }
    }

    /// The digests of the file, if it is still the one that was examined.
    fn digest(&mut self, dir: &Dir, name: &[u8], stat: &Stat) -> io::Result<Digests<'static>> {
        let (mut file, now) = dir.open_file(name)?;
        if !now.same_contents(stat) {
            return Err(io::Error::from_raw_os_error(libc::ESTALE));
        }
        let mut hasher = Hasher::new(self.algorithms);
        self.buffer.resize(limits::RECORD, 0);
        loop {
            let read = file.read(&mut self.buffer)?;
            if read == 0 {
                return Ok(hasher.finish());
            }
            hasher.update(self.buffer.get(..read).unwrap_or_default());
        }
    }

    /// The entry of what stat(2) said.
    fn describe<'p>(&mut self, path: RelPath<'p>, kind: Kind, stat: &Stat) -> Entry<'p> {
        let says = |keyword| self.what.keywords.contains(keyword);
        let owner = |names: &mut HashMap<u32, Option<Vec<u8>>>, id, look: fn(u32) -> Option<Vec<u8>>| {
            names
                .entry(id)
                .or_insert_with(|| look(id).filter(|name| (1..=limits::OWNER).contains(&name.len())))
                .clone()
        };
        let file = kind == Kind::File;
        let device = |(major, minor)| Device { major, minor };
        let id = InodeId { device: device(stat.dev), inode: stat.ino };
        Entry {
            uid: Some(stat.uid).filter(|id| *id != u32::MAX),
            gid: Some(stat.gid).filter(|id| *id != u32::MAX),
            uname: says(Keyword::Uname)
                .then(|| owner(&mut self.users, stat.uid, sys::ids::user_name))
                .flatten()
                .map(Into::into),
            gname: says(Keyword::Gname)
                .then(|| owner(&mut self.groups, stat.gid, sys::ids::group_name))
                .flatten()
                .map(Into::into),
            mode: Some(stat.mode),
            device: kind.is_device().then(|| device(stat.rdev)),
            nlink: Some(stat.nlink),
            size: file.then_some(stat.size),
            time: Some(Time { sec: stat.mtime.0, nsec: stat.mtime.1 }),
            inode: (kind != Kind::Dir && stat.nlink > 1).then_some(id),
            ..Entry::new(path, kind)
        }
    }

    /// Something in `dir` cannot be described. What has its path elsewhere is to be left alone, and a socket says that.
    fn missed<L>(
        &mut self,
        dir: &RelPath<'_>,
        path: &RelPath<'_>,
        step: Step,
        error: &io::Error,
    ) -> Result<Option<L>, ScanError> {
        if self.what.scope.leads(path) {
            self.found.whole = false;
        } else if self.what.sockets {
            self.writer.push(&Entry::new(path.borrowed(), Kind::Socket))?;
        }
        self.hide(dir);
        self.found.problems.push(Problem::new(path, step, error));
        Ok(None)
    }

    /// A directory cannot be listed; it is marked `ignore`, which stands for what is in it.
    fn unlisted(&mut self, path: &RelPath<'_>, error: &io::Error) {
        self.hide(path);
        self.found.problems.push(Problem::new(path, Step::List, error));
    }

    /// Remembers that the directory holds something the specification does not show.
    fn hide(&mut self, dir: &RelPath<'_>) {
        if self.found.hidden.last().is_none_or(|last| last != dir) {
            self.found.hidden.push(dir.clone().into_owned());
        }
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
