//! Metrics for Prometheus: counters of all sessions, whoever started their processes, in the text form that the textfile
//! collector of node_exporter reads.
//!
//! They are kept where no session reaches them, and written from there to the file that the configuration names. Both are
//! replaced as a whole.

use super::{log, refused};
use crate::limits;
use crate::sys::Dir;
use crate::sys::private::open_named_dir;
use crate::sys::slots::Slots;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Instant;

/// The file in the directory that no session reaches.
const NAME: &[u8] = b"metrics";
/// And the one whose gate is held while it is changed.
const GATE: &[u8] = b"metrics.lock";

/// The file where they are shown.
struct Outlet {
    dir: Dir,
    name: Vec<u8>,
}

impl Outlet {
    /// Of this absolute path, whose directory is there.
    ///
    /// # Errors
    /// The directory cannot be opened.
    fn open(path: &Path) -> io::Result<Outlet> {
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        // Whoever reads the file often owns the directory, and a name in it is replaced, not written to.
        Ok(Outlet { dir: open_named_dir(dir, None)?.into(), name: name.as_encoded_bytes().to_vec() })
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Metric {
    /// Rounds that ended, by module, direction and exit code.
    Rounds,
    /// Files that went over, by module and direction.
    Files,
    /// Their bytes.
    Bytes,
    /// Names removed.
    Removed,
    /// Entries that failed.
    Problems,
    /// Seconds that rounds took.
    Seconds,
    /// When the last round ended.
    Last,
    /// When the last one ended that succeeded.
    Success,
    /// Its exit code.
    Exit,
    /// Connections that were turned away, by reason.
    Refused,
}

impl Metric {
    const ALL: [Metric; 10] = [
        Metric::Rounds,
        Metric::Files,
        Metric::Bytes,
        Metric::Removed,
        Metric::Problems,
        Metric::Seconds,
        Metric::Last,
        Metric::Success,
        Metric::Exit,
        Metric::Refused,
    ];

    const fn name(self) -> &'static str {
        match self {
            Metric::Rounds => "smsyncd_rounds_total",
            Metric::Files => "smsyncd_files_total",
            Metric::Bytes => "smsyncd_bytes_total",
            Metric::Removed => "smsyncd_removed_total",
            Metric::Problems => "smsyncd_problems_total",
            Metric::Seconds => "smsyncd_round_seconds_total",
            Metric::Last => "smsyncd_last_round_timestamp_seconds",
            Metric::Success => "smsyncd_last_success_timestamp_seconds",
            Metric::Exit => "smsyncd_last_round_exit_code",
            Metric::Refused => "smsyncd_refused_total",
        }
    }

    const fn help(self) -> &'static str {
        match self {
            Metric::Rounds => "Rounds that ended, by exit code.",
            Metric::Files => "Files sent in either direction.",
            Metric::Bytes => "Bytes of their contents.",
            Metric::Removed => "Names removed.",
            Metric::Problems => "Entries that failed.",
            Metric::Seconds => "Seconds that rounds took.",
            Metric::Last => "When the last round ended, since 1970.",
            Metric::Success => "When the last round ended with exit code 0, since 1970.",
            Metric::Exit => "The exit code of the last round.",
            Metric::Refused => "Connections turned away.",
        }
    }

    /// Whether it grows; what does not is what it was last.
    const fn counts(self) -> bool {
        !matches!(self, Metric::Last | Metric::Success | Metric::Exit)
    }
}

/// What one session has to add.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples(BTreeMap<(Metric, String), f64>);

impl Samples {
    /// Adds to a metric with these labels, or sets it if it is one that does not grow.
    pub(super) fn put(&mut self, metric: Metric, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> =
            labels.iter().map(|(name, text)| format!("{name}=\"{}\"", escaped(text))).collect();
        self.join(metric, labels.join(","), value);
    }

    fn join(&mut self, metric: Metric, labels: String, value: f64) {
        let place = self.0.entry((metric, labels)).or_default();
        *place = if metric.counts() { *place + value } else { value };
    }

    /// Adds these to it, which came later.
    pub(super) fn add(&mut self, later: Samples) {
        later.0.into_iter().for_each(|((metric, labels), value)| self.join(metric, labels, value));
    }

    /// Takes over how many were turned away, by reason, which is counted elsewhere.
    #[allow(clippy::cast_precision_loss)] // A counter that has lost its last digit is still one.
    fn refused(&mut self, counts: &[(&str, u64)]) {
        self.0.retain(|(metric, _), _| *metric != Metric::Refused);
        for (reason, count) in counts {
            self.put(Metric::Refused, &[("reason", reason)], *count as f64);
        }
    }

    /// Those of a text that [`Samples::text`] made; what it did not make is passed over.
    fn read(text: &str) -> Samples {
        let mut samples = Samples::default();
        for line in text.lines() {
            let sample = || {
                let (name, rest) = line.split_once('{')?;
                let (labels, value) = rest.rsplit_once("} ")?;
                let metric = Metric::ALL.into_iter().find(|metric| metric.name() == name)?;
                Some((
                    metric,
                    labels.to_owned(),
                    value.parse::<f64>().ok().filter(|value| value.is_finite())?,
                ))
            };
            if let Some((metric, labels, value)) = sample() {
                samples.join(metric, labels, value);
            }
        }
        samples
    }

    /// The exposition format of Prometheus, version 0.0.4.
    fn text(&self) -> String {
        let mut out = String::new();
        for metric in Metric::ALL {
            let name = metric.name();
            let mut of_it =
                self.0.range((metric, String::new())..).take_while(|((of, _), _)| *of == metric).peekable();
            if of_it.peek().is_some() {
                let kind = if metric.counts() { "counter" } else { "gauge" };
                out.push_str(&format!("# HELP {name} {}\n# TYPE {name} {kind}\n", metric.help()));
            }
            of_it.for_each(|((_, labels), value)| out.push_str(&format!("{name}{{{labels}}} {value}\n")));
        }
        out
    }

    /// Adds these to what is kept in this directory, where they are from then on and not here, and shows the sums in this
    /// file, whose directory is there.
    ///
    /// # Errors
    /// One of the directories cannot be written to, or another process holds what is kept for too long.
    pub(super) fn keep(&mut self, kept: &Dir, shown: &Path) -> io::Result<()> {
        let named = |error| io::Error::other(format!("{}: {error}", log::shown(shown)));
        let outlet = Outlet::open(shown).map_err(named)?;
        let lock = Slots::in_dir(kept, GATE)?;
        let gate = lock.gate(Instant::now() + limits::ADMISSION)?;
        if gate.is_none() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // What is damaged, or not there yet, is a counter that begins anew: Prometheus knows of such.
        let before = kept.recall(NAME, limits::METRICS).unwrap_or_default();
        let mut sums = Samples::read(&String::from_utf8_lossy(&before));
        sums.add(self.clone());
        sums.refused(&refused::counts(kept)?);
        let text = sums.text();
        kept.remember(NAME, text.as_bytes())?;
        *self = Samples::default();
        outlet.dir.publish(&outlet.name, text.as_bytes()).map_err(named)
    }
}

/// The value of a label as the format wants it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn places() -> (tempfile::TempDir, Dir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        for name in ["state", "shown"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let state = Dir::open_root(&dir.path().join("state")).unwrap();
        let shown = dir.path().join("shown/m.prom");
        (dir, state, shown)
    }

    #[test]
    fn counters_add_up_and_gauges_are_the_last() {
        let (dir, state, shown) = places();
        for (files, exit) in [(3.0, "0"), (4.0, "1"), (5.0, "0")] {
            let mut samples = Samples::default();
            let labels = [("module", "a\"b\\"), ("direction", "push")];
            samples.put(Metric::Files, &labels, files);
            samples.put(Metric::Exit, &labels, exit.parse().unwrap());
            samples.put(Metric::Rounds, &[("module", "a"), ("exit", exit)], 1.0);
            samples.keep(&state, &shown).unwrap();
        }
        let text = std::fs::read_to_string(dir.path().join("shown/m.prom")).unwrap();
        let expected = "# HELP smsyncd_rounds_total Rounds that ended, by exit code.\n\
             # TYPE smsyncd_rounds_total counter\n\
             smsyncd_rounds_total{module=\"a\",exit=\"0\"} 2\n\
             smsyncd_rounds_total{module=\"a\",exit=\"1\"} 1\n\
             # HELP smsyncd_files_total Files sent in either direction.\n\
             # TYPE smsyncd_files_total counter\n\
             smsyncd_files_total{module=\"a\\\"b\\\\\",direction=\"push\"} 12\n\
             # HELP smsyncd_last_round_exit_code The exit code of the last round.\n\
             # TYPE smsyncd_last_round_exit_code gauge\n\
             smsyncd_last_round_exit_code{module=\"a\\\"b\\\\\",direction=\"push\"} 0\n";
        assert_eq!(text, expected);
        let names: Vec<_> = std::fs::read_dir(dir.path().join("shown")).unwrap().collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }

    #[test]
    fn more_than_there_can_be_of_them_begins_anew() {
        let kept = |bytes: u64| {
            let (dir, state, shown) = places();
            let mut text = "smsyncd_files_total{module=\"a\"} 1\n".to_owned();
            text.extend((text.len() as u64..bytes).map(|_| '\n'));
            std::fs::write(dir.path().join("state/metrics"), text).unwrap();
            let mut samples = Samples::default();
            samples.put(Metric::Files, &[("module", "a")], 1.0);
            samples.keep(&state, &shown).unwrap();
            let text = std::fs::read_to_string(dir.path().join("shown/m.prom")).unwrap();
            text.ends_with("smsyncd_files_total{module=\"a\"} 2\n")
        };
        assert_eq!((kept(limits::METRICS), kept(limits::METRICS + 1)), (true, false));
    }

    #[test]
    fn what_is_damaged_begins_anew() {
        let (dir, state, shown) = places();
        std::fs::write(
            dir.path().join("state/metrics"),
            "smsyncd_files_total{module=\"a\"} inf\nx{} 1\n\u{0}{",
        )
        .unwrap();
        let mut samples = Samples::default();
        samples.put(Metric::Files, &[("module", "a")], 1.0);
        samples.keep(&state, &shown).unwrap();
        let text = std::fs::read_to_string(dir.path().join("shown/m.prom")).unwrap();
        assert!(text.ends_with("smsyncd_files_total{module=\"a\"} 1\n") && !text.contains('x'), "{text}");
    }
}
