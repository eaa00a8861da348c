//! Extended attributes of an entry: `xattr.NAME=BASE64` as go-mtree writes them, POSIX ACLs among them.

use crate::limits;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

/// What a keyword of an extended attribute begins with.
pub(crate) const PREFIX: &[u8] = b"xattr.";

/// Extended attributes, sorted by name, each name once. Values stay in the text form in which they travel: they are
/// compared far more often than set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Xattrs<'a>(Vec<Attribute<'a>>);

/// A name, and a value in base64.
type Attribute<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

impl<'a> Xattrs<'a> {
    /// Of names and values as the kernel gives them, in any order.
    #[must_use]
    pub fn of_values(mut list: Vec<(Vec<u8>, Vec<u8>)>) -> Xattrs<'static> {
        list.sort_unstable();
        let text = |value| Cow::Owned(STANDARD.encode(value).into_bytes());
        Xattrs(list.into_iter().map(|(name, value)| (Cow::Owned(name), text(value))).collect())
    }

    /// Appends one in text form: the name as it is, the value in base64. `None` when it is malformed, too long, or not
    /// after the last.
    pub(crate) fn push(&mut self, name: Cow<'a, [u8]>, text: Cow<'a, [u8]>) -> Option<()> {
        let sorted = self.0.last().is_none_or(|(last, _)| *last < name);
        if !sorted || !usable(&name, &text) {
            return None;
        }
        self.0.push((name, text));
        Some(())
    }

    /// Sets one in text form, wherever it stands. `None` when it is malformed or too long.
    pub(crate) fn set(&mut self, name: Cow<'a, [u8]>, text: Cow<'a, [u8]>) -> Option<()> {
        if !usable(&name, &text) {
            return None;
        }
        match self.0.binary_search_by(|(there, _)| there.cmp(&name)) {
            Ok(at) => drop(self.0.get_mut(at).map(|there| there.1 = text)),
            Err(at) => self.0.insert(at, (name, text)),
        }
        Some(())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values in base64, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, text)| (name.as_ref(), text.as_ref()))
    }

    /// Names and values, sorted by name.
    pub fn values(&self) -> impl Iterator<Item = (&[u8], Vec<u8>)> {
        // What is here is base64: it was made or checked when it came in.
        self.iter().filter_map(|(name, text)| Some((name, STANDARD.decode(text).ok()?)))
    }

    /// Those whose names `keep` lets through.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&[u8]) -> bool) -> Xattrs<'a> {
        Xattrs(self.0.iter().filter(|(name, _)| keep(name)).cloned().collect())
    }

    /// The same, owning its bytes.
    #[must_use]
    pub fn into_owned(self) -> Xattrs<'static> {
        let owned = |bytes: Cow<'a, [u8]>| Cow::Owned(bytes.into_owned());
        Xattrs(self.0.into_iter().map(|(name, text)| (owned(name), owned(text))).collect())
    }
}

fn usable(name: &[u8], text: &[u8]) -> bool {
    let named = (1..=limits::XATTR_NAME).contains(&name.len()) && !name.contains(&0);
    named && STANDARD.decode(text).is_ok_and(|value| value.len() <= limits::XATTR_VALUE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_round_and_stay_sorted() {
        let list = vec![(b"user.b".to_vec(), vec![0, 255, 7]), (b"user.a".to_vec(), vec![])];
        let xattrs = Xattrs::of_values(list);
        let text: Vec<_> = xattrs.iter().collect();
        assert_eq!(text, [(&b"user.a"[..], &b""[..]), (b"user.b", b"AP8H")]);
        assert_eq!(xattrs.values().last(), Some((&b"user.b"[..], vec![0, 255, 7])));
    }

    #[test]
    fn malformed_ones_are_refused() {
        let push = |list: &[(&str, &str)]| {
            let mut xattrs = Xattrs::default();
            list.iter().try_for_each(|(name, text)| {
                xattrs.push(Cow::Borrowed(name.as_bytes()), Cow::Borrowed(text.as_bytes()))
            })
        };
        assert_eq!(push(&[("user.a", "YQ=="), ("user.b", "")]), Some(()));
        assert_eq!(push(&[("user.a", "YQ")]), None, "padding is missing");
        assert_eq!(push(&[("user.a", "YR==")]), None, "another text for the same value");
        assert_eq!(push(&[("user.a", "%%")]), None);
        assert_eq!(push(&[("", "YQ==")]), None);
        assert_eq!(push(&[("user.b", ""), ("user.a", "")]), None, "not sorted");
        assert_eq!(push(&[("user.a", ""), ("user.a", "")]), None, "doubled");
        assert_eq!(push(&[(&"x".repeat(256), "")]), None);
        let large = STANDARD.encode(vec![1; limits::XATTR_VALUE + 1]);
        assert_eq!(push(&[("user.a", &large)]), None);
    }
}
