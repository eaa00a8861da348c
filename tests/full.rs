//! File systems that are really full, by bytes and by files, or cannot be written to: nothing shows, and the reason is told.
//!
//! They are mounted, which takes root: for anybody else these tests say that they did not try.

use crate::common::gate::Gate;
use crate::common::mounted::{Mounted, may_mount};
use crate::common::walk::{Node, Tree, differences, walk};
use crate::common::{Inetd, Site, assert_exit, output_within, scenario, tool};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(30);

/// The largest file of the sender, which comes last, and what may be on its way in sockets when the receiver gives up.
const BALLAST: usize = 48 << 20;
const ON_ITS_WAY: u64 = 16 << 20;

/// A sender with the new tree of the crash test and ballast; what it goes to is for the test to mount.
struct Full {
    inetd: Inetd,
    gate: Gate,
    new: Tree,
    /// Behind those who use it: it goes last.
    site: Site,
}

impl Full {
    fn new(sender: &str) -> Full {
        let site = Site::in_memory();
        let sender = site.path(sender);
        scenario::new(&sender);
        fs::write(sender.join("zz-ballast"), vec![b'b'; BALLAST]).unwrap();
        let inetd = site.serve();
        let gate = Gate::to(inetd.port);
        Full { new: walk(&sender), site, inetd, gate }
    }

    /// Runs to the end, through the gate.
    fn run(&self, push: bool) -> Output {
        let (src, remote) = (self.site.src(), self.gate.remote("m"));
        let mut command = self.site.smsync();
        match push {
            true => command.args(["push", "--delete", "--force-delete"]).arg(src).arg(remote),
            false => command.args(["pull", "--delete", "--force-delete"]).arg(remote).arg(src),
        };
        let output = output_within(&mut command, LIMIT);
        self.inetd.ended_within(LIMIT);
        output
    }

    /// Fails for want of room, as it should: soon, with the reason, and as if nothing had happened.
    #[track_caller]
    fn assert_fails(&self, push: bool, receiver: &Path, room: u64, what: &str) {
        let (before, root) = (walk(receiver), Node::of(receiver));
        let way = if push { &self.gate.up } else { &self.gate.down };
        let (passed, started) = (way.passed(), Instant::now());
        let output = self.run(push);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(74), "{what}: {said}");
        assert!(started.elapsed() < LIMIT / 3, "{what}: it took {:?}", started.elapsed());
        assert!(said.starts_with("smsync: 127.0.0.1:") && said.lines().count() == 1, "{what}: {said}");
        let step = ": cannot write into the stage: No space left on device";
        assert!(said.contains(step), "{what}: {said}");
        assert!(push || said.contains(": on this host: "), "{what}: whose disk is it? {said}");
        assert_eq!(differences(&before, &walk(receiver)), "", "{what}: something shows");
        assert_eq!(Node::of(receiver), root, "{what}: the root");
        assert!(!receiver.join(".smsync").exists(), "{what}: the stage is still there");
        let sent = way.passed() - passed;
        assert!(sent < room + ON_ITS_WAY, "{what}: {sent} bytes were sent");
    }

    #[track_caller]
    fn assert_converges(&self, push: bool, receiver: &Path, what: &str) {
        let output = self.run(push);
        assert_exit(&output, 0);
        assert_eq!(differences(&self.new, &walk(receiver)), "", "{what}");
        assert!(!receiver.join(".smsync").exists(), "{what}");
    }
}

/// Sizes in KiB in which the old tree has room and the new one has not.
const SIZES: [u64; 10] = [160, 172, 200, 256, 320, 480, 700, 1024, 2048, 8192];

#[test]
fn a_module_without_room() {
    if !may_mount("a_module_without_room") {
        return;
    }
    let full = Full::new("src");
    let dst = full.site.dst();
    for size in SIZES {
        let disk = Mounted::tmpfs(&dst, &format!("size={size}k"));
        scenario::old(&dst);
        full.assert_fails(true, &dst, size << 10, &format!("{size} KiB"));
        if size == SIZES[0] || size == SIZES[9] {
            disk.again("size=128m");
            full.assert_converges(true, &dst, "with more room");
        }
    }
}

#[test]
fn a_module_without_room_for_files() {
    if !may_mount("a_module_without_room_for_files") {
        return;
    }
    let full = Full::new("src");
    let dst = full.site.dst();
    // On tmpfs each name of a file counts, and so does the root.
    let had = {
        let _disk = Mounted::tmpfs(&dst, "size=1m");
        scenario::old(&dst);
        let output = tool(
            "stat",
            "coreutils",
            &["-f", "-c", "%c %d"].map(OsStr::new).into_iter().chain([dst.as_os_str()]).collect::<Vec<_>>(),
        );
        let text = String::from_utf8(output.stdout).unwrap();
        let (all, free) = text.trim().split_once(' ').unwrap();
        all.parse::<u64>().unwrap() - free.parse::<u64>().unwrap()
    };
    for more in [0, 1, 2, 5, 10, 18, 20, 25, 30, 34] {
        let disk = Mounted::tmpfs(&dst, &format!("size=128m,nr_inodes={}", had + more));
        scenario::old(&dst);
        full.assert_fails(true, &dst, 64 << 20, &format!("{more} files more"));
        if more == 0 || more == 34 {
            disk.again("nr_inodes=1000");
            full.assert_converges(true, &dst, "with room for files");
        }
    }
}

#[test]
fn a_destination_without_room() {
    if !may_mount("a_destination_without_room") {
        return;
    }
    let full = Full::new("dst");
    let src = full.site.src();
    for options in ["size=160k", "size=700k", "size=8192k", "size=128m,nr_inodes=50"] {
        let disk = Mounted::tmpfs(&src, options);
        scenario::old(&src);
        full.assert_fails(false, &src, 64 << 20, options);
        disk.again("size=128m,nr_inodes=1000");
        full.assert_converges(false, &src, options);
    }
}

/// Where specifications are spooled on both sides, and locks are kept.
#[test]
fn a_spool_or_state_directory_without_room() {
    if !may_mount("a_spool_or_state_directory_without_room") {
        return;
    }
    let full = Full::new("src");
    for number in 0..3000 {
        fs::write(full.site.src().join(format!("{number:0100}")), "").unwrap();
    }
    let dst = full.site.dst();
    scenario::old(&dst);
    let before = walk(&dst);
    // The site's client spools where its server does.
    fs::create_dir(full.site.path("server-spool")).unwrap();
    let conf = full.site.server_conf("");
    let conf = conf
        .replace(full.site.path("spool").to_str().unwrap(), full.site.path("server-spool").to_str().unwrap());
    full.site.write_private("smsyncd.conf", &conf);
    for (dir, options, words) in [
        ("spool", "size=4k", "cannot write the specification into the spool directory"),
        ("spool", "size=300k", "cannot write the specification into the spool directory"),
        ("spool", "nr_inodes=1", "cannot make a file in the spool directory"),
        ("server-spool", "size=4k", "cannot write the specification into the spool directory"),
        ("server-spool", "size=300k", "cannot write the specification into the spool directory"),
        // The sender's finds room, the one of the tree that is there does not.
        ("server-spool", "size=800k,nr_inodes=2", "cannot make a file in the spool directory"),
        ("server-spool", "nr_inodes=1", "cannot make a file in the spool directory"),
        ("state", "nr_inodes=1,mode=700", "cannot use the directory of module m in the state directory"),
        ("state.kept", "nr_inodes=1,mode=700", "cannot lock the tree, in or beside the state directory"),
    ] {
        let what = format!("{dir} {options}");
        let disk = Mounted::tmpfs(&full.site.path(dir), options);
        let output = full.run(true);
        drop(disk);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(74), "{what}: {said}");
        assert!(said.contains(words) && said.contains("No space left on device"), "{what}: {said}");
        assert!(said.contains("127.0.0.1") && said.lines().count() == 1, "{what}: {said}");
        assert_eq!(differences(&before, &walk(&dst)), "", "{what}");
        assert!(!dst.join(".smsync").exists(), "{what}");
    }
    assert_exit(&full.run(true), 0);
    assert_eq!(differences(&walk(&full.site.src()), &walk(&dst)), "");
}

/// What waits at the module's root cannot go there: it is told before anything is sent.
#[test]
fn a_destination_on_another_file_system_than_its_module() {
    if !may_mount("a_destination_on_another_file_system_than_its_module") {
        return;
    }
    let full = Full::new("src");
    let sub = full.site.dst().join("sub");
    fs::create_dir(&sub).unwrap();
    let _disk = Mounted::tmpfs(&sub, "size=128m");
    let mut command = full.site.smsync();
    command.arg("push").arg(full.site.src()).arg(full.gate.remote("m/sub"));
    let output = output_within(&mut command, LIMIT);
    assert_exit(&output, 77);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("another file system is mounted there: export it"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(full.gate.up.passed() < ON_ITS_WAY, "files were sent");
    assert!(walk(&full.site.dst()).len() == 1 && !full.site.dst().join(".smsync").exists());
}

#[test]
fn a_module_that_cannot_be_written_to() {
    if !may_mount("a_module_that_cannot_be_written_to") {
        return;
    }
    let full = Full::new("src");
    let dst = full.site.dst();
    let disk = Mounted::tmpfs(&dst, "size=128m");
    scenario::old(&dst);
    let before = walk(&dst);
    disk.again("ro");
    let output = full.run(true);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_exit(&output, 74);
    assert!(said.starts_with("smsync: 127.0.0.1:") && said.lines().count() == 1, "{said}");
    assert!(said.contains("cannot write into the stage: Read-only file system"), "{said}");
    assert_eq!(differences(&before, &walk(&dst)), "");
    disk.again("rw");
    full.assert_converges(true, &dst, "when it can be written to");
    // A run with nothing to do writes nothing, and so is none the worse.
    disk.again("ro");
    full.assert_converges(true, &dst, "with nothing to do");
}

/// Mounted read-only from elsewhere, which is another thing than a file system that is.
#[test]
fn a_module_that_is_a_read_only_bind_mount() {
    if !may_mount("a_module_that_is_a_read_only_bind_mount") {
        return;
    }
    let full = Full::new("src");
    let dst = full.site.dst();
    fs::create_dir(full.site.path("real")).unwrap();
    scenario::old(&full.site.path("real"));
    let disk = Mounted::bind(&full.site.path("real"), &dst);
    disk.again("bind,ro");
    let before = walk(&dst);
    let started = Instant::now();
    let output = full.run(true);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_exit(&output, 74);
    assert!(started.elapsed() < LIMIT / 3, "it took {:?}", started.elapsed());
    assert!(said.contains("cannot write into the stage: Read-only file system"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(differences(&before, &walk(&dst)), "");
    disk.again("bind,rw");
    full.assert_converges(true, &dst, "when it can be written to");
}

/// As a kernel does it that found an error on the disk.
#[test]
fn a_module_that_becomes_read_only_in_the_middle() {
    if !may_mount("a_module_that_becomes_read_only_in_the_middle") {
        return;
    }
    let full = Full::new("src");
    let dst = full.site.dst();
    let image = full.site.path("image");
    fs::File::create(&image).unwrap().set_len(256 << 20).unwrap();
    let made = tool("mkfs.ext4", "e2fsprogs", &[OsStr::new("-q"), image.as_os_str()]);
    assert!(made.status.success());
    let disk = Mounted::ext4(&image, &dst);
    fs::remove_dir(dst.join("lost+found")).unwrap();
    scenario::old(&dst);
    // What was not on the disk would be gone with it.
    rustix::fs::syncfs(fs::File::open(&dst).unwrap()).unwrap();
    let before = walk(&dst);
    full.gate.up.hold_after_more((BALLAST / 2) as u64);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| full.run(true));
        full.gate.up.wait_held();
        disk.again("abort");
        full.gate.up.release();
        let output = run.join().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_exit(&output, 74);
        assert!(said.contains("cannot ") && said.lines().count() == 1, "{said}");
        assert!(said.contains("write into the stage: Read-only file system"), "{said}");
    });
    disk.end();
    let full = Full { gate: Gate::to(full.inetd.port), ..full };
    let _disk = Mounted::ext4(&image, &dst);
    let mut after = walk(&dst);
    after.retain(|path, _| !path.starts_with(".smsync"));
    assert_eq!(differences(&before, &after), "", "something shows");
    full.assert_converges(true, &dst, "when it is mounted again");
}
