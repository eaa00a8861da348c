//! What the keywords of a line say of its path, on top of what `/set` says of every path.

use super::fault::DialectFault;
use super::value;
use crate::digest::{Algorithm, Digests};
use crate::limits;
use crate::path::RelPath;
use crate::spec::{Device, Entry, InodeId, Keyword, Kind, Xattrs};
use crate::vis;
use std::borrow::Cow;

/// What a word of a dialect means here.
enum Meaning {
    /// This keyword, under its own name or another.
    Keyword(Keyword),
    /// NetBSD's words by which entries are selected.
    Tags,
    /// Something with a value that is not replicated.
    PassedOver,
}

impl Meaning {
    /// The meaning of this word, if any dialect has it.
    fn of(name: &[u8]) -> Option<Meaning> {
        let digest = || Algorithm::from_keyword(name).map(Keyword::of_algorithm);
        if let Some(keyword) = Keyword::from_name(name).or_else(digest) {
            return Some(Meaning::Keyword(keyword));
        }
        Some(match name {
            // go-mtree's, of archives: the time without its nanoseconds, taken as it stands.
            b"tar_time" => Meaning::Keyword(Keyword::Time),
            b"content" | b"contents" | b"flags" | b"sha512256" | b"sha512256digest" => Meaning::PassedOver,
            b"tags" => Meaning::Tags,
            _ if name.starts_with(b"xattr.") => Meaning::Keyword(Keyword::Xattr),
            _ => return None,
        })
    }

    /// Whether `=` and a value must follow; nothing may follow otherwise.
    fn has_value(&self) -> bool {
        !matches!(self, Meaning::Keyword(keyword) if keyword.is_bare())
    }
}

/// Takes the next word and its value off the front. `size =3` and `size= 3` are one, as mtree(8) has it; but a word
/// with a `=` of its own is never eaten as the value of the one before it.
fn next_word<'w>(words: &mut &'w [Cow<'_, [u8]>]) -> Option<(&'w [u8], Option<&'w [u8]>)> {
    let (word, rest) = words.split_first()?;
    *words = rest;
    let (name, value) = match word.iter().position(|&byte| byte == b'=') {
        Some(at) => (word.get(..at)?, word.get(at + 1..)),
        None => (word.as_ref(), None),
    };
    let Some((next, rest)) = rest.split_first() else { return Some((name, value)) };
    let late = match value {
        None => next.strip_prefix(b"="),
        Some([]) => Some(next.as_ref()).filter(|late| !late.contains(&b'=')),
        Some(_) => None,
    };
    if late.is_some() {
        *words = rest;
    }
    Some((name, late.or(value)))
}

/// What was said so far.
#[derive(Debug, Clone)]
pub(super) struct Said {
    /// The type.
    pub(super) kind: Option<Kind>,
    /// Everything else that an entry holds; its path and kind are not known yet.
    entry: Entry<'static>,
    inode: Option<u64>,
    resdevice: Option<Device>,
    /// With commas between them; empty when there are none.
    pub(super) tags: Box<[u8]>,
}

impl Default for Said {
    fn default() -> Said {
        Said {
            kind: None,
            entry: Entry::new(RelPath::ROOT, Kind::Dir),
            inode: None,
            resdevice: None,
            tags: Box::default(),
        }
    }
}

impl Said {
    /// Takes the keywords of one line; what it says replaces what was said before.
    pub(super) fn take(&mut self, mut words: &[Cow<'_, [u8]>]) -> Result<(), DialectFault> {
        let (mut owner, mut group) = (false, false);
        while let Some((name, value)) = next_word(&mut words) {
            if let Some(attribute) = name.strip_prefix(b"xattr.") {
                self.xattr(attribute, value).ok_or_else(|| DialectFault::Value(vis::shown(name)))?;
                continue;
            }
            let meaning = Meaning::of(name).ok_or_else(|| DialectFault::Keyword(vis::shown(name)))?;
            let value = match value {
                None | Some([]) if meaning.has_value() => {
                    return Err(DialectFault::NoValue(vis::shown(name)));
                }
                Some(_) if !meaning.has_value() => return Err(DialectFault::Value(vis::shown(name))),
                value => value.unwrap_or_default(),
            };
            let keyword = match meaning {
                Meaning::Keyword(keyword) => keyword,
                Meaning::Tags => {
                    self.tags = value.into();
                    continue;
                }
                Meaning::PassedOver => continue,
            };
            // mtree(8) writes an owner by name if it has one, else by number: the one replaces the other when it comes
            // from an earlier line. Only on one line do both speak of the same owner.
            match keyword {
                Keyword::Uname | Keyword::Uid if !std::mem::replace(&mut owner, true) => {
                    (self.entry.uname, self.entry.uid) = (None, None);
                }
                Keyword::Gname | Keyword::Gid if !std::mem::replace(&mut group, true) => {
                    (self.entry.gname, self.entry.gid) = (None, None);
                }
                _ => {}
            }
            self.set(keyword, value)?.ok_or_else(|| DialectFault::Value(vis::shown(name)))?;
        }
        Ok(())
    }

    /// Takes one value; `None` when it is malformed or out of range.
    fn set(&mut self, keyword: Keyword, value: &[u8]) -> Result<Option<()>, DialectFault> {
        let entry = &mut self.entry;
        Ok(match keyword {
            Keyword::Type => put(&mut self.kind, Kind::from_name(value)),
            Keyword::Uname => put(&mut entry.uname, value::owner_name(value).map(Cow::Owned)),
            Keyword::Gname => put(&mut entry.gname, value::owner_name(value).map(Cow::Owned)),
            Keyword::Uid => put(&mut entry.uid, value::owner_number(value)),
            Keyword::Gid => put(&mut entry.gid, value::owner_number(value)),
            Keyword::Mode => put(&mut entry.mode, value::mode(value)),
            Keyword::Device => put(&mut entry.device, value::device(value)?),
            Keyword::Nlink => put(&mut entry.nlink, value::decimal(value)),
            Keyword::Size => {
                put(&mut entry.size, value::decimal(value).filter(|size| *size <= limits::FILE_SIZE))
            }
            Keyword::Time => put(&mut entry.time, value::time(value)),
            Keyword::Inode => put(&mut self.inode, value::decimal(value)),
            Keyword::Resdevice => put(&mut self.resdevice, value::device(value)?),
            Keyword::Link => {
                let target = vis::decode(value).map_err(DialectFault::Vis)?;
                let fits = (1..=limits::LINK).contains(&target.len());
                put(&mut entry.link, fits.then_some(Cow::Owned(target)))
            }
            Keyword::Ignore => set(&mut entry.ignore),
            Keyword::Optional => set(&mut entry.optional),
            Keyword::Nochange => set(&mut entry.nochange),
            _ => keyword.algorithm().and_then(|algorithm| {
                let digest = match algorithm {
                    Algorithm::Cksum => value::decimal(value)?.to_string().into_bytes(),
                    _ => value.strip_prefix(b"0x").unwrap_or(value).to_ascii_lowercase(),
                };
                entry.digests.set(algorithm, digest).ok()
            }),
        })
    }

    /// Takes an extended attribute, of which the value may be empty.
    fn xattr(&mut self, name: &[u8], value: Option<&[u8]>) -> Option<()> {
        let name = vis::decode(name).ok()?;
        self.entry.xattrs.set(Cow::Owned(name), Cow::Owned(value?.to_vec()))
    }

    /// Forgets what `/unset` names.
    pub(super) fn forget(&mut self, words: &[Cow<'_, [u8]>]) -> Result<(), DialectFault> {
        for word in words {
            match Meaning::of(word) {
                _ if word.as_ref() == b"all" => *self = Said::default(),
                Some(Meaning::Keyword(keyword)) => self.unset(keyword),
                Some(Meaning::Tags) => self.tags = Box::default(),
                Some(_) => {}
                None => return Err(DialectFault::Keyword(vis::shown(word))),
            }
        }
        Ok(())
    }

    fn unset(&mut self, keyword: Keyword) {
        let entry = &mut self.entry;
        match keyword {
            Keyword::Type => self.kind = None,
            Keyword::Uname => entry.uname = None,
            Keyword::Gname => entry.gname = None,
            Keyword::Uid => entry.uid = None,
            Keyword::Gid => entry.gid = None,
            Keyword::Mode => entry.mode = None,
            Keyword::Device => entry.device = None,
            Keyword::Nlink => entry.nlink = None,
            Keyword::Size => entry.size = None,
            Keyword::Time => entry.time = None,
            Keyword::Inode => self.inode = None,
            Keyword::Resdevice => self.resdevice = None,
            Keyword::Link => entry.link = None,
            Keyword::Ignore => entry.ignore = false,
            Keyword::Optional => entry.optional = false,
            Keyword::Nochange => entry.nochange = false,
            Keyword::Xattr => entry.xattrs = Xattrs::default(),
            // A digest is of one file: one that was set for all is a mistake, and all such go together.
            _ => entry.digests = Digests::default(),
        }
    }

    /// The entry of a path: what was said, less what a path of this kind cannot have.
    pub(super) fn into_entry(self, path: RelPath<'static>, kind: Kind) -> Entry<'static> {
        let said = self.entry;
        let file = kind == Kind::File;
        let inode = self.inode.zip(self.resdevice).filter(|_| kind != Kind::Dir);
        Entry {
            path,
            kind,
            size: said.size.filter(|_| file),
            digests: if file { said.digests } else { Digests::default() },
            link: said.link.filter(|_| kind == Kind::Link),
            device: said.device.filter(|_| kind.is_device()),
            inode: inode.map(|(inode, device)| InodeId { device, inode }),
            ignore: said.ignore && kind == Kind::Dir,
            ..said
        }
    }
}

/// Notes a word that has no value.
fn set(place: &mut bool) -> Option<()> {
    *place = true;
    Some(())
}

/// Stores a value that is well-formed.
fn put<T>(place: &mut Option<T>, value: Option<T>) -> Option<()> {
    *place = value;
    place.is_some().then_some(())
}
