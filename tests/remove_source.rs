//! Files that move: the source loses what has arrived, and nothing else, ever.

use crate::common::gate::{GREETING, Gate};
use crate::common::mounted::{Mounted, may_mount};
use crate::common::walk::{differences, walk};
use crate::common::{Inetd, Site, assert_exit, end_object, tool};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, UNIX_EPOCH};

fn file(path: &Path, text: &str, time: u64) {
    fs::write(path, text).unwrap();
    fs::File::open(path).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(time)).unwrap();
}

fn fill(src: &Path) {
    fs::create_dir_all(src.join("d/e")).unwrap();
    for name in ["f", "d/g", "d/e/h", "same"] {
        file(&src.join(name), name, 1_000_000_000);
    }
    fs::hard_link(src.join("f"), src.join("d/f-too")).unwrap();
    symlink("f", src.join("l")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        src.join("p"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
}

/// What is at the target before: a file that is the same, one that is newer, one that differs.
fn old(dst: &Path) {
    file(&dst.join("same"), "same", 1_000_000_000);
    file(&dst.join("f"), "newer", 1_000_000_009);
}

/// Source and target, both of them modules too.
struct Move {
    inetd: Inetd,
    /// Behind those who use it: it goes last.
    site: Site,
}

impl Move {
    fn new() -> Move {
        let site = Site::new();
        fill(&site.src());
        let src = site.src().display().to_string();
        let more = format!("[s]\npath = {src}\nread only = no\n[s-ro]\npath = {src}\n");
        site.write_private("smsyncd.conf", &(site.server_conf("durable = none") + &more));
        let inetd = site.serve();
        Move { site, inetd }
    }

    fn run(&self, push: bool, module: &str, options: &[&str]) -> Output {
        let (src, remote) = (self.site.src(), self.inetd.remote(module));
        let (src, dst) = (src.to_str().unwrap(), self.site.dst());
        let ends = if push { ["push", src, &*remote] } else { ["pull", &*remote, dst.to_str().unwrap()] };
        let [command, from, to] = ends;
        let fixed = ["--json", command, "--remove-source-files"];
        self.site.run(&[&fixed[..], options, &[from, to]].concat())
    }

    fn again(&self) {
        for (dir, fill) in [("src", fill as fn(&Path)), ("dst", old)] {
            let dir = self.site.path(dir);
            fs::remove_dir_all(&dir).unwrap();
            fs::create_dir(&dir).unwrap();
            fill(&dir);
        }
    }
}

#[test]
fn rsync_removes_the_same() {
    let trees = Move::new();
    let (src, dst) = (trees.site.src(), trees.site.dst());
    for options in [
        &[][..],
        &["--existing"],
        &["--ignore-existing"],
        &["-u"],
        &["--existing", "--ignore-existing"],
        &["-c"],
    ] {
        trees.again();
        let (from, to) = (format!("{}/", src.display()), format!("{}/", dst.display()));
        let fixed = ["-aHAX", "--remove-source-files"];
        let arguments = fixed.iter().chain(options).copied().chain([&*from, &*to]).map(OsStr::new);
        let output = tool("rsync", "rsync", &arguments.collect::<Vec<_>>());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let names = |tree: &crate::common::walk::Tree| tree.keys().cloned().collect::<Vec<_>>();
        let (left, arrived) = (names(&walk(&src)), names(&walk(&dst)));
        for push in [true, false] {
            trees.again();
            let before = walk(&src).len();
            let output = trees.run(push, if push { "m" } else { "s" }, options);
            assert_exit(&output, 0);
            assert_eq!(names(&walk(&src)), left, "what is left, push {push} {options:?}");
            assert_eq!(names(&walk(&dst)), arrived, "what arrived, push {push} {options:?}");
            assert_eq!(end_object(&output)["moved"], before - left.len(), "{options:?}");
        }
    }
}

#[test]
fn what_is_not_moved() {
    let trees = Move::new();
    trees.again();
    let (src, dst) = (trees.site.src(), trees.site.dst());
    let socket = src.join("socket");
    drop(UnixListener::bind(&socket).unwrap());
    let before = (walk(&src), walk(&dst));
    let unchanged = |what: &str| {
        assert_eq!(differences(&before.0, &walk(&src)), "", "{what}");
        assert_eq!(differences(&before.1, &walk(&dst)), "", "{what}");
    };
    // A dry run, either way, and a module that is read only.
    for (push, module) in [(true, "m"), (false, "s"), (false, "s-ro")] {
        let output = trees.run(push, module, &["-n"]);
        assert_exit(&output, 0);
        assert_eq!(end_object(&output)["moved"], 0);
        unchanged("a dry run");
    }
    let output = trees.run(false, "s-ro", &[]);
    assert_exit(&output, 77);
    assert!(String::from_utf8_lossy(&output.stderr).contains("the module is read only"));
    unchanged("a module that is read only");
    // The same directory on both sides: all of it is there, and all of it would be lost.
    let output = trees.run(true, "s", &[]);
    assert_exit(&output, 1);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("the source and the destination are one directory"), "{said}");
    unchanged("one directory");
    // What a specification does not want changed.
    let spec = "#mtree\n. type=dir\n./f type=file size=1 time=1000000000.0\n\
                ./same type=file size=4 time=1000000000.0 optional nochange\n";
    fs::write(trees.site.path("spec"), spec).unwrap();
    let spec = trees.site.path("spec");
    let output = trees.run(true, "m", &["--spec", spec.to_str().unwrap()]);
    assert_exit(&output, 0);
    assert_eq!(end_object(&output)["moved"], 1);
    assert!(!src.join("f").exists() && src.join("same").exists() && socket.exists());
    // A socket stays, and the rest goes.
    assert_exit(&trees.run(true, "m", &[]), 0);
    let left: Vec<_> =
        walk(&src).into_iter().filter(|(_, node)| !node.is_dir()).map(|(path, _)| path).collect();
    assert_eq!(left, [Path::new("socket")]);
}

/// What is touched between its description and its removal may be another thing: it stays.
#[test]
fn what_is_touched_meanwhile() {
    let trees = Move::new();
    let src = trees.site.src();
    assert_exit(&trees.site.run(&["push", src.to_str().unwrap(), &trees.inetd.remote("m")]), 0);
    let gate = Gate::to(trees.inetd.port);
    gate.down.hold_after(GREETING);
    let mut command = trees.site.smsync();
    command.args(["--json", "push", "--remove-source-files"]).arg(&src).arg(gate.remote("m"));
    let running =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    gate.down.wait_held();
    // The report waits at the gate. The same size and time, but another thing; and one that is gone.
    file(&src.join("same"), "SAME", 1_000_000_000);
    fs::remove_file(src.join("l")).unwrap();
    gate.down.release();
    let output = crate::common::ended_within(running, Duration::from_secs(30));
    assert_exit(&output, 3);
    let end = end_object(&output);
    assert_eq!((&end["vanished"], &end["moved"]), (&2.into(), &5.into()), "{end:?}");
    assert_eq!(fs::read(src.join("same")).unwrap(), b"SAME");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(r#""step":"remove from the source""#), "{said}");
}

#[test]
fn a_target_without_room_and_a_source_that_cannot_be_changed() {
    if !may_mount("a_target_without_room_and_a_source_that_cannot_be_changed") {
        return;
    }
    let trees = Move::new();
    let (src, dst) = (trees.site.src(), trees.site.dst());
    fs::write(src.join("z"), vec![b'z'; 1 << 20]).unwrap();
    let before = walk(&src);
    {
        let _disk = Mounted::tmpfs(&dst, "size=512k");
        assert_exit(&trees.run(true, "m", &[]), 74);
        assert_eq!(differences(&before, &walk(&src)), "", "the target was full");
    }
    let disk = Mounted::tmpfs(&src, "size=8m");
    fill(&src);
    let before = walk(&src);
    disk.again("ro");
    let output = trees.run(true, "m", &[]);
    assert_exit(&output, 1);
    let end = end_object(&output);
    assert_eq!((&end["moved"], &end["problems"]), (&0.into(), &7.into()));
    assert_eq!(differences(&before, &walk(&src)), "");
    assert!(walk(&dst).contains_key(Path::new("d/e/h")));
}
