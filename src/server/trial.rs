//! `--check` tries what a good configuration names: whether it is there and could be used now, by who asks
//! or by the user who serves.

use super::config::{Config, Module, directory, identity};
use super::confine::{Shut, open};
use super::log::shown;
use super::motd;
use super::permit::holds;
use crate::path::RelPath;
use crate::sys::confine::Identity;
use crate::sys::{Dir, Spool, ask_as, error_words, ids, private, usable};
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// What could not be used, each with the place of its parameter. For what only sessions use, this process becomes the
/// user that serves them, if it is another one: for good.
///
/// # Errors
/// It cannot become that user.
pub(super) fn problems(config: &Config) -> Result<Vec<String>, String> {
    let mut trial = Trial { config, module: None, other: None, problems: Vec::new() };
    let globals = &config.globals;
    for dir in [globals.state_dir.clone(), globals.kept_dir()] {
        if private::exists(&dir) {
            match private::open_private_dir(&dir, false) {
                Ok(_) => trial.of("state dir", Some(&dir), usable::directory),
                Err(error) => trial.says("state dir", &error),
            }
        } else {
            trial.of("state dir", Some(&dir), usable::private_to_be);
        }
    }
    // Before this process becomes another user: what is in them is for nobody else to see.
    trial.try_homes()?;
    trial.try_secrecy();
    // The log is opened before a session becomes another user, and a listener stays who it is.
    trial.of("log file", globals.log_file.as_deref(), usable::file);
    trial.of("pid file", globals.pid_file.as_deref(), usable::pid_file);
    // Who is not root and is to become somebody else finds out as himself what he can.
    if ids::is_root()
        && let Some(user) = globals.user()?.filter(Identity::is_other)
    {
        user.assume().map_err(|error| format!("cannot become {user}: {error}"))?;
        trial.other = Some(user.uid);
    }
    trial.try_spool();
    trial.of("metrics file", globals.metrics_file.as_deref(), usable::replaced);
    if let Some(Err(reason)) = globals.motd_file.as_deref().map(motd::read) {
        trial.says("motd file", &reason);
    }
    for (place, module) in config.modules.iter().enumerate() {
        trial.module = Some(place);
        trial.try_module(module);
    }
    Ok(trial.problems)
}

/// Whom the sessions of a module become, if that is another user than this process, which can become him.
fn other_user(module: &Module) -> Option<Identity> {
    let user = identity(module.uid.as_ref(), module.gid.as_ref()).ok().flatten()?;
    (user.is_other() && ids::is_root()).then_some(user)
}

struct Trial<'c> {
    config: &'c Config,
    /// The place among all of the one that is tried.
    module: Option<usize>,
    /// Who tries, where that is another user than the one who asked.
    other: Option<u32>,
    problems: Vec<String>,
}

impl Trial<'_> {
    /// Tries the directories of users and modules in the state directory and beside it.
    fn try_homes(&mut self) -> Result<(), String> {
        let globals = &self.config.globals;
        let (mut state, mut whose) = (globals.state_dir.clone(), ids::euid());
        if let Some(user) = globals.user()?.filter(|user| user.is_other() && ids::is_root()) {
            let name = OsString::from_vec(directory(user.uid));
            whose = user.uid;
            self.try_home(&globals.kept_dir().join(&name), whose, ids::euid());
            state.push(name);
            self.try_home(&state, whose, ids::euid());
        }
        for module in &self.config.modules {
            // Of one whose user is not known it is said elsewhere.
            let user = identity(module.uid.as_ref(), module.gid.as_ref()).ok().flatten();
            let user = user.map(|user| user.uid).filter(|uid| *uid != whose);
            let before = user.map_or_else(|| b"module".to_vec(), directory);
            let name = [&before, &b"-"[..], module.name.as_bytes()].concat();
            // Who is not root any more when it is his turn gives nothing away.
            self.try_home(&state.join(OsStr::from_bytes(&name)), user.unwrap_or(whose), whose);
        }
        Ok(())
    }

    fn try_home(&mut self, dir: &Path, uid: u32, giver: u32) {
        self.of("state dir", Some(dir), |dir| usable::own_directory(dir, uid, giver));
    }

    /// Tries the spool directory, as those too whom sessions become when they hold it already.
    fn try_spool(&mut self) {
        let path = &self.config.globals.spool_dir;
        let dir = match private::open_named_dir(path, None) {
            Ok(dir) => Dir::from(dir),
            Err(error) => return self.of("spool dir", Some(path), |_| Err(error.into())),
        };
        self.as_user(None, "spool dir", path, || Spool::create(&dir).map(drop));
        for user in self.config.modules.iter().filter_map(other_user) {
            self.as_user(Some(&user), "spool dir", path, || Spool::create(&dir).map(drop));
        }
    }

    fn try_module(&mut self, module: &Module) {
        match identity(module.uid.as_ref(), module.gid.as_ref()) {
            Err(reason) => self.says("uid", &reason),
            Ok(Some(user)) if user.is_other() && !ids::is_root() => {
                self.says("uid", &format!("only root can become {user}"));
            }
            Ok(_) => {}
        }
        match open(module) {
            Ok(dir) => {
                // Sessions look at the tree when they have become who the module says.
                let user = other_user(module);
                self.as_user(user.as_ref(), "path", &module.path, || {
                    usable::tree(&dir, module.takes_pushes())
                });
                if let Some(marker) = &module.require_marker {
                    let marker = Path::new(OsStr::from_bytes(marker.as_bytes()));
                    let there = || holds(module, &dir).map_err(|(_, error)| error);
                    self.as_user(user.as_ref(), "require marker", marker, there);
                }
            }
            Err(Shut { reason, .. }) => self.says("path", &format!("{}: {reason}", shown(&module.path))),
        }
        self.of("log file", module.log_file.as_deref(), usable::file);
        self.of("lock file", module.lock_file.as_deref(), usable::counted);
        for (name, hook) in [("pre-xfer exec", &module.before), ("post-xfer exec", &module.after)] {
            self.of(name, hook.as_ref().map(|hook| hook.hook().program.as_path()), usable::program);
        }
    }

    /// What is kept for the server only, secrets among it, is not to be served by who can read it.
    fn try_secrecy(&mut self) {
        let globals = &self.config.globals;
        let secrets = globals.secrets_file.iter().chain(&self.config.files).map(|path| (path.clone(), false));
        let secret: Vec<_> = std::iter::once((globals.kept_dir(), true)).chain(secrets).collect();
        let serves = globals.user().ok().flatten().map_or(ids::euid(), |user| user.uid);
        for (place, module) in self.config.modules.iter().enumerate() {
            let user = identity(module.uid.as_ref(), module.gid.as_ref()).ok().flatten();
            if user.map_or(serves, |user| user.uid) != ids::euid() {
                continue;
            }
            self.module = Some(place);
            for (path, is_dir) in &secret {
                let Some(below) = usable::below(path, &module.path) else { continue };
                let within = RelPath::new(below.as_os_str().as_bytes());
                if !within.is_ok_and(|within| module.policy.fence.bars_way(&within, *is_dir)) {
                    let (tree, path) = (shown(&module.path), shown(path));
                    self.says("path", &format!("{tree}: {path} is in it, with secrets: exclude it"));
                }
            }
        }
        self.module = None;
    }

    /// Tries a path as this user, if there is one, who then is another than this process.
    fn as_user(
        &mut self,
        user: Option<&Identity>,
        parameter: &str,
        path: &Path,
        could: impl FnOnce() -> io::Result<()>,
    ) {
        let own = self.other;
        self.other = user.map(|user| user.uid).or(own);
        self.of(parameter, Some(path), |_| match user {
            Some(user) => ask_as(user, could),
            None => could(),
        });
        self.other = own;
    }

    /// Tries a path, if there is one.
    fn of(&mut self, parameter: &str, path: Option<&Path>, could: impl FnOnce(&Path) -> io::Result<()>) {
        let Some(path) = path else { return };
        if let Err(error) = could(path) {
            self.says(parameter, &format!("{}: {}", shown(path), error_words(&error)));
        }
    }

    fn says(&mut self, parameter: &str, what: &dyn Display) {
        let place = self.config.place(self.module, parameter);
        let who = self.other.map(|uid| format!(", as uid {uid}")).unwrap_or_default();
        let problem = format!("{place}: {parameter}{who}: {what}");
        // What is a default of several modules is said once.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}
