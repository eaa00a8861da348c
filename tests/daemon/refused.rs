//! What no client may ask for.

use super::policy::{paths, write};
use super::site::{Daemon, rows, said};
use crate::common::assert_exit;
use std::fs;
use std::os::unix::fs::symlink;

rows! {
    rd_78_what_is_refused_is_named,
    rd_78_the_example_of_the_page_leaves_what_each_run_asks_for,
    rd_78_what_is_refused_of_a_tree_stays_away,
}

fn rd_78_what_is_refused_is_named(daemon: &Daemon) {
    daemon.configure("", "refuse options = delete compress checksum");
    let src = daemon.site.src();
    let from = src.to_str().unwrap();
    for (option, name) in [("--delete", "delete"), ("-z", "compress"), ("-c", "checksum")] {
        let output = daemon.run("ann", &["push", option, from, "127.0.0.1::m/new"]);
        assert_exit(&output, 77);
        let text = said(&output);
        assert!(text.contains(&format!("the module refuses '{name}' ('refuse options')")), "{text}");
    }
    let to = daemon.site.path("copy");
    fs::create_dir(&to).unwrap();
    let pull = ["pull", "--remove-source-files", "127.0.0.1::m", to.to_str().unwrap()];
    assert_exit(&daemon.run("ann", &pull), 77);
    assert!(daemon.untouched(), "what is refused makes nothing");
    assert_exit(&daemon.push("ann", "m"), 0);
    // What changes nothing removes nothing, and is refused for what it asks for.
    for (policy, option, why) in [
        ("delete force-delete", "-q", None),
        ("delete checksum", "-c", Some("refuses 'checksum'")),
        // Where nobody may read it would tell what is there.
        ("delete force-delete\nwrite only = yes", "-q", Some("delete' ('refuse options')")),
    ] {
        daemon.configure("", &format!("refuse options = {policy}"));
        for options in [&["check"][..], &["push", "-n", "--delete", "--force-delete"]] {
            let output = daemon.run("ann", &[options, &[option, from, "127.0.0.1::m"]].concat());
            assert_exit(&output, if why.is_some() { 77 } else { 0 });
            assert!(why.is_none_or(|why| said(&output).contains(why)), "{}", said(&output));
        }
    }
    daemon.configure("", "refuse options = delete");
    // What a client removes of its own is its own affair.
    let pull = ["pull", "--delete", "--force-delete", "127.0.0.1::m", to.to_str().unwrap()];
    assert_exit(&daemon.run("ann", &pull), 0);
}

fn rd_78_the_example_of_the_page_leaves_what_each_run_asks_for(daemon: &Daemon) {
    let page = include_str!("../../man/smsyncd.conf.5");
    let example = page.lines().find_map(|line| line.strip_prefix(".Dl refuse options = ")).unwrap();
    daemon.configure("", &format!("refuse options = {example}"));
    let src = daemon.site.src();
    symlink("f", src.join("l")).unwrap();
    assert_exit(&daemon.push("ann", "m"), 0);
    assert_exit(&daemon.pull("ann", "m"), 0);
    assert_exit(&daemon.run("ann", &["push", "--delete", src.to_str().unwrap(), "127.0.0.1::m"]), 77);
}

fn rd_78_what_is_refused_of_a_tree_stays_away(daemon: &Daemon) {
    daemon.configure("", "refuse options = setuid specials links devices");
    let (src, dst) = (daemon.site.src(), daemon.site.dst());
    write(&src, "s", "a program");
    crate::common::tree::chmod(&src.join("s"), 0o4755);
    symlink("f", src.join("l")).unwrap();
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, src.join("p"), fifo, 0o600.into(), 0).unwrap();
    let output = daemon.push("ann", "m");
    assert_exit(&output, 1);
    for name in ["s", "l", "p"] {
        let text = said(&output);
        assert!(text.contains(&format!("{name}: cannot accept: the module refuses such files")), "{text}");
    }
    assert_eq!(paths(&dst), ["f"]);
}
