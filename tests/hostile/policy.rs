//! What the owner of a module refuses stays refused, whatever a sender says later than in its round.

use super::peer::Peer;
use super::target::{attack, session, site_with};
use smsync::exit::Exit;
use smsync::path::Scope;
use smsync::report::{Problem, Side, Step};
use smsync::spec::{Keywords, Time};
use smsync::terms::Taking;
use smsync::wire::Message;
use smsync::wire::message::{Direction, Flags, Round};

/// A push of this specification after a round that speaks of nothing but types, sizes, times and targets of links.
fn push_more(peer: &mut Peer, spec: &str) {
    let keywords = Keywords::parse("type,size,time,link").unwrap();
    peer.open_path("m", "");
    peer.say(&[Message::Round(Round::new(Direction::Push, Flags::NONE, keywords, Scope::default()))]);
    peer.offer(spec);
}

#[test]
fn words_of_a_specification_are_refused_like_those_of_a_round() {
    let sha256 = "0".repeat(64);
    let file = |more: &str| format!("#mtree\n. type=dir\n./new type=file {more}\n");
    let table = [
        ("perms", file("mode=0777 size=5 time=7.000000000")),
        ("perms", "#mtree\n. type=dir mode=0777\n".to_owned()),
        ("owner", file("uid=1 size=5 time=7.000000000")),
        ("owner", file("uname=daemon size=5 time=7.000000000")),
        ("group", file("gid=1 size=5 time=7.000000000")),
        ("group", file("gname=daemon size=5 time=7.000000000")),
        ("checksum", file(&format!("size=5 time=7.000000000 sha256={sha256}"))),
        ("checksum", file(&format!("size=5 time=7.000000000 blake3={sha256}"))),
        ("hard-links", file("size=5 time=7.000000000 inode=1 resdevice=native,0,1")),
        ("xattrs", file("size=5 time=7.000000000 xattr.user.a=eA==")),
    ];
    for (name, spec) in &table {
        let site = site_with(&format!("refuse options = {name}"));
        let outcome = attack(&site, |peer| push_more(peer, spec));
        outcome.assert(Exit::Refused, &format!("the module refuses '{name}' ('refuse options')"));
    }
    // That is what ends it: where the others are refused, a sender may say more.
    for (name, spec) in &table {
        let site = site_with(&format!("refuse options = * !{name}"));
        session(&site, |peer| {
            push_more(peer, spec);
            let next = peer.hear();
            let abort = next.as_ref().is_some_and(|heard| matches!(heard.message(), Message::Abort { .. }));
            assert!(next.is_some() && !abort, "{name}: {next:?}");
        });
    }
}

/// The one problem that a session tells, which is over then.
#[track_caller]
fn problem(peer: &mut Peer) -> Problem {
    let heard = peer.hear_until(&Message::Report(Default::default()));
    peer.say(&[Message::Bye]);
    let mut problems = heard.iter().filter_map(|heard| match heard.message() {
        Message::Problem(problem) => Some(problem),
        _ => None,
    });
    let first = problems.next().expect("no problem was told");
    assert_eq!(problems.next(), None);
    first
}

#[test]
fn capabilities_of_a_file_are_refused_like_a_set_id_bit() {
    let entry = |more: &str| format!("#mtree\n. type=dir\n./new type=file {more}\n");
    for more in [
        "mode=04755 size=5 time=7.000000000",
        // Of cap_net_raw.
        "size=5 time=7.000000000 xattr.security.capability=AQAAAgAgAAAAAAAAAAAAAAAAAAA=",
        "size=5 time=7.000000000 xattr.security.a=eA== xattr.security.capability=AQAAAgAgAAAAAAAAAAAAAAAAAAA=",
    ] {
        let outcome = attack(&site_with("refuse options = setuid"), |peer| {
            peer.push(&entry(more));
            let Problem { path, step, side, errno } = problem(peer);
            assert_eq!((step, side, errno), (Step::Accept, Side::Receiver, libc::EPERM), "{more}");
            assert_eq!(path.as_bytes(), b"new");
        });
        assert_eq!(outcome.code, 1, "{more}: {outcome:?}");
    }
    // Other attributes are nothing of the kind.
    session(&site_with("refuse options = setuid"), |peer| {
        peer.push(&entry("mode=0755 size=5 time=7.000000000 xattr.user.security.capability=eA=="));
        peer.hear_until(&Message::WantEnd);
    });
}

#[test]
fn a_file_may_not_grow_beyond_what_is_taken() {
    let spec = "#mtree\n. type=dir\n./a type=file size=5 time=7.000000000\n\
                ./b type=file size=5 time=7.000000000\n";
    let file = |index, size| Message::File { index, size, time: Time { sec: 8, nsec: 0 } };
    let end = |contents: &[u8]| Message::FileEnd { digest: *blake3::hash(contents).as_bytes() };
    let (large, fits) = (b"123456789", b"12345678");
    let parts = zstd::encode_all(&large[..], 3).unwrap();
    let packed = Message::Packed { size: 9, piece: &parts };
    let mut hole = large.to_vec();
    hole.resize(hole.len() + (1 << 20), 0);
    let table = [
        vec![file(1, 9), Message::Data(large), end(large)],
        vec![file(1, 9), packed, end(large)],
        vec![file(1, hole.len() as u64), Message::Data(large), Message::Hole(1 << 20), end(&hole)],
        // Once more, when it has become too large meanwhile.
        vec![file(1, 5), Message::Data(b"12"), Message::Again, file(1, 9), Message::Data(large), end(large)],
    ];
    for messages in table {
        // All that is in one record is taken in another way.
        for at_once in [false, true] {
            let site = site_with("max file size = 8");
            let outcome = session(&site, |peer| {
                peer.push(spec);
                peer.hear_until(&Message::WantEnd);
                let rest = [file(2, 8), Message::Data(fits), end(fits), Message::FilesEnd];
                let all = [&messages[..], &rest].concat();
                if at_once {
                    peer.say(&all);
                } else {
                    all.iter().for_each(|message| peer.say(std::slice::from_ref(message)));
                }
                let Problem { path, step, side, errno } = problem(peer);
                assert_eq!((step, side, errno), (Step::Accept, Side::Receiver, libc::EFBIG), "{messages:?}");
                assert_eq!(path.as_bytes(), b"a");
            });
            assert_eq!(outcome.code, 1, "{messages:?}: {outcome:?}");
            assert!(!site.dst().join("a").exists(), "{messages:?}");
            assert_eq!(std::fs::read(site.dst().join("b")).unwrap(), fits, "{messages:?}");
            assert!(!site.dst().join(".smsync").exists(), "{messages:?}: something waits in the stage");
        }
    }
}

/// The text of a specification that comes.
fn spec(peer: &mut Peer) -> String {
    let mut packed = Vec::new();
    loop {
        let heard = peer.hear().expect("the session ended");
        match heard.message() {
            Message::Spec(piece) => packed.extend_from_slice(piece),
            Message::SpecEnd { .. } => {
                return String::from_utf8(zstd::decode_all(&packed[..]).unwrap()).unwrap();
            }
            _ => {}
        }
    }
}

/// What a round may open does not depend on the rounds before it.
#[test]
fn a_pull_after_a_push_follows_no_link_out_of_the_module() {
    let keywords = || Keywords::parse("type,size,time,link").unwrap();
    for (module, flags) in [("ro", Flags::DRY_RUN), ("m", Flags::DRY_RUN), ("m", Flags::NONE)] {
        let site = site_with("");
        std::fs::create_dir(site.path("outside")).unwrap();
        std::fs::write(site.path("outside/canary"), "secret").unwrap();
        std::os::unix::fs::symlink("../outside", site.dst().join("out")).unwrap();
        std::os::unix::fs::symlink(site.path("outside/canary"), site.dst().join("absolute")).unwrap();
        let outcome = session(&site, |peer| {
            peer.open_path(module, "");
            peer.say(&[Message::Round(Round::new(Direction::Push, flags, keywords(), Scope::default()))]);
            peer.offer("#mtree\n. type=dir\n");
            peer.hear_until(&Message::Report(Default::default()));
            let taking = Taking::new(Taking::COPY_LINKS, 0, u64::MAX).unwrap();
            let round = Round::new(Direction::Pull, Flags::NONE, keywords(), Scope::default());
            peer.say(&[Message::Round(Round { taking, ..round })]);
            let text = spec(peer);
            assert!(text.contains("\n. type=dir"), "{text}");
            assert!(!text.contains("canary") && !text.contains("./absolute type=file"), "{text}");
        });
        outcome.assert_sound();
    }
}

/// A specification is compressed: what a few kilobytes are is not for the sender to say.
#[test]
fn a_text_has_no_more_bytes_than_its_entries_can_have() {
    let site = site_with("max files = 3");
    let offer = |length: usize| {
        attack(&site, |peer| {
            peer.open_path("m", "");
            peer.round(Direction::Push, Flags::NONE);
            let text = vec![b'\n'; length];
            peer.offer_as(&text, *blake3::hash(&text).as_bytes(), 3);
        })
    };
    let most = (1 << 20) + 3 * 16 * 1024;
    offer(most).assert(Exit::Protocol, "specification line 1: ");
    offer(most + 1).assert(Exit::Refused, "more bytes than 3 entries can have ('max files')");
}
