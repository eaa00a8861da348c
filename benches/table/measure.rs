//! Runs a program and tells what it used. Between the benchmark and the program stands a process of its own, so that
//! the kernel's sums of its children are those of this one program and of what it started itself.

use crate::guard::{self, Group};
use crate::watch;
use anyhow::{Context, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The first argument of the process between: `--measured FILE WATCH PROGRAM ARGUMENT…`.
pub(crate) const WORD: &str = "--measured";
/// WATCH, if anonymous memory is to be sampled. It takes time of its own, so runs that are timed go without.
const WATCHED: &str = "watched";

/// What a program used.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    /// From its start to its end.
    pub(crate) wall: Duration,
    /// Of the user and of the system, of all its processes.
    pub(crate) cpu: Duration,
    /// Bytes of memory of the largest of its processes at its largest.
    pub(crate) peak: u64,
    /// And how much of its anonymous memory there was at once: no mapped files. 0 where nobody watched.
    pub(crate) anonymous: u64,
    code: i32,
}

/// A program that is running.
pub(crate) struct Measured {
    group: Group,
    file: PathBuf,
    name: String,
}

impl Measured {
    /// Starts it. `file` is where the process between writes what was used.
    pub(crate) fn start(
        command: &Command,
        streams: [Stdio; 3],
        file: PathBuf,
        watched: bool,
    ) -> Result<Measured> {
        let mut between = Command::new(std::env::current_exe()?);
        between.arg(WORD).arg(&file).arg(if watched { WATCHED } else { "" });
        between.arg(command.get_program()).args(command.get_args());
        between.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let [stdin, stdout, stderr] = streams;
        let group = Group::start(between.stdin(stdin).stdout(stdout).stderr(stderr))?;
        Ok(Measured { group, file, name: command.get_program().to_string_lossy().into_owned() })
    }

    /// Waits for its end; gives back what it used and what it wrote to standard output. It failed unless its exit code
    /// is 0.
    pub(crate) fn end(mut self) -> Result<(Usage, String)> {
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let (out, err) = (self.group.0.stdout.take(), self.group.0.stderr.take());
        std::thread::scope(|scope| {
            scope.spawn(|| err.map(|mut pipe| pipe.read_to_end(&mut errors)));
            out.map(|mut pipe| pipe.read_to_end(&mut output))
        });
        self.group.0.wait()?;
        let output = String::from_utf8_lossy(&output).into_owned();
        let errors = String::from_utf8_lossy(&errors).trim().replace('\n', "; ");
        let usage =
            Usage::read(&self.file).with_context(|| format!("{}: not measured: {errors}", self.name))?;
        if usage.code != 0 {
            bail!("{}: exit code {}: {errors}", self.name, usage.code);
        }
        Ok((usage, output))
    }
}

/// Runs a client or a tool to its end.
pub(crate) fn run(command: &Command, file: PathBuf, watched: bool) -> Result<(Usage, String)> {
    Measured::start(command, [Stdio::null(), Stdio::piped(), Stdio::piped()], file, watched)?.end()
}

/// What the process between does.
pub(crate) fn between(mut arguments: impl Iterator<Item = OsString>) -> Result<()> {
    let (Some(file), Some(watched), Some(program)) = (arguments.next(), arguments.next(), arguments.next())
    else {
        bail!("too few arguments")
    };
    guard::unblock()?;
    let started = Instant::now();
    let mut child = Command::new(&program).args(arguments).spawn()?;
    // The program alone holds the connection: where it ends, the connection does.
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    let watch = (watched == WATCHED).then(watch::Watch::start);
    let status = child.wait()?;
    let wall = started.elapsed();
    let anonymous = watch.map_or(0, watch::Watch::end);
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu = used.user_time().num_microseconds() + used.system_time().num_microseconds();
    let (peak, code) = (used.max_rss(), status.code().unwrap_or(-1));
    Ok(std::fs::write(file, format!("{} {cpu} {peak} {anonymous} {code}", wall.as_nanos()))?)
}

impl Usage {
    fn read(file: &Path) -> Result<Usage> {
        let text = std::fs::read_to_string(file)?;
        std::fs::remove_file(file)?;
        let numbers = text.split(' ').map(str::parse).collect::<Result<Vec<i64>, _>>()?;
        let [wall, cpu, peak, anonymous, code] = numbers[..] else { bail!("not five numbers") };
        Ok(Usage {
            wall: Duration::from_nanos(u64::try_from(wall)?),
            cpu: Duration::from_micros(u64::try_from(cpu)?),
            peak: u64::try_from(peak)? * 1024,
            anonymous: u64::try_from(anonymous)?,
            code: i32::try_from(code)?,
        })
    }
}
