//! What a module makes of a specification that comes: what it does not take stays away, and modes and owners are as it
//! wants them. Each entry stays at its index.

use crate::exit::Exit;
use crate::install::Failure;
use crate::path::RelPath;
use crate::report::{Problem, Problems, Side, Step};
use crate::session::{Error, guise};
use crate::spec::{Entry, Keyword, Keywords, Kind, Spec, SpecWriter};
use crate::sys::Spool;
use crate::terms::{Capabilities, Capability, Guise, Policy};
use std::io;

/// What is left of a specification.
pub(super) struct Admitted {
    pub(super) want: Spec,
    /// What was taken out. Of a directory that is barred it is the directory.
    pub(super) refused: Problems,
}

/// Permissions that are changed where none are said: those that a new file would get, and a new directory.
const MODES: (u32, u32) = (0o644, 0o755);

/// The extended attribute that holds the capabilities of a file; see capabilities(7).
const CAPABILITIES: &[u8] = b"security.capability";

/// Nothing when it is taken as it is; `spool` makes a nameless file.
///
/// # Errors
/// There is no room for the other specification.
pub(super) fn admit(
    spec: &Spec,
    policy: &Policy,
    spool: impl FnOnce() -> Result<Spool, Error>,
) -> Result<Option<Admitted>, Error> {
    let Policy { fence, incoming, numeric_ids, max_file_size, refused: refuses, .. } = policy;
    let each = [Capability::DEVICES, Capability::SPECIALS, Capability::SETUID, Capability::LINKS];
    let by_entry = each.iter().any(|capability| refuses.has(*capability));
    if fence.is_none() && incoming.is_empty() && !numeric_ids && max_file_size.is_none() && !by_entry {
        return Ok(None);
    }
    let failed = |error| Error::Disk(super::error::WRITE_SPEC, error);
    let keywords = spec.keywords().union(Keywords::TRANSFER);
    let mut writer = SpecWriter::new(spool()?, keywords).map_err(failed)?;
    let guise = Guise { chmod: incoming.clone(), ..Guise::default() };
    let mut refused = Problems::default();
    let mut barred: Option<RelPath<'_>> = None;
    for (_, entry) in spec.iter() {
        let inside = barred.as_ref().is_some_and(|barred| entry.path.is_within(barred));
        let errno = if inside { None } else { fault(&entry, policy) };
        if let Some(errno) = errno {
            if errno == libc::EACCES {
                barred = Some(entry.path.clone());
            }
            let path = entry.path.clone().into_owned();
            refused.push(Problem { path, step: Step::Accept, side: Side::Receiver, errno });
        }
        if inside || errno.is_some() {
            // Neither taken nor changed nor removed.
            writer.push(&Entry { optional: true, nochange: true, inode: None, ..entry })?;
            continue;
        }
        let mut entry = entry;
        if !incoming.is_empty() && entry.mode.is_none() && matches!(entry.kind, Kind::File | Kind::Dir) {
            entry.mode = Some(if entry.kind == Kind::Dir { MODES.1 } else { MODES.0 });
        }
        let mut entry = guise::disguised(entry, &guise);
        if *numeric_ids {
            by_number(&mut entry);
        }
        writer.push(&entry)?;
    }
    Ok(Some(Admitted { want: writer.seal().map_err(failed)?, refused }))
}

/// Owners that have a number are told by nothing else.
fn by_number(entry: &mut Entry<'_>) {
    if entry.uid.is_some() {
        entry.uname = None;
    }
    if entry.gid.is_some() {
        entry.gname = None;
    }
}

/// Why this entry is not taken, if it is not.
fn fault(entry: &Entry<'_>, policy: &Policy) -> Option<i32> {
    let Policy { fence, max_file_size, refused, .. } = policy;
    // Whatever is here under this name: a file of the sender must not come where a directory of ours is not seen.
    if fence.may_bar(&entry.path) {
        return Some(libc::EACCES);
    }
    // File capabilities are what a set-id bit is: who runs the file may do more.
    let raises = entry.mode.is_some_and(|mode| mode & 0o6000 != 0)
        || entry.xattrs.iter().any(|(name, _)| name == CAPABILITIES);
    let set_id = entry.kind == Kind::File && raises;
    let of_kind = match entry.kind {
        Kind::Block | Kind::Char => refused.has(Capability::DEVICES),
        Kind::Fifo => refused.has(Capability::SPECIALS),
        Kind::Link => refused.has(Capability::LINKS),
        Kind::File | Kind::Dir | Kind::Socket => false,
    };
    if of_kind || set_id && refused.has(Capability::SETUID) {
        return Some(libc::EPERM);
    }
    let size = entry.size.filter(|_| entry.kind == Kind::File)?;
    is_large(size, *max_file_size).then_some(libc::EFBIG)
}

/// Whether a file of this size is not taken. When it comes it may have another than the specification said.
pub(super) fn is_large(size: u64, most: Option<u64>) -> bool {
    most.is_some_and(|most| size > most)
}

/// What becomes of such a file.
pub(super) fn too_large() -> Failure {
    (Step::Accept, io::Error::from_raw_os_error(libc::EFBIG))
}

/// Whether these words are ones that the module takes, in a round as in a specification: a sender may say more in this
/// than in that, and all of it is done.
///
/// # Errors
/// One of them is refused; the message has its name.
pub fn words(keywords: Keywords, refused: Capabilities) -> Result<(), Error> {
    let said = |capability| {
        let any = |words: &[Keyword]| words.iter().any(|word| keywords.contains(*word));
        match capability {
            Capability::CHECKSUM => !keywords.algorithms().is_empty(),
            Capability::OWNER => any(&[Keyword::Uname, Keyword::Uid]),
            Capability::GROUP => any(&[Keyword::Gname, Keyword::Gid]),
            Capability::PERMS => any(&[Keyword::Mode]),
            Capability::XATTRS => any(&[Keyword::Xattr]),
            Capability::HARD_LINKS => any(&[Keyword::Inode]),
            _ => false,
        }
    };
    refuse(refused, said)
}

/// Ends the round if something is asked for that is refused.
///
/// # Errors
/// Something is; the message has its name.
pub fn refuse(refused: Capabilities, asks: impl Fn(Capability) -> bool) -> Result<(), Error> {
    match Capability::NAMES.iter().find(|(.., one)| refused.has(*one) && asks(*one)) {
        Some((name, ..)) => {
            let text = format!("the module refuses '{name}' ('refuse options')");
            Err(Error::Refused(Exit::Refused, text))
        }
        None => Ok(()),
    }
}

/// Whether a specification of so many entries is taken.
pub(super) fn count(entries: u32, policy: &Policy) -> Result<(), Error> {
    match policy.max_files {
        Some(most) if entries > most => {
            let text = format!("the tree has {entries} entries, and the module takes {most} ('max files')");
            Err(Error::Refused(Exit::Refused, text))
        }
        _ => Ok(()),
    }
}
