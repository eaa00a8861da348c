//! Files that are not those that were wanted, or not as they were announced.

use super::peer::{Peer, frame};
use super::target::{Outcome, assert_clean_push, attack, connect, ended, site};
use smsync::exit::Exit;
use smsync::limits;
use smsync::spec::Time;
use smsync::wire::Message;
use smsync::wire::message::{Direction, Flags};
use std::os::unix::fs::MetadataExt;

/// Indices 1 and 3 are files of 5 and 3 bytes, 2 is a directory.
const SPEC: &str = "#mtree\n. type=dir\n./a type=file size=5 time=7.000000000\n./d type=dir\n\
                    ./d/b type=file size=3 time=7.000000000\n";

const TIME: Time = Time { sec: 7, nsec: 0 };

const fn file(index: u32, size: u64) -> Message<'static> {
    Message::File { index, size, time: TIME }
}

fn end(contents: &[u8]) -> Message<'static> {
    Message::FileEnd { digest: *blake3::hash(contents).as_bytes() }
}

/// A piece that is said to unpack to so many bytes.
fn packed(size: u32, piece: &[u8]) -> Message<'static> {
    Message::Packed { size, piece: piece.to_vec().leak() }
}

const fn missing(index: u32, errno: i32) -> Message<'static> {
    Message::Missing { index, errno }
}

/// A push up to the point where the files are wanted.
fn wanted(peer: &mut Peer, flags: Flags) {
    peer.open_path("m", "");
    peer.round(Direction::Push, flags);
    peer.offer(SPEC);
    let wanted = peer.wants();
    let rows = [Message::Want { first: 1, count: 1 }, Message::Want { first: 3, count: 1 }];
    let messages: Vec<_> = wanted.iter().map(|heard| heard.message()).collect();
    assert!(rows.iter().all(|row| messages.contains(row)), "{messages:?}");
}

#[test]
fn what_was_not_announced_ends_the_session() {
    use Message::{Again, Data, FilesEnd, Hole};
    let good = || vec![file(1, 5), Data(b"hello"), end(b"hello")];
    let then = |more: &[Message<'static>]| [&good(), more].concat();
    let hello = zstd::encode_all(&b"hello"[..], 3).unwrap();
    let bomb = zstd::encode_all(&vec![0; 64 << 20][..], 3).unwrap();
    let other = "another file than the next one wanted";
    let more = "more contents than the file was said to have";
    let less = "less contents than the file was said to have";
    let table: Vec<(Vec<Message<'static>>, &str)> = vec![
        // Which file.
        (vec![file(0, 5)], other),
        (vec![file(2, 5)], other),
        (vec![file(99, 5)], other),
        (vec![file(u32::MAX, 5)], other),
        (vec![file(3, 3)], other),
        (then(&[file(1, 5)]), other),
        (vec![file(1, 5), file(3, 3)], other),
        (vec![file(1, 5), file(1, 5)], other),
        (then(&[file(3, 3), Data(b"abc"), end(b"abc"), file(3, 3)]), other),
        (vec![missing(3, 2)], other),
        (vec![file(1, 5), missing(3, 2)], "another file is missing"),
        (vec![missing(1, 2), missing(1, 2)], other),
        // How much of it.
        (vec![Data(b"hello")], "contents of no file"),
        (vec![Hole(1)], "contents of no file"),
        (then(&[Data(b"")]), "contents of no file"),
        (vec![file(1, 5), Data(b"hello!")], more),
        (vec![file(1, 5), Data(b"hello"), Data(b"!")], more),
        (vec![Message::Copy { from: 0, length: 1 }], "contents of no file"),
        (vec![file(1, 5), Message::Copy { from: 0, length: 6 }], more),
        (vec![file(1, 5), Message::Copy { from: 0, length: 5 }], "what the receiver does not have"),
        (vec![file(1, 5), Message::Copy { from: 0, length: 0 }], "what the receiver does not have"),
        (vec![file(1, 5), Hole(6)], more),
        (vec![packed(5, &hello)], "contents of no file"),
        (vec![file(1, 4), packed(5, &hello)], more),
        (vec![file(1, 5), packed(5, &hello), packed(1, &hello)], more),
        (vec![file(1, 5), packed(4, &hello)], "does not unpack to its size"),
        (vec![file(1, 5), packed(5, b"hello")], "does not unpack to its size"),
        // One record of it would fill 64 MiB.
        (vec![file(1, 5), packed(5, &bomb)], "does not unpack to its size"),
        (vec![file(1, 64 << 20), packed(64 << 20, &bomb)], "the size of a piece is out of range"),
        (vec![file(1, 5), packed(5, &hello), end(b"hellO")], "not those of the digest"),
        (vec![file(1, 5), Hole(limits::FILE_SIZE)], more),
        (vec![file(1, 5), Data(b"hello"), Hole(1)], more),
        (vec![file(1, 0), Data(b"x")], more),
        (vec![file(1, 5), Data(b"hell"), end(b"hell")], less),
        (vec![file(1, 5), end(b"")], less),
        (vec![file(1, limits::FILE_SIZE), Data(b"hello"), end(b"hello")], less),
        (vec![file(1, 5), Data(b"hello"), end(b"hellO")], "not those of the digest"),
        (vec![file(1, 5), Hole(5), end(b"\0\0\0\0")], "not those of the digest"),
        // Ends of nothing.
        (vec![end(b"")], "the end of no file"),
        (then(&[end(b"hello")]), "the end of no file"),
        (vec![Again], "no file to send again"),
        (then(&[Again]), "no file to send again"),
        (vec![file(1, 5), Again, Again], "no file to send again"),
        (vec![file(1, 5), Again, file(3, 3)], other),
        (vec![file(1, 5), Again, file(1, 5), Again], "a third time"),
        (vec![FilesEnd], "fewer files than were wanted"),
        (then(&[FilesEnd]), "fewer files than were wanted"),
        (vec![file(1, 5), FilesEnd], "fewer files than were wanted"),
        (vec![file(1, 5), Again, FilesEnd], "fewer files than were wanted"),
        (vec![missing(1, 2), missing(3, 2), FilesEnd, FilesEnd], "more after the last file"),
        (vec![missing(1, 2), missing(3, 2), FilesEnd, Message::Bye], "more after the last file"),
        // The rest of a file of which nothing is here.
        (vec![Message::Resumed], "cannot be gone on with"),
        (then(&[Message::Resumed]), "cannot be gone on with"),
        (vec![file(1, 5), Message::Resumed], "cannot be gone on with"),
        // Something else.
        (vec![Message::Bye], "does not expect"),
        (vec![Message::Want { first: 1, count: 1 }], "does not expect"),
        (vec![Message::Spec(b"")], "does not expect"),
        (then(&[Message::DigestsEnd]), "does not expect"),
        (then(&[Message::Report(Default::default())]), "does not expect"),
    ];
    let site = site();
    for (messages, words) in table {
        // What comes behind the last file in another record is out of turn, and found when the receiver speaks again.
        let alone = words != "more after the last file";
        for each_alone in [false, alone] {
            let outcome = attack(&site, |peer| {
                wanted(peer, Flags::DELETE);
                if each_alone {
                    messages.iter().for_each(|message| peer.say(std::slice::from_ref(message)));
                } else {
                    peer.say(&messages);
                }
            });
            outcome.assert(Exit::Protocol, words);
        }
    }
    assert_clean_push(&site);
}

#[test]
fn what_the_sender_says_of_its_end_is_heard() {
    let site = site();
    let abort = || Message::Abort { exit: Exit::Io, text: "no space \u{1b}[2J left".into() };
    let scripts: [&[Message<'static>]; 3] = [&[], &[file(1, 5)], &[file(1, 5), Message::Data(b"he")]];
    for before in scripts {
        for together in [false, true] {
            let outcome = attack(&site, |peer| {
                wanted(peer, Flags::DELETE);
                let plaintext: Vec<u8> = before.iter().flat_map(frame).collect();
                if together {
                    peer.record(&[plaintext, frame(&abort())].concat());
                } else {
                    if !plaintext.is_empty() {
                        peer.record(&plaintext);
                    }
                    peer.say(&[abort()]);
                }
            });
            assert_eq!((outcome.code, &outcome.abort), (74, &None), "{outcome:?}");
            assert!(outcome.log.contains("no space \\033[2J left"), "{outcome:?}");
        }
    }
    assert_clean_push(&site);
}

/// Cuts the connection after each message of a push that would otherwise work.
#[test]
fn a_cut_anywhere_changes_nothing() {
    let site = site();
    let all =
        [file(1, 5), Message::Data(b"hello"), end(b"hello"), file(3, 3), Message::Hole(3), end(&[0; 3])];
    for count in 0..=all.len() {
        let outcome = attack(&site, |peer| {
            wanted(peer, Flags::DELETE);
            all[..count].iter().for_each(|message| peer.say(std::slice::from_ref(message)));
        });
        assert_closed(&outcome);
    }
    for count in 0..3 {
        let outcome = attack(&site, |peer| {
            let scripts: [&dyn Fn(&mut Peer); 3] = [
                &|peer| peer.open_path("m", ""),
                &|peer| peer.round(Direction::Push, Flags::DELETE),
                &|peer| peer.say(&[Message::Spec(&zstd::encode_all(SPEC.as_bytes(), 1).unwrap())]),
            ];
            scripts[..count].iter().for_each(|script| script(peer));
        });
        assert_closed(&outcome);
    }
    assert_clean_push(&site);
    // The control: with its end it works, and the files are there.
    let outcome = super::target::session(&site, |peer| {
        wanted(peer, Flags::DELETE);
        peer.say(&[&all[..], &[Message::FilesEnd]].concat());
        peer.hear_until(&Message::Report(Default::default()));
    });
    assert_eq!(outcome.code, 69, "without Bye the session did not end well: {outcome:?}");
    assert_eq!(std::fs::read(site.dst().join("d/b")).unwrap(), [0; 3]);
    assert!(!site.dst().join("clean").exists() && !site.dst().join(".smsync").exists());
}

#[track_caller]
fn assert_closed(outcome: &Outcome) {
    assert_eq!((outcome.code, &outcome.abort), (69, &None), "{outcome:?}");
    assert!(outcome.log.contains("closed the connection before it was done"), "{outcome:?}");
}

#[test]
fn a_hole_that_takes_days_is_left_when_nobody_waits() {
    let site = site();
    let (socket, mut child) = connect(&site);
    let mut peer = Peer::client(socket, &site.secret);
    // Just what ext4 can hold, and hours to digest.
    let size = 15 << 40;
    peer.push(&format!("#mtree\n. type=dir\n./a type=file size={size} time=7.000000000\n"));
    peer.hear_until(&Message::WantEnd);
    peer.say(&[file(1, size), Message::Hole(size)]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(child.try_wait().unwrap(), None, "it is at work");
    drop(peer);
    assert_eq!(ended(&mut child), 69);
    assert_clean_push(&site);
}

#[test]
fn sizes_that_do_not_add_up_to_a_number_are_no_bug() {
    let site = site();
    let entries =
        (0..2100).map(|n| format!("./{n:04} type=file size={} time=0.000000000\n", limits::FILE_SIZE));
    let text = format!("#mtree\n. type=dir\n{}", entries.collect::<String>());
    let outcome = attack(&site, |peer| {
        peer.open_path("m", "");
        peer.round(Direction::Push, Flags::DRY_RUN);
        peer.offer(&text);
        let heard = peer.hear_until(&Message::Report(Default::default()));
        let Message::Report(report) = heard.last().unwrap().message() else { panic!() };
        assert_eq!((report.files, report.bytes), (2100, u64::MAX));
        peer.say(&[Message::Bye]);
    });
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let outcome = attack(&site, |peer| {
        peer.push(&text);
        peer.hear_until(&Message::WantEnd);
        let all: Vec<_> = (1..=2100).map(|index| missing(index, libc::ENOENT)).collect();
        peer.say(&all);
        peer.say(&[Message::FilesEnd]);
        let heard = peer.hear_until(&Message::Report(Default::default()));
        let Message::Report(report) = heard.last().unwrap().message() else { panic!() };
        assert_eq!((report.vanished, report.files), (2100, 0));
        peer.say(&[Message::Bye]);
    });
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert_clean_push(&site);
}

/// What is asked about together is answered once for all of it; and whatever the answer, only contents of that digest are
/// taken.
#[test]
fn answers_about_moves_are_checked() {
    use Message::{AskEnd, DigestsEnd};
    let digest = |index| Message::Digest { index, digest: [7; 32] };
    let wrong = Message::Together { digest: [7; 32] };
    let something = "something else than a digest";
    let unasked = "a digest that was not asked for";
    let site = site();
    let stat = std::fs::metadata(site.dst().join("keep")).unwrap();
    let (sec, nsec) = (stat.mtime(), stat.mtime_nsec());
    // In the place of `keep`, and as long and old as that.
    let spec = format!("#mtree\n. type=dir\n./moved type=file size=4 time={sec}.{nsec:09}\n");
    let asked = |peer: &mut Peer| {
        peer.open_path("m", "");
        peer.round(Direction::Push, Flags::NONE);
        peer.offer(&spec);
        let heard = peer.hear_until(&AskEnd);
        let question = Message::AskTogether { first: 1, count: 1 };
        assert!(heard.iter().any(|heard| heard.message() == question), "{heard:?}");
    };
    let table = [
        (vec![DigestsEnd], something),
        (vec![wrong.clone(), wrong.clone()], something),
        (vec![wrong.clone(), digest(1)], unasked),
        (vec![digest(1)], unasked),
        (vec![wrong.clone(), DigestsEnd, wrong.clone()], something),
        (vec![wrong.clone(), DigestsEnd, digest(0)], unasked),
        (vec![wrong.clone(), DigestsEnd, digest(1), digest(1)], unasked),
        (vec![Message::FilesEnd], something),
    ];
    for (messages, words) in table {
        let outcome = attack(&site, |peer| {
            asked(peer);
            for message in &messages {
                peer.say(std::slice::from_ref(message));
                if *message == DigestsEnd && messages.len() > 2 {
                    peer.hear_until(&AskEnd);
                }
            }
        });
        outcome.assert(Exit::Protocol, words);
    }
    // It is asked for itself, and then wanted.
    let outcome = attack(&site, |peer| {
        asked(peer);
        peer.say(&[wrong, DigestsEnd]);
        peer.hear_until(&AskEnd);
        peer.say(&[digest(1), DigestsEnd]);
        peer.hear_until(&Message::WantEnd);
        peer.say(&[Message::Bye]);
    });
    outcome.assert(Exit::Protocol, "does not expect");
    assert_clean_push(&site);
}

/// Of an older file only what is in it can be kept, and what comes of it must be what the sender has.
#[test]
fn parts_of_an_older_file_are_checked() {
    use Message::FilesEnd;
    let site = site();
    let old: Vec<u8> = (0..300_000u32).map(|at| at.to_le_bytes()[1]).collect();
    std::fs::write(site.dst().join("old"), &old).unwrap();
    // 73 blocks of 4096 bytes.
    const REACH: u64 = 73 * 4096;
    let spec = "#mtree\n. type=dir\n./old type=file size=300000 time=7.000000000\n";
    let wanted = |peer: &mut Peer| {
        peer.open_path("m", "");
        peer.round(Direction::Push, Flags::DELTA);
        peer.offer(spec);
        let heard = peer.wants();
        let told =
            heard.iter().any(|heard| matches!(heard.message(), Message::Base { index: 1, block: 4096, .. }));
        let sums =
            heard.iter().map(|heard| if let Message::Sums(sums) = heard.message() { sums.len() } else { 0 });
        assert!(told && sums.sum::<usize>() == 73 * 10, "{heard:?}");
    };
    let copy = |from, length| Message::Copy { from, length };
    let beyond = "what the receiver does not have";
    for (message, words) in [
        (copy(0, REACH + 1), beyond),
        (copy(REACH, 1), beyond),
        (copy(limits::FILE_SIZE, 1), beyond),
        (copy(0, 0), beyond),
        (copy(0, 300_001), "more contents"),
        (copy(0, limits::FILE_SIZE), "more contents"),
    ] {
        let outcome = attack(&site, |peer| {
            wanted(peer);
            peer.say(&[file(1, 300_000), message]);
        });
        outcome.assert(Exit::Protocol, words);
    }
    // What is put together of it is another file than was said: it is told, and nothing is changed.
    let outcome = attack(&site, |peer| {
        wanted(peer);
        let rest = vec![0; 300_000 - 4096];
        let mut said = vec![file(1, 300_000), copy(4096, 4096)];
        said.extend(rest.chunks(100_000).map(Message::Data));
        said.extend([end(b"another"), FilesEnd]);
        said.iter().for_each(|message| peer.say(std::slice::from_ref(message)));
        let heard = peer.hear_until(&Message::Report(Default::default()));
        assert!(heard.iter().any(|heard| matches!(heard.message(), Message::Problem(_))), "{heard:?}");
        peer.say(&[Message::Bye]);
    });
    assert_eq!(outcome.code, 1, "{outcome:?}");
}
