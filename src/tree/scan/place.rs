//! Where the thing is that a path of the tree stands for: there, or where a link leads to that is followed.

use super::{Held, Level, Walk};
use crate::path::RelPath;
use crate::report::Step;
use crate::sys::{Dir, FileKind, Stat};
use crate::terms::Taking;
use crate::tree::follow::{Referent, Way};
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;

/// Where something is, and what it is.
pub(super) struct Place<'l> {
    level: &'l Level<'l>,
    name: &'l [u8],
    /// Where the link leads to, if it is one and followed.
    referent: Option<Referent>,
    pub(super) stat: Stat,
}

impl Place<'_> {
    /// The directory that holds it.
    pub(super) fn dir(&self) -> io::Result<&Arc<Dir>> {
        match &self.referent {
            Some(Referent::Name(way, ..) | Referent::Dir(way)) => Ok(&way.dir),
            None => self.level.dir.of(self.name),
        }
    }

    /// Its name there.
    pub(super) fn name(&self) -> &[u8] {
        if let Some(Referent::Name(_, name, _)) = &self.referent { name } else { self.name }
    }

    /// The directory that a link leads to.
    pub(super) fn referent(&self) -> Option<&Rc<Way>> {
        if let Some(Referent::Dir(way)) = &self.referent { Some(way) } else { None }
    }

    /// Whether a link was followed.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.referent.is_some()
    }

    /// The directory itself, opened for listing.
    pub(super) fn list(&self) -> io::Result<Dir> {
        match &self.referent {
            Some(Referent::Dir(way)) => way.dir.to_list(),
            _ => self.dir().and_then(|dir| dir.subdir(self.name())),
        }
    }
}

impl<W: Write> Walk<'_, W> {
    /// Where what a path stands for is; `None` when a link that is followed leads to nothing.
    pub(super) fn place<'l>(
        &mut self,
        level: &'l Level<'l>,
        name: &'l [u8],
        path: &RelPath<'_>,
        stat: Stat,
    ) -> Option<Place<'l>> {
        let here = Place { level, name, referent: None, stat };
        if stat.kind != Some(FileKind::Link) || !self.taking.follows_any() {
            return Some(here);
        }
        let way = match &level.dir {
            Held::Own(way) => Ok(way.clone()),
            Held::Root(root) => Way::to_holder(root, name),
        };
        let target = way.and_then(|way| Ok((way.dir.read_link(name)?, way)));
        let (target, way) = match target {
            Ok(read) => read,
            Err(error) => return self.astray(level, path, &error),
        };
        let follows = self.taking.follows(path, &target);
        if !follows && !self.taking.has(Taking::COPY_DIRLINKS) {
            return Some(here);
        }
        let found = way.follow(&target).and_then(|referent| {
            let stat = match &referent {
                Referent::Dir(way) => way.dir.stat_self()?,
                Referent::Name(_, _, stat) => *stat,
            };
            Ok(Place { level, name, referent: Some(referent), stat })
        });
        match found {
            Ok(place)
                if place.referent().is_some() && self.ids.iter().any(|id| id.same_file(&place.stat)) =>
            {
                self.astray(level, path, &io::Error::from_raw_os_error(libc::ELOOP))
            }
            Ok(place) if follows || place.referent().is_some() => Some(place),
            Err(error) if follows && !self.taking.keeps_dangling() => self.astray(level, path, &error),
            // It is no link to a directory.
            Ok(_) | Err(_) => Some(here),
        }
    }

    /// A link that should be followed leads nowhere: a problem, unless it is excluded.
    fn astray<'l>(&mut self, level: &Level<'_>, path: &RelPath<'_>, error: &io::Error) -> Option<Place<'l>> {
        let hidden = self.rules.excludes(path, false, false) || self.rules.excludes(path, true, false);
        self.meet(path, hidden);
        if hidden {
            self.hide(&level.path);
        } else {
            self.lost(&level.path, path, Step::Follow, error);
        }
        None
    }

    /// The way to a directory that is to be walked.
    pub(super) fn way(&self, level: &Level<'_>, place: &Place<'_>, dir: Arc<Dir>) -> io::Result<Rc<Way>> {
        if let Some(way) = place.referent() {
            return Ok(way.listed(dir));
        }
        match &level.dir {
            Held::Own(way) => Ok(way.down(dir)),
            // Where no link is followed the way back is not needed.
            Held::Root(_) if !self.taking.follows_any() => Ok(Way::only(dir)),
            Held::Root(root) => Ok(Way::to_holder(root, place.name())?.down(dir)),
        }
    }
}
