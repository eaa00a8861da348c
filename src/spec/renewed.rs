//! A text that is made of lines of one that was sealed, and of others: only these are parsed.

use crate::limits;
use crate::path::RelPath;
use crate::report::Census;
use crate::spec::known::{Digested, Known};
use crate::spec::sealed::{Spec, SpecError, SpecFault};
use crate::spec::writer::SIGNATURE;
use crate::spec::{Index, Keywords, Kind, line};
use std::ops::Range;

/// In what a text differs from the one of which it is made.
#[derive(Debug, Default)]
pub struct Renewal {
    /// Where the lines stand that came, those together that stand together.
    came: Vec<Range<usize>>,
    /// What the lines said that are gone.
    gone: Census,
    keywords: Keywords,
    /// Directories among these, and the bytes of their names.
    dirs: Vec<RelPath<'static>>,
    bytes: usize,
    /// Whether it is too much to be noted.
    unknown: bool,
}

impl Renewal {
    /// Notes that what stands here in the text, whole lines, is no part of the other one.
    pub fn came(&mut self, place: Range<u64>) {
        let (Ok(start), Ok(end)) = (usize::try_from(place.start), usize::try_from(place.end)) else { return };
        let full = self.came.len() >= limits::RENEWALS;
        match self.came.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ if full => self.unknown = true,
            _ => self.came.push(start..end),
        }
    }

    /// Notes that this line of the other text, without its end, is no part of this one.
    pub fn went(&mut self, line: &[u8]) {
        if self.unknown {
            return;
        }
        // The first line, which is no entry, does not go.
        let Ok(entry) = line::parse(line, &mut self.keywords) else {
            self.unknown = true;
            return;
        };
        self.gone.count(entry.kind.in_stat(), entry.length());
        if entry.kind == Kind::Dir {
            self.bytes += entry.path.as_bytes().len();
            self.unknown = self.dirs.len() >= limits::RENEWALS || self.bytes > limits::RENEWED_BYTES;
            self.dirs.push(entry.path.into_owned());
        }
    }
}

impl Spec {
    /// Maps a spool that holds what was made of the lines of a text that was sealed once, in their order, and of others.
    /// What came is checked, and what it stands beside and below; nothing is left below what is gone.
    ///
    /// That is the same door: `base` says of the other text that each of its lines is canonical and in place.
    ///
    /// # Errors
    /// As [`Spec::seal`].
    pub fn seal_renewed(text: Digested, base: &Known, renewal: &Renewal) -> Result<Spec, SpecError> {
        if text.digest() == base.digest() {
            return Spec::seal_again(text, Some(base));
        }
        let failed = |error| SpecError { line: 0, fault: SpecFault::Io(error) };
        let map = text.into_spool().freeze().map_err(failed)?;
        let Some(said) = said(map.bytes(), base, renewal) else { return Spec::check(map) };
        let spec = Spec::of_parts(map, said.offsets, said.keywords, said.census);
        // Whatever is amiss with it is found in its place.
        if renewal.stands(&spec) { Ok(spec) } else { Spec::check(spec.into_map()) }
    }
}

/// Lines in which it is looked for what others said that are gone.
const ALIKE: usize = 64;

/// What there is to know of a text.
struct Said {
    offsets: Vec<u32>,
    keywords: Keywords,
    census: Census,
}

/// What a text says, by what the one said of which it is made; `None` where that cannot be told. Each line is canonical
/// then, and they are in their order.
fn said(text: &[u8], base: &Known, renewal: &Renewal) -> Option<Said> {
    if renewal.unknown || !text.starts_with(SIGNATURE) || !text.ends_with(b"\n") {
        return None;
    }
    let (mut keywords, mut census) = (Keywords::NONE, *base.census());
    for place in &renewal.came {
        // The line before them, which is no entry when they are the first ones.
        let before = text.get(..place.start)?.strip_suffix(b"\n")?;
        let before = before.get(memchr::memrchr(b'\n', before).map_or(0, |end| end + 1)..)?;
        let mut last = if place.start == SIGNATURE.len() { None } else { Some(line::path(before).ok()?) };
        for line in text.get(place.clone())?.strip_suffix(b"\n")?.split(|byte| *byte == b'\n') {
            let entry = line::parse(line, &mut keywords).ok()?;
            if line.len() >= limits::SPEC_LINE || last.is_some_and(|last| last >= entry.path) {
                return None;
            }
            census = added(census, entry.kind, entry.length())?;
            last = Some(entry.path);
        }
        let behind = text.get(place.end..)?;
        let behind = behind.get(..memchr::memchr(b'\n', behind).unwrap_or_default())?;
        if !behind.is_empty() && last? >= line::path(behind).ok()? {
            return None;
        }
    }
    // Another line that stays may say what is gone, or not; most are alike.
    if renewal.keywords.without(keywords) != Keywords::NONE {
        let lines = text.split(|byte| *byte == b'\n').skip(1);
        lines.take(ALIKE).for_each(|line| drop(line::parse(line, &mut keywords)));
    }
    if renewal.keywords.without(keywords) != Keywords::NONE {
        return None;
    }
    let census = less(census, &renewal.gone)?;
    let most = usize::try_from(census.total()).ok().filter(|most| *most <= limits::SPEC_ENTRIES as usize)?;
    let mut offsets = Vec::with_capacity(most + 1);
    for end in memchr::memchr_iter(b'\n', text).take(most + 2) {
        offsets.push(u32::try_from(end + 1).ok()?);
    }
    let end = offsets.pop()? as usize;
    let whole = end == text.len() && offsets.len() == most && most > 0;
    whole.then_some(Said { offsets, keywords: base.keywords().union(keywords), census })
}

/// With one more; `None` when there are more bytes than can be counted.
fn added(census: Census, kind: Kind, length: u64) -> Option<Census> {
    census.bytes.checked_add(length)?;
    let mut census = census;
    census.count(kind.in_stat(), length);
    Some(census)
}

/// Without these.
fn less(census: Census, gone: &Census) -> Option<Census> {
    Some(Census {
        files: census.files.checked_sub(gone.files)?,
        dirs: census.dirs.checked_sub(gone.dirs)?,
        links: census.links.checked_sub(gone.links)?,
        devices: census.devices.checked_sub(gone.devices)?,
        specials: census.specials.checked_sub(gone.specials)?,
        bytes: census.bytes.checked_sub(gone.bytes).filter(|_| census.bytes < u64::MAX)?,
    })
}

impl Renewal {
    /// Whether each entry of a text, of which the lines are canonical and in their order, is below a directory.
    fn stands(&self, spec: &Spec) -> bool {
        let is_dir = |path: &RelPath<'_>| spec.find(path).is_some_and(|entry| entry.kind == Kind::Dir);
        if !spec.path(Index::ROOT).is_root() || spec.entry(Index::ROOT).kind != Kind::Dir {
            return false;
        }
        let mut above = RelPath::ROOT;
        for place in &self.came {
            for line in spec.bytes().get(place.clone()).unwrap_or_default().split(|byte| *byte == b'\n') {
                let Ok(path) = line::path(line) else { continue };
                let Some((dir, _)) = path.split_last() else { continue };
                if dir != above && !is_dir(&dir) {
                    return false;
                }
                above = dir.into_owned();
            }
        }
        self.dirs.iter().all(|dir| is_dir(dir) || !spec.holds(dir))
    }
}

#[cfg(test)]
#[path = "renewed_tests.rs"]
mod tests;
