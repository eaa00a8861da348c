//! What is replaced or removed is kept where it is to be, as with rsync; and a file that can have no more names.

use crate::common::tree::set_time;
use crate::common::walk::{Tree, differences, walk};
use crate::common::{Inetd, Site, assert_exit, end_object, scenario, tool};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Output;

pub fn push(site: &Site, inetd: &Inetd, options: &[&str], dest: &str) -> Output {
    let mut command = site.smsync();
    command.args(["--json", "push"]).args(options).arg(site.src()).arg(inetd.remote(dest));
    let output = command.output().unwrap();
    inetd.ended();
    output
}

pub fn rsync(options: &[&str], src: &Path, dst: &Path) {
    let (src, dst) = (format!("{}/", src.display()), format!("{}/", dst.display()));
    let mut arguments = vec!["-aHAX", "-@-1"];
    arguments.extend(options);
    arguments.extend([src.as_str(), dst.as_str()]);
    let output = tool("rsync", "rsync", &arguments.into_iter().map(OsStr::new).collect::<Vec<_>>());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What is there, but for the times and owners of directories that only hold backups.
fn files(at: &Path) -> Tree {
    let mut tree = walk(at);
    tree.retain(|_, node| !node.is_dir());
    tree
}

/// The same trees, with the same options, given to rsync and to us.
fn assert_like_rsync(options: &[&str]) {
    let site = Site::in_memory();
    let inetd = site.serve();
    let oracle = site.path("oracle");
    fs::create_dir(&oracle).unwrap();
    for at in [site.dst(), oracle.clone()] {
        fs::create_dir_all(at.join("d/e")).unwrap();
        for (name, text) in [
            ("same", "the same"),
            ("changed", "the old text"),
            ("removed", "removed"),
            ("d/changed", "the old text of this"),
            ("d/e/removed", "removed too"),
            ("older~", "a backup from before"),
            ("changed~", "an older backup"),
        ] {
            fs::write(at.join(name), text).unwrap();
            set_time(&at.join(name), 1_000_000_000, 0);
        }
        std::os::unix::fs::symlink("old", at.join("link")).unwrap();
        set_time(&at.join("link"), 1_000_000_000, 0);
    }
    let src = site.src();
    fs::create_dir_all(src.join("d/e")).unwrap();
    for (name, text) in
        [("same", "the same"), ("changed", "new"), ("d/changed", "new too"), ("added", "added")]
    {
        fs::write(src.join(name), text).unwrap();
    }
    set_time(&src.join("same"), 1_000_000_000, 0);
    std::os::unix::fs::symlink("new", src.join("link")).unwrap();
    rsync(&[&["--delete"], options].concat(), &src, &oracle);
    let output = push(&site, &inetd, &[&["--delete", "--force-delete"], options].concat(), "m");
    assert_exit(&output, 0);
    let (theirs, ours) = (files(&oracle), files(&site.dst()));
    assert_eq!(differences(&theirs, &ours), "", "{options:?}");
    let kept = end_object(&output)["kept"].as_u64().unwrap();
    assert!(kept >= 5, "{kept}");
    // The control: it was kept, and not only gone.
    assert!(ours.values().filter(|node| format!("{node:?}").contains("removed")).count() < 10);
    // And then there is nothing to do.
    let again = push(&site, &inetd, &[&["--delete"], options].concat(), "m");
    assert_exit(&again, 0);
    let sums = end_object(&again);
    assert_eq!(
        (&sums["files"], &sums["removed"], &sums["kept"]),
        (&0.into(), &0.into(), &0.into()),
        "{sums:?}"
    );
    assert_eq!(differences(&ours, &files(&site.dst())), "", "{options:?}");
}

#[test]
fn backups_are_where_rsync_puts_them() {
    assert_like_rsync(&["-b"]);
    assert_like_rsync(&["-b", "--suffix", ".old"]);
    assert_like_rsync(&["-b", "--backup-dir", "attic"]);
    assert_like_rsync(&["-b", "--backup-dir", "attic", "--suffix", "~"]);
}

#[test]
fn a_dry_run_counts_what_would_be_kept() {
    let site = Site::in_memory();
    let inetd = site.serve();
    scenario::new(&site.src());
    scenario::old(&site.dst());
    let options = ["--delete", "--force-delete", "-b", "--backup-dir", "attic/here"];
    let before = walk(&site.dst());
    let dry = push(&site, &inetd, &[&["-n"], &options[..]].concat(), "m");
    assert_exit(&dry, 0);
    assert_eq!(differences(&before, &walk(&site.dst())), "");
    let run = push(&site, &inetd, &options, "m");
    assert_exit(&run, 0);
    let (mut said, mut done) = (end_object(&dry), end_object(&run));
    assert!(said["kept"].as_u64().unwrap() > 10, "{said:?}");
    said.remove("dry_run");
    done.remove("dry_run");
    assert_eq!(said, done);
    // What was in directories that gave way is kept as well, and what was private stays so.
    assert_eq!(
        fs::read(site.dst().join("attic/here/dir-file/sub/f")).unwrap(),
        b"goes with its directory too"
    );
    assert_eq!(fs::read(site.dst().join("attic/here/goner/a/b/f")).unwrap(), b"deleted");
    for dir in ["attic", "attic/here"] {
        assert_eq!(fs::metadata(site.dst().join(dir)).unwrap().permissions().mode() & 0o7777, 0o700);
    }
    let mut now = walk(&site.dst());
    now.retain(|path, _| !path.starts_with("attic"));
    // What was one file with a name that was kept is so still, as with rsync.
    let kept = now.get_mut(Path::new("knot/c")).unwrap();
    assert!(kept.first.starts_with("attic"), "{kept:?}");
    kept.first = "knot/c".into();
    assert_eq!(differences(&walk(&site.src()), &now), "");
}

/// A directory that is not wanted stays for the backups in it, and is no extra then: what goes is told, and nothing else.
#[test]
fn a_directory_stays_for_the_backups_in_it() {
    for in_the_way in [false, true] {
        let site = Site::in_memory();
        let words = "transfer logging = yes\nlog format = %o=%n";
        site.write_private("smsyncd.conf", &site.server_conf(words));
        let inetd = site.serve();
        fs::create_dir_all(site.dst().join("b/empty")).unwrap();
        for name in ["b/f", "x"] {
            fs::write(site.dst().join(name), "old").unwrap();
        }
        if in_the_way {
            // It cannot become a file with backups in it: then nothing goes.
            fs::write(site.src().join("b"), "new").unwrap();
        }
        let (code, removed, extra) = if in_the_way { (1, 0, 3) } else { (0, 3, 0) };
        let told = |options: &[&str]| {
            let output = push(&site, &inetd, &[&["--delete", "--force-delete", "-b"], options].concat(), "m");
            assert_exit(&output, code);
            let sums = end_object(&output);
            let of = (&sums["removed"], &sums["extra"]);
            assert_eq!(of, (&removed.into(), &extra.into()), "{in_the_way} {options:?}: {sums:?}");
            let said = String::from_utf8(output.stdout).unwrap();
            let lines = said.lines().filter(|line| line.contains(r#""event":"extra""#));
            let deed = if in_the_way { r#""done":"kept""# } else { r#""done":"removed""# };
            lines
                .inspect(|line| assert!(line.contains(deed), "{line}"))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let forecast = told(&["-n"]);
        assert_eq!(forecast.len(), 3, "{forecast:?}");
        assert_eq!(told(&[]), forecast);
        assert_eq!(site.log().matches("del.=").count(), removed, "{}", site.log());
        if !in_the_way {
            let names: Vec<_> = walk(&site.dst()).into_keys().collect();
            assert_eq!(names, ["b", "b/f~", "x~"].map(std::path::PathBuf::from));
            let again = push(&site, &inetd, &["--delete", "--force-delete", "-b"], "m");
            assert_exit(&again, 0);
            assert_eq!(end_object(&again)["removed"], 0);
        }
    }
}

/// What cannot be kept is not removed, and told so.
#[test]
fn what_cannot_be_kept_stays() {
    let site = Site::in_memory();
    let inetd = site.serve();
    for file in [site.src().join("k"), site.dst().join("k"), site.dst().join("x"), site.dst().join("bk")] {
        fs::write(&file, "").unwrap();
        set_time(&file, 1_000_000_000, 0);
    }
    let options = ["--delete", "--force-delete", "-b", "--backup-dir", "bk"];
    let output = push(&site, &inetd, &options, "m");
    assert_exit(&output, 1);
    let sums = end_object(&output);
    assert_eq!((&sums["removed"], &sums["problems"]), (&0.into(), &1.into()), "{sums:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains(r#""done":"kept","event":"extra","path":"x""#), "{said}");
    assert!(site.dst().join("x").exists());
}

/// The other names of a file of which the first is in the way of a directory become one file all the same.
#[test]
fn a_name_that_cannot_be_leads_no_other() {
    let site = Site::in_memory();
    let inetd = site.serve();
    fs::write(site.src().join("a"), "one file").unwrap();
    for name in ["y", "z"] {
        fs::hard_link(site.src().join("a"), site.src().join(name)).unwrap();
    }
    fs::create_dir(site.dst().join("a")).unwrap();
    fs::write(site.dst().join("a/f"), "in the way").unwrap();
    for options in [&["-n"][..], &[]] {
        let output = push(&site, &inetd, &[&["--delete", "--force-delete", "-b"], options].concat(), "m");
        let sums = end_object(&output);
        let of = ["files", "linked", "problems", "removed"].map(|sum| sums[sum].as_u64().unwrap());
        assert_eq!(of, [1, 1, 1, 0], "{options:?}: {sums:?}");
    }
    let inode = |name| fs::metadata(site.dst().join(name)).unwrap().ino();
    assert_eq!(inode("y"), inode("z"));
    assert_eq!(fs::read_to_string(site.dst().join("z")).unwrap(), "one file");
    assert_eq!(fs::read_to_string(site.dst().join("a/f")).unwrap(), "in the way");
}

/// Files of these names, of which those in one row are one file.
fn groups(at: &Path, rows: &[(&[&str], &str)]) {
    for (names, text) in rows {
        let first = at.join(names[0]);
        for name in *names {
            fs::create_dir_all(at.join(name).parent().unwrap()).unwrap();
            if *name == names[0] {
                fs::write(&first, text).unwrap();
            } else {
                fs::hard_link(&first, at.join(name)).unwrap();
            }
        }
        set_time(&first, 1_000_000_000, 0);
    }
}

/// Names that the source has among the backups are left alone, and the other names of such a file are one file: what was
/// kept of them stays.
#[test]
fn names_of_the_source_among_the_backups() {
    for (src, dst, options, kept) in [
        (
            &[(&["BK/a", "y", "z"][..], "new")][..],
            &[(&["y"][..], "old one"), (&["z"], "older")][..],
            &[][..],
            2,
        ),
        (&[(&["BK/a", "y"], "new")], &[(&["y"], "old")], &["-I"], 1),
        (&[(&["BK/c", "b", "c"], "new")], &[(&["BK/c", "c"], "new"), (&["b"], "new")], &[], 1),
        (&[(&["BK/a", "z"], "new"), (&["w"], "new")], &[(&["w", "z"], "new")], &[], 0),
        (&[(&["a", "y", "z"], "new")], &[(&["a/f"], ""), (&["y"], "old one"), (&["z"], "older")], &[], 2),
    ] {
        let site = Site::in_memory();
        let inetd = site.serve();
        groups(&site.src(), src);
        groups(&site.dst(), dst);
        let blocked = dst[0].0[0] == "a/f";
        let mut before = None;
        for round in 0..3 {
            let options =
                [&["-b", "--backup-dir", "BK"][..], if round == 0 { options } else { &[] }].concat();
            let output = push(&site, &inetd, &options, "m");
            assert_exit(&output, i32::from(blocked));
            let sums = end_object(&output);
            assert_eq!(sums["kept"], if round == 0 { kept } else { 0 }, "{round} {src:?}: {sums:?}");
            let backups = ["y", "z"].map(|name| fs::read_to_string(site.dst().join("BK").join(name)).ok());
            assert_eq!(*before.get_or_insert(backups.clone()), backups, "{src:?}");
            let inode = |path: PathBuf| fs::metadata(path).unwrap().ino();
            for one in ["b", "c", "w", "y", "z"].iter().filter(|one| site.src().join(one).exists()) {
                assert_eq!(fs::read_to_string(site.dst().join(one)).unwrap(), "new", "{round} {src:?}");
                for other in ["b", "c", "w", "y", "z"].iter().filter(|one| site.src().join(one).exists()) {
                    let are_one = |at: PathBuf| inode(at.join(one)) == inode(at.join(other));
                    assert_eq!(are_one(site.src()), are_one(site.dst()), "{round} {one} {other} {src:?}");
                }
            }
        }
    }
}

/// The directory of backups is made, and what holds it is as it was.
#[test]
fn a_run_with_backups_is_followed_by_one_that_has_nothing_to_do() {
    let site = Site::in_memory();
    let inetd = site.serve();
    for (dir, text) in [(site.src(), "new"), (site.dst(), "older")] {
        fs::create_dir(dir.join("d")).unwrap();
        fs::write(dir.join("d/f"), text).unwrap();
        for path in ["d", ""] {
            set_time(&dir.join(path), 1_000_000_000, 0);
        }
    }
    for changed in [true, false] {
        let output = push(&site, &inetd, &["-b", "--backup-dir", "kept/here"], "m");
        assert_exit(&output, 0);
        let sums = end_object(&output);
        assert_eq!((sums["files"] == 1, &sums["changed"]), (changed, &0.into()), "{sums:?}");
    }
    assert_eq!(fs::read_to_string(site.dst().join("kept/here/d/f")).unwrap(), "older");
}

#[test]
fn a_name_of_the_source_is_no_place_for_a_backup() {
    let site = Site::in_memory();
    let inetd = site.serve();
    for (dir, text) in [(site.src(), "newer"), (site.dst(), "old")] {
        fs::write(dir.join("f"), text).unwrap();
        fs::write(dir.join("f~"), format!("{text} of another")).unwrap();
    }
    let output = push(&site, &inetd, &["-b"], "m");
    assert_exit(&output, 1);
    assert_eq!(fs::read(site.dst().join("f")).unwrap(), b"old");
    assert_eq!(fs::read(site.dst().join("f~")).unwrap(), b"newer of another");
    assert_eq!(fs::read(site.dst().join("f~~")).unwrap(), b"old of another");
}

#[test]
fn a_directory_that_is_not_empty_gives_way_to_no_backup() {
    for (options, place) in [(&["-b"][..], "f~"), (&["-b", "--backup-dir", "kept"], "kept/f")] {
        let site = Site::in_memory();
        let inetd = site.serve();
        fs::write(site.src().join("f"), "newer").unwrap();
        fs::write(site.dst().join("f"), "old").unwrap();
        fs::create_dir_all(site.dst().join(place)).unwrap();
        fs::write(site.dst().join(place).join("precious"), "of somebody").unwrap();
        let output = push(&site, &inetd, options, "m");
        assert_exit(&output, 1);
        assert_eq!(fs::read(site.dst().join("f")).unwrap(), b"old");
        assert_eq!(fs::read(site.dst().join(place).join("precious")).unwrap(), b"of somebody");
        // An empty one is in nobody's way.
        fs::remove_file(site.dst().join(place).join("precious")).unwrap();
        assert_exit(&push(&site, &inetd, options, "m"), 0);
        assert_eq!(fs::read(site.dst().join(place)).unwrap(), b"old");
        assert_eq!(fs::read(site.dst().join("f")).unwrap(), b"newer");
    }
}

/// What the suffix leaves no room for is told with what helps.
#[test]
fn a_name_without_room_for_a_suffix_is_kept_elsewhere() {
    let site = Site::in_memory();
    let inetd = site.serve();
    let name = "n".repeat(255);
    fs::write(site.src().join(&name), "newer").unwrap();
    fs::write(site.dst().join(&name), "old").unwrap();
    let output = push(&site, &inetd, &["-b"], "m");
    assert_exit(&output, 1);
    assert!(String::from_utf8_lossy(&output.stdout).contains("(--backup-dir without --suffix"), "{output:?}");
    assert_eq!(fs::read(site.dst().join(&name)).unwrap(), b"old");
    assert_exit(&push(&site, &inetd, &["-b", "--backup-dir", "kept"], "m"), 0);
    assert_eq!(fs::read(site.dst().join("kept").join(&name)).unwrap(), b"old");
}

/// A file can have so many names and no more: what is too many is a copy, and stays one.
#[test]
fn a_name_too_many_becomes_a_copy() {
    let site = Site::in_memory();
    fs::write(site.src().join("a"), "one file").unwrap();
    for name in ["b", "c"] {
        fs::hard_link(site.src().join("a"), site.src().join(name)).unwrap();
    }
    let fault = format!("{}:linkat", libc::EMLINK);
    let inetd = site.serve_with(&[("SMSYNC_FAULT", &fault)]);
    let inode = |name| fs::metadata(site.dst().join(name)).unwrap().ino();
    let mut inodes = None;
    for round in 0..3 {
        let output = push(&site, &inetd, &["--delete"], "m");
        assert_exit(&output, 0);
        let sums = end_object(&output);
        assert_eq!((&sums["copied"], &sums["linked"]), (&2.into(), &0.into()), "{round}: {sums:?}");
        for name in ["a", "b", "c"] {
            assert_eq!(fs::read(site.dst().join(name)).unwrap(), b"one file");
        }
        let now = ["a", "b", "c"].map(inode);
        assert_ne!(now[0], now[1]);
        // Later runs change nothing.
        assert_eq!(*inodes.get_or_insert(now), now);
    }
    // When there is room for names again they are links.
    let sound = site.serve();
    assert_exit(&push(&site, &sound, &[], "m"), 0);
    assert_eq!(differences(&walk(&site.src()), &walk(&site.dst())), "");
}

/// Where the file system has no links at all, backups are renamed.
#[test]
fn backups_where_nothing_can_have_two_names() {
    let site = Site::in_memory();
    for (dir, text) in [(site.src(), "new"), (site.dst(), "old text")] {
        fs::write(dir.join("f"), text).unwrap();
    }
    fs::write(site.dst().join("g"), "removed").unwrap();
    let fault = format!("{}:linkat", libc::EPERM);
    let inetd = site.serve_with(&[("SMSYNC_FAULT", &fault)]);
    assert_exit(&push(&site, &inetd, &["-b", "--delete"], "m"), 0);
    for (name, text) in [("f", "new"), ("f~", "old text"), ("g~", "removed")] {
        assert_eq!(fs::read_to_string(site.dst().join(name)).unwrap(), text, "{name}");
    }
    assert!(!site.dst().join("g").exists());
}
