//! The main job: a push makes the trees equal, a second one does nothing.

use crate::common::{Site, assert_exit, rsync_differences};
use std::fs;

#[test]
fn a_push_makes_trees_equal_and_a_second_does_nothing() {
    let site = Site::new();
    fs::create_dir_all(site.src().join("a/b")).unwrap();
    fs::write(site.src().join("a/b/f"), "hello\n").unwrap();
    std::os::unix::fs::symlink("b/f", site.src().join("a/l")).unwrap();
    let inetd = site.serve();
    let (src, remote) = (site.src(), inetd.remote("m"));
    assert_exit(&site.run(&["push", src.to_str().unwrap(), &remote]), 0);
    assert_eq!(rsync_differences(&site.src(), &site.dst()), "");
    assert!(!site.dst().join(".smsync").exists());
    let output = site.run(&["--json", "push", src.to_str().unwrap(), &remote]);
    assert_exit(&output, 0);
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"files\":0"));
    assert!(inetd.ended().iter().all(std::process::ExitStatus::success));
}
