//! What is done to a source tree before a run: no two changes are the same.

use crate::tree::{Contents, RENAMED};
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How many places of a large file are changed.
pub(crate) const PLACES: u64 = 200;
/// How many bytes are inserted at its front.
pub(crate) const INSERTED: u64 = 1 << 20;
/// Bytes that are moved at a time to make room for them.
const PIECE: u64 = 8 << 20;

/// Gives the one file the time of now.
pub(crate) fn touch(root: &Path) -> Result<()> {
    let file = File::options().write(true).open(last(root)?)?;
    Ok(file.set_modified(SystemTime::now())?)
}

/// Writes new contents of the same size into every hundredth file.
pub(crate) fn change(root: &Path, generation: u64) -> Result<()> {
    let mut contents = contents(generation);
    let mut number = 0;
    for group in sorted(root)? {
        for leaf in sorted(&group)? {
            for path in sorted(&leaf)? {
                number += 1;
                if number % 100 == 0 {
                    let size = fs::metadata(&path)?.len();
                    contents.write(&mut File::options().write(true).open(&path)?, size)?;
                }
            }
        }
    }
    Ok(())
}

/// Writes new contents over one hundredth of the one file: at places equally far from each other.
pub(crate) fn scatter(root: &Path, generation: u64) -> Result<()> {
    let mut contents = contents(generation);
    let mut file = File::options().write(true).open(last(root)?)?;
    let step = file.metadata()?.len() / PLACES;
    for place in 0..PLACES {
        // Other ones each time, with odd beginnings.
        let start = place * step + (generation * 7_919_777 + place * 104_729) % (step - step / 100);
        file.seek(SeekFrom::Start(start))?;
        contents.write_new(&mut file, step / 100)?;
    }
    Ok(())
}

/// Inserts new contents at the front of the one file.
pub(crate) fn insert(root: &Path, generation: u64) -> Result<()> {
    let mut file = File::options().read(true).write(true).open(last(root)?)?;
    let mut buffer = vec![0; usize::try_from(PIECE)?];
    let mut end = file.metadata()?.len();
    while end > 0 {
        let length = PIECE.min(end);
        end -= length;
        let piece = buffer.get_mut(..usize::try_from(length)?).unwrap_or_default();
        file.read_exact_at(piece, end)?;
        file.write_all_at(piece, end + INSERTED)?;
    }
    file.rewind()?;
    contents(generation).write_new(&mut file, INSERTED)
}

/// Gives the one file, or the last directory, another name.
pub(crate) fn rename(root: &Path, generation: u64) -> Result<()> {
    Ok(fs::rename(last(root)?, root.join(format!("{RENAMED}-{generation}")))?)
}

/// The generator starts elsewhere each time, and where no tree started.
fn contents(generation: u64) -> Contents {
    Contents::new(generation + 2)
}

fn last(root: &Path) -> Result<PathBuf> {
    sorted(root)?.pop().context("the tree is empty")
}

fn sorted(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut paths =
        fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
