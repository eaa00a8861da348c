//! Who holds which secrets: the secrets file, one `user:secret` a line, and the secrets of those without a name.

use crate::config::{At, ConfigErrors, check_user, lines};
use crate::limits;
use crate::secret::Secret;
use crate::sys::private::read_private;
use crate::vis::shown_text;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::path::Path;
use zeroize::Zeroizing;

/// The secrets of one user, of which any opens the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Secrets(Vec<Secret>);

impl Secrets {
    pub(super) fn list(&self) -> &[Secret] {
        &self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How many a user may have, in words.
fn too_many() -> String {
    format!("more than {} secrets at once", limits::SECRETS)
}

/// One secret, or two with a blank between them.
impl<'de> Deserialize<'de> for Secrets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let mut words: Vec<&str> = text.split_whitespace().collect();
        if words.is_empty() {
            words.push("");
        }
        // Words that are none, as those of an example, say that there is no secret yet rather than too many.
        let secrets: Vec<Secret> =
            words.into_iter().map(Secret::parse).collect::<Result<_, _>>().map_err(D::Error::custom)?;
        if secrets.len() > limits::SECRETS {
            return Err(D::Error::custom(too_many()));
        }
        Ok(Secrets(secrets))
    }
}

/// Reads the secrets file, which must be as private as the configuration.
pub(super) fn read(path: &Path) -> Result<BTreeMap<String, Vec<Secret>>, ConfigErrors> {
    let mut errors = ConfigErrors::new(path);
    match read_private(path, limits::CONFIG) {
        Ok(bytes) => {
            let users = parse(&bytes, &mut errors);
            errors.finish(Some(users))
        }
        Err(error) => {
            errors.private(0, error);
            Err(errors)
        }
    }
}

/// The users and their secrets. No error repeats what may be a secret.
pub(super) fn parse(bytes: &[u8], errors: &mut ConfigErrors) -> BTreeMap<String, Vec<Secret>> {
    let mut users: BTreeMap<String, Vec<Secret>> = BTreeMap::new();
    for line in lines(bytes, At::from(0), errors) {
        let Some((user, secret)) = line.text.split_once(':') else {
            errors.wrong(line.at, "expected 'user:secret'");
            continue;
        };
        let (user, secret) = (user.trim(), Secret::parse(secret.trim()));
        if let Err(error) = check_user(user) {
            errors.wrong(line.at, format!("the user before the ':': {error}"));
            continue;
        }
        match secret {
            Ok(secret) => {
                let secrets = users.entry(user.to_owned()).or_default();
                if secrets.len() == limits::SECRETS {
                    errors.wrong(line.at, format!("user '{}' has {}", shown_text(user), too_many()));
                } else {
                    secrets.push(secret);
                }
            }
            // Without the user: whoever swapped the two wrote the secret there.
            Err(error) => errors.wrong(line.at, error.to_string()),
        }
    }
    users
}
