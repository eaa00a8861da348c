//! What a tree is, found out by a walk of the tests' own.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CString, OsString};
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Everything about one path that is to be replicated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub what: What,
    pub mode: u32,
    pub owner: (u32, u32),
    pub time: (i64, i64),
    /// Names and values of extended attributes.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The first path, in tree order, that is this very file.
    pub first: PathBuf,
}

/// The type of a path with what only that type has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Dir,
    /// The length and the digest of the contents.
    File(u64, u64),
    Link(PathBuf),
    Fifo,
    Device(u64),
    Socket,
}

/// A tree without its root, in tree order.
pub type Tree = BTreeMap<PathBuf, Node>;

impl Node {
    pub fn of(path: &Path) -> Option<Node> {
        let meta = fs::symlink_metadata(path).ok()?;
        let kind = meta.file_type();
        let what = if kind.is_dir() {
            What::Dir
        } else if kind.is_file() {
            What::File(meta.len(), digest(fs::File::open(path).ok()?))
        } else if kind.is_symlink() {
            What::Link(fs::read_link(path).ok()?)
        } else if kind.is_fifo() {
            What::Fifo
        } else if kind.is_socket() {
            What::Socket
        } else {
            What::Device(meta.rdev())
        };
        Some(Node {
            what,
            mode: meta.mode() & 0o7777,
            owner: (meta.uid(), meta.gid()),
            time: (meta.mtime(), meta.mtime_nsec()),
            xattrs: xattrs(path),
            first: PathBuf::new(),
        })
    }

    pub fn is_dir(&self) -> bool {
        self.what == What::Dir
    }

    pub fn is_file(&self) -> bool {
        matches!(self.what, What::File(..))
    }
}

/// FNV-1a: no digest of ours, so that a fault in one cannot hide itself. Zeros, of which holes are made, count as one.
fn digest(mut file: fs::File) -> u64 {
    let (mut hash, mut buffer, zeros) = (0xcbf2_9ce4_8422_2325_u64, vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    loop {
        let read = file.read(&mut buffer).unwrap();
        match &buffer[..read] {
            [] => return hash,
            piece if *piece == zeros[..read] => add(0),
            piece => piece.iter().for_each(|byte| add(*byte)),
        }
    }
}

pub fn xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let (mut names, path) = (vec![0; 4096], CString::new(path.as_os_str().as_bytes()).unwrap());
    let length = rustix::fs::llistxattr(&path, &mut names).unwrap_or(0);
    let names = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let value = |name: &[u8]| {
        let mut value = vec![0; 1 << 16];
        let length = rustix::fs::lgetxattr(&path, name, &mut value).unwrap();
        value.truncate(length);
        value
    };
    names.map(|name| (name.to_vec(), value(name))).collect()
}

/// The tree below `root`, which is not itself in it, nor is the stage of an interrupted run.
pub fn walk(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut firsts: HashMap<(u64, u64), PathBuf> = HashMap::new();
    below(root, Path::new(""), &mut tree);
    tree.remove(Path::new(".smsync"));
    tree.retain(|path, _| !path.starts_with(".smsync"));
    for (path, node) in &mut tree {
        let meta = fs::symlink_metadata(root.join(path)).unwrap();
        node.first = firsts.entry((meta.dev(), meta.ino())).or_insert_with(|| path.clone()).clone();
    }
    tree
}

fn below(root: &Path, at: &Path, tree: &mut Tree) {
    for name in names(&root.join(at)) {
        let path = at.join(name);
        let node = Node::of(&root.join(&path)).unwrap_or_else(|| panic!("cannot examine {path:?}"));
        if node.is_dir() {
            below(root, &path, tree);
        }
        tree.insert(path, node);
    }
}

/// The names in a directory.
pub fn names(dir: &Path) -> Vec<OsString> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

/// In what two trees differ, a line a path; empty when they are equal.
pub fn differences(want: &Tree, have: &Tree) -> String {
    let mut text = String::new();
    for path in want.keys().chain(have.keys().filter(|path| !want.contains_key(*path))) {
        if want.get(path) != have.get(path) {
            text += &format!("{path:?}:\n  want {:?}\n  have {:?}\n", want.get(path), have.get(path));
        }
    }
    text
}
