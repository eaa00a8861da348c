//! Random trees and random edits of them: every type, odd names, hard links, holes, attributes, ACLs, times, modes.

use super::dice::Dice;
use super::facts::{name, traces};
use super::is_root;
use super::tree::{chmod, fifo, set_time, sparse};
use rustix::fs::{CWD, FileType, Mode, XattrFlags};
use std::fs;
use std::os::unix::fs::{lchown, symlink};
use std::path::{Path, PathBuf};

/// Names of which there are few, so that edits meet, and of which some are hard.
const NAMES: [&[u8]; 12] = [
    b"a",
    b"b",
    b"b.c",
    b"b c",
    b"dir",
    b"-rf",
    b"\xff\xfe",
    b"new\nline",
    b"#x=*",
    b"[z]",
    b"back\\slash",
    "\u{fc}".as_bytes(),
];
const MODES: [u32; 7] = [0o700, 0o755, 0o777, 0o750, 0o600, 0o644, 0o4711];
const DIR_MODES: [u32; 4] = [0o700, 0o755, 0o1777, 0o2750];

fn any_name(dice: &mut Dice) -> &'static Path {
    let bytes: &'static [u8] = dice.pick::<&'static [u8]>(&NAMES);
    name(bytes)
}

/// All paths below the root.
fn all(root: &Path) -> Vec<PathBuf> {
    traces(root).into_keys().filter(|path| !path.as_os_str().is_empty()).map(|path| root.join(path)).collect()
}

fn is_dir(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|stat| stat.is_dir())
}

fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|stat| stat.is_file())
}

/// Grows a tree of about this many paths.
pub fn grow(root: &Path, dice: &mut Dice, paths: usize) {
    for _ in 0..paths {
        if let Some(path) = free(root, dice) {
            make(&path, &all(root), dice);
        }
    }
}

/// A path that is not there, in a directory that is, not too deep.
fn free(root: &Path, dice: &mut Dice) -> Option<PathBuf> {
    let mut dirs: Vec<PathBuf> = all(root).into_iter().filter(|path| is_dir(path)).collect();
    dirs.push(root.to_owned());
    let path = dice.pick(&dirs).join(any_name(dice));
    let depth = path.components().count() - root.components().count();
    (depth <= 5 && fs::symlink_metadata(&path).is_err()).then_some(path)
}

/// Makes something of any type, with metadata of its own.
fn make(path: &Path, others: &[PathBuf], dice: &mut Dice) {
    match dice.roll(if is_root() { 12 } else { 11 }) {
        0..=2 => fs::create_dir(path).unwrap(),
        3..=5 => fs::write(path, text(dice)).unwrap(),
        6 => holes(path, dice),
        7 => symlink(any_name(dice), path).unwrap(),
        8 => fifo(path),
        9 | 10 => {
            let files: Vec<_> = others.iter().filter(|other| !is_dir(other)).collect();
            match files.as_slice() {
                [] => fs::write(path, text(dice)).unwrap(),
                files => return fs::hard_link(dice.pick(files), path).unwrap(),
            }
        }
        _ => {
            // Large numbers and small ones.
            let number = rustix::fs::makedev(*dice.pick(&[1, 259, 4095]), *dice.pick(&[3, 256, 1_048_575]));
            let kind = *dice.pick(&[FileType::CharacterDevice, FileType::BlockDevice]);
            rustix::fs::mknodat(CWD, path, kind, Mode::from_raw_mode(0o640), number).unwrap();
        }
    }
    (0..dice.roll(4)).for_each(|_| mark(path, dice));
    stamp(path, dice);
}

/// Contents of a file, none of them zero: a block of zeros may become a hole.
fn text(dice: &mut Dice) -> Vec<u8> {
    let length = *dice.pick(&[0, 1, 7, 4096, 5000, 70_000]);
    let start = dice.roll(200);
    (1..=251).cycle().skip(start).take(length).collect()
}

fn holes(path: &Path, dice: &mut Dice) {
    let blocks = 4 + dice.roll(40) as u64;
    let data: Vec<(u64, usize)> = (0..dice.roll(4))
        .map(|_| (4096 * u64::try_from(dice.roll(blocks as usize)).unwrap(), 4096))
        .collect();
    sparse(path, 4096 * blocks, &data);
}

/// A time that nothing had before, to the nanosecond; now and then before 1970.
fn stamp(path: &Path, dice: &mut Dice) {
    let sec = i64::try_from(dice.roll(2_000_000_000)).unwrap();
    let nsec = *dice.pick(&[0, 1, 500_000_000, 999_999_999, 123_456_789]);
    set_time(path, if dice.one_in(8) { -sec } else { sec }, nsec);
}

/// Changes one thing of the metadata. Hard links share it.
fn mark(path: &Path, dice: &mut Dice) {
    let stat = fs::symlink_metadata(path).unwrap();
    let (dir, link, plain) = (stat.is_dir(), stat.is_symlink(), stat.is_dir() || stat.is_file());
    match dice.roll(7) {
        0 | 1 if dir => chmod(path, *dice.pick(&DIR_MODES)),
        0 | 1 if !link => chmod(path, *dice.pick(&MODES)),
        2 if is_root() => {
            let id = *dice.pick(&[0, 1, 7, 54321, 4_000_000_000]);
            lchown(path, Some(id), Some(*dice.pick(&[0, 2, 12345]))).unwrap();
        }
        3 if plain => {
            let called = *dice.pick(&["user.a", "user.b", "user.odd = \\name#"]);
            set(path, called, &attribute(dice));
        }
        3 if link && is_root() => set(path, "trusted.on-link", &attribute(dice)),
        4 if plain => set(path, "system.posix_acl_access", &acl(dice)),
        4 if is_root() && is_file(path) => set(path, "security.capability", &CAPABILITY),
        5 if dir => set(path, "system.posix_acl_default", &acl(dice)),
        5 if is_root() && is_file(path) => set(path, "trusted.t", &attribute(dice)),
        6 => {
            for attribute in super::walk::xattrs(path).into_keys() {
                rustix::fs::lremovexattr(path, attribute.as_slice()).unwrap();
            }
        }
        _ => stamp(path, dice),
    }
}

/// A capability in the form of the kernel: cap_net_raw in the permitted set.
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn set(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::lsetxattr(path, name, value, XattrFlags::empty())
        .unwrap_or_else(|error| panic!("{path:?}: {name}: {error}"));
}

fn attribute(dice: &mut Dice) -> Vec<u8> {
    let length = *dice.pick(&[0, 1, 20, 500]);
    (0..length).map(|_| u8::try_from(dice.roll(256)).unwrap()).collect()
}

/// A POSIX ACL as the kernel has it (linux/posix_acl_xattr.h): version 2, then tag, permissions and id of each entry.
/// The owner keeps all rights, so that the test can go on.
fn acl(dice: &mut Dice) -> Vec<u8> {
    let mut acl = 2_u32.to_le_bytes().to_vec();
    let mut entry = |tag: u16, permissions: usize, id: u32| {
        acl.extend(tag.to_le_bytes());
        acl.extend(u16::try_from(permissions).unwrap().to_le_bytes());
        acl.extend(id.to_le_bytes());
    };
    const NOBODY: u32 = u32::MAX;
    entry(1, 7, NOBODY);
    entry(2, dice.roll(8), u32::try_from(1 + dice.roll(3)).unwrap());
    entry(4, dice.roll(8), NOBODY);
    if dice.one_in(2) {
        entry(8, dice.roll(8), u32::try_from(1 + dice.roll(3)).unwrap());
    }
    entry(16, dice.roll(8), NOBODY);
    entry(32, dice.roll(8), NOBODY);
    acl
}

fn clear(path: &Path) {
    if is_dir(path) { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
}

/// Changes something of a tree, somewhere.
pub fn edit(root: &Path, dice: &mut Dice) {
    let paths = all(root);
    let Some(new) = free(root, dice) else { return };
    if paths.is_empty() || dice.one_in(6) {
        return make(&new, &paths, dice);
    }
    let old = dice.pick(&paths).clone();
    match dice.roll(9) {
        // Another type under the same name, now and then of a whole tree.
        0 | 1 => {
            clear(&old);
            make(&old, &all(root), dice);
        }
        2 if !new.starts_with(&old) => fs::rename(&old, &new).unwrap(),
        3 => clear(&old),
        4 | 5 if is_file(&old) => {
            // In place, so that all names of the file change; or a new file, which leaves the others alone.
            if dice.one_in(2) {
                clear(&old);
            }
            fs::write(&old, text(dice)).unwrap();
            stamp(&old, dice);
        }
        6 if is_file(&old) => {
            holes(&old, dice);
            stamp(&old, dice);
        }
        _ => mark(&old, dice),
    }
}
