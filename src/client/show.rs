//! What a person or a script sees: the only place that prints.

mod itemize;
pub(super) mod mtree;
mod progress;
mod streams;
mod tally;

use crate::client::failure::{Failure, system};
use crate::client::options::{Options, Output};
use crate::exit::Exit;
use crate::path::RelPath;
use crate::report::{
    Census, Change, Fate, KINDS, Monitor, Problem, Progress, Refusal, Report, Side, Unsupported,
};
use crate::sys::logfile::LogFile;
use crate::vis::{shown, shown_json, shown_text};
use indicatif::{HumanBytes, HumanCount};
use progress::{Form, Shown};
use serde_json::{Map, Value, json};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use streams::{line, say};
use tally::Tally;

/// How much is shown, and in which form.
#[derive(Debug)]
pub(super) struct Show {
    json: bool,
    quiet: bool,
    verbose: u8,
    listing: Listing,
    /// Whether `--stats` is to be written.
    stats: bool,
    log: Option<LogFile>,
    motd: bool,
    /// The name of the other host, and which side of the round it is.
    remote: Option<(String, Side)>,
    tally: Tally,
    started: Instant,
    progress: Shown,
}

/// How changes are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listing {
    /// Not at all.
    None,
    /// What is done, and why.
    Words,
    /// The letters of rsync.
    Letters,
    /// What differs, as mtree(8) says it.
    Mtree,
}

/// Whether a line of the log file was lost.
static LOST_LOG: AtomicBool = AtomicBool::new(false);

/// Prints one event.
fn event(value: &Value) {
    line(&shown_json(&value.to_string()));
}

impl Show {
    /// As the command line says.
    #[must_use]
    pub(super) fn new(options: &Options) -> Show {
        Show {
            json: options.json,
            quiet: options.quiet,
            verbose: options.verbose,
            listing: if options.verbose > 0 { Listing::Words } else { Listing::None },
            stats: false,
            log: None,
            motd: false,
            remote: None,
            tally: Tally::default(),
            started: Instant::now(),
            progress: Shown::new(),
        }
    }

    /// For a push or a pull with these options.
    ///
    /// # Errors
    /// The log file cannot be opened.
    pub(super) fn transfer(&mut self, output: &Output, dry_run: bool) -> Result<(), Failure> {
        self.stats = output.stats;
        self.listing = match self.listing {
            _ if output.itemize_changes => Listing::Letters,
            Listing::None if dry_run => Listing::Words,
            listing => listing,
        };
        self.look_on(output.progress);
        if let Some(path) = &output.log_file {
            let open = LogFile::open(path).map_err(|error| {
                system(Exit::Io, format_args!("log file {}", shown_text(&path.to_string_lossy())), &error)
            });
            self.log = Some(open?);
        }
        Ok(())
    }

    /// For a check.
    pub(super) fn check(&mut self) {
        self.listing = Listing::Mtree;
        self.look_on(false);
    }

    /// Decides how progress is shown; `asked` for, in any case.
    fn look_on(&mut self, asked: bool) {
        let terminal = std::io::stderr().is_terminal();
        self.progress.set(match (asked, terminal) {
            (true, true) => Form::BarAtOnce,
            (true, false) => Form::Lines,
            (false, true) if !self.quiet && !self.json => Form::Bar,
            _ => Form::None,
        });
    }

    /// Names the other host, and which side of the round it is.
    pub(super) fn meet(&mut self, host: &impl std::fmt::Display, side: Side) {
        self.remote = Some((host.to_string(), side));
    }

    /// Whether each change is wanted.
    #[must_use]
    pub(super) const fn itemizes(&self) -> bool {
        let listed = !matches!(self.listing, Listing::None) && !self.quiet;
        self.json || self.stats || self.log.is_some() || listed
    }

    /// Counts what went over the wire, in bytes.
    pub(super) fn traffic(&mut self, traffic: (u64, u64)) {
        self.tally.traffic(traffic);
    }

    /// Says something that was asked for.
    pub(super) fn answer(&self, text: &str) {
        line(text);
    }

    /// Decides about the message of the day: whoever only `lists` is told it, and else who looks on.
    pub(super) fn greet(&mut self, unwanted: bool, lists: bool) {
        self.motd = !unwanted && !self.json && (lists && !self.quiet || self.is_looked_at());
    }

    /// Says what the server has its clients told, as rsync does, with an empty line behind it. Once is enough.
    pub(super) fn motd(&mut self, text: &str) {
        if std::mem::take(&mut self.motd) {
            self.progress.above(|| text.lines().chain([""]).for_each(|one| line(&shown_text(one))));
        }
    }

    /// Whether a person seems to read what is said.
    fn is_looked_at(&self) -> bool {
        self.verbose > 0 || !self.quiet && std::io::stdout().is_terminal()
    }

    /// Says one module of a server.
    pub(super) fn module(&self, (name, comment): (&str, &str), read_only: bool, write_only: bool) {
        if self.json {
            event(&json!({
                "event": "module", "name": name, "comment": comment, "read_only": read_only, "write_only": write_only
            }));
        } else {
            let access = match (read_only, write_only) {
                (false, false) => "rw",
                (true, false) => "ro",
                (false, true) => "wo",
                (true, true) => "--",
            };
            line(format!("{:<16} {access}  {}", shown_text(name), shown_text(comment)).trim_end());
        }
    }

    /// Says in what a path of this host is not as a specification has it, in the words of mtree(8).
    pub(super) fn difference(&self, fate: Fate, path: &RelPath<'_>, found: &[String]) {
        let path = path.to_string();
        if self.json {
            event(&json!({"event": fate.words(), "path": path, "differences": found}));
        } else if !self.quiet {
            line(&match fate {
                Fate::Missing => mtree::missing(&path),
                Fate::Extra => mtree::extra(&path),
                Fate::Changed => mtree::changed(&path, found.iter().cloned()),
            });
        }
    }

    /// Says what goes wrong, in one line that names the program.
    pub(super) fn error(&mut self, text: &str) {
        let text = shown_text(text);
        self.log_line(&text);
        self.progress.above(|| say(&text));
    }

    /// Appends a line to the log file, if there is one.
    fn log_line(&mut self, text: &str) {
        if self.log.as_mut().is_some_and(|log| !log.send(text)) {
            // Once is enough.
            self.log = None;
            self.progress.above(|| say("cannot write to the log file"));
            LOST_LOG.store(true, Ordering::Relaxed);
        }
    }

    /// The exit code, unless something that was to be printed or logged was lost. An error that could not be told leaves it
    /// alone where it says already that not all went well.
    pub(super) fn exit(&mut self, exit: Exit) -> Exit {
        if let Some(why) = streams::OUTPUT.why() {
            self.error(&format!("cannot write to standard output: {why}"));
            return Exit::Io;
        }
        if let Some(why) = streams::ERRORS.why() {
            self.log_line(&format!("cannot write to standard error: {why}"));
        }
        match exit {
            _ if LOST_LOG.load(Ordering::Relaxed) => Exit::Io,
            Exit::Ok if streams::ERRORS.why().is_some() => Exit::Io,
            exit => exit,
        }
    }

    /// Says a step, with `-vv`.
    pub(super) fn step(&self, text: &str) {
        if self.verbose > 1 && !self.json {
            self.progress.above(|| say(text));
        }
    }

    /// Ends the output: sums for a person who looks on, and one object with the exit code for a script.
    pub(super) fn end(&mut self, what: &str, report: Option<&Report>, exit: Exit, dry_run: bool) {
        if let Some(last) = self.progress.end() {
            say(&last);
        }
        let seconds = self.started.elapsed().as_secs_f64();
        if let Some(report) = report {
            self.log_line(&summary(what, report, seconds, dry_run));
        }
        if self.json {
            let mut object = Map::new();
            object.insert("event".into(), "end".into());
            for (name, value) in report.iter().flat_map(|report| Report::NAMES.iter().zip(report.values())) {
                object.insert((*name).into(), value.into());
            }
            if report.is_some() {
                self.tally.insert(&mut object);
            }
            object.insert("seconds".into(), json!(seconds));
            object.insert("dry_run".into(), dry_run.into());
            object.insert("exit".into(), exit.code().into());
            event(&Value::Object(object));
            return;
        }
        if let Some(report) = report.filter(|_| self.stats && !self.quiet) {
            line(&self.tally.lines(report, seconds));
        }
        if let Some(report) = report.filter(|_| self.is_looked_at()) {
            line(&summary(what, report, seconds, dry_run));
        }
    }
}

fn summary(what: &str, report: &Report, seconds: f64, dry_run: bool) -> String {
    let count = |value: u64, words: &str| (value > 0).then(|| format!("{} {words}", HumanCount(value)));
    let many = |value: u64, one, words| count(value, if value == 1 { one } else { words });
    let mut parts = vec![many(report.entries, "entry", "entries").unwrap_or_else(|| "0 entries".into())];
    if report.equal() {
        parts.push("in step".into());
    }
    parts.extend(many(report.files, "file sent", "files sent"));
    parts.extend((report.bytes > 0).then(|| HumanBytes(report.bytes).to_string()));
    parts.extend(count(report.resumed, "taken over"));
    parts.extend(count(report.made, "made"));
    parts.extend(count(report.linked, "linked"));
    parts.extend(count(report.changed, "metadata changed"));
    parts.extend(count(report.removed, "removed"));
    parts.extend(count(report.moved, "removed from the source"));
    parts.extend(count(report.extra, "extra and kept"));
    parts.extend(count(report.refused, "not removed, nor anything else changed"));
    parts.extend(many(report.kept, "kept as a backup", "kept as backups"));
    parts.extend(count(report.copied, "copied from what is here"));
    parts.extend(many(report.skipped, "socket skipped", "sockets skipped"));
    parts.extend(many(report.unowned, "owner not set", "owners not set"));
    parts.extend(count(report.unsupported, "without what the file system does not keep"));
    parts.extend(count(report.vanished, "vanished"));
    parts.extend(many(report.problems, "problem", "problems"));
    let dry = if dry_run { " (nothing was changed)" } else { "" };
    format!("{what}: {}, {seconds:.2} s{dry}", parts.join(", "))
}

impl Monitor for Show {
    fn problem(&mut self, problem: &Problem) {
        let remote = self.remote.as_ref().filter(|(_, side)| *side == problem.side);
        let host = remote.map(|(host, _)| format!("{host}: ")).unwrap_or_default();
        let side = if remote.is_some() { "remote" } else { "local" };
        let text = format!("{host}{problem}");
        self.log_line(&text);
        if self.json {
            event(&json!({
                "event": "problem", "path": problem.path.to_string(), "step": problem.step.words(),
                "side": side, "errno": problem.errno, "reason": problem.reason(),
            }));
        } else {
            self.progress.above(|| say(&text));
        }
    }

    fn unsupported(&mut self, lost: &Unsupported) {
        self.log_line(&lost.to_string());
        if self.json {
            event(&json!({
                "event": "unsupported", "path": lost.path.to_string(), "feature": lost.feature.words(),
                "entries": lost.entries,
            }));
        } else if !self.quiet {
            self.progress.above(|| say(&lost.to_string()));
        }
    }

    fn change(&mut self, change: &Change) {
        self.tally.change(change);
        let receives = self.remote.as_ref().is_some_and(|(_, side)| *side == Side::Receiver);
        let letters = itemize::itemized(change, if receives { '<' } else { '>' });
        if let Some(letters) = &letters {
            self.log_line(letters);
        }
        if self.json {
            event(&described(change));
            return;
        }
        let text = match self.listing {
            _ if self.quiet => None,
            Listing::None => None,
            Listing::Words => Some(change.to_string()),
            Listing::Letters => letters,
            Listing::Mtree => Some(mtree::told(change)),
        };
        if let Some(text) = text {
            self.progress.above(|| line(&text));
        }
    }

    fn refusal(&mut self, refusal: &Refusal) {
        // What would have gone is listed after it, asked for or not.
        if self.listing == Listing::None {
            self.listing = Listing::Words;
        }
        if self.json {
            event(&json!({
                "event": "refused", "path": refusal.path.to_string(), "reason": refusal.to_string(),
                "removals": refusal.removals, "of": refusal.entries,
            }));
        } else {
            self.error(&refusal.to_string());
        }
    }

    fn census(&mut self, census: &Census) {
        self.tally.source(census);
    }

    fn progress(&mut self, progress: &Progress) {
        if let Some(due) = self.progress.update(progress) {
            say(&due);
        }
    }
}

/// A change for a script.
fn described(change: &Change) -> Value {
    let aspects: Vec<&str> = change.aspects.words().collect();
    let kind = KINDS.iter().find(|(kind, _)| *kind == change.kind).map_or("", |(_, name)| name);
    let mut object = Map::new();
    object.insert("event".into(), change.fate.words().into());
    object.insert("path".into(), change.path.to_string().into());
    object.insert("type".into(), kind.into());
    object.insert("done".into(), change.deed.words().into());
    object.insert("aspects".into(), aspects.into());
    if !change.target.is_empty() {
        object.insert("target".into(), shown(&change.target).into());
    }
    if !change.aspects.is_empty() {
        let texts = |values: &[Box<[u8]>]| values.iter().map(|value| shown(value)).collect::<Vec<_>>();
        object.insert("wanted".into(), texts(&change.wanted).into());
        object.insert("found".into(), texts(&change.found).into());
    }
    Value::Object(object)
}
