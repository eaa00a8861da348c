//! What a program did in trees, as strace(1) saw it.

use std::fs;
use std::path::Path;

/// What a program did in trees.
#[derive(Debug, Default)]
pub struct Deeds {
    /// Calls that change something.
    pub changes: Vec<String>,
    /// Regular files that were opened, and reads of them.
    pub reads: Vec<String>,
    /// Directories that were opened: that the trace sees anything.
    pub directories: usize,
}

const CHANGES: [&str; 17] = [
    "mkdirat(",
    "mknodat(",
    "symlinkat(",
    "linkat(",
    "renameat(",
    "renameat2(",
    "unlinkat(",
    "fchmod(",
    "fchmodat(",
    "fchmodat2(",
    "fchown(",
    "fchownat(",
    "utimensat(",
    "fsetxattr(",
    "lsetxattr(",
    "lremovexattr(",
    "ftruncate(",
];

impl Deeds {
    pub fn of(trace: &Path, trees: &[&Path]) -> Deeds {
        let mut deeds = Deeds::default();
        let text = fs::read(trace).unwrap();
        for line in String::from_utf8_lossy(&text).lines() {
            let Some((_, line)) = line.split_once(' ') else { continue };
            let line = line.trim_start();
            let inside = trees.iter().any(|tree| line.contains(&format!("<{}", tree.display())));
            // Those are made by name, wherever their thread stands: no tree but ours is there for them.
            let by_name = line.starts_with("lsetxattr(") || line.starts_with("lremovexattr(");
            // Names of users are looked up where the thread stands that asked for them.
            let elsewhere = line.contains(", \"/");
            if elsewhere || !inside && !by_name {
                continue;
            }
            let creates = line.starts_with("openat(") && line.contains("O_CREAT");
            if creates || CHANGES.iter().any(|call| line.starts_with(call)) {
                deeds.changes.push(line.to_owned());
            } else if line.starts_with("openat(") && line.contains("O_DIRECTORY") {
                deeds.directories += 1;
            } else if line.starts_with("openat(") && line.contains("O_PATH") {
                // Nothing can be read through it.
            } else if line.starts_with("openat(") || line.starts_with("read(") || line.starts_with("pread64(")
            {
                deeds.reads.push(line.to_owned());
            }
        }
        deeds
    }
}

/// How strace(1) is to be called; the file for what it sees follows.
pub const STRACE: [&str; 6] = ["-f", "-qq", "-y", "-s", "0", "-o"];
