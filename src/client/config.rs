//! `smsync.conf`: how the client reaches each server, and with which secret.

mod destination;

use crate::config::{self, At, ConfigErrors, check_user, value};
use crate::limits;
use crate::secret::Secret;
use crate::sys::{env, private};
use crate::vis::shown_text;
use crate::wire::noise::Cipher;
use destination::{Destination, host_key};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The system's configuration, for those who have none of their own.
const SYSTEM: &str = "/etc/smsync.conf";

/// The client's configuration, checked.
#[derive(Debug, Default)]
pub struct ClientConfig {
    /// The most specific first; what is said for every destination comes last.
    sections: Vec<(Destination, Parameters)>,
    globals: Parameters,
}

/// What may be said for every destination and for each.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameters {
    #[serde(deserialize_with = "user")]
    user: Option<String>,
    secret: Option<Secret>,
    #[serde(deserialize_with = "value::port")]
    port: Option<u16>,
    #[serde(deserialize_with = "cipher")]
    cipher: Option<Cipher>,
    #[serde(deserialize_with = "value::seconds")]
    timeout: Option<Option<Duration>>,
}

/// The name of a cipher, in any case.
fn cipher<'de, D: Deserializer<'de>, T: From<Cipher>>(deserializer: D) -> Result<T, D::Error> {
    let expected = format!("one of {}", Cipher::ALL.map(Cipher::name).join(", "));
    value::expect(deserializer, &expected, |text| Cipher::from_name(&text.to_ascii_lowercase()))
}

/// A user's name; an empty one goes back to none.
fn user<'de, D: Deserializer<'de>, T: From<String>>(deserializer: D) -> Result<T, D::Error> {
    let expected = format!("a user's name (at most {} bytes, no blank, '/', ':' or '@')", limits::USER);
    value::expect(deserializer, &expected, |text| {
        (text.is_empty() || check_user(text).is_ok()).then(|| text.to_owned())
    })
}

/// How one destination is reached.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who we say we are; empty for nobody in particular.
    pub user: String,
    /// The secret shared with the server.
    pub secret: Option<Secret>,
    /// The server's TCP port.
    pub port: u16,
    /// What encrypts the session.
    pub cipher: Cipher,
    /// A connection on which nothing arrives for this long is given up; never, without one (`0`).
    pub timeout: Option<Duration>,
}

impl ClientConfig {
    /// Reads the configuration `named` on the command line, or else the caller's own, or else the system's; without any
    /// of them everything has its default, and there is no secret.
    ///
    /// # Errors
    /// Everything that is wrong with it; also that it is not private.
    pub fn read(named: Option<&Path>) -> Result<ClientConfig, ConfigErrors> {
        let own = env::config_home().map(|home| home.join("smsync/smsync.conf"));
        ClientConfig::read_first(named, own.into_iter().chain([PathBuf::from(SYSTEM)]))
    }

    /// Reads the file that is named, or else the first of the usual ones that is there.
    fn read_first(
        named: Option<&Path>,
        mut usual: impl Iterator<Item = PathBuf>,
    ) -> Result<ClientConfig, ConfigErrors> {
        let named = named.map(Path::to_path_buf);
        let Some(path) = named.or_else(|| usual.find(|path| private::exists(path))) else {
            return Ok(ClientConfig::default());
        };
        let mut errors = ConfigErrors::new(&path);
        let config = match private::read_private(&path, limits::CONFIG) {
            Ok(bytes) => parse(&bytes, &mut errors),
            Err(error) => {
                errors.private(0, error);
                None
            }
        };
        errors.finish(config)
    }

    /// How to reach a module of a host, or the host itself. Each parameter is taken from the most specific section
    /// that gives it: of the module, of the port, of the host, of all. A `port` given here goes before any.
    #[must_use]
    pub fn settings(&self, host: &str, port: Option<u16>, module: Option<&str>) -> Settings {
        let host = host_key(host);
        let fits =
            |to: &Destination| to.host == host && (to.module.is_none() || to.module.as_deref() == module);
        let fitting = || self.sections.iter().filter(|(to, _)| fits(to));
        // The port first, since it decides which of the sections with a port fit; none of those says another.
        let said =
            fitting().map(|(_, parameters)| parameters).chain([&self.globals]).find_map(|said| said.port);
        let port = port.or(said).unwrap_or(limits::PORT);
        let ranked: Vec<&Parameters> = fitting()
            .filter(|(to, _)| to.port.is_none_or(|own| own == port))
            .map(|(_, parameters)| parameters)
            .chain([&self.globals])
            .collect();
        Settings {
            user: ranked.iter().find_map(|parameters| parameters.user.clone()).unwrap_or_default(),
            secret: ranked.iter().find_map(|parameters| parameters.secret.clone()),
            port,
            cipher: ranked.iter().find_map(|parameters| parameters.cipher).unwrap_or(Cipher::AesGcm),
            timeout: ranked.iter().find_map(|parameters| parameters.timeout).unwrap_or(Some(limits::IDLE)),
        }
    }
}

/// Reads the configuration. What comes back is whole only if nothing is wrong.
fn parse(bytes: &[u8], errors: &mut ConfigErrors) -> Option<ClientConfig> {
    let (globals, _, read) = config::read::<Parameters, Parameters>(bytes, errors);
    let mut seen: BTreeMap<Destination, At> = BTreeMap::new();
    let mut sections = Vec::new();
    for section in read {
        let to = match Destination::parse(&section.name) {
            Ok(to) => to,
            Err(error) => {
                errors.wrong(section.at, error.to_string());
                continue;
            }
        };
        let first = *seen.entry(to.clone()).or_insert(section.at);
        if first != section.at {
            errors.doubled(section.at, &format!("section [{}]", shown_text(&section.name)), first);
        }
        let Some(parameters) = section.values else { continue };
        if to.port.is_some() && parameters.port.is_some() {
            errors.wrong(section.at, "'port' is given in the section and in its name");
        }
        sections.push((to, parameters));
    }
    sections.sort_by_key(|(to, _)| std::cmp::Reverse((to.module.is_some(), to.port.is_some())));
    Some(ClientConfig { sections, globals: globals? })
}

#[cfg(test)]
mod tests;
