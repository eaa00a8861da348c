//! Random edits of a tree of plain names.

use super::dice::Dice;
use super::tree::{chmod, fifo, set_time};
use super::walk::names;
use super::{is_root, tree};
use std::fs;
use std::os::unix::fs::{lchown, symlink};
use std::path::{Path, PathBuf};

/// Fills an empty directory.
pub fn grow(root: &Path, dice: &mut Dice) {
    for dir in ["a", "a/b", "a/c", "d", "d/e/f"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    for dir in ["", "a", "a/b", "a/c", "d", "d/e", "d/e/f"] {
        for _ in 0..5 {
            make(&root.join(dir), dice);
        }
    }
}

/// Changes some of what is there, each path at most in one way, and makes something new.
pub fn edit(root: &Path, dice: &mut Dice) {
    for path in below(root) {
        // What it was in may be gone.
        if dice.roll(3) == 0
            && let Ok(stat) = fs::symlink_metadata(&path)
        {
            change(&path, &stat, dice);
        }
    }
    for dir in below(root).into_iter().chain([root.to_owned()]) {
        if fs::symlink_metadata(&dir).is_ok_and(|stat| stat.is_dir()) && dice.roll(3) == 0 {
            make(&dir, dice);
        }
    }
}

fn below(root: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let mut ahead = vec![root.to_owned()];
    while let Some(dir) = ahead.pop() {
        let mut names = names(&dir);
        names.sort();
        for path in names.into_iter().map(|name| dir.join(name)) {
            if fs::symlink_metadata(&path).unwrap().is_dir() {
                ahead.push(path.clone());
            }
            paths.push(path);
        }
    }
    paths
}

/// Makes something under a new name.
fn make(dir: &Path, dice: &mut Dice) {
    let path = dir.join(format!("n{}", dice.roll(1_000_000)));
    if path.exists() {
        return;
    }
    match dice.roll(8) {
        0 => symlink(format!("to{}", dice.roll(100)), &path).unwrap(),
        1 => fifo(&path),
        2 => fs::create_dir(&path).unwrap(),
        3 if is_root() => tree::device(&path, rustix::fs::FileType::CharacterDevice, 1, 3),
        4 => {
            // A hard link of a file of the same directory.
            fs::write(&path, format!("{}", dice.roll(1000))).unwrap();
            fs::hard_link(&path, path.with_extension("l")).unwrap();
        }
        _ => fs::write(&path, "x".repeat(dice.roll(2000))).unwrap(),
    }
}

fn attribute(path: &Path, name: &str, value: &[u8]) {
    // A file system without them is none of this test's business.
    let _ = rustix::fs::lsetxattr(path, name, value, rustix::fs::XattrFlags::empty());
}

/// An ACL: the owner, user `user`, the group, the mask and the others may read.
fn acl(path: &Path, name: &str, user: u32) {
    let mut text = 2u32.to_le_bytes().to_vec();
    let none = u32::MAX;
    for (tag, bits, id) in [(1u16, 7u16, none), (2, 4, user), (4, 4, none), (16, 4, none), (32, 4, none)] {
        text.extend(tag.to_le_bytes());
        text.extend(bits.to_le_bytes());
        text.extend(id.to_le_bytes());
    }
    attribute(path, name, &text);
}

fn change(path: &Path, stat: &fs::Metadata, dice: &mut Dice) {
    let (kind, number) = (stat.file_type(), dice.roll(1000));
    let times = |path: &Path| set_time(path, 1_000_000_000 + number as i64, number as i64);
    match dice.roll(9) {
        0 => times(path),
        1 if !kind.is_symlink() => {
            chmod(path, if kind.is_dir() { 0o700 } else { 0o600 } | (number as u32 % 64))
        }
        2 if is_root() => lchown(path, Some(number as u32), None).unwrap(),
        3 if is_root() => lchown(path, None, Some(number as u32)).unwrap(),
        4 if kind.is_file() || kind.is_dir() => attribute(path, "user.test", number.to_string().as_bytes()),
        5 if kind.is_file() => acl(path, "system.posix_acl_access", number as u32),
        6 if kind.is_file() => fs::write(path, "y".repeat(number)).unwrap(),
        6 if kind.is_dir() => acl(path, "system.posix_acl_default", number as u32),
        7 if kind.is_file() => {
            // The same size, other contents.
            let length = fs::read(path).unwrap().len();
            fs::write(path, "z".repeat(length)).unwrap();
        }
        7 if kind.is_symlink() => {
            fs::remove_file(path).unwrap();
            symlink(format!("other{number}"), path).unwrap();
        }
        _ if kind.is_dir() && number % 4 > 0 => times(path),
        _ => {
            if kind.is_dir() {
                fs::remove_dir_all(path).unwrap()
            } else {
                fs::remove_file(path).unwrap()
            }
            match number % 5 {
                0 => symlink("instead", path).unwrap(),
                1 => fs::create_dir(path).unwrap(),
                2 => fs::write(path, "instead").unwrap(),
                _ => {}
            }
        }
    }
}
