//! In what respects two trees differ at a path.

/// In what respects a path differs: a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Aspects(u16);

impl Aspects {
    /// In none.
    pub const NONE: Aspects = Aspects(0);
    /// It is of another type.
    pub const TYPE: Aspects = Aspects(1);
    /// Size.
    pub const SIZE: Aspects = Aspects(1 << 1);
    /// Time of modification.
    pub const TIME: Aspects = Aspects(1 << 2);
    /// A digest of the contents.
    pub const DIGEST: Aspects = Aspects(1 << 3);
    /// Permissions.
    pub const MODE: Aspects = Aspects(1 << 4);
    /// Owner.
    pub const USER: Aspects = Aspects(1 << 5);
    /// Group.
    pub const GROUP: Aspects = Aspects(1 << 6);
    /// Target of a symbolic link.
    pub const LINK: Aspects = Aspects(1 << 7);
    /// Device number.
    pub const DEVICE: Aspects = Aspects(1 << 8);
    /// Which names are one file.
    pub const HARDLINK: Aspects = Aspects(1 << 9);
    /// Extended attributes, ACLs not among them.
    pub const XATTR: Aspects = Aspects(1 << 10);
    /// POSIX access control lists.
    pub const ACL: Aspects = Aspects(1 << 11);

    /// Each aspect with mtree(8)'s word for it, where it has one.
    pub const WORDS: [(Aspects, &'static str); 12] = [
        (Aspects::TYPE, "type"),
        (Aspects::SIZE, "size"),
        (Aspects::TIME, "modification time"),
        (Aspects::DIGEST, "digest"),
        (Aspects::MODE, "permissions"),
        (Aspects::USER, "user"),
        (Aspects::GROUP, "group"),
        (Aspects::LINK, "link ref"),
        (Aspects::DEVICE, "device"),
        (Aspects::HARDLINK, "hard links"),
        (Aspects::XATTR, "extended attributes"),
        (Aspects::ACL, "access control lists"),
    ];

    /// Whether all of `other` are in it.
    #[must_use]
    pub const fn contains(self, other: Aspects) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is in it.
    #[must_use]
    pub const fn intersects(self, other: Aspects) -> bool {
        self.0 & other.0 != 0
    }

    /// Both together.
    #[must_use]
    pub const fn with(self, other: Aspects) -> Aspects {
        Aspects(self.0 | other.0)
    }

    /// Adds `other` when `differs`.
    pub const fn note(&mut self, other: Aspects, differs: bool) {
        if differs {
            self.0 |= other.0;
        }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The number on the wire.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The set of this number, unless a bit stands for nothing.
    #[must_use]
    pub fn from_bits(bits: u16) -> Option<Aspects> {
        (bits < 1 << Aspects::WORDS.len()).then_some(Aspects(bits))
    }

    /// Those in it one by one, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Aspects> {
        Aspects::WORDS.into_iter().map(|(aspect, _)| aspect).filter(move |aspect| self.contains(*aspect))
    }

    /// The words of those in it.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Aspects::WORDS.into_iter().filter(move |(aspect, _)| self.contains(*aspect)).map(|(_, word)| word)
    }
}
