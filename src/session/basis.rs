//! Wanted files that the receiver has elsewhere, in trees of `--link-dest` or under other names: they need not be sent.

use crate::config::Durable;
use crate::digest::{Digests, Hasher};
use crate::install::{Adopted, Meta, Stage, is_final};
use crate::limits;
use crate::plan::{Claims, Rules, differences};
use crate::report::{Aspects, Report};
use crate::session::Error;
use crate::session::moves::Source;
use crate::spec::{Entry, Index, InodeId, Kind, Spec, Time, Xattrs};
use crate::sys::{Buffer, File, Stat, xattr};
use crate::tree::{Cursor, Root};
use std::collections::HashMap;
use std::io::{self, Read};

/// Where a wanted file is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    /// At the same path in one of the trees.
    There {
        /// In which.
        tree: usize,
        /// Whether it is all that is wanted, and not only in its contents.
        alike: bool,
    },
    /// In the tree that is changed, under another name.
    Here(Source),
}

impl Found {
    /// Whether it stays where it is too, as one file with both names.
    pub(super) const fn is_linked(&self) -> bool {
        matches!(self, Found::There { alike: true, .. })
    }

    /// Whether its contents need no room.
    pub(super) const fn needs_no_room(&self) -> bool {
        self.is_linked() || matches!(self, Found::Here(Source { goes: true, .. }))
    }
}

/// Looks for these files in the trees, in each at the same path; the first tree in which one is all alike goes before
/// those that have its contents only, or that have as one file what are to be two.
pub(super) fn find(
    trees: &[Root],
    (want, have): (&Spec, &Spec),
    wanted: impl Iterator<Item = Index>,
    rules: &Rules<'_>,
) -> HashMap<Index, Found> {
    let mut found = HashMap::new();
    if trees.is_empty() {
        return found;
    }
    let mut cursors: Vec<_> = trees.iter().map(|root| Cursor::new(root, true)).collect();
    let mut claims = rules.links.then(|| Claims::of(want, have));
    for index in wanted {
        let entry = want.entry(index);
        for (tree, cursor) in cursors.iter_mut().enumerate() {
            // What cannot be read there is sent.
            let Ok(Some(same)) = compare(cursor, &entry, rules) else { continue };
            let mut is_free = |id| claims.as_mut().is_none_or(|claims| claims.claim(&entry, id));
            if same.alike && same.shared.is_none_or(&mut is_free) {
                found.insert(index, Found::There { tree, alike: true });
                break;
            }
            found.entry(index).or_insert(Found::There { tree, alike: false });
        }
    }
    found
}

/// A file that has the wanted contents.
struct Same {
    /// Whether it is all alike.
    alike: bool,
    /// Which it is, if it has several names.
    shared: Option<InodeId>,
}

/// Looks whether the file there has the wanted contents.
fn compare(cursor: &mut Cursor<'_>, want: &Entry<'_>, rules: &Rules<'_>) -> io::Result<Option<Same>> {
    let (holder, name) = cursor.holder(&want.path)?;
    let stat = holder.stat(name)?;
    let time = |stat: &Stat| Some(Time { sec: stat.mtime.0, nsec: stat.mtime.1 });
    let digested = !want.digests.algorithms().is_empty();
    if want.size != Some(stat.size) || want.time != time(&stat) && !digested {
        return Ok(None);
    }
    let (mut file, stat) = holder.open_file(name)?;
    let there = Entry {
        uid: Some(stat.uid),
        gid: Some(stat.gid),
        mode: Some(stat.mode),
        size: Some(stat.size),
        time: time(&stat),
        digests: if digested { digests(&mut file, want)? } else { Digests::default() },
        xattrs: if rules.xattrs { Xattrs::of_values(xattr::of_open(&file)?) } else { Xattrs::default() },
        ..Entry::new(want.path.borrowed(), Kind::File)
    };
    if !file.stat()?.same_contents(&stat) {
        return Ok(None);
    }
    let aspects = differences(want, &there, rules);
    let proven = want.digests.agrees(&there.digests) == Some(true);
    let other = aspects.intersects(Aspects::SIZE.with(Aspects::DIGEST));
    let same = !other && (proven || !aspects.contains(Aspects::TIME));
    Ok(same.then(|| Same { alike: aspects.is_empty(), shared: InodeId::of_several_names(&stat) }))
}

fn digests(file: &mut File, want: &Entry<'_>) -> io::Result<Digests<'static>> {
    let mut hasher = Hasher::new(want.digests.algorithms());
    let mut buffer = Buffer::new(limits::RECORD);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
    }
}

/// Brings what was found into the stage, and counts it. What is not there any more is left out: it is sent.
pub(super) fn adopt(
    (trees, root): (&[Root], &Root),
    (want, have): (&Spec, &Spec),
    found: &HashMap<Index, Found>,
    (stage, meta, durable): (&Stage, &Meta<'_>, Durable),
    report: &mut Report,
) -> Result<HashMap<Index, u64>, Error> {
    let mut cursors: Vec<_> = trees.iter().map(|root| Cursor::new(root, true)).collect();
    let mut own = Cursor::new(root, true);
    let mut adopted = HashMap::new();
    let mut sorted: Vec<_> = found.iter().collect();
    // In tree order each directory is opened once. A new name for a file changes it: copies of it come before.
    sorted.sort_unstable_by_key(|(index, found)| (found.needs_no_room(), **index));
    for (index, found) in sorted {
        let entry = want.entry(*index);
        let done = match found {
            Found::There { tree, alike } => {
                let Some(from) = cursors.get_mut(*tree).and_then(|cursor| cursor.holder(&entry.path).ok())
                else {
                    continue;
                };
                stage.adopt(from, &entry, *alike, meta, durable)
            }
            Found::Here(Source { have: at, known, goes }) => {
                let there = have.path(*at);
                let Ok(from) = own.holder(&there) else { continue };
                let moved = stage.move_in(from, (known, *goes), &entry, meta, durable);
                moved.map(|number| Adopted { number, linked: false })
            }
        };
        match done {
            Ok(Adopted { number, linked }) => {
                adopted.insert(*index, number);
                count(report, linked);
            }
            Err(failure) if is_final(&failure) => return Err(Error::Disk("write into the stage", failure.1)),
            Err(_) => {}
        }
    }
    Ok(adopted)
}

/// Counts one.
pub(super) fn count(report: &mut Report, linked: bool) {
    *(if linked { &mut report.linked } else { &mut report.copied }) += 1;
}
