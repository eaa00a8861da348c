//! Errors of the system as numbers and in words.

use std::io;

/// The number of an error; one that the kernel did not give counts as EIO.
#[must_use]
pub fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(match error.kind() {
        io::ErrorKind::InvalidInput => libc::EINVAL,
        io::ErrorKind::IsADirectory => libc::EISDIR,
        io::ErrorKind::AlreadyExists => libc::EEXIST,
        io::ErrorKind::NotFound => libc::ENOENT,
        _ => libc::EIO,
    })
}

/// strerror(3), and what to do about it where that is not plain.
#[must_use]
pub fn errno_words(errno: i32) -> String {
    let words = nix::errno::Errno::from_raw(errno).desc();
    let advice = if errno == libc::EMFILE { " (see the limit on open files)" } else { "" };
    format!("{words}{advice}")
}

/// The same of an error, whoever made it.
#[must_use]
pub fn error_words(error: &io::Error) -> String {
    match error.kind() {
        // In our own words.
        io::ErrorKind::Other if error.raw_os_error().is_none() => error.to_string(),
        _ => errno_words(errno(error)),
    }
}
