//! In what one path differs from its entry, in the words and the order of mtree(8).

use crate::client::show::mtree;
use crate::digest::{Algorithms, Digests, Hasher};
use crate::limits;
use crate::report::Aspects;
use crate::spec::{Device, Entry, Keyword, Kind, Time, Xattrs};
use crate::sys::xattr::{Attributes, is_carried};
use crate::sys::{self, Buffer, Dir, File, FileKind, Stat};
use crate::tree::Look;
use std::collections::HashMap;
use std::io::{self, Read};

/// Compares paths with entries.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// Numbers of owners by their names: a tree has few, and asking for one may go over the network.
    users: Ids,
    groups: Ids,
    buffer: Buffer,
}

impl Differences {
    /// In what a path of this status, which has this name in this directory, differs from its entry. The root has no
    /// name, nor contents that could differ.
    pub(super) fn of(
        &mut self,
        entry: &Entry<'_>,
        stat: &Stat,
        at: Option<(&Dir, &[u8], &Look)>,
    ) -> Vec<String> {
        let kind = stat.kind.map(name);
        if kind != Some(entry.kind.name()) {
            // Of another type nothing else can be compared.
            let there = kind.unwrap_or("unknown");
            return vec![mtree::difference(Aspects::TYPE, entry.kind.name().as_bytes(), there.as_bytes())];
        }
        let mut found = Vec::new();
        self.metadata(entry, stat, &mut found);
        if let Some((dir, name, look)) = at {
            if !entry.digests.algorithms().is_empty() {
                let opened = look.open_file(dir, name);
                self.contents(entry, opened.map(|(file, _)| file), &mut found);
            }
            if let Some(target) = &entry.link {
                match dir.read_link(name) {
                    Ok(there) if there == **target => {}
                    Ok(there) => found.push(mtree::difference(Aspects::LINK, target, &there)),
                    Err(error) => found.push(format!("link ref: {}", sys::error_words(&error))),
                }
            }
        }
        found
    }

    fn metadata(&mut self, entry: &Entry<'_>, stat: &Stat, found: &mut Vec<String>) {
        let mut differs = |aspect, wanted: String, there: String| {
            found.push(mtree::difference(aspect, wanted.as_bytes(), there.as_bytes()));
        };
        let (major, minor) = stat.rdev;
        if let Some(wanted) = entry.device.filter(|wanted| *wanted != Device { major, minor }) {
            let packed = |Device { major, minor }: Device| format!("native,{major},{minor}");
            differs(Aspects::DEVICE, packed(wanted), packed(Device { major, minor }));
        }
        let mut owner = |aspect, id: Option<u32>, name: Option<&[u8]>, ids: &mut Ids, find: Find, is: u32| {
            // On a line that has both, the number comes after the name and goes before it.
            let wanted =
                id.or_else(|| *ids.entry(name?.to_vec()).or_insert_with_key(|name: &Vec<u8>| find(name)));
            match (wanted, name) {
                (Some(wanted), _) if wanted != is => differs(aspect, wanted.to_string(), is.to_string()),
                // Nobody here has this name, so nothing here is his.
                (None, Some(name)) => differs(aspect, crate::vis::shown(name), is.to_string()),
                _ => {}
            }
        };
        let (user, group) = (entry.uname.as_deref(), entry.gname.as_deref());
        owner(Aspects::USER, entry.uid, user, &mut self.users, sys::ids::user_id, stat.uid);
        owner(Aspects::GROUP, entry.gid, group, &mut self.groups, sys::ids::group_id, stat.gid);
        // The mode of a link is 0777 here, whatever it is elsewhere.
        if let Some(wanted) = entry.mode.filter(|mode| *mode != stat.mode && entry.kind != Kind::Link) {
            let octal = |mode: u32| format!("{mode:#o}").replacen("0o", "0", 1);
            differs(Aspects::MODE, if wanted == 0 { "0".into() } else { octal(wanted) }, octal(stat.mode));
        }
        // That of a directory is a matter of the file system.
        if let Some(wanted) = entry.nlink.filter(|count| *count != stat.nlink && entry.kind != Kind::Dir) {
            found.push(format!("link count ({wanted}, {})", stat.nlink));
        }
        let mut differs = |aspect, wanted: String, there: String| {
            found.push(mtree::difference(aspect, wanted.as_bytes(), there.as_bytes()));
        };
        if let Some(wanted) = entry.size.filter(|size| *size != stat.size) {
            differs(Aspects::SIZE, wanted.to_string(), stat.size.to_string());
        }
        let there = Time { sec: stat.mtime.0, nsec: stat.mtime.1 };
        if let Some(wanted) = entry.time.filter(|time| *time != there) {
            let text = |Time { sec, nsec }: Time| format!("{sec}.{nsec:09}");
            differs(Aspects::TIME, text(wanted), text(there));
        }
    }

    /// Compares the digests that the entry has.
    fn contents(&mut self, entry: &Entry<'_>, opened: io::Result<File>, found: &mut Vec<String>) {
        let algorithms = entry.digests.algorithms();
        match opened.and_then(|file| self.digests(algorithms, file)) {
            Ok(there) => {
                for (algorithm, wanted) in entry.digests.iter() {
                    let text = |digest: &[u8]| [algorithm.keyword().as_bytes(), b"=", digest].concat();
                    let is = there.get(algorithm).unwrap_or_default();
                    if is != wanted {
                        found.push(mtree::difference(Aspects::DIGEST, &text(wanted), &text(is)));
                    }
                }
            }
            Err(error) => {
                let words = algorithms.iter().map(|algorithm| Keyword::of_algorithm(algorithm).name());
                let name =
                    entry.path.split_last().map(|(_, name)| crate::vis::shown(name)).unwrap_or_default();
                let reason = sys::error_words(&error);
                found.extend(words.map(|word| format!("{word}: {name}: {reason}")));
            }
        }
    }

    fn digests(&mut self, algorithms: Algorithms, mut file: File) -> io::Result<Digests<'static>> {
        let mut hasher = Hasher::new(algorithms);
        if self.buffer.is_empty() {
            self.buffer = Buffer::new(limits::RECORD);
        }
        loop {
            let read = file.read(&mut self.buffer)?;
            if read == 0 {
                return Ok(hasher.finish());
            }
            hasher.update(self.buffer.get(..read).unwrap_or_default());
        }
    }
}

/// Whether the extended attributes that are there are other than those of the entry, in words. Nothing is wanted of a
/// directory that a specification only has on the way to others.
pub(super) fn attributes(entry: &Entry<'_>, there: io::Result<Attributes>) -> Option<String> {
    let root = sys::ids::euid() == 0;
    let wanted = entry.xattrs.filtered(|name| is_carried(name, root));
    match there {
        _ if *entry == Entry::new(entry.path.borrowed(), entry.kind) => None,
        Ok(list) => (Xattrs::of_values(list) != wanted).then(|| "extended attributes".into()),
        Err(error) => Some(format!("extended attributes: {}", sys::error_words(&error))),
    }
}

/// Numbers of owners by their names.
type Ids = HashMap<Vec<u8>, Option<u32>>;

/// Finds the number of an owner.
type Find = fn(&[u8]) -> Option<u32>;

const fn name(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Block => "block",
        FileKind::Char => "char",
        FileKind::Dir => "dir",
        FileKind::Fifo => "fifo",
        FileKind::File => "file",
        FileKind::Link => "link",
        FileKind::Socket => "socket",
    }
}
