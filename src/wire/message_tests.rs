//! Messages as bytes: what is written is read, and nothing else is.

use super::*;
use crate::limits;
use crate::path::{Filter, Item, RelPath, Rule, Scope, Traits};
use crate::report::{Aspects, Deed, Fate, Feature, KINDS, Side, Step, Why};
use crate::spec::Keywords;
use crate::sys::FileKind;
use crate::terms::{Backup, Chmod, Comparison, Guise, Keeping, Limit, OwnerMap, Quick, Taking};
use crate::wire::WireError;

fn path(text: &str) -> RelPath<'static> {
    RelPath::new(text.as_bytes().to_vec()).unwrap()
}

/// The longest path there is, as deep as any.
fn longest() -> RelPath<'static> {
    let mut bytes = "d/".repeat(limits::DEPTH - 15).into_bytes();
    while bytes.len() < limits::PATH {
        bytes.extend_from_slice(&[b'x'; limits::NAME]);
        bytes.push(b'/');
    }
    bytes.truncate(limits::PATH);
    RelPath::new(bytes).unwrap()
}

fn keeping() -> Keeping {
    Keeping {
        limit: Limit::Percent(100),
        force: true,
        backup: Backup::new(path("a/b"), b"~".to_vec()),
        link_dest: vec![path("daily/1"), RelPath::ROOT],
    }
}

/// A round over a whole tree on these terms.
fn terms(keeping: Keeping) -> Message<'static> {
    let (direction, flags, keywords) = (Direction::Push, Flags::DELETE, Keywords::TRANSFER);
    Message::Round(Round { keeping, ..Round::new(direction, flags, keywords, Scope::default()) })
}

fn round(
    direction: Direction,
    flags: Flags,
    only: Vec<RelPath<'static>>,
    exclude: &[&[u8]],
) -> Message<'static> {
    let exclude = exclude.iter().map(|text| Item::new(Traits::BOTH, text).unwrap());
    let file = Item::new(Traits::FILE.and(Traits::HERE_ONLY), b".rules").unwrap();
    let scope = Scope::new(only, Filter::new(exclude.chain([file]).collect()));
    let pull = direction == Direction::Pull;
    let quick = if pull { Quick::Never } else { Quick::Size };
    let comparison = Comparison {
        existing: pull,
        ignore_existing: !pull,
        update: pull,
        quick,
        window: if pull { u32::MAX } else { 0 },
    };
    let users = OwnerMap::new(b"root:7,*:nobody").unwrap();
    let chmod = Chmod::new(b"D755,Fg=u", 0o777).unwrap();
    let guise = if pull { Guise { users, groups: OwnerMap::default(), chmod } } else { Guise::default() };
    let keywords = Keywords::TRANSFER;
    let taking = if pull { Taking::new(31, 1, 2).unwrap() } else { Taking::default() };
    Message::Round(Round {
        direction,
        flags,
        keywords,
        scope,
        comparison,
        guise,
        remove_source: pull,
        taking,
        keeping: keeping(),
    })
}

const fn module<'m>(name: Cow<'m, str>, comment: Cow<'m, str>) -> Message<'m> {
    Message::Module { name, comment, read_only: true, write_only: false }
}

/// Every kind of message, at the edges of what it can say.
fn samples() -> Vec<Message<'static>> {
    const FULL: [u8; 32] = [0xff; 32];
    let text = |length: usize| Cow::<str>::Owned("\u{1b}".repeat(length));
    let times = [i64::MIN, -1, 0, i64::MAX].map(|sec| Time { sec, nsec: 999_999_999 });
    let all = Flags::DRY_RUN.with(Flags::DELETE, true).with(Flags::ITEMIZE, true).with(Flags::COMPRESS, true);
    let paths: Vec<_> = (0..limits::SCOPE).map(|number| path(&format!("p{number:04}"))).collect();
    let mut list = vec![
        Message::Open { module: text(0), path: RelPath::ROOT },
        Message::Open { module: text(limits::MODULE), path: longest() },
        Message::List,
        Message::Welcome { single: RelPath::ROOT },
        Message::Welcome { single: path("a\u{1}b") },
        module(text(limits::MODULE), text(limits::TEXT)),
        Message::Module { name: text(0), comment: text(0), read_only: false, write_only: true },
        Message::ModulesEnd,
        Message::Motd(text(limits::MOTD)),
        round(Direction::Push, Flags::NONE, Vec::new(), &[]),
        round(Direction::Pull, all, vec![path("a/b"), path("a-b"), longest()], &[b"*.o", b"/x/**", b"[a"]),
        round(Direction::Push, Flags::DELETE, paths, &[&[b'*'; limits::PATH]]),
        terms(Keeping::default()),
        terms(Keeping { limit: Limit::Count(u64::MAX), ..Keeping::default() }),
        terms(Keeping { backup: Backup::new(path("old"), Vec::new()), ..Keeping::default() }),
        terms(Keeping { backup: Backup::new(RelPath::ROOT, vec![b'x'; limits::NAME - 1]), ..keeping() }),
        terms(Keeping { link_dest: vec![path("d"); limits::LINK_DEST], ..Keeping::default() }),
        Message::Doubt(Doubt { why: Why::Device, path: RelPath::ROOT }),
        Message::Doubt(Doubt { why: Why::Memory, path: RelPath::ROOT }),
        Message::Doubt(Doubt { why: Why::Unmounted, path: longest() }),
        Message::Resume { index: 0, offset: 0, digest: [0; 32] },
        Message::Resume { index: u32::MAX, offset: limits::FILE_SIZE, digest: FULL },
        Message::Resumed,
        Message::Held { digest: [0; 32] },
        Message::Baseline { digest: FULL },
        Message::Edits(b""),
        Message::Edits(b"=1\n"),
        Message::Whole,
        Message::Spec(b""),
        Message::Spec(b"\x28\xb5\x2f\xfd"),
        Message::SpecEnd { digest: [0; 32], entries: 0, whole: false, skipped: 0, holes: 0 },
        Message::SpecEnd { digest: FULL, entries: u32::MAX, whole: true, skipped: u64::MAX, holes: u64::MAX },
        Message::Ask { first: 0, count: 0 },
        Message::Ask { first: u32::MAX, count: u32::MAX },
        Message::Base { index: u32::MAX, block: 0, key: u64::MAX },
        Message::Sums(b""),
        Message::Sums(&[0xff; 64]),
        Message::Copy { from: 0, length: 0 },
        Message::Copy { from: limits::FILE_SIZE, length: limits::FILE_SIZE },
        Message::AskTogether { first: 0, count: u32::MAX },
        Message::Together { digest: FULL },
        Message::AskEnd,
        Message::Digest { index: u32::MAX, digest: FULL },
        Message::DigestsEnd,
        Message::Want { first: 0, count: 0 },
        Message::Want { first: u32::MAX, count: u32::MAX },
        Message::WantEnd,
        Message::Data(b""),
        Message::Data(&[0; 1000]),
        Message::Packed { size: 1, piece: b"" },
        Message::Packed { size: 262_144, piece: b"\x28\xb5\x2f\xfd" },
        Message::Hole(0),
        Message::Hole(limits::FILE_SIZE),
        Message::FileEnd { digest: FULL },
        Message::Again,
        Message::Missing { index: 0, errno: 1 },
        Message::Missing { index: u32::MAX, errno: 4095 },
        Message::FilesEnd,
        Message::Have { place: FULL, first: 0, count: u32::MAX },
        Message::TakenAway { removed: 0, kept: 1, problems: u64::MAX },
        Message::Report(Report::default()),
        Message::Report(Report::of_values([u64::MAX; Report::NAMES.len()])),
        Message::Bye,
        Message::Alive,
        Message::Abort { exit: Exit::Protocol, text: text(0) },
        Message::Abort { exit: Exit::Config, text: text(limits::TEXT) },
        Message::Paths(Vec::new()),
        Message::Paths(vec![RelPath::ROOT, longest(), path("b"), path("a")]),
        Message::Rules(Local { directory: RelPath::ROOT, file: 0, clears: true, rules: Vec::new() }),
        Message::Rules(Local {
            directory: longest(),
            file: 65_535,
            clears: false,
            rules: [&b"x"[..], b"/*/", &[b'?'; limits::PATH]]
                .map(|text| Rule::new(Traits::SENDER.and(Traits::INCLUDE), text).unwrap().into())
                .to_vec(),
        }),
    ];
    list.extend(times.map(|time| Message::File { index: u32::MAX, size: limits::FILE_SIZE, time }));
    let problem = |step| Message::Problem(Problem { path: longest(), step, side: Side::Sender, errno: 4095 });
    list.extend(Step::ALL.map(problem));
    let refusal = |why| Refusal { why, removals: u64::MAX, entries: 1, path: longest() };
    list.extend(Why::ALL.map(|why| Message::Refusal(refusal(why))));
    list.extend(
        Feature::ALL
            .map(|feature| Message::Unsupported(Unsupported { feature, path: longest(), entries: u64::MAX })),
    );
    list.extend([Fate::Missing, Fate::Changed, Fate::Extra].map(|fate| {
        let aspects = Aspects::WORDS.into_iter().fold(Aspects::NONE, |all, (aspect, _)| all.with(aspect));
        Message::Change(change(fate, aspects))
    }));
    list.extend(KINDS.iter().flat_map(|(kind, _)| {
        Deed::ALL
            .map(|deed| Message::Change(Change { kind: *kind, deed, ..change(Fate::Missing, Aspects::LINK) }))
    }));
    list
}

/// A change that is as long as one can be in each of these aspects.
fn change(fate: Fate, aspects: Aspects) -> Change {
    let longest: Box<[u8]> = vec![0xff; limits::LINK].into();
    let values = vec![longest.clone(); aspects.iter().count()];
    Change {
        path: self::longest(),
        fate,
        kind: FileKind::Link,
        deed: Deed::Made,
        aspects,
        target: longest,
        wanted: values.clone(),
        found: values,
    }
}

fn body(message: &Message<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    message.encode(&mut body);
    body
}

/// Whether the body is bytes that mean nothing here, as many as there are.
fn is_free(message: &Message<'_>) -> bool {
    matches!(
        message,
        Message::Spec(_) | Message::Edits(_) | Message::Data(_) | Message::Packed { .. } | Message::Sums(_)
    )
}

#[test]
fn what_is_written_is_read() {
    let mut kinds = std::collections::BTreeSet::new();
    for message in samples() {
        let body = body(&message);
        assert_eq!(Message::decode(message.kind(), &body).unwrap(), message);
        kinds.insert(message.kind());
    }
    let unknown = |kind: &u8| {
        let read = Message::decode(*kind, &[]);
        matches!(read, Err(WireError::Malformed("an unknown kind of message")))
    };
    let known = (0..=255).filter(|kind| !unknown(kind));
    assert_eq!(kinds, known.collect(), "a kind of message has no sample");
}

#[test]
fn nothing_shorter_or_longer_is_read() {
    for message in samples().into_iter().filter(|message| !is_free(message)) {
        let mut body = body(&message);
        // Of a long one the ends, and some in between.
        let far = |length: &usize| (2000..body.len().saturating_sub(200)).contains(length);
        for length in (0..body.len()).filter(|length| !far(length) || length % 97 == 0) {
            assert!(Message::decode(message.kind(), &body[..length]).is_err(), "{message:?} cut to {length}");
        }
        for byte in [0, 1, 0xff] {
            body.push(byte);
            assert!(Message::decode(message.kind(), &body).is_err(), "{message:?} and {byte}");
            body.pop();
        }
    }
    for kind in [0, 255] {
        assert!(Message::decode(kind, &[]).is_err(), "kind {kind}");
    }
}

#[test]
fn each_bound_holds_one_beyond_it() {
    let long = |limit: usize| Cow::<str>::Owned("x".repeat(limit + 1));
    let beyond = [
        Message::Open { module: long(limits::MODULE), path: RelPath::ROOT },
        module(long(limits::MODULE), "".into()),
        module("m".into(), long(limits::TEXT)),
        Message::Motd(long(limits::MOTD)),
        Message::Abort { exit: Exit::Io, text: long(limits::TEXT) },
        Message::Abort { exit: Exit::Ok, text: "".into() },
        Message::Abort { exit: Exit::Problems, text: "".into() },
        Message::Abort { exit: Exit::Different, text: "".into() },
        Message::Abort { exit: Exit::Vanished, text: "".into() },
        Message::Hole(limits::FILE_SIZE + 1),
        Message::File { index: 0, size: limits::FILE_SIZE + 1, time: Time { sec: 0, nsec: 0 } },
        Message::File { index: 0, size: 0, time: Time { sec: 0, nsec: 1_000_000_000 } },
        Message::Missing { index: 0, errno: 0 },
        Message::Missing { index: 0, errno: 4096 },
        Message::Problem(Problem { path: RelPath::ROOT, step: Step::Read, side: Side::Receiver, errno: 0 }),
        round(Direction::Push, Flags::NONE, (0..=limits::SCOPE).map(|n| path(&n.to_string())).collect(), &[]),
        round(Direction::Push, Flags::NONE, Vec::new(), &vec![&b"*"[..]; limits::SCOPE + 1]),
        terms(Keeping { limit: Limit::Percent(101), ..Keeping::default() }),
        terms(Keeping { link_dest: vec![path("d"); limits::LINK_DEST + 1], ..Keeping::default() }),
        Message::Packed { size: 0, piece: b"" },
        Message::Packed { size: 262_145, piece: b"" },
        Message::Resume { index: 0, offset: limits::FILE_SIZE + 1, digest: [0; 32] },
        Message::Doubt(Doubt { why: Why::Empty, path: RelPath::ROOT }),
    ];
    for message in beyond {
        let body = body(&message);
        let error = Message::decode(message.kind(), &body);
        assert!(matches!(error, Err(WireError::Malformed(_))), "kind {}: {error:?}", message.kind());
    }
    // What has no way to be written here: (kind, body).
    let open = |path: &[u8]| [&b"\0\x01m\0"[..], &[u8::try_from(path.len()).unwrap()], path].concat();
    let table: Vec<(u8, Vec<u8>)> = vec![
        (1, b"\0\x01\xff\0\0".to_vec()),
        (1, open(b"..")),
        (1, open(b"/etc")),
        (1, open(b"a//b")),
        (1, open(b"a/../b")),
        (1, open(b"a\0b")),
        (3, b"\0\x03a/.".to_vec()),
        (4, b"\0\0\0\0\x02".to_vec()),
        (6, [&[3], &[0; 12][..]].concat()),
        (6, [&[1, 0, 0, 0, 16], &[0; 8][..]].concat()),
        (6, [&[1, 0, 0, 0, 0, 0x80], &[0; 7][..]].concat()),
        (6, [&[1], &[0; 8][..], b"\0\x02\0\x01b\0\x01a\0\0"].concat()),
        (6, [&[1], &[0; 8][..], b"\0\x02\0\x01a\0\x03a/b\0\0"].concat()),
        (6, [&[1], &[0; 8][..], b"\0\0\0\x01\0\x06\0\x01/"].concat()),
        (6, [&[1], &[0; 8][..], b"\0\0\0\x01\0\x46\0\x01x"].concat()),
        (6, [&[1], &[0; 8][..], b"\0\0\0\x01\x08\0\0\x01x"].concat()),
        (6, [&[1], &[0; 8][..], b"\0\0\0\x01\0\x20\0\x02.."].concat()),
        (6, [&[1], &[0; 8][..], b"\0\0\0\x01\0\x20\0\x03a/b"].concat()),
        (6, [&[1], &[0; 8][..], b"\0\0\0\x01\0\x06\x10\0", &[b'x'; limits::PATH + 1]].concat()),
        (31, b"\0\0\0\0\0\0\x01\0\x26\0\x01x".to_vec()),
        (31, b"\0\0\0\x02..\0\0\0".to_vec()),
        (6, [&[1], &[0; 12][..], &[24], &[0; 30]].concat()),
        (6, [&[1], &[0; 17][..], b"\0\x01x", &[0; 24]].concat()),
        (6, [&[1], &[0; 23][..], &[2, 0, 0], &[0; 17]].concat()),
        (6, [&[1], &[0; 25][..], &[2], &[0; 17]].concat()),
        (22, b"\0\0\0\0\x01\0\0".to_vec()),
        (22, b"\x40\0\0\0\x01\0\0".to_vec()),
        (6, [&[1], &[0; 26][..], &[32], &[0; 16]].concat()),
        (23, b"\0\0\0\0\0".to_vec()),
        (23, b"\x04\0\0\0\0".to_vec()),
        (23, b"\x01\x08\0\0\0".to_vec()),
        // A limit of no kind, one of none with a number, a percentage of 300, and a backup without a place or with a slash.
        (6, terms_of(b"\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")),
        (6, terms_of(b"\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0")),
        (6, terms_of(b"\x02\0\0\0\0\0\0\x01\x2c\0\0\0\0\0\0\0\0")),
        (6, terms_of(b"\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0")),
        (6, terms_of(b"\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x01/\0\0")),
        (6, terms_of(b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01~\0\0")),
        (27, b"\x05\0\0".to_vec()),
        (33, b"\0\0\0".to_vec()),
        (34, [&[9], &[0; 18][..]].concat()),
    ];
    for (kind, body) in table {
        let error = Message::decode(kind, &body);
        assert!(matches!(error, Err(WireError::Malformed(_))), "kind {kind}, {body:?}: {error:?}");
    }
}

/// A round over a whole tree with these bytes for its terms.
fn terms_of(bytes: &[u8]) -> Vec<u8> {
    [&[1], &[0; 12 + 14 + 17][..], bytes].concat()
}

/// Marsaglia's xorshift: the same numbers in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[3]
    }
}

/// Bytes of the heap that a message holds, about.
fn weight(message: &Message<'_>) -> usize {
    let Message::Round(round) = message else { return body(message).len() };
    let paths: usize = round.scope.only().iter().map(|path| size_of_val(path) + path.as_bytes().len()).sum();
    // A token for each byte of a pattern, and its text.
    let rules = round.scope.filter().items().iter().map(|item| size_of_val(item) + 33 * item.text().len());
    paths + rules.sum::<usize>()
}

#[test]
fn no_bytes_harm() {
    let bodies: Vec<_> =
        samples().iter().map(|m| (m.kind(), body(m))).filter(|(_, b)| b.len() < 600).collect();
    let mut random = Random(0x5eed_0000_5eed_0001);
    let mut read = 0;
    for _ in 0..200_000 {
        let (mut kind, mut bytes) = bodies[random.below(bodies.len())].clone();
        for _ in 0..random.below(4) {
            let at = random.below(bytes.len() + 1);
            match random.below(6) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, random.byte()),
                2 => kind = random.byte() % 59,
                3 => bytes = (0..random.below(80)).map(|_| random.byte()).collect(),
                4 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
                _ if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
                _ => {}
            }
        }
        if let Ok(message) = Message::decode(kind, &bytes) {
            read += 1;
            assert_eq!(body(&message), bytes, "there is one way to write {message:?}");
            assert!(weight(&message) <= 64 * bytes.len(), "{message:?} is larger than it says");
        }
    }
    // The control: neither is all refused, nor all taken.
    assert!((20_000..180_000).contains(&read), "{read}");
}
