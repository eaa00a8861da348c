//! The keywords of mtree(5) that we write, in the order in which a line carries them.

use crate::digest::{Algorithm, Algorithms};

/// One keyword. The order is that of `mtree -C`, then the extensions; a canonical line holds them in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // each is documented in mtree(5) under its own name
pub enum Keyword {
    Type,
    Uname,
    Uid,
    Gname,
    Gid,
    Mode,
    Device,
    Nlink,
    Link,
    Size,
    Time,
    Cksum,
    Md5,
    Rmd160,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
    /// Ours: BLAKE3, 32 bytes in hexadecimal.
    Blake3,
    /// libarchive's: with `resdevice`, which names are one file.
    Inode,
    /// libarchive's: the device that `inode` is on.
    Resdevice,
    /// What is below this directory is left alone.
    Ignore,
    /// That the path is not there is no difference.
    Optional,
    /// FreeBSD's: the path is to be there; of what kind and with what contents does not matter.
    Nochange,
    /// go-mtree's: `xattr.NAME=BASE64`, any number of them.
    Xattr,
}

use Keyword::{
    Blake3, Cksum, Device, Gid, Gname, Ignore, Inode, Link, Md5, Mode, Nlink, Nochange, Optional, Resdevice,
    Rmd160, Sha1, Sha256, Sha384, Sha512, Size, Time, Type, Uid, Uname, Xattr,
};

impl Keyword {
    /// Every keyword, in line order.
    pub const ALL: [Keyword; 25] = [
        Type, Uname, Uid, Gname, Gid, Mode, Device, Nlink, Link, Size, Time, Cksum, Md5, Rmd160, Sha1,
        Sha256, Sha384, Sha512, Blake3, Inode, Resdevice, Ignore, Optional, Nochange, Xattr,
    ];

    /// The word before `=`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Type => "type",
            Uname => "uname",
            Uid => "uid",
            Gname => "gname",
            Gid => "gid",
            Mode => "mode",
            Device => "device",
            Nlink => "nlink",
            Link => "link",
            Size => "size",
            Time => "time",
            Cksum => "cksum",
            Md5 => "md5",
            Rmd160 => "rmd160",
            Sha1 => "sha1",
            Sha256 => "sha256",
            Sha384 => "sha384",
            Sha512 => "sha512",
            Blake3 => "blake3",
            Inode => "inode",
            Resdevice => "resdevice",
            Ignore => "ignore",
            Optional => "optional",
            Nochange => "nochange",
            Xattr => "xattr",
        }
    }

    /// The keyword of this canonical name.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Keyword> {
        // A search through the names would be half of the time that a specification takes to be read.
        Some(match name {
            b"type" => Type,
            b"uname" => Uname,
            b"uid" => Uid,
            b"gname" => Gname,
            b"gid" => Gid,
            b"mode" => Mode,
            b"device" => Device,
            b"nlink" => Nlink,
            b"link" => Link,
            b"size" => Size,
            b"time" => Time,
            b"cksum" => Cksum,
            b"md5" => Md5,
            b"rmd160" => Rmd160,
            b"sha1" => Sha1,
            b"sha256" => Sha256,
            b"sha384" => Sha384,
            b"sha512" => Sha512,
            b"blake3" => Blake3,
            b"inode" => Inode,
            b"resdevice" => Resdevice,
            b"ignore" => Ignore,
            b"optional" => Optional,
            b"nochange" => Nochange,
            b"xattr" => Xattr,
            _ => return None,
        })
    }

    /// Whether it stands alone, without a value.
    #[must_use]
    pub const fn is_bare(self) -> bool {
        matches!(self, Ignore | Optional | Nochange)
    }

    /// The digest this keyword carries, if it carries one.
    #[must_use]
    pub const fn algorithm(self) -> Option<Algorithm> {
        Some(match self {
            Cksum => Algorithm::Cksum,
            Md5 => Algorithm::Md5,
            Rmd160 => Algorithm::Rmd160,
            Sha1 => Algorithm::Sha1,
            Sha256 => Algorithm::Sha256,
            Sha384 => Algorithm::Sha384,
            Sha512 => Algorithm::Sha512,
            Blake3 => Algorithm::Blake3,
            _ => return None,
        })
    }

    /// The keyword that carries this digest.
    #[must_use]
    pub const fn of_algorithm(algorithm: Algorithm) -> Keyword {
        match algorithm {
            Algorithm::Cksum => Cksum,
            Algorithm::Md5 => Md5,
            Algorithm::Rmd160 => Rmd160,
            Algorithm::Sha1 => Sha1,
            Algorithm::Sha256 => Sha256,
            Algorithm::Sha384 => Sha384,
            Algorithm::Sha512 => Sha512,
            Algorithm::Blake3 => Blake3,
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A set of keywords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keywords(u32);

impl Keywords {
    /// None.
    pub const NONE: Keywords = Keywords(0);
    /// What a transfer carries unless told otherwise: everything that is replicated, and no digest.
    pub const TRANSFER: Keywords = Keywords::of(&[
        Type, Uname, Uid, Gname, Gid, Mode, Device, Link, Size, Time, Inode, Resdevice, Ignore, Optional,
        Nochange, Xattr,
    ]);
    /// What no transfer can do without.
    pub const STRUCTURE: Keywords =
        Keywords::of(&[Type, Device, Link, Size, Time, Ignore, Optional, Nochange]);
    /// mtree(8)'s own default set.
    pub const MTREE_DEFAULT: Keywords =
        Keywords::of(&[Type, Uid, Gid, Mode, Device, Nlink, Link, Size, Time]);
    /// What `all` means: every keyword that mtree(8) knows.
    pub const MTREE_ALL: Keywords = Keywords(Keywords::of(&Keyword::ALL).0 & !Keywords::EXTENSIONS.0);
    /// Keywords that are fatal to mtree(8).
    pub const EXTENSIONS: Keywords = Keywords::of(&[Blake3, Inode, Resdevice, Nochange, Xattr]);

    /// The set of these.
    #[must_use]
    pub const fn of(list: &[Keyword]) -> Keywords {
        let mut bits = 0;
        let mut rest = list;
        while let [keyword, tail @ ..] = rest {
            bits |= keyword.bit();
            rest = tail;
        }
        Keywords(bits)
    }

    /// Whether the keyword is in the set.
    #[must_use]
    pub const fn contains(self, keyword: Keyword) -> bool {
        self.0 & keyword.bit() != 0
    }

    /// Adds a keyword.
    pub const fn insert(&mut self, keyword: Keyword) {
        self.0 |= keyword.bit();
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: Keywords) -> Keywords {
        Keywords(self.0 | other.0)
    }

    /// What is here and not there.
    #[must_use]
    pub const fn without(self, other: Keywords) -> Keywords {
        Keywords(self.0 & !other.0)
    }

    /// With what no transfer can do without; and hard links only if both keywords that tell them are there.
    #[must_use]
    pub fn for_transfer(self) -> Keywords {
        let all = self.union(Keywords::STRUCTURE);
        let links = Keywords::of(&[Inode, Resdevice]);
        if all.contains(Inode) && all.contains(Resdevice) { all } else { all.without(links) }
    }

    /// The digests among them.
    #[must_use]
    pub fn algorithms(self) -> Algorithms {
        let mut algorithms = Algorithms::default();
        for algorithm in Keyword::ALL.into_iter().filter(|k| self.contains(*k)).filter_map(Keyword::algorithm)
        {
            algorithms.insert(algorithm);
        }
        algorithms
    }

    /// The set as a number, a bit for each keyword in line order: the form on the wire.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The set of this number, unless a bit stands for no keyword.
    #[must_use]
    pub fn from_bits(bits: u32) -> Option<Keywords> {
        (bits & !Keywords::of(&Keyword::ALL).0 == 0).then_some(Keywords(bits))
    }

    /// Reads the argument of `-k`: names separated by commas or blanks, `all`, digest synonyms; `flags` and `tags` of
    /// `mtree -k all` stand for nothing here.
    ///
    /// # Errors
    /// The first word that is no keyword.
    pub fn parse(list: &str) -> Result<Keywords, String> {
        let mut set = Keywords::NONE;
        for word in list.split([',', ' ', '\t']).filter(|word| !word.is_empty()) {
            let bytes = word.as_bytes();
            if word == "all" {
                set = set.union(Keywords::MTREE_ALL);
            } else if let Some(keyword) = Keyword::from_name(bytes)
                .or_else(|| Algorithm::from_keyword(bytes).map(Keyword::of_algorithm))
            {
                set.insert(keyword);
            } else if !matches!(word, "flags" | "tags") {
                return Err(format!("unknown keyword '{}'", crate::vis::shown(bytes)));
            }
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_the_list_is_the_order_of_the_bits() {
        assert!(Keyword::ALL.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(Keyword::ALL.len(), Xattr as usize + 1);
        for keyword in Keyword::ALL {
            assert_eq!(Keyword::from_name(keyword.name().as_bytes()), Some(keyword));
        }
    }

    #[test]
    fn reads_lists() {
        assert_eq!(Keywords::parse("all").unwrap(), Keywords::MTREE_ALL);
        assert_eq!(Keywords::parse("size, sha256digest").unwrap(), Keywords::of(&[Size, Sha256]));
        assert!(!Keywords::MTREE_ALL.contains(Blake3));
        assert!(Keywords::parse("size,bogus").is_err());
    }

    #[test]
    fn numbers_off_the_wire_are_checked() {
        assert_eq!(Keywords::from_bits(Keywords::TRANSFER.bits()), Some(Keywords::TRANSFER));
        assert_eq!(Keywords::from_bits(1 << 31), None);
    }
}
