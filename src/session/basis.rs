//! Wanted files that other trees of the receiver have, of `--link-dest`: they need not be sent.

use crate::config::Durable;
use crate::digest::{Digests, Hasher};
use crate::install::{Adopted, Meta, Stage, is_final};
use crate::limits;
use crate::plan::{Rules, differences};
use crate::report::{Aspects, Report};
use crate::session::Error;
use crate::spec::{Entry, Index, Kind, Spec, Time, Xattrs};
use crate::sys::{File, Stat, xattr};
use crate::tree::{Cursor, Root};
use std::collections::HashMap;
use std::io::{self, Read};

/// Where a wanted file is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// In which of the trees.
    tree: usize,
    /// Whether it is all that is wanted, and not only in its contents.
    pub(super) alike: bool,
}

/// Looks for these files in the trees, in each at the same path; the first tree in which one is all alike goes before
/// those that have its contents only.
pub(super) fn find(
    trees: &[Root],
    want: &Spec,
    wanted: impl Iterator<Item = Index>,
    rules: &Rules<'_>,
) -> HashMap<Index, Found> {
    let mut found = HashMap::new();
    if trees.is_empty() {
        return found;
    }
    let mut cursors: Vec<_> = trees.iter().map(|root| Cursor::new(root, true)).collect();
    for index in wanted {
        let entry = want.entry(index);
        for (tree, cursor) in cursors.iter_mut().enumerate() {
            // What cannot be read there is sent.
            match compare(cursor, &entry, rules) {
                Ok(Some(true)) => {
                    found.insert(index, Found { tree, alike: true });
                    break;
                }
                Ok(Some(false)) => {
                    found.entry(index).or_insert(Found { tree, alike: false });
                }
                Ok(None) | Err(_) => {}
            }
        }
    }
    found
}

/// Whether the file there has the wanted contents, and if so, whether it is all alike.
fn compare(cursor: &mut Cursor<'_>, want: &Entry<'_>, rules: &Rules<'_>) -> io::Result<Option<bool>> {
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
    Ok(same.then(|| aspects.is_empty()))
}

fn digests(file: &mut File, want: &Entry<'_>) -> io::Result<Digests<'static>> {
    let mut hasher = Hasher::new(want.digests.algorithms());
    let mut buffer = vec![0; limits::RECORD];
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
    trees: &[Root],
    want: &Spec,
    found: &HashMap<Index, Found>,
    (stage, meta, durable): (&Stage, &Meta<'_>, Durable),
    report: &mut Report,
) -> Result<HashMap<Index, u64>, Error> {
    let mut cursors: Vec<_> = trees.iter().map(|root| Cursor::new(root, true)).collect();
    let mut adopted = HashMap::new();
    let mut sorted: Vec<_> = found.iter().collect();
    // In tree order each directory is opened once.
    sorted.sort_unstable_by_key(|(index, _)| **index);
    for (index, Found { tree, alike }) in sorted {
        let entry = want.entry(*index);
        let Some(from) = cursors.get_mut(*tree).and_then(|cursor| cursor.holder(&entry.path).ok()) else {
            continue;
        };
        match stage.adopt(from, &entry, *alike, meta, durable) {
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
