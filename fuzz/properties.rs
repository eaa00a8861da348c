//! What must hold for any bytes: shared by the fuzz targets and by tests/fuzz_corpus.rs, which replays what they found.
#![allow(dead_code, unused_imports, unreachable_pub)] // a target uses one of them
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // all of this is a test

#[path = "session.rs"]
mod session;

pub use session::{session, state};
use smsync::client::config::ClientConfig;
use smsync::client::remote::{Host, Place};
use smsync::config::{Rate, size};
use smsync::path::{Pattern, RelPath};
use smsync::report::{Carried, Transfer};
use smsync::secret::Secret;
use smsync::server::config::hosts::Caller;
use smsync::server::config::log_format::Where;
use smsync::server::config::{Access, Config, Module};
use smsync::session::{Hello, greet_client, greet_server};
use smsync::spec::{Entry, Index, Keyword, Keywords, Spec, SpecWriter, dialect};
use smsync::sys::{Dir, Spool, Stream};
use smsync::vis;
use smsync::wire::Message;
use smsync::wire::noise::Cipher;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A message is written in one way only: what is read is written the same. The first byte is its kind.
pub fn message(data: &[u8]) {
    let Some((kind, body)) = data.split_first() else { return };
    if let Ok(message) = Message::decode(*kind, body) {
        let mut written = Vec::new();
        message.encode(&mut written);
        assert_eq!(written, body);
    }
}

/// Where memory is: a spool on a disk would be slow.
fn memory() -> &'static Path {
    Path::new("/dev/shm")
}

fn spool() -> Spool {
    Spool::create(&Dir::open_root(memory()).unwrap()).unwrap()
}

fn seal(text: &[u8]) -> Option<Spec> {
    let mut spool = spool();
    spool.write_all(text).unwrap();
    Spec::seal(spool).ok()
}

/// A specification that is taken from the wire is written the same, and each of its entries is found.
pub fn spec(data: &[u8]) {
    let Some(spec) = seal(data) else { return };
    let mut writer = SpecWriter::new(Vec::new(), spec.keywords()).unwrap();
    for (index, entry) in spec.iter() {
        assert_eq!(spec.find(&entry.path).as_ref(), Some(&entry));
        assert_eq!(spec.index(index.get()), Some(index));
        assert!(entry.path.components().all(|name| name != b".." && name != b"." && !name.contains(&0)));
        writer.push(&entry).unwrap();
    }
    assert_eq!(writer.finish().unwrap(), data);
    assert_eq!(spec.entry(Index::ROOT).path, RelPath::ROOT);
}

/// What is read in any dialect is sent in the canonical form, unless that is refused; and comes out as it went in.
pub fn dialect(data: &[u8]) {
    let Ok(reading) = dialect::read(data) else { return };
    let mut writer = SpecWriter::new(spool(), Keywords::of(&Keyword::ALL)).unwrap();
    if reading.entries.iter().any(|entry| writer.push(entry).is_err()) {
        return;
    }
    let spec = writer.seal().unwrap();
    let received = seal(spec.bytes()).expect("what a client sends a server takes");
    for sent in [&spec, &received] {
        let entries: Vec<Entry<'_>> = sent.iter().map(|(_, entry)| entry).collect();
        assert_eq!(entries, reading.entries);
    }
}

/// Writes a file as private as a configuration must be.
fn private(data: &[u8]) -> PathBuf {
    let path = memory().join(format!("smsync-fuzz-{}-{:?}", std::process::id(), std::thread::current().id()));
    let _ = std::fs::remove_file(&path);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
    file.write_all(data).unwrap();
    path
}

/// What is written in any dialect's escapes is read, in the canonical ones as it was, and shown without what drives a
/// terminal.
pub fn vis(data: &[u8]) {
    let mut written = Vec::new();
    vis::encode(data, &mut written);
    assert!(written.iter().all(|byte| byte.is_ascii_graphic()));
    if !data.contains(&0) {
        assert_eq!(vis::decode_canonical(&written).unwrap(), data);
        assert_eq!(vis::decode(&written).unwrap(), data);
    }
    if let Ok(read) = vis::decode_canonical(data) {
        let mut again = Vec::new();
        vis::encode(&read, &mut again);
        assert_eq!(again, data);
    }
    let mut rest = data;
    while let Ok((_, tail)) = vis::decode_one(rest) {
        assert!(tail.len() < rest.len());
        rest = tail;
    }
    assert!(!vis::decode(data).is_ok_and(|read| read.contains(&0) || read.len() > data.len()));
    assert_shown(&vis::shown(data));
    assert!(!vis::shown_text(&String::from_utf8_lossy(data)).contains(vis::is_hidden));
}

/// A greeting ends, on either side, and without the secret nobody is let in.
pub fn handshake(data: &[u8]) {
    let secret = Secret::parse("KCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/gIGCg4SFhoc=").unwrap();
    let meet = || {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(data).unwrap();
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        // The other end stays open, or what is answered would be an error by itself.
        (Stream::new(ours.into()), theirs, Instant::now() + Duration::from_secs(5))
    };
    let (stream, _theirs, deadline) = meet();
    let secrets = std::slice::from_ref(&secret);
    match greet_server(stream, &|_| secrets, deadline) {
        Ok(_) => panic!("a stranger is let in"),
        Err(error) => assert_shown(&error.to_string()),
    }
    for cipher in [Cipher::AesGcm, Cipher::ChaChaPoly] {
        let (stream, _theirs, deadline) = meet();
        let hello = Hello { user: "u", secret: &secret, cipher };
        match greet_client(stream, &hello, deadline, Duration::from_secs(5)) {
            Ok(_) => panic!("a stranger is believed"),
            Err(error) => assert_shown(&error.to_string()),
        }
    }
}

/// What is made of an rsyncd.conf is fit for a terminal, and so is what is said of the rest.
pub fn import(data: &[u8]) {
    let imported = smsync::server::import::import(data);
    assert_shown(&imported.text.replace('\t', " "));
    imported.lost.iter().for_each(|lost| assert_shown(&lost.to_string()));
}

/// A size or a rate is read or refused in words fit for a terminal, and a rate is shown as it is read.
pub fn number(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for plain in [1, 1024] {
        size(text, plain).err().iter().for_each(|fault| assert_shown(fault));
    }
    match Rate::parse(text) {
        Ok(Some(rate)) => {
            assert_eq!(Rate::parse(&rate.to_string()), Ok(Some(rate)));
            assert!(rate.time(rate.bytes(Duration::from_secs(1))) <= Duration::from_secs(1));
        }
        Ok(None) => {}
        Err(fault) => assert_shown(&fault),
    }
}

fn assert_shown(text: &str) {
    assert!(!text.contains(|c: char| c != '\n' && c.is_control()), "{text:?}");
}

/// A configuration is read by either program, or its errors are fit for a terminal; what it says can be read again.
pub fn config(data: &[u8]) {
    let path = private(data);
    match Config::read(&path) {
        Ok(config) => {
            config.modules.iter().for_each(asked);
            let described = config.describe();
            let secret = "KCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/gIGCg4SFhoc=";
            let again = Config::read(&private(described.replace("(set)", secret).as_bytes()));
            assert_eq!(
                again.map(|again| again.describe()).map_err(|errors| errors.to_string()),
                Ok(described)
            );
        }
        Err(errors) => assert_shown(&errors.to_string()),
    }
    let path = private(data);
    match ClientConfig::read(Some(&path)) {
        Ok(config) => drop(config.settings("host", None, Some("module"))),
        Err(errors) => assert_shown(&errors.to_string()),
    }
    std::fs::remove_file(path).unwrap();
}

/// Whoever calls, it is decided what he may do; and what is logged of him is fit for a log.
fn asked(module: &Module) {
    for (address, name) in [(None, None), (Some("192.0.2.1"), Some("a.example")), (Some("2001:db8::1"), None)]
    {
        let name = || name.map(str::to_owned);
        let caller = Caller { address: address.map(|address| address.parse().unwrap()), name: &name };
        let _: Access = module.access("u", &caller, &|_, group| group == "staff");
        let (address, user, root) = (address.unwrap_or_default(), "u", "/srv");
        let at = Where { address, host: None, user, module: &module.name, root, below: "d" };
        let path = RelPath::new(&b"a\nb"[..]).unwrap();
        let (mode, target) = (Some(0o4755), Some(&b"\x1b["[..]));
        let (what, size) = (Carried::Received, u64::MAX);
        let file = Transfer { what, path, size, mode, uid: Some(1), gid: None, time: Some(i64::MIN), target };
        let line = module.log_format.line(&at, &file);
        assert!(!line.contains(['\n', '\x1b']), "{line:?}");
    }
}

/// A remote is a host, a module and a path within their bounds, or it is refused in words fit for a terminal.
pub fn remote(data: &[u8]) {
    match Place::parse(OsStr::from_bytes(data)) {
        Ok(Place::Remote(remote)) => {
            assert!(!remote.host.name.is_empty() && remote.host.port != Some(0));
            assert!((1..=64).contains(&remote.module.len()) && !remote.module.contains('/'));
            assert_shown(&remote.to_string());
        }
        Ok(Place::Local(path)) => assert_eq!(path.as_bytes(), data),
        Err(_) => {}
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(host) = Host::parse(text)
    {
        assert_shown(&host.to_string());
        assert!(host.user.is_none_or(|user| (1..=64).contains(&user.len())));
    }
}

/// A pattern ends, whatever it is matched against, and one without wildcards matches itself. A line each.
pub fn pattern(data: &[u8]) {
    let Some(at) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (text, path) = (&data[..at], &data[at + 1..]);
    let Some(pattern) = Pattern::new(text) else { return };
    assert_eq!(pattern.text(), text);
    let (as_dir, as_file) = (pattern.matches(path, true), pattern.matches(path, false));
    assert!(as_dir || !as_file, "what matches a file matches a directory");
    if !text.iter().any(|byte| b"*?[\\/".contains(byte)) {
        let last = path.rsplit(|byte| *byte == b'/').next();
        assert_eq!(as_file, last == Some(text));
    }
}
