//! A session is confined before it reads what its client wants: strace(1) sees what it still asks of the kernel; kernels
//! that lack a layer are simulated; and it is the user that the module says.

use crate::common::audit::{Audit, offence};
use crate::common::tree::{For, build};
use crate::common::{Inetd, SMSYNCD, Site, assert_exit, is_root};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;

/// A site of which the module has these parameters more.
fn site_with(parameters: &str) -> Site {
    let site = Site::new();
    let conf = site.server_conf("").replace("[ro]", &format!("{parameters}\n[ro]"));
    site.write_private("smsyncd.conf", &conf);
    site
}

/// Serves under strace(1) with these options more.
fn traced(site: &Site, options: &[&str]) -> (Inetd, PathBuf) {
    let (config, trace) = (site.path("smsyncd.conf"), site.path("trace"));
    let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
    let file = trace.clone();
    let inetd = Inetd::start(move || {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-s", "0", "-e", "signal=none", "-o"]).arg(&file).args(&options);
        command.arg(SMSYNCD).args(["-d", "-c"]).arg(&config);
        command
    });
    (inetd, trace)
}

/// What this user can have, as the log names it.
fn layers(site: &Site) -> String {
    let line = site.log().lines().rfind(|line| line.contains("confined by")).map(str::to_owned);
    let line = line.unwrap_or_else(|| panic!("nothing is said of confinement: {}", site.log()));
    line.split_once("confined by ").unwrap().1.to_owned()
}

#[test]
fn what_a_confined_session_asks_of_the_kernel() {
    let site = Site::new();
    build(&site.src(), For::Us);
    let (inetd, trace) = traced(&site, &[]);
    let remote = inetd.remote("m");
    let (src, back) = (site.src(), site.path("back"));
    fs::create_dir(&back).unwrap();
    let mut calls = 0;
    for arguments in [
        &["push", "--delete", src.to_str().unwrap(), &remote][..],
        &["push", "-c", "--delete", src.to_str().unwrap(), &remote],
        &["pull", "--delete", &remote, back.to_str().unwrap()],
        &["pull", "-L", "-n", &inetd.remote("ro"), back.to_str().unwrap()],
    ] {
        let output = site.run(arguments);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{arguments:?}: {output:?}");
        inetd.ended();
        let audit = Audit::of(&fs::read_to_string(&trace).unwrap());
        assert!(audit.calls.len() > 500, "{arguments:?}: {} calls", audit.calls.len());
        assert_eq!(audit.offences(), Vec::<String>::new(), "{arguments:?}");
        // Nothing that replicating takes is kept from it; an ordinary user may not all of it anyhow.
        if is_root() {
            assert_eq!(audit.refused, Vec::<String>::new(), "{arguments:?}");
        }
        calls += audit.calls.len();
        let all = if is_root() { "chroot, caps, landlock" } else { "landlock" };
        let layers = layers(&site);
        assert!(layers.starts_with(all) && layers.ends_with(", seccomp"), "{layers}");
    }
    println!("{calls} calls");
}

#[test]
fn an_audit_finds_what_is_wrong() {
    for (call, what) in [
        ("openat(4, \"a\", O_RDONLY|O_NOFOLLOW|O_CLOEXEC) = 5", None),
        ("openat(4, \"a/b\", O_RDONLY|O_NOFOLLOW|O_CLOEXEC) = 5", Some("a path")),
        ("openat(AT_FDCWD, \"a\", O_RDONLY|O_NOFOLLOW|O_CLOEXEC) = 5", Some("begins nowhere")),
        ("openat(4, \"a\", O_RDONLY|O_CLOEXEC) = 5", Some("follows links")),
        ("openat(4, \"a\", O_RDONLY|O_NOFOLLOW) = 5", Some("can be inherited")),
        ("newfstatat(4, \"a\", {}, 0) = 0", Some("follows links")),
        ("symlinkat(\"/etc/passwd\", 4, \"a\") = 0", None),
        ("symlinkat(\"x\", 4, \"a/b\") = 0", Some("a path")),
        ("execve(\"/bin/sh\"...) = 0", Some("not to be called")),
        ("clone(child_stack=NULL, flags=SIGCHLD) = 9", Some("a new process")),
        ("renameat(4, \"a\", 5, \"/b\") = 0", Some("a path")),
        ("write(4, \"\"..., 9) = 9", None),
    ] {
        let found = offence(call);
        assert_eq!(found.as_deref().and_then(|found| found.split(": ").next()), what, "{call}");
    }
    let trace = "7 openat(AT_FDCWD, \"/etc/x\", O_RDONLY) = 3\n8 socket(AF_INET, 1, 0) = 4\n\
                 7 socket(AF_UNIX, SOCK_DGRAM, 0) = -1 EPERM (Operation not permitted)\n\
                 8 openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY) = 3\n\
                 7 clone(child_stack=1, flags=CLONE_VM|CLONE_THREAD) = 9\n9 close(3) = 0\n";
    assert_eq!(Audit::of(trace).calls.len(), 2);
}

/// What old kernels and containers say, and what is then said of it.
const LACKS: [(&str, &str, bool); 7] = [
    ("landlock_create_ruleset:error=ENOSYS", "landlock: this kernel has no Landlock", false),
    ("landlock_create_ruleset:error=EOPNOTSUPP", "landlock: this kernel has", false),
    ("landlock_create_ruleset:retval=1", "landlock: this kernel has no Landlock of version 2", false),
    ("seccomp:error=EINVAL", "seccomp: ", false),
    ("chroot:error=EPERM", "chroot: Operation not permitted", true),
    ("open_tree:error=EPERM", "chroot: Operation not permitted", true),
    ("capset:error=EPERM", "caps: Operation not permitted", true),
];

#[test]
fn a_layer_that_is_lacking_is_refused_or_warned_of() {
    for (fault, words, root) in LACKS {
        if root && !is_root() {
            continue;
        }
        for (sandbox, exit) in [("require", 71), ("prefer", 0), ("off", 0)] {
            let site = site_with(&format!("sandbox = {sandbox}"));
            fs::write(site.src().join("f"), "contents").unwrap();
            let call = fault.split(':').next().unwrap();
            let (inject, trace) = (format!("inject={fault}"), format!("trace={call}"));
            let (inetd, _) = traced(&site, &["-e", &trace, "-e", &inject]);
            let output = site.run(&["push", site.src().to_str().unwrap(), &inetd.remote("m")]);
            assert_exit(&output, exit);
            inetd.ended();
            let (log, said) = (site.log(), String::from_utf8_lossy(&output.stderr).into_owned());
            let is = |start: &str| log.lines().any(|line| line.contains(start) && line.contains(words));
            match sandbox {
                "require" => {
                    assert!(is("cannot confine itself: "), "{fault}: {log}");
                    assert!(said.contains("the server cannot confine itself; its log says why"), "{said}");
                    assert!(!site.dst().join("f").exists());
                }
                "prefer" => {
                    assert!(is("not confined by "), "{fault}: {log}");
                    assert!(site.dst().join("f").exists());
                }
                _ => assert!(log.contains("confined by nothing"), "{fault}: {log}"),
            }
        }
    }
}

#[test]
fn a_module_without_chroot_has_the_rest() {
    let site = site_with("use chroot = no");
    fs::write(site.src().join("f"), "contents").unwrap();
    let (inetd, _) = traced(&site, &["-e", "trace=chroot"]);
    assert_exit(&site.run(&["push", site.src().to_str().unwrap(), &inetd.remote("m")]), 0);
    let layers = layers(&site);
    assert!(!layers.contains("chroot") && layers.contains("landlock"), "{layers}");
    if !is_root() {
        let site = site_with("use chroot = yes");
        let inetd = site.serve();
        assert_exit(&site.run(&["push", site.src().to_str().unwrap(), &inetd.remote("m")]), 71);
    }
}

#[test]
fn a_session_is_the_user_that_the_module_says() {
    let site = site_with("uid = 65534\ngid = 65534, 4");
    fs::write(site.src().join("f"), "contents").unwrap();
    let src = site.src();
    let push = |site: &Site| {
        let inetd = site.serve();
        let output = site.run(&["push", src.to_str().unwrap(), &inetd.remote("m")]);
        inetd.ended();
        output
    };
    if !is_root() {
        let site = site_with("uid = 0\ngid = 0");
        assert_exit(&push(&site), 71);
        assert!(
            site.log().contains("become uid 0 gid 0: only root can become another user"),
            "{}",
            site.log()
        );
        return;
    }
    // It needs the way there, and the place where specifications are kept.
    let open = |path: &std::path::Path, mode| crate::common::tree::chmod(path, mode);
    open(&site.path(""), 0o755);
    open(&site.path("spool"), 0o1777);
    let nobody = Some(65534);
    std::os::unix::fs::chown(site.dst(), nobody, nobody).unwrap();
    assert_exit(&push(&site), 0);
    let stat = fs::metadata(site.dst().join("f")).unwrap();
    assert_eq!((stat.uid(), stat.gid()), (65534, 65534));
    let own = fs::metadata(site.path("state/uid-65534-m")).unwrap();
    assert_eq!((own.uid(), own.mode() & 0o7777), (65534, 0o700));
    // Root could; this user cannot.
    std::os::unix::fs::chown(site.dst(), Some(0), Some(0)).unwrap();
    open(&site.dst(), 0o755);
    fs::write(src.join("g"), "more").unwrap();
    let refused = push(&site);
    assert!(!refused.status.success() && !site.dst().join("g").exists(), "{refused:?}");
    // A file of the group that is his second one is his to read.
    open(&site.dst(), 0o750);
    std::os::unix::fs::chown(site.dst(), Some(0), Some(4)).unwrap();
    let inetd = site.serve();
    fs::create_dir(site.path("back")).unwrap();
    assert_exit(&site.run(&["pull", &inetd.remote("m"), site.path("back").to_str().unwrap()]), 0);
    assert!(site.path("back/f").exists());
}

#[test]
fn names_of_owners_are_looked_up_outside() {
    if !is_root() {
        println!("skipped: only root gives files away");
        return;
    }
    let site = Site::new();
    fs::write(site.src().join("f"), "contents").unwrap();
    let user = nix::unistd::User::from_name("daemon").unwrap().expect("a user 'daemon'");
    std::os::unix::fs::chown(site.src().join("f"), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    let inetd = site.serve();
    // By name: the number alone would be another.
    let output =
        site.run(&["push", "--usermap", "daemon:bin", site.src().to_str().unwrap(), &inetd.remote("m")]);
    assert_exit(&output, 0);
    let bin = nix::unistd::User::from_name("bin").unwrap().expect("a user 'bin'");
    assert_eq!(fs::metadata(site.dst().join("f")).unwrap().uid(), bin.uid.as_raw());
}
