//! The sums of a run that `--stats` writes, in the lines of rsync.

use crate::report::{Aspects, Census, Change, Deed, Fate, Report};
use serde_json::{Map, Value, json};

/// What was counted on this side.
#[derive(Debug, Default)]
pub(super) struct Tally {
    source: Census,
    created: Census,
    deleted: Census,
    /// Bytes on the wire.
    sent: u64,
    received: u64,
}

impl Tally {
    /// The source of one round.
    pub(super) fn source(&mut self, census: &Census) {
        self.source = self.source.plus(*census);
    }

    /// The traffic of one connection, in bytes.
    pub(super) fn traffic(&mut self, (sent, received): (u64, u64)) {
        self.sent = self.sent.saturating_add(sent);
        self.received = self.received.saturating_add(received);
    }

    pub(super) fn change(&mut self, change: &Change) {
        let new = change.fate == Fate::Missing || change.aspects.contains(Aspects::TYPE);
        match change.deed {
            Deed::Removed => self.deleted.count(change.kind, 0),
            Deed::Kept | Deed::Blocked => {}
            _ if new => self.created.count(change.kind, 0),
            _ => {}
        }
    }

    /// How many times the source is larger than what went over the wire.
    fn speedup(&self) -> f64 {
        let moved = self.sent.saturating_add(self.received).max(1);
        ratio(self.source.bytes, moved)
    }

    /// The lines of `--stats`.
    pub(super) fn lines(&self, report: &Report, seconds: f64) -> String {
        let Tally { source, created, deleted, sent, received } = self;
        let moved = sent.saturating_add(*received);
        let rate = count(moved) / seconds.max(0.001);
        format!(
            "Number of files: {}\nNumber of created files: {}\nNumber of deleted files: {}\n\
             Number of regular files transferred: {}\nTotal file size: {} bytes\n\
             Total transferred file size: {} bytes\nTotal bytes sent: {}\nTotal bytes received: {}\n\n\
             sent {} bytes  received {} bytes  {rate:.2} bytes/sec\ntotal size is {}  speedup is {:.2}",
            by_type(source),
            by_type(created),
            by_type(deleted),
            commas(report.files),
            commas(source.bytes),
            commas(report.bytes),
            commas(*sent),
            commas(*received),
            commas(*sent),
            commas(*received),
            commas(source.bytes),
            self.speedup(),
        )
    }

    /// The same for a script.
    pub(super) fn insert(&self, object: &mut Map<String, Value>) {
        let json = |census: &Census| {
            let Census { files, dirs, links, devices, specials, .. } = *census;
            json!({"files": files, "dirs": dirs, "links": links, "devices": devices, "specials": specials})
        };
        object.insert("source".into(), json(&self.source));
        object.insert("created".into(), json(&self.created));
        object.insert("deleted".into(), json(&self.deleted));
        object.insert("total_bytes".into(), self.source.bytes.into());
        object.insert("wire_sent".into(), self.sent.into());
        object.insert("wire_received".into(), self.received.into());
        object.insert("speedup".into(), json!(self.speedup()));
    }
}

/// A number for arithmetic that need not be exact.
fn count(number: u64) -> f64 {
    let (high, low) = (number >> 32, number & u64::from(u32::MAX));
    let part = |part: u64| f64::from(u32::try_from(part).unwrap_or(u32::MAX));
    part(high) * 4_294_967_296.0 + part(low)
}

fn ratio(of: u64, to: u64) -> f64 {
    count(of) / count(to)
}

fn by_type(census: &Census) -> String {
    let parts = [
        ("reg", census.files),
        ("dir", census.dirs),
        ("link", census.links),
        ("dev", census.devices),
        ("special", census.specials),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(_, number)| *number > 0)
        .map(|(name, number)| format!("{name}: {}", commas(number)))
        .collect();
    let total = commas(census.total());
    if parts.is_empty() { total } else { format!("{total} ({})", parts.join(", ")) }
}

fn commas(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}
