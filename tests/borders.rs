//! What the receiver cannot see into is left alone: directories it may not list, file systems mounted in a module.

use crate::common::facts::traces;
use crate::common::tree::chmod;
use crate::common::trees::Trees;
use crate::common::{Inetd, SMSYNCD, Site, assert_exit, end_object, is_root};
use std::ffi::OsStr;
use std::fs;
use std::process::Command;

#[test]
fn a_directory_that_cannot_be_listed() {
    if is_root() {
        println!("skipped: root lists every directory");
        return;
    }
    let trees = Trees::new(|src| fs::write(src.join("f"), "f").unwrap());
    let (src, dst) = (trees.site.src(), trees.site.dst());
    // The receiver's: what is in it stays, also when it is extra or in the way.
    for (dir, mode) in [("shut", 0o300), ("extra", 0), ("way", 0o100)] {
        fs::create_dir(dst.join(dir)).unwrap();
        fs::write(dst.join(dir).join("inside"), "inside").unwrap();
        chmod(&dst.join(dir), mode);
    }
    fs::create_dir(src.join("shut")).unwrap();
    fs::write(src.join("shut/new"), "new").unwrap();
    fs::write(src.join("way"), "a file").unwrap();
    fs::write(src.join("f"), "changed").unwrap();
    let output = trees.push(&["--delete", "--force-delete"]);
    assert_exit(&output, 1);
    let said = String::from_utf8_lossy(&output.stdout);
    for (path, step, reason) in [
        ("shut", "list directory", "Permission denied"),
        ("extra", "list directory", "Permission denied"),
        ("way", "list directory", "Permission denied"),
        ("shut/new", "put in place", "Permission denied"),
        (
            "way",
            "put in place",
            "a directory that is not empty is in the way (--delete replaces it, unless it holds what is excluded)",
        ),
    ] {
        let problem = format!(r#""path":"{path}","reason":"{reason}","side":"remote","step":"{step}""#);
        assert!(said.contains(&problem), "{problem} in\n{said}");
    }
    // The rest was done.
    assert_eq!(fs::read(dst.join("f")).unwrap(), b"changed");
    for dir in ["shut", "extra", "way"] {
        chmod(&dst.join(dir), 0o700);
        assert_eq!(fs::read(dst.join(dir).join("inside")).unwrap(), b"inside");
    }
    trees.edit("once it may be listed", 2, |_| {});

    // The sender's: what is there stays, and only there.
    fs::write(src.join("shut/more"), "more").unwrap();
    chmod(&src.join("shut"), 0);
    fs::remove_file(src.join("f")).unwrap();
    let before = traces(&dst.join("shut/new"));
    let output = trees.push(&["--delete", "--force-delete"]);
    chmod(&src.join("shut"), 0o700);
    assert_exit(&output, 1);
    chmod(&dst.join("shut"), 0o700);
    assert_eq!(traces(&dst.join("shut/new")), before);
}

#[test]
fn a_file_that_cannot_be_read() {
    if is_root() {
        println!("skipped: root reads every file");
        return;
    }
    let trees = Trees::new(|src| {
        fs::write(src.join("f"), "f").unwrap();
        fs::write(src.join("g"), "g").unwrap();
    });
    let src = trees.site.src();
    for name in ["f", "g"] {
        fs::write(src.join(name), "changed").unwrap();
    }
    chmod(&src.join("f"), 0);
    fs::write(trees.site.dst().join("extra"), "").unwrap();
    let output = trees.push(&["--delete", "--force-delete"]);
    assert_exit(&output, 1);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains(r#""path":"f","reason":"Permission denied","side":"local","step":"read""#),
        "{said}"
    );
    assert_eq!(fs::read(trees.site.dst().join("f")).unwrap(), b"f");
    assert_eq!(fs::read(trees.site.dst().join("g")).unwrap(), b"changed");
    // Not all went well: nothing is removed.
    assert_eq!((&end_object(&output)["extra"], &end_object(&output)["removed"]), (&1.into(), &0.into()));
    chmod(&src.join("f"), 0o600);
    trees.edit("once it may be read", 1, |_| {});
}

#[test]
fn a_file_system_mounted_in_a_module() {
    let site = Site::new();
    fs::create_dir_all(site.dst().join("mounted")).unwrap();
    // In a mount namespace of its own, which ends with its process.
    let (mounted, listing) = (site.dst().join("mounted"), site.path("listing"));
    let script = "mount -t tmpfs none \"$0\" && : >\"$0/theirs\" || exit; \"$@\"; code=$?; ls \"$0\" >\"$LISTING\"; exit $code";
    let within = {
        let listing = listing.clone();
        move |program: &[&OsStr]| {
            let mut command = Command::new("unshare");
            command.args(["-m", "sh", "-c", script]).arg(&mounted).args(program).env("LISTING", &listing);
            command
        }
    };
    if !is_root() || !within(&[OsStr::new("true")]).status().unwrap().success() {
        println!("skipped: nothing can be mounted here");
        return;
    }
    fs::create_dir_all(site.src().join("mounted/d")).unwrap();
    fs::write(site.src().join("mounted/f"), "f").unwrap();
    fs::write(site.src().join("f"), "f").unwrap();
    let config = site.path("smsyncd.conf");
    let inetd = Inetd::start(move || within(&[OsStr::new(SMSYNCD), OsStr::new("-c"), config.as_os_str()]));
    let src = site.src();
    let output = site.run(&[
        "--json",
        "push",
        "--delete",
        "--force-delete",
        src.to_str().unwrap(),
        &inetd.remote("m"),
    ]);
    assert_exit(&output, 1);
    let said = String::from_utf8_lossy(&output.stdout);
    for path in ["mounted/f", "mounted/d"] {
        let problem = format!(r#""path":"{path}","reason":"another file system is mounted there"#);
        assert!(said.contains(&problem), "{problem} in\n{said}");
    }
    inetd.ended();
    assert_eq!(fs::read_to_string(listing).unwrap(), "theirs\n");
    assert_eq!(fs::read(site.dst().join("f")).unwrap(), b"f");
}
