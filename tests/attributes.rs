//! Extended attributes, ACLs and capabilities: what `rsync -AX` carries, and nothing that leaks in.

use crate::common::mounted::{Mounted, may_mount};
use crate::common::tree::set_time;
use crate::common::{Site, assert_exit, end_object, is_root, rsync_differences, tool};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Runs one of the tools on a path.
#[track_caller]
fn run(program: &str, package: &str, arguments: &[&str], path: &Path) {
    let mut all: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    all.push(path.as_os_str());
    let output = tool(program, package, &all);
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn setfattr(name: &str, value: &str, path: &Path) {
    run("setfattr", "attr", &["-h", "-n", name, "-v", value], path);
}

fn setfacl(arguments: &[&str], path: &Path) {
    run("setfacl", "acl", arguments, path);
}

#[test]
fn attributes_and_acls_arrive_change_and_go() {
    let site = Site::new();
    let src = site.src();
    for dir in ["d", "d/e"] {
        fs::create_dir(src.join(dir)).unwrap();
    }
    for file in ["f", "g", "d/h"] {
        fs::write(src.join(file), file).unwrap();
    }
    setfattr("user.plain", "value", &src.join("f"));
    setfattr("user.odd = \\name#", "0x00ff0a", &src.join("f"));
    setfattr("user.large", &"x".repeat(3000), &src.join("g"));
    setfattr("user.on-dir", "1", &src.join("d"));
    setfacl(&["-m", "u:1:rw,g:2:r"], &src.join("g"));
    setfacl(&["-d", "-m", "u:1:rwx"], &src.join("d"));
    fs::write(src.join("d/inherits"), "").unwrap();
    if is_root() {
        std::os::unix::fs::symlink("f", src.join("l")).unwrap();
        setfattr("trusted.on-link", "1", &src.join("l"));
        setfattr("trusted.t", "1", &src.join("d/h"));
        fs::write(src.join("cap"), "x").unwrap();
        let capability = "0x0100000200200000000000000000000000000000";
        setfattr("security.capability", capability, &src.join("cap"));
    } else {
        println!("not root: trusted.* and security.* were not tried");
    }
    let inetd = site.serve();
    let push = || {
        assert_exit(&site.run(&["push", "--delete", src.to_str().unwrap(), &inetd.remote("m")]), 0);
        assert_eq!(rsync_differences(&site.src(), &site.dst()), "");
    };
    push();
    let before = site.run(&["--json", "push", src.to_str().unwrap(), &inetd.remote("m")]);
    assert!(
        String::from_utf8_lossy(&before.stdout).contains("\"changed\":0"),
        "a second run has nothing to do"
    );

    run("setfattr", "attr", &["-x", "user.plain"], &src.join("f"));
    setfattr("user.large", "small", &src.join("g"));
    setfacl(&["-b"], &src.join("g"));
    setfacl(&["-k"], &src.join("d"));
    setfacl(&["-m", "u:3:r"], &src.join("d/h"));
    push();
    if is_root() {
        // chown drops capabilities: they come back with it.
        std::os::unix::fs::chown(src.join("cap"), Some(7), Some(8)).unwrap();
        let capability = "0x0100000200200000000000000000000000000000";
        setfattr("security.capability", capability, &src.join("cap"));
        push();
    }
}

/// Where no permissions are said, those that are there stay, whatever an access list that comes would make of them.
#[test]
fn an_acl_sets_no_mode_where_none_is_said() {
    let site = Site::new();
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777;
    for (dir, modes) in [(site.src(), [0o777, 0o777, 0o777]), (site.dst(), [0o710, 0o600, 0o640])] {
        fs::create_dir(dir.join("d")).unwrap();
        fs::write(dir.join("f"), "f").unwrap();
        run("mkfifo", "coreutils", &[], &dir.join("p"));
        for (name, mode) in ["d", "f", "p"].into_iter().zip(modes) {
            fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
    }
    for name in ["d", "f", "p"] {
        setfacl(&["-m", "u:1:rwx,g::rwx,o::rwx"], &site.src().join(name));
    }
    let conf = site.server_conf("").replace("[m]", "[m]\nrefuse options = perms");
    site.write_private("smsyncd.conf", &conf);
    let inetd = site.serve();
    let (src, remote) = (site.src().display().to_string(), inetd.remote("m"));
    assert_exit(&site.run(&["push", &src, &remote]), 77);
    for _ in 0..2 {
        assert_exit(&site.run(&["push", "-R", "mode", &src, &remote]), 0);
        assert_eq!(["d", "f", "p"].map(|name| mode(&site.dst().join(name))), [0o710, 0o600, 0o640]);
    }
    // What is new gets what any new file gets.
    fs::create_dir(site.src().join("d/new")).unwrap();
    setfacl(&["-m", "u:1:rwx,g::rwx,o::rwx"], &site.src().join("d/new"));
    assert_exit(&site.run(&["push", "-R", "mode", &src, &remote]), 0);
    assert_eq!(mode(&site.dst().join("d/new")), 0o755);
}

#[test]
fn an_inherited_acl_does_not_leak() {
    let site = Site::new();
    fs::create_dir(site.src().join("d")).unwrap();
    fs::write(site.src().join("d/f"), "for its owner only").unwrap();
    fs::write(site.src().join("f"), "likewise").unwrap();
    fs::create_dir(site.src().join("old")).unwrap();
    fs::create_dir(site.src().join("old/new")).unwrap();
    fs::write(site.src().join("old/f"), "likewise").unwrap();
    std::os::unix::fs::symlink("f", site.src().join("old/l")).unwrap();
    fs::create_dir(site.dst().join("old")).unwrap();
    // Whoever owns the module's root, or a directory in it, would have everything that is made there readable for user 1.
    setfacl(&["-d", "-m", "u:1:rwx"], &site.dst());
    setfacl(&["-d", "-m", "u:1:rwx"], &site.dst().join("old"));
    let inetd = site.serve();
    assert_exit(&site.run(&["push", "-R", "xattr", site.src().to_str().unwrap(), &inetd.remote("m")]), 0);
    for path in ["d", "d/f", "f", "old/new", "old/f"] {
        let path = site.dst().join(path);
        let output = tool("getfacl", "acl", &[OsStr::new("-cps"), path.as_os_str()]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{}", path.display());
    }
}

#[test]
fn what_is_not_carried_is_left_alone() {
    let site = Site::new();
    fs::write(site.src().join("f"), "x").unwrap();
    let inetd = site.serve();
    let push = |options: &[&str]| {
        let (src, remote) = (site.src(), inetd.remote("m"));
        let arguments = [&["push"], options, &[src.to_str().unwrap(), &remote]].concat();
        assert_exit(&site.run(&arguments), 0);
    };
    push(&[]);
    setfattr("user.local", "1", &site.dst().join("f"));
    push(&["-R", "xattr"]);
    let output = tool("getfattr", "attr", &[OsStr::new("-d"), site.dst().join("f").as_os_str()]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("user.local"));
    push(&[]);
    let output = tool("getfattr", "attr", &[OsStr::new("-d"), site.dst().join("f").as_os_str()]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

/// ext4 keeps the attributes of a file in one block: what is larger than that is no full disk.
#[test]
fn attributes_too_large_for_the_file_system() {
    if !may_mount("attributes_too_large_for_the_file_system") {
        return;
    }
    let site = Site::in_memory();
    let _disk = Mounted::new_ext4(&site.path("image"), &site.dst(), &[]);
    fs::remove_dir(site.dst().join("lost+found")).unwrap();
    for file in ["a", "f", "z"] {
        fs::write(site.src().join(file), file).unwrap();
    }
    for dir in ["d", "e"] {
        fs::create_dir(site.src().join(dir)).unwrap();
    }
    setfattr("user.large", &"x".repeat(5000), &site.src().join("f"));
    setfattr("user.large", &"x".repeat(5000), &site.src().join("d"));
    let inetd = site.serve();
    let output = site.run(&["--json", "push", site.src().to_str().unwrap(), &inetd.remote("m")]);
    assert_exit(&output, 1);
    let said = String::from_utf8_lossy(&output.stdout);
    for path in ["d", "f"] {
        let problem = format!(
            r#""path":"{path}","reason":"the file system there has no room for so large ones","side":"remote","step":"carry extended attributes of""#
        );
        assert!(said.contains(&problem), "{problem} in\n{said}");
    }
    assert_eq!(end_object(&output)["problems"], 2);
    for file in ["a", "z"] {
        assert_eq!(fs::read_to_string(site.dst().join(file)).unwrap(), file);
    }
    assert!(site.dst().join("d").is_dir() && site.dst().join("e").is_dir());
    assert!(!site.dst().join("f").exists() && !site.dst().join(".smsync").exists());
}

/// Once a kind, with the first path, and no failure.
#[test]
fn what_the_file_system_does_not_keep() {
    if !may_mount("what_the_file_system_does_not_keep") {
        return;
    }
    let site = Site::in_memory();
    let src = site.src();
    fs::create_dir(src.join("a")).unwrap();
    // One that is lost, though others of whole hundreds of nanoseconds are kept by more file systems.
    for (file, nsec) in [("b", 100), ("c", 123_456_789), ("d", 1)] {
        fs::write(src.join(file), file).unwrap();
        set_time(&src.join(file), 1_000_000_000, nsec);
    }
    for path in ["a", "c"] {
        setfattr("user.x", "1", &src.join(path));
    }
    for path in ["b", "c"] {
        setfacl(&["-m", "u:1:r"], &src.join(path));
    }
    let inetd = site.serve();
    let push = |options: &[&str]| {
        let remote = inetd.remote("m");
        let output = site.run(&[options, &["push", src.to_str().unwrap(), &remote]].concat());
        assert_exit(&output, 0);
        output
    };
    {
        let _disk = Mounted::ramfs(&site.dst());
        let output = push(&["--json"]);
        let said = String::from_utf8_lossy(&output.stdout);
        let lost = |feature, path| {
            format!(r#"{{"entries":2,"event":"unsupported","feature":"{feature}","path":"{path}"}}"#)
        };
        for lost in [lost("extended attributes", "c"), lost("access control lists", "b")] {
            assert_eq!(said.matches(&lost).count(), 1, "{lost} in\n{said}");
        }
        assert_eq!(said.matches("unsupported\",").count(), 2, "{said}");
        assert_eq!(end_object(&output)["unsupported"], 3);
    }
    {
        let _disk = Mounted::ramfs(&site.dst());
        let said = String::from_utf8(push(&[]).stderr).unwrap();
        let first =
            "smsync: c: extended attributes are not kept by the file system there (2 entries in all)\n";
        assert!(said.contains(first) && said.lines().count() == 2, "{said}");
    }
    // Inodes of 128 bytes have no room for nanoseconds.
    let _disk = Mounted::new_ext4(&site.path("image"), &site.dst(), &["-I", "128"]);
    let output = push(&["--json"]);
    let said = String::from_utf8_lossy(&output.stdout);
    let lost = r#"{"entries":3,"event":"unsupported","feature":"times so fine","path":"b"}"#;
    assert!(said.contains(lost), "{said}");
    assert_eq!(end_object(&output)["unsupported"], 3);
}
