//! The directories of the server, and the user that serves connections: `daemon uid` and `daemon gid`.

use super::config::{Config, Module, directory};
use super::confine::Lacking;
use super::log::shown;
use crate::exit::Exit;
use crate::install::hopeless;
use crate::sys::confine::Identity;
use crate::sys::{Dir, error_words, ids, private};
use std::io::ErrorKind;
use std::path::Path;

/// The directories that a connection uses before it confines itself, or why there is no such directory.
#[derive(Debug)]
pub(super) struct Homes {
    /// Where the memories of all modules are kept.
    pub(super) state: Result<Dir, String>,
    /// What no confined session may reach: who is connected, how rounds ended, and locks.
    pub(super) kept: Result<Dir, String>,
}

impl Homes {
    /// Those of this configuration, and of the user that serves by it.
    pub(super) fn of(config: &Config, user: Option<&Identity>) -> Homes {
        let open = |path: &Path| {
            let dir = private::open_private_dir(path, true).map(Dir::from).map_err(|error| error.to_string());
            own(dir?, user)
        };
        Homes { state: open(&config.globals.state_dir), kept: open(&config.globals.kept_dir()) }
    }
}

/// What is kept for this user where no session reaches it; `None` as long as nothing is. Nothing is made.
///
/// # Errors
/// It is not private, or cannot be opened.
pub(super) fn kept(config: &Config, user: Option<&Identity>) -> Result<Option<Dir>, String> {
    let path = config.globals.kept_dir();
    if !private::exists(&path) {
        return Ok(None);
    }
    let dir = private::open_private_dir(&path, false).map(Dir::from).map_err(|error| error.to_string())?;
    let Some(user) = user.filter(|user| user.is_other()) else { return Ok(Some(dir)) };
    match dir.subdir(&directory(user.uid)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        own => own.map(Some).map_err(|error| format!("{}: {}", shown(&path), error_words(&error))),
    }
}

/// The directory of this user in one of the server's, or that itself if the user is the server's.
fn own(dir: Dir, user: Option<&Identity>) -> Result<Dir, String> {
    match user {
        Some(user @ Identity { uid, gid, .. }) if user.is_other() => {
            let own = dir.dir_of(&directory(*uid), *uid, *gid);
            own.map_err(|error| format!("the directory of uid {uid} in 'state dir': {}", error_words(&error)))
        }
        _ => Ok(dir),
    }
}

/// The directory of a module in the state directory, for the user that its sessions become. Whoever takes one of these
/// over has no more than that in his hands.
///
/// # Errors
/// It cannot be made, or is not his: with which code to end, and why.
pub(super) fn of_module(state: &Dir, module: &Module, user: Option<&Identity>) -> Result<Dir, Lacking> {
    let (uid, gid, whose) = match user {
        Some(user @ Identity { uid, gid, .. }) if user.is_other() => (*uid, *gid, directory(*uid)),
        _ => (ids::euid(), ids::egid(), b"module".to_vec()),
    };
    let name = [&whose, &b"-"[..], module.name.as_bytes()].concat();
    state.dir_of(&name, uid, gid).map_err(|error| {
        let exit = match error.kind() {
            _ if hopeless(&error) => Exit::Io,
            ErrorKind::PermissionDenied => Exit::Config,
            _ => Exit::System,
        };
        let (module, reason) = (&module.name, error_words(&error));
        let told = format!("cannot use the directory of module {module} in the state directory: {reason}");
        let name = String::from_utf8_lossy(&name);
        let reason = format!("'{name}' in 'state dir': {reason}; it must be of uid {uid}, with mode 0700");
        Lacking { exit, told, reason }
    })
}

/// Whom this process is to become before it reads from the network; `None` if it stays who it is.
///
/// # Errors
/// Only root can become another user.
pub(super) fn user(config: &Config) -> Result<Option<Identity>, String> {
    let user = config.globals.user()?;
    match user {
        Some(user) if user.is_other() && !crate::sys::ids::is_root() => {
            Err(format!("'daemon uid': only root can become {user}"))
        }
        user => Ok(user),
    }
}
