//! What a scan says of one path: metadata, owners by name, extended attributes.

use super::{View, Walk};
use crate::limits;
use crate::path::RelPath;
use crate::report::{Problem, Step};
use crate::spec::{Device, Entry, InodeId, Keyword, Kind, Time, Xattrs};
use crate::sys::xattr;
use crate::sys::{self, Stat};
use std::collections::HashMap;
use std::io::{self, Write};

/// Finds the name of an owner, and the number of a name.
type Name = fn(u32) -> Option<Vec<u8>>;
type Number = fn(&[u8]) -> Option<u32>;

impl<W: Write> Walk<'_, W> {
    /// Those that could be read; a name that vanished or cannot be read has none.
    pub(super) fn known(
        &mut self,
        path: &RelPath<'_>,
        found: io::Result<xattr::Attributes>,
    ) -> Xattrs<'static> {
        match found {
            Ok(list) => Xattrs::of_values(list),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    self.found.problems.push(Problem::new(path, Step::Xattr, &error));
                }
                Xattrs::default()
            }
        }
    }

    /// The entry of what stat(2) said.
    pub(super) fn describe<'p>(&mut self, path: RelPath<'p>, kind: Kind, stat: &Stat) -> Entry<'p> {
        let says = |keyword| self.what.keywords.contains(keyword);
        let receives = matches!(self.what.view, View::Receiver { .. });
        let owner = |names: &mut HashMap<u32, Option<Vec<u8>>>, id, look: Name, number: Number| {
            let fits = |name: &Vec<u8>| (1..=limits::OWNER).contains(&name.len());
            // The receiver sets owners by name: of one that is another's too it compares the numbers.
            let means = |name: &Vec<u8>| !receives || number(name) == Some(id);
            names.entry(id).or_insert_with(|| look(id).filter(fits).filter(means)).clone()
        };
        let file = kind == Kind::File;
        let device = |(major, minor)| Device { major, minor };
        let inode = (kind != Kind::Dir && stat.nlink > 1).then(|| InodeId::of(stat));
        Entry {
            uid: Some(stat.uid).filter(|id| *id != u32::MAX),
            gid: Some(stat.gid).filter(|id| *id != u32::MAX),
            uname: says(Keyword::Uname)
                .then(|| owner(&mut self.users, stat.uid, sys::ids::user_name, sys::ids::user_id))
                .flatten()
                .map(Into::into),
            gname: says(Keyword::Gname)
                .then(|| owner(&mut self.groups, stat.gid, sys::ids::group_name, sys::ids::group_id))
                .flatten()
                .map(Into::into),
            mode: Some(stat.mode),
            device: kind.is_device().then(|| device(stat.rdev)),
            // The receiver says it of what has several names only, so as to say of the rest just what the sender does.
            nlink: (!receives || inode.is_some()).then_some(stat.nlink),
            size: file.then_some(stat.size),
            time: Some(Time { sec: stat.mtime.0, nsec: stat.mtime.1 }),
            inode,
            ..Entry::new(path, kind)
        }
    }
}
