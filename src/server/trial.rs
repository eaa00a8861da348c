//! `--check` tries what a good configuration names: whether it is there and could be used now, by who asks
//! or by the user who serves.

use super::config::{Config, Module, directory, identity};
use super::confine::{Shut, open};
use super::log::shown;
use super::motd;
use super::permit::holds;
use crate::sys::confine::Identity;
use crate::sys::{Spool, error_words, ids, private, usable};
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
            trial.of("state dir", Some(&dir), usable::directory_or_above);
        }
    }
    // Before this process becomes another user: what is in them is for nobody else to see.
    trial.try_homes()?;
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
    trial.of("spool dir", Some(&globals.spool_dir), |path| {
        Spool::create(&private::open_named_dir(path, None)?.into()).map(drop)
    });
    let shown_in = globals.metrics_file.as_deref().and_then(Path::parent);
    trial.of("metrics file", shown_in, usable::directory);
    if let Some(Err(reason)) = globals.motd_file.as_deref().map(motd::read) {
        trial.says("motd file", &reason);
    }
    for (place, module) in config.modules.iter().enumerate() {
        trial.module = Some(place);
        trial.try_module(module);
    }
    Ok(trial.problems)
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
            self.try_home(&globals.kept_dir().join(&name), whose);
            state.push(name);
            self.try_home(&state, whose);
        }
        for module in &self.config.modules {
            // Of one whose user is not known it is said elsewhere.
            let user = identity(module.uid.as_ref(), module.gid.as_ref()).ok().flatten();
            let user = user.filter(Identity::is_other).map(|user| user.uid);
            let before = user.map_or_else(|| b"module".to_vec(), directory);
            let name = [&before, &b"-"[..], module.name.as_bytes()].concat();
            self.try_home(&state.join(OsStr::from_bytes(&name)), user.unwrap_or(whose));
        }
        Ok(())
    }

    fn try_home(&mut self, dir: &Path, uid: u32) {
        self.of("state dir", Some(dir), |dir| usable::own_directory(dir, uid));
    }

    fn try_module(&mut self, module: &Module) {
        match open(module) {
            Ok(dir) => {
                if let Err((marker, error)) = holds(module, &dir) {
                    self.says("require marker", &format!("{marker}: {}", error_words(&error)));
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
