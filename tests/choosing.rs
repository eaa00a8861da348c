//! Which differences count, and in what guise a tree arrives: rsync(1) with the same options does the same.

use crate::common::facts::traces;
use crate::common::mounted::{Mounted, may_mount};
use crate::common::walk::{Tree, differences, walk};
use crate::common::{Inetd, Site, assert_exit, end_object, is_root, tool};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

/// Makes a file of this text, time and mode.
fn file(path: &Path, text: &str, time: u64, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(time);
    fs::File::open(path).unwrap().set_modified(time).unwrap();
}

fn dirs(root: &Path, names: &[&str]) {
    names.iter().for_each(|name| fs::create_dir_all(root.join(name)).unwrap());
}

/// Gives a directory or a link the usual time.
fn touch(path: &Path) {
    let arguments = ["-h", "-d", "@1000000000"].map(OsStr::new);
    let output = tool("touch", "coreutils", &[&arguments[..], &[path.as_os_str()]].concat());
    assert!(output.status.success());
}

fn new(src: &Path) {
    dirs(src, &["d", "e", "dir-for-file"]);
    for name in ["d/new", "e/f", "new"] {
        file(&src.join(name), name, 1_000_000_000, 0o640);
    }
    file(&src.join("file-for-dir"), "file", 1_000_000_000, 0o644);
    file(&src.join("older"), "from the source", 1_000_000_000, 0o600);
    file(&src.join("newer"), "from the source", 1_000_000_100, 0o600);
    file(&src.join("near"), "SAME SIZE", 1_000_000_000, 0o644);
    file(&src.join("nearly"), "SAME SIZE", 1_000_000_002, 0o644);
    file(&src.join("same"), "SAME SIZE", 1_000_000_000, 0o600);
    file(&src.join("size"), "larger", 1_000_000_000, 0o600);
    symlink("new", src.join("link")).unwrap();
    symlink("new", src.join("new-link")).unwrap();
    file(&src.join("pair"), "pair", 1_000_000_000, 0o640);
    fs::hard_link(src.join("pair"), src.join("d/pair-too")).unwrap();
    fs::hard_link(src.join("new"), src.join("d/new-too")).unwrap();
    for path in ["d", "e", "dir-for-file", "link", "new-link"] {
        touch(&src.join(path));
    }
}

fn old(dst: &Path) {
    dirs(dst, &["d", "file-for-dir", "extra"]);
    file(&dst.join("dir-for-file"), "file", 1_000_000_000, 0o644);
    file(&dst.join("older"), "from the target", 1_000_000_100, 0o644);
    file(&dst.join("newer"), "from the target", 1_000_000_000, 0o644);
    file(&dst.join("near"), "same size", 1_000_000_001, 0o644);
    file(&dst.join("nearly"), "same size", 1_000_000_000, 0o644);
    file(&dst.join("same"), "same size", 1_000_000_000, 0o644);
    file(&dst.join("pair"), "pair", 1_000_000_000, 0o640);
    file(&dst.join("size"), "small", 1_000_000_000, 0o644);
    file(&dst.join("extra/f"), "extra", 1_000_000_000, 0o644);
    symlink("old", dst.join("link")).unwrap();
    for path in ["link", "file-for-dir", "extra"] {
        touch(&dst.join(path));
    }
    fs::set_permissions(dst.join("d"), fs::Permissions::from_mode(0o711)).unwrap();
}

/// A source that is a module too, for a pull, and what is made of one old tree by rsync, by a push and by a pull.
struct Trio {
    inetd: Inetd,
    /// Behind those who use it: it goes last.
    site: Site,
}

impl Trio {
    fn new(fill: impl FnOnce(&Path)) -> Trio {
        let site = Site::new();
        fill(&site.src());
        let conf = format!("{}[s]\npath = {}\n", site.server_conf("durable = none"), site.src().display());
        site.write_private("smsyncd.conf", &conf);
        let inetd = site.serve();
        Trio { site, inetd }
    }

    /// Makes the three targets anew, and has each be made like the source. Gives back what they are.
    #[track_caller]
    fn run(&self, options: &[&str], old: impl Fn(&Path)) -> Tree {
        let targets = ["expected", "dst", "back"].map(|name| self.site.path(name));
        for target in &targets {
            let _ = fs::remove_dir_all(target);
            fs::create_dir(target).unwrap();
            old(target);
        }
        let (src, remote) = (self.site.src(), self.inetd.remote("m"));
        let from = format!("{}/", src.display());
        // The window of -1 compares nanoseconds too, unless an option that follows has another.
        let fixed = ["-aHAX", "-@-1", "--delete"];
        let arguments = fixed.iter().chain(options).copied().chain([&*from, targets[0].to_str().unwrap()]);
        let output = tool("rsync", "rsync", &arguments.map(OsStr::new).collect::<Vec<_>>());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "rsync {options:?}: {said}");
        let expected = walk(&targets[0]);
        let (source, back) = (self.inetd.remote("s"), targets[2].to_str().unwrap());
        for (command, from, to, target) in
            [("push", src.to_str().unwrap(), &*remote, &targets[1]), ("pull", &*source, back, &targets[2])]
        {
            let run = || {
                let fixed = ["--json", command, "--delete"];
                let output = self.site.run(&[&fixed[..], options, &[from, to]].concat());
                assert_exit(&output, 0);
                end_object(&output)
            };
            run();
            assert_eq!(differences(&expected, &walk(target)), "", "{command} {options:?}");
            let before = traces(target);
            let again = run();
            let zero = &serde_json::Value::from(0);
            let is_idle = again.iter().all(|(name, value)| {
                !["files", "made", "linked", "changed", "removed"].contains(&name.as_str()) || value == zero
            });
            assert!(is_idle, "{command} {options:?}: {again:?}");
            assert_eq!(traces(target), before, "{command} {options:?}: a second run wrote");
        }
        expected
    }
}

#[test]
fn differences_that_count() {
    let trio = Trio::new(new);
    let mut results = Vec::new();
    for options in [
        &[][..],
        &["--existing"],
        &["--ignore-existing"],
        &["--existing", "--ignore-existing"],
        // With nanoseconds, rsync takes one second for no difference.
        &["--update", "--modify-window=0"],
        &["--size-only"],
        &["--ignore-times"],
        &["-I", "--existing"],
        &["--modify-window=1"],
        &["--modify-window=2"],
        &["-c"],
        &["-c", "--size-only"],
        &["-c", "-I"],
    ] {
        results.push(trio.run(options, |dst| {
            old(dst);
            if options.contains(&"--ignore-existing") {
                // rsync tries to look into the directory that it did not make, and touches the file.
                fs::remove_file(dst.join("dir-for-file")).unwrap();
            }
        }));
    }
    results.dedup();
    assert!(results.len() > 9, "these options make no difference");
    // Without the other's removal, nothing at all but directories.
    let both = trio.run(&["--existing", "--ignore-existing"], |dst| {
        old(dst);
        fs::remove_file(dst.join("dir-for-file")).unwrap();
    });
    assert!(!both.contains_key(Path::new("extra/f")) && !both.contains_key(Path::new("new")));
}

#[test]
fn modes_that_change_on_the_way() {
    if !is_root() {
        println!("not root: a directory that may not be listed is a problem for both; not tried");
        return;
    }
    let trio = Trio::new(|src| {
        for mode in [0, 0o644, 0o755, 0o4751, 0o2640, 0o1070, 0o7777] {
            file(&src.join(format!("f{mode:04o}")), "f", 1_000_000_000, mode);
            dirs(src, &[&format!("d{mode:04o}")]);
            fs::set_permissions(src.join(format!("d{mode:04o}")), fs::Permissions::from_mode(mode)).unwrap();
        }
        symlink("nowhere", src.join("l")).unwrap();
    });
    for list in [
        "g=u",
        "=u",
        "+u",
        "-g",
        "a=g",
        "g=u,o=g",
        "ug=o",
        "o=u",
        "o-u",
        "u+s,g=u",
        "a+s",
        "o+s",
        "=s",
        "+t",
        "u=rw",
        "u=rws",
        "g=",
        "=rX",
        "+X",
        "-w",
        "D755,F644",
        "Dg+s,Fo-w",
        "a-s",
        "02755",
        "=",
        "u=rwX,go=rX",
        "gu=u",
        "Do=u",
        "Dg+s,ug+w,Fo-w,+X",
    ] {
        let option = format!("--chmod={list}");
        trio.run(&[&option], |_| {});
    }
    trio.run(&["--chmod=F600", "--chmod=Fg+r,D700"], |_| {});
}

#[test]
fn owners_that_change_on_the_way() {
    if !is_root() {
        println!("skipped: only root gives files away");
        return;
    }
    let trio = Trio::new(|src| {
        for (number, owner) in
            [(0, 0), (1, 1), (2, 2), (1, 4242), (4242, 1), (4243, 4243)].into_iter().enumerate()
        {
            file(&src.join(number.to_string()), "f", 1_000_000_000, 0o4755);
            chown(src.join(number.to_string()), Some(owner.0), Some(owner.1)).unwrap();
            fs::set_permissions(src.join(number.to_string()), fs::Permissions::from_mode(0o4755)).unwrap();
            dirs(src, &[&format!("d{number}")]);
            chown(src.join(format!("d{number}")), Some(owner.0), Some(owner.1)).unwrap();
        }
        symlink("0", src.join("l")).unwrap();
    });
    for options in [
        &["--numeric-ids"][..],
        &["--usermap=0-1:7,*:daemon"],
        &["--usermap=daemon:7,:5", "--groupmap=bin:daemon,1:8"],
        &["--usermap=d*:7,[ab]?n:6"],
        &["--groupmap=*:bin"],
        &["--usermap=4242-5000:bin"],
        &["--usermap=root:77"],
        &["--chown=daemon:bin"],
        &["--chown=daemon"],
        &["--chown=:7"],
        &["--chown=5:"],
        &["--numeric-ids", "--usermap=1:9,*:11"],
        &["--chown=1:1", "--chmod=F6755,D2750"],
    ] {
        trio.run(options, |_| {});
    }
    // A name that the receiver does not know: one error, and before anything is done.
    let before = traces(&trio.site.dst());
    for (option, name) in
        [("--usermap=*:no-such", "user 'no-such'"), ("--chown=:nobody-knows", "group 'nobody-knows'")]
    {
        let (src, remote) = (trio.site.src(), trio.inetd.remote("m"));
        let output = trio.site.run(&["push", option, src.to_str().unwrap(), &remote]);
        assert_exit(&output, 64);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains(&format!("the receiver knows no {name}")) && said.lines().count() == 1,
            "{said}"
        );
        assert_eq!(traces(&trio.site.dst()), before);
    }
}

/// A name that nobody has here, with root's number: it is nobody's, not root's.
#[test]
fn an_unknown_name_never_becomes_root() {
    if !is_root() {
        println!("skipped: only root gives files away");
        return;
    }
    let site = Site::new();
    file(&site.src().join("f"), "f", 1_000_000_000, 0o4755);
    file(&site.src().join("g"), "g", 1_000_000_000, 0o755);
    let spec = "#mtree\n. type=dir\n./f type=file uname=no-such uid=0 gname=no-such gid=0 mode=04755 size=1 time=1000000000.0\n\
                ./g type=file uname=no-such uid=42 gid=42 mode=0755 size=1 time=1000000000.0\n";
    fs::write(site.path("spec"), spec).unwrap();
    let inetd = site.serve();
    let (src, spec, remote) = (site.src(), site.path("spec"), inetd.remote("m"));
    let output =
        site.run(&["--json", "push", "--spec", spec.to_str().unwrap(), src.to_str().unwrap(), &remote]);
    assert_exit(&output, 0);
    assert_eq!(end_object(&output)["unowned"], 1);
    let tree = walk(&site.dst());
    assert_eq!(tree[Path::new("f")].owner, (65534, 65534));
    assert_eq!(tree[Path::new("f")].mode, 0o4755);
    assert_eq!(tree[Path::new("g")].owner, (42, 42));
}

/// An ACL holds the mode: it changes with it, and a second run finds nothing to do.
#[test]
fn a_mode_that_changes_changes_the_acl() {
    let site = Site::new();
    file(&site.src().join("f"), "f", 1_000_000_000, 0o664);
    let acl = ["-m", "u:1:rwx,g:2:rw"].map(OsStr::new);
    let f = site.src().join("f");
    assert!(tool("setfacl", "acl", &[&acl[..], &[f.as_os_str()]].concat()).status.success());
    let inetd = site.serve();
    let push = || {
        let (src, remote) = (site.src(), inetd.remote("m"));
        let output = site.run(&["--json", "push", "--chmod=g-w,o=", src.to_str().unwrap(), &remote]);
        assert_exit(&output, 0);
        end_object(&output)
    };
    push();
    let f = site.dst().join("f");
    let output = tool("getfacl", "acl", &[OsStr::new("-cEn"), f.as_os_str()]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.trim(), "user::rw-\nuser:1:rwx\ngroup::rw-\ngroup:2:rw-\nmask::r-x\nother::---");
    assert_eq!(push()["changed"], 0);
}

#[test]
fn a_file_system_that_keeps_seconds() {
    if !may_mount("a_file_system_that_keeps_seconds") {
        return;
    }
    let site = Site::in_memory();
    let _disk = Mounted::new_ext4(&site.path("image"), &site.dst(), &["-I", "128"]);
    fs::remove_dir(site.dst().join("lost+found")).unwrap();
    dirs(&site.src(), &["d/e"]);
    for name in ["f", "d/g", "d/e/h"] {
        fs::write(site.src().join(name), name).unwrap();
    }
    symlink("f", site.src().join("l")).unwrap();
    let inetd = site.serve();
    let push = |options: &[&str]| {
        let (src, remote) = (site.src(), inetd.remote("m"));
        let output = site.run(&[&["--json", "push"], options, &[src.to_str().unwrap(), &remote]].concat());
        assert_exit(&output, 0);
        end_object(&output)
    };
    assert_eq!(push(&[])["files"], 3);
    let before = traces(&site.dst());
    for options in [&[][..], &["-c"], &["-n"], &["-u"]] {
        let again = push(options);
        assert_eq!((&again["files"], &again["changed"], &again["bytes"]), (&0.into(), &0.into(), &0.into()));
        assert_eq!(traces(&site.dst()), before, "{options:?} wrote");
    }
    // What is another time all the same is found.
    file(&site.src().join("f"), "F", 1_000_000_000, 0o644);
    assert_eq!(push(&[])["files"], 1);
    assert_eq!(fs::read(site.dst().join("f")).unwrap(), b"F");
}
