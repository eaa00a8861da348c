//! `uid` and `gid`: whom a connection becomes once it has opened a module.

use crate::config::value;
use crate::sys::confine::{Identity, by_group_name, by_user_name, groups_of, primary_group};
use crate::sys::ids;
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::io;

/// A user, by his name or number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserId {
    text: String,
    id: u32,
}

impl UserId {
    /// The name of his directory in the state directory of a server that is another user.
    #[must_use]
    pub fn directory(&self) -> Vec<u8> {
        directory(self.id)
    }
}

/// The name of this user's directory in the state directory of a server that is another one.
#[must_use]
pub fn directory(uid: u32) -> Vec<u8> {
    format!("uid-{uid}").into_bytes()
}

/// Groups: some, or those that the user has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupIds {
    text: String,
    /// `None` for `*`.
    ids: Option<Vec<u32>>,
}

/// A number; the last one means "unchanged" to chown(2), and is nobody's.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| digits && *id != u32::MAX)
}

/// A number, or the number of a name. A name that nobody knows, or that cannot be looked up now, is none.
fn id(text: &str, look_up: fn(&str) -> io::Result<Option<u32>>) -> Option<u32> {
    number(text).or_else(|| look_up(text).ok()?)
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        value::expect(deserializer, "a user of this host, or a number", |text| {
            id(text, by_user_name).map(|id| UserId { text: text.to_owned(), id })
        })
    }
}

impl<'de> Deserialize<'de> for GroupIds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        value::list(deserializer, "a list of groups of this host, or numbers, or *", |text| {
            let words: Vec<&str> = text.split([',', ' ', '\t']).filter(|word| !word.is_empty()).collect();
            let ids = match words.as_slice() {
                [] => return None,
                ["*"] => None,
                words => Some(words.iter().map(|word| id(word, by_group_name)).collect::<Option<_>>()?),
            };
            Some(GroupIds { text: words.join(" "), ids })
        })
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for GroupIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whom these two make us; `None` if we stay who we are.
///
/// # Errors
/// There is no telling the groups, in words.
pub fn identity(user: Option<&UserId>, groups: Option<&GroupIds>) -> Result<Option<Identity>, String> {
    let uid = user.map_or_else(ids::euid, |user| user.id);
    let unknown =
        || format!("uid {uid} has no entry in the user database: gid must be given as numbers or names");
    let list = match (user, groups) {
        (None, None) => return Ok(None),
        (_, Some(GroupIds { ids: Some(list), .. })) => list.clone(),
        (_, Some(GroupIds { ids: None, .. })) => {
            groups_of(uid).map_err(|error| error.to_string())?.ok_or_else(unknown)?
        }
        (_, None) => vec![primary_group(uid).map_err(|error| error.to_string())?.ok_or_else(unknown)?],
    };
    let (gid, groups) = list.split_first().ok_or_else(unknown)?;
    Ok(Some(Identity { uid, gid: *gid, groups: groups.to_vec() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};

    fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
        let deserializer: StrDeserializer<'a, Error> = text.into_deserializer();
        T::deserialize(deserializer).map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_looked_up_and_never_root_by_mistake() {
        assert_eq!(read::<UserId>("root").unwrap().id, 0);
        assert_eq!(read::<UserId>("65534").unwrap().id, 65534);
        for bad in ["no-such-user-here", "", "-1", "4294967295", "+0", "0x0", "root daemon"] {
            assert!(read::<UserId>(bad).is_err(), "{bad}");
        }
        assert_eq!(read::<GroupIds>("root, 7").unwrap().ids, Some(vec![0, 7]));
        assert_eq!(read::<GroupIds>("*").unwrap().ids, None);
        for bad in ["no-such-group-here", "root,no-such-group-here", "", ",", "* root", "4294967295"] {
            assert!(read::<GroupIds>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn groups_are_those_given_or_those_of_the_user() {
        let of = |user: Option<&str>, group: Option<&str>| {
            let user = user.map(|text| read::<UserId>(text).unwrap());
            let group = group.map(|text| read::<GroupIds>(text).unwrap());
            identity(user.as_ref(), group.as_ref())
        };
        assert_eq!(of(None, None), Ok(None));
        let is = |uid, gid, groups: &[u32]| Ok(Some(Identity { uid, gid, groups: groups.to_vec() }));
        assert_eq!(of(Some("root"), None), is(0, 0, &[]));
        assert_eq!(of(Some("7"), Some("8 9")), is(7, 8, &[9]));
        assert_eq!(of(None, Some("8")), is(ids::euid(), 8, &[]));
        // Nobody has this number.
        assert!(of(Some("4294967294"), None).unwrap_err().contains("gid must be given"));
        assert!(of(Some("4294967294"), Some("*")).is_err());
        let all = of(Some("root"), Some("*")).unwrap().unwrap();
        assert_eq!((all.uid, all.gid), (0, 0));
    }
}
