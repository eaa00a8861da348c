//! The rows of the table, and how one is measured.

use crate::measure::Usage;
use crate::program::{How, Inetd, Program, Programs};
use crate::relay::{Relay, Wire};
use crate::tree::{self, Shape};
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What is done before each run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// There is no tree at the receiver.
    Missing,
    /// The tree of the receiver is like that of the sender.
    Equal,
    /// And then the sender's file gets a new time.
    Touched,
    /// And then every hundredth file of the sender gets other contents of the same size.
    Changed,
}

/// One row.
#[derive(Clone)]
pub(crate) struct Row {
    /// What it is called on the command line.
    pub(crate) name: String,
    pub(crate) work: String,
    pub(crate) shape: Shape,
    pub(crate) before: Before,
    how: How,
    /// Half of a round trip.
    delay: Duration,
    /// Whether it is measured by `--full` only.
    pub(crate) full: bool,
    /// Whether it is a point of the plot.
    pub(crate) plotted: bool,
}

/// Every row. Those of one tree stand together, so that each tree is made once.
pub(crate) fn all(full: bool) -> Vec<Row> {
    use Before::{Changed, Equal, Missing, Touched};
    let count = if full { 100_000 } else { 20_000 };
    let files = Shape::Files { count, median: 4096 };
    let (plain, size) = (How { less: false, checksum: false, flush: false }, 2 << 30);
    let row = |name: &str, work: String, shape, before| Row {
        name: name.to_owned(),
        work,
        shape,
        before,
        how: plain,
        delay: Duration::ZERO,
        full: false,
        plotted: false,
    };
    let short = |text: &str| format!("{} files: {text}", grouped(count));
    let mut rows = vec![
        row("first", short("first copy"), files, Missing),
        row("same", short("nothing changed"), files, Equal),
        Row {
            how: How { checksum: true, ..plain },
            ..row("same-c", short("nothing changed, `-c`"), files, Equal)
        },
        row("changed", short("1 % changed"), files, Changed),
        Row {
            how: How { flush: true, ..plain },
            ..row("first-batch", short("first copy, smsync with `durable = batch`"), files, Missing)
        },
        row("big", "one file of 2 GiB: first copy".into(), Shape::One(size), Missing),
        row("big-touched", "the same file touched, contents equal".into(), Shape::One(size), Touched),
    ];
    let less: Vec<Row> =
        rows.iter().filter(|row| row.name != "first-batch").map(Row::carrying_less).collect();
    rows.extend(less);
    rows.sort_by_key(|row| row.shape == Shape::One(size));
    let far = Shape::Files { count: 10_000, median: 4096 };
    let delay = Duration::from_millis(50);
    for (name, text, before) in [("far-first", "first copy", Missing), ("far-same", "nothing changed", Equal)]
    {
        let work = format!("100 ms away, 10,000 files: {text}");
        rows.push(Row { delay, full: true, ..row(name, work, far, before) });
    }
    for count in [1_000, 10_000, 100_000, 1_000_000] {
        for (name, text, before) in [("first", "first copy", Missing), ("same", "nothing changed", Equal)] {
            let work = format!("{} files of a few bytes: {text}", grouped(count));
            let shape = Shape::Files { count, median: 256 };
            rows.push(Row {
                full: true,
                plotted: true,
                ..row(&format!("{name}-{count}"), work, shape, before)
            });
        }
    }
    rows
}

impl Row {
    /// The same row on the terms of `rsync -a`.
    fn carrying_less(&self) -> Row {
        let mut row = self.clone();
        row.name.push_str("-a");
        row.work.push_str(", as `rsync -a`");
        row.how.less = true;
        row.full = true;
        row
    }
}

/// A number with a comma before every third digit.
pub(crate) fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// One run of a program.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) client: Usage,
    pub(crate) server: Usage,
}

/// All runs of a program in one row.
pub(crate) struct Runs {
    pub(crate) runs: Vec<Run>,
    /// Bytes on the wire, in the run before the others.
    pub(crate) wire: Wire,
}

/// What came of a row: rsync's runs and smsync's.
pub(crate) struct Outcome {
    pub(crate) row: Row,
    pub(crate) runs: [Runs; 2],
}

/// Where rows are measured: one source, one destination.
pub(crate) struct Ground {
    place: PathBuf,
    programs: Arc<Programs>,
    inetds: [(Program, Inetd); 2],
    shape: Option<Shape>,
    /// Counts the changes, so that no two are the same.
    generation: u64,
}

impl Ground {
    pub(crate) fn new(place: PathBuf, programs: Programs) -> Result<Ground> {
        let programs = Arc::new(programs);
        let inetd = |program| anyhow::Ok((program, Inetd::start(&programs, program)?));
        let inetds = [inetd(Program::Rsync)?, inetd(Program::Smsync)?];
        fs::create_dir(place.join("dst"))?;
        Ok(Ground { place, programs, inetds, shape: None, generation: 0 })
    }

    /// Measures a row by so many pairs of runs.
    pub(crate) fn measure(&mut self, row: &Row, pairs: u32) -> Result<Outcome> {
        self.lay(row.shape)?;
        let mut runs = [Vec::new(), Vec::new()];
        let mut wires = [Wire::default(); 2];
        // The first pair warms up and is counted; in the others, who is first takes turns.
        for pair in 0..=pairs {
            let order = if pair % 2 == 0 { [0, 1] } else { [1, 0] };
            for at in order {
                let (Some((program, inetd)), Some(runs)) = (self.inetds.get(at), runs.get_mut(at)) else {
                    continue;
                };
                prepare(&self.place, row.before, &mut self.generation)?;
                let (run, wire) = once(&self.programs, *program, inetd, row, pair == 0)?;
                self.programs.verify()?;
                match wires.get_mut(at) {
                    Some(counted) if pair == 0 => *counted = wire,
                    _ => runs.push(run),
                }
            }
        }
        let [rsync, smsync] = runs;
        let [first, second] = wires;
        let runs = [Runs { runs: rsync, wire: first }, Runs { runs: smsync, wire: second }];
        Ok(Outcome { row: row.clone(), runs })
    }

    /// Makes the source, unless it is there, and the destination like it.
    fn lay(&mut self, shape: Shape) -> Result<()> {
        if self.shape != Some(shape) {
            self.shape = None;
            for name in ["src", "dst"] {
                let path = self.place.join(name);
                if path.exists() {
                    fs::remove_dir_all(path)?;
                }
            }
            fs::create_dir(self.place.join("dst"))?;
            tree::make(&self.place.join("src"), shape)?;
            self.shape = Some(shape);
        }
        self.programs.copy()
    }
}

/// Does what is to be done before a run. The trees are equal when it is called.
fn prepare(place: &std::path::Path, before: Before, generation: &mut u64) -> Result<()> {
    let (src, dst) = (place.join("src"), place.join("dst"));
    *generation += 1;
    match before {
        Before::Missing => {
            fs::remove_dir_all(&dst)?;
            Ok(fs::create_dir(&dst)?)
        }
        Before::Equal => Ok(()),
        Before::Touched => tree::touch(&src),
        Before::Changed => tree::change(&src, *generation),
    }
}

/// Runs a program once.
fn once(
    programs: &Programs,
    program: Program,
    inetd: &Inetd,
    row: &Row,
    counted: bool,
) -> Result<(Run, Wire)> {
    let relay =
        if counted || !row.delay.is_zero() { Some(Relay::start(inetd.port, row.delay)?) } else { None };
    let port = relay.as_ref().map_or(inetd.port, |relay| relay.port);
    let client = programs.push(program, port, row.how);
    let server = inetd.end_of_one();
    // What the client says of a failure is nearer to its cause.
    let (client, server) = (client?, server.context("the server")?);
    Ok((Run { client, server }, relay.map(Relay::end).unwrap_or_default()))
}
