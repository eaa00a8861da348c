//! `/etc/smsyncd.conf`: what the server offers, to whom, and how.

mod command;
mod facility;
mod globals;
pub mod hosts;
mod identity;
pub mod log_format;
mod module;
mod rules;
mod sandbox;
mod say;
mod secrets;
mod users;

pub use command::Command;
pub use facility::Facility;
pub use globals::Globals;
pub use identity::{GroupIds, UserId, directory, identity};
pub use module::Module;
pub use sandbox::Sandbox;
pub use users::{Access, AuthUsers};

use crate::config::{self, At, ConfigError, ConfigErrors, Given, Partial, check_module};
use crate::limits;
use crate::secret::Secret;
use crate::sys::ids;
use crate::sys::private::read_private;
use crate::vis::shown_text;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The whole configuration, checked.
#[derive(Debug)]
pub struct Config {
    /// What concerns the server as a whole.
    pub globals: Globals,
    /// What it offers, in the order of the file.
    pub modules: Vec<Module>,
    /// The files in which it stands.
    pub files: Vec<PathBuf>,
    users: BTreeMap<String, Vec<Secret>>,
    places: Places,
}

/// Where the parameters stand.
#[derive(Debug, Default)]
struct Places {
    files: Vec<String>,
    globals: Given,
    /// Of each module, in their order.
    modules: Vec<Given>,
}

impl Config {
    /// Reads the configuration and the secrets file it names, both of which must be private.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read(path: &Path) -> Result<Config, ConfigErrors> {
        let mut errors = ConfigErrors::new(path);
        let config = match read_private(path, limits::CONFIG) {
            Ok(bytes) => parse(&bytes, &mut errors),
            Err(error) => {
                errors.private(0, error);
                None
            }
        };
        let file = config.as_ref().and_then(|config| config.globals.secrets_file.as_deref());
        let users = file.map_or(Ok(BTreeMap::new()), secrets::read);
        let files = errors.paths();
        match (errors.finish(config), users) {
            (Ok(config), Ok(users)) => Ok(Config { users, files, ..config }),
            (Err(errors), Ok(_)) | (Ok(_), Err(errors)) => Err(errors),
            (Err(mut errors), Err(more)) => {
                errors.append(more);
                Err(errors)
            }
        }
    }

    /// The secrets of a user; of those without a name, if `user` is empty. There is more than one while one is replaced
    /// by another, and none of whoever is not known.
    #[must_use]
    pub fn secrets_of(&self, user: &str) -> &[Secret] {
        if user.is_empty() {
            self.globals.secret.list()
        } else {
            self.users.get(user).map_or(&[], Vec::as_slice)
        }
    }

    /// Where a parameter stands, as `file:line`; where it has its default, the file only. Of the server as a whole, or of
    /// the module with this place among them.
    #[must_use]
    pub fn place(&self, module: Option<usize>, parameter: &str) -> String {
        let Places { files, globals, modules } = &self.places;
        let given = module.map_or(Some(globals), |module| modules.get(module));
        let at = given.and_then(|given| given.iter().find(|(name, _)| *name == parameter)).map(|(_, at)| *at);
        let file = files.get(at.map_or(0, At::file)).map_or("", String::as_str);
        at.map_or_else(|| file.to_owned(), |at| format!("{file}:{}", at.number()))
    }

    /// The module of that name.
    #[must_use]
    pub fn module(&self, name: &str) -> Option<&Module> {
        self.modules.iter().find(|module| module.name == name)
    }

    /// The same with its secrets, those of users for a file of this name: two texts that are read as this one.
    #[must_use]
    pub fn spelled(&self, secrets: &Path) -> (Zeroizing<String>, Zeroizing<String>) {
        let list = |secrets: &[Secret]| {
            Zeroizing::new(
                secrets.iter().map(|one| one.to_base64().to_string()).collect::<Vec<_>>().join(" "),
            )
        };
        let mut text = Zeroizing::new(String::new());
        for (name, value) in self.globals.said() {
            let value = match name {
                "secret" => list(self.globals.secret.list()),
                "secrets file" => Zeroizing::new(secrets.display().to_string()),
                _ => Zeroizing::new(value),
            };
            say::lines(&vec![(name, value.to_string())], &Vec::new(), &mut text);
        }
        for module in &self.modules {
            text.push_str(&format!("[{}]\n", module.name));
            say::lines(&module.said(), &Vec::new(), &mut text);
        }
        let mut users = Zeroizing::new(String::new());
        for (user, theirs) in &self.users {
            theirs.iter().for_each(|one| users.push_str(&format!("{user}:{}\n", *one.to_base64())));
        }
        (text, users)
    }

    /// The configuration as it is in effect, in its own language; what is so by default stands in comments, and `(set)`
    /// for a secret.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut out = String::new();
        say::lines(&self.globals.said(), &Globals::default().said(), &mut out);
        if !self.users.is_empty() {
            let users: Vec<_> = self.users.keys().map(String::as_str).collect();
            out.push_str(&format!("# users: {}\n", shown_text(&users.join(", "))));
        }
        // Who serves as another user than root cannot have it.
        let chroot = ids::is_root() && self.globals.user().ok().flatten().is_none_or(|user| user.uid == 0);
        for module in &self.modules {
            out.push_str(&format!("\n[{}]\n", module.name));
            let use_chroot = module.use_chroot.is_none().then_some(chroot);
            let module = Module { use_chroot: module.use_chroot.or(use_chroot), ..module.clone() };
            say::lines(&module.said(), &Module { use_chroot, ..Module::default() }.said(), &mut out);
        }
        out
    }
}

/// What is wrong with these lines, besides that they let nobody in.
pub(super) fn faults(bytes: &[u8]) -> Vec<String> {
    let mut errors = ConfigErrors::new(Path::new("smsyncd.conf"));
    let _ = parts(bytes, &mut errors);
    let errors = errors.finish(Some(())).err();
    let text = |error: &ConfigError| match error {
        ConfigError::Line { text, .. } => text.clone(),
        ConfigError::Private(error) => error.to_string(),
    };
    errors.iter().flat_map(ConfigErrors::iter).map(text).collect()
}

/// Reads the configuration itself, without the secrets file. What comes back is whole only if nothing is wrong.
fn parse(bytes: &[u8], errors: &mut ConfigErrors) -> Option<Config> {
    let (globals, modules, places) = parts(bytes, errors);
    let globals = globals?;
    if globals.secret.is_empty() && globals.secrets_file.is_none() {
        errors.wrong(1, "'secret' or 'secrets file' is missing: nobody could be let in");
    }
    Some(Config { globals, modules, files: Vec::new(), users: BTreeMap::new(), places })
}

/// What is said of the whole, and of each module.
fn parts(bytes: &[u8], errors: &mut ConfigErrors) -> (Option<Globals>, Vec<Module>, Places) {
    let (globals, given, sections) = config::read::<Globals, Module>(bytes, errors);
    let user = globals.as_ref().and_then(|globals: &Globals| {
        let user = globals.user();
        // Of `daemon uid` and `daemon gid` there is one place each, and they are wrong together.
        user.unwrap_or_else(|reason| {
            errors.wrong(1, format!("daemon uid: {reason}"));
            None
        })
    });
    let mut places = Places { files: errors.names(), globals: given, modules: Vec::new() };
    let mut modules = Vec::new();
    for section in sections {
        if let Err(error) = check_module(&section.name) {
            errors.wrong(section.at, error.to_string());
        }
        if modules.len() == limits::MODULES {
            errors.wrong(section.at, format!("more than {} modules", limits::MODULES));
            break;
        }
        let (mut module, wrong) = match (section.values, section.partial) {
            (Some(module), _) => (module, None),
            (None, Some(Partial { value, wrong })) => (value, Some(wrong)),
            (None, None) => continue,
        };
        for (parameter, fault) in module.complete(section.name) {
            // Whether names are looked up is not known where that is what is wrong.
            let unknown = wrong.as_ref().is_some_and(|wrong| wrong.contains(&"reverse lookup"));
            if !(unknown && parameter.starts_with("hosts")) {
                let given = section.given.iter().find(|(name, _)| *name == parameter);
                errors.wrong(given.map_or(section.at, |(_, at)| *at), format!("{parameter}: {fault}"));
            }
        }
        if wrong.is_some() {
            continue;
        }
        let conflict = user.as_ref().and_then(|user| module.conflict(user));
        conflict.into_iter().for_each(|fault| errors.wrong(section.at, fault));
        modules.push(module);
        places.modules.push(section.given);
    }
    (globals, modules, places)
}

#[cfg(test)]
mod tests;
