//! Which user and group an entry is to belong to on this host.

use crate::limits;
use crate::spec::{Entry, Xattrs};
use crate::sys::xattr::is_carried;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Finds the id of a name on this host.
pub type Lookup = fn(&[u8]) -> Option<u32>;

/// Maps owners of a specification to this host: by name where the name is known, else by number. What we have no
/// privilege to set is not compared.
#[derive(Debug)]
pub struct Owners {
    users: Option<Names>,
    groups: Names,
    /// The groups that an ordinary user may give; `None` for root, who may give any.
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

    fn id(&self, name: Option<&[u8]>, number: Option<u32>) -> Option<u32> {
        let Some(name) = name else { return number };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let id = match known.get(name) {
            Some(id) => *id,
            None => {
                if known.len() >= limits::OWNERS {
                    known.clear();
                }
                *known.entry(name.into()).or_insert((self.lookup)(name))
            }
        };
        id.or(number)
    }
}

impl Owners {
    /// For root: every owner can be set.
    #[must_use]
    pub fn any(user: Lookup, group: Lookup) -> Owners {
        Owners { users: Some(Names::new(user)), groups: Names::new(group), allowed: None }
    }

    /// For an ordinary user, who owns what he makes and may give it to these groups.
    #[must_use]
    pub fn own(group: Lookup, allowed: Vec<u32>) -> Owners {
        Owners { users: None, groups: Names::new(group), allowed: Some(allowed) }
    }

    /// The user the entry is to belong to, if that can be set.
    #[must_use]
    pub fn user(&self, want: &Entry<'_>) -> Option<u32> {
        self.users.as_ref()?.id(want.uname.as_deref(), want.uid)
    }

    /// The extended attributes the entry is to have, of those that we can set.
    #[must_use]
    pub fn xattrs<'e>(&self, want: &Entry<'e>) -> Xattrs<'e> {
        want.xattrs.filtered(|name| is_carried(name, self.users.is_some()))
    }

    /// The group the entry is to belong to, if that can be set.
    #[must_use]
    pub fn group(&self, want: &Entry<'_>) -> Option<u32> {
        let group = self.groups.id(want.gname.as_deref(), want.gid)?;
        self.allowed.as_ref().is_none_or(|allowed| allowed.contains(&group)).then_some(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::RelPath;
    use crate::spec::Kind;

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
        let known = owners.users.as_ref().unwrap().known.lock().unwrap().len();
        assert!((1..=limits::OWNERS).contains(&known), "{known}");
        assert_eq!(owners.user(&entry("ann".into())), Some(7));
    }
}
