//! The rules of the scope in a scan: which side's they are, and the files of rules that a sender finds on the way.

use super::{Scan, View, Walk};
use crate::limits;
use crate::path::{Descent, Item, Local, RelPath, Side, Traits};
use crate::report::{Problem, Step};
use crate::spec::Kind;
use crate::sys::Dir;
use std::io::{self, Read, Write};

impl<'a> Scan<'a> {
    pub(super) fn rules(&self) -> Descent<'a> {
        match self.view {
            View::Sender => Descent::new(self.scope.filter(), Side::Sender, &[]),
            View::Receiver { locals, .. } => Descent::new(self.scope.filter(), Side::Receiver, locals),
        }
    }

    /// Whether any rule is perishable, and this is the side that removes.
    pub(super) fn spares(&self) -> bool {
        let View::Receiver { locals, .. } = self.view else { return false };
        let perishable = |traits: Traits| traits.has(Traits::PERISHABLE);
        self.scope.filter().items().iter().map(Item::traits).any(perishable)
            || locals.iter().flat_map(|local| &local.rules).any(|rule| perishable(rule.traits()))
    }
}

impl<W: Write> Walk<'_, W> {
    /// What the receiver wants at this path.
    pub(super) fn wanted(&self, path: &RelPath<'_>) -> Option<Kind> {
        let View::Receiver { want, .. } = self.what.view else { return None };
        want?.find(path).map(|entry| entry.kind)
    }

    /// Reads the files of rules of a directory; false when one of them cannot be read. Then nothing in the directory may
    /// be described, since it may be what should be hidden.
    pub(super) fn read_rules(&mut self, dir: &Dir, path: &RelPath<'_>) -> bool {
        let (View::Sender, scope) = (self.what.view, self.what.scope) else { return true };
        for (file, traits, name) in scope.filter().files() {
            if path.join(name).is_ok_and(|path| self.policy.fence.bars(&path, false)) {
                continue;
            }
            let failed = match read(dir, name) {
                Ok(None) => None,
                Ok(Some(text)) => match Local::read(path, file, traits, &text) {
                    Ok(None) => None,
                    Ok(Some(local)) => self.keep(local),
                    Err(_) => Some(io::Error::from_raw_os_error(libc::EINVAL)),
                },
                Err(error) => Some(error),
            };
            if let Some(error) = failed {
                let at = path.join(name).unwrap_or_else(|_| path.clone().into_owned());
                self.found.problems.push(Problem::new(&at, Step::Filter, &error));
                self.found.whole = false;
                return false;
            }
        }
        true
    }

    /// Notes that a path of the scope is there, or that those below are out of the question.
    pub(super) fn meet(&mut self, path: &RelPath<'_>, hidden: bool) {
        let scope = self.what.scope;
        if !self.met.is_empty() && (hidden || !scope.leads(path)) {
            let within = self.met.get_mut(scope.within(path));
            within.into_iter().flatten().for_each(|met| *met = true);
        }
    }

    /// Reports the paths of the scope that a sender does not have: that they are missing removes nothing.
    pub(super) fn miss(&mut self) {
        if !matches!(self.what.view, View::Sender) {
            return;
        }
        let missed = self.what.scope.only().iter().zip(&self.met).filter(|(_, met)| !**met);
        let absent = io::Error::from_raw_os_error(libc::ENOENT);
        let problems = missed.map(|(path, _)| Problem::new(path, Step::Stat, &absent));
        self.found.problems.extend(problems);
        self.found.whole &= self.met.iter().all(|met| *met);
    }

    /// Keeps what a file says, unless all of them say too much.
    fn keep(&mut self, local: Local) -> Option<io::Error> {
        self.said += local.bytes();
        self.said_rules += local.rules.len();
        if self.said > limits::FILTER_BYTES || self.said_rules > limits::FILTER_RULES {
            return Some(io::Error::from_raw_os_error(libc::E2BIG));
        }
        self.rules.found(local);
        None
    }
}

/// The text of the file of this name, if there is one.
fn read(dir: &Dir, name: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let (mut file, stat) = match dir.open_file(name) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if stat.size > limits::FILTER_FILE {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    let mut text = Vec::new();
    (&mut file).take(limits::FILTER_FILE).read_to_end(&mut text)?;
    Ok(Some(text))
}
