//! Who may open which module, and which way.

use super::site::{Daemon, rows, said};
use crate::common::starter::until;
use crate::common::{assert_exit, keygen};
use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

rows! {
    rd_20_24_as_one_may_write_it,
    rd_67_a_rule_that_denies_denies,
    rd_67_a_rule_gives_and_takes_the_right_to_write,
    rd_68_two_secrets_are_good_at_once,
    rd_71_72_hosts_come_in_by_their_address,
    rd_73_names_are_looked_up_for_every_module,
    rd_43_a_listing_names_what_may_be_opened,
    rd_44_45_one_way_only,
    rd_26_a_module_of_an_included_file,
    rd_90_who_does_not_greet_in_time_is_given_up,
    rd_92_without_its_marker_a_module_is_left_alone,
}

fn rd_67_a_rule_that_denies_denies(daemon: &Daemon) {
    daemon.configure("", "auth users = eve:deny, *");
    let unknown = said(&daemon.push("ann", "n")).replace("::n", "::m");
    assert!(unknown.contains("no such module, or not for you"), "{unknown}");
    for output in [daemon.push("eve", "m"), daemon.pull("eve", "m")] {
        assert_exit(&output, 77);
        // Nothing tells that the module is there.
        assert_eq!(said(&output), unknown);
    }
    assert!(daemon.untouched());
    until("the log", || daemon.log().matches("user \"eve\": may not open m").count() == 2);
    for user in ["ann", "nobody"] {
        assert_exit(&daemon.push(user, "m"), 0);
    }
    // Without a rule of its own nobody comes in.
    daemon.configure("", "auth users = ann");
    for user in ["bob", "eve", "nobody"] {
        assert_exit(&daemon.pull(user, "m"), 77);
    }
    assert_exit(&daemon.pull("ann", "m"), 0);
}

fn rd_67_a_rule_gives_and_takes_the_right_to_write(daemon: &Daemon) {
    daemon.configure("", "auth users = ann:ro bob:rw *");
    assert_exit(&daemon.push("ann", "m"), 77);
    assert!(daemon.untouched());
    assert_exit(&daemon.pull("ann", "m"), 0);
    let path = daemon.site.dst();
    daemon.configure("", &format!("[r]\npath = {}\nauth users = ann bob:rw", path.display()));
    assert_exit(&daemon.push("ann", "r"), 77);
    assert!(daemon.untouched());
    assert_exit(&daemon.push("bob", "r"), 0);
    assert!(!daemon.untouched());
}

fn rd_68_two_secrets_are_good_at_once(daemon: &Daemon) {
    let (old, new, other) = (keygen(), keygen(), keygen());
    daemon.site.write_private("secrets", &format!("ann:{old}\nann:{new}\n"));
    daemon.configure("", "auth users = ann");
    for (secret, code) in [(&old, 0), (&new, 0), (&other, 77)] {
        let text = format!("user = ann\nsecret = {secret}\nport = {}\n", daemon.port);
        daemon.site.write_private("ann.conf", &text);
        assert_exit(&daemon.pull("ann", "m"), code);
    }
    // So has who has no name.
    let text = format!("secret = {new}\nport = {}\n", daemon.port);
    daemon.site.write_private("nobody.conf", &text);
    let path = daemon.site.path("smsyncd.conf");
    let text = fs::read_to_string(&path).unwrap().replace("auth users = ann", "");
    let one = format!("secret = {}\n", daemon.site.secret);
    assert_exit(&daemon.pull("nobody", "m"), 77);
    daemon.site.write_private("smsyncd.conf", &text.replace(&one, &format!("secret = {old} {new}\n")));
    assert_exit(&daemon.pull("nobody", "m"), 0);
}

fn rd_71_72_hosts_come_in_by_their_address(daemon: &Daemon) {
    for (lines, code) in [
        ("hosts deny = *", 77),
        ("hosts deny = 127.0.0.0/8", 77),
        ("hosts allow = 10.0.0.0/8 ::1", 77),
        ("hosts allow = 127.0.0.0/255.0.0.0\nhosts deny = *", 0),
        ("hosts allow = ::ffff:127.0.0.1\nhosts deny = 0.0.0.0/0", 0),
        ("hosts deny = ::/0", 0),
        // RD-73: by name only where names are looked up, and a name of another is none.
        ("reverse lookup = yes\nhosts allow = *.invalid", 77),
        ("reverse lookup = yes\nhosts deny = *.invalid", 0),
        ("reverse lookup = yes\nhosts allow = [a-z]*\nhosts deny = *", 0),
    ] {
        daemon.configure("", lines);
        let output = daemon.pull("ann", "m");
        assert_eq!(output.status.code(), Some(code), "{lines}: {}", said(&output));
        assert_eq!(daemon.listed("ann").len(), usize::from(code == 0), "{lines}");
    }
}

/// Whether a module is there that goes by names is told neither by the time nor by whom the resolver is asked about.
fn rd_73_names_are_looked_up_for_every_module(daemon: &Daemon) {
    let path = daemon.site.dst().display().to_string();
    let named = format!("[n]\npath = {path}\nlist = no\nreverse lookup = yes\nhosts allow = *.invalid");
    daemon.configure("", &format!("transfer logging = yes\nlog format = looked up %h\n{named}"));
    fs::write(daemon.site.dst().join("there"), "x").unwrap();
    assert_exit(&daemon.pull("ann", "m"), 0);
    until("the log", || daemon.log().contains("looked up "));
    assert!(!daemon.log().contains("looked up UNDETERMINED"), "{}", daemon.log());
}

fn rd_43_a_listing_names_what_may_be_opened(daemon: &Daemon) {
    let path = daemon.site.dst().display().to_string();
    let modules = [
        "auth users = ann".to_owned(),
        format!("[secret]\npath = {path}\nlist = no"),
        format!("[all]\npath = {path}\ncomment = for all"),
        format!("[far]\npath = {path}\nhosts allow = 10.0.0.0/8"),
        format!("[not-eve]\npath = {path}\nauth users = eve:deny *"),
    ];
    daemon.configure("", &modules.join("\n"));
    assert_eq!(daemon.listed("ann"), ["m", "all", "not-eve"]);
    assert_eq!(daemon.listed("eve"), ["all"]);
    assert_eq!(daemon.listed("nobody"), ["all", "not-eve"]);
    // Whoever knows its name may open what is not shown.
    assert_exit(&daemon.pull("eve", "secret"), 0);
}

fn rd_44_45_one_way_only(daemon: &Daemon) {
    daemon.configure("", "write only = yes");
    let refused = daemon.pull("ann", "m");
    assert_exit(&refused, 77);
    assert!(said(&refused).contains("the module is write only"), "{}", said(&refused));
    assert_exit(&daemon.push("ann", "m"), 0);
    let path = daemon.site.dst().display().to_string();
    daemon.configure("", &format!("[r]\npath = {path}"));
    let refused = daemon.push("ann", "r");
    assert_exit(&refused, 77);
    assert!(said(&refused).contains("the module is read only"), "{}", said(&refused));
    assert_exit(&daemon.pull("ann", "r"), 0);
}

fn rd_26_a_module_of_an_included_file(daemon: &Daemon) {
    let path = daemon.site.dst().display().to_string();
    let included = daemon.site.write_private("more.conf", &format!("[more]\npath = {path}\n"));
    daemon.configure(&format!("&include {}", included.display()), "");
    assert_exit(&daemon.pull("ann", "more"), 0);
    crate::common::tree::chmod(&included, 0o644);
    // Nobody is served by the last good one for that.
    assert_exit(&daemon.pull("ann", "m"), 69);
    let check = daemon.site.smsyncd().arg("--check").output().unwrap();
    assert_exit(&check, 78);
    assert!(said(&check).contains("more.conf is not for its owner alone (mode 0644)"), "{}", said(&check));
}

fn rd_90_who_does_not_greet_in_time_is_given_up(daemon: &Daemon) {
    daemon.configure("handshake timeout = 1", "");
    let begun = Instant::now();
    let mut silent = TcpStream::connect((&*daemon.address, daemon.port)).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
    assert_eq!(silent.read_to_end(&mut Vec::new()).unwrap(), 0);
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}

fn rd_92_without_its_marker_a_module_is_left_alone(daemon: &Daemon) {
    daemon.configure("", "require marker = state/.mounted");
    for output in [daemon.push("ann", "m"), daemon.pull("ann", "m")] {
        assert_exit(&output, 74);
        assert!(said(&output).contains("state/.mounted, which must be in the module"), "{}", said(&output));
    }
    assert!(daemon.untouched());
    fs::create_dir(daemon.site.dst().join("state")).unwrap();
    fs::write(daemon.site.dst().join("state/.mounted"), "").unwrap();
    assert_exit(&daemon.push("ann", "m"), 0);
}

fn rd_20_24_as_one_may_write_it(daemon: &Daemon) {
    let path = daemon.site.dst().display().to_string();
    let module = format!(
        "; a comment\n[ a   module ]\n  PATH={path}\n#read only = yes\n\tReadOnly = \\\n FALSE\nlist=1"
    );
    daemon.configure("", &module);
    assert_eq!(daemon.listed("ann"), ["m", "a"]);
    assert_exit(&daemon.push("ann", "a module"), 0);
    assert!(!daemon.untouched());
}
