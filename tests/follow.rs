//! Which links a sender follows, judged by rsync(1), and how far a server does.

use crate::common::pair::{DELETE, Pair, outcome, settle, write};
use crate::common::tree::set_time;
use crate::common::{Site, assert_exit, tool};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Links of every sort, and what they lead to.
fn links(site: &Site) {
    let (src, outside) = (site.src(), site.path("outside"));
    write(&src.join("f"), "file");
    write(&src.join("d/g"), "deeper");
    write(&src.join("d/e/h"), "deepest");
    write(&outside.join("o"), "outside");
    write(&outside.join("d/p"), "outside, below");
    symlink("../o", outside.join("d/up")).unwrap();
    symlink("f", src.join("to-f")).unwrap();
    symlink("to-f", src.join("to-to-f")).unwrap();
    symlink("../f", src.join("d/up-f")).unwrap();
    symlink("./e/../g", src.join("d/round-g")).unwrap();
    symlink("d/e", src.join("to-e")).unwrap();
    symlink("../outside/o", src.join("out-o")).unwrap();
    symlink("../outside/d", src.join("out-d")).unwrap();
    symlink(outside.join("o"), src.join("abs-o")).unwrap();
    symlink(outside.join("d"), src.join("d/abs-d")).unwrap();
    symlink(src.join("f"), src.join("abs-f")).unwrap();
    for tree in [&src, &outside] {
        settle(tree);
    }
    for link in
        ["to-f", "to-to-f", "d/up-f", "d/round-g", "to-e", "out-o", "out-d", "abs-o", "d/abs-d", "abs-f"]
    {
        set_time(&src.join(link), 1_000_000_777, 0);
    }
    set_time(&outside.join("d/up"), 1_000_000_777, 0);
}

#[test]
fn links_are_followed_as_they_should() {
    let pair = Pair::new();
    links(&pair.site);
    // Only a client may go where links lead: rsync copies here as one.
    let same = |ours: &[&str], theirs: &[&str], exits: (i32, i32)| {
        let before = |dst: &Path| {
            write(&dst.join("out-o"), "stays or not");
            write(&dst.join("extra"), "extra");
        };
        pair.before(before);
        let (from, to) = (format!("{}/", pair.site.src().display()), pair.site.path("reference"));
        let mut options: Vec<&OsStr> =
            ["-a", "-@-1", "--delete"].iter().chain(theirs).map(OsStr::new).collect();
        options.extend([OsStr::new(&from), to.as_os_str()]);
        let output = tool("rsync", "rsync", &options);
        assert_eq!(output.status.code(), Some(exits.1), "{}", String::from_utf8_lossy(&output.stderr));
        assert_exit(&pair.smsync(false, &[DELETE, ours].concat()), exits.0);
        let (expected, actual) = (outcome(&to), outcome(&pair.site.dst()));
        for path in expected.keys().chain(actual.keys()) {
            assert_eq!(expected.get(path), actual.get(path), "{ours:?} {}", path.display());
        }
        // And nothing is left to do.
        let mut check = pair.site.smsync();
        check.arg("check").args(ours).arg(pair.site.src()).arg(pair.inetd.remote("m"));
        assert_exit(&check.output().unwrap(), exits.0);
    };
    same(&[], &[], (0, 0));
    same(&["-L"], &["-L"], (0, 0));
    same(&["-L", "--exclude", "e"], &["-L", "--exclude", "e"], (0, 0));
    same(&["--copy-unsafe-links"], &["--copy-unsafe-links"], (0, 0));
    same(&["--safe-links"], &["--safe-links"], (0, 0));
    same(&["--copy-dirlinks"], &["--copy-dirlinks"], (0, 0));
    same(&["--copy-dirlinks", "--safe-links"], &["--copy-dirlinks", "--safe-links"], (0, 0));
    symlink("nothing", pair.site.src().join("broken")).unwrap();
    same(&["--copy-dirlinks"], &["--copy-dirlinks"], (0, 0));
    let run = pair.smsync(false, &["-L"]);
    assert_exit(&run, 1);
    assert!(String::from_utf8_lossy(&run.stderr).contains("broken"), "{run:?}");
    fs::remove_file(pair.site.src().join("broken")).unwrap();
    // A directory in itself ends somewhere.
    symlink("..", pair.site.src().join("d/parent")).unwrap();
    symlink("l2", pair.site.src().join("l1")).unwrap();
    symlink("l1", pair.site.src().join("l2")).unwrap();
    let run = pair.smsync(false, &["-L"]);
    assert_exit(&run, 1);
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(said.contains("d/parent") && said.contains("l1") && said.contains("in a circle"), "{said}");
}

#[test]
fn a_server_follows_no_link_out_of_its_module() {
    let pair = Pair::new();
    links(&pair.site);
    pair.before(|_| {});
    let run = pair.smsync(true, &["-L"]);
    assert_exit(&run, 1);
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    for path in ["out-o", "out-d", "abs-o", "d/abs-d", "abs-f"] {
        assert!(
            said.contains(&format!("{path}: cannot follow the link: it leads out of the module")),
            "{said}"
        );
        assert!(fs::symlink_metadata(pair.site.dst().join(path)).is_err(), "{path}");
    }
    let dst = pair.site.dst();
    for (path, text) in
        [("to-to-f", "file"), ("d/up-f", "file"), ("to-e/h", "deepest"), ("d/round-g", "deeper")]
    {
        assert_eq!(fs::read_to_string(dst.join(path)).unwrap(), text, "{path}");
        assert!(!dst.join(path).is_symlink(), "{path}");
    }
    // Within the module, but out of the directory that is asked for.
    pair.before(|_| {});
    let mut command = pair.site.smsync();
    command.arg("pull").arg("-L").arg(format!("{}/d", pair.inetd.remote("source"))).arg(&dst);
    assert_exit(&command.output().unwrap(), 1);
    assert_eq!(fs::read_to_string(dst.join("up-f")).unwrap(), "file");
    assert!(!dst.join("abs-d").exists());
}
