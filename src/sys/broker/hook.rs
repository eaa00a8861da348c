//! A program of the administrator's, run without a shell and within a time.

use crate::limits;
use crate::sys::broker::message::{Ended, How};
use crate::sys::private::check_program;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use std::ffi::OsString;
use std::io::{self, PipeReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A program with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Its absolute path.
    pub program: PathBuf,
    /// What it is given.
    pub arguments: Vec<OsString>,
}

impl Hook {
    /// Runs it to its end, in a process group of its own, with this environment and no other, nothing on standard input,
    /// and `/` as its directory. What is left of the group when its time is over is killed.
    #[must_use]
    pub fn run(&self, environment: &[(String, OsString)], limit: Duration) -> Ended {
        match self.started(environment) {
            Ok((child, out)) => ended(child, out, Instant::now() + limit),
            Err(error) => Ended {
                how: How::NotStarted(error.raw_os_error().unwrap_or(libc::EPERM).unsigned_abs()),
                said: match error.raw_os_error() {
                    Some(_) => Vec::new(),
                    None => error.to_string().bytes().take(limits::TEXT).collect(),
                },
            },
        }
    }

    fn started(&self, environment: &[(String, OsString)]) -> io::Result<(Child, PipeReader)> {
        // Again: who could make it another one when the session began may have done so meanwhile.
        match check_program(&self.program) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let (out, into) = io::pipe()?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().current_dir("/").process_group(0);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(into.try_clone()?).stderr(into);
        Ok((command.spawn()?, out))
    }
}

/// Reads what a program prints until it ends. Its children may hold the pipe for longer.
fn ended(mut child: Child, mut out: PipeReader, deadline: Instant) -> Ended {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let mut said = Vec::new();
    let mut timed_out = false;
    let mut open = true;
    if let Some(end) = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut fds = [PollFd::new(&end, PollFlags::IN), PollFd::new(&out, PollFlags::IN)];
            // A pipe that nobody holds any more is ready for ever.
            let watched = fds.get_mut(..if open { 2 } else { 1 }).unwrap_or_default();
            let limit = Timespec::try_from(left).ok();
            if left.is_zero() || matches!(poll(watched, limit.as_ref()), Ok(0)) {
                timed_out = true;
                break;
            }
            let [over, some] = fds.map(|fd| !fd.revents().is_empty());
            if open && some {
                open = take(&mut out, &mut said);
            } else if over {
                break;
            }
        }
    }
    if timed_out {
        // It is our child until it has been waited for, so the number is still its own.
        let _ = pid.map(|pid| kill_process_group(pid, Signal::KILL));
    }
    let how = match child.wait() {
        _ if timed_out => How::TimedOut,
        Ok(status) => how(status),
        Err(error) => How::NotStarted(error.raw_os_error().unwrap_or(libc::ECHILD).unsigned_abs()),
    };
    Ended { how, said }
}

/// Reads some of what there is, and says whether more may come.
fn take(out: &mut PipeReader, said: &mut Vec<u8>) -> bool {
    let mut some = [0; limits::TEXT];
    match out.read(&mut some) {
        Ok(0) => false,
        Ok(length) => {
            let room = limits::TEXT.saturating_sub(said.len());
            said.extend(some.iter().take(length.min(room)));
            true
        }
        Err(error) => error.kind() == io::ErrorKind::Interrupted,
    }
}

fn how(status: ExitStatus) -> How {
    match status.code() {
        Some(code) => How::Exit(code.unsigned_abs()),
        None => How::Signal(status.signal().unwrap_or_default().unsigned_abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn sh(script: &str) -> Hook {
        Hook { program: "/bin/sh".into(), arguments: ["-c", script].map(OsString::from).to_vec() }
    }

    #[test]
    fn has_its_environment_and_nothing_else() {
        let environment = [("SMSYNC_MODULE_NAME".to_owned(), OsString::from("a b$(id)"))];
        let ended = Hook { program: "/usr/bin/env".into(), arguments: vec![] }.run(&environment, LONG);
        assert_eq!(ended.how, How::Exit(0));
        assert_eq!(ended.said, b"SMSYNC_MODULE_NAME=a b$(id)\n");
        let where_it_is = sh("pwd; readlink /proc/self/fd/0; echo said >&2; exit 3").run(&[], LONG);
        assert_eq!((where_it_is.how, where_it_is.said), (How::Exit(3), b"/\n/dev/null\nsaid\n".to_vec()));
    }

    #[test]
    fn every_end_is_told() {
        assert_eq!(sh("kill -9 $$").run(&[], LONG).how, How::Signal(9));
        let missing = Hook { program: "/nonexistent".into(), arguments: vec![] };
        assert_eq!(missing.run(&[], LONG).how, How::NotStarted(libc::ENOENT.unsigned_abs()));
        // A child that lives on with the pipe does not count.
        assert_eq!(sh("sleep 60 & exit 0").run(&[], LONG).how, How::Exit(0));
        // Much text neither fills memory nor holds it up.
        let much = sh("yes | head -c 300000").run(&[], LONG);
        assert_eq!((much.how, much.said.len()), (How::Exit(0), limits::TEXT));
    }

    /// Whether a process is there and has not ended.
    fn runs(pid: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
    }

    #[test]
    fn what_takes_too_long_is_killed_with_its_children() {
        let ended = sh("sleep 600 & echo $!; sleep 600").run(&[], Duration::from_secs(1));
        assert_eq!(ended.how, How::TimedOut);
        let pid = String::from_utf8(ended.said).unwrap();
        assert!(pid.trim().parse::<u32>().is_ok(), "{pid}");
        let limit = Instant::now() + Duration::from_secs(30);
        while runs(pid.trim()) {
            assert!(Instant::now() < limit, "the child of a killed hook lives on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
