//! Reads a file that the user named, or standard input.

use std::io::{self, Read};
use std::path::Path;

/// The whole of a file, or of standard input if it is `-`.
///
/// # Errors
/// It cannot be read, or is longer than `limit`: EFBIG.
pub fn read_input(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(limit + 1).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > limit { Err(io::Error::from_raw_os_error(libc::EFBIG)) } else { Ok(bytes) }
}
