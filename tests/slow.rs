//! What slow links ask for: contents that are compressed, and limits of bandwidth.

use crate::common::dice::Dice;
use crate::common::{Site, assert_exit, end_object, rsync_differences};
use std::fs;
use std::process::Output;
use std::time::{Duration, Instant};

/// Bytes that went over the wire, from us and to us.
fn traffic(output: &Output) -> [u64; 2] {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    ["Total bytes sent: ", "Total bytes received: "].map(|name| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{text}"));
        line.replace(',', "").parse().unwrap()
    })
}

/// Pushes, or pulls, all of `src` into an empty `dst`; gives back what went over the wire in the direction of the files.
fn copy(site: &Site, pull: bool, options: &[&str]) -> u64 {
    let inetd = site.serve();
    let (from, to) = if pull { (site.dst(), site.src()) } else { (site.src(), site.dst()) };
    let mut command = site.smsync();
    command.arg(if pull { "pull" } else { "push" }).args(["--stats", "-K", "sha256"]).args(options);
    if pull {
        command.arg(inetd.remote("m")).arg(&to)
    } else {
        command.arg(&from).arg(inetd.remote("m"))
    };
    let output = command.output().unwrap();
    assert_exit(&output, 0);
    assert_eq!(rsync_differences(&from, &to), "");
    fs::remove_dir_all(&to).unwrap();
    fs::create_dir(&to).unwrap();
    traffic(&output)[usize::from(pull)]
}

/// So many bytes of a text, as programs are.
fn text(size: usize) -> Vec<u8> {
    let mut dice = Dice::new(7);
    let words = ["let ", "mut ", "self.", "fn ", "return ", "    ", "\n", "(index, ", "struct ", "-> ", "= "];
    let mut text = Vec::new();
    while text.len() < size {
        text.extend_from_slice(words[dice.roll(words.len())].as_bytes());
    }
    text.truncate(size);
    text
}

fn noise(dice: &mut Dice, size: usize) -> Vec<u8> {
    (0..size).map(|_| u8::try_from(dice.roll(256)).unwrap()).collect()
}

#[test]
fn text_takes_a_third_of_its_bytes_and_noise_no_more_than_it_has() {
    for pull in [false, true] {
        let site = Site::new();
        let from = if pull { site.dst() } else { site.src() };
        let text = text(5_000_000);
        fs::write(from.join("text"), &text).unwrap();
        for (number, piece) in text.chunks(20_000).take(100).enumerate() {
            fs::write(from.join(format!("small-{number}")), piece).unwrap();
        }
        let all = 7_000_000;
        assert!(copy(&site, pull, &[]) > all, "the control: nobody asked for it");
        let packed = copy(&site, pull, &["-z"]);
        assert!(packed < all / 3, "{packed} bytes");

        fs::remove_dir_all(&from).unwrap();
        fs::create_dir(&from).unwrap();
        fs::write(from.join("noise"), noise(&mut Dice::new(8), 5_000_000)).unwrap();
        let packed = copy(&site, pull, &["--compress"]);
        assert!((5_000_000..5_005_000).contains(&packed), "{packed} bytes");
    }
}

#[test]
fn what_is_compressed_is_all_there_whatever_it_is() {
    let site = Site::new();
    let mut dice = Dice::new(9);
    let text = text(3_000_000);
    // Both in turns, from piece to piece and within one; holes; nothing; and one byte.
    let mut mixed = Vec::new();
    for _ in 0..40 {
        mixed.extend(noise(&mut dice, 100_000));
        mixed.extend_from_slice(&text[..dice.roll(400_000)]);
    }
    fs::write(site.src().join("mixed"), &mixed).unwrap();
    fs::write(site.src().join("empty"), "").unwrap();
    fs::write(site.src().join("one"), "1").unwrap();
    let sparse = fs::File::create(site.src().join("sparse")).unwrap();
    sparse.set_len(50_000_000).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, &text, 20_000_000).unwrap();
    drop(sparse);
    let sent = copy(&site, false, &["-z"]);
    assert!(sent < 4_000_000 + mixed.len() as u64, "{sent}");
}

/// How long a push of so many bytes, which do not shrink, takes at least and at most.
fn pushed(site: &Site, options: &[&str], pull: bool) -> Duration {
    let begun = Instant::now();
    copy(site, pull, options);
    begun.elapsed()
}

#[test]
fn a_limit_of_bandwidth_is_kept_in_both_directions_by_either_side() {
    const SIZE: usize = 1_000_000;
    // Of the bytes of one second, which are no fewer; the first portion waits for none before it.
    let least = Duration::from_millis(1900);
    let (client, server) = (&["--bwlimit", "500KB"][..], "bandwidth = 500KB");
    for pull in [false, true] {
        for (options, globals) in [(client, ""), (&[], server)] {
            let site = Site::new();
            site.write_private("smsyncd.conf", &site.server_conf(globals));
            let from = if pull { site.dst() } else { site.src() };
            fs::write(from.join("noise"), noise(&mut Dice::new(10), SIZE)).unwrap();
            let took = pushed(&site, options, pull);
            assert!(took >= least, "pull: {pull}, {options:?} {globals}: {took:?}");
        }
    }
}

#[test]
fn who_is_limited_still_hears_that_the_other_side_gave_up() {
    let site = Site::new();
    fs::write(site.src().join("noise"), noise(&mut Dice::new(11), 4_000_000)).unwrap();
    // A file system that is full after the first bytes.
    let inetd = site.serve_with(&[("SMSYNC_FAULT", "28:write")]);
    let begun = Instant::now();
    let output = site
        .smsync()
        .args(["--json", "push", "--bwlimit", "60"])
        .arg(site.src())
        .arg(inetd.remote("m"))
        .output()
        .unwrap();
    assert_exit(&output, 74);
    assert_eq!(end_object(&output)["exit"], 74);
    // The first record takes 4 s, and all of it would take 65.
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
}

#[test]
fn a_rate_that_is_none() {
    let site = Site::new();
    for rate in ["x", "1", "-5", ""] {
        assert_exit(&site.run(&["push", "--bwlimit", rate, "a", "b::m"]), 64);
    }
}
