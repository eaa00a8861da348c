//! Modules, paths and rounds that must not be, and messages that come when others are due.

use super::peer::{Peer, frame, raw_frame};
use super::target::{Outcome, assert_clean_push, attack, session, site};
use smsync::exit::Exit;
use smsync::path::Scope;
use smsync::report::{Report, Side, Step};
use smsync::spec::Keywords;
use smsync::wire::Message;
use smsync::wire::message::{Direction, Flags, Round};

/// The body of `Open` with any path.
fn open(module: &str, path: &[u8]) -> Vec<u8> {
    let field = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
    raw_frame(1, &[field(module.as_bytes()), field(path)].concat())
}

/// The body of `Round`: direction, flags, keywords, and the rest as it stands.
fn round(direction: u8, flags: u32, keywords: u32, rest: &[u8]) -> Vec<u8> {
    raw_frame(6, &[&[direction], &flags.to_be_bytes()[..], &keywords.to_be_bytes(), rest].concat())
}

#[test]
fn paths_lead_nowhere_but_into_a_module() {
    let site = site();
    let long = "x/".repeat(2048);
    let malformed: [&[u8]; 9] =
        [b"..", b"../beside", b"dir/../..", b"/", b"/etc", b"dir//x", b".", b"dir/\0", long.as_bytes()];
    for path in malformed {
        let outcome = attack(&site, |peer| peer.record(&open("m", path)));
        outcome.assert(Exit::Protocol, "malformed message");
    }
    let refused = [
        ("m", ".smsync", Exit::Refused, "reserved"),
        ("m", ".smsync/x", Exit::Refused, "reserved"),
        ("", "", Exit::Refused, "no such module"),
        (".", "", Exit::Refused, "no such module"),
        ("..", "", Exit::Refused, "no such module"),
        ("M", "", Exit::Refused, "no such module"),
        ("m/dir", "", Exit::Refused, "no such module"),
        ("global", "", Exit::Refused, "no such module"),
        // A link is not followed, whether it is the last component or not.
        ("m", "link/secret", Exit::Io, "cannot open"),
        ("m", "link/dir", Exit::Io, "cannot open"),
        ("m", "keep/x", Exit::Io, "cannot open"),
        ("m", "none/x", Exit::Io, "cannot open"),
    ];
    for direction in [Direction::Push, Direction::Pull] {
        for (module, path, exit, words) in refused {
            let outcome = attack(&site, |peer| {
                peer.open_path(module, path);
                peer.round(direction, Flags::NONE);
            });
            // What the system said is for the administrator's log and for the client alike.
            outcome.assert(exit, words);
        }
    }
    for path in ["link", "keep"] {
        let outcome = attack(&site, |peer| {
            peer.open_path("m", path);
            peer.round(Direction::Push, Flags::NONE);
            peer.offer("#mtree\n. type=dir mode=0777\n");
        });
        outcome.assert(Exit::Io, "Not a directory");
    }
    assert_clean_push(&site);
}

#[test]
fn rounds_that_mean_nothing_are_refused() {
    let site = site();
    let none = b"\0\0\0\0";
    let table = [
        round(0, 0, 0, none),
        round(3, 0, 0, none),
        round(1, 8, 0, none),
        round(1, u32::MAX, 0, none),
        round(1, 0, 1 << 31, none),
        round(1, 0, 0, b"\x10\x01"),
        round(1, 0, 0, b"\0\x01\0\x02..\0\0"),
        round(1, 0, 0, b"\0\x02\0\x01b\0\x01a\0\0"),
        round(1, 0, 0, b"\0\0\0\x01\0\0"),
        round(1, 0, 0, b"\0\0"),
        round(1, 0, 0, b"\0\0\0\0\0"),
    ];
    for round in table {
        let outcome = attack(&site, |peer| {
            peer.open_path("m", "");
            peer.record(&round);
        });
        outcome.assert(Exit::Protocol, "malformed message");
    }
}

#[test]
fn only_what_is_due_is_taken() {
    let site = site();
    let usual = Round::new(Direction::Push, Flags::NONE, Keywords::NONE, Scope::default());
    let firsts = [frame(&Message::Bye), frame(&Message::WantEnd), frame(&Message::Round(usual))];
    for first in firsts {
        attack(&site, |peer| peer.record(&first)).assert(Exit::Protocol, "than the name of a module");
    }
    for kind in [0, 200, 255] {
        let unknown = raw_frame(kind, b"");
        attack(&site, |peer| peer.record(&unknown)).assert(Exit::Protocol, "unknown kind");
    }
    let second = [frame(&Message::List), open("m", b""), frame(&Message::Spec(b""))];
    for message in second {
        let outcome = attack(&site, |peer| {
            peer.open_path("m", "");
            peer.record(&message);
        });
        outcome.assert(Exit::Protocol, "something else than a round");
    }
    // The client is the sender here: what a receiver says is not its to say.
    let report = Message::Report(Report::default());
    for message in [Message::Want { first: 1, count: 1 }, Message::AskEnd, report, Message::Bye] {
        let outcome = attack(&site, |peer| {
            peer.open_path("m", "");
            peer.round(Direction::Push, Flags::DELETE);
            peer.say(&[message]);
        });
        outcome.assert(Exit::Protocol, "something else than a specification");
    }
    assert_clean_push(&site);
}

#[test]
fn the_offer_must_be_what_it_says() {
    let site = site();
    let text = b"#mtree\n. type=dir\n";
    let digest = *blake3::hash(text).as_bytes();
    let offer = |script: &dyn Fn(&mut Peer)| {
        attack(&site, |peer| {
            peer.open_path("m", "");
            peer.round(Direction::Push, Flags::DELETE);
            script(peer);
        })
    };
    let end = |digest, entries| Message::SpecEnd {
        digest,
        entries,
        whole: true,
        skipped: u64::MAX,
        holes: u64::MAX,
    };
    offer(&|peer| peer.say(&[end(digest, 1)])).assert(Exit::Protocol, "not the one that was sent");
    let empty = *blake3::hash(b"").as_bytes();
    offer(&|peer| peer.say(&[end(empty, 0)])).assert(Exit::Protocol, "must be '#mtree'");
    offer(&|peer| peer.offer_as(text, [0; 32], 1)).assert(Exit::Protocol, "not the one that was sent");
    for entries in [0, 2, u32::MAX] {
        let outcome = offer(&|peer| peer.offer_as(text, digest, entries));
        outcome.assert(Exit::Protocol, "another number of entries");
    }
    let outcome = offer(&|peer| peer.say(&[Message::Spec(text), end(digest, 1)]));
    outcome.assert(Exit::Protocol, "does not decompress");
    let packed = zstd::encode_all(&text[..], 1).unwrap();
    let outcome = offer(&|peer| {
        // What comes with the end of the turn is out of turn.
        peer.say(&[Message::Spec(&packed), end(digest, 1), Message::FilesEnd]);
    });
    outcome.assert(Exit::Protocol, "out of turn");
    let outcome = offer(&|peer| {
        let path = smsync::path::RelPath::ROOT;
        let problem = smsync::report::Problem { path, step: Step::Read, side: Side::Sender, errno: 5 };
        for _ in 0..11 {
            peer.say(&vec![Message::Problem(problem.clone()); 1000]);
        }
    });
    outcome.assert(Exit::Protocol, "too many problems");
    // No more than so many records of one connection, however much the peer has to tell; and the reason is among them.
    let lines = outcome.log.lines().count();
    assert!((400..1000).contains(&lines), "{lines} lines");
    assert_clean_push(&site);
}

#[test]
fn a_module_that_is_read_only_is_not_written() {
    let site = site();
    let text = "#mtree\n. type=dir mode=0700\n./new type=dir\n";
    let push = |flags: Flags, messages: &dyn Fn(&mut Peer)| -> Outcome {
        attack(&site, |peer| {
            peer.open_path("ro", "");
            peer.round(Direction::Push, flags);
            messages(peer);
        })
    };
    for flags in [Flags::NONE, Flags::DELETE, Flags::ITEMIZE] {
        push(flags, &|_| {}).assert(Exit::Refused, "read only");
        push(flags, &|peer| peer.offer(text)).assert(Exit::Refused, "read only");
        push(flags, &|peer| peer.say(&[Message::FilesEnd, Message::Bye])).assert(Exit::Refused, "read only");
    }
    // To look is allowed, and what was allowed once is not therefore allowed again.
    for direction in [Direction::Push, Direction::Pull] {
        let outcome = attack(&site, |peer| {
            peer.open_path("ro", "");
            peer.round(direction, Flags::DRY_RUN);
            if direction == Direction::Push {
                peer.offer(text);
                peer.hear_until(&Message::Report(Report::default()));
            } else {
                let end = Message::SpecEnd { digest: [0; 32], entries: 0, whole: true, skipped: 0, holes: 0 };
                peer.hear_until(&end);
                peer.say(&[Message::Report(Report::default())]);
            }
            peer.round(Direction::Push, Flags::NONE);
            peer.offer(text);
        });
        outcome.assert(Exit::Refused, "read only");
    }
}

#[test]
fn a_file_opened_for_a_pull_is_no_directory_to_push_into() {
    let site = site();
    let outcome = attack(&site, |peer| {
        peer.open_path("m", "keep");
        peer.round(Direction::Pull, Flags::NONE);
        peer.hear_until(&Message::SpecEnd { digest: [0; 32], entries: 0, whole: true, skipped: 0, holes: 0 });
        peer.say(&[Message::Report(Report::default())]);
        peer.round(Direction::Push, Flags::NONE);
        peer.offer("#mtree\n. type=dir mode=0777\n");
    });
    outcome.assert(Exit::Io, "keep: cannot open: Not a directory");
}

#[test]
fn rounds_follow_each_other_until_bye() {
    let site = site();
    let outcome = session(&site, |peer| {
        peer.open_path("m", "");
        for name in ["one", "two"] {
            peer.round(Direction::Push, Flags::NONE);
            peer.offer(&format!("#mtree\n. type=dir\n./{name} type=dir mode=0755\n"));
            peer.hear_until(&Message::Report(Report::default()));
        }
        peer.say(&[Message::Bye]);
    });
    assert_eq!((outcome.code, &outcome.abort), (0, &None), "{outcome:?}");
    assert!(site.dst().join("one").is_dir() && site.dst().join("two").is_dir());
    let outcome = attack(&site, |peer| {
        peer.open_path("m", "");
        peer.say(&[Message::Bye]);
        peer.round(Direction::Push, Flags::DELETE);
        peer.offer("#mtree\n. type=dir\n./three type=dir\n");
    });
    assert_eq!((outcome.code, &outcome.abort), (0, &None), "after Bye nothing is heard: {outcome:?}");
    assert_clean_push(&site);
}
