//! What the fuzzers were given and what they found, replayed on every build.

#[path = "../fuzz/properties.rs"]
mod properties;

use std::fs;
use std::path::Path;

/// Checks the property on each file of its corpus, and on each with a byte changed or its end cut off.
fn replay(name: &str, property: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut count = 0;
    for file in fs::read_dir(corpus).unwrap() {
        let path = file.unwrap().path();
        let data = fs::read(&path).unwrap();
        println!("{}", path.display());
        property(&data);
        let step = data.len() / 64 + 1;
        for at in (0..data.len()).step_by(step) {
            property(&data[..at]);
            for mask in [0x01, 0x20, 0x80] {
                let mut changed = data.clone();
                changed[at] ^= mask;
                property(&changed);
            }
        }
        count += 1;
    }
    assert!(count >= 5, "{name}: {count} files");
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
