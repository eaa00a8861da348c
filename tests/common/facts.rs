//! What lstat(2), readlink(2) and SEEK_HOLE say of a tree, to compare two of them or one before and after.

use super::walk::xattrs;
use rustix::fs::SeekFrom;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// All of a path that a copy must have.
#[derive(Debug, PartialEq, Eq)]
pub struct Facts {
    /// Type and permissions.
    pub mode: u32,
    pub owner: (u32, u32),
    pub time: (i64, i64),
    pub device: u64,
    pub target: PathBuf,
    pub size: u64,
    /// Where the data are in a file that has holes, and what they are.
    pub data: Vec<(u64, Vec<u8>)>,
    /// The first path, in byte order, that names the same file.
    pub first: PathBuf,
    /// Names and values of extended attributes, ACLs among them.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// All that shows whether anybody wrote to a path: inode, links, mode, owner, size, times.
pub type Traces = (u64, u64, u32, u32, u32, u64, i64, i64, i64, i64);

/// Calls `each` for the root (as the empty path) and all below it, sorted by the bytes of the path.
fn walk(root: &Path, each: &mut dyn FnMut(&Path, &fs::Metadata)) {
    let mut paths = vec![PathBuf::new()];
    let mut next = 0;
    while let Some(path) = paths.get(next).cloned() {
        next += 1;
        let at = if path.as_os_str().is_empty() { root.to_owned() } else { root.join(&path) };
        if fs::symlink_metadata(&at).unwrap().is_dir() {
            let names = fs::read_dir(&at).unwrap_or_else(|error| panic!("{}: {error}", at.display()));
            paths.extend(names.map(|name| path.join(name.unwrap().file_name())));
        }
    }
    paths.sort_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
    for path in paths {
        let at = if path.as_os_str().is_empty() { root.to_owned() } else { root.join(&path) };
        each(&path, &fs::symlink_metadata(at).unwrap());
    }
}

/// The facts of every path of a tree. What its owner may not read has no data.
pub fn facts(root: &Path) -> BTreeMap<PathBuf, Facts> {
    let mut all = BTreeMap::new();
    let mut firsts = HashMap::new();
    walk(root, &mut |path, stat| {
        let at = root.join(path);
        let (kind, file) = (stat.file_type(), stat.is_file());
        let device = kind.is_block_device() || kind.is_char_device();
        let same = if stat.is_dir() || stat.nlink() == 1 {
            path.to_owned()
        } else {
            firsts.entry((stat.dev(), stat.ino())).or_insert(path.to_owned()).clone()
        };
        let facts = Facts {
            mode: if kind.is_symlink() { stat.mode() | 0o777 } else { stat.mode() },
            owner: (stat.uid(), stat.gid()),
            time: (stat.mtime(), stat.mtime_nsec()),
            device: if device { stat.rdev() } else { 0 },
            target: fs::read_link(&at).unwrap_or_default(),
            size: if file { stat.size() } else { 0 },
            data: if file { data(&at) } else { Vec::new() },
            first: same,
            xattrs: xattrs(&at),
        };
        all.insert(path.to_owned(), facts);
    });
    all
}

fn data(path: &Path) -> Vec<(u64, Vec<u8>)> {
    let Ok(mut file) = fs::File::open(path) else { return Vec::new() };
    let (mut found, mut at) = (Vec::new(), 0);
    while let Ok(start) = rustix::fs::seek(&file, SeekFrom::Data(at)) {
        let end = rustix::fs::seek(&file, SeekFrom::Hole(start)).unwrap();
        rustix::fs::seek(&file, SeekFrom::Start(start)).unwrap();
        let mut bytes = Vec::new();
        (&mut file).take(end - start).read_to_end(&mut bytes).unwrap();
        found.push((start, bytes));
        at = end;
    }
    found
}

/// The traces of every path of a tree.
pub fn traces(root: &Path) -> BTreeMap<PathBuf, Traces> {
    let mut all = BTreeMap::new();
    walk(root, &mut |path, s| {
        let who = (s.ino(), s.nlink(), s.mode(), s.uid(), s.gid(), s.size());
        let traces =
            (who.0, who.1, who.2, who.3, who.4, who.5, s.mtime(), s.mtime_nsec(), s.ctime(), s.ctime_nsec());
        all.insert(path.to_owned(), traces);
    });
    all
}

/// Fails unless both trees have the same paths with the same facts; says which have not, and in what.
#[track_caller]
pub fn assert_same(src: &Path, dst: &Path, what: &str) {
    let (want, have) = (facts(src), facts(dst));
    let mut differences = String::new();
    let paths: std::collections::BTreeSet<_> = want.keys().chain(have.keys()).collect();
    for path in paths {
        let (want, have) = (want.get(path), have.get(path));
        if want != have {
            let short = |facts: Option<&Facts>| {
                facts.map_or("missing".to_owned(), |f| {
                    let data: Vec<_> = f.data.iter().map(|(at, bytes)| (*at, bytes.len())).collect();
                    format!(
                        "{:o} {:?} {:?} dev {} -> {:?} {} bytes {data:?} first {:?} {:?}",
                        f.mode, f.owner, f.time, f.device, f.target, f.size, f.first, f.xattrs
                    )
                })
            };
            differences += &format!("{path:?}:\n  want {}\n  have {}\n", short(want), short(have));
        }
    }
    assert!(differences.is_empty(), "{what}: the trees differ:\n{differences}");
}

/// A path of any bytes.
pub fn name(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}
