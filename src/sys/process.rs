//! Processes: starting this very program once more, and ending what was started, or one that is known by its number.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions};

/// The bits of modes that what we make does not get: our umask.
#[must_use]
pub fn umask() -> u32 {
    // It can only be asked for by setting it; nothing is made in between.
    let mask = rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    rustix::process::umask(mask);
    mask.bits()
}

/// From now on what this process makes gets the permissions that it is made with: no call names more than a thing is to
/// have.
pub fn no_umask() {
    rustix::process::umask(rustix::fs::Mode::empty());
}

/// Lets this process have as many descriptors at once as it may: threads that read or write a tree hold one for each
/// directory on their way.
///
/// # Errors
/// The kernel refuses.
pub fn take_descriptors() -> io::Result<()> {
    let files = rustix::process::getrlimit(Resource::Nofile);
    Ok(rustix::process::setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files })?)
}

/// How many descriptors this process can have at once.
#[must_use]
pub fn descriptors() -> usize {
    // A process that confined itself cannot ask.
    static LIMIT: OnceLock<usize> = OnceLock::new();
    let limit = || rustix::process::getrlimit(Resource::Nofile).current;
    *LIMIT.get_or_init(|| limit().and_then(|limit| limit.try_into().ok()).unwrap_or(usize::MAX))
}

/// Ends (SIGTERM) the process of this number, if `still` says, once we hold on to it, that it is the one that is meant:
/// a number is given to another process as soon as the one that had it is gone. Says whether it was told.
pub fn end_if(id: u32, still: impl FnOnce() -> bool) -> bool {
    let told = || {
        let process = Pid::from_raw(id.try_into().ok()?)?;
        let held = rustix::process::pidfd_open(process, PidfdFlags::empty()).ok()?;
        still().then(|| rustix::process::pidfd_send_signal(held, Signal::TERM).ok())?
    };
    told().is_some()
}

/// Ends this process with this code, whatever its other threads do.
pub fn exit(code: u8) -> ! {
    std::process::exit(code.into())
}

/// How many threads can run at once.
#[must_use]
pub fn parallelism() -> usize {
    // It is read from files too, which a process does before it confines itself.
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// A program to start with a socket on its standard descriptors. It inherits our environment, which `sys::stdio`
/// cleared, and no descriptor but those.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    /// The program that runs now, even if its file has been replaced since: both sides must speak the same options.
    #[must_use]
    pub fn itself(arguments: Vec<OsString>) -> Program {
        Program::new(Path::new("/proc/self/exe"), arguments)
    }

    /// Any program.
    #[must_use]
    pub fn new(path: &Path, arguments: Vec<OsString>) -> Program {
        Program { path: path.to_owned(), arguments }
    }

    /// Starts it for one connection, with the socket on descriptors 0 and 1 as inetd does; descriptor 2 is ours or
    /// /dev/null.
    ///
    /// # Errors
    /// No process, memory or descriptor is left.
    pub fn serve(&self, connection: OwnedFd, stderr: bool) -> io::Result<Process> {
        let stdin = Stdio::from(connection.try_clone()?);
        let stderr = if stderr { Stdio::inherit() } else { Stdio::null() };
        let mut command = self.command();
        // Ctrl-C at a terminal is for the listener, which lets its connections finish.
        command.stdin(stdin).stdout(connection).stderr(stderr).process_group(0);
        command.spawn().map(Process)
    }

    /// Starts it in the background, with this socket on descriptor 0 and /dev/null on the others.
    ///
    /// # Errors
    /// As [`Program::serve`].
    pub fn background(&self, channel: OwnedFd) -> io::Result<Process> {
        let mut command = self.command();
        command.stdin(channel).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(Process)
    }

    /// What it says on descriptor 1 until it ends, up to so many bytes; nothing when it takes longer than this, and then
    /// it is killed.
    ///
    /// # Errors
    /// As [`Program::serve`].
    pub fn ask(&self, limit: Duration, most: usize) -> io::Result<Option<Vec<u8>>> {
        let deadline = Instant::now() + limit;
        let mut command = self.command();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut said = Vec::new();
        let answer = match child.stdout.take() {
            Some(out) => hear(out, &mut said, most, deadline),
            None => Ok(false),
        };
        let _ = child.kill();
        child.wait()?;
        Ok(answer?.then_some(said))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.arg0("smsyncd").args(&self.arguments);
        command
    }
}

/// Reads up to the end, if it comes before the deadline and before there is more than that.
fn hear(mut out: ChildStdout, said: &mut Vec<u8>, most: usize, deadline: Instant) -> io::Result<bool> {
    let mut piece = [0; 512];
    while said.len() <= most {
        let left = deadline.saturating_duration_since(Instant::now());
        let time = Timespec::try_from(left).map_err(io::Error::other)?;
        match rustix::event::poll(&mut [PollFd::new(&out, PollFlags::IN)], Some(&time)) {
            Ok(0) => return Ok(false),
            Ok(_) => match out.read(&mut piece)? {
                0 => return Ok(true),
                read => said.extend_from_slice(piece.get(..read).unwrap_or_default()),
            },
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

/// A process we started. Its number stays its own until [`Process::ended`] has said so.
#[derive(Debug)]
pub struct Process(Child);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With this exit code.
    Exit(i32),
    /// By this signal.
    Signal(i32),
}

impl Process {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<Ending> {
        // An error can only mean that it is no longer our child.
        let status = self.0.try_wait().unwrap_or(Some(std::process::ExitStatus::default()))?;
        Some(ending(status))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It is no longer our child.
    pub fn wait(mut self) -> io::Result<Ending> {
        self.0.wait().map(ending)
    }

    /// Asks it to end.
    pub fn end(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends it.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.id()).ok().and_then(Pid::from_raw) {
            // A process that ended on its own is what we wanted.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}

/// Whether what our children leave behind when they end is ours.
static ADOPTS: AtomicBool = AtomicBool::new(false);

/// From now on what our children leave behind when they end is ours to wait for: the broker of a session outlives it, and
/// where we are the first process of a container nobody else would.
pub fn adopt() {
    let done = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    ADOPTS.store(done.is_ok(), Ordering::Relaxed);
}

/// Forgets those that have ended of what was left behind: none of these, which are waited for one by one.
pub fn reap_adopted(own: &[Process]) {
    while ADOPTS.load(Ordering::Relaxed) {
        let Some(Some(ended)) = ended_child(libc::P_ALL, 0) else { return };
        if own.iter().any(|own| own.id() == ended.as_raw_nonzero().get().unsigned_abs()) {
            return;
        }
        let _ = rustix::process::waitpid(Some(ended), WaitOptions::NOHANG);
    }
}

/// Whether a child of ours is left in the process group that this one led.
pub fn has_left(process: u32) -> bool {
    ADOPTS.load(Ordering::Relaxed) && ended_child(libc::P_PGID, process).is_some()
}

/// One of these children that has ended, if one has; none where there are no such children.
fn ended_child(which: libc::idtype_t, number: u32) -> Option<Option<Pid>> {
    // SAFETY: siginfo_t is numbers and pointers, for which zero is a value; the call fills it, and its process is read
    // where a child has ended, or is the zero from before.
    #[allow(unsafe_code)]
    let (there, process) = unsafe {
        let mut ended: libc::siginfo_t = std::mem::zeroed();
        let how = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        (libc::waitid(which, number, &raw mut ended, how) == 0, ended.si_pid())
    };
    there.then(|| Pid::from_raw(process))
}

/// Our own process id.
#[must_use]
pub fn id() -> u32 {
    std::process::id()
}

fn ending(status: std::process::ExitStatus) -> Ending {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Exit(code),
        (None, signal) => Ending::Signal(signal.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_socket_is_on_both_descriptors() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let process = Program::new(Path::new("/bin/cat"), vec![]).serve(theirs.into(), false).unwrap();
        ours.write_all(b"through cat").unwrap();
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        let mut back = String::new();
        // The end of file also shows that no copy of the socket stayed with us.
        ours.read_to_string(&mut back).unwrap();
        assert_eq!(back, "through cat");
        assert_eq!(process.wait().unwrap(), Ending::Exit(0));
    }

    #[test]
    fn inherits_nothing_else() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let script =
            "ls -l /proc/self/fd | grep -c socket: ; readlink /proc/self/fd/2; ps -o pgid= -p $$; echo $$";
        let arguments = ["-c", script].map(OsString::from).to_vec();
        let process = Program::new(Path::new("/bin/sh"), arguments).serve(theirs.into(), false).unwrap();
        let mut out = String::new();
        ours.read_to_string(&mut out).unwrap();
        let lines: Vec<_> = out.lines().map(str::trim).collect();
        // In the pipe ls has the socket on 0 only.
        assert_eq!(lines.get(..2).unwrap(), ["1", "/dev/null"]);
        assert_eq!(lines.get(2), lines.get(3), "a process group of its own");
        assert_eq!(process.wait().unwrap(), Ending::Exit(0));
    }

    #[test]
    fn an_answer_is_as_long_as_the_name_of_a_host_and_comes_in_time() {
        let ask = |script: &str| {
            let program = Program::new(Path::new("/bin/sh"), ["-c", script].map(OsString::from).to_vec());
            program.ask(limits::LOOKUP, limits::HOST_NAME).unwrap()
        };
        let digits = |count| ask(&format!("printf %0{count}d 0"));
        assert_eq!(digits(limits::HOST_NAME), Some(vec![b'0'; limits::HOST_NAME]));
        assert_eq!(digits(limits::HOST_NAME + 1), None);
        let half = limits::LOOKUP / 2;
        assert_eq!(ask(&format!("sleep {}; echo late", half.as_secs())), Some(b"late\n".to_vec()));
        let asked = Instant::now();
        assert_eq!(ask("echo half; exec sleep 60"), None);
        assert!((limits::LOOKUP..limits::LOOKUP * 3).contains(&asked.elapsed()), "{:?}", asked.elapsed());
    }

    #[test]
    fn ends_and_kills() {
        for (script, kill, signal) in [("read x", false, 15), ("trap '' TERM; echo; read x", true, 9)] {
            let (mut ours, theirs) = UnixStream::pair().unwrap();
            let arguments = ["-c", script].map(OsString::from).to_vec();
            let mut process =
                Program::new(Path::new("/bin/sh"), arguments).serve(theirs.into(), false).unwrap();
            assert_eq!(process.ended(), None);
            if kill {
                ours.read_exact(&mut [0]).unwrap();
                process.end();
                process.kill();
            } else {
                process.end();
            }
            assert_eq!(process.wait().unwrap(), Ending::Signal(signal));
        }
    }
}
