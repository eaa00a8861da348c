//! Who we are, and the names of users and groups. A confined process asks its broker for them.

use std::io::Read;
use std::sync::OnceLock;

use nix::unistd::{Gid, Group, Uid, User};

use super::broker;

/// Our effective user id.
#[must_use]
pub fn euid() -> u32 {
    Uid::effective().as_raw()
}

/// Whether we are root.
#[must_use]
pub fn is_root() -> bool {
    euid() == 0
}

/// Our effective group id.
#[must_use]
pub fn egid() -> u32 {
    Gid::effective().as_raw()
}

/// Every group we are in.
#[must_use]
pub fn groups() -> Vec<u32> {
    // The one of libc looks up in a file how many there may be, which a confined process cannot open.
    let listed = rustix::process::getgroups().unwrap_or_default();
    let mut groups: Vec<u32> = listed.into_iter().map(rustix::process::Gid::as_raw).collect();
    groups.push(egid());
    groups
}

/// Whether a user of this host is in a group, by these names. Nobody whom it does not know is.
#[must_use]
pub fn is_member(user: &str, group: &str) -> bool {
    let Ok(Some(group)) = Group::from_name(group) else { return false };
    let own = || User::from_name(user).ok().flatten().is_some_and(|user| user.gid == group.gid);
    !user.is_empty() && (group.mem.iter().any(|member| member == user) || own())
}

/// What names this host from one boot to the next; nothing where the kernel does not tell.
#[must_use]
pub fn boot_id() -> &'static [u8] {
    // A process reads it before it confines itself.
    static ID: OnceLock<Vec<u8>> = OnceLock::new();
    ID.get_or_init(|| {
        let mut id = Vec::new();
        let file = std::fs::File::open("/proc/sys/kernel/random/boot_id");
        match file.and_then(|file| file.take(64).read_to_end(&mut id)) {
            Ok(_) => id,
            Err(_) => Vec::new(),
        }
    })
}

/// The name of a user; `None` when there is none.
#[must_use]
pub fn user_name(uid: u32) -> Option<Vec<u8>> {
    match broker::running() {
        Some(broker) => broker.user_name(uid),
        None => Some(User::from_uid(Uid::from_raw(uid)).ok()??.name.into_bytes()),
    }
}

/// The name of a group; `None` when there is none.
#[must_use]
pub fn group_name(gid: u32) -> Option<Vec<u8>> {
    match broker::running() {
        Some(broker) => broker.group_name(gid),
        None => Some(Group::from_gid(Gid::from_raw(gid)).ok()??.name.into_bytes()),
    }
}

/// The id of a user; `None` when there is no such name. Never 0 for want of an answer.
#[must_use]
pub fn user_id(name: &[u8]) -> Option<u32> {
    match broker::running() {
        Some(broker) => broker.user_id(name),
        None => Some(User::from_name(std::str::from_utf8(name).ok()?).ok()??.uid.as_raw()),
    }
}

/// The id of a group; `None` when there is no such name. Never 0 for want of an answer.
#[must_use]
pub fn group_id(name: &[u8]) -> Option<u32> {
    match broker::running() {
        Some(broker) => broker.group_id(name),
        None => Some(Group::from_name(std::str::from_utf8(name).ok()?).ok()??.gid.as_raw()),
    }
}
