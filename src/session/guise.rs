//! The sender's specification in another guise: other owners, other modes. What it reads stays what it is.

use crate::session::Error;
use crate::spec::{Entry, Keyword, Keywords, Kind, Spec, SpecWriter, Xattrs};
use crate::sys::Spool;
use crate::terms::{Guise, To};
use std::borrow::Cow;

/// What is shown of this specification: each entry at the same index.
pub(super) fn shown(spec: &Spec, guise: &Guise, spool: Spool) -> Result<Spec, Error> {
    let failed = |error| Error::Disk(super::error::WRITE_SPEC, error);
    let mut writer = SpecWriter::new(spool, Keywords::of(&Keyword::ALL)).map_err(failed)?;
    for (_, entry) in spec.iter() {
        writer.push(&disguised(entry, guise))?;
    }
    writer.seal().map_err(failed)
}

/// An entry in another guise.
pub(super) fn disguised<'e>(entry: Entry<'e>, guise: &'e Guise) -> Entry<'e> {
    let mut entry = entry;
    let (name, id) = (&mut entry.uname, &mut entry.uid);
    replace(name, id, guise.users.replaced(name.as_deref(), *id));
    let (name, id) = (&mut entry.gname, &mut entry.gid);
    replace(name, id, guise.groups.replaced(name.as_deref(), *id));
    // Every mode of a symbolic link means the same.
    if let Some(mode) = entry.mode.filter(|_| entry.kind != Kind::Link) {
        let changed = guise.chmod.apply(mode, entry.kind == Kind::Dir);
        if changed != mode {
            entry.mode = Some(changed);
            entry.xattrs = with_mode(entry.xattrs, changed);
        }
    }
    entry
}

/// Replaces an owner, of an entry that has one.
fn replace<'e>(name: &mut Option<Cow<'e, [u8]>>, id: &mut Option<u32>, to: Option<&'e To>) {
    if name.is_none() && id.is_none() {
        return;
    }
    match to {
        None => {}
        Some(To::Id(to)) => (*name, *id) = (None, Some(*to)),
        // The receiver knows the name, or it would have refused.
        Some(To::Name(to)) => (*name, *id) = (Some(to.as_slice().into()), None),
    }
}

/// The access list that chmod(2) would make of the one that is there: it has the mode in it.
fn with_mode(xattrs: Xattrs<'_>, mode: u32) -> Xattrs<'_> {
    const ACL: &[u8] = b"system.posix_acl_access";
    if !xattrs.iter().any(|(name, _)| name == ACL) {
        return xattrs;
    }
    let list = xattrs.values().map(|(name, mut value)| {
        if name == ACL {
            chmod_acl(&mut value, mode);
        }
        (name.to_vec(), value)
    });
    Xattrs::of_values(list.collect())
}

/// Tags of entries as the kernel writes them.
const OWNER: u8 = 0x01;
const GROUP: u8 = 0x04;
const MASK: u8 = 0x10;
const OTHER: u8 = 0x20;

/// Entries are eight bytes after a version of four: a tag and permissions of two bytes, the lower one first, and an id.
fn chmod_acl(acl: &mut [u8], mode: u32) {
    let Some(entries) = acl.get_mut(4..) else { return };
    let masked = entries.chunks_exact(8).any(|entry| entry.first() == Some(&MASK));
    let class = |shift: u32| u8::try_from(mode >> shift & 7).unwrap_or_default();
    for entry in entries.chunks_exact_mut(8) {
        let [tag, _, permissions, ..] = entry else { continue };
        match *tag {
            OWNER => *permissions = class(6),
            MASK => *permissions = class(3),
            GROUP if !masked => *permissions = class(3),
            OTHER => *permissions = class(0),
            _ => {}
        }
    }
}
