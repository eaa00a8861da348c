//! The environment: the few variables the programs read, each the path of a directory.

use std::ffi::OsString;
use std::path::PathBuf;

/// The caller's home directory, `$HOME`.
#[must_use]
pub fn home() -> Option<PathBuf> {
    directory(std::env::var_os("HOME"))
}

/// Where the caller keeps configurations: `$XDG_CONFIG_HOME`, or else `~/.config`.
#[must_use]
pub fn config_home() -> Option<PathBuf> {
    below_home(std::env::var_os("XDG_CONFIG_HOME"), home(), ".config")
}

/// Where the caller keeps state: `$XDG_STATE_HOME`, or else `~/.local/state`.
#[must_use]
pub fn state_home() -> Option<PathBuf> {
    below_home(std::env::var_os("XDG_STATE_HOME"), home(), ".local/state")
}

/// Where the caller wants temporary files, `$TMPDIR`.
#[must_use]
pub fn temp_dir() -> Option<PathBuf> {
    directory(std::env::var_os("TMPDIR"))
}

/// A relative path would mean another directory wherever the program is started; the XDG specification ignores it, and
/// so do we.
fn directory(value: Option<OsString>) -> Option<PathBuf> {
    value.map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The directory of an XDG variable, or its usual place below the home directory.
fn below_home(value: Option<OsString>, home: Option<PathBuf>, usual: &str) -> Option<PathBuf> {
    directory(value).or_else(|| home.map(|home| home.join(usual)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_paths_count() {
        assert_eq!(directory(Some("/tmp/x".into())), Some(PathBuf::from("/tmp/x")));
        for value in [None, Some(""), Some("tmp"), Some("./tmp"), Some("~/tmp")] {
            assert_eq!(directory(value.map(OsString::from)), None, "{value:?}");
        }
    }

    #[test]
    fn xdg_goes_before_home() {
        let home = || Some(PathBuf::from("/home/zoe"));
        assert_eq!(below_home(Some("/c".into()), home(), ".config"), Some(PathBuf::from("/c")));
        assert_eq!(below_home(Some("".into()), home(), ".config"), Some(PathBuf::from("/home/zoe/.config")));
        assert_eq!(below_home(None, home(), ".local/state"), Some(PathBuf::from("/home/zoe/.local/state")));
        assert_eq!(below_home(Some("/c".into()), None, ".config"), Some(PathBuf::from("/c")));
        assert_eq!(below_home(None, None, ".config"), None);
    }
}
