//! Where a row of the table is laid out.

use super::chmod;
use std::fs;
use std::path::Path;

/// A place in memory, below a sticky directory of root's, which goes whatever modes there are in it.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Place {
        Place(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir_in("/tmp")).unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for path in ["way", "way/thing"].map(|name| self.path().join(name)) {
            if fs::symlink_metadata(&path).is_ok_and(|stat| stat.is_dir()) {
                chmod(&path, 0o700);
            }
        }
    }
}
