//! Following links by hand: one name at a time with held directories, `..` by the way that was come, so that whoever is
//! confined to a tree stays in it whatever is renamed meanwhile.

use crate::sys::{Dir, FileKind, Stat};
use crate::tree::{Root, is_reserved};
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

/// Links that may be followed for one name, as in the kernel.
const LINKS: usize = 40;

/// A directory, and the way to it.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) dir: Arc<Dir>,
    above: Above,
}

#[derive(Debug)]
enum Above {
    Way(Rc<Way>),
    /// It is the top of what may be seen.
    Nothing,
    /// Everything may be seen.
    Anything,
}

/// What a link leads to.
#[derive(Debug)]
pub(super) enum Referent {
    Dir(Rc<Way>),
    /// The name of something else.
    Name(Rc<Way>, Box<[u8]>, Stat),
}

/// Where a link led out of what may be seen.
fn outside() -> io::Error {
    io::Error::from_raw_os_error(libc::EXDEV)
}

impl Way {
    /// To the directory that holds this name of the root.
    pub(super) fn to_holder(root: &Root, name: &[u8]) -> io::Result<Rc<Way>> {
        let holder = root.holder(name).ok_or(io::ErrorKind::NotFound)?.clone();
        let mut above = if root.is_confined() { Above::Nothing } else { Above::Anything };
        for dir in root.above() {
            above = Above::Way(Rc::new(Way { dir: Arc::new(dir.again()?), above }));
        }
        Ok(Rc::new(Way { dir: holder, above }))
    }

    /// To a directory in this one.
    pub(super) fn down(self: &Rc<Way>, dir: Arc<Dir>) -> Rc<Way> {
        Rc::new(Way { dir, above: Above::Way(self.clone()) })
    }

    /// To a directory from which no link is followed.
    pub(super) fn only(dir: Arc<Dir>) -> Rc<Way> {
        Rc::new(Way { dir, above: Above::Nothing })
    }

    /// The same way, its directory opened for listing.
    pub(super) fn listed(&self, dir: Arc<Dir>) -> Rc<Way> {
        let above = match &self.above {
            Above::Way(way) => Above::Way(way.clone()),
            Above::Nothing => Above::Nothing,
            Above::Anything => Above::Anything,
        };
        Rc::new(Way { dir, above })
    }

    fn up(self: &Rc<Way>) -> io::Result<Rc<Way>> {
        match &self.above {
            Above::Way(way) => Ok(way.clone()),
            Above::Nothing => Err(outside()),
            Above::Anything => Ok(Rc::new(Way { dir: Arc::new(self.dir.above()?), above: Above::Anything })),
        }
    }

    /// To the root of everything.
    fn top(self: &Rc<Way>) -> io::Result<Rc<Way>> {
        let mut way = self;
        while let Above::Way(above) = &way.above {
            way = above;
        }
        match way.above {
            Above::Anything => {
                Ok(Rc::new(Way { dir: Arc::new(Dir::open_root(Path::new("/"))?), above: Above::Anything }))
            }
            _ => Err(outside()),
        }
    }

    /// What a link in this directory leads to.
    ///
    /// # Errors
    /// It leads to nothing, or out of what may be seen (EXDEV), or through too many links (ELOOP).
    pub(super) fn follow(self: &Rc<Way>, target: &[u8]) -> io::Result<Referent> {
        let names = |target: &[u8]| -> Vec<Box<[u8]>> {
            target.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).map(Into::into).collect()
        };
        let mut way = if target.starts_with(b"/") { self.top()? } else { self.clone() };
        let mut ahead: VecDeque<Box<[u8]>> = names(target).into();
        let mut links = 1;
        while let Some(name) = ahead.pop_front() {
            match &*name {
                b"." => continue,
                b".." => {
                    way = way.up()?;
                    continue;
                }
                _ => {}
            }
            // At the root of a module nobody sees these.
            if matches!(way.above, Above::Nothing) && is_reserved(&name) {
                return Err(io::ErrorKind::NotFound.into());
            }
            let stat = way.dir.stat(&name)?;
            match stat.kind {
                Some(FileKind::Dir) => {
                    let dir = way.dir.through(&name)?;
                    way = way.down(Arc::new(dir));
                }
                Some(FileKind::Link) => {
                    links += 1;
                    if links > LINKS {
                        return Err(io::Error::from_raw_os_error(libc::ELOOP));
                    }
                    let target = way.dir.read_link(&name)?;
                    if target.starts_with(b"/") {
                        way = way.top()?;
                    }
                    names(&target).into_iter().rev().for_each(|name| ahead.push_front(name));
                }
                _ if ahead.is_empty() => return Ok(Referent::Name(way, name, stat)),
                _ => return Err(io::ErrorKind::NotADirectory.into()),
            }
        }
        Ok(Referent::Dir(way))
    }
}
