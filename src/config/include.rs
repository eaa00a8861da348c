//! `&include`: further files of a configuration, each as private as the first.

use super::part::{Part, parts};
use super::{At, ConfigErrors, lines};
use crate::limits;
use crate::sys::Dir;
use crate::sys::private::{PrivateError, open_listed_dir, read_private};
use crate::vis::{shown, shown_text};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The parts of what a line names after its `&`, in a file that is included by so many others.
pub(super) fn include(directive: &str, at: At, depth: usize, errors: &mut ConfigErrors) -> Vec<Part> {
    let name = match directive.split_once(char::is_whitespace) {
        Some(("include", name)) => name.trim(),
        _ => {
            errors.wrong(at, "expected '&include' and the path of a file or a directory");
            return Vec::new();
        }
    };
    if !name.starts_with('/') || name.len() > limits::PATH {
        errors.wrong(at, format!("&include: '{}' is not an absolute path", shown_text(name)));
        return Vec::new();
    }
    if depth == limits::INCLUDE_DEPTH {
        errors.wrong(at, format!("files include each other more than {} deep", limits::INCLUDE_DEPTH));
        return Vec::new();
    }
    let mut found = Vec::new();
    let files = files(Path::new(name)).unwrap_or_else(|error| {
        let begin = errors.enter(Path::new(name), at);
        errors.private(begin, error);
        Vec::new()
    });
    // None of them is read once more: what is said there would only be found to be said twice.
    if let Some(path) = files.iter().find(|path| errors.is_within(at, path)) {
        let path = shown(path.as_os_str().as_bytes());
        errors.wrong(at, format!("&include: {path} includes itself, by way of this line"));
        return Vec::new();
    }
    for path in files {
        if errors.files() > limits::INCLUDE_FILES {
            errors.wrong(at, format!("more than {} files are included", limits::INCLUDE_FILES));
            break;
        }
        let begin = errors.enter(&path, at);
        match read_private(&path, limits::CONFIG) {
            Ok(bytes) => {
                let lines = lines(&bytes, begin, errors);
                found.push(Part::Included(parts(&lines, depth + 1, errors)));
            }
            Err(error) => errors.private(begin, error),
        }
    }
    found
}

/// The file itself; of a directory those with names like `10-site.conf`, sorted. Nobody else may write to the directory,
/// or he could take away what restricts others.
fn files(path: &Path) -> Result<Vec<PathBuf>, PrivateError> {
    let names = match open_listed_dir(path)?.map(Dir::from).map(|dir| dir.names()) {
        Some(Ok(names)) => names,
        // What it is, and why it cannot be read, shows when it is opened.
        Some(Err(_)) | None => return Ok(vec![path.to_owned()]),
    };
    let mut names: Vec<Vec<u8>> = names.into_iter().map(<[u8]>::into_vec).collect();
    names.retain(|name| name.ends_with(b".conf") && !name.starts_with(b"."));
    names.sort_unstable();
    Ok(names.into_iter().map(|name| path.join(OsString::from_vec(name))).collect())
}
