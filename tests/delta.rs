//! Of a large file that is there, only what differs is sent; and what comes of it is the file, whatever happens meanwhile.

#[path = "delta/meanwhile.rs"]
mod meanwhile;

use crate::common::dice::Dice;
use crate::common::pair::Pair;
use crate::common::relay::Relay;
use crate::common::tree::set_time;
use crate::common::walk::{differences, walk};
use crate::common::{assert_exit, is_root};
use smsync::limits;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::process::Output;

fn noise(dice: &mut Dice, length: usize) -> Vec<u8> {
    // Not where the dice go next, or the next noise is the same a byte later.
    let mut state = (dice.roll(usize::MAX) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

/// One transfer through a relay; gives back what went over the wire.
#[track_caller]
fn transfer(pair: &Pair, pull: bool, options: &[&str]) -> (Output, usize) {
    let relay = Relay::to(pair.inetd.port);
    let mut command = pair.site.smsync();
    if pull {
        command.arg("pull").args(options).arg(relay.remote("source")).arg(pair.site.dst());
    } else {
        command.arg("push").args(options).arg(pair.site.src()).arg(relay.remote("m"));
    }
    let output = command.output().unwrap();
    pair.inetd.ended();
    let wire = relay.end().iter().map(|passed| passed.from_client.len() + passed.from_server.len()).sum();
    (output, wire)
}

fn both(pair: &Pair, old: &[u8], new: &[u8]) {
    for (path, bytes, time) in [(pair.site.dst().join("f"), old, 1), (pair.site.src().join("f"), new, 2)] {
        let _ = fs::remove_file(&path);
        fs::write(&path, bytes).unwrap();
        set_time(&path, 1_000_000_000 + time, 0);
    }
}

#[track_caller]
fn assert_equal(pair: &Pair, what: &str) {
    assert_eq!(differences(&walk(&pair.site.src()), &walk(&pair.site.dst())), "", "{what}");
    assert!(!pair.site.dst().join(".smsync").exists(), "{what}");
}

/// What is done to a file, and how much of it is new at most.
#[test]
fn only_what_differs_is_sent() {
    let mut dice = Dice::new(11);
    let old = noise(&mut dice, 3 << 20);
    let with = |at: usize, cut: usize, put: &[u8]| [&old[..at], put, &old[at + cut..]].concat();
    let fresh = noise(&mut dice, 3 << 20);
    let half = old.len() / 2;
    let table: Vec<(&str, Vec<u8>, usize)> = vec![
        ("a byte changed", with(1_000_000, 1, b"x"), 1),
        ("bytes in front", with(0, 0, &fresh[..10_000]), 10_000),
        ("bytes in the middle", with(1_234_567, 0, &fresh[..777]), 777),
        ("a part cut out", with(1_000_001, 50_000, b""), 0),
        ("cut off", old[..half + 1].to_vec(), 0),
        ("more at the end", with(old.len(), 0, &fresh[..100_000]), 100_000),
        ("swapped", [&old[half..], &old[..half]].concat(), 0),
        ("twice", [&old[..], &old].concat(), 0),
        ("zeros in the middle", with(half, 1 << 20, &vec![0; 1 << 20]), 1 << 20),
        ("all new", fresh.clone(), fresh.len()),
    ];
    for (what, new, most) in &table {
        for pull in [false, true] {
            let pair = Pair::new();
            both(&pair, &old, new);
            let (output, wire) = transfer(&pair, pull, &["--delta"]);
            assert_exit(&output, 0);
            assert_equal(&pair, what);
            // The digests of 768 blocks and two of the blocks for each place.
            assert!(wire < most + 768 * 10 + 4 * 4096 + 4096, "{what}, pull {pull}: {wire} bytes");
        }
    }
    // Whole: asked for, or since it is on this host.
    for options in [&["-W"][..], &[]] {
        let pair = Pair::new();
        both(&pair, &old, &table[0].1);
        let (output, wire) = transfer(&pair, false, options);
        assert_exit(&output, 0);
        assert_equal(&pair, "whole");
        assert!(wire > old.len());
    }
}

/// Many edits of many files, in both directions, by dice.
#[test]
fn edits_by_dice() {
    let seed = Dice::seed(12);
    let mut dice = Dice::new(seed);
    println!("SMSYNC_SEED={seed}");
    for pull in [false, true] {
        let pair = Pair::new();
        for round in 0..12 {
            for number in 0..6 {
                let name = format!("f{number}");
                let path = pair.site.src().join(&name);
                let mut bytes = fs::read(&path).unwrap_or_default();
                for _ in 0..=dice.roll(4) {
                    let length = [1, 100, 5000, 70_000, 300_000][dice.roll(5)];
                    let at = dice.roll(bytes.len() + 1);
                    let end = (at + length).min(bytes.len());
                    match dice.roll(6) {
                        0 => drop(bytes.splice(at..at, noise(&mut dice, length))),
                        1 => drop(bytes.drain(at..end)),
                        2 => bytes.extend(noise(&mut dice, length)),
                        3 => {
                            let part = bytes.drain(at..end).collect::<Vec<u8>>();
                            bytes.extend(part);
                        }
                        4 => bytes[at..end].fill(0),
                        _ => {
                            let part = noise(&mut dice, end - at);
                            bytes[at..end].copy_from_slice(&part);
                        }
                    }
                }
                let file = fs::File::create(&path).unwrap();
                // Some with holes.
                for (at, piece) in (0..).step_by(4096).zip(bytes.chunks(4096)) {
                    if number % 2 == 0 || piece.iter().any(|byte| *byte != 0) {
                        file.write_all_at(piece, at).unwrap();
                    }
                }
                file.set_len(bytes.len() as u64).unwrap();
                set_time(&path, 1_000_000_000 + round, number);
            }
            let (output, _) = transfer(&pair, pull, &["--delta"]);
            assert_exit(&output, 0);
            assert_equal(&pair, &format!("seed {seed}, pull {pull}, round {round}"));
        }
    }
}

#[test]
fn holes_stay_holes() {
    let pair = Pair::new();
    let mut dice = Dice::new(13);
    let data = noise(&mut dice, 1 << 20);
    for (path, time) in [(pair.site.dst().join("f"), 1), (pair.site.src().join("f"), 2)] {
        let file = fs::File::create(&path).unwrap();
        file.set_len(256 << 20).unwrap();
        file.write_all_at(&data, 100 << 20).unwrap();
        if time == 2 {
            file.write_all_at(b"changed", (100 << 20) + 300_000).unwrap();
        }
        set_time(&path, 1_000_000_000 + time, 0);
    }
    let (output, wire) = transfer(&pair, false, &["--delta"]);
    assert_exit(&output, 0);
    assert_equal(&pair, "holes");
    assert!(wire < 400_000, "{wire}");
    let stat = fs::metadata(pair.site.dst().join("f")).unwrap();
    assert!(stat.blocks() * 512 < 4 << 20, "{} blocks", stat.blocks());
}

/// The receiver ends at each point while it makes a new file of an old one: it is the old one or the new one, and the next
/// run makes it the new one.
#[test]
fn a_receiver_that_dies() {
    let mut dice = Dice::new(14);
    let old = noise(&mut dice, 400_000);
    let new = [&old[..200_000], b"new", &old[200_000..]].concat();
    for pull in [false, true] {
        let pair = Pair::new();
        let fired = pair.site.path("fired");
        let (src, file) = (pair.site.src(), pair.site.dst().join("f"));
        let mut calls = Vec::new();
        for number in 1.. {
            both(&pair, &old, &new);
            let _ = fs::remove_file(&fired);
            let fault = format!("abort:{number}");
            let told = [("SMSYNC_FAULT", fault.as_str()), ("SMSYNC_FAULT_FIRED", fired.to_str().unwrap())];
            let mut command = pair.site.smsync();
            let faulty = pair.site.serve_with(&told);
            if pull {
                command
                    .envs(told)
                    .args(["pull", "--delta"])
                    .arg(pair.inetd.remote("source"))
                    .arg(pair.site.dst());
            } else {
                command.args(["push", "--delta"]).arg(&src).arg(faulty.remote("m"));
            }
            let output = command.output().unwrap();
            faulty.ended();
            pair.inetd.ended();
            let Some(call) = crate::common::fired(&fired) else {
                assert_exit(&output, 0);
                break;
            };
            let there = fs::read(&file).unwrap();
            assert!(there == old || there == new, "{fault} ({call}): it is neither");
            calls.push(call);
            assert_exit(&transfer(&pair, pull, &["--delta"]).0, 0);
            assert_equal(&pair, &fault);
        }
        println!("{calls:?}");
        assert!(calls.iter().any(|call| call == "ficlonerange") && calls.len() > 8, "{calls:?}");
    }
}

/// A part of the older file for which there is no room ends the run, and the older file stays.
#[test]
fn no_room_while_a_part_is_copied() {
    let mut dice = Dice::new(15);
    let old = noise(&mut dice, 400_000);
    let new = [&old[..200_000], b"new", &old[200_000..]].concat();
    let pair = Pair::new();
    both(&pair, &old, &new);
    let fault = format!("{}:ficlonerange", libc::ENOSPC);
    let full = pair.site.serve_with(&[("SMSYNC_FAULT", &fault)]);
    let mut command = pair.site.smsync();
    let output =
        command.args(["push", "--delta"]).arg(pair.site.src()).arg(full.remote("m")).output().unwrap();
    full.ended();
    assert_exit(&output, 74);
    assert_eq!(fs::read(pair.site.dst().join("f")).unwrap(), old);
    assert!(!pair.site.dst().join(".smsync").exists(), "a full disk is not left full");
}

/// A file that its owner may not read is no help, and is sent.
#[test]
fn what_cannot_be_read_is_replaced() {
    let mut dice = Dice::new(16);
    let (old, new) = (noise(&mut dice, 400_000), noise(&mut dice, 400_001));
    let pair = Pair::new();
    both(&pair, &old, &new);
    fs::set_permissions(pair.site.dst().join("f"), fs::Permissions::from_mode(0o000)).unwrap();
    let (output, _) = transfer(&pair, false, &["--delta"]);
    assert_exit(&output, 0);
    assert_equal(&pair, if is_root() { "root reads all" } else { "he does not" });
}

/// Where parts cannot be shared, they are read and written: those of one block, and those that two threads copy.
#[test]
fn where_nothing_can_be_shared() {
    let mut dice = Dice::new(17);
    let old = noise(&mut dice, 5 << 20);
    let new = [&old[..4096], b"new", &old[8192..]].concat();
    for errno in [libc::EOPNOTSUPP, libc::EXDEV, libc::EINVAL, libc::ENOTTY, libc::ENOSYS] {
        let pair = Pair::new();
        both(&pair, &old, &new);
        let fault = format!("{errno}:ficlonerange");
        let server = pair.site.serve_with(&[("SMSYNC_FAULT", &fault)]);
        let mut command = pair.site.smsync();
        let remote = server.remote("m");
        let output = command.args(["push", "--delta"]).arg(pair.site.src()).arg(remote).output().unwrap();
        server.ended();
        assert_exit(&output, 0);
        assert_equal(&pair, &fault);
    }
}

/// A file that is as long and large is not asked about, but compared at once; when it is the same after all, no contents
/// are sent.
#[test]
fn a_large_file_that_was_touched() {
    let mut dice = Dice::new(23);
    let length = usize::try_from(smsync::limits::COMPARED_AT_ONCE).unwrap();
    let old = noise(&mut dice, length);
    let mut changed = old.clone();
    changed[length / 2] ^= 1;
    for (new, most) in [(&old, 0), (&changed, 8192)] {
        let pair = Pair::new();
        both(&pair, &old, new);
        let (output, wire) = transfer(&pair, false, &["--delta"]);
        assert_exit(&output, 0);
        assert_equal(&pair, "touched");
        assert!(wire < length / 8192 * 10 + most + 4096, "{wire}");
    }
}

/// More older files than a round takes the digests of: the others are sent as if there were none.
#[test]
fn more_older_files_than_a_round_compares() {
    let pair = Pair::new();
    // Of the smallest that are told in blocks, each with as many as it must have.
    let count = limits::SUMS / (limits::BASE + 32) + 100;
    for (root, size) in [(pair.site.dst(), 128 << 10), (pair.site.src(), (128 << 10) + 1)] {
        for number in 0..count {
            let file = fs::File::create(root.join(format!("f{number}"))).unwrap();
            file.set_len(size).unwrap();
        }
    }
    assert_exit(&transfer(&pair, false, &["--delta"]).0, 0);
    let sizes = || pair.site.dst().read_dir().unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    assert_eq!(sizes().filter(|size| *size == (128 << 10) + 1).count(), count);
}
