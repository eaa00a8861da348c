//! Removes trees without recursion and without running out of descriptors.

use crate::install::unlock;
use crate::sys::{Dir, FileKind};
use std::io;

/// Directories held at once; what is deeper is moved up first.
const HELD: usize = 64;

/// Removes the name and all below it. That it is gone already is no error. What is very deep is moved into `holder` for a
/// while, under names that are free there.
///
/// # Errors
/// Something cannot be removed.
pub(super) fn clear(holder: &Dir, name: &[u8]) -> io::Result<()> {
    let mut tops = vec![name.to_vec()];
    let mut names = (0u64..).map(|number| format!("deep-{number}").into_bytes());
    while let Some(top) = tops.pop() {
        match holder.stat(&top) {
            Ok(stat) if stat.kind == Some(FileKind::Dir) => {
                clear_dir(holder, &top, &mut tops, &mut names)?;
            }
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

fn clear_dir(
    holder: &Dir,
    name: &[u8],
    tops: &mut Vec<Vec<u8>>,
    names: &mut impl Iterator<Item = Vec<u8>>,
) -> io::Result<()> {
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
            let free = |name: &Vec<u8>| {
                holder.stat(name).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
            };
            let name = names.find(free).ok_or(io::ErrorKind::AlreadyExists)?;
            level.dir.rename(&child, holder, &name)?;
            tops.push(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_deeper_than_descriptors_reach_goes_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let holder = Dir::open_root(dir.path()).unwrap();
        fs::create_dir(dir.path().join("deep-0")).unwrap();
        fs::write(dir.path().join("deep-2"), "somebody's").unwrap();
        let mut deepest = dir.path().join("top");
        (0..5 * HELD).for_each(|_| deepest.push("d"));
        fs::create_dir_all(&deepest).unwrap();
        fs::write(deepest.join("file"), "").unwrap();
        clear(&holder, b"top").unwrap();
        let mut left = holder.names().unwrap();
        left.sort();
        assert_eq!(left, [b"deep-0", b"deep-2"].map(|name| Box::from(&name[..])));
        assert_eq!(fs::read(dir.path().join("deep-2")).unwrap(), b"somebody's");
        assert_eq!(fs::read_dir(dir.path().join("deep-0")).unwrap().count(), 0);
        clear(&holder, b"top").unwrap();
    }
}
