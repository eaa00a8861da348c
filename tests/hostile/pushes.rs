//! A hostile server and a client that pushes: it learns no more than was sent to it, and tells no more than there is.

use super::peer::{self, Peer};
use super::target::{Evil, run, site, snapshot};
use crate::common::Site;
use smsync::exit::Exit;
use smsync::path::RelPath;
use smsync::report::{Fate, Problem, Report, Side, Step};
use smsync::wire::Message;
use std::fs;
use std::process::Output;

/// The source has these indices: `.` 0, `clean` 1, `dir` 2, `dir/deep` 3, `link` 4, which leads to `beside/secret`.
fn source() -> Site {
    let site = site();
    fs::create_dir(site.src().join("dir")).unwrap();
    fs::write(site.src().join("dir/deep"), "deep\n").unwrap();
    std::os::unix::fs::symlink("../beside/secret", site.src().join("link")).unwrap();
    site
}

const WELCOME: Message<'static> = Message::Welcome { single: RelPath::ROOT };
const OFFER: Message<'static> =
    Message::SpecEnd { digest: [0; 32], entries: 0, whole: true, skipped: 0, holes: 0 };

/// Pushes the source with these options to a server that follows the script after the client's first turn.
fn push(site: &Site, options: &[&str], script: impl FnOnce(&mut Peer) + Send + 'static) -> Output {
    let evil = Evil::start(site, |peer| {
        peer.hear_until(&OFFER);
        script(peer);
    });
    let (src, remote) = (site.src(), evil.remote(""));
    let before = [site.src(), site.dst(), site.path("beside")].map(|place| snapshot(&place));
    let output = run(site.smsync().arg("push").args(options).arg(src).arg(&remote));
    evil.join();
    let after = [site.src(), site.dst(), site.path("beside")].map(|place| snapshot(&place));
    assert_eq!(before, after);
    output
}

/// The same with these words of the server, for which the client must give up before it sends a file.
#[track_caller]
fn refused(site: &Site, options: &[&str], messages: Vec<Message<'static>>, words: &'static str) {
    let output = push(site, options, move |peer| {
        peer.say(&messages);
        while let Some(heard) = peer.hear() {
            match heard.message() {
                Message::Abort { exit, text } => {
                    assert_eq!((exit, text.contains(words)), (Exit::Protocol, true), "{text}");
                    return;
                }
                message => assert!(!matches!(message, Message::Data(_)), "{message:?}"),
            }
        }
        panic!("no reason was given for {messages:?}");
    });
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(76), "{words}: {said}");
    assert!(said.contains(words) && said.lines().count() == 1, "'{words}' was not said: {said}");
}

#[test]
fn a_server_gets_files_that_were_offered_and_nothing_else() {
    let site = source();
    let want = |first, count| Message::Want { first, count };
    let ask = |first, count| Message::Ask { first, count };
    let order = "out of range or out of order";
    let file = "no regular file";
    let due = "does not expect";
    let report = || Message::Report(Report::default());
    let table: Vec<(Vec<Message<'static>>, &'static str)> = vec![
        (vec![WELCOME, want(5, 1)], order),
        (vec![WELCOME, want(u32::MAX, u32::MAX)], order),
        (vec![WELCOME, want(1, u32::MAX)], order),
        (vec![WELCOME, want(3, 1), want(1, 1)], order),
        (vec![WELCOME, want(1, 1), want(1, 1)], order),
        (vec![WELCOME, want(1, 0)], order),
        (vec![WELCOME, ask(1, 9)], order),
        (vec![WELCOME, want(0, 1), Message::WantEnd], file),
        (vec![WELCOME, want(2, 1), Message::WantEnd], file),
        (vec![WELCOME, want(4, 1), Message::WantEnd], file),
        (vec![WELCOME, want(1, 4), Message::WantEnd], file),
        (vec![WELCOME, ask(4, 1), Message::AskEnd], file),
        (vec![WELCOME, want(1, 1), report()], due),
        (vec![WELCOME, OFFER], due),
        (vec![WELCOME, WELCOME], due),
        (vec![WELCOME, Message::FilesEnd], due),
        (vec![WELCOME, Message::Bye], due),
        (vec![want(1, 1)], "something else than its consent"),
        (vec![report()], "something else than its consent"),
        (vec![Message::Welcome { single: RelPath::new(&b"m"[..]).unwrap() }], "another file than the one"),
    ];
    for (messages, words) in table {
        refused(&site, &[], messages, words);
    }
    // The control: what is offered comes, and is what it was said to be.
    let output = push(&site, &[], move |peer| {
        peer.say(&[WELCOME, want(1, 1), want(3, 1), Message::WantEnd]);
        let heard = peer.hear_until(&Message::FilesEnd);
        let data = heard.iter().filter_map(|heard| match heard.message() {
            Message::Data(piece) => Some(piece.to_vec()),
            _ => None,
        });
        assert_eq!(data.collect::<Vec<_>>(), [b"clean\n".to_vec(), b"deep\n".to_vec()]);
        peer.say(&[report()]);
        peer.hears(&Message::Bye);
    });
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
}

fn problem(path: &str) -> Message<'static> {
    let path = RelPath::new(path.as_bytes().to_vec()).unwrap();
    Message::Problem(Problem { path, step: Step::Place, side: Side::Receiver, errno: 28 })
}

fn change(path: &str, fate: Fate) -> Message<'static> {
    let path = RelPath::new(path.as_bytes().to_vec()).unwrap();
    Message::Change(peer::change(path, fate))
}

#[test]
fn a_server_does_not_talk_for_ever() {
    let site = source();
    let endless = |message: Message<'static>| {
        move |peer: &mut Peer| {
            peer.say(&[WELCOME]);
            let some = vec![message; 500];
            // Until the client closes: a write then fails, and nothing is heard any more.
            for _ in 0..1000 {
                peer.say(&some);
            }
        }
    };
    let output = push(&site, &[], endless(problem("p")));
    assert_eq!(output.status.code(), Some(76), "{output:?}");
    assert_eq!(
        output.stderr.split(|byte| *byte == b'\n').count(),
        10_002,
        "10,000 problems, the reason, the end"
    );
    for fate in [Fate::Missing, Fate::Changed] {
        let output = push(&site, &["-v"], endless(change("c", fate)));
        assert_eq!(output.status.code(), Some(76), "{output:?}");
        let lines = output.stdout.split(|byte| *byte == b'\n').count() - 1;
        assert_eq!(lines, 5, "as many as there are entries");
    }
    refused(&site, &[], vec![WELCOME, change("c", Fate::Extra)], "nobody asked for");
}

#[test]
fn names_and_numbers_of_a_server_are_shown_harmless() {
    let site = source();
    let name = "\u{1b}[2J\r\u{9b}\u{202e}";
    for options in [&["-v"][..], &["--json"]] {
        let output = push(&site, options, move |peer| {
            peer.say(&[WELCOME, change(name, Fate::Changed), problem(name)]);
            peer.say(&[Message::Report(Report::of_values([u64::MAX; Report::NAMES.len()]))]);
            peer.hears(&Message::Bye);
        });
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        for bytes in [output.stdout, output.stderr] {
            let text = String::from_utf8(bytes).unwrap();
            let harmful = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
            assert!(!text.contains(harmful), "{text:?}");
        }
    }
}

#[test]
fn what_is_refused_of_strangers_is_not_needed_by_friends() {
    let site = source();
    let text = |path: std::path::PathBuf| path.to_str().unwrap().to_owned();
    let written = site.run(&["spec", "-k", "all", &text(site.src())]);
    fs::write(site.path("spec"), written.stdout).unwrap();
    let (spec, src) = (text(site.path("spec")), text(site.src()));
    let several = ["clean", "dir"].map(|name| text(site.src().join(name)));
    let inetd = site.serve();
    let remote = inetd.remote("m");
    // Of the directory that holds several sources nothing is said, though the file describes it.
    let pushes = [
        vec!["--spec", &spec, &several[0], &several[1]],
        vec![&several[0], &several[1]],
        // What is left out on both sides; the root stays.
        vec!["--exclude", "*", &src],
        vec!["--exclude", "*", "--spec", &spec, &src],
        vec!["--delete", "--exclude", "/dir/", "--exclude", "li?k", &src],
    ];
    for arguments in pushes {
        let output = site.run(&[&["push"], &arguments[..], &[&remote]].concat());
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{arguments:?}: {output:?}");
    }
    for (path, name) in [("/dir/deep", "deep"), ("/clean", "clean")] {
        let dest = text(site.path("pulled"));
        let output = site.run(&["pull", &format!("{remote}{path}"), &dest]);
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{path}: {output:?}");
        assert!(site.path("pulled").join(name).is_file());
    }
    assert!(inetd.ended().iter().all(std::process::ExitStatus::success));
}
