//! What a scan asks the file system, in whatever thread.

use super::Scan;
use crate::digest::{Algorithms, Digests, Hasher};
use crate::limits;
use crate::sys::xattr::{self, Attributes, ByName};
use crate::sys::{Buffer, Dir, File, FileKind, Listed, Stat, clock};
use crate::tree::Remembered;
use crate::tree::remembered::Known;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Asks the file system, in one thread.
pub(super) struct Examiner<'a> {
    what: Scan<'a>,
    algorithms: Algorithms,
    attributes: Option<&'a ByName>,
    /// Where the thread stands, to ask for attributes by name.
    stands: Option<Arc<Dir>>,
    buffer: Buffer,
    /// Where the last file was among those that are remembered.
    near: usize,
}

/// What a name is besides what stat(2) says, as far as that was asked.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Where a link leads to.
    pub(super) target: Option<io::Result<Vec<u8>>>,
    pub(super) digests: Option<io::Result<Digests<'static>>>,
    pub(super) attributes: Option<io::Result<Attributes>>,
}

/// A directory that was opened.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) dir: Arc<Dir>,
    /// In tree order, last first, so that the next one is popped.
    pub(super) names: Vec<Listed>,
    /// What the first of them are.
    pub(super) examined: VecDeque<Examined>,
    pub(super) attributes: Option<io::Result<Attributes>>,
}

/// What a name was found to be.
#[derive(Debug)]
pub(super) struct Examined {
    pub(super) stat: io::Result<Stat>,
    pub(super) facts: Option<Facts>,
}

/// A directory to be listed before its turn.
#[derive(Debug)]
pub(super) struct ToList {
    pub(super) parent: Arc<Dir>,
    pub(super) name: Box<[u8]>,
    /// Whether everything is to be known of its names, and not only what stat(2) says.
    pub(super) all: bool,
    /// The file system that is not to be left.
    pub(super) only_on: Option<(u32, u32)>,
}

/// Files of a directory, with what stat(2) said.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) dir: Arc<Dir>,
    pub(super) files: Vec<(Box<[u8]>, Stat)>,
}

impl<'a> Examiner<'a> {
    pub(super) fn new(what: Scan<'a>, attributes: Option<&'a ByName>) -> Examiner<'a> {
        let algorithms = what.keywords.algorithms();
        Examiner { what, algorithms, attributes, stands: None, buffer: Buffer::new(limits::RECORD), near: 0 }
    }

    /// An error once nobody wants the description any more.
    pub(super) fn go_on(&self) -> io::Result<()> {
        let stopped = self.what.stop.is_some_and(|stop| stop.load(Ordering::Relaxed));
        if stopped { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }

    /// Whether contents are read.
    pub(super) fn digests(&self) -> bool {
        !self.algorithms.is_empty()
    }

    /// Whether there is anything to ask of something of this kind.
    pub(super) fn asks(&self, stat: &Stat) -> bool {
        self.attributes.is_some()
            || stat.kind == Some(FileKind::Link)
            || stat.kind == Some(FileKind::File) && self.digests()
    }

    /// All that is to be known of a name that is no directory.
    pub(super) fn facts(&mut self, dir: &Arc<Dir>, name: &[u8], stat: &Stat) -> Facts {
        let known = self.recall(stat);
        if stat.kind == Some(FileKind::File) && self.digests() {
            return self.read(dir, name, stat, known);
        }
        let link = stat.kind == Some(FileKind::Link);
        let target = link.then(|| dir.read_link(name));
        Facts { target, ..self.unread(dir, name, stat, known) }
    }

    /// The same of a file, where all of it is remembered.
    fn remembered(&mut self, stat: &Stat) -> Option<Facts> {
        if stat.kind != Some(FileKind::File) {
            return None;
        }
        let known = self.recall(stat)?;
        let digests = if self.digests() { Some(Ok(known.digests(self.algorithms)?)) } else { None };
        let plain = self.attributes.is_none() || self.is_plain(Some(known));
        let attributes = self.attributes.map(|_| Ok(Vec::new()));
        plain.then_some(Facts { target: None, digests, attributes })
    }

    /// What is remembered of a name that is no directory; `None` when nobody looked.
    fn recall(&mut self, stat: &Stat) -> Option<Known> {
        let contents = self.digests() && stat.kind == Some(FileKind::File);
        if !contents && self.attributes.is_none() {
            return None;
        }
        self.what.remembered?.recall(stat, contents, &mut self.near)
    }

    /// Whether it is remembered that there are no extended attributes.
    fn is_plain(&self, known: Option<Known>) -> bool {
        let remembered = self.what.remembered.zip(known);
        remembered.is_some_and(|(remembered, known)| remembered.is_plain(&known))
    }

    /// The extended attributes of a name, if they are asked for.
    pub(super) fn attributes(&mut self, dir: &Arc<Dir>, name: &[u8]) -> Option<io::Result<Attributes>> {
        let attributes = self.attributes?;
        if !self.stands.as_ref().is_some_and(|stands| Arc::ptr_eq(stands, dir)) {
            self.stands = None;
            if let Err(error) = attributes.enter(dir) {
                return Some(Err(error));
            }
            self.stands = Some(dir.clone());
        }
        Some(attributes.of(name))
    }

    /// The extended attributes of a directory that is open for listing.
    pub(super) fn attributes_of(&self, dir: &Dir) -> Option<io::Result<Attributes>> {
        self.attributes.map(|_| xattr::of_open(dir))
    }

    /// The digests of a file, if it is still the one that was examined, and its attributes.
    fn read(&mut self, dir: &Arc<Dir>, name: &[u8], stat: &Stat, known: Option<Known>) -> Facts {
        if let Some(digests) = known.and_then(|known| known.digests(self.algorithms)) {
            return Facts { digests: Some(Ok(digests)), ..self.unread(dir, name, stat, known) };
        }
        let begun = clock::now();
        match dir.open_file(name) {
            Ok((file, now)) => self.read_open(&file, (stat, &now), begun, known),
            Err(error) => Facts { digests: Some(Err(error)), ..self.unread(dir, name, stat, known) },
        }
    }

    /// The same of a file that is open, as it was and is now, since this moment.
    fn read_open(
        &mut self,
        file: &File,
        (stat, now): (&Stat, &Stat),
        begun: (i64, u32),
        known: Option<Known>,
    ) -> Facts {
        // Its name need not be looked up again.
        let attributes = match self.attributes {
            Some(_) if self.is_plain(known) => Some(Ok(Vec::new())),
            asked => asked.map(|_| xattr::of_open(file)),
        };
        let digests = if now.same_contents(stat) {
            self.digest(file, stat.size)
        } else {
            Err(io::Error::from_raw_os_error(libc::ESTALE))
        };
        if let Some(remembered) = self.what.remembered {
            let blake3 = digests.as_ref().ok().and_then(Digests::blake3);
            remembered.learn_of(now, begun, blake3, has_none(attributes.as_ref()));
        }
        Facts { digests: Some(digests), attributes, target: None }
    }

    /// What is to be known of what is not open.
    fn unread(&mut self, dir: &Arc<Dir>, name: &[u8], stat: &Stat, known: Option<Known>) -> Facts {
        if self.attributes.is_some() && self.is_plain(known) {
            return Facts { attributes: Some(Ok(Vec::new())), ..Facts::default() };
        }
        let begun = clock::now();
        let attributes = self.attributes(dir, name);
        if let Some(remembered) = self.what.remembered.filter(|_| known.is_some()) {
            remembered.learn_of(stat, begun, None, has_none(attributes.as_ref()));
        }
        Facts { attributes, ..Facts::default() }
    }

    /// The digests of an open file.
    fn digest(&mut self, mut file: &File, size: u64) -> io::Result<Digests<'static>> {
        let mut hasher = None::<Hasher>;
        let mut left = size;
        loop {
            // What is said of the file then is nothing to anybody.
            self.go_on()?;
            let read = file.read(&mut self.buffer)?;
            let piece = self.buffer.get(..read).unwrap_or_default();
            left = left.saturating_sub(read as u64);
            // Less than there was room for, and all there should be: the next read would say so too.
            let last = read == 0 || left == 0 && read < self.buffer.len();
            if last && hasher.is_none() {
                return Ok(Hasher::of(self.algorithms, piece));
            }
            let hasher = hasher.get_or_insert_with(|| Hasher::new(self.algorithms));
            hasher.update(piece);
            if last {
                break;
            }
        }
        Ok(hasher.map(Hasher::finish).unwrap_or_default())
    }

    /// What is to be known of files of a directory, in their order.
    pub(super) fn batch(&mut self, batch: &Batch) -> Vec<Facts> {
        let going = |examiner: &Self| examiner.go_on().is_ok();
        let mut found = Vec::with_capacity(batch.files.len());
        for (name, stat) in &batch.files {
            if !going(self) {
                break;
            }
            found.push(self.facts(&batch.dir, name, stat));
        }
        found
    }

    /// The names in a directory.
    pub(super) fn list(&self, dir: Dir) -> io::Result<Listing> {
        let names = sorted(dir.listing()?);
        Ok(Listing {
            attributes: self.attributes_of(&dir),
            dir: Arc::new(dir),
            names,
            examined: VecDeque::new(),
        })
    }

    /// Lists a directory before its turn, and looks at the first names in it. Errors are for its turn.
    pub(super) fn ahead(&mut self, to_list: &ToList) -> Option<Listing> {
        self.go_on().ok()?;
        let mut listing = self.list(to_list.parent.subdir(&to_list.name).ok()?).ok()?;
        if let Some(only_on) = to_list.only_on
            && listing.dir.stat_self().ok()?.dev != only_on
        {
            return Some(listing);
        }
        let mut room = if to_list.all { limits::SCAN_BATCH_BYTES } else { 0 };
        for name in listing.names.iter().rev().take(limits::SCAN_NAMES) {
            self.go_on().ok()?;
            listing.examined.push_back(self.early(&listing.dir, name, to_list.all, &mut room));
        }
        Some(listing)
    }

    /// What a name is, before its turn; `all` that is to be known, but for contents that are more than there is `room`
    /// for: others help to read these.
    fn early(&mut self, dir: &Arc<Dir>, (name, kind): &Listed, all: bool, room: &mut u64) -> Examined {
        let mut fits = |size: u64| {
            let left = room.checked_sub(size);
            *room = left.unwrap_or_default();
            left.is_some()
        };
        // What is opened anyhow need not be looked up before.
        if *kind == Some(FileKind::File) && all && self.digests() && self.knows_nothing() {
            let begun = clock::now();
            if let Ok((file, now)) = dir.open_file(name) {
                let facts = fits(now.size).then(|| self.read_open(&file, (&now, &now), begun, None));
                return Examined { stat: Ok(now), facts };
            }
        }
        let stat = dir.stat(name);
        let facts = match &stat {
            Ok(stat) if stat.kind != Some(FileKind::Dir) => match self.remembered(stat) {
                None if all && (!self.digests() || fits(stat.size)) => Some(self.facts(dir, name, stat)),
                remembered => remembered,
            },
            _ => None,
        };
        Examined { stat, facts }
    }

    /// Whether nothing was found out of any file before.
    fn knows_nothing(&self) -> bool {
        self.what.remembered.is_none_or(Remembered::is_empty)
    }
}

/// Whether it was found that there are no extended attributes.
fn has_none(attributes: Option<&io::Result<Attributes>>) -> bool {
    matches!(attributes, Some(Ok(list)) if list.is_empty())
}

/// In tree order, last first.
pub(super) fn sorted(mut names: Vec<Listed>) -> Vec<Listed> {
    names.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
    names
}
