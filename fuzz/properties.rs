//! What must hold for any bytes: shared by the fuzz targets and by tests/fuzz_corpus.rs, which replays what they found.
#![allow(dead_code, unreachable_pub)] // a target uses one of them
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // all of this is a test

use smsync::client::config::ClientConfig;
use smsync::client::remote::{Host, Place};
use smsync::path::{Pattern, RelPath};
use smsync::server::config::Config;
use smsync::spec::{Entry, Index, Keyword, Keywords, Spec, SpecWriter, dialect};
use smsync::sys::{Dir, Spool};
use smsync::wire::Message;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

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

fn assert_shown(text: &str) {
    assert!(!text.contains(|c: char| c != '\n' && c.is_control()), "{text:?}");
}

/// A configuration is read by either program, or its errors are fit for a terminal; what it says can be read again.
pub fn config(data: &[u8]) {
    let path = private(data);
    match Config::read(&path) {
        Ok(config) => {
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
