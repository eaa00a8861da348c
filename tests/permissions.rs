//! Who may own, read and write what the server is configured by, and of what type it may be: one hand-written column for
//! each property of each class of file, the combinations generated.

use crate::common::{SMSYNCD, is_root, keygen};
use rustix::fs::{CWD, FileType, Mode, XattrFlags};
use smsync::server::config::Config;
use smsync::server::log::{Destination, Log};
use smsync::sys::pidfile::PidFile;
use smsync::sys::private::{open_named_dir, open_private_dir};
use smsync::sys::slots::Slots;
use std::fs;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

mod place;
use place::Place;

/// Ordinary users: one who runs the server, and one whom nobody trusts.
const USER: u32 = 65533;
const THIRD: u32 = 65534;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Config,
    Secrets,
    Include,
    State,
    Lock,
    Pid,
    Log,
    Root,
}

use Class::{Config as Conf, Include, Lock, Log as LogFile, Pid, Root, Secrets, State};

/// What has the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    /// A link of the caller's, or of a third user's, to such a file or directory.
    Link,
    ThirdsLink,
    HardLink,
    Fifo,
    Directory,
    /// A file that an ACL opens to one more user, and a file whose ACL grants nothing.
    Acl,
    EmptyAcl,
}

/// Whose a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Caller,
    Root,
    Third,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    Root,
    User,
}

/// Whether a property passes for root and for an ordinary user.
type Passes = (bool, bool);
const YES: Passes = (true, true);
const NO: Passes = (false, false);
const AS_ROOT: Passes = (true, false);
const AS_USER: Passes = (false, true);

/// Types. In order: the configuration and what belongs to it; the state directory; lock and pid file; log; module root.
const KINDS: [(Kind, [Passes; 5]); 8] = [
    (Kind::File, [YES, NO, YES, YES, NO]),
    (Kind::Link, [YES, YES, NO, NO, YES]),
    (Kind::ThirdsLink, [NO, NO, NO, NO, NO]),
    (Kind::HardLink, [NO, NO, NO, NO, NO]),
    (Kind::Fifo, [NO, NO, NO, NO, NO]),
    (Kind::Directory, [NO, YES, NO, NO, YES]),
    (Kind::Acl, [NO, NO, YES, YES, NO]),
    (Kind::EmptyAcl, [YES, NO, YES, YES, NO]),
];

/// Owners. Where a user is refused root's, or a third's, it is by the mode: they are tried with 0600 or 0700.
const OWNERS: [(Owner, [Passes; 5]); 3] = [
    (Owner::Caller, [YES, YES, YES, YES, YES]),
    (Owner::Root, [AS_ROOT, AS_ROOT, AS_ROOT, AS_ROOT, AS_ROOT]),
    (Owner::Third, [NO, NO, AS_ROOT, AS_ROOT, AS_ROOT]),
];

/// Ways on which a third may put files: what is a third's there may have been put there for root to write to.
const PLANTED: [u32; 2] = [0o1777, 0o775];

/// The directory in which it is: owner and mode. Root's and the caller's are as good, and what a third may write to is good
/// for nothing that is a secret, nor for what root writes to.
const WAYS: [(Owner, u32, [Passes; 5]); 8] = [
    (Owner::Caller, 0o755, [YES, YES, YES, YES, YES]),
    (Owner::Root, 0o755, [YES, YES, YES, YES, YES]),
    (Owner::Root, 0o1777, [YES, YES, YES, YES, YES]),
    (Owner::Caller, 0o775, [NO, NO, YES, YES, YES]),
    (Owner::Caller, 0o757, [NO, NO, AS_USER, AS_USER, YES]),
    (Owner::Third, 0o755, [NO, NO, AS_USER, AS_USER, YES]),
    (Owner::Third, 0o1777, [NO, NO, AS_USER, AS_USER, YES]),
    (Owner::Caller, 0o700, [YES, YES, YES, YES, YES]),
];

/// Sixteen modes of a thing of the caller's. Root reads and writes what nobody may.
const MODES: [(u32, [Passes; 5]); 16] = [
    (0o600, [YES, AS_ROOT, YES, YES, AS_ROOT]),
    (0o700, [NO, YES, YES, YES, YES]),
    (0o400, [YES, AS_ROOT, AS_ROOT, AS_ROOT, AS_ROOT]),
    (0o500, [NO, YES, AS_ROOT, AS_ROOT, YES]),
    (0o200, [AS_ROOT, AS_ROOT, AS_ROOT, YES, AS_ROOT]),
    (0o000, [AS_ROOT, AS_ROOT, AS_ROOT, AS_ROOT, AS_ROOT]),
    (0o640, [NO, NO, YES, YES, AS_ROOT]),
    (0o620, [NO, NO, YES, YES, AS_ROOT]),
    (0o610, [NO, NO, YES, YES, AS_ROOT]),
    (0o604, [NO, NO, YES, YES, AS_ROOT]),
    (0o602, [NO, NO, YES, YES, AS_ROOT]),
    (0o601, [NO, NO, YES, YES, AS_ROOT]),
    (0o660, [NO, NO, YES, YES, AS_ROOT]),
    (0o666, [NO, NO, YES, YES, AS_ROOT]),
    (0o755, [NO, NO, YES, YES, YES]),
    (0o777, [NO, NO, YES, YES, YES]),
];

/// One combination.
#[derive(Debug, Clone, Copy)]
struct Row {
    class: Class,
    asker: Asker,
    kind: Kind,
    owner: Owner,
    mode: u32,
    way: (Owner, u32),
    accepted: bool,
}

impl Class {
    const ALL: [Class; 8] = [Conf, Secrets, Include, State, Lock, Pid, LogFile, Root];

    const fn column(self) -> usize {
        match self {
            Conf | Secrets | Include => 0,
            State => 1,
            Lock | Pid => 2,
            LogFile => 3,
            Root => 4,
        }
    }

    const fn is_directory(self) -> bool {
        matches!(self, State | Root)
    }
}

impl Asker {
    fn passes(self, passes: Passes) -> bool {
        if self == Asker::Root { passes.0 } else { passes.1 }
    }

    fn uid(self) -> u32 {
        match self {
            _ if !is_root() => rustix::process::geteuid().as_raw(),
            Asker::Root => 0,
            Asker::User => USER,
        }
    }

    fn gives(self, path: &Path, owner: Owner) {
        let uid = match owner {
            Owner::Caller => self.uid(),
            Owner::Root => 0,
            Owner::Third => THIRD,
        };
        if is_root() {
            lchown(path, Some(uid), None).unwrap();
        }
    }
}

/// Every type with every owner in every directory, and every mode in those that are good.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (class, asker) in
        Class::ALL.into_iter().flat_map(|class| [(class, Asker::Root), (class, Asker::User)])
    {
        let (column, plain) =
            (class.column(), if class.is_directory() { Kind::Directory } else { Kind::File });
        let usual = if class.is_directory() { 0o700 } else { 0o600 };
        let passes = |columns: &[Passes; 5]| asker.passes(columns[column]);
        for (kind, kinds) in &KINDS {
            for (way, mode, ways) in &WAYS {
                for (owner, owners) in &OWNERS {
                    // A directory is included as the files in it, of which there are none.
                    let included = class == Include && *kind == Kind::Directory;
                    let planted = matches!(class, Lock | Pid | LogFile)
                        && *owner == Owner::Third
                        && PLANTED.contains(mode);
                    let accepted = (passes(kinds) || included) && passes(ways) && passes(owners) && !planted;
                    let (way, mode) = ((*way, *mode), if *kind == Kind::Directory { 0o700 } else { usual });
                    rows.push(Row { class, asker, kind: *kind, owner: *owner, mode, way, accepted });
                }
            }
        }
        for (mode, modes) in &MODES {
            let way = (Owner::Caller, 0o755);
            let accepted = passes(modes);
            rows.push(Row { class, asker, kind: plain, owner: Owner::Caller, mode: *mode, way, accepted });
        }
    }
    rows
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A POSIX ACL: owner rw, one more user r, the group nothing, this mask, others nothing.
fn acl(mask: u8) -> Vec<u8> {
    let entry = |tag: u8, bits: u8, id: u32| [&[tag, 0, bits, 0][..], &id.to_le_bytes()].concat();
    let none = u32::MAX;
    let entries =
        [entry(1, 6, none), entry(2, 4, THIRD), entry(4, 0, none), entry(16, mask, none), entry(32, 0, none)];
    [&[2, 0, 0, 0][..], &entries.concat()].concat()
}

/// Makes what the row says, in a directory of its own; says what it is called, or `None` where this file system cannot.
fn make(row: &Row, dir: &Path, text: &str) -> Option<PathBuf> {
    chmod(dir, 0o755);
    row.asker.gives(dir, Owner::Caller);
    let (way, real) = (dir.join("way"), dir.join("real"));
    fs::create_dir(&way).unwrap();
    fs::create_dir(&real).unwrap();
    row.asker.gives(&real, Owner::Caller);
    let name = way.join("thing");
    let fill =
        |path: &Path| if row.class.is_directory() { fs::create_dir(path) } else { fs::write(path, text) };
    let mut own = name.clone();
    match row.kind {
        Kind::File | Kind::Acl | Kind::EmptyAcl => fs::write(&name, text).unwrap(),
        Kind::Directory => fs::create_dir(&name).unwrap(),
        Kind::Fifo => rustix::fs::mknodat(CWD, &name, FileType::Fifo, Mode::RUSR, 0).unwrap(),
        Kind::HardLink => {
            fs::write(real.join("first"), text).unwrap();
            fs::hard_link(real.join("first"), &name).unwrap();
        }
        Kind::Link | Kind::ThirdsLink => {
            own = real.join("target");
            fill(&own).unwrap();
            symlink(&own, &name).unwrap();
            row.asker.gives(&name, if row.kind == Kind::Link { Owner::Caller } else { Owner::Third });
        }
    }
    row.asker.gives(&own, row.owner);
    chmod(&own, row.mode);
    if let Kind::Acl | Kind::EmptyAcl = row.kind {
        let acl = acl(if row.kind == Kind::Acl { 4 } else { 0 });
        rustix::fs::setxattr(&own, "system.posix_acl_access", &acl, XattrFlags::empty()).ok()?;
    }
    row.asker.gives(&way, row.way.0);
    chmod(&way, row.way.1);
    Some(name)
}

/// A configuration that names the thing of the row, and is good besides.
fn naming(row: &Row, place: &Path, secret: &str) -> String {
    let name = place.join("way/thing").display().to_string();
    let at = |class, usual: &str| {
        if row.class == class { name.clone() } else { place.join(usual).display().to_string() }
    };
    let line = match row.class {
        Secrets => format!("secrets file = {name}\n"),
        Include => format!("&include {name}\n"),
        LogFile => format!("log file = {name}\n"),
        Pid => format!("pid file = {name}\n"),
        _ => String::new(),
    };
    let lock =
        if row.class == Lock { format!("max connections = 2\nlock file = {name}\n") } else { String::new() };
    let (state, root, spool) = (at(State, "state"), at(Root, "state"), place.display());
    format!("secret = {secret}\nspool dir = {spool}\nstate dir = {state}\n{line}[m]\npath = {root}\n{lock}")
}

/// Makes what the row says and a configuration that names it; what the two are called.
fn lay(row: &Row, place: &Path, secret: &str) -> Option<(PathBuf, PathBuf)> {
    let whole = naming(row, place, secret);
    let text = match row.class {
        Secrets => format!("ann:{secret}\n"),
        Include => format!("[n]\npath = {}\n", place.join("state").display()),
        Pid => "4000000\n".to_owned(),
        _ => whole.clone(),
    };
    let name = make(row, place, &text)?;
    let (state, config) = (place.join("state"), place.join("smsyncd.conf"));
    fs::create_dir(&state).unwrap();
    fs::write(&config, whole).unwrap();
    for (path, mode) in [(&state, 0o700), (&config, 0o600)] {
        row.asker.gives(path, Owner::Caller);
        chmod(path, mode);
    }
    Some(if row.class == Conf { (name.clone(), name) } else { (name, config) })
}

/// What the server says of it: nothing where it is accepted.
fn asked(class: Class, config: &Path, name: &Path) -> Result<(), String> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", name.display());
    match class {
        Conf | Secrets | Include => Config::read(config).map(drop).map_err(|errors| errors.to_string()),
        State => open_private_dir(name, true).map(drop).map_err(|error| error.to_string()),
        Root => open_named_dir(name, None).map(drop).map_err(|error| error.to_string()),
        LogFile => {
            Log::open(&Destination::File(name.to_owned()), 0).map(drop).map_err(|error| error.to_string())
        }
        Lock => Slots::open(name).map(drop).map_err(|error| named(&error)),
        Pid => PidFile::take(name).map(drop).map_err(|error| named(&error)),
    }
}

/// The same, asked as the user of the row: only this thread becomes him.
fn answer(row: &Row, config: &Path, name: &Path) -> Result<(), String> {
    if !is_root() || row.asker == Asker::Root {
        return asked(row.class, config, name);
    }
    std::thread::scope(|scope| {
        let asks = scope.spawn(|| {
            let uid = rustix::process::Uid::from_raw(USER);
            rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
            asked(row.class, config, name)
        });
        asks.join().unwrap()
    })
}

/// Whether this can be tried: an ordinary user has nobody's things but his own.
fn can_be_tried(row: &Row) -> bool {
    let own = row.owner == Owner::Caller && row.way.0 == Owner::Caller && row.kind != Kind::ThirdsLink;
    // The kernel itself refuses to open a stranger's file in a shared directory for writing, if it is told so.
    let shared = row.way.1 & 0o1000 != 0 && matches!(row.class.column(), 2 | 3);
    let protected =
        fs::read_to_string("/proc/sys/fs/protected_regular").is_ok_and(|level| level.trim() != "0");
    (is_root() || row.asker == Asker::User && own) && !(shared && protected)
}

#[test]
fn the_permissions_of_what_the_server_is_configured_by() {
    let secret = keygen();
    let (mut tried, mut refused, mut wrong) = (0, 0, Vec::new());
    for row in rows().into_iter().filter(can_be_tried) {
        let place = Place::new();
        let Some((name, config)) = lay(&row, place.path(), &secret) else { continue };
        let answer = answer(&row, &config, &name);
        tried += 1;
        refused += usize::from(answer.is_err());
        if answer.is_ok() != row.accepted {
            wrong.push(format!("{row:?}: {answer:?}"));
        }
        // Whoever is to mend it is told what: the file, or the directory that is at fault on its way.
        if let Err(said) = answer
            && !said.contains(&*place.path().to_string_lossy())
        {
            wrong.push(format!("{row:?}: names nothing: {said}"));
        }
    }
    println!("{tried} combinations, {refused} refused");
    assert!(wrong.is_empty(), "{} of {tried} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried >= if is_root() { 2000 } else { 250 }, "only {tried} combinations were tried");
}

/// The program itself, with one thing wrong at a time: what is wrong with the configuration is an error, and what is wrong
/// with what it names is said.
#[test]
fn what_the_server_ends_with() {
    let secret = keygen();
    let asker = if is_root() { Asker::Root } else { Asker::User };
    let alone = |row: &Row| {
        let (kind, mode) =
            if row.class.is_directory() { (Kind::Directory, 0o700) } else { (Kind::File, 0o600) };
        // A directory where a file should be has the mode of one.
        let mode = row.mode == mode || row.kind == Kind::Directory && row.mode == 0o700;
        let usual = [row.kind == kind, row.owner == Owner::Caller, mode, row.way == (Owner::Caller, 0o755)];
        row.asker == asker && usual.iter().filter(|usual| !**usual).count() <= 1
    };
    for row in rows().into_iter().filter(alone).filter(can_be_tried) {
        let place = Place::new();
        let Some((name, config)) = lay(&row, place.path(), &secret) else { continue };
        let output = Command::new(SMSYNCD).arg("--check").arg("-c").arg(config).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let refused = if row.class.column() == 0 { 78 } else { 1 };
        // A directory of his own that he may not write to is as private as it should be, and of no use to him.
        let of_use = row.class != State || row.asker == Asker::Root || row.mode & 0o200 != 0;
        let accepted = row.accepted && of_use;
        assert_eq!(output.status.code(), Some(if accepted { 0 } else { refused }), "{row:?}: {said}");
        assert!(accepted || said.contains(&*name.display().to_string()), "{row:?}: {said}");
    }
}
