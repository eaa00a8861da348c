//! What a sender remembers of a source: the file systems that it was on, so that one that is not mounted is noticed.

use crate::digest::{self, Content};
use crate::exit::Exit;
use crate::limits;
use crate::path::{Descent, RelPath, Scope, Side};
use crate::report::{Doubt, Report, Why};
use crate::session::Offer;
use crate::sys::{Dir, FileKind};
use crate::tree::{Cursor, Root};
use crate::wire::Flags;
use crate::wire::message::Round;
use std::io;

/// The memory of one source, in a state directory; or none, where there is no such directory.
#[derive(Debug)]
pub struct Memory<'m> {
    place: Option<(&'m Dir, Vec<u8>)>,
}

/// What is remembered.
#[derive(Debug, Default, PartialEq, Eq)]
struct Past {
    /// Where the source begins, and what was mounted there.
    beginnings: Vec<Beginning>,
    /// Directories in it on which another file system was mounted.
    mounts: Vec<RelPath<'static>>,
}

/// A root, or a directory that is grafted onto it, and its file system.
#[derive(Debug, PartialEq, Eq)]
struct Beginning {
    path: RelPath<'static>,
    device: (u32, u32),
    kind: u64,
    id: u64,
}

impl Beginning {
    fn of(path: RelPath<'static>, dir: &Dir) -> io::Result<Beginning> {
        let (stat, system) = (dir.stat_self()?, dir.file_system()?);
        Ok(Beginning { path, device: stat.dev, kind: system.kind, id: system.id })
    }

    /// Whether this is another file system. A disk may get another number when it is mounted again, and not every file
    /// system has one that outlives that.
    fn replaces(&self, old: &Beginning) -> bool {
        let known = self.id != 0 && old.id != 0;
        self.device != old.device && (self.kind != old.kind || known && self.id != old.id)
    }
}

/// Bytes of a memory: as many mount points as are remembered, each as long as a path can be.
const BYTES: u64 = limits::REMEMBERED as u64 * (limits::PATH as u64 + 2);

impl<'m> Memory<'m> {
    /// Of a source that is the same whenever its name, all that tells it from others, is the same.
    #[must_use]
    pub fn of(state: &'m Dir, name: &[u8]) -> Memory<'m> {
        let mut hash = Content::new();
        hash.update(name);
        let hash = digest::hex(&hash.finish());
        let file = [b"source-", hash.get(..32).unwrap_or_default()].concat();
        Memory { place: Some((state, file)) }
    }

    /// Where nothing can be kept.
    #[must_use]
    pub const fn none() -> Memory<'m> {
        Memory { place: None }
    }

    /// What makes us doubt that the source is all there.
    #[must_use]
    pub fn doubt(&self, root: &Root, scope: &Scope) -> Option<Doubt> {
        let past = match self.past() {
            Ok(past) => past?,
            Err(_) => return Some(Doubt { why: Why::Memory, path: RelPath::ROOT }),
        };
        let replaced = |there: &Beginning| {
            past.beginnings.iter().any(|old| old.path == there.path && there.replaces(old))
        };
        if let Some(other) = beginnings(root).into_iter().find(replaced) {
            return Some(Doubt { why: Why::Device, path: other.path });
        }
        let mut cursor = Cursor::new(root, false);
        let gone = past.mounts.into_iter().find(|path| is_in(scope, path) && !is_mounted(&mut cursor, path));
        gone.map(|path| Doubt { why: Why::Unmounted, path })
    }

    /// Remembers the source as it is, after a round. Where there was a doubt, what was remembered stays, unless the round
    /// removed all the same what the source did not have: others must not be led to forget what is not mounted.
    pub fn after(&self, root: &Root, round: &Round, offer: &Offer, report: &Report) {
        let removed = round.flags.has(Flags::DELETE) && report.exit() == Exit::Ok;
        let believed = offer.doubt.is_none() || removed;
        if believed && report.refused == 0 && !round.flags.has(Flags::DRY_RUN) {
            self.keep(root, &round.scope, offer);
        }
    }

    /// That it cannot be written is no failure: then the next round has what was remembered before to go by. What cannot
    /// be read is replaced.
    fn keep(&self, root: &Root, scope: &Scope, offer: &Offer) {
        let Some((state, file)) = &self.place else { return };
        let damaged = self.past().is_err();
        let past = self.past().ok().flatten();
        let unseen = past.iter().flat_map(|past| &past.mounts).filter(|path| !is_in(scope, path));
        let mut mounts: Vec<_> = offer.mounts.iter().chain(unseen).cloned().collect();
        mounts.sort();
        mounts.dedup();
        mounts.truncate(limits::REMEMBERED);
        let now = Past { beginnings: beginnings(root), mounts };
        // A round that has nothing to do writes nothing.
        if past.as_ref() == Some(&now) {
            return;
        }
        let others = || state.names().is_ok_and(|names| names.len() < limits::REMEMBERED);
        if past.is_some() || damaged || others() {
            let _ = state.remember(file, &now.write());
        }
    }

    /// Nothing, where nothing is remembered.
    ///
    /// # Errors
    /// Something is, and it cannot be read or is not what was written.
    fn past(&self) -> io::Result<Option<Past>> {
        let Some((state, file)) = &self.place else { return Ok(None) };
        match state.recall(file, BYTES) {
            Ok(text) => Past::read(&text).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn is_in(scope: &Scope, path: &RelPath<'_>) -> bool {
    let mut rules = Descent::new(scope.filter(), Side::Sender, &[]);
    let mut way = path.components().scan(RelPath::ROOT, |above, name| {
        *above = above.join(name).ok()?;
        Some(above.clone())
    });
    scope.covers(path) && !scope.leads(path) && !way.any(|path| rules.excludes(&path, true, false))
}

/// Whether a directory is on another file system than the one above it. One that is not there any more is not.
fn is_mounted(cursor: &mut Cursor<'_>, path: &RelPath<'_>) -> bool {
    let devices = cursor.holder(path).and_then(|(above, name)| {
        let dir = above.stat(name)?;
        Ok((above.stat_self()?.dev, dir.dev, dir.kind))
    });
    devices.is_ok_and(|(above, own, kind)| kind == Some(FileKind::Dir) && above != own)
}

/// The root, or what is grafted onto it, as far as it is a directory.
fn beginnings(root: &Root) -> Vec<Beginning> {
    if !root.is_bare() {
        return Beginning::of(RelPath::ROOT, root.dir()).into_iter().collect();
    }
    let names = root.names().unwrap_or_default();
    let graft = |name: &[u8]| {
        let path = RelPath::ROOT.join(name).ok()?;
        Beginning::of(path, &root.holder(name)?.subdir(name).ok()?).ok()
    };
    names.iter().filter_map(|name| graft(name)).collect()
}

/// What ends each part of a memory; no path holds it.
const END: u8 = 0;

impl Past {
    fn write(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for Beginning { path, device, kind, id } in &self.beginnings {
            text.extend_from_slice(format!("root {} {} {kind} {id} ", device.0, device.1).as_bytes());
            text.extend_from_slice(path.as_bytes());
            text.push(END);
        }
        for path in &self.mounts {
            text.extend_from_slice(b"mount ");
            text.extend_from_slice(path.as_bytes());
            text.push(END);
        }
        text
    }

    /// `None` for what [`Past::write`] did not write.
    fn read(text: &[u8]) -> Option<Past> {
        let mut past = Past::default();
        for part in text.strip_suffix(&[END])?.split(|byte| *byte == END) {
            let path = |bytes: &[u8]| RelPath::new(bytes.to_vec()).ok();
            if let Some(mount) = part.strip_prefix(b"mount ") {
                past.mounts.push(path(mount)?);
                continue;
            }
            let mut words = part.strip_prefix(b"root ")?.splitn(5, |byte| *byte == b' ');
            let mut number = || std::str::from_utf8(words.next()?).ok()?.parse::<u64>().ok();
            let (major, minor, kind, id) = (number()?, number()?, number()?, number()?);
            let device = (u32::try_from(major).ok()?, u32::try_from(minor).ok()?);
            past.beginnings.push(Beginning { path: path(words.next()?)?, device, kind, id });
        }
        Some(past)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let path = |text: &str| RelPath::new(text.as_bytes().to_vec()).unwrap();
        let beginning =
            |name: &str| Beginning { path: path(name), device: (8, 1), kind: 0xef53, id: u64::MAX };
        let past = Past { beginnings: vec![beginning(""), beginning("a b\n")], mounts: vec![path("x y/z")] };
        assert_eq!(Past::read(&past.write()), Some(past));
        for text in [&b""[..], b"mount x", b"root 1 2 3 x\0", b"root 1 2 3\0", b"mount ..\0", b"x\0"] {
            assert_eq!(Past::read(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_disk_is_another_when_all_that_is_known_of_it_is() {
        let beginning = |device, kind, id| Beginning { path: RelPath::ROOT, device: (8, device), kind, id };
        let old = beginning(1, 7, 100);
        for (now, replaces) in [
            (beginning(1, 7, 100), false),
            (beginning(2, 7, 100), false),
            (beginning(1, 7, 200), false),
            (beginning(2, 7, 200), true),
            (beginning(2, 7, 0), false),
            (beginning(2, 8, 0), true),
        ] {
            assert_eq!(now.replaces(&old), replaces, "{now:?}");
        }
    }
}
