//! Compares a tree with a specification, as `mtree -f SPEC -p DIR` does: only in what the specification says.

mod entry;

use crate::client::failure::{Failure, system};
use crate::client::options::Spec;
use crate::client::show::Show;
use crate::exit::Exit;
use crate::path::{RelPath, Scope};
use crate::report::{Fate, Monitor, Problem, Step};
use crate::spec::{Entry, Kind};
use crate::sys::{Dir, FileKind, Stat};
use crate::tree::STAGE;
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
    let Some((root, below)) = entries.split_first() else { return Ok(Exit::Ok) };
    let mut check = Check {
        options,
        scope,
        show,
        device: stat.dev,
        differences: Differences::new(options.logical),
        above: Vec::new(),
        different: false,
        failed: false,
    };
    if !root.nochange {
        let found = check.differences.of(root, &stat, None);
        check.changed(&root.path, &found);
    }
    if !root.ignore {
        check.directory(&dir, &RelPath::ROOT, &stat, below);
    }
    Ok(match check {
        Check { failed: true, .. } => Exit::Problems,
        Check { different: true, .. } => Exit::Different,
        _ => Exit::Ok,
    })
}

struct Check<'c> {
    options: &'c Spec,
    scope: &'c Scope,
    show: &'c mut Show,
    /// The file system of the root.
    device: (u32, u32),
    differences: Differences,
    /// The directories on the way to the one in hand, by file system and number: a link to one of them is a loop.
    above: Vec<((u32, u32), u64)>,
    different: bool,
    failed: bool,
}

impl Check<'_> {
    /// Compares what is in a directory with `entries`, which are all below it.
    fn directory(&mut self, dir: &Dir, path: &RelPath<'_>, stat: &Stat, entries: &[Entry<'static>]) {
        let mut names = match dir.names() {
            Ok(names) => names,
            Err(error) => return self.failed(path, Step::List, &error),
        };
        if path.is_root() {
            names.retain(|name| **name != *STAGE);
        }
        names.sort_unstable();
        self.above.push((stat.dev, stat.ino));
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
        self.above.pop();
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
        let stat = if self.options.logical { dir.stat_following(name) } else { dir.stat(name) };
        let stat = match stat {
            Ok(stat) => stat,
            // It vanished since the directory was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.missing(entries),
            Err(error) => return self.failed(&path, Step::Stat, &error),
        };
        let is_dir = stat.kind == Some(FileKind::Dir);
        if self.scope.excludes(&path, is_dir) {
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
            let found = self.differences.of(entry, &stat, Some((dir, name)));
            self.changed(&path, &found);
        }
        if !is_dir || entry.kind != Kind::Dir {
            self.missing(below);
        } else if !entry.ignore && !(self.options.one_file_system && stat.dev != self.device) {
            self.deeper(dir, name, &stat, &path, below);
        }
    }

    fn deeper(&mut self, dir: &Dir, name: &[u8], stat: &Stat, path: &RelPath<'_>, below: &[Entry<'static>]) {
        if self.options.logical && self.above.contains(&(stat.dev, stat.ino)) {
            return self.failed(path, Step::List, &io::Error::from_raw_os_error(libc::ELOOP));
        }
        let opened = if self.options.logical { dir.subdir_following(name) } else { dir.subdir(name) };
        match opened {
            Ok(opened) => self.directory(&opened, path, stat, below),
            Err(error) => self.failed(path, Step::List, &error),
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
