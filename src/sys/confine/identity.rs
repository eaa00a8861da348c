//! The user and groups that a process becomes, for good.

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use std::ffi::CString;
use std::fmt;
use std::io;

/// A user with his groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// His group, which what he makes belongs to.
    pub gid: u32,
    /// His other groups.
    pub groups: Vec<u32>,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uid {} gid {}", self.uid, self.gid)
    }
}

fn refused(text: impl Into<String>) -> io::Error {
    io::Error::other(text.into())
}

impl Identity {
    /// Whether it is another user than this process is.
    #[must_use]
    pub fn is_other(&self) -> bool {
        self.uid != Uid::effective().as_raw()
    }

    /// Becomes this user: groups first, since only root may change them; then proves it. Root's rights are gone with the
    /// user id, in every thread.
    ///
    /// # Errors
    /// We are not root, or the system refused.
    pub fn assume(&self) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let groups: Vec<Gid> = self.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
        if Uid::effective().is_root() {
            nix::unistd::setgroups(&groups)?;
            nix::unistd::setresgid(gid, gid, gid)?;
            nix::unistd::setresuid(uid, uid, uid)?;
            // A change of user may have made our memory readable again.
            rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
        }
        let (users, mine) = (nix::unistd::getresuid()?, nix::unistd::getresgid()?);
        if [users.real, users.effective, users.saved].iter().any(|id| *id != uid) {
            return Err(refused("only root can become another user"));
        }
        if [mine.real, mine.effective, mine.saved].iter().any(|id| *id != gid) {
            return Err(refused("only root can change its group"));
        }
        if let Some(other) = self.other_group(&nix::unistd::getgroups()?) {
            return Err(refused(format!(
                "only root can give up its groups, and 'gid' does not name group {other}; with 'gid = *' all are kept"
            )));
        }
        self.no_way_back()
    }

    /// One of these groups that is not this user's.
    fn other_group(&self, groups: &[Gid]) -> Option<Gid> {
        groups.iter().find(|gid| gid.as_raw() != self.gid && !self.groups.contains(&gid.as_raw())).copied()
    }

    /// Tries to be root again.
    fn no_way_back(&self) -> io::Result<()> {
        let root = Uid::from_raw(0);
        let back = || {
            nix::unistd::setuid(root).is_ok()
                || nix::unistd::seteuid(root).is_ok()
                || nix::unistd::setgroups(&[Gid::from_raw(0)]).is_ok()
        };
        if self.uid != 0 && back() { Err(refused("root's rights could be had again")) } else { Ok(()) }
    }
}

/// The user of this name. Nobody, and never root, for want of an answer.
///
/// # Errors
/// Users cannot be looked up.
pub fn by_user_name(name: &str) -> io::Result<Option<u32>> {
    Ok(User::from_name(name)?.map(|user| user.uid.as_raw()))
}

/// The group of this name. As [`by_user_name`].
///
/// # Errors
/// Groups cannot be looked up.
pub fn by_group_name(name: &str) -> io::Result<Option<u32>> {
    Ok(Group::from_name(name)?.map(|group| group.gid.as_raw()))
}

/// The group that a user has at login.
///
/// # Errors
/// Users cannot be looked up.
pub fn primary_group(uid: u32) -> io::Result<Option<u32>> {
    Ok(User::from_uid(Uid::from_raw(uid))?.map(|user| user.gid.as_raw()))
}

/// Every group that a user is in, the one he has at login first; `None` for a number that nobody has.
///
/// # Errors
/// Users or groups cannot be looked up.
pub fn groups_of(uid: u32) -> io::Result<Option<Vec<u32>>> {
    let Some(user) = User::from_uid(Uid::from_raw(uid))? else { return Ok(None) };
    let name = CString::new(user.name)?;
    let list = getgrouplist(&name, user.gid)?;
    let others = list.into_iter().filter(|gid| *gid != user.gid);
    Ok(Some([user.gid].into_iter().chain(others).map(Gid::as_raw).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_are_left_are_found() {
        let user = Identity { uid: 1000, gid: 1000, groups: vec![4, 27] };
        let other = |groups: &[u32]| {
            let groups: Vec<_> = groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
            user.other_group(&groups).map(Gid::as_raw)
        };
        assert_eq!([&[][..], &[1000], &[27, 1000, 4]].map(other), [None; 3]);
        assert_eq!(other(&[4, 999, 27]), Some(999));
    }

    #[test]
    fn who_stays_with_all_his_groups_may() {
        let (users, mine) = (nix::unistd::getresuid().unwrap(), nix::unistd::getresgid().unwrap());
        if users.effective.is_root() {
            return; // would become no other user, and needs none of this
        }
        let groups: Vec<u32> = nix::unistd::getgroups().unwrap().into_iter().map(Gid::as_raw).collect();
        let user = Identity { uid: users.real.as_raw(), gid: mine.real.as_raw(), groups };
        user.assume().unwrap();
        let less = user.groups.iter().any(|gid| *gid != user.gid);
        let user = Identity { groups: vec![], ..user };
        assert_eq!(user.assume().is_err(), less);
    }
}
