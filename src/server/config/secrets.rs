//! The secrets file: one `user:secret` a line, each user once.

use crate::config::{ConfigErrors, check_user, lines};
use crate::limits;
use crate::secret::Secret;
use crate::sys::private::read_private;
use crate::vis::shown_text;
use std::collections::BTreeMap;
use std::path::Path;

/// Reads the secrets file, which must be as private as the configuration.
pub(super) fn read(path: &Path) -> Result<BTreeMap<String, Secret>, ConfigErrors> {
    let mut errors = ConfigErrors::new(path);
    match read_private(path, limits::CONFIG) {
        Ok(bytes) => {
            let users = parse(&bytes, &mut errors);
            errors.finish(Some(users))
        }
        Err(error) => {
            errors.private(error);
            Err(errors)
        }
    }
}

/// The users and their secrets. No error repeats what may be a secret.
pub(super) fn parse(bytes: &[u8], errors: &mut ConfigErrors) -> BTreeMap<String, Secret> {
    let mut users: BTreeMap<String, (usize, Secret)> = BTreeMap::new();
    for line in lines(bytes, errors) {
        let Some((user, secret)) = line.text.split_once(':') else {
            errors.wrong(line.number, "expected 'user:secret'");
            continue;
        };
        let (user, secret) = (user.trim(), Secret::parse(secret.trim()));
        if let Err(error) = check_user(user) {
            errors.wrong(line.number, format!("the user before the ':': {error}"));
        } else if let Some((first, _)) = users.get(user) {
            errors.wrong(line.number, format!("user '{}' already given at line {first}", shown_text(user)));
        } else {
            match secret {
                Ok(secret) => {
                    users.insert(user.to_owned(), (line.number, secret));
                }
                // Without the user: whoever swapped the two wrote the secret there.
                Err(error) => errors.wrong(line.number, error.to_string()),
            }
        }
    }
    users.into_iter().map(|(user, (_, secret))| (user, secret)).collect()
}
