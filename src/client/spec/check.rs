//! Compares a tree with a specification, as `mtree -f SPEC -p DIR` does: only in what the specification says.

mod entry;

use crate::client::failure::{Failure, system};
use crate::client::options::Spec;
use crate::client::show::Show;
use crate::exit::Exit;
use crate::path::{Descent, RelPath, Scope, Side};
use crate::report::{Fate, Monitor, Problem, Step};
use crate::spec::{Entry, Kind};
use crate::sys::xattr::{self, ByName};
use crate::sys::{Dir, FileKind, Stat};
use crate::tree::{Look, STAGE};
use crate::vis::shown;
use entry::Differences;
use std::cmp::Ordering;
use std::io;

/// Compares the tree that the options name with these entries, which are in tree order, `.` first, each with all of its
/// parents; paths in the scope's patterns are taken not to be there.
pub(super) fn check(
    entries: &[Entry<'static>],
    options: &Spec,
    scope: &Scope,
    show: &mut Show,
) -> Result<Exit, Failure> {
    let name = shown(options.dir.as_os_str().as_encoded_bytes());
    let failed = |error: io::Error| system(Exit::Io, &name, &error);
    let dir = Dir::open_root(&options.dir).map_err(failed)?;
    let stat = dir.stat_self().map_err(failed)?;
    let mut done = |attributes: Option<&ByName>| {
        let mut check = Check {
            options,
            rules: Descent::new(scope.filter(), Side::Sender, &[]),
            show,
            device: stat.dev,
            differences: Differences::default(),
            attributes,
            look: Look::new(options.logical),
            different: false,
            failed: false,
        };
        check.root(&dir, &stat, entries);
        check.exit()
    };
    // Those of what a link leads to cannot be had by name.
    if entries.iter().any(|entry| !entry.xattrs.is_empty()) && !options.logical {
        ByName::run(|attributes| done(Some(attributes)))
            .map_err(|error| system(Exit::System, "cannot read extended attributes", &error))
    } else {
        Ok(done(None))
    }
}

struct Check<'c> {
    options: &'c Spec,
    rules: Descent<'c>,
    show: &'c mut Show,
    /// The file system of the root.
    device: (u32, u32),
    differences: Differences,
    /// How extended attributes are read, when the specification has any.
    attributes: Option<&'c ByName>,
    look: Look,
    different: bool,
    failed: bool,
}

impl Check<'_> {
    const fn exit(&self) -> Exit {
        match self {
            Check { failed: true, .. } => Exit::Problems,
            Check { different: true, .. } => Exit::Different,
            _ => Exit::Ok,
        }
    }

    fn root(&mut self, dir: &Dir, stat: &Stat, entries: &[Entry<'static>]) {
        let Some((root, below)) = entries.split_first() else { return };
        if !root.nochange {
            let mut found = self.differences.of(root, stat, None);
            found.extend(self.attributes.and_then(|_| entry::attributes(root, xattr::of_open(dir))));
            self.changed(&root.path, &found);
        }
        if !root.ignore {
            match dir.names() {
                Ok(names) => self.directory(dir, &RelPath::ROOT, stat, names, below),
                Err(error) => self.failed(&RelPath::ROOT, Step::List, &error),
            }
        }
    }

    /// Compares what is in a directory with `entries`, which are all below it.
    fn directory(
        &mut self,
        dir: &Dir,
        path: &RelPath<'_>,
        stat: &Stat,
        mut names: Vec<Box<[u8]>>,
        entries: &[Entry<'static>],
    ) {
        if path.is_root() {
            names.retain(|name| **name != *STAGE);
        }
        names.sort_unstable();
        self.look.enter(stat);
        let (mut names, mut rest) = (names.iter().peekable(), entries);
        loop {
            let wanted = rest.first().and_then(|entry| Some((entry, entry.path.split_last()?.1)));
            let order = match (names.peek(), wanted) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(name), Some((_, wanted))) => (***name).cmp(wanted),
            };
            let name = if order.is_le() { names.next() } else { None };
            let (own, other) = match wanted {
                Some((entry, _)) if order.is_ge() => {
                    rest.split_at(rest.partition_point(|other| other.path.is_within(&entry.path)))
                }
                _ => (&[][..], rest),
            };
            rest = other;
            self.name(dir, path, name.map(|name| &**name), own);
        }
        self.look.leave();
    }

    /// Compares what has a name in a directory, if there is one, with its entry and those below that, if there are any.
    fn name(&mut self, dir: &Dir, above: &RelPath<'_>, name: Option<&[u8]>, entries: &[Entry<'static>]) {
        let Some(name) = name else { return self.missing(entries) };
        let path = match (entries.first(), above.join(name)) {
            (Some(entry), _) => entry.path.borrowed(),
            (None, Ok(path)) => path,
            (None, Err(_)) => {
                let error = io::Error::from_raw_os_error(libc::ENAMETOOLONG);
                return self.failed(above, Step::List, &error);
            }
        };
        let stat = match self.look.stat(dir, name) {
            Ok(stat) => stat,
            // It vanished since the directory was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.missing(entries),
            Err(error) => return self.failed(&path, Step::Stat, &error),
        };
        let is_dir = stat.kind == Some(FileKind::Dir);
        if self.rules.excludes(&path, is_dir, false) {
            return self.missing(entries);
        }
        let Some((entry, below)) = entries.split_first() else {
            if is_dir || !self.options.directories {
                self.different = true;
                self.show.difference(Fate::Extra, &path, &[]);
            }
            return;
        };
        if self.options.directories && !is_dir && entry.kind != Kind::Dir {
            return;
        }
        if !entry.nochange {
            let mut found = self.differences.of(entry, &stat, Some((dir, name, &self.look)));
            let same_type = stat.kind == Some(entry.kind.in_stat());
            let read = |by_name: &ByName| by_name.enter(dir).and_then(|()| by_name.of(name));
            let there = self.attributes.filter(|_| same_type).map(read);
            found.extend(there.and_then(|there| entry::attributes(entry, there)));
            self.changed(&path, &found);
        }
        let mounted = self.options.one_file_system && stat.dev != self.device;
        if !is_dir || entry.kind != Kind::Dir {
            self.missing(below);
        } else if !entry.ignore && !mounted {
            match self.look.list(dir, name) {
                Ok((names, opened)) => self.directory(&opened, &path, &stat, names, below),
                Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
                    self.failed(&path, Step::Follow, &error);
                }
                Err(error) => self.failed(&path, Step::List, &error),
            }
        }
    }

    /// The first of these, and all that is below it, is not there; unless that is as good.
    fn missing(&mut self, entries: &[Entry<'static>]) {
        let mut optional: Option<&RelPath<'_>> = None;
        for entry in entries {
            if optional.is_some_and(|above| entry.path.is_within(above)) {
                continue;
            }
            if entry.optional {
                optional = Some(&entry.path);
            } else if entry.kind == Kind::Dir || !self.options.directories {
                self.different = true;
                self.show.difference(Fate::Missing, &entry.path, &[]);
            }
        }
    }

    fn changed(&mut self, path: &RelPath<'_>, found: &[String]) {
        if !found.is_empty() {
            self.different = true;
            self.show.difference(Fate::Changed, path, found);
        }
    }

    fn failed(&mut self, path: &RelPath<'_>, step: Step, error: &io::Error) {
        self.failed = true;
        self.show.problem(&Problem::new(path, step, error));
    }
}
