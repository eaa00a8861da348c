//! A client that pulls, and asks for what it must not have or says what cannot be.

use super::peer::{self, Peer};
use super::target::{attack, connect, ended, inside, session, site};
use crate::common::Site;
use smsync::exit::Exit;
use smsync::path::{RelPath, Scope};
use smsync::report::{Fate, Problem, Report, Side, Step};
use smsync::spec::{Keyword, Keywords};
use smsync::wire::Message;
use smsync::wire::message::{Direction, Flags, Round};
use std::fs;

/// The module's specification has these indices: `.` 0, `dir` 1, `dir/inner` 2, `keep` 3, `link` 4.
const INNER: u32 = 2;
const KEEP: u32 = 3;

const OFFER: Message<'static> =
    Message::SpecEnd { digest: [0; 32], entries: 0, whole: true, skipped: 0, holes: 0 };

fn offered(peer: &mut Peer, flags: Flags) {
    peer.open_path("m", "");
    peer.round(Direction::Pull, flags);
    let heard = peer.hear_until(&OFFER);
    assert!(matches!(heard.last().unwrap().message(), Message::SpecEnd { entries: 5, .. }), "{heard:?}");
}

const fn want(first: u32, count: u32) -> Message<'static> {
    Message::Want { first, count }
}

/// `keep` has four bytes.
const fn resume(index: u32, offset: u64) -> Message<'static> {
    Message::Resume { index, offset, digest: [0; 32] }
}

const fn ask(first: u32, count: u32) -> Message<'static> {
    Message::Ask { first, count }
}

const KEY: u64 = 1 << 40;

const fn base(index: u32) -> Message<'static> {
    Message::Base { index, block: 4096, key: KEY }
}

const fn together(first: u32, count: u32) -> Message<'static> {
    Message::AskTogether { first, count }
}

fn report() -> Message<'static> {
    Message::Report(Report::default())
}

fn problem() -> Message<'static> {
    Message::Problem(Problem { path: RelPath::ROOT, step: Step::Write, side: Side::Receiver, errno: 28 })
}

fn change(fate: Fate) -> Message<'static> {
    Message::Change(peer::change(RelPath::ROOT, fate))
}

#[test]
fn only_files_of_the_specification_are_sent_and_each_once() {
    use Message::{AskEnd, WantEnd};
    let order = "out of range or out of order";
    let file = "no regular file";
    let due = "does not expect";
    let table: Vec<(Vec<Message<'static>>, &str)> = vec![
        (vec![want(5, 1)], order),
        (vec![want(u32::MAX, 1)], order),
        (vec![want(u32::MAX, u32::MAX)], order),
        (vec![want(2, u32::MAX)], order),
        (vec![want(4, 2)], order),
        (vec![want(KEEP, 0)], order),
        (vec![want(KEEP, 1), want(INNER, 1)], order),
        (vec![want(KEEP, 1), want(KEEP, 1)], order),
        (vec![want(INNER, 2), want(KEEP, 1)], order),
        (vec![ask(5, 1)], order),
        (vec![ask(KEEP, 1), ask(INNER, 1)], order),
        (vec![want(0, 1), WantEnd], file),
        (vec![want(1, 2), WantEnd], file),
        (vec![want(INNER, 3), WantEnd], file),
        (vec![want(4, 1), WantEnd], file),
        (vec![ask(0, 1), AskEnd], file),
        (vec![together(5, 1)], order),
        (vec![together(KEEP, 0)], order),
        (vec![together(KEEP, 1), together(INNER, 1)], order),
        (vec![together(1, 2), AskEnd], file),
        (vec![together(KEEP, 1), report()], due),
        (vec![want(KEEP, 1), together(KEEP, 1)], due),
        (vec![ask(1, 1), AskEnd], file),
        (vec![base(5)], order),
        (vec![want(KEEP, 1), base(KEEP)], order),
        (vec![base(KEEP), base(INNER)], order),
        (vec![base(1), WantEnd], file),
        (vec![Message::Base { index: KEEP, block: 0, key: KEY }], "a size of blocks that is none"),
        (vec![Message::Base { index: KEEP, block: u32::MAX, key: KEY }], "a size of blocks that is none"),
        (vec![Message::Base { index: KEEP, block: 4095, key: KEY }], "a size of blocks that is none"),
        (vec![Message::Sums(&[0; 10])], "blocks of no file"),
        (vec![want(KEEP, 1), Message::Sums(&[0; 10])], "blocks of no file"),
        (vec![base(INNER), want(KEEP, 1), Message::Sums(&[0; 10])], "blocks of no file"),
        (vec![base(KEEP), Message::Sums(&[0; 7])], "half a one"),
        (vec![base(KEEP), report()], due),
        (vec![resume(5, 1)], order),
        (vec![want(KEEP, 1), resume(KEEP, 1)], order),
        (vec![resume(KEEP, 1), want(INNER, 1)], order),
        (vec![resume(KEEP, 5)], "more than can be there"),
        (vec![resume(KEEP, u64::MAX)], "a file is too large"),
        (vec![resume(1, 0)], "more than can be there"),
        (vec![resume(KEEP, 1), report()], due),
        (vec![problem(), resume(KEEP, 1)], due),
        (vec![want(KEEP, 1), ask(KEEP, 1)], due),
        (vec![want(KEEP, 1), AskEnd], due),
        (vec![want(KEEP, 1), report()], due),
        (vec![ask(KEEP, 1), report()], due),
        (vec![ask(KEEP, 1), problem()], due),
        (vec![problem(), want(KEEP, 1)], due),
        (vec![problem(), WantEnd], due),
        (vec![problem(), AskEnd], due),
        (vec![Message::Bye], due),
        (vec![Message::FilesEnd], due),
        (vec![Message::Spec(b"")], due),
        (vec![OFFER], due),
        (vec![Message::Data(b"x")], due),
        (vec![change(Fate::Missing)], "nobody asked for"),
        (vec![WantEnd, want(KEEP, 1)], "out of turn"),
        (vec![want(KEEP, 1), WantEnd, WantEnd], "out of turn"),
        (vec![AskEnd, AskEnd], "out of turn"),
    ];
    let site = site();
    for (messages, words) in table {
        let outcome = attack(&site, |peer| {
            offered(peer, Flags::NONE);
            peer.say(&messages);
        });
        outcome.assert(Exit::Protocol, words);
    }
    // In turn, but for the second time.
    for (message, end) in [(Message::WantEnd, Message::FilesEnd), (Message::AskEnd, Message::DigestsEnd)] {
        let outcome = attack(&site, |peer| {
            offered(peer, Flags::NONE);
            peer.say(std::slice::from_ref(&message));
            peer.hear_until(&end);
            peer.say(&[message]);
        });
        outcome.assert(Exit::Protocol, due);
    }
    let outcome = attack(&site, |peer| {
        offered(peer, Flags::NONE);
        peer.say(&[base(KEEP)]);
        (0..257).for_each(|_| peer.say(&[Message::Sums(&[0; 1 << 17])]));
    });
    outcome.assert(Exit::Protocol, "too many digests");
    // Who asked about several together asks once more, and not again.
    let outcome = attack(&site, |peer| {
        offered(peer, Flags::NONE);
        for (asked, answers) in [(together(INNER, 2), 1), (ask(KEEP, 1), 1), (ask(KEEP, 1), 0)] {
            peer.say(&[asked, AskEnd]);
            if answers > 0 {
                assert_eq!(peer.hear_until(&Message::DigestsEnd).len(), 2);
            }
        }
    });
    outcome.assert(Exit::Protocol, due);
}

#[test]
fn what_a_receiver_tells_is_bounded() {
    let site = site();
    let tell = |flags, message: Message<'static>, count: usize| {
        attack(&site, |peer| {
            offered(peer, flags);
            let mut left = count;
            while left > 0 {
                peer.say(&vec![message.clone(); left.min(1000)]);
                left = left.saturating_sub(1000);
            }
            peer.say(&[report(), Message::Bye]);
        })
    };
    let table = [
        (Flags::NONE, problem(), 10_000, "too many problems"),
        (Flags::ITEMIZE, change(Fate::Missing), 5, "more changes than there are entries"),
        (Flags::ITEMIZE, change(Fate::Changed), 5, "more changes than there are entries"),
    ];
    for (flags, message, limit, words) in table {
        tell(flags, message.clone(), limit + 1).assert(Exit::Protocol, words);
        // Report and Bye in one record: the client did not wait for its turn to end, but said nothing that matters.
        tell(flags, message, limit).assert_sound();
    }
    assert_eq!(tell(Flags::ITEMIZE, change(Fate::Extra), 6).abort, None, "extras are not entries of ours");
}

/// Bytes of the contents that come for this index.
fn contents(peer: &mut Peer, index: u32) -> Vec<u8> {
    wished(peer, want(index, 1))
}

/// Bytes of the contents that come for this wish.
fn wished(peer: &mut Peer, wish: Message<'static>) -> Vec<u8> {
    peer.say(&[wish, Message::WantEnd]);
    let mut contents = Vec::new();
    for heard in peer.hear_until(&Message::FilesEnd) {
        if let Message::Data(piece) = heard.message() {
            contents.extend_from_slice(piece);
        }
    }
    contents
}

#[test]
fn every_specification_says_what_one_must() {
    let site = site();
    for keywords in [&[][..], &[Keyword::Inode], &[Keyword::Resdevice]].map(Keywords::of) {
        let round = Round::new(Direction::Pull, Flags::NONE, keywords, Scope::default());
        let outcome = attack(&site, |peer| {
            peer.open_path("m", "");
            peer.say(&[Message::Round(round)]);
            peer.hear_until(&OFFER);
            assert_eq!(contents(peer, KEEP), b"old\n");
            peer.say(&[report()]);
            peer.say(&[Message::Bye]);
        });
        assert_eq!((outcome.code, &outcome.abort), (0, &None), "{keywords:?}: {outcome:?}");
    }
}

#[test]
fn only_the_right_beginning_is_gone_on_with() {
    let site = site();
    let right = *blake3::hash(b"ol").as_bytes();
    for (digest, expected) in [([0; 32], &b"old\n"[..]), (right, b"d\n")] {
        let outcome = attack(&site, |peer| {
            offered(peer, Flags::NONE);
            let wish = Message::Resume { index: KEEP, offset: 2, digest };
            assert_eq!(wished(peer, wish), expected);
            peer.say(&[report()]);
            peer.say(&[Message::Bye]);
        });
        assert_eq!((outcome.code, &outcome.abort), (0, &None), "{outcome:?}");
    }
}

#[test]
fn what_takes_a_files_place_is_not_sent() {
    let site = site();
    let swap = |change: &dyn Fn(&Site)| {
        let outcome = session(&site, |peer| {
            offered(peer, Flags::NONE);
            change(&site);
            assert_eq!(contents(peer, INNER), b"");
            peer.say(&[report()]);
            peer.say(&[Message::Bye]);
        });
        assert_eq!((outcome.code, &outcome.abort), (0, &None), "{outcome:?}");
        let _ = fs::remove_file(inside(&site, "dir"));
        let _ = fs::remove_dir_all(inside(&site, "dir"));
        fs::create_dir(inside(&site, "dir")).unwrap();
        fs::write(inside(&site, "dir/inner"), "old too\n").unwrap();
    };
    let inner = inside(&site, "dir/inner");
    fs::write(site.path("beside/inner"), "not to be seen").unwrap();
    swap(&|site| {
        fs::remove_file(&inner).unwrap();
        std::os::unix::fs::symlink(site.path("beside/secret"), &inner).unwrap();
    });
    swap(&|_| {
        fs::remove_dir_all(inside(&site, "dir")).unwrap();
        std::os::unix::fs::symlink("../beside", inside(&site, "dir")).unwrap();
    });
    // Nobody writes to a named pipe: to open it for reading would never end.
    swap(&|_| {
        fs::remove_file(&inner).unwrap();
        let path = rustix::fs::CWD;
        rustix::fs::mkfifoat(path, &inner, rustix::fs::Mode::RWXU).unwrap();
    });
    swap(&|_| {
        fs::remove_file(&inner).unwrap();
        fs::create_dir(&inner).unwrap();
    });
    swap(&|_| fs::remove_file(&inner).unwrap());
}

#[test]
fn who_leaves_in_the_middle_of_a_file_leaves_nobody_behind() {
    let site = site();
    // More than the records that are read ahead and all socket buffers hold.
    fs::write(inside(&site, "keep"), vec![7; 64 << 20]).unwrap();
    for abrupt in [false, true] {
        let (socket, mut child) = connect(&site);
        let mut peer = Peer::client(socket, &site.secret);
        offered(&mut peer, Flags::NONE);
        peer.say(&[want(KEEP, 1), Message::WantEnd]);
        assert!(matches!(peer.hear().unwrap().message(), Message::File { .. }));
        assert!(matches!(peer.hear().unwrap().message(), Message::Data(_)));
        if abrupt {
            drop(peer);
            assert_eq!(ended(&mut child), 69);
        } else {
            peer.say(&[Message::Abort { exit: Exit::Io, text: "full".into() }]);
            assert_eq!(ended(&mut child), 74);
        }
    }
}
