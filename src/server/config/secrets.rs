//! The secrets file: one `user:secret` a line, each user once.

use crate::config::{ConfigErrors, SecretText, check_user, lines};
use crate::limits;
use crate::sys::private::read_private;
use crate::vis::shown_text;
use std::collections::BTreeMap;
use std::path::Path;

/// Reads the secrets file, which must be as private as the configuration.
pub(super) fn read(path: &Path) -> Result<BTreeMap<String, SecretText>, ConfigErrors> {
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
pub(super) fn parse(bytes: &[u8], errors: &mut ConfigErrors) -> BTreeMap<String, SecretText> {
    let mut users: BTreeMap<String, (usize, SecretText)> = BTreeMap::new();
    for line in lines(bytes, errors) {
        let Some((user, secret)) = line.text.split_once(':') else {
            errors.wrong(line.number, "expected 'user:secret'");
            continue;
        };
        let (user, secret) = (user.trim(), SecretText::new(secret.trim().to_owned()));
        if let Err(error) = check_user(user) {
            errors.wrong(line.number, format!("the user before the ':': {error}"));
        } else if let Some((first, _)) = users.get(user) {
            errors.wrong(line.number, format!("user '{}' already given at line {first}", shown_text(user)));
        } else {
            match secret {
                Ok(secret) => {
                    users.insert(user.to_owned(), (line.number, secret));
                }
                Err(error) => errors.wrong(line.number, format!("user '{}': {error}", shown_text(user))),
            }
        }
    }
    users.into_iter().map(|(user, (_, secret))| (user, secret)).collect()
}
