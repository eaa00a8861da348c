//! Source files that change while they are sent, and programs that are killed: no version is ever mixed with another.

use crate::common::gate::{GREETING, Gate};
use crate::common::walk::{differences, walk};
use crate::common::{Inetd, Site, assert_exit, ended_within, output_within};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// A file of which neither the client's nor the kernel's buffers hold a half.
const LARGE: usize = 48 << 20;

/// A push that can be stopped on its way.
struct Moving {
    inetd: Inetd,
    gate: Gate,
    /// Behind those who use it: it goes last.
    site: Site,
}

impl Moving {
    /// The receiver has old versions of `f` and of everything in `d`, and something extra.
    fn new() -> Moving {
        Moving::on(Site::in_memory())
    }

    fn on(site: Site) -> Moving {
        fs::create_dir_all(site.dst().join("d")).unwrap();
        for name in ["f", "d/a", "d/b", "last", "extra"] {
            fs::write(site.dst().join(name), format!("old {name}")).unwrap();
        }
        fs::create_dir_all(site.src().join("d")).unwrap();
        for name in ["f", "d/a", "d/b", "last"] {
            fs::write(site.src().join(name), format!("the new {name}")).unwrap();
        }
        let inetd = site.serve();
        let gate = Gate::to(inetd.port);
        Moving { site, inetd, gate }
    }

    /// `f` is so large that it can be changed while it is read.
    fn large() -> Moving {
        let moving = Moving::new();
        fs::write(moving.src("f"), vec![b'1'; LARGE]).unwrap();
        moving
    }

    fn src(&self, name: &str) -> PathBuf {
        self.site.src().join(name)
    }

    fn dst(&self, name: &str) -> PathBuf {
        self.site.dst().join(name)
    }

    fn start(&self) -> Child {
        let mut command = self.site.smsync();
        command.args(["push", "--delete", "--force-delete"]).arg(self.site.src()).arg(self.gate.remote("m"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Pushes; `change` happens when the specification has gone and before anything is sent.
    fn push_and(&self, change: impl FnOnce()) -> Output {
        self.gate.down.hold_after(GREETING);
        let client = self.start();
        self.gate.down.wait_held();
        change();
        self.gate.down.release();
        ended_within(client, LIMIT)
    }

    /// Pushes `f`, which is large; each change happens while it is read, when so many bytes have left.
    fn push_while(&self, changes: &[(usize, &dyn Fn())]) -> Output {
        let bytes = |at: usize| changes.get(at).map(|(bytes, _)| *bytes as u64);
        self.gate.up.hold_after(bytes(0).unwrap());
        let client = self.start();
        for (at, (_, change)) in changes.iter().enumerate() {
            self.gate.up.wait_held();
            change();
            match bytes(at + 1) {
                Some(next) => self.gate.up.hold_after(next),
                None => self.gate.up.release(),
            }
        }
        ended_within(client, LIMIT)
    }

    /// `f` arrived in this version; so did everything else, and extras are gone.
    #[track_caller]
    fn assert_arrived(&self, output: &Output, contents: &[u8]) {
        assert_exit(output, 0);
        assert!(fs::read(self.dst("f")).unwrap() == contents, "f is not what it was at last");
        self.assert_others(&[]);
        assert!(!self.dst("extra").exists());
        self.assert_converges();
    }

    /// `f` vanished: the receiver keeps the old one, and what is extra as well; everything else arrived.
    #[track_caller]
    fn assert_kept(&self, output: &Output) {
        assert_exit(output, 3);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.starts_with("smsync: f: cannot read: ") && said.lines().count() == 1, "{said}");
        assert_eq!(fs::read_to_string(self.dst("f")).unwrap(), "old f");
        assert_eq!(fs::read_to_string(self.dst("extra")).unwrap(), "old extra");
        self.assert_others(&[]);
        assert!(!self.dst(".smsync").exists());
    }

    /// The files beside `f` are new, but for these, which are old.
    #[track_caller]
    fn assert_others(&self, old: &[&str]) {
        for name in ["d/a", "d/b", "last"] {
            let version = if old.contains(&name) { "old" } else { "the new" };
            assert_eq!(fs::read_to_string(self.dst(name)).unwrap(), format!("{version} {name}"));
        }
    }

    /// An undisturbed push makes everything equal.
    #[track_caller]
    fn assert_converges(&self) {
        let mut push = self.site.smsync();
        push.args(["push", "--delete", "--force-delete"]).arg(self.site.src()).arg(self.inetd.remote("m"));
        assert_exit(&output_within(&mut push, LIMIT), 0);
        assert_eq!(differences(&walk(&self.site.src()), &walk(&self.site.dst())), "");
        assert!(!self.dst(".smsync").exists());
    }
}

fn append(path: &Path) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(b"more").unwrap();
}

fn truncate(path: &Path, length: usize) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(length as u64).unwrap();
}

/// Puts another file in the place of one, as an editor does.
fn replace(path: &Path, contents: &[u8], mode: u32) {
    let new = path.with_extension("tmp");
    fs::write(&new, contents).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(mode)).unwrap();
    fs::rename(new, path).unwrap();
}

/// While `f` is read the first time.
const EARLY: usize = 1 << 16;

#[test]
fn one_that_grows() {
    let moving = Moving::large();
    let grow = || append(&moving.src("f"));
    let output = moving.push_while(&[(EARLY, &grow)]);
    moving.assert_arrived(&output, &[&vec![b'1'; LARGE][..], b"more"].concat());

    let moving = Moving::large();
    let grow = || append(&moving.src("f"));
    let output = moving.push_while(&[(EARLY, &grow), (LARGE + (4 << 20), &grow)]);
    moving.assert_kept(&output);
    moving.assert_converges();
}

#[test]
fn one_that_shrinks() {
    let moving = Moving::large();
    let shrink = |length| move |path: PathBuf| truncate(&path, length);
    let half = || shrink(LARGE / 2)(moving.src("f"));
    let output = moving.push_while(&[(EARLY, &half)]);
    moving.assert_arrived(&output, &vec![b'1'; LARGE / 2]);

    let moving = Moving::large();
    let (half, empty) = (|| shrink(LARGE / 2)(moving.src("f")), || shrink(0)(moving.src("f")));
    let output = moving.push_while(&[(EARLY, &half), (LARGE / 2 + (4 << 20), &empty)]);
    moving.assert_kept(&output);
    moving.assert_converges();
}

#[test]
fn one_that_is_replaced() {
    let moving = Moving::large();
    let output = moving.push_while(&[(EARLY, &|| replace(&moving.src("f"), b"another", 0o644))]);
    moving.assert_arrived(&output, b"another");

    let moving = Moving::new();
    let output = moving.push_and(|| replace(&moving.src("f"), b"another", 0o644));
    moving.assert_arrived(&output, b"another");
}

/// What travels of a file that changed is its size and time: with the mode it had before, its contents could be read by
/// those who may not.
#[test]
fn one_that_is_replaced_by_one_of_another_mode() {
    let moving = Moving::new();
    let output = moving.push_and(|| replace(&moving.src("f"), b"secret", 0o600));
    moving.assert_kept(&output);
    moving.assert_converges();
}

#[test]
fn one_that_is_removed() {
    let moving = Moving::large();
    let output = moving.push_while(&[(EARLY, &|| fs::remove_file(moving.src("f")).unwrap())]);
    moving.assert_kept(&output);

    let moving = Moving::new();
    let output = moving.push_and(|| fs::remove_file(moving.src("f")).unwrap());
    moving.assert_kept(&output);
    moving.assert_converges();
}

#[test]
fn one_that_becomes_something_else() {
    let socket = |path: &Path| drop(std::os::unix::net::UnixListener::bind(path).unwrap());
    let fifo = |path: &Path| {
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    };
    let others: [&dyn Fn(&Path); 4] =
        [&|path| symlink("d/a", path).unwrap(), &|path| fs::create_dir(path).unwrap(), &socket, &fifo];
    for other in others {
        let moving = Moving::new();
        let output = moving.push_and(|| {
            fs::remove_file(moving.src("f")).unwrap();
            other(&moving.src("f"));
        });
        moving.assert_kept(&output);
    }
}

#[test]
fn one_that_changes_on_every_read() {
    // What a reader sees of a write that goes on is another matter on each file system.
    changes_on_every_read(Moving::on(Site::in_memory()));
    changes_on_every_read(Moving::on(Site::new()));
}

fn changes_on_every_read(moving: Moving) {
    let version = |letter: u8| vec![letter; 4 << 20];
    fs::write(moving.src("f"), version(b'a')).unwrap();
    let over = AtomicBool::new(false);
    let outputs: Vec<Output> = std::thread::scope(|scope| {
        scope.spawn(|| {
            let file = OpenOptions::new().write(true).open(moving.src("f")).unwrap();
            for letter in (b'a'..=b'z').cycle() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                std::os::unix::fs::FileExt::write_all_at(&file, &version(letter), 0).unwrap();
            }
        });
        let outputs = (0..5).map(|_| ended_within(moving.start(), LIMIT)).collect();
        over.store(true, Ordering::SeqCst);
        outputs
    });
    let kept = fs::read(moving.dst("f")).unwrap();
    // Between two writes it may be read in peace; never is it a mixture.
    let whole = kept == b"old f" || kept.len() == 4 << 20 && kept.iter().all(|byte| *byte == kept[0]);
    assert!(whole, "a mixture");
    assert!(outputs.iter().any(|output| output.status.code() == Some(3)), "{outputs:?}");
    moving.assert_converges();
}

#[test]
fn a_directory_that_is_renamed_away() {
    let moving = Moving::new();
    let output = moving.push_and(|| fs::rename(moving.src("d"), moving.src("e")).unwrap());
    assert_exit(&output, 3);
    moving.assert_others(&["d/a", "d/b"]);
    assert_eq!(fs::read_to_string(moving.dst("f")).unwrap(), "the new f");
    moving.assert_converges();
}

#[test]
fn a_directory_that_becomes_a_link_leads_nowhere() {
    let moving = Moving::new();
    fs::create_dir(moving.site.path("outside")).unwrap();
    fs::write(moving.site.path("outside/a"), "secret!!!").unwrap();
    let output = moving.push_and(|| {
        fs::rename(moving.src("d"), moving.site.path("d")).unwrap();
        symlink("../outside", moving.src("d")).unwrap();
    });
    assert_exit(&output, 3);
    moving.assert_others(&["d/a", "d/b"]);
}

/// A specification that is older than the tree.
impl Moving {
    fn spec(&self, keywords: &str) -> String {
        let mut command = self.site.smsync();
        let output = command.args(["spec", "-k", keywords]).arg(self.site.src()).output().unwrap();
        assert_exit(&output, 0);
        let path = self.site.path("spec");
        fs::write(&path, output.stdout).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn push_by(&self, spec: &str) -> Output {
        let mut command = self.site.smsync();
        command
            .args(["push", "--delete", "--force-delete", "--spec", spec])
            .arg(self.site.src())
            .arg(self.inetd.remote("m"));
        output_within(&mut command, LIMIT)
    }
}

const USUAL: &str = "type,mode,uid,gid,link,size,time,nlink,inode,resdevice";

/// The contents under one name must not become those that another had before.
#[test]
fn one_of_two_names() {
    let moving = Moving::new();
    fs::hard_link(moving.src("f"), moving.src("g")).unwrap();
    fs::write(moving.dst("g"), "old g").unwrap();
    let spec = moving.spec(USUAL);
    fs::remove_file(moving.src("f")).unwrap();
    let output = moving.push_by(&spec);
    moving.assert_kept(&output);
    assert_eq!(fs::read_to_string(moving.dst("g")).unwrap(), "old g");
    moving.assert_converges();
}

/// A tree that gives way to a file goes as extras go: only when everything else is there.
#[test]
fn one_beside_a_directory_that_gives_way() {
    let moving = Moving::new();
    fs::write(moving.src("way"), "a file").unwrap();
    fs::create_dir(moving.dst("way")).unwrap();
    fs::write(moving.dst("way/in"), "not gone yet").unwrap();
    let spec = moving.spec(USUAL);
    fs::remove_file(moving.src("f")).unwrap();
    let output = moving.push_by(&spec);
    assert_exit(&output, 1);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("way: cannot put in place: a directory that is not empty is in the way"), "{said}");
    assert_eq!(fs::read_to_string(moving.dst("way/in")).unwrap(), "not gone yet");
    assert_eq!(fs::read_to_string(moving.dst("extra")).unwrap(), "old extra");
    moving.assert_others(&[]);
    moving.assert_converges();
}

/// What its digest does not bind is sent as it is now; what it does is not.
#[test]
fn one_that_is_newer_than_the_specification() {
    let moving = Moving::new();
    let spec = moving.spec(USUAL);
    fs::write(moving.src("f"), "newer").unwrap();
    let output = moving.push_by(&spec);
    moving.assert_arrived(&output, b"newer");

    let moving = Moving::new();
    let spec = moving.spec(&format!("{USUAL},sha256"));
    fs::write(moving.src("f"), "newer").unwrap();
    let output = moving.push_by(&spec);
    moving.assert_kept(&output);
    moving.assert_converges();
}
