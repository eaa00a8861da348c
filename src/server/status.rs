//! `smsyncd --status`: what is going on, and how it went last.

use super::config::{self, Config};
use super::refused;
use super::roll::{self, Entry, Last};
use crate::sys::Dir;
use crate::sys::clock::Local;
use crate::vis::{shown_json, shown_text};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;

/// What there is to be said.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    sessions: Vec<Entry>,
    /// How many were turned away, by reason.
    refused: BTreeMap<&'static str, u64>,
    modules: Vec<Module>,
}

/// A module and its last round.
#[derive(Debug, Serialize)]
struct Module {
    name: String,
    last: Option<Last>,
}

impl Status {
    /// Of the server of this configuration, whoever starts its processes; nothing is known before the first.
    ///
    /// # Errors
    /// What is kept beside the state directory cannot be used.
    pub(super) fn of(config: &Config, kept: Option<&Dir>) -> io::Result<Status> {
        let sessions = kept.map_or(Ok(Vec::new()), roll::sessions)?;
        let last = |name: &str| kept.and_then(|kept| Last::of(kept, name));
        let module = |of: &config::Module| Module { name: of.name.clone(), last: last(&of.name) };
        let refused = kept.map_or(Ok(Vec::new()), refused::counts)?.into_iter().collect();
        Ok(Status { sessions, refused, modules: config.modules.iter().map(module).collect() })
    }

    /// As one object of JSON on a line.
    pub(super) fn json(&self) -> String {
        let text = serde_json::to_string(self);
        // Numbers and texts can always be written.
        format!("{}\n", shown_json(&text.unwrap_or_default()))
    }

    /// For people: a line for each session, one of who was turned away, and one for each module.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        for session in &self.sessions {
            // A string takes everything.
            let _ = writeln!(out, "{}", line(session));
        }
        if self.sessions.is_empty() {
            out.push_str("no session in progress\n");
        }
        if !self.refused.is_empty() {
            let counts: Vec<_> = self.refused.iter().map(|(why, count)| format!("{count} {why}")).collect();
            let _ = writeln!(out, "turned away: {}", counts.join(", "));
        }
        for module in &self.modules {
            let _ = writeln!(out, "{}: {}", shown_text(&module.name), result(module.last.as_ref()));
        }
        out
    }
}

fn date(seconds: i64) -> String {
    Local::at(seconds).map_or_else(|| seconds.to_string(), |time| time.numeric())
}

fn line(session: &Entry) -> String {
    let what = match session.direction.as_str() {
        "push" => "push to ",
        "pull" => "pull from ",
        _ => "opened ",
    };
    format!(
        "process {}: {} user \"{}\": {what}{}: {} files, {} bytes so far, since {}",
        session.process,
        shown_text(&session.host),
        shown_text(&session.user),
        shown_text(&session.module),
        session.files,
        session.bytes,
        date(session.since),
    )
}

fn result(last: Option<&Last>) -> String {
    let Some(last) = last else { return "nothing yet".into() };
    let mut text = format!(
        "last {} {}, {} user \"{}\": {} files, {} bytes, {} removed, {} problems, {:.1} s, exit {}",
        shown_text(&last.direction),
        date(last.ended),
        shown_text(&last.host),
        shown_text(&last.user),
        last.files,
        last.bytes,
        last.removed,
        last.problems,
        last.seconds,
        last.exit,
    );
    if let Some(error) = &last.error {
        text.push_str(&format!(": {}", shown_text(error)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_said_drives_no_terminal() {
        let said = "\u{9b}2J\u{85}\u{202e}\u{e0041}";
        let session = Entry {
            process: 7,
            since: 0,
            host: "a".into(),
            user: said.into(),
            module: "m".into(),
            direction: "push".into(),
            files: 0,
            bytes: 0,
        };
        let status = Status { sessions: vec![session], refused: BTreeMap::new(), modules: Vec::new() };
        assert!(status.text().is_ascii(), "{}", status.text());
        let json = status.json();
        assert!(json.is_ascii() && json.contains("\\u009b2J\\u0085\\u202e\\udb40\\udc41"), "{json}");
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["sessions"][0]["user"], said);
    }
}
