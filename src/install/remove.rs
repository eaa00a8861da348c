//! Removes trees without recursion and without running out of descriptors.

use crate::install::unlock;
use crate::sys::{Dir, FileKind};
use std::io;

/// Directories held at once; what is deeper is moved up first.
const HELD: usize = 64;

/// Removes the name and all below it. That it is gone already is no error.
///
/// # Errors
/// Something cannot be removed.
pub(super) fn clear(holder: &Dir, name: &[u8]) -> io::Result<()> {
    let mut tops = vec![name.to_vec()];
    while let Some(top) = tops.pop() {
        match holder.stat(&top) {
            Ok(stat) if stat.kind == Some(FileKind::Dir) => clear_dir(holder, &top, &mut tops)?,
            Ok(_) => holder.remove(&top)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A directory being emptied.
struct Level {
    name: Vec<u8>,
    dir: Dir,
    rest: Vec<Box<[u8]>>,
}

impl Level {
    fn open(holder: &Dir, name: &[u8]) -> io::Result<Level> {
        // A directory of ours may have been closed to its owner when it was made unwanted.
        let _ = unlock::named(holder, name)?;
        let dir = holder.subdir(name)?;
        let rest = dir.names()?;
        Ok(Level { name: name.to_vec(), dir, rest })
    }
}

fn clear_dir(holder: &Dir, name: &[u8], tops: &mut Vec<Vec<u8>>) -> io::Result<()> {
    let mut levels = vec![Level::open(holder, name)?];
    loop {
        let depth = levels.len();
        let Some(level) = levels.last_mut() else { return Ok(()) };
        let Some(child) = level.rest.pop() else {
            let Some(done) = levels.pop() else { return Ok(()) };
            let above = levels.last().map_or(holder, |level| &level.dir);
            above.remove_dir(&done.name)?;
            continue;
        };
        let is_dir = level.dir.stat(&child)?.kind == Some(FileKind::Dir);
        if !is_dir {
            level.dir.remove(&child)?;
        } else if depth < HELD {
            let deeper = Level::open(&level.dir, &child)?;
            levels.push(deeper);
        } else {
            let name = format!("deep-{}", tops.len()).into_bytes();
            level.dir.rename(&child, holder, &name)?;
            tops.push(name);
        }
    }
}
