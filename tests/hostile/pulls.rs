//! A hostile server and a client that pulls: it writes only what it asked for and only where it was told.

use super::peer::Peer;
use super::specs::REFUSED;
use super::target::{Evil, run, site, snapshot};
use crate::common::Site;
use smsync::exit::Exit;
use smsync::path::RelPath;
use smsync::report::{Problem, Side, Step};
use smsync::spec::Time;
use smsync::wire::Message;
use std::fs;
use std::path::PathBuf;
use std::process::Output;

const WELCOME: Message<'static> = Message::Welcome { single: RelPath::ROOT };

/// A place to pull to, which holds something already.
fn dest(site: &Site) -> PathBuf {
    let dest = site.path("pulled");
    if !dest.exists() {
        fs::create_dir(&dest).unwrap();
        fs::write(dest.join("mine"), "mine\n").unwrap();
        std::os::unix::fs::symlink("../beside", dest.join("link")).unwrap();
    }
    dest
}

/// Pulls `path` with these options from a server that follows the script after Open and Round.
fn pull(
    site: &Site,
    options: &[&str],
    path: &str,
    script: impl FnOnce(&mut Peer) + Send + 'static,
) -> Output {
    let evil = Evil::start(site, |peer| {
        // Open and Round.
        assert!(peer.hear().is_some() && peer.hear().is_some());
        script(peer);
        peer.finish();
    });
    let (dest, remote) = (dest(site), evil.remote(path));
    let output = run(site.smsync().arg("pull").args(options).arg(&remote).arg(dest));
    evil.join();
    output
}

/// The same, and nothing may change by it; the reason must be told in one line.
#[track_caller]
fn refused(
    site: &Site,
    options: &[&str],
    path: &str,
    words: &str,
    script: impl FnOnce(&mut Peer) + Send + 'static,
) {
    let places = [dest(site), site.path("beside"), site.src()];
    let before = places.clone().map(|place| snapshot(&place));
    let output = pull(site, options, path, script);
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(76), "{words}: {said}");
    assert!(said.contains(words) && said.lines().count() == 1, "'{words}' was not said: {said}");
    assert_eq!(before, places.map(|place| snapshot(&place)), "{words}");
}

fn offer(text: &'static str) -> impl FnOnce(&mut Peer) + Send + 'static {
    move |peer| {
        peer.say(&[WELCOME]);
        peer.offer(text);
    }
}

#[test]
fn specifications_of_a_server_are_no_better() {
    let site = site();
    for (lines, number, words) in REFUSED {
        let script = move |peer: &mut Peer| {
            peer.say(&[WELCOME]);
            peer.offer(&format!("#mtree\n. type=dir\n{lines}\n"));
        };
        refused(&site, &["--delete"], "", words, script);
        let script = move |peer: &mut Peer| {
            peer.say(&[WELCOME]);
            peer.offer(&format!("#mtree\n. type=dir\n{lines}\n"));
        };
        refused(&site, &[], "/sub", &format!("specification line {number}: "), script);
    }
    let outside = "an entry outside of the scope";
    refused(&site, &[], "", outside, offer("#mtree\n. type=dir\n./.smsync type=dir\n"));
    // What the user excluded is his, whatever the server offers.
    let excluded = "#mtree\n. type=dir\n./mine type=file size=0 time=0.000000000\n";
    refused(&site, &["--exclude", "mine"], "", outside, offer(excluded));
    refused(&site, &["--delete", "--exclude", "/mine"], "", outside, offer(excluded));
}

#[test]
fn one_file_that_is_asked_for_is_all_that_comes() {
    let site = site();
    let single = |name: &'static str, text: &'static str| {
        move |peer: &mut Peer| {
            peer.say(&[Message::Welcome { single: RelPath::new(name.as_bytes()).unwrap() }]);
            peer.offer(text);
        }
    };
    let other = "another file than the one asked for";
    for name in ["mine", ".smsync", "dir", "dir/file", "file/x", "fil", "file2"] {
        refused(&site, &[], "/dir/file", other, single(name, "#mtree\n. type=dir\n"));
    }
    refused(&site, &[], "", other, single("mine", "#mtree\n. type=dir\n"));
    refused(&site, &[], "/..file", other, single("file", "#mtree\n. type=dir\n"));
    let outside = "an entry outside of the scope";
    let texts = [
        // The directory it goes into is not the server's to change.
        "#mtree\n. type=dir mode=0777\n./file type=file size=0 time=0.000000000\n",
        "#mtree\n. type=dir uid=0 time=0.000000000\n./file type=file size=0 time=0.000000000\n",
        "#mtree\n. type=dir\n./file type=file size=0 time=0.000000000\n./mine type=file size=0 time=0.000000000\n",
        "#mtree\n. type=dir\n./evil type=dir\n./file type=file size=0 time=0.000000000\n",
        "#mtree\n. type=dir\n./mine type=link link=/etc/passwd\n",
    ];
    for text in texts {
        refused(&site, &["--delete"], "/dir/file", outside, single("file", text));
    }
}

#[test]
fn files_of_a_server_are_no_better() {
    let site = site();
    let spec = "#mtree\n. type=dir\n./a type=file size=5 time=7.000000000\n";
    let file = |index, size| Message::File { index, size, time: Time { sec: 7, nsec: 0 } };
    let end = Message::FileEnd { digest: *blake3::hash(b"hellO").as_bytes() };
    let table: Vec<(Vec<Message<'static>>, &str)> = vec![
        (vec![file(0, 5)], "another file than the next one wanted"),
        (vec![file(7, 5)], "another file than the next one wanted"),
        (vec![file(1, 5), Message::Data(b"hello!")], "more contents"),
        (vec![file(1, 5), Message::Hole(6)], "more contents"),
        (vec![file(1, 5), Message::Data(b"hell"), end.clone()], "less contents"),
        (vec![file(1, 5), Message::Data(b"hello"), end], "not those of the digest"),
        (vec![file(1, 5), Message::Again, file(1, 5), Message::Again], "a third time"),
        (vec![Message::FilesEnd], "fewer files"),
        (vec![WELCOME], "does not expect"),
    ];
    for (messages, words) in table {
        refused(&site, &["--delete"], "", words, move |peer| {
            peer.say(&[WELCOME]);
            peer.offer(spec);
            while let Some(heard) = peer.hear() {
                match heard.message() {
                    Message::AskEnd => peer.say(&[Message::DigestsEnd]),
                    Message::WantEnd => break,
                    _ => {}
                }
            }
            peer.say(&messages);
        });
    }
    // What is asked for in a pull is the client's to ask.
    for message in [Message::Want { first: 0, count: 1 }, Message::AskEnd, Message::Bye, Message::List] {
        refused(&site, &[], "", "something else than a specification", move |peer| {
            peer.say(&[WELCOME]);
            peer.say(&[message]);
        });
    }
    refused(&site, &[], "", "something else than its consent", |peer| peer.say(&[Message::ModulesEnd]));
}

/// Fails if text for a person holds what could drive a terminal.
#[track_caller]
fn assert_harmless(output: &Output) {
    for bytes in [&output.stdout, &output.stderr] {
        let text = std::str::from_utf8(bytes).unwrap();
        let harmful =
            text.chars().find(|c| *c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(c)));
        assert_eq!(harmful, None, "{text:?}");
    }
}

const ESCAPES: &str = "\u{1b}[2J\u{1b}]0;x\u{7}\r\u{9b}1m\u{202e}\u{7f}";

#[test]
fn a_server_does_not_drive_the_terminal() {
    let site = site();
    for options in [&["-v"][..], &["-vv"], &["--json"], &["-n"]] {
        let spec = "#mtree\n. type=dir\n./\\033[2J\\015 type=dir mode=0755\n".replace('[', "\\133");
        let output = pull(&site, options, "", move |peer| {
            peer.say(&[WELCOME]);
            let path = RelPath::new(ESCAPES.as_bytes()).unwrap();
            peer.say(&[Message::Problem(Problem { path, step: Step::Read, side: Side::Sender, errno: 13 })]);
            peer.offer(&spec);
            peer.hears(&Message::Bye);
        });
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_harmless(&output);
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(said.contains("033[2J"), "{said}");
        let _ = fs::remove_dir(dest(&site).join("\u{1b}[2J\r"));
    }
    for options in [&["-vv"][..], &["--json"]] {
        let output = pull(&site, options, "", |peer| {
            peer.say(&[Message::Abort { exit: Exit::Refused, text: ESCAPES.into() }]);
        });
        assert_eq!(output.status.code(), Some(77), "{output:?}");
        assert_harmless(&output);
        assert!(String::from_utf8_lossy(&output.stderr).contains("\\033[2J"), "{output:?}");
    }
    for options in [&[][..], &["--json"]] {
        let evil = Evil::start(&site, |peer| {
            peer.hear();
            peer.say(&[Message::Module {
                name: ESCAPES.into(),
                comment: ESCAPES.into(),
                read_only: true,
                write_only: false,
            }]);
            peer.say(&[Message::ModulesEnd]);
        });
        let output = run(site.smsync().args(options).args(["list", &format!("127.0.0.1:{}", evil.port)]));
        evil.join();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_harmless(&output);
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn what_a_server_tells_is_bounded() {
    let site = site();
    let problem = |path: &[u8]| {
        let path = RelPath::new(path.to_vec()).unwrap();
        Message::Problem(Problem { path, step: Step::Read, side: Side::Sender, errno: 13 })
    };
    let output = pull(&site, &[], "", move |peer| {
        peer.say(&[WELCOME]);
        (0..11).for_each(|_| peer.say(&vec![problem(b"p"); 1000]));
    });
    assert_eq!(output.status.code(), Some(76));
    let lines = String::from_utf8(output.stderr).unwrap().lines().count();
    assert_eq!(lines, 10_001, "as many as there may be, and the reason");
    let evil = Evil::start(&site, |peer| {
        peer.hear();
        let module =
            Message::Module { name: "m".into(), comment: "".into(), read_only: true, write_only: false };
        peer.say(&vec![module; 1025]);
        assert!(matches!(peer.finish(), Some((Exit::Protocol, _))));
    });
    let output = run(site.smsync().args(["list", &format!("127.0.0.1:{}", evil.port)]));
    evil.join();
    assert_eq!((output.status.code(), output.stdout.split(|byte| *byte == b'\n').count()), (Some(76), 1025));
}

#[test]
fn a_server_that_gives_up_cannot_say_that_all_is_well() {
    let site = site();
    for exit in [0, 1, 2, 3, 4, 5, 63, 255] {
        refused(&site, &[], "", "an exit code that is no failure", move |peer| {
            peer.record(&super::peer::raw_frame(27, &[exit, 0, 2, b'o', b'k']));
        });
    }
    for exit in [64, 69, 70, 71, 74, 75, 77, 78] {
        let output = pull(&site, &[], "", move |peer| {
            peer.record(&super::peer::raw_frame(27, &[exit, 0, 2, b'n', b'o']));
        });
        assert_eq!(output.status.code(), Some(exit.into()));
    }
}
