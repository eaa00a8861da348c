//! Which user and group an entry is to belong to on this host.

use crate::limits;
use crate::spec::{Entry, Xattrs};
use crate::sys::xattr::is_carried;
use crate::terms::Guise;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Finds the id of a name on this host.
pub type Lookup = fn(&[u8]) -> Option<u32>;

/// The owner of what belongs to somebody whom this host does not know and cannot tell by number: the kernel's overflow
/// id, "nobody". Never root.
const NOBODY: u32 = 65_534;

/// Maps owners of a specification to this host: by name where the name is known, else by number. What we have no
/// privilege to set is not compared.
#[derive(Debug)]
pub struct Owners {
    users: Names,
    groups: Names,
    /// The groups that an ordinary user may give, who can give nothing to another user; `None` for root.
    allowed: Option<Vec<u32>>,
}

#[derive(Debug)]
struct Names {
    lookup: Lookup,
    /// A tree has few owners, and asking for one may go over the network.
    known: Mutex<HashMap<Box<[u8]>, Option<u32>>>,
}

impl Names {
    fn new(lookup: Lookup) -> Names {
        Names { lookup, known: Mutex::default() }
    }

    fn look(&self, name: &[u8]) -> Option<u32> {
        // He has this number everywhere. That names cannot be looked up for a moment must not give away what is his.
        if name == b"root" {
            return Some(0);
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(name) {
            Some(id) => *id,
            None => {
                if known.len() >= limits::OWNERS {
                    known.clear();
                }
                *known.entry(name.into()).or_insert((self.lookup)(name))
            }
        }
    }

    /// The id for this owner, and whether it only stands in for him.
    fn id(&self, name: Option<&[u8]>, number: Option<u32>) -> (Option<u32>, bool) {
        let Some(name) = name else { return (number, false) };
        match self.look(name).or(number.filter(|number| *number != 0)) {
            Some(id) => (Some(id), false),
            None => (Some(NOBODY), true),
        }
    }
}

impl Owners {
    /// For root: every owner can be set.
    #[must_use]
    pub fn any(user: Lookup, group: Lookup) -> Owners {
        Owners { users: Names::new(user), groups: Names::new(group), allowed: None }
    }

    /// For an ordinary user, who owns what he makes and may give it to these groups.
    #[must_use]
    pub fn own(user: Lookup, group: Lookup, allowed: Vec<u32>) -> Owners {
        Owners { users: Names::new(user), groups: Names::new(group), allowed: Some(allowed) }
    }

    /// Why these replacements cannot be made: the first name that this host does not know, with what it would be of.
    #[must_use]
    pub fn unknown<'g>(&self, guise: &'g Guise) -> Option<(&'static str, &'g [u8])> {
        let lists = [("user", &self.users, &guise.users), ("group", &self.groups, &guise.groups)];
        lists.into_iter().find_map(|(what, names, map)| {
            map.names().find(|name| names.look(name).is_none()).map(|name| (what, name))
        })
    }

    fn is_root(&self) -> bool {
        self.allowed.is_none()
    }

    fn may_give(&self, group: u32) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.contains(&group))
    }

    /// The user the entry is to belong to, if that can be set.
    #[must_use]
    pub fn user(&self, want: &Entry<'_>) -> Option<u32> {
        if self.is_root() { self.users.id(want.uname.as_deref(), want.uid).0 } else { None }
    }

    /// The group the entry is to belong to, if that can be set.
    #[must_use]
    pub fn group(&self, want: &Entry<'_>) -> Option<u32> {
        let (group, _) = self.groups.id(want.gname.as_deref(), want.gid);
        group.filter(|group| self.may_give(*group))
    }

    /// Whether the entry, which belongs to these now, cannot be given to whom it should belong to.
    #[must_use]
    pub fn falls_short(&self, want: &Entry<'_>, uid: u32, gid: u32) -> bool {
        let (user, user_stands_in) = self.users.id(want.uname.as_deref(), want.uid);
        let (group, group_stands_in) = self.groups.id(want.gname.as_deref(), want.gid);
        user_stands_in
            || group_stands_in
            || !self.is_root() && user.is_some_and(|user| user != uid)
            || group.is_some_and(|group| group != gid && !self.may_give(group))
    }

    /// The extended attributes the entry is to have, of those that we can set.
    #[must_use]
    pub fn xattrs<'e>(&self, want: &Entry<'e>) -> Xattrs<'e> {
        want.xattrs.filtered(|name| is_carried(name, self.is_root()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::RelPath;
    use crate::spec::Kind;

    #[test]
    fn root_is_root_though_nobody_answers() {
        let owners = Owners::any(|_| None, |_| None);
        let entry = |name: &'static str| Entry {
            uname: Some(name.as_bytes().into()),
            uid: Some(0),
            ..Entry::new(RelPath::ROOT, Kind::Dir)
        };
        assert_eq!(owners.user(&entry("root")), Some(0));
        assert_eq!(owners.user(&entry("toor")), Some(NOBODY));
    }

    #[test]
    fn names_are_remembered_but_not_all_that_anybody_thinks_of() {
        let owners = Owners::any(|name| (name == b"ann").then_some(7), |_| None);
        let entry = |name: String| Entry {
            uname: Some(name.into_bytes().into()),
            uid: Some(9),
            ..Entry::new(RelPath::ROOT, Kind::Dir)
        };
        for number in 0..=limits::OWNERS {
            assert_eq!(owners.user(&entry(number.to_string())), Some(9));
        }
        let known = owners.users.known.lock().unwrap().len();
        assert!((1..=limits::OWNERS).contains(&known), "{known}");
        assert_eq!(owners.user(&entry("ann".into())), Some(7));
    }

    #[test]
    fn an_unknown_name_is_never_root() {
        let owners = Owners::any(|name| (name == b"root").then_some(0), |_| None);
        let entry = |name: &'static str, uid| Entry {
            uname: Some(name.as_bytes().into()),
            uid,
            ..Entry::new(RelPath::ROOT, Kind::Dir)
        };
        for (name, uid, user, short) in [
            ("root", Some(0), 0, false),
            ("root", None, 0, false),
            ("toor", Some(0), NOBODY, true),
            ("toor", None, NOBODY, true),
            ("ann", Some(7), 7, false),
        ] {
            let entry = entry(name, uid);
            assert_eq!(
                (owners.user(&entry), owners.falls_short(&entry, 0, 0)),
                (Some(user), short),
                "{name}"
            );
        }
        let ordinary = Owners::own(|_| None, |_| None, vec![5]);
        assert_eq!(ordinary.user(&entry("ann", Some(7))), None);
        assert!(ordinary.falls_short(&entry("ann", Some(7)), 8, 5));
        assert!(!ordinary.falls_short(&entry("ann", Some(7)), 7, 5));
    }
}
