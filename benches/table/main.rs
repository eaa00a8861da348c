//! smsync beside rsync's daemon: the same trees in the same run, on one machine, as a table.
//!
//! `cargo bench --bench table -- --quick` takes a few minutes, `--full` an hour or two; names of rows select them, and
//! `--list` names them all. `BENCH_DIR` says where the trees are (/dev/shm), `BENCH_DISK` where the file system of the
//! row on a disk is (/var/tmp), `RSYNC` which rsync is the other.

mod disk;
mod edit;
mod ground;
mod guard;
mod measure;
mod output;
mod plot;
mod program;
mod relay;
mod row;
mod rows;
mod tree;
mod watch;

use anyhow::{Context, Result, bail};
use clap::Parser;
use disk::Disk;
use ground::{Ground, Outcome};
use guard::Place;
use program::Programs;
use row::Row;
use serde_json::json;
use std::fs;
use std::io::{Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

/// Measures smsync beside rsync's daemon.
#[derive(Parser)]
struct Options {
    /// Smaller trees, fewer rows, three pairs of runs at most
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Every row, five pairs of runs at most
    #[arg(long)]
    full: bool,
    /// So many pairs of runs, also where fewer are usual
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pairs: Option<u32>,
    /// Write the figures of all runs to FILE
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw cost against tree size into FILE, after `--full`
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_TARGET_TMPDIR"), "/cost.svg"))]
    svg: PathBuf,
    /// Name the rows
    #[arg(long)]
    list: bool,
    /// Only these rows
    #[arg(value_name = "ROW")]
    rows: Vec<String>,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    let done = if arguments.next_if(|first| first == measure::WORD).is_some() {
        measure::between(arguments).map(|()| true)
    } else {
        table(&Options::parse())
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures and prints; false when a row failed.
fn table(options: &Options) -> Result<bool> {
    let named = |row: &Row| options.rows.contains(&row.name);
    let chosen = |row: &Row| if options.rows.is_empty() { options.full || !row.full } else { named(row) };
    let rows = rows::all(options.full);
    if let Some(unknown) = options.rows.iter().find(|name| rows.iter().all(|row| row.name != **name)) {
        bail!("there is no row '{unknown}': --list names them");
    }
    let mut out = stdout();
    if options.list {
        for row in &rows {
            writeln!(out, "{:18} {}{}", row.name, row.work, if row.full { " (--full)" } else { "" })?;
        }
        return Ok(true);
    }
    let most = if options.full { 5 } else { 3 };
    let above = std::env::var_os("BENCH_DIR").map_or(PathBuf::from("/dev/shm"), PathBuf::from);
    let place = Place::make(&above)?;
    let programs = Programs::new(place.path())?;
    let versions = programs.versions()?;
    let machine = machine();
    let [rsync, smsync] = &versions;
    let pairs = |row: &Row| options.pairs.unwrap_or(row.pairs.min(most));
    writeln!(
        out,
        "{machine}; trees in {}, loopback; medians of {} pairs in alternation unless the row says otherwise\n",
        above.display(),
        options.pairs.unwrap_or(most)
    )?;
    writeln!(
        out,
        "{rsync}, `{} --numeric-ids --delete`, in plaintext; {smsync}, `--delete`, encrypted, staged, \
         every digest checked; in rows \"as `rsync -a`\" it is told `{}`\n",
        program::RSYNC_ALL,
        program::SMSYNC_LESS
    )?;
    writeln!(
        out,
        "smsync with `durable = none`, because rsync does not flush, unless the row says otherwise; \
         goals are for the ratio of wall time\n"
    )?;
    writeln!(out, "{}", output::HEAD)?;
    let mut ground = Ground::new(place.path().to_owned(), programs)?;
    let (mut outcomes, mut whole) = (Vec::<Outcome>::new(), true);
    for row in rows.iter().filter(|row| chosen(row)) {
        let disk = row.disk.then(|| Disk::make(place.path())).transpose();
        if let Err(error) = disk {
            writeln!(out, "| {} | {} | skipped: {error:#} |", row.name, row.work)?;
            continue;
        }
        let mut row = row.clone();
        if pairs(&row) != options.pairs.unwrap_or(most) {
            let only = if pairs(&row) == 1 { "one pair, through the counting relay" } else { "three pairs" };
            row.work.push_str(&format!(" ({only})"));
        }
        match ground.measure(&row, pairs(&row)) {
            Ok(outcome) => {
                writeln!(out, "{}", outcome.line())?;
                outcomes.push(outcome);
            }
            Err(error) => {
                writeln!(out, "| {} | {} | failed: {error:#} |", row.name, row.work)?;
                whole = false;
            }
        }
    }
    if let Some(file) = &options.json {
        let rows: Vec<_> = outcomes.iter().map(Outcome::json).collect();
        let all = json!({ "machine": machine, "versions": versions, "rows": rows });
        fs::write(file, format!("{all:#}\n")).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if options.full && outcomes.iter().any(|outcome| outcome.row.plotted) {
        let title = "Wall time against the number of small files";
        fs::write(&options.svg, plot::svg(&outcomes, title))
            .with_context(|| format!("cannot write {}", options.svg.display()))?;
        writeln!(out, "\nCost against tree size: {}", options.svg.display())?;
    }
    Ok(whole)
}

/// The processor, how many of it, the kernel.
fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let processor = read("/proc/cpuinfo");
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{count} × {}, Linux {}", model.map_or("a processor", |(_, name)| name), kernel.trim())
}
