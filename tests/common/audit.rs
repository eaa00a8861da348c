//! What a confined process asked of the kernel, as strace(1) saw it: by rules that the code does not know of.

use std::collections::{BTreeMap, BTreeSet};

/// The calls of a session from the moment when it is confined, without those of its broker.
pub struct Audit {
    pub calls: Vec<String>,
    /// The words that strace(1) ends a call with which was refused.
    pub refused: Vec<String>,
}

/// The flags that keep a call from following a link, and where they are.
const NOFOLLOW: [(&str, &[&str]); 8] = [
    ("openat", &["O_NOFOLLOW"]),
    ("newfstatat", &["AT_SYMLINK_NOFOLLOW", "AT_EMPTY_PATH"]),
    ("statx", &["AT_SYMLINK_NOFOLLOW", "AT_EMPTY_PATH"]),
    ("fchownat", &["AT_SYMLINK_NOFOLLOW"]),
    ("fchmodat", &["AT_SYMLINK_NOFOLLOW"]),
    ("fchmodat2", &["AT_SYMLINK_NOFOLLOW"]),
    // Without a name it is of what is open.
    ("utimensat", &["AT_SYMLINK_NOFOLLOW", ", NULL, "]),
    ("faccessat2", &["AT_SYMLINK_NOFOLLOW"]),
];

/// Calls that nobody has any business with who replicates a tree.
const NEVER: [&str; 30] = [
    "execve",
    "execveat",
    "fork",
    "vfork",
    "socket",
    "socketpair",
    "connect",
    "bind",
    "listen",
    "accept4",
    "sendmsg",
    "ptrace",
    "mount",
    "open_tree",
    "chroot",
    "pivot_root",
    "setns",
    "setresuid",
    "setresgid",
    "setgroups",
    "capset",
    "open",
    "openat2",
    "chmod",
    "chown",
    "getxattr",
    "setxattr",
    "unlink",
    "rename",
    "kill",
];

/// What is wrong with a call of a confined process.
pub fn offence(call: &str) -> Option<String> {
    let (name, arguments) = call.split_once('(')?;
    let bad = |what: &str| Some(format!("{what}: {call}"));
    if NEVER.contains(&name) {
        return bad("not to be called");
    }
    if name == "clone" && !arguments.contains("CLONE_THREAD") {
        return bad("a new process");
    }
    if call.contains("AT_FDCWD") {
        return bad("begins nowhere");
    }
    if let Some((_, flags)) = NOFOLLOW.iter().find(|(followed, _)| *followed == name)
        && !flags.iter().any(|flag| arguments.contains(flag))
    {
        return bad("follows links");
    }
    if name == "linkat" && arguments.contains("AT_SYMLINK_FOLLOW") {
        return bad("follows links");
    }
    if name == "openat" && !arguments.contains("O_CLOEXEC") {
        return bad("can be inherited");
    }
    // What a link leads to is data, and so is what was written and read.
    let paths = match name {
        "symlinkat" => arguments.split_once("\", ").map_or("", |(_, rest)| rest),
        "write" | "read" | "pread64" | "pwrite64" | "sendto" | "recvfrom" | "readlinkat" => "",
        _ => arguments,
    };
    let quoted = paths.split('"').skip(1).step_by(2);
    if quoted.into_iter().any(|path| path.contains('/')) { bad("a path") } else { None }
}

impl Audit {
    /// Of what `strace -f -qq -s 0` wrote about one smsyncd.
    pub fn of(trace: &str) -> Audit {
        let mut ours: BTreeSet<&str> = BTreeSet::new();
        let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
        let mut audit = Audit { calls: Vec::new(), refused: Vec::new() };
        for line in trace.lines() {
            let Some((thread, call)) = line.split_once(' ') else { continue };
            let call = call.trim_start();
            // A call during which another thread or process makes one is told of in two lines.
            if let Some(call) = call.strip_suffix(" <unfinished ...>") {
                begun.insert(thread, call);
                continue;
            }
            let call = match call.split_once(" resumed>") {
                Some((_, rest)) => format!("{}{rest}", begun.remove(thread).unwrap_or_default()),
                None => call.to_owned(),
            };
            // The last that it tries when it has confined itself.
            let last = call.starts_with("socket(AF_UNIX, SOCK_DGRAM, 0)") && call.contains("= -1 EPERM");
            if ours.is_empty() && last {
                ours.insert(thread);
                continue;
            }
            if !ours.contains(thread) {
                continue;
            }
            if call.starts_with("clone(")
                && let Some((_, number)) = line.rsplit_once(" = ")
            {
                ours.insert(number.trim());
            }
            if call.ends_with("= -1 EPERM (Operation not permitted)") {
                audit.refused.push(call.clone());
            }
            audit.calls.push(call);
        }
        audit
    }

    /// All that is wrong.
    pub fn offences(&self) -> Vec<String> {
        self.calls.iter().filter_map(|call| offence(call)).collect()
    }
}
