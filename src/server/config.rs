//! `/etc/smsyncd.conf`: what the server offers, to whom, and how.

mod facility;
mod secrets;

pub use facility::Facility;

use crate::config::{self, ConfigErrors, Durable, Rate, check_module, value};
use crate::limits;
use crate::secret::Secret;
use crate::sys::private::read_private;
use core::net::IpAddr;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The whole configuration, checked.
#[derive(Debug)]
pub struct Config {
    /// What concerns the server as a whole.
    pub globals: Globals,
    /// What it offers, in the order of the file.
    pub modules: Vec<Module>,
    users: BTreeMap<String, Secret>,
}

/// The parameters before the first section.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub struct Globals {
    secret: Option<Secret>,
    #[serde(rename = "secrets file", deserialize_with = "value::path")]
    secrets_file: Option<PathBuf>,
    /// The TCP port the listener binds.
    #[serde(deserialize_with = "value::port")]
    pub port: u16,
    /// The addresses it binds; all if there is none.
    #[serde(deserialize_with = "value::addresses")]
    pub address: Vec<IpAddr>,
    /// A connection on which nothing arrives for this long is given up; never, without one (`0`).
    #[serde(deserialize_with = "value::seconds")]
    pub timeout: Option<Duration>,
    /// Where the listener writes the number of its process.
    #[serde(rename = "pid file", deserialize_with = "value::path")]
    pub pid_file: Option<PathBuf>,
    /// What its messages are filed under in the system log.
    #[serde(rename = "syslog facility")]
    pub syslog_facility: Facility,
    /// Where messages go instead of the system log.
    #[serde(rename = "log file", deserialize_with = "value::path")]
    pub log_file: Option<PathBuf>,
    /// Where locks and memories are kept, with mode 0700.
    #[serde(rename = "state dir", deserialize_with = "value::path")]
    pub state_dir: PathBuf,
    /// Where metrics are shown for Prometheus.
    #[serde(rename = "metrics file", deserialize_with = "value::path")]
    pub metrics_file: Option<PathBuf>,
    /// Where specifications are spooled, in files without a name.
    #[serde(rename = "spool dir", deserialize_with = "value::path")]
    pub spool_dir: PathBuf,
}

impl Default for Globals {
    fn default() -> Self {
        Globals {
            secret: None,
            secrets_file: None,
            port: limits::PORT,
            address: Vec::new(),
            timeout: Some(limits::IDLE),
            pid_file: None,
            syslog_facility: Facility::default(),
            log_file: None,
            state_dir: PathBuf::from("/var/lib/smsyncd"),
            metrics_file: None,
            spool_dir: PathBuf::from("/var/tmp"),
        }
    }
}

/// One tree the server offers. Its parameters may stand before the first section too, as defaults of all modules.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Module {
    /// What a client asks for.
    #[serde(skip)]
    pub name: String,
    /// The root of the tree.
    #[serde(deserialize_with = "value::path")]
    pub path: PathBuf,
    /// What a listing says of it.
    #[serde(default, deserialize_with = "value::text")]
    pub comment: String,
    /// Whether pushes are refused.
    #[serde(default = "yes", rename = "read only", deserialize_with = "value::yes_no")]
    pub read_only: bool,
    /// Whether a listing names it.
    #[serde(default = "yes", deserialize_with = "value::yes_no")]
    pub list: bool,
    /// How hard it is flushed.
    #[serde(default)]
    pub durable: Durable,
    /// How many old versions of each file are kept.
    #[serde(default, rename = "keep versions", deserialize_with = "value::count")]
    pub keep_versions: u32,
    /// How many connections may have it open at once: any number for 0, and none for a negative number.
    #[serde(default, rename = "max connections", deserialize_with = "value::integer")]
    pub max_connections: i32,
    /// The file in which they are counted; modules that name the same one share its places.
    #[serde(default, rename = "lock file", deserialize_with = "value::path")]
    pub lock_file: Option<PathBuf>,
    /// How much is read and written in a second at most by each connection.
    #[serde(default, deserialize_with = "value::rate")]
    pub bandwidth: Option<Rate>,
}

/// The default of what is on unless it is switched off.
fn yes() -> bool {
    true
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
                errors.private(error);
                None
            }
        };
        let file = config.as_ref().and_then(|config| config.globals.secrets_file.as_deref());
        let users = file.map_or(Ok(BTreeMap::new()), secrets::read);
        match (errors.finish(config), users) {
            (Ok(config), Ok(users)) => Ok(Config { users, ..config }),
            (Err(errors), Ok(_)) | (Ok(_), Err(errors)) => Err(errors),
            (Err(mut errors), Err(more)) => {
                errors.append(more);
                Err(errors)
            }
        }
    }

    /// The secret of a user; of those without a name, if `user` is empty.
    #[must_use]
    pub fn secret_for(&self, user: &str) -> Option<&Secret> {
        if user.is_empty() { self.globals.secret.as_ref() } else { self.users.get(user) }
    }

    /// The module of that name.
    #[must_use]
    pub fn module(&self, name: &str) -> Option<&Module> {
        self.modules.iter().find(|module| module.name == name)
    }

    /// The configuration as it is in effect, defaults and all, in its own language; `(set)` stands for a secret.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut out = String::new();
        self.globals.describe(&mut out);
        if !self.users.is_empty() {
            let users: Vec<_> = self.users.keys().map(String::as_str).collect();
            out.push_str(&format!("# users: {}\n", users.join(", ")));
        }
        for module in &self.modules {
            module.describe(&mut out);
        }
        out
    }
}

/// Appends one parameter.
fn say(out: &mut String, name: &str, value: impl std::fmt::Display) {
    out.push_str(&format!("{name} = {value}"));
    // A backslash at the end would go on with the next line; so it does, with an empty one.
    out.push_str(if out.ends_with('\\') { "\\\n\n" } else { "\n" });
}

/// Appends a path, if there is one.
fn say_path(out: &mut String, name: &str, path: Option<&PathBuf>) {
    if let Some(path) = path {
        say(out, name, path.display());
    }
}

impl Globals {
    fn describe(&self, out: &mut String) {
        if self.secret.is_some() {
            say(out, "secret", "(set)");
        }
        say_path(out, "secrets file", self.secrets_file.as_ref());
        say(out, "port", self.port);
        if !self.address.is_empty() {
            let list: Vec<_> = self.address.iter().map(IpAddr::to_string).collect();
            say(out, "address", list.join(", "));
        }
        say(out, "timeout", self.timeout.map_or(0, |limit| limit.as_secs()));
        say_path(out, "pid file", self.pid_file.as_ref());
        say(out, "syslog facility", self.syslog_facility);
        say_path(out, "log file", self.log_file.as_ref());
        say_path(out, "state dir", Some(&self.state_dir));
        say_path(out, "metrics file", self.metrics_file.as_ref());
        say_path(out, "spool dir", Some(&self.spool_dir));
    }
}

impl Module {
    fn describe(&self, out: &mut String) {
        let yes_no = |on| if on { "yes" } else { "no" };
        out.push_str(&format!("\n[{}]\n", self.name));
        say_path(out, "path", Some(&self.path));
        if !self.comment.is_empty() {
            say(out, "comment", &self.comment);
        }
        say(out, "read only", yes_no(self.read_only));
        say(out, "list", yes_no(self.list));
        say(out, "durable", self.durable);
        if self.max_connections != 0 {
            say(out, "max connections", self.max_connections);
        }
        say_path(out, "lock file", self.lock_file.as_ref());
        if let Some(rate) = self.bandwidth {
            say(out, "bandwidth", rate);
        }
    }
}

/// Reads the configuration itself, without the secrets file. What comes back is whole only if nothing is wrong.
fn parse(bytes: &[u8], errors: &mut ConfigErrors) -> Option<Config> {
    let (globals, sections) = config::read::<Globals, Module>(bytes, errors);
    let mut modules = Vec::new();
    for section in sections {
        if let Err(error) = check_module(&section.name) {
            errors.wrong(section.line, error.to_string());
        }
        if modules.len() == limits::MODULES {
            errors.wrong(section.line, format!("more than {} modules", limits::MODULES));
            break;
        }
        modules.extend(section.values.map(|module| Module { name: section.name, ..module }));
    }
    let globals = globals?;
    if globals.secret.is_none() && globals.secrets_file.is_none() {
        errors.wrong(1, "'secret' or 'secrets file' is missing: nobody could be let in");
    }
    Some(Config { globals, modules, users: BTreeMap::new() })
}

#[cfg(test)]
mod tests;
