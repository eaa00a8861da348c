//! The last good configuration, which our own listener's connections are served by when the one in the file is broken.
//!
//! It is kept in a directory that no confined session reaches: as private as the file, as
//! one configuration with defaults and all that was included, and a secrets file. What `exclude from` and `include from`
//! name is read where it is.

use super::config::Config;
use crate::config::{ConfigError, ConfigErrors};
use crate::digest::{self, Content};
use crate::limits;
use crate::sys::{Dir, Draft, private};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What the names in it begin with; behind that is what tells of which file they were made.
const NAME: &str = "configuration";
const SECRETS: &str = "secrets";

/// What a connection is served by.
pub(super) struct Found {
    pub(super) config: Config,
    /// What is wrong with the one in the file, if it is the one that was kept.
    pub(super) broken: Option<ConfigErrors>,
}

/// Reads the configuration; or the one that was kept, if there is one and the other has lines that are wrong.
///
/// # Errors
/// Everything that is wrong with the one in the file, when the other is of no use.
pub(super) fn find(live: &Path, kept: Option<&Path>) -> Result<Found, ConfigErrors> {
    let errors = match Config::read(live) {
        Ok(config) => return Ok(Found { config, broken: None }),
        Err(errors) => errors,
    };
    match kept.filter(|_| stands_in(&errors)).map(Config::read) {
        Some(Ok(config)) => Ok(Found { config, broken: Some(errors) }),
        _ => Err(errors),
    }
}

/// Whether the kept one stands in for one with these errors: only for what is written wrong. A file that is gone, or that
/// others may read or write, lets nobody in.
pub(super) fn stands_in(errors: &ConfigErrors) -> bool {
    errors.iter().all(|error| matches!(error, ConfigError::Line { .. }))
}

/// Whether the one that is kept there can be used still: what it names may be gone.
pub(super) fn is_good(kept: &Path) -> bool {
    Config::read(kept).is_ok()
}

/// Keeps this one, which is good, for the file from which it was read: two listeners may have one state directory. Says
/// where.
///
/// # Errors
/// Why that is not possible. Then none is kept: an older one may let in whom this one does not.
pub(super) fn keep(config: &Config, live: &Path) -> Result<PathBuf, String> {
    let beside = config.globals.kept_dir();
    let dir = private::open_private_dir(&beside, true).map(Dir::from).map_err(|error| error.to_string())?;
    let digest = digest::hex(&Content::of(live.as_os_str().as_encoded_bytes()));
    let named = |name: &str| {
        let digest = digest.get(..16).unwrap_or_default();
        format!("{name}-{}", String::from_utf8_lossy(digest))
    };
    let (name, secrets_name) = (named(NAME), named(SECRETS));
    let (text, secrets) = config.spelled(&beside.join(&secrets_name));
    // The secrets first: nothing names users that are not there yet.
    for (name, text) in [(&secrets_name, &secrets), (&name, &text)] {
        write(&dir, name, text).map_err(|error| {
            forget(&beside.join(named(NAME)));
            error.to_string()
        })?;
    }
    Ok(beside.join(name))
}

/// Makes this the contents of a file, unless they are.
fn write(dir: &Dir, name: &str, text: &str) -> io::Result<()> {
    let there = dir.recall(name.as_bytes(), limits::CONFIG);
    if there.is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    let mut draft = Draft::begin(dir, name.as_bytes())?;
    draft.write_all(text.as_bytes())?;
    draft.keep(name.as_bytes())
}

/// Keeps no other than this one, if any: what was kept before is the last good one no longer.
pub(super) fn only(kept: Option<&Path>, before: &Path) {
    if kept != Some(before) {
        forget(before);
    }
}

fn forget(kept: &Path) {
    let name = kept.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(Ok(dir)) = kept.parent().map(Dir::open_root) else { return };
    for name in [name, &name.replace(NAME, SECRETS)] {
        // What cannot be removed is gone, or nobody may change what is there.
        let _ = dir.remove(name.as_bytes());
    }
}
