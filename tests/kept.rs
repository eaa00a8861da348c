//! Our own listener keeps the last good configuration: a broken one turns nobody away.

use crate::common::starter::{listener, until};
use crate::common::walk::walk;
use crate::common::{Site, assert_exit, keygen};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Output;

fn list(site: &Site, port: u16, secret: &str) -> Output {
    site.write_private("smsync.conf", &format!("secret = {secret}\n"));
    site.run(&["list", &format!("127.0.0.1:{port}::")])
}

#[test]
fn a_broken_configuration_leaves_the_last_good_one_in_effect() {
    let site = Site::new();
    let (first, second) = (site.secret.clone(), keygen());
    let good = site.server_conf(&format!("secrets file = {}\n", site.path("secrets").display()));
    site.write_private("secrets", &format!("zoe:{second}\n"));
    site.write_private("smsyncd.conf", &good);
    let (_starter, port) = listener(&site);
    let log = || fs::read_to_string(site.path("starter.log")).unwrap();
    let broken = format!("{good}\nno such parameter = 1\n");
    site.write_private("smsyncd.conf", &broken);
    let output = list(&site, port, &first);
    assert_exit(&output, 0);
    assert!(String::from_utf8_lossy(&output.stdout).contains("a test"), "{output:?}");
    until("the complaint", || log().contains("going on with the last good configuration"));
    assert!(log().contains("no such parameter"), "{}", log());
    // Users too.
    site.write_private("smsync.conf", &format!("secret = {second}\n"));
    assert_exit(&site.run(&["list", &format!("zoe@127.0.0.1:{port}::")]), 0);
    // But not when their file is gone.
    fs::remove_file(site.path("secrets")).unwrap();
    assert_exit(&site.run(&["list", &format!("zoe@127.0.0.1:{port}::")]), 69);
    // What is good again is read, and is the last good one when the next one is broken.
    let third = keygen();
    let renewed = site.server_conf("").replace(&first, &third);
    for text in [renewed.clone(), format!("{renewed}[m]\n")] {
        site.write_private("smsyncd.conf", &text);
        assert_exit(&list(&site, port, &third), 0);
        assert_exit(&list(&site, port, &first), 77);
    }
    // What a confined session can reach has no secrets.
    let kept = site.path("state.kept");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().mode() & 0o777;
    let named = |begin: &str| {
        let names = kept.read_dir().unwrap().map(|name| name.unwrap().path());
        let names: Vec<_> =
            names.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(begin)).collect();
        assert_eq!(names.len(), 1, "{names:?}");
        mode(&names[0])
    };
    assert_eq!((mode(&kept), named("configuration-"), named("secrets-")), (0o700, 0o600, 0o600));
    let state = site.path("state");
    for (path, _) in walk(&state).into_iter().filter(|(_, node)| node.is_file()) {
        let text = fs::read(state.join(&path)).unwrap();
        for secret in [&first, &second, &third] {
            assert!(!text.windows(secret.len()).any(|window| window == secret.as_bytes()), "{path:?}");
        }
    }
}

/// A good one that cannot be kept, or is kept elsewhere, is the last good one all the same: an older one lets nobody in
/// whom it does not.
#[test]
fn an_older_configuration_never_comes_back() {
    let site = Site::new();
    let (first, second) = (site.secret.clone(), keygen());
    let (old, kept) = (site.server_conf(""), site.path("state.kept"));
    let new = old.replace(&first, &second);
    let elsewhere = new.replace(site.path("state").to_str().unwrap(), site.path("state2").to_str().unwrap());
    for (renewed, mode) in [(new, 0o755), (elsewhere, 0o700)] {
        site.write_private("smsyncd.conf", &old);
        let (starter, port) = listener(&site);
        let files = || {
            kept.read_dir().unwrap().filter(|name| {
                let name = name.as_ref().unwrap().file_name();
                ["configuration-", "secrets-"].iter().any(|begin| name.to_str().unwrap().starts_with(begin))
            })
        };
        assert_exit(&list(&site, port, &first), 0);
        assert_eq!(files().count(), 2);
        // Which makes it one that is not private.
        crate::common::tree::chmod(&kept, mode);
        for (text, code) in [(renewed.clone(), 77), (format!("{renewed}oops\n"), 69)] {
            site.write_private("smsyncd.conf", &text);
            assert_exit(&list(&site, port, &first), code);
        }
        assert_eq!(files().count(), 0, "it lies there still");
        drop(starter);
        crate::common::tree::chmod(&kept, 0o700);
    }
}

/// The listener says what connections meet: where what the last good one names is gone too, nobody is let in.
#[test]
fn a_last_good_configuration_that_is_of_no_use_is_told() {
    let site = Site::new();
    let rules = site.write_private("rules", "*.o\n");
    let good = site.server_conf("").replace("[m]\n", &format!("[m]\nexclude from = {}\n", rules.display()));
    site.write_private("smsyncd.conf", &good);
    let (_starter, port) = listener(&site);
    let log = || fs::read_to_string(site.path("starter.log")).unwrap();
    assert_exit(&list(&site, port, &site.secret), 0);
    fs::remove_file(rules).unwrap();
    assert_exit(&list(&site, port, &site.secret), 69);
    until("the complaint", || log().contains("connections will be refused: "));
    assert!(!log().contains("stays in effect"), "{}", log());
}

/// What others may read or write, and what is gone, is never passed over.
#[test]
fn a_configuration_that_is_exposed_or_gone_lets_nobody_in() {
    let site = Site::new();
    let (_starter, port) = listener(&site);
    assert_exit(&list(&site, port, &site.secret), 0);
    crate::common::tree::chmod(&site.path("smsyncd.conf"), 0o644);
    assert_exit(&list(&site, port, &site.secret), 69);
    // A connection's process cannot know which log that is; the listener does.
    let log = || fs::read_to_string(site.path("starter.log")).unwrap();
    let complaints = || log().matches("connections will be refused: ").count();
    until("the complaint", || complaints() > 0);
    fs::remove_file(site.path("smsyncd.conf")).unwrap();
    let begun = std::time::Instant::now();
    for _ in 0..3 {
        assert_exit(&list(&site, port, &site.secret), 69);
    }
    // However often it is met, once in limits::COMPLAINT.
    let most = 1 + begun.elapsed().as_secs() / smsync::limits::COMPLAINT.as_secs();
    assert!(complaints() as u64 <= 1 + most, "{}", log());
}

/// Under inetd each connection stands alone, and a broken configuration lets nobody in.
#[test]
fn under_inetd_a_broken_configuration_is_refused() {
    let site = Site::new();
    let inetd = site.serve();
    assert_exit(&list(&site, inetd.port, &site.secret), 0);
    site.write_private("smsyncd.conf", &format!("{}\nx = 1\n", site.server_conf("")));
    assert_exit(&list(&site, inetd.port, &site.secret), 69);
    let ended = inetd.ended();
    assert_eq!(ended.last().unwrap().code(), Some(78));
}
