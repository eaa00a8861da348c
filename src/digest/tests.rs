//! Tests of the digests: published values, the system's own programs, and what is no digest.

use super::*;
use std::borrow::Cow;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Algorithm, digest of nothing, of "abc", and of a million "a". From RFC 1321, FIPS 180-2 and the page of RIPEMD-160;
/// the SHA digests of nothing, MD5 of a million "a" and all of cksum from coreutils.
const PUBLISHED: [(Algorithm, &str, &str, &str); 7] = [
    (Algorithm::Cksum, "4294967295", "1219131554", "3401932319"),
    (
        Algorithm::Md5,
        "d41d8cd98f00b204e9800998ecf8427e",
        "900150983cd24fb0d6963f7d28e17f72",
        "7707d6ae4e027c70eea2a935c2296f21",
    ),
    (
        Algorithm::Rmd160,
        "9c1185a5c5e9fc54612808977ee8f548b2258d31",
        "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc",
        "52783243c1697bdbe16d37f97f68f08325dc1528",
    ),
    (
        Algorithm::Sha1,
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "a9993e364706816aba3e25717850c26c9cd0d89d",
        "34aa973cd4c4daa4f61eeb2bdbad27316534016f",
    ),
    (
        Algorithm::Sha256,
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    ),
    (
        Algorithm::Sha384,
        "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
        "9d0e1809716474cb086e834e310a4a1ced149e9c00f248527972cec5704c2a5b07b8b3dc38ecc4ebae97ddd87f3d8985",
    ),
    (
        Algorithm::Sha512,
        "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
         47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
         2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb\
         de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b",
    ),
];

/// BLAKE3 of so many bytes 0, 1 … 250, 0, 1 …, from the test_vectors.json of its authors.
const PUBLISHED_BLAKE3: [(usize, &str); 8] = [
    (0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
    (1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"),
    (1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11"),
    (1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"),
    (1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"),
    (4097, "9b4052b38f1c5fc8b1f9ff7ac7b27cd242487b3d890d15c96a1c25b8aa0fb995"),
    (31_744, "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47"),
    (102_400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"),
];

fn all() -> Algorithms {
    Algorithm::ALL.into_iter().collect()
}

/// Every digest of a content, given to the hasher in pieces of awkward sizes.
fn in_pieces(content: &[u8]) -> Digests<'static> {
    let mut hasher = Hasher::new(all());
    let mut rest = content;
    for size in [1, 62, 0, 64, 65, 7, 4096, 1023, 1, 129].into_iter().cycle() {
        let (piece, tail) = rest.split_at(size.min(rest.len()));
        hasher.update(piece);
        rest = tail;
        if rest.is_empty() {
            break;
        }
    }
    hasher.finish()
}

fn in_one(content: &[u8]) -> Digests<'static> {
    let mut hasher = Hasher::new(all());
    hasher.update(content);
    hasher.finish()
}

fn text(digests: &Digests<'_>, algorithm: Algorithm) -> String {
    String::from_utf8(digests.get(algorithm).unwrap().to_vec()).unwrap()
}

#[test]
fn published_values() {
    let million = vec![b'a'; 1_000_000];
    let (nothing, abc, million) = (in_pieces(b""), in_pieces(b"abc"), in_pieces(&million));
    for (algorithm, of_nothing, of_abc, of_million) in PUBLISHED {
        assert_eq!(text(&nothing, algorithm), of_nothing);
        assert_eq!(text(&abc, algorithm), of_abc);
        assert_eq!(text(&million, algorithm), of_million);
    }
}

#[test]
fn published_values_of_blake3() {
    for (length, published) in PUBLISHED_BLAKE3 {
        let content: Vec<u8> = (0..=250).cycle().take(length).collect();
        assert_eq!(text(&in_pieces(&content), Algorithm::Blake3), published, "{length}");
        let mut plain = Content::new();
        content.chunks(1000).for_each(|piece| plain.update(piece));
        assert_eq!(std::str::from_utf8(&hex(&plain.finish())), Ok(published), "{length}");
    }
}

/// Reproducible bytes without a pattern.
fn random(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

const AWKWARD: [usize; 13] = [0, 1, 63, 64, 65, 127, 128, 129, 255, 256, 4095, 65_536, (1 << 20) + 1];

/// The first word a program prints about its standard input.
fn first_word(program: &str, input: &[u8]) -> String {
    let mut child =
        Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect(program);
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

#[test]
fn the_same_as_coreutils() {
    let programs = [
        (Algorithm::Cksum, "cksum"),
        (Algorithm::Md5, "md5sum"),
        (Algorithm::Sha1, "sha1sum"),
        (Algorithm::Sha256, "sha256sum"),
        (Algorithm::Sha384, "sha384sum"),
        (Algorithm::Sha512, "sha512sum"),
    ];
    for content in AWKWARD.map(random) {
        let digests = in_pieces(&content);
        assert_eq!(digests, in_one(&content));
        for (algorithm, program) in programs {
            let expected = first_word(program, &content);
            assert_eq!(text(&digests, algorithm), expected, "{program} of {} bytes", content.len());
        }
    }
}

#[test]
fn the_same_as_mtree() {
    for content in AWKWARD.map(random) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("f"), &content).unwrap();
        let keywords = "cksum,md5,rmd160,sha1,sha256,sha384,sha512";
        let spec = Command::new("mtree").args(["-c", "-k", keywords, "-p"]).arg(directory.path()).output();
        let spec = String::from_utf8(spec.expect("mtree").stdout).unwrap();
        let words: Vec<_> = spec.split_whitespace().filter_map(|word| word.split_once('=')).collect();
        let ours = in_one(&content);
        let ours = ours.iter().map(|(algorithm, _)| (algorithm.keyword(), text(&ours, algorithm)));
        let ours: Vec<_> = ours.filter(|(keyword, _)| *keyword != "blake3").collect();
        let theirs =
            words.into_iter().filter(|(keyword, _)| keywords.split(',').any(|known| known == *keyword));
        assert_eq!(ours, theirs.map(|(keyword, text)| (keyword, text.to_owned())).collect::<Vec<_>>());
    }
}

#[test]
fn a_hasher_computes_what_it_was_asked_for() {
    let set: Algorithms = [Algorithm::Sha256, Algorithm::Cksum].into_iter().collect();
    let mut hasher = Hasher::new(set);
    hasher.update(b"abc");
    assert_eq!(hasher.finish().algorithms(), set);
    assert_eq!(Hasher::new(Algorithms::default()).finish(), Digests::default());
}

#[test]
fn keywords_and_their_synonyms() {
    let table: [(Algorithm, &[&str]); 8] = [
        (Algorithm::Cksum, &["cksum"]),
        (Algorithm::Md5, &["md5", "md5digest"]),
        (Algorithm::Rmd160, &["rmd160", "rmd160digest", "ripemd160digest"]),
        (Algorithm::Sha1, &["sha1", "sha1digest"]),
        (Algorithm::Sha256, &["sha256", "sha256digest"]),
        (Algorithm::Sha384, &["sha384", "sha384digest"]),
        (Algorithm::Sha512, &["sha512", "sha512digest"]),
        (Algorithm::Blake3, &["blake3"]),
    ];
    for (algorithm, words) in table {
        assert_eq!(algorithm.keyword(), words[0]);
        for word in words {
            assert_eq!(Algorithm::from_keyword(word.as_bytes()), Some(algorithm), "{word}");
        }
    }
    for word in ["", "MD5", "md4", "sha512256digest", "blake3digest", "cksumdigest", "sha1 "] {
        assert_eq!(Algorithm::from_keyword(word.as_bytes()), None, "{word}");
    }
}

#[test]
fn sets() {
    let mut set = Algorithms::default();
    assert!(set.is_empty() && set.strongest().is_none());
    set.insert(Algorithm::Sha1);
    set.insert(Algorithm::Cksum);
    set.insert(Algorithm::Sha1);
    assert_eq!(set.iter().collect::<Vec<_>>(), [Algorithm::Cksum, Algorithm::Sha1]);
    assert!(set.contains(Algorithm::Sha1) && !set.contains(Algorithm::Md5) && !set.is_empty());
    assert_eq!(set.bits(), 0b1001);
    let other = Algorithms::from_bits(0b1000_1000);
    assert_eq!(other.iter().collect::<Vec<_>>(), [Algorithm::Sha1, Algorithm::Blake3]);
    assert_eq!(set.union(other).bits(), 0b1000_1001);
    assert_eq!(set.intersection(other).bits(), 0b1000);
    assert!((0..=255).all(|bits| Algorithms::from_bits(bits).bits() == bits));
    assert!(Algorithm::ALL.is_sorted() && all().iter().eq(Algorithm::ALL));
}

#[test]
fn the_strongest_of_what_is_left() {
    let mut left = all();
    for keyword in ["blake3", "sha512", "sha384", "sha256", "sha1", "rmd160", "md5", "cksum"] {
        let algorithm = Algorithm::from_keyword(keyword.as_bytes()).unwrap();
        assert_eq!(left.strongest(), Some(algorithm));
        left = left.iter().filter(|&other| other != algorithm).collect();
    }
    assert!(left.is_empty());
}

#[test]
fn canonical_texts_only() {
    let refused = |algorithm, text: &str| {
        let mut digests = Digests::default();
        assert_eq!(digests.set(algorithm, text.as_bytes()), Err(DigestError(algorithm)), "{text}");
        assert_eq!(digests, Digests::default());
    };
    for text in [
        "",
        "00",
        "01",
        "+1",
        "-1",
        " 1",
        "1 ",
        "4294967296",
        "99999999999999999999",
        "0x1",
        "1e3",
        "\u{663}",
    ] {
        refused(Algorithm::Cksum, text);
    }
    for text in ["0", "1", "4294967295"] {
        assert_eq!(Digests::default().set(Algorithm::Cksum, text.as_bytes()), Ok(()));
    }
    let lengths = [32, 40, 40, 64, 96, 128, 64];
    for (algorithm, length) in Algorithm::ALL.into_iter().skip(1).zip(lengths) {
        let good = "0123456789abcdef".repeat(8)[..length].to_owned();
        assert_eq!(Digests::default().set(algorithm, good.as_bytes()), Ok(()));
        refused(algorithm, "");
        refused(algorithm, &good[1..]);
        refused(algorithm, &format!("{good}0"));
        refused(algorithm, &format!("0x{}", &good[2..]));
        for bad in ["A", "g", "/", ":", "`", " "] {
            refused(algorithm, &format!("{}{bad}", &good[1..]));
        }
    }
    let message = |algorithm| DigestError(algorithm).to_string();
    assert_eq!(message(Algorithm::Sha1), "sha1 is not 40 lower-case hexadecimal digits");
    assert_eq!(
        message(Algorithm::Cksum),
        "cksum is not a decimal number up to 4294967295 without leading zeros"
    );
}

#[test]
fn digests_hold_one_text_of_each_algorithm_in_order() {
    let mut digests = Digests::default();
    let md5 = "d41d8cd98f00b204e9800998ecf8427e".to_owned();
    digests.set(Algorithm::Md5, md5.as_bytes()).unwrap();
    digests.set(Algorithm::Cksum, &b"7"[..]).unwrap();
    digests.set(Algorithm::Cksum, Cow::Owned(b"8".to_vec())).unwrap();
    assert_eq!(digests.set(Algorithm::Cksum, &b"x"[..]), Err(DigestError(Algorithm::Cksum)));
    assert_eq!(digests.get(Algorithm::Sha1), None);
    assert_eq!(digests.algorithms().bits(), 0b11);
    let words: Vec<_> = digests.iter().collect();
    assert_eq!(words, [(Algorithm::Cksum, &b"8"[..]), (Algorithm::Md5, md5.as_bytes())]);
    let owned = digests.clone().into_owned();
    assert_eq!(owned, digests);
    drop(md5);
    assert_eq!(owned.get(Algorithm::Md5), Some(&b"d41d8cd98f00b204e9800998ecf8427e"[..]));
}

#[test]
fn agreement_is_about_what_both_have() {
    let digests = |words: &[(Algorithm, &'static str)]| {
        let mut digests = Digests::default();
        words.iter().for_each(|(algorithm, text)| digests.set(*algorithm, text.as_bytes()).unwrap());
        digests
    };
    let (one, two) = ("d41d8cd98f00b204e9800998ecf8427e", "900150983cd24fb0d6963f7d28e17f72");
    let both = digests(&[(Algorithm::Cksum, "1"), (Algorithm::Md5, one)]);
    let table = [
        (digests(&[]), None),
        (digests(&[(Algorithm::Sha1, "da39a3ee5e6b4b0d3255bfef95601890afd80709")]), None),
        (digests(&[(Algorithm::Cksum, "1")]), Some(true)),
        (digests(&[(Algorithm::Cksum, "2")]), Some(false)),
        (both.clone(), Some(true)),
        (digests(&[(Algorithm::Cksum, "1"), (Algorithm::Md5, two)]), Some(false)),
        (digests(&[(Algorithm::Cksum, "2"), (Algorithm::Md5, one)]), Some(false)),
    ];
    for (other, expected) in &table {
        assert_eq!(both.agrees(other), *expected, "{other:?}");
        assert_eq!(other.agrees(&both), *expected, "{other:?}");
    }
    assert_eq!(Digests::default().agrees(&Digests::default()), None);
}

#[test]
fn no_digests_cost_one_word() {
    assert_eq!(size_of::<Digests<'_>>(), size_of::<usize>());
}
