//! A whole receiving session on bytes: a peer that knows the secret says them, message by message, and then goes.
//!
//! The bytes are frames: the kind of a message, the length of its body in two bytes, the body. What a mutation would only
//! break is put right, so that what lies behind it is reached: the text of a specification is in clear and is compressed
//! here, and a digest of zeros becomes the one that is meant. Kind 0 ends a record.

use smsync::config::Durable;
use smsync::exit::Exit;
use smsync::install::Stage;
use smsync::path::{RelPath, Scope};
use smsync::report::{Census, Change, Monitor, Problem, Progress, Refusal, Report, Unsupported};
use smsync::secret::Secret;
use smsync::session::{Baselines, Error, Receiver, receive};
use smsync::spec::{Keyword, Keywords};
use smsync::sys::{Dir, Stream};
use smsync::terms::Policy;
use smsync::tree::{Remembered, Root};
use smsync::wire::message::{Direction, Flags, Round};
use smsync::wire::noise::{self, Cipher, Initiator, Transport};
use smsync::wire::{Channel, Message, Patience};
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Kinds of messages of which more is known here; smsync(4).
const ROUND: u8 = 6;
const SPEC: u8 = 7;
const SPEC_END: u8 = 8;
const DIGESTS_END: u8 = 12;
const FILE: u8 = 15;
const DATA: u8 = 16;
const FILE_END: u8 = 18;
const FILES_END: u8 = 21;
const BYE: u8 = 25;
const BASELINE: u8 = 40;
const EDITS: u8 = 41;
/// What ends a turn of the receiver: AskEnd, WantEnd, Report, Abort, Whole.
const ANSWERS: [u8; 5] = [10, 14, 24, 27, 42];

/// No file of more bytes is taken, and no session leaves more than a few of them on the disk.
const LARGEST: u64 = 1 << 20;
/// Blocks of 512 bytes that the tree may take afterwards.
const BLOCKS: u64 = 16 << 11;
/// How long an answer is waited for: whoever cannot make sense of a file says so when more of it comes.
const ANSWER: Duration = Duration::from_millis(500);
/// Far longer than any of these takes.
const LONGEST: Duration = Duration::from_secs(20);

/// Nobody is told.
struct Deaf;

impl Monitor for Deaf {
    fn problem(&mut self, _: &Problem) {}
    fn unsupported(&mut self, _: &Unsupported) {}
    fn change(&mut self, _: &Change) {}
    fn census(&mut self, _: &Census) {}
    fn refusal(&mut self, _: &Refusal) {}
    fn progress(&mut self, _: &Progress) {}
}

/// The session ends without a panic and in time; nothing outside of the module is changed, nothing is left in the spool, no
/// more is on the disk than the module takes, and no stage is left by a session that went well, nor by the one after it.
pub fn session(data: &[u8]) {
    apart(|| {
        let ground = Ground::new();
        let begun = Instant::now();
        let ended = ground.serve(turns(data), ANSWER);
        assert!(begun.elapsed() < LONGEST, "{:?}", begun.elapsed());
        ground.check();
        if ended.is_err() {
            fs::set_permissions(ground.module(), fs::Permissions::from_mode(0o755)).unwrap();
            ground.serve(turns(&push(Keyword::Type, "#mtree\n. type=dir\n")), LONGEST).unwrap();
        }
        assert!(fs::symlink_metadata(ground.module().join(".smsync")).is_err(), "a stage is left");
    });
}

/// What is remembered of digests and of specifications may be anything: a push of what is there already ends, and changes
/// nothing. The first byte chooses one of these files, and the others are in it.
pub fn state(data: &[u8]) {
    let Some((which, contents)) = data.split_first() else { return };
    let digest = |contents: &str| blake3::hash(contents.as_bytes()).to_hex();
    let (old, other) = (digest("old"), digest("other"));
    let text = format!(
        "#mtree\n. type=dir\n./d type=dir\n./d/g type=file size=5 time=1.000000000 blake3={other}\n./f type=file size=3 time=1.000000000 blake3={old}\n"
    );
    // Smaller specifications are not kept.
    let text = (0..50).fold(text, |text, at| format!("{text}./z{at:02}-{} type=dir\n", "y".repeat(80)));
    apart(|| {
        let ground = Ground::new();
        for _ in 0..2 {
            ground.serve(turns(&push(Keyword::Blake3, &text)), LONGEST).unwrap();
            // What has just changed is not remembered.
            std::thread::sleep(smsync::limits::TICK);
        }
        let files = fs::read_dir(ground.0.join("state")).unwrap().map(|entry| entry.unwrap());
        let mut files: Vec<_> = files.filter(|entry| entry.metadata().unwrap().len() > 0).collect();
        files.sort_by_key(fs::DirEntry::file_name);
        let file = files.get(usize::from(*which) % files.len().max(1)).expect("nothing is remembered");
        fs::write(file.path(), contents).unwrap();
        // Who is told of other digests asks for files, and who has no baseline for the whole: they do not come.
        let _ = ground.serve(turns(&push(Keyword::Blake3, &text)), LONGEST);
        let _ = ground.serve(turns(&same_again(Keyword::Blake3, &text)), LONGEST);
        ground.check();
        assert_eq!(fs::read(ground.module().join("f")).unwrap(), b"old");
        assert_eq!(fs::read(ground.module().join("d/g")).unwrap(), b"other");
    });
}

/// Does this with a umask of its own: this program may do other things meanwhile.
fn apart(play: impl FnOnce() + Send) {
    let play = || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS).unwrap();
        play();
    };
    std::thread::scope(|scope| scope.spawn(play).join()).unwrap();
}

/// A push of this specification, of which the round says one keyword, as it stands in the bytes.
fn push(keyword: Keyword, text: &str) -> Vec<u8> {
    let end = [&[0; 36][..], &[1], &[0; 16]].concat();
    [begin(keyword), frame(SPEC, text.as_bytes()), frame(SPEC_END, &end), frame(BYE, b"")].concat()
}

/// The same once more, told by its difference from what was said before.
fn same_again(keyword: Keyword, text: &str) -> Vec<u8> {
    let (digest, lines) = (blake3::hash(text.as_bytes()), text.lines().count() as u32);
    let edits = zstd::encode_all(format!("={lines}\n").as_bytes(), 1).unwrap();
    let end = [&digest.as_bytes()[..], &(lines - 1).to_be_bytes(), &[1], &[0; 16]].concat();
    let said = [frame(BASELINE, digest.as_bytes()), frame(EDITS, &edits), frame(SPEC_END, &end)].concat();
    [begin(keyword), said, frame(BYE, b"")].concat()
}

fn begin(keyword: Keyword) -> Vec<u8> {
    let (keywords, mut round) = (Keywords::of(&[Keyword::Type, keyword]), Vec::new());
    Message::Round(Round::new(Direction::Push, Flags::NONE, keywords, Scope::default())).encode(&mut round);
    frame(ROUND, &round)
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

/// The records to be said, each with whether an answer is waited for after it.
fn turns(mut data: &[u8]) -> Vec<(Vec<u8>, bool)> {
    let (mut records, mut record) = (Vec::new(), Vec::new());
    let (mut text, mut contents) = (Vec::new(), blake3::Hasher::new());
    while let [kind, high, low, rest @ ..] = data {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (body, tail) = rest.split_at(length);
        let mut body = body.to_vec();
        data = tail;
        match *kind {
            SPEC => {
                text.extend_from_slice(&body);
                continue;
            }
            SPEC_END if !text.is_empty() => {
                if body.len() >= 36 && body[..32] == [0; 32] {
                    body[..32].copy_from_slice(blake3::hash(&text).as_bytes());
                    let lines = text.iter().filter(|byte| **byte == b'\n').count() as u32;
                    body[32..36].copy_from_slice(&lines.saturating_sub(1).to_be_bytes());
                }
                put(&mut record, SPEC, &zstd::encode_all(&text[..], 1).unwrap());
                text.clear();
            }
            FILE => drop(contents.reset()),
            DATA => drop(contents.update(&body)),
            FILE_END if body == [0; 32] => body.copy_from_slice(contents.finalize().as_bytes()),
            _ => {}
        }
        if *kind != 0 {
            put(&mut record, *kind, &body);
        }
        let ends = matches!(*kind, SPEC_END | DIGESTS_END | FILES_END);
        if (ends || *kind == 0) && !record.is_empty() {
            records.push((std::mem::take(&mut record), ends));
        }
    }
    records.extend((!record.is_empty()).then_some((record, false)));
    records
}

fn put(record: &mut Vec<u8>, kind: u8, body: &[u8]) {
    record.push(kind);
    record.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
    record.extend_from_slice(body);
}

/// A module with something in it, and what must not change beside it.
struct Ground(PathBuf);

impl Ground {
    fn new() -> Ground {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let base = super::memory().join(format!("smsync-fuzz-session-{}-{number}", std::process::id()));
        let ground = Ground(base);
        for dir in ["", "outside", "module", "module/d", "state", "spool"] {
            fs::create_dir(ground.0.join(dir)).unwrap();
        }
        fs::write(ground.0.join("outside/kept"), "kept").unwrap();
        fs::write(ground.module().join("f"), "old").unwrap();
        fs::write(ground.module().join("d/g"), "other").unwrap();
        symlink("../outside", ground.module().join("l")).unwrap();
        symlink(ground.0.join("outside/kept"), ground.module().join("d/m")).unwrap();
        ground
    }

    fn module(&self) -> PathBuf {
        self.0.join("module")
    }

    /// Serves once more while the tree is locked: a process that another thread is starting has our lock, too, until it is
    /// another program.
    fn serve(&self, records: Vec<(Vec<u8>, bool)>, answer: Duration) -> Result<(), Error> {
        let begun = Instant::now();
        loop {
            match self.serve_once(records.clone(), answer) {
                Err(error) if error.exit() == Exit::TryAgain && begun.elapsed() < LONGEST => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                ended => return ended,
            }
        }
    }

    /// The server's side of the connection, and at the other end whoever says these records and waits so long for answers.
    fn serve_once(&self, records: Vec<(Vec<u8>, bool)>, answer: Duration) -> Result<(), Error> {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let secret = Secret::parse("KCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/gIGCg4SFhoc=").unwrap();
        let (initiator, first) = Initiator::start(Cipher::AesGcm, b"", &secret).unwrap();
        let (second, keys) = noise::respond(Cipher::AesGcm, b"", &secret, &first).unwrap();
        let client = initiator.finish(&second).unwrap();
        let mut channel = Channel::new(Stream::new(OwnedFd::from(ours)), keys, Patience::Silence(LONGEST));
        std::thread::scope(|scope| {
            scope.spawn(move || say(theirs, client, records, answer));
            let ended = self.rounds(&mut channel);
            drop(channel);
            ended
        })
    }

    /// As a server serves, once it knows who asks for what.
    fn rounds(&self, channel: &mut Channel) -> Result<(), Error> {
        let open = |name| Dir::open_root(&self.0.join(name)).unwrap();
        let (module, state, spool) = (open("module"), open("state"), open("spool"));
        let mut root = Root::to_fill(&module, &RelPath::ROOT, false).unwrap();
        root.offer_by(Policy { max_file_size: Some(LARGEST), ..Policy::default() });
        loop {
            let round = match channel.listen().message()? {
                Message::Round(round) if round.direction == Direction::Push => round,
                _ => return Ok(()),
            };
            let baselines = Baselines::of_server((&state, &spool), &[b"m".to_vec()], &round, None);
            let remembered = Remembered::of(&state, &spool, root.dir()).unwrap();
            let receiver = Receiver {
                module: &module,
                root: &root,
                spool: &spool,
                lock: &Stage::lock_file(&module, &state).map_err(Error::Stage)?,
                durable: Durable::None,
                below: RelPath::ROOT,
                versions: 1,
                links: &[],
                remembered: &remembered,
                baselines: &baselines,
            };
            let _: Report = receive(channel, &receiver, &round, &mut Deaf)?;
        }
    }

    fn check(&self) {
        let names = |path: &Path| {
            let mut names: Vec<_> =
                fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&self.0), ["module", "outside", "spool", "state"]);
        assert_eq!(names(&self.0.join("outside")), ["kept"]);
        assert!(names(&self.0.join("spool")).is_empty());
        let kept = fs::metadata(self.0.join("outside/kept")).unwrap();
        let (nlink, mode) = (kept.nlink(), kept.mode() & 0o111);
        assert_eq!((fs::read(self.0.join("outside/kept")).unwrap(), nlink, mode), (b"kept".to_vec(), 1, 0));
        open_up(&self.0);
        let blocks = blocks(&self.0);
        assert!(blocks < BLOCKS, "{blocks} blocks");
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        open_up(&self.0);
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Lets an ordinary user into what a session made.
fn open_up(dir: &Path) {
    let found = fs::symlink_metadata(dir).unwrap();
    if found.is_dir() {
        if found.mode() & 0o700 != 0o700 {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
        }
        fs::read_dir(dir).unwrap().for_each(|entry| open_up(&entry.unwrap().path()));
    }
}

fn blocks(path: &Path) -> u64 {
    let found = fs::symlink_metadata(path).unwrap();
    let below = || fs::read_dir(path).unwrap().map(|entry| blocks(&entry.unwrap().path())).sum::<u64>();
    found.blocks() + if found.is_dir() { below() } else { 0 }
}

/// Says them, and hears the answers.
fn say(mut socket: UnixStream, keys: Transport, records: Vec<(Vec<u8>, bool)>, answer: Duration) {
    let Transport { mut seal, mut open, .. } = keys;
    socket.set_read_timeout(Some(answer)).unwrap();
    socket.set_write_timeout(Some(LONGEST)).unwrap();
    for (mut record, answered) in records {
        let tag = seal.seal(&mut record).unwrap();
        let length = u32::try_from(record.len() + tag.len()).unwrap();
        if socket.write_all(&[&length.to_be_bytes()[..], &record, &tag].concat()).is_err() {
            break;
        }
        let mut waits = answered;
        while waits {
            let heard = hear(&mut socket, &mut open);
            waits = heard.is_some_and(|kinds| !kinds.iter().any(|kind| ANSWERS.contains(kind)));
        }
    }
    let _ = socket.shutdown(Shutdown::Write);
    socket.set_read_timeout(Some(LONGEST)).unwrap();
    while hear(&mut socket, &mut open).is_some() {}
}

/// The kinds of the messages in the next record; none at the end.
fn hear(socket: &mut UnixStream, open: &mut noise::Opener) -> Option<Vec<u8>> {
    let mut header = [0; 4];
    socket.read_exact(&mut header).ok()?;
    let mut body = vec![0; u32::from_be_bytes(header) as usize];
    socket.read_exact(&mut body).ok()?;
    let (mut rest, mut kinds) = (&*open.open(&mut body).ok()?, Vec::new());
    while let [kind, a, b, c, d, tail @ ..] = rest {
        kinds.push(*kind);
        rest = &tail[u32::from_be_bytes([*a, *b, *c, *d]) as usize..];
    }
    Some(kinds)
}
