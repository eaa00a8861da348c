//! What a person or a script sees: the only place that prints.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use crate::client::options::Options;
use crate::exit::Exit;
use crate::report::{Change, Monitor, Problem, Progress, Refusal, Report, Unsupported};
use crate::sys;
use crate::vis::{is_hidden, shown_text};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Map, Value, json};
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

/// How much is shown, and in which form.
#[derive(Debug)]
pub(super) struct Show {
    json: bool,
    quiet: bool,
    verbose: u8,
    started: Instant,
    bar: Option<ProgressBar>,
}

/// Why something that was to be printed was lost, as errno(3); 0 when nothing was. Standard output is the process's, and
/// so is its fate.
static LOST: AtomicI32 = AtomicI32::new(0);

/// Prints a line on standard output. A reader that went away is not an error of ours; a full disk is one.
fn line(text: &str) {
    let mut out = std::io::stdout();
    if let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush())
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        LOST.store(sys::errno(&error), Ordering::Relaxed);
    }
}

/// Prints one event. What could drive a terminal is escaped as JSON does it, which leaves the value as it is.
fn event(value: &Value) {
    let mut text = String::new();
    for c in value.to_string().chars() {
        if is_hidden(c) {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}")));
        } else {
            text.push(c);
        }
    }
    line(&text);
}

impl Show {
    /// As the command line says.
    #[must_use]
    pub(super) fn new(options: &Options) -> Show {
        Show {
            json: options.json,
            quiet: options.quiet,
            verbose: options.verbose,
            started: Instant::now(),
            bar: None,
        }
    }

    /// Says something that was asked for.
    pub(super) fn answer(&self, text: &str) {
        line(text);
    }

    /// Says one module of a server.
    pub(super) fn module(&self, name: &str, comment: &str, read_only: bool) {
        if self.json {
            event(&json!({"event": "module", "name": name, "comment": comment, "read_only": read_only}));
        } else {
            let access = if read_only { "ro" } else { "rw" };
            line(format!("{:<16} {access}  {}", shown_text(name), shown_text(comment)).trim_end());
        }
    }

    /// Says what goes wrong, in one line that names the program.
    pub(super) fn error(&self, text: &str) {
        self.above_bar(|| eprintln!("smsync: {}", shown_text(text)));
    }

    /// The exit code, unless something that was to be printed was lost.
    pub(super) fn exit(&self, exit: Exit) -> Exit {
        match LOST.load(Ordering::Relaxed) {
            0 => exit,
            errno => {
                self.error(&format!("cannot write to standard output: {}", sys::errno_words(errno)));
                Exit::Io
            }
        }
    }

    /// Says a step, with `-vv`.
    pub(super) fn step(&self, text: &str) {
        if self.verbose > 1 && !self.json {
            self.above_bar(|| eprintln!("smsync: {text}"));
        }
    }

    fn above_bar(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Whether each change is wanted.
    #[must_use]
    pub(super) const fn itemizes(&self) -> bool {
        self.json || self.verbose > 0
    }

    /// Ends the output: sums for a person who looks on, and one object with the exit code for a script.
    pub(super) fn end(&mut self, what: &str, report: Option<&Report>, exit: Exit, dry_run: bool) {
        self.bar.take().iter().for_each(ProgressBar::finish_and_clear);
        let seconds = self.started.elapsed().as_secs_f64();
        if self.json {
            let mut object = Map::new();
            object.insert("event".into(), "end".into());
            for (name, value) in report.iter().flat_map(|report| Report::NAMES.iter().zip(report.values())) {
                object.insert((*name).into(), value.into());
            }
            object.insert("seconds".into(), json!(seconds));
            object.insert("dry_run".into(), dry_run.into());
            object.insert("exit".into(), exit.code().into());
            event(&Value::Object(object));
            return;
        }
        let looked_at = self.verbose > 0 || !self.quiet && std::io::stdout().is_terminal();
        if let Some(report) = report.filter(|_| looked_at) {
            line(&summary(what, report, seconds, dry_run));
        }
    }

    fn draw(&mut self, progress: &Progress) {
        let shown = !self.quiet && !self.json && std::io::stderr().is_terminal();
        // A transfer that is over at once needs no bar.
        if !shown || self.bar.is_none() && self.started.elapsed() < Duration::from_millis(300) {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let form = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} eta {eta} {msg}";
            let bar = ProgressBar::with_draw_target(
                Some(progress.bytes_total),
                ProgressDrawTarget::stderr_with_hz(5),
            );
            bar.set_style(
                ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar
        });
        bar.set_length(progress.bytes_total.max(progress.bytes));
        bar.set_message(format!("{}/{} files", progress.files, progress.files_total));
        bar.set_position(progress.bytes);
    }
}

fn summary(what: &str, report: &Report, seconds: f64, dry_run: bool) -> String {
    let count = |value: u64, words: &str| (value > 0).then(|| format!("{} {words}", HumanCount(value)));
    let mut parts = vec![format!("{} entries", HumanCount(report.entries))];
    if report.equal() {
        parts.push("in step".into());
    }
    parts.extend(count(report.files, "files sent"));
    parts.extend((report.bytes > 0).then(|| HumanBytes(report.bytes).to_string()));
    parts.extend(count(report.resumed, "taken over"));
    parts.extend(count(report.made, "made"));
    parts.extend(count(report.linked, "linked"));
    parts.extend(count(report.changed, "metadata changed"));
    parts.extend(count(report.removed, "removed"));
    parts.extend(count(report.extra, "extra and kept"));
    parts.extend(count(report.refused, "not removed, nor anything else changed"));
    parts.extend(count(report.kept, "kept as backups"));
    parts.extend(count(report.copied, "copied from what is here"));
    parts.extend(count(report.skipped, "sockets skipped"));
    parts.extend(count(report.unowned, "owners not set"));
    parts.extend(count(report.unsupported, "without what the file system does not keep"));
    parts.extend(count(report.vanished, "vanished"));
    parts.extend(count(report.problems, "problems"));
    let dry = if dry_run { " (nothing was changed)" } else { "" };
    format!("{what}: {}, {seconds:.2} s{dry}", parts.join(", "))
}

impl Monitor for Show {
    fn problem(&mut self, problem: &Problem) {
        if self.json {
            event(&json!({
                "event": "problem", "path": problem.path.to_string(), "step": problem.step.words(),
                "errno": problem.errno, "reason": problem.reason(),
            }));
        } else {
            self.above_bar(|| eprintln!("smsync: {problem}"));
        }
    }

    fn unsupported(&mut self, lost: &Unsupported) {
        if self.json {
            event(&json!({
                "event": "unsupported", "path": lost.path.to_string(), "feature": lost.feature.words(),
                "entries": lost.entries,
            }));
        } else if !self.quiet {
            self.above_bar(|| eprintln!("smsync: {lost}"));
        }
    }

    fn change(&mut self, change: &Change) {
        if self.json {
            let aspects: Vec<&str> = change.aspects.words().collect();
            let fate = change.fate.words();
            event(&json!({"event": fate, "path": change.path.to_string(), "aspects": aspects}));
        } else {
            self.above_bar(|| line(&change.to_string()));
        }
    }

    fn refusal(&mut self, refusal: &Refusal) {
        if self.json {
            event(&json!({
                "event": "refused", "path": refusal.path.to_string(), "reason": refusal.to_string(),
                "removals": refusal.removals, "of": refusal.entries,
            }));
        } else {
            self.error(&refusal.to_string());
        }
    }

    fn progress(&mut self, progress: &Progress) {
        self.draw(progress);
    }
}
