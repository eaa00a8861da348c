//! Where rows are measured: one source, and destinations that are like it or empty.

use crate::edit;
use crate::measure::Usage;
use crate::program::{DISK, Inetd, Program, Programs};
use crate::relay::{Relay, Wire};
use crate::row::{Before, Memory, Pass, Row};
use crate::tree::{self, Shape};
use anyhow::{Context, Result, anyhow};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

static ZEROS: [u8; 1 << 20] = [0; 1 << 20];
/// Bytes of memory that a name takes in tmpfs, with what the kernel remembers of it.
const NAME: u64 = 2048;

/// One run of a program: of one client and its server, or of several at once.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) clients: Vec<Usage>,
    pub(crate) servers: Vec<Usage>,
    pub(crate) wire: Wire,
}

/// All runs of a program in one row.
pub(crate) struct Runs {
    /// Those that were timed.
    pub(crate) timed: Vec<Run>,
    /// The one of which bytes and anonymous memory are known.
    pub(crate) counted: Run,
}

/// What came of a row: rsync's runs and smsync's.
pub(crate) struct Outcome {
    pub(crate) row: Row,
    pub(crate) runs: [Runs; 2],
}

pub(crate) struct Ground {
    place: PathBuf,
    programs: Arc<Programs>,
    inetds: [Inetd; 2],
    shape: Option<Shape>,
    /// Bytes of memory that the source takes.
    size: u64,
    /// Destinations that are like the source.
    equal: BTreeSet<usize>,
    /// Counts the edits, so that no two are the same.
    generation: u64,
}

impl Ground {
    pub(crate) fn new(place: PathBuf, programs: Programs) -> Result<Ground> {
        let programs = Arc::new(programs);
        let inetd = |program| Inetd::start(&programs, program);
        let inetds = [inetd(Program::Rsync)?, inetd(Program::Smsync)?];
        Ok(Ground { place, programs, inetds, shape: None, size: 0, equal: BTreeSet::new(), generation: 0 })
    }

    /// Measures a row by so many pairs of runs. In each, who is first takes turns.
    pub(crate) fn measure(&mut self, row: &Row, pairs: u32) -> Result<Outcome> {
        self.lay(row)?;
        let passes = row.passes(pairs);
        let mut timed = [Vec::new(), Vec::new()];
        let mut counted = [None, None];
        for (number, pass) in passes.iter().enumerate() {
            self.edit(row.before)?;
            let order = if number % 2 == 0 { Program::BOTH } else { [Program::Smsync, Program::Rsync] };
            for program in order {
                let run = self.run(program, row, *pass)?;
                let last = number + 1 == passes.len();
                self.verify(program, row, last || pass.counts(), last)?;
                let at = program as usize;
                if let (true, Some(counted)) = (pass.counts(), counted.get_mut(at)) {
                    *counted = Some(run.clone());
                }
                if let (true, Some(timed)) = (pass.is_timed(), timed.get_mut(at)) {
                    timed.push(run);
                }
            }
        }
        let ([rsync, smsync], [Some(first), Some(second)]) = (timed, counted) else {
            return Err(anyhow!("nothing was counted"));
        };
        let runs = [Runs { timed: rsync, counted: first }, Runs { timed: smsync, counted: second }];
        Ok(Outcome { row: row.clone(), runs })
    }

    /// The destinations of a program in this row.
    fn destinations(program: Program, row: &Row) -> Range<usize> {
        let first = if row.disk {
            DISK
        } else if row.before.edits() {
            program as usize
        } else {
            0
        };
        first..first + row.servers
    }

    /// Makes the source, unless it is there, and destinations like it.
    fn lay(&mut self, row: &Row) -> Result<()> {
        if self.shape != Some(row.shape) {
            self.shape = None;
            remove(self.place.join("src"))?;
            for to in 0..DISK {
                remove(self.programs.destination(to))?;
            }
            self.equal.clear();
            tree::make(&self.place.join("src"), row.shape)?;
            self.size = size(&self.place.join("src"))?;
            self.shape = Some(row.shape);
        }
        for to in Program::BOTH.into_iter().flat_map(|program| Ground::destinations(program, row)) {
            if row.before == Before::Missing {
                self.clear(to)?;
            } else if self.equal.insert(to) {
                self.clear(to)?;
                self.programs.copy(to)?;
                self.equal.insert(to);
            }
        }
        self.programs.forget()
    }

    fn clear(&mut self, to: usize) -> Result<()> {
        self.equal.remove(&to);
        remove(self.programs.destination(to))?;
        Ok(fs::create_dir(self.programs.destination(to))?)
    }

    /// Does to the source what is to be done before a pair of runs.
    fn edit(&mut self, before: Before) -> Result<()> {
        let src = self.place.join("src");
        self.generation += 1;
        if before.edits() {
            self.equal.clear();
        }
        match before {
            Before::Missing | Before::Equal => Ok(()),
            Before::Touched => edit::touch(&src),
            Before::Changed => edit::change(&src, self.generation),
            Before::Scattered => edit::scatter(&src, self.generation),
            Before::Inserted => edit::insert(&src, self.generation),
            Before::Renamed => edit::rename(&src, self.generation),
        }
    }

    /// Runs a program once.
    fn run(&mut self, program: Program, row: &Row, pass: Pass) -> Result<Run> {
        for to in Ground::destinations(program, row) {
            if row.before == Before::Missing {
                self.clear(to)?;
            }
            if row.disk {
                // What another run did not flush is not for this one to flush.
                rustix::fs::syncfs(fs::File::open(self.programs.destination(to))?)?;
            }
        }
        if row.memory == Memory::Empty {
            self.programs.forget()?;
        }
        if row.before.writes() {
            self.warm(row)?;
        }
        self.programs.watch(pass.counts());
        let [rsync, smsync] = &self.inetds;
        let inetd = if program == Program::Rsync { rsync } else { smsync };
        let between = pass.counts() || !row.delay.is_zero();
        let relay = between.then(|| Arc::new(Relay::new(row.delay)));
        inetd.relay(relay.clone())?;
        let (programs, port) = (&self.programs, inetd.port);
        let clients: Result<Vec<Usage>> = std::thread::scope(|scope| {
            let push = |to| scope.spawn(move || programs.push(program, port, to, row.how));
            let threads: Vec<_> = Ground::destinations(program, row).map(push).collect();
            let ended = threads.into_iter().map(|thread| thread.join());
            ended.map(|ended| ended.unwrap_or_else(|_| Err(anyhow!("a thread panicked")))).collect()
        });
        let servers: Result<Vec<Usage>> = (0..row.servers).map(|_| inetd.end_of_one()).collect();
        // What the client says of a failure is nearer to its cause.
        let (clients, servers) = (clients?, servers.context("the server")?);
        let wire = relay.map_or(Ok(Wire::default()), |relay| relay.end())?;
        Ok(Run { clients, servers, wire })
    }

    /// Touches free memory, more than the run may need. A hypervisor that took it back gives it again several times as
    /// slowly as it is written, which is neither program's doing, and would be the lot of the one that comes first to it.
    fn warm(&self, row: &Row) -> Result<()> {
        let path = self.place.join("warm");
        let mut file = fs::File::create(&path)?;
        let mut left = self.size * row.servers as u64 * 3 / 2;
        while left > 0 {
            let piece = ZEROS.len().min(usize::try_from(left)?);
            file.write_all(ZEROS.get(..piece).unwrap_or(&ZEROS))?;
            left -= piece as u64;
        }
        Ok(fs::remove_file(&path)?)
    }

    /// Fails unless the destinations are like the source: also inside of files, where `contents` says so. A tree that is
    /// to stay as it is, is looked at after the last run.
    fn verify(&mut self, program: Program, row: &Row, contents: bool, last: bool) -> Result<()> {
        if row.before == Before::Equal && !last {
            return Ok(());
        }
        for to in Ground::destinations(program, row) {
            self.equal.remove(&to);
            self.programs.verify(to, contents)?;
            self.equal.insert(to);
        }
        Ok(())
    }
}

/// Bytes of memory that a tree takes: its contents, and some for each name.
fn size(tree: &Path) -> Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(tree)? {
        let entry = entry?;
        let found = entry.metadata()?;
        size += NAME + found.blocks() * 512;
        if found.is_dir() {
            size += self::size(&entry.path())?;
        }
    }
    Ok(size)
}

fn remove(path: PathBuf) -> Result<()> {
    if path.exists() {
        fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}
