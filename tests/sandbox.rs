//! What each layer of the confinement stops, and what it lets through: tried one operation after another by a process that
//! laid it around itself, and compared with a table that was written by hand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)] // a test

use nix::mount::MsFlags;
use rustix::fs::{
    AtFlags, CWD, Dev, FileType, FlockOperation, Mode, OFlags, RenameFlags, ResolveFlags, Timestamps,
    XattrFlags,
};
use rustix::net::{AddressFamily, SocketType};
use smsync::sys::Dir;
use smsync::sys::confine::{Confinement, Layer, Purpose};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the process that is confined has.
struct World {
    module: Dir,
    held: [Dir; 1],
    /// The server's, to be written to and to be locked.
    log: fs::File,
    lock: OwnedFd,
    /// Made before.
    tcp: OwnedFd,
    port: SocketAddr,
    parent: rustix::process::Pid,
    outside: PathBuf,
}

type Operation = fn(&World) -> io::Result<()>;

const OPEN: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC);
const NEW: OFlags = OPEN.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::RDWR);

fn open(dir: &Dir, name: &str, flags: OFlags) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(0o600))?)
}

/// Each operation, with what is expected where the layer is there alone: Landlock, seccomp, chroot with capabilities;
/// and where all are. `+` is let through, `-` is refused. Without any, all are let through, but for what takes root.
const TABLE: &[(&str, &str, Operation)] = &[
    // What replicating takes.
    ("create", "++++", |w| open(&w.module, "new", NEW).map(drop)),
    ("rename into another directory", "++++", |w| {
        open(&w.module, "a", NEW)?;
        Ok(rustix::fs::renameat(&w.module, "a", &w.module.subdir(b"d")?, "b")?)
    }),
    ("exchange", "++++", |w| {
        open(&w.module, "c", NEW)?;
        Ok(rustix::fs::renameat_with(&w.module, "c", &w.module, "f", RenameFlags::EXCHANGE)?)
    }),
    ("chown what is open", "++++", |w| {
        Ok(rustix::fs::fchown(open(&w.module, "f", OPEN)?, Some(rustix::process::geteuid()), None)?)
    }),
    ("set-user-ID", "++++", |w| {
        Ok(rustix::fs::fchmod(open(&w.module, "f", OPEN)?, Mode::from_raw_mode(0o4755))?)
    }),
    ("flush", "++++", |w| Ok(rustix::fs::fsync(open(&w.module, "f", OPEN)?)?)),
    ("remove", "++++", |w| Ok(rustix::fs::unlinkat(&w.module, "f", AtFlags::empty())?)),
    ("make a nameless file in a held directory", "++++", |w| {
        open(&w.held[0], ".", OPEN | OFlags::TMPFILE | OFlags::RDWR).map(drop)
    }),
    ("write to the log", "++++", |w| std::io::Write::write_all(&mut &w.log, b"one\n")),
    ("lock", "++++", |w| Ok(rustix::fs::flock(&w.lock, FlockOperation::NonBlockingLockExclusive)?)),
    // What it does not.
    ("give the log away", "+-+-", |w| {
        Ok(rustix::fs::fchown(&w.log, Some(rustix::process::geteuid()), None)?)
    }),
    ("shut the log", "+-+-", |w| Ok(rustix::fs::fchmod(&w.log, Mode::RUSR | Mode::WUSR)?)),
    ("shut the log, as a name in itself", "+-+-", |w| {
        let flags = AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW;
        Ok(rustix::fs::chownat(&w.log, "", Some(rustix::process::geteuid()), None, flags)?)
    }),
    ("cut the log off", "+-+-", |w| Ok(rustix::fs::ftruncate(&w.log, 0)?)),
    ("have the log under another number", "+-+-", |w| {
        Ok(rustix::io::fcntl_dupfd_cloexec(&w.log, 0).map(drop)?)
    }),
    ("shut what is locked", "+-+-", |w| Ok(rustix::fs::fchmod(&w.lock, Mode::RUSR | Mode::WUSR)?)),
    ("openat2", "+-+-", |w| {
        let how = ResolveFlags::empty();
        Ok(rustix::fs::openat2(&w.module, "g", OPEN, Mode::empty(), how).map(drop)?)
    }),
    ("open a link", "+-+-", |w| open(&w.module, "link", OFlags::CLOEXEC).map(drop)),
    (
        "open by a path",
        "----",
        |_| Ok(rustix::fs::openat(CWD, "/etc/passwd", OPEN, Mode::empty()).map(drop)?),
    ),
    ("open by a path beside a directory", "-+--", |w| open(&w.module, "/etc/passwd", OPEN).map(drop)),
    ("open above", "-+--", |w| open(&w.module, "../out/secret", OPEN).map(drop)),
    ("write above", "-+--", |w| open(&w.module, "../out/secret", OPEN | OFlags::WRONLY).map(drop)),
    ("open above what is held", "-+--", |w| open(&w.held[0], "../out/secret", OPEN).map(drop)),
    ("make above", "-+--", |w| open(&w.module, "../out/new", NEW).map(drop)),
    ("remove above", "-+--", |w| Ok(rustix::fs::unlinkat(&w.module, "../out/victim", AtFlags::empty())?)),
    ("rename to above", "-+--", |w| Ok(rustix::fs::renameat(&w.module, "g", &w.module, "../out/g")?)),
    ("link to above", "-+--", |w| {
        Ok(rustix::fs::linkat(&w.module, "h", &w.module, "../out/h", AtFlags::empty())?)
    }),
    ("chown above", "++--", |w| {
        let own = Some(rustix::process::geteuid());
        Ok(rustix::fs::chownat(&w.module, "../out/secret", own, None, AtFlags::SYMLINK_NOFOLLOW)?)
    }),
    ("set times above", "++--", |w| {
        let now = rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
        let now = Timestamps { last_access: now, last_modification: now };
        Ok(rustix::fs::utimensat(&w.module, "../out/secret", &now, AtFlags::SYMLINK_NOFOLLOW)?)
    }),
    ("look above", "++--", |w| {
        Ok(rustix::fs::statat(&w.module, "../out/secret", AtFlags::SYMLINK_NOFOLLOW).map(drop)?)
    }),
    ("look above what is held", "++--", |w| {
        Ok(rustix::fs::statat(&w.held[0], "../out/secret", AtFlags::SYMLINK_NOFOLLOW).map(drop)?)
    }),
    ("chmod by a path", "+---", |w| {
        Ok(rustix::fs::chmod(w.outside.join("secret"), Mode::RUSR | Mode::WUSR)?)
    }),
    ("set an attribute by a path", "++--", |w| {
        let path = w.outside.join("secret");
        Ok(rustix::fs::lsetxattr(path, "user.x", b"1", XattrFlags::empty())?)
    }),
    ("look a user up", "----", |_| match nix::unistd::User::from_name("root") {
        Ok(Some(_)) => Ok(()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }),
    ("list open files", "----", |_| fs::read_dir("/proc/self/fd").map(drop)),
    ("make a socket node", "-++-", |w| {
        Ok(rustix::fs::mknodat(&w.module, "s", FileType::Socket, Mode::RUSR, 0 as Dev)?)
    }),
    ("socket", "+-+-", |_| Ok(rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).map(drop)?)),
    ("connect to a unix socket", "+---", |w| UnixDatagram::unbound()?.connect(w.outside.join("log"))),
    ("connect over TCP", "--+-", |w| Ok(rustix::net::connect(&w.tcp, &w.port)?)),
    ("run a program", "----", |_| Command::new("/bin/true").status().map(drop)),
    ("signal another process", "--+-", |w| Ok(rustix::process::test_kill_process(w.parent)?)),
];

/// The same of operations that take root.
const ROOT: &[(&str, &str, Operation)] = &[
    ("make a device", "++++", |w| {
        let device = rustix::fs::makedev(1, 3);
        Ok(rustix::fs::mknodat(&w.module, "null", FileType::CharacterDevice, Mode::RUSR, device)?)
    }),
    ("open a device that was made", "++--", |w| {
        let device = rustix::fs::makedev(1, 3);
        rustix::fs::mknodat(&w.module, "zero", FileType::CharacterDevice, Mode::RUSR, device)?;
        open(&w.module, "zero", OPEN).map(drop)
    }),
    ("set a trusted attribute", "++++", |w| {
        Ok(rustix::fs::fsetxattr(open(&w.module, "i", OPEN)?, "trusted.x", b"1", XattrFlags::empty())?)
    }),
    ("change groups", "+---", |_| Ok(nix::unistd::setgroups(&[nix::unistd::Gid::from_raw(7)])?)),
    ("change the user", "+---", |_| {
        let root = nix::unistd::Uid::from_raw(0);
        Ok(nix::unistd::setresuid(root, root, nix::unistd::Uid::from_raw(7))?)
    }),
    // Only what a filter of system calls keeps from who may set trusted attributes.
    ("mount", "--+-", |_| {
        let (flags, none) = (MsFlags::MS_BIND | MsFlags::MS_REMOUNT, None::<&str>);
        // Nothing is mounted where we stand.
        match nix::mount::mount(none, ".", none, flags, none) {
            Err(nix::errno::Errno::EINVAL) => Ok(()),
            done => Ok(done?),
        }
    }),
    ("chroot", "+---", |_| Ok(rustix::process::chroot(".")?)),
];

/// The same in a module that is read only.
const READ_ONLY: &[(&str, &str, Operation)] = &[
    ("open", "++++", |w| open(&w.module, "g", OPEN).map(drop)),
    ("create", "-++-", |w| open(&w.module, "new", NEW).map(drop)),
    ("write", "-++-", |w| open(&w.module, "g", OPEN | OFlags::WRONLY).map(drop)),
    ("remove", "-++-", |w| Ok(rustix::fs::unlinkat(&w.module, "f", AtFlags::empty())?)),
];

const ROOT_READ_ONLY: &[(&str, &str, Operation)] = &[
    ("make a device", "-+--", ROOT[0].2),
    ("give away", "++--", |w| {
        let other = Some(rustix::process::Uid::from_raw(7));
        Ok(rustix::fs::chownat(&w.module, "g", other, None, AtFlags::SYMLINK_NOFOLLOW)?)
    }),
];

/// The columns of the table, before them none, with the place of each in a row.
const COLUMNS: [(&[Layer], Option<usize>); 5] = [
    (&[], None),
    (&[Layer::Landlock], Some(0)),
    (&[Layer::Seccomp], Some(1)),
    (&[Layer::Chroot, Layer::Capabilities], Some(2)),
    (&Layer::ALL, Some(3)),
];

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn rows(writable: bool) -> Vec<(&'static str, &'static str, Operation, bool)> {
    let (all, root) = if writable { (TABLE, ROOT) } else { (READ_ONLY, ROOT_READ_ONLY) };
    let rows = |table: &[(&'static str, &'static str, Operation)], root| {
        table.iter().map(move |(name, row, operation)| (*name, *row, *operation, root)).collect::<Vec<_>>()
    };
    [rows(all, false), rows(root, true)].concat()
}

/// The layers of a column that this user can have.
fn layers(column: &[Layer]) -> Vec<Layer> {
    let mine = |layer: &&Layer| is_root() || matches!(layer, Layer::Landlock | Layer::Seccomp);
    column.iter().filter(mine).copied().collect()
}

/// Confines this process and tries every operation.
fn confined(top: &Path, port: &str, layers: Vec<Layer>, writable: bool) {
    let open = |name: &str| Dir::open_root(&top.join(name)).unwrap();
    let tcp = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    let port = port.parse().unwrap();
    let parent = rustix::process::getppid().unwrap();
    let (module, held, outside) = (open("module"), [open("held")], top.join("out"));
    let log = fs::File::options().append(true).open(top.join("out/written")).unwrap();
    let lock = OwnedFd::from(fs::File::open(top.join("out/locked")).unwrap());
    let lent = vec![(log.as_raw_fd(), Purpose::Writing), (lock.as_raw_fd(), Purpose::Locking)];
    let mut world = World { module, held, log, lock, tcp, port, parent, outside };
    std::env::set_current_dir(top.join("module")).unwrap();
    let confinement =
        Confinement { layers, strict: true, writable, keep_access_times: false, identity: None, lent };
    let confined = confinement.confine(&mut world.module, &mut world.held).unwrap();
    let mut said = format!("by {confined}\n");
    for (name, _, operation, _) in rows(writable) {
        said.push_str(&match operation(&world) {
            Ok(()) => format!("+ {name}\n"),
            Err(error) => format!("- {name}: {error}\n"),
        });
    }
    print!("{said}");
}

fn make(top: &Path) {
    for name in ["module", "module/d", "held", "out"] {
        fs::create_dir(top.join(name)).unwrap();
    }
    for name in [
        "module/f",
        "module/g",
        "module/h",
        "module/i",
        "out/secret",
        "out/victim",
        "out/written",
        "out/locked",
    ] {
        fs::write(top.join(name), "x").unwrap();
    }
    std::os::unix::fs::symlink("g", top.join("module/link")).unwrap();
}

/// Compares one column with what happens.
fn compare(column: &(&[Layer], Option<usize>), writable: bool) -> usize {
    // On a disk: a file system in memory may know no attributes of users.
    let dir = tempfile::tempdir().unwrap();
    make(dir.path());
    let _log = UnixDatagram::bind(dir.path().join("out/log")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let layers = layers(column.0);
    let names: Vec<String> = layers.iter().map(Layer::to_string).collect();
    let output = Command::new(std::env::current_exe().unwrap())
        .env("SMSYNC_CONFINED", names.join(","))
        .env("SMSYNC_WRITABLE", if writable { "yes" } else { "no" })
        .args([dir.path().as_os_str(), listener.local_addr().unwrap().to_string().as_ref()])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let text = format!("{names:?}:\n{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    let outcomes: BTreeMap<&str, &str> =
        said.lines().skip(1).map(|line| (line[2..].split(": ").next().unwrap(), &line[..1])).collect();
    let rows = rows(writable);
    assert_eq!(outcomes.len(), rows.len(), "{text}");
    for (name, row, _, root) in &rows {
        let expected = match column.1 {
            _ if *root && !is_root() => "-",
            // Who cannot have the layer is not stopped by it; all of his are Landlock and the filter.
            Some(2) if !is_root() => "+",
            Some(3) if !is_root() && row[..2].contains('-') => "-",
            Some(3) if !is_root() => "+",
            Some(place) => &row[place..=place],
            None => "+",
        };
        assert_eq!(outcomes[name], expected, "{name}, {text}");
    }
    println!("{}", said.lines().next().unwrap());
    rows.len()
}

fn main() {
    if let Ok(layers) = std::env::var("SMSYNC_CONFINED") {
        let layers =
            Layer::ALL.into_iter().filter(|layer| layers.split(',').any(|name| name == layer.to_string()));
        let mut arguments = std::env::args().skip(1);
        let (top, port) = (arguments.next().unwrap(), arguments.next().unwrap());
        confined(
            Path::new(&top),
            &port,
            layers.collect(),
            std::env::var("SMSYNC_WRITABLE").unwrap() == "yes",
        );
        return;
    }
    let mut tried = 0;
    for writable in [true, false] {
        for column in &COLUMNS {
            tried += compare(column, writable);
        }
    }
    assert!(tried >= 26 * COLUMNS.len(), "{tried}");
    println!("{tried} operations were let through or refused as the table says");
}
