//! What a module lets others see and do, whatever they ask for.

use super::site::{Daemon, rows, said};
use crate::common::{assert_exit, is_root};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

rows! {
    rd_62_what_is_excluded_is_not_there,
    rd_62_what_is_excluded_is_neither_taken_nor_removed,
    rd_64_rules_in_files,
    rd_65_66_modes_on_their_way,
    rd_47_links_lead_nowhere,
    rd_51_owners_are_numbers,
    rd_96_what_is_too_large_stays_away,
    rd_91_a_module_limits_what_is_removed,
    rd_92_a_marker_is_nobodys,
    rd_76_what_cannot_be_read_is_not_there,
    rd_79_what_is_not_compressed,
    rd_81_a_time_of_access_stays,
}

/// What is in a directory and below, as paths.
pub fn paths(at: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![at.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            found.push(entry.path().strip_prefix(at).unwrap().to_str().unwrap().to_owned());
            if entry.file_type().unwrap().is_dir() {
                left.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

pub fn write(at: &Path, name: &str, text: &str) {
    let path = at.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn rd_62_what_is_excluded_is_not_there(daemon: &Daemon) {
    daemon.configure("", "exclude = /keys *.key + keep.key");
    let dst = daemon.site.dst();
    for name in ["keys/a", "sub/b.key", "sub/c", "keep.key"] {
        write(&dst, name, name);
    }
    symlink("sub/b.key", dst.join("link")).unwrap();
    assert_exit(&daemon.pull("ann", "m"), 0);
    assert_eq!(paths(&daemon.site.path("copy")), ["link", "sub", "sub/c"]);
    // Nor is anything below it, by whatever name it is asked for.
    for module in ["m/keys", "m/keys/a", "m/sub/b.key"] {
        let output = daemon.pull("ann", module);
        assert_exit(&output, 74);
        assert!(said(&output).contains("No such file or directory"), "{}", said(&output));
    }
    let to = daemon.site.path("other");
    fs::create_dir(&to).unwrap();
    let to = to.to_str().unwrap();
    for options in [&["-L"][..], &["--copy-unsafe-links"]] {
        let output = daemon.run("ann", &[&["pull"][..], options, &["127.0.0.1::m", to]].concat());
        assert_exit(&output, 77);
        assert!(said(&output).contains("no links are followed"), "{}", said(&output));
    }
    // A file of rules that is excluded is none: its lines would be told.
    fs::write(dst.join("sub/b.key"), "- c\n").unwrap();
    assert_exit(&daemon.run("ann", &["pull", "--filter", ": b.key", "127.0.0.1::m", to]), 0);
    assert_eq!(paths(Path::new(to)), ["link", "sub", "sub/c"]);
}

fn rd_62_what_is_excluded_is_neither_taken_nor_removed(daemon: &Daemon) {
    daemon.configure("", "exclude = /keys *.key lost+found/\ninclude = keep.key");
    let (src, dst) = (daemon.site.src(), daemon.site.dst());
    for name in ["keys/a", "sub/b.key", "gone/d.key", "gone/e", "lost+found/f", "keep.key"] {
        write(&dst, name, "as it was");
    }
    for name in ["keys/a", "keys/new", "sub/b.key", "sub/new.key", "sub/n", "keep.key", "lost+found"] {
        write(&src, name, "new");
    }
    // The second name of a file that stays away must not become one of what is there.
    fs::hard_link(src.join("keys/a"), src.join("z")).unwrap();
    fs::hard_link(src.join("keys/a"), src.join("z2")).unwrap();
    let (from, to) = (src.to_str().unwrap(), "127.0.0.1::m");
    let output = daemon.run("ann", &["push", "--delete", "--force-delete", from, to]);
    assert_exit(&output, 1);
    let text = said(&output);
    for name in ["keys", "sub/b.key", "sub/new.key", "lost+found"] {
        assert!(text.contains(&format!("{name}: cannot accept: the module excludes it")), "{name}: {text}");
    }
    assert!(!text.contains("keys/a"), "{text}");
    let expected = [
        "f",
        "gone",
        "gone/d.key",
        "keep.key",
        "keys",
        "keys/a",
        "lost+found",
        "lost+found/f",
        "sub",
        "sub/b.key",
        "sub/n",
        "z",
        "z2",
    ];
    assert_eq!(paths(&dst), expected);
    for name in ["keys/a", "sub/b.key", "gone/d.key", "lost+found/f"] {
        assert_eq!(fs::read_to_string(dst.join(name)).unwrap(), "as it was", "{name}");
    }
    for name in ["keep.key", "sub/n", "z", "z2"] {
        assert_eq!(fs::read_to_string(dst.join(name)).unwrap(), "new", "{name}");
    }
    let inode = |name: &str| fs::metadata(dst.join(name)).unwrap().ino();
    assert_eq!(inode("z"), inode("z2"));
    assert_ne!(inode("z"), inode("keys/a"));
    // Into it nothing goes either, nor by the ways around.
    for (arguments, code) in [
        (&["push", from, "127.0.0.1::m/keys"][..], 74),
        (&["push", from, "127.0.0.1::m/keys/deeper"], 74),
        (&["push", "--backup", "--suffix", ".key", from, to], 77),
        (&["push", "--backup", "--backup-dir", "keys", from, to], 77),
        (&["push", "--link-dest", "keys", from, to], 77),
    ] {
        let output = daemon.run("ann", arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
    }
    assert_eq!(paths(&dst), expected);
    // What was refused is no change, and the rest has nothing to do.
    let output = daemon.run("ann", &["--json", "push", "--delete", from, to]);
    assert_exit(&output, 1);
    let end = crate::common::end_object(&output);
    assert_eq!(
        (&end["files"], &end["removed"], &end["problems"]),
        (&0.into(), &0.into(), &4.into()),
        "{end:?}"
    );
}

fn rd_64_rules_in_files(daemon: &Daemon) {
    let file = |name: &str, text: &str| daemon.site.write_private(name, text).display().to_string();
    let (exclude, include) = (file("exclude", "# all but some\n*\n"), file("include", "*.txt\n; dirs\n*/\n"));
    daemon.configure("", &format!("exclude from = {exclude}\ninclude from = {include}"));
    for name in ["a.txt", "b.bin", "d/c.txt"] {
        write(&daemon.site.dst(), name, name);
    }
    assert_exit(&daemon.pull("ann", "m"), 0);
    assert_eq!(paths(&daemon.site.path("copy")), ["a.txt", "d", "d/c.txt"]);
    // Whoever may write it decides what is seen.
    crate::common::tree::chmod(&daemon.site.path("exclude"), 0o664);
    let check = daemon.site.smsyncd().arg("--check").output().unwrap();
    assert_exit(&check, 78);
    assert!(said(&check).contains("exclude is not for its owner alone"), "{}", said(&check));
    assert_exit(&daemon.pull("ann", "m"), 69);
}

fn rd_65_66_modes_on_their_way(daemon: &Daemon) {
    daemon.configure("", "incoming chmod = D2750,F640\noutgoing chmod = Fa+x,go-r");
    let (src, dst) = (daemon.site.src(), daemon.site.dst());
    write(&src, "d/g", "x");
    crate::common::tree::chmod(&src.join("f"), 0o4755);
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777;
    for _ in 0..2 {
        let output = daemon.run("ann", &["--json", "push", src.to_str().unwrap(), "127.0.0.1::m"]);
        assert_exit(&output, 0);
        assert_eq!((mode(&dst.join("f")), mode(&dst.join("d")), mode(&dst)), (0o640, 0o2750, 0o2750));
    }
    // The second time nothing is different.
    let output = daemon.run("ann", &["check", src.to_str().unwrap(), "127.0.0.1::m"]);
    assert_exit(&output, 0);
    // Also where the client says nothing of modes.
    write(&src, "new", "x");
    let output = daemon.run("ann", &["push", "-k", "type,size,time", src.to_str().unwrap(), "127.0.0.1::m"]);
    assert_exit(&output, 0);
    assert_eq!(mode(&dst.join("new")), 0o640);
    assert_exit(&daemon.pull("ann", "m"), 0);
    assert_eq!(mode(&daemon.site.path("copy/f")), 0o711);
    // The client has the last word of what it gets.
    let copy = daemon.site.path("copy");
    let pull = ["pull", "--chmod", "F600", "127.0.0.1::m", copy.to_str().unwrap()];
    assert_exit(&daemon.run("ann", &pull), 0);
    assert_eq!(mode(&copy.join("f")), 0o600);
}

fn rd_47_links_lead_nowhere(daemon: &Daemon) {
    daemon.configure("", "munge symlinks = yes");
    let (src, dst) = (daemon.site.src(), daemon.site.dst());
    symlink("/etc/passwd", src.join("l")).unwrap();
    fs::hard_link(src.join("l"), src.join("m")).unwrap();
    let push = ["--json", "push", src.to_str().unwrap(), "127.0.0.1::m"];
    for made in [true, false] {
        let output = daemon.run("ann", &push);
        assert_exit(&output, 0);
        assert_eq!(crate::common::end_object(&output)["made"].as_u64().unwrap() > 0, made);
        for name in ["l", "m"] {
            assert_eq!(fs::read_link(dst.join(name)).unwrap(), Path::new("/rsyncd-munged//etc/passwd"));
        }
    }
    assert_exit(&daemon.pull("ann", "m"), 0);
    assert_eq!(fs::read_link(daemon.site.path("copy/l")).unwrap(), Path::new("/etc/passwd"));
}

fn rd_51_owners_are_numbers(daemon: &Daemon) {
    if !is_root() {
        return; // only root can give files away
    }
    let (src, dst) = (daemon.site.src(), daemon.site.dst());
    // A name that means another number here.
    let push = ["push", "--chown", "daemon:daemon", src.to_str().unwrap(), "127.0.0.1::m"];
    assert_exit(&daemon.run("ann", &push), 0);
    let daemons = fs::metadata(dst.join("f")).unwrap().uid();
    assert_ne!(daemons, 0);
    daemon.configure("", "numeric ids = yes");
    let spec = |daemon: &Daemon| {
        fs::remove_dir_all(daemon.site.path("copy")).unwrap_or_default();
        assert_exit(&daemon.pull("ann", "m"), 0);
        fs::metadata(daemon.site.path("copy/f")).unwrap().uid()
    };
    assert_eq!(spec(daemon), daemons);
}

fn rd_96_what_is_too_large_stays_away(daemon: &Daemon) {
    daemon.configure("", "max file size = 8");
    let (src, dst) = (daemon.site.src(), daemon.site.dst());
    write(&src, "large", "123456789");
    write(&dst, "large", "older");
    let output = daemon.push("ann", "m");
    assert_exit(&output, 1);
    let text = said(&output);
    assert!(
        text.contains("large: cannot accept: it is larger than the module takes ('max file size')"),
        "{text}"
    );
    // "contents" has just as many.
    assert_eq!(paths(&dst), ["f", "large"]);
    assert_eq!(fs::read_to_string(dst.join("large")).unwrap(), "older");
    for (most, code) in [(3, 0), (2, 77)] {
        daemon.configure("", &format!("max files = {most}"));
        let output = daemon.push("ann", "m");
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    }
}

fn rd_91_a_module_limits_what_is_removed(daemon: &Daemon) {
    daemon.configure("", "max delete = 2");
    let dst = daemon.site.dst();
    let push =
        ["push", "--delete", "--force-delete", daemon.site.path("src").to_str().unwrap(), "127.0.0.1::m"]
            .map(str::to_owned);
    let push: Vec<&str> = push.iter().map(String::as_str).collect();
    for name in ["a", "b", "c"] {
        write(&dst, name, name);
    }
    let output = daemon.run("ann", &push);
    assert_exit(&output, 4);
    assert!(said(&output).contains("more than the module allows ('max delete')"), "{}", said(&output));
    assert_eq!(paths(&dst), ["a", "b", "c"]);
    fs::remove_file(dst.join("c")).unwrap();
    assert_exit(&daemon.run("ann", &push), 0);
    assert_eq!(paths(&dst), ["f"]);
}

fn rd_92_a_marker_is_nobodys(daemon: &Daemon) {
    daemon.configure("", "require marker = .here");
    write(&daemon.site.dst(), ".here", "");
    write(&daemon.site.dst(), "old", "");
    let src = daemon.site.src();
    assert_exit(&daemon.run("ann", &["push", "--delete", src.to_str().unwrap(), "127.0.0.1::m"]), 0);
    assert_eq!(paths(&daemon.site.dst()), [".here", "f"]);
    assert_exit(&daemon.pull("ann", "m"), 0);
    assert_eq!(paths(&daemon.site.path("copy")), ["f"]);
}

fn rd_76_what_cannot_be_read_is_not_there(daemon: &Daemon) {
    if is_root() {
        return; // who can read everything
    }
    write(&daemon.site.dst(), "d/g", "");
    write(&daemon.site.dst(), "f", "");
    write(&daemon.site.dst(), "h", "");
    for name in ["d", "f"] {
        crate::common::tree::chmod(&daemon.site.dst().join(name), 0);
    }
    let all = daemon.site.path("all");
    fs::create_dir(&all).unwrap();
    assert_exit(&daemon.run("ann", &["pull", "127.0.0.1::m", all.to_str().unwrap()]), 1);
    daemon.configure("", "ignore nonreadable = yes");
    assert_exit(&daemon.pull("ann", "m"), 0);
    assert_eq!(paths(&daemon.site.path("copy")), ["h"]);
}

fn rd_79_what_is_not_compressed(daemon: &Daemon) {
    daemon.configure("", "dont compress = *.gz");
    let text = "the same again and again\n".repeat(20_000);
    write(&daemon.site.dst(), "one.GZ", &text);
    let wire = |module: &str| {
        let to = daemon.site.path("copy");
        fs::remove_dir_all(&to).unwrap_or_default();
        fs::create_dir(&to).unwrap();
        let remote = format!("127.0.0.1::{module}");
        let output = daemon.run("ann", &["--json", "pull", "-z", &remote, to.to_str().unwrap()]);
        assert_exit(&output, 0);
        let text = String::from_utf8(output.stdout).unwrap();
        let end: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        end["wire_received"].as_u64().unwrap()
    };
    assert!(wire("m") > text.len() as u64);
    daemon.configure("", "dont compress = *.zip");
    assert!(wire("m") < text.len() as u64 / 4);
}

fn rd_81_a_time_of_access_stays(daemon: &Daemon) {
    let file = daemon.site.dst().join("f");
    write(&daemon.site.dst(), "f", "contents");
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000);
    let reset = || {
        let times = fs::FileTimes::new().set_accessed(old);
        fs::File::options().write(true).open(&file).unwrap().set_times(times).unwrap();
    };
    let pulled = || {
        fs::remove_dir_all(daemon.site.path("copy")).unwrap_or_default();
        assert_exit(&daemon.pull("ann", "m"), 0);
        fs::metadata(&file).unwrap().accessed().unwrap()
    };
    reset();
    if pulled() == old {
        return; // the file system keeps no such times
    }
    reset();
    daemon.configure("", "open noatime = yes");
    assert_eq!(pulled(), old);
}
