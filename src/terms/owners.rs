//! `--usermap`, `--groupmap` and `--chown`: who is to own what somebody else owns, by the rules of rsync(1).

use crate::limits;
use crate::path::Pattern;

/// Pairs of whom and by whom to replace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnerMap {
    text: Vec<u8>,
    rules: Vec<(From, To)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum From {
    /// Ids that have no name.
    Nameless,
    /// Names that match; `*` matches ids without a name too.
    Name(Pattern),
    /// These ids, the last one included.
    Ids(u32, u32),
}

/// By whom an owner is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// The id itself.
    Id(u32),
    /// Who has this name at the receiver.
    Name(Vec<u8>),
}

impl OwnerMap {
    /// Of a list as rsync takes it: `FROM:TO` with commas between them; the first FROM that matches decides. FROM is a
    /// name of the sender, with wildcards or not, an id, a range `LOW-HIGH`, or empty for ids without a name; TO is a name
    /// of the receiver or an id. The empty list changes nothing.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<OwnerMap> {
        if text.len() > limits::MAPPING {
            return None;
        }
        let pairs = text.split(|&byte| byte == b',').filter(|_| !text.is_empty());
        let rules = pairs.map(rule).collect::<Option<Vec<_>>>()?;
        Some(OwnerMap { text: text.to_vec(), rules })
    }

    /// Everybody becomes this one, a name or an id.
    #[must_use]
    pub fn everybody(to: &[u8]) -> Option<OwnerMap> {
        if to.contains(&b',') { None } else { OwnerMap::new(&[b"*:", to].concat()) }
    }

    /// The list.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The names of the receiver that it gives something to.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.rules.iter().filter_map(|(_, to)| match to {
            To::Name(name) => Some(name.as_slice()),
            To::Id(_) => None,
        })
    }

    /// Who replaces this owner; nobody, if `None`.
    #[must_use]
    pub fn replaced(&self, name: Option<&[u8]>, id: Option<u32>) -> Option<&To> {
        let matches = |from: &From| match from {
            From::Nameless => name.is_none(),
            From::Name(pattern) => pattern.matches(name.unwrap_or_default(), false),
            From::Ids(low, high) => id.is_some_and(|id| (*low..=*high).contains(&id)),
        };
        self.rules.iter().find(|(from, _)| matches(from)).map(|(_, to)| to)
    }
}

fn rule(pair: &[u8]) -> Option<(From, To)> {
    let at = pair.iter().position(|&byte| byte == b':')?;
    let (from, to) = (pair.get(..at)?, pair.get(at + 1..)?);
    let from = match from {
        [] => From::Nameless,
        [b'0'..=b'9', ..] => match from.iter().position(|&byte| byte == b'-') {
            Some(dash) => From::Ids(id(from.get(..dash)?)?, id(from.get(dash + 1..)?)?),
            None => id(from).map(|id| From::Ids(id, id))?,
        },
        _ => From::Name(Pattern::new(from)?),
    };
    let to = match to {
        [b'0'..=b'9', ..] => To::Id(id(to)?),
        _ if (1..=limits::OWNER).contains(&to.len()) && !to.contains(&0) => To::Name(to.to_vec()),
        _ => return None,
    };
    Some((from, to))
}

/// A uid or gid. The last number means "unchanged" to chown(2) and can own nothing.
fn id(text: &[u8]) -> Option<u32> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let id = std::str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()?;
    (id != u32::MAX).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_match_decides() {
        let map = OwnerMap::new(b"0-99:nobody,wayne:admin,w*:7,:8,*:normal").unwrap();
        let to = |name: Option<&str>, id| match map.replaced(name.map(str::as_bytes), Some(id)).unwrap() {
            To::Id(id) => id.to_string(),
            To::Name(name) => String::from_utf8(name.clone()).unwrap(),
        };
        for (name, id, expected) in [
            (Some("root"), 0, "nobody"),
            (Some("wayne"), 99, "nobody"),
            (Some("wayne"), 100, "admin"),
            (Some("wim"), 100, "7"),
            (None, 100, "8"),
            (Some("ann"), 100, "normal"),
        ] {
            assert_eq!(to(name, id), expected, "{name:?} {id}");
        }
        assert_eq!(OwnerMap::new(b"*:5").unwrap().replaced(None, Some(3)), Some(&To::Id(5)));
        assert_eq!(OwnerMap::new(b"ann:5").unwrap().replaced(None, Some(3)), None);
        assert!(OwnerMap::new(b"").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for bad in ["a", "a:", "1x:b", "1-:b", "-:", "a:b,", "4294967295:1", "a:4294967295", "1:2x"] {
            assert!(OwnerMap::new(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(OwnerMap::everybody(b"a,b:c").is_none());
    }
}
