//! `--chmod`: what becomes of modes on their way, by the rules of rsync(1).

use crate::limits;
use crate::terms::{Clause, Operator, Permissions, clauses};

/// Changes of modes, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chmod {
    text: Vec<u8>,
    umask: u32,
    items: Vec<Item>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Item {
    /// Whether it is for directories only, or for everything else only.
    only: Option<bool>,
    change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Octal(u32),
    Clause(Clause),
}

/// The bits that set an id, by the classes they belong to, and the sticky bit, which rsync gives to others.
const SPECIAL: [(u32, u32); 3] = [(0o100, 0o4000), (0o010, 0o2000), (0o001, 0o1000)];

impl Chmod {
    /// Of a list as rsync takes it: items with commas between them, `D` before one for directories only, `F` before one
    /// for everything else, then clauses of chmod(1) or an octal mode. Where nobody is named, `umask` keeps what it
    /// keeps. The empty list changes nothing.
    #[must_use]
    pub fn new(text: &[u8], umask: u32) -> Option<Chmod> {
        if text.len() > limits::MAPPING || umask > 0o777 {
            return None;
        }
        let mut items = Vec::new();
        for item in text.split(|&byte| byte == b',').filter(|_| !text.is_empty()) {
            let (only, rest) = match item {
                [b'D', rest @ ..] => (Some(true), rest),
                [b'F', rest @ ..] => (Some(false), rest),
                rest => (None, rest),
            };
            if let Some(mode) = octal(rest) {
                items.push(Item { only, change: Change::Octal(mode) });
                continue;
            }
            let clauses = clauses(rest).filter(|clauses| !clauses.is_empty())?;
            items.extend(clauses.into_iter().map(|clause| Item { only, change: Change::Clause(clause) }));
        }
        Some(Chmod { text: text.to_vec(), umask, items })
    }

    /// The list.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// What is kept back where nobody is named.
    #[must_use]
    pub const fn umask(&self) -> u32 {
        self.umask
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// What a mode becomes, of a directory or of something else.
    #[must_use]
    pub fn apply(&self, mode: u32, directory: bool) -> u32 {
        let executable = directory || mode & 0o111 != 0;
        let mine = self.items.iter().filter(|item| item.only.is_none_or(|only| only == directory));
        mine.fold(mode, |mode, item| match item.change {
            Change::Octal(octal) => octal,
            Change::Clause(clause) => self.clause(clause, mode, executable),
        })
    }

    fn clause(&self, clause: Clause, mode: u32, executable: bool) -> u32 {
        let (who, mask) = if clause.who == 0 { (0o111, self.umask) } else { (clause.who, 0) };
        let special = |classes: u32| {
            SPECIAL.iter().filter(|(class, _)| classes & class != 0).fold(0, |all, (_, bit)| all | bit)
        };
        let (bits, cleared) = match clause.permissions {
            Permissions::Copy(class) => ((who * (mode >> class & 7)) & !mask, (who * 7) | special(who)),
            Permissions::These { each, executable: x, set_id, sticky } => {
                let each = each | u32::from(x && executable);
                // Whoever has no such bit sets that of the owner.
                let ids = match special(clause.who & 0o110) {
                    0 => 0o4000,
                    ids => ids,
                };
                let top = if set_id { ids } else { 0 } | if sticky { 0o1000 } else { 0 };
                let named = if top == 0 { 0 } else { special(clause.who & 0o110) };
                ((who * each) & !mask | top, (who * 7) | named)
            }
        };
        match clause.operator {
            Operator::Add => mode | bits,
            Operator::Remove => mode & !bits,
            Operator::Set => mode & !cleared | bits,
        }
    }
}

/// An octal mode of at most 07777.
fn octal(text: &[u8]) -> Option<u32> {
    if !(1..=5).contains(&text.len()) {
        return None;
    }
    let mode = text.iter().try_fold(0, |mode: u32, digit| {
        matches!(digit, b'0'..=b'7').then(|| mode << 3 | u32::from(digit - b'0'))
    });
    mode.filter(|mode| *mode <= 0o7777)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_or_refused() {
        for good in ["", "u=rw", "D755,F644", "Dg+s,ug+w,Fo-w,+X", "g=u", "=", "02755", "u+r-w"] {
            assert!(Chmod::new(good.as_bytes(), 0o022).is_some(), "{good}");
        }
        for bad in ["u", "X=r", "u=g+x,", "8", "17777", "u=q", ",", "DF=r", "u=ux"] {
            assert!(Chmod::new(bad.as_bytes(), 0o022).is_none(), "{bad}");
        }
        assert!(Chmod::new(b"a=r", 0o1000).is_none());
        assert!(Chmod::new(&b"a=r,".repeat(limits::MAPPING), 0).is_none());
    }

    #[test]
    fn files_and_directories_are_told_apart() {
        let chmod = Chmod::new(b"D755,F644,u=rwX,go=rX", 0o022).unwrap();
        assert_eq!((chmod.apply(0o700, true), chmod.apply(0o4711, false)), (0o755, 0o755));
        assert_eq!(chmod.apply(0o600, false), 0o644);
        // rsync(1) and chmod(1) know no set-id bit of others.
        assert_eq!(Chmod::new(b"o+s", 0).unwrap().apply(0o644, false), 0o4644);
        assert_eq!(Chmod::new(b"g=u", 0).unwrap().apply(0o7777, false), 0o5777);
        assert_eq!(Chmod::new(b"=u", 0o027).unwrap().apply(0o7777, false), 0o750);
    }
}
