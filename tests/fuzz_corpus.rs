//! What the fuzzers were given and what they found, replayed on every build.

#[path = "../fuzz/properties.rs"]
mod properties;

use std::fs;
use std::path::Path;

/// Checks the property on each file of its corpus, and on each with a byte changed or its end cut off: each file on a
/// thread of its own, since a session waits for clocks.
fn replay(name: &str, property: fn(&[u8])) {
    replay_at(name, 64, property);
}

/// In so many places of each.
fn replay_at(name: &str, places: usize, property: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let files: Vec<_> = fs::read_dir(corpus).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 5, "{name}: {} files", files.len());
    std::thread::scope(|scope| {
        for path in files {
            scope.spawn(move || {
                println!("{}", path.display());
                let data = fs::read(&path).unwrap();
                property(&data);
                let step = data.len() / places + 1;
                for at in (0..data.len()).step_by(step) {
                    property(&data[..at]);
                    for mask in [0x01, 0x20, 0x80] {
                        let mut changed = data.clone();
                        changed[at] ^= mask;
                        property(&changed);
                    }
                }
            });
        }
    });
}

#[test]
fn messages() {
    replay("message", properties::message);
}

#[test]
fn specifications() {
    replay("spec", properties::spec);
}

#[test]
fn dialects() {
    replay("dialect", properties::dialect);
}

#[test]
fn configurations() {
    replay("config", properties::config);
}

#[test]
fn remotes() {
    replay("remote", properties::remote);
}

#[test]
fn patterns() {
    replay("pattern", properties::pattern);
}

#[test]
fn escapes() {
    replay("vis", properties::vis);
}

#[test]
fn greetings() {
    replay("handshake", properties::handshake);
}

#[test]
fn imported_configurations() {
    replay("import", properties::import);
}

#[test]
fn sessions() {
    replay_at("session", 16, properties::session);
}

#[test]
fn states() {
    replay_at("state", 8, properties::state);
}

#[test]
fn numbers() {
    replay("number", properties::number);
}
