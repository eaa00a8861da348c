//! The standalone listener: one process of this program for each connection, as inetd would start it.

mod error;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::log::{Log, shown};
use super::{Settings, Unusable, kept};
use crate::exit::Exit;
use crate::limits;
use crate::sys::clock;
use crate::sys::detach::{self, Outcome, Starter};
use crate::sys::listen::{self, Accepted, Signal, Signals};
use crate::sys::notify::Supervisor;
use crate::sys::pidfile::PidFile;
use crate::sys::process::{self, Ending, Process, Program};
use error::ListenError;

/// How to listen.
#[derive(Debug, Clone)]
pub struct Options {
    /// Addresses to bind; none means all of this host's, IPv6 and IPv4.
    pub addresses: Vec<IpAddr>,
    /// TCP port.
    pub port: u16,
    /// How many connections may wait at each address.
    pub backlog: u32,
    /// Where to leave our process id.
    pub pid_file: Option<PathBuf>,
    /// Configuration file each connection reads anew.
    pub config: PathBuf,
    /// Reads the configuration or says what is wrong with it; for SIGHUP.
    pub settings: fn(&Path) -> Result<Settings, Unusable>,
    /// Stay in the foreground, with the connections' log on descriptor 2.
    pub foreground: bool,
    /// Where the last good configuration is kept for them, or why it is not.
    pub kept: Result<PathBuf, String>,
    /// How many `-d` the connections get.
    pub debug: u8,
    /// Who is told that we serve, look at the configuration again, or end.
    pub supervisor: Option<Supervisor>,
}

impl Options {
    /// Tells whoever supervises us.
    fn tell(&self, log: &Log, state: &str) {
        let told = self.supervisor.as_ref().map_or(Ok(()), |supervisor| supervisor.tell(state));
        told.unwrap_or_else(|error| log.warning(format_args!("cannot tell the service manager: {error}")));
    }
}

/// Listens until a signal ends it, and says how the program is to exit. Without sockets `handed` down it binds its own
/// and, unless in the foreground, hands them to a process in the background, whose `starter` is then told how it went.
#[must_use]
pub fn run(options: &Options, handed: Vec<OwnedFd>, starter: Option<Starter>, log: &Log) -> Exit {
    match prepare(options, handed, starter.as_ref(), log) {
        Ok(Some((listener, signals))) => {
            // The starter's end of file must not wait for our end.
            drop(starter);
            process::adopt();
            listener.serve(&signals)
        }
        Ok(None) => Exit::Ok,
        Err(error) => {
            log.error(&error);
            if let Some(starter) = starter {
                starter.failed(error.exit().code(), &error.to_string());
            }
            error.exit()
        }
    }
}

/// All that can fail before the first connection; `None` if a process in the background serves instead.
fn prepare<'a>(
    options: &'a Options,
    handed: Vec<OwnedFd>,
    starter: Option<&Starter>,
    log: &'a Log,
) -> Result<Option<(Listener<'a>, Signals)>, ListenError> {
    let take =
        |path: &PathBuf| PidFile::take(path).map_err(|error| ListenError::PidFile(path.clone(), error));
    let pid_file = options.pid_file.as_ref().map(take).transpose()?;
    // Who hands down sockets watches over us, and would take our detaching for our end.
    let stay = options.foreground || !handed.is_empty();
    let sockets = if handed.is_empty() {
        bind(options, log)?
    } else {
        let adopted: io::Result<Vec<_>> = handed.into_iter().map(listen::adopt).collect();
        adopted.map_err(|error| ListenError::System("cannot listen", error))?
    };
    if !stay {
        // The background process takes it again, with its own process id.
        drop(pid_file);
        return detached(options, &sockets).map(|()| None);
    }
    // Blocked before we are called ready, so that whoever started us may end us from then on.
    let signals = Signals::block().map_err(|error| ListenError::System("cannot wait for signals", error))?;
    if let Some(starter) = starter {
        starter.leave().map_err(|error| ListenError::System("cannot leave the session", error))?;
        starter.ready().map_err(|error| ListenError::System("the starting process is gone", error))?;
    }
    for socket in &sockets {
        match listen::address(socket) {
            Some(address) => {
                log.notice(format_args!("listening on {} port {}", address.ip(), address.port()))
            }
            None => log.notice("listening on a unix socket"),
        }
    }
    options.tell(log, "READY=1");
    Ok(Some((Listener::new(options, sockets, pid_file, log), signals)))
}

/// Binds every address, or all of this host's.
fn bind(options: &Options, log: &Log) -> Result<Vec<OwnedFd>, ListenError> {
    let bind = |address| {
        listen::bind(address, options.port, options.backlog)
            .map_err(|error| ListenError::Bind(address, options.port, error))
    };
    if !options.addresses.is_empty() {
        return options.addresses.iter().copied().map(bind).collect();
    }
    match (bind(Ipv6Addr::UNSPECIFIED.into()), bind(Ipv4Addr::UNSPECIFIED.into())) {
        (Ok(v6), Ok(v4)) => Ok(vec![v6, v4]),
        (Err(ListenError::Bind(_, _, error)), Ok(one)) | (Ok(one), Err(ListenError::Bind(_, _, error)))
            if listen::family_missing(&error) =>
        {
            log.info(format_args!("this host has only one family of addresses: {error}"));
            Ok(vec![one])
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// Has a process in the background serve these sockets, and waits until it does.
fn detached(options: &Options, sockets: &[OwnedFd]) -> Result<(), ListenError> {
    let program = Program::itself(arguments(options, "--detached"));
    match detach::start(&program, sockets) {
        Ok(Outcome::Ready) => Ok(()),
        Ok(Outcome::Failed(code, reason)) => {
            Err(ListenError::Daemon(Exit::from_code(code).unwrap_or(Exit::Software), reason))
        }
        Ok(Outcome::Died(ending)) => Err(ListenError::Died(ending)),
        Err(error) => Err(ListenError::System("cannot start the daemon", error)),
    }
}

/// What serves a connection: also when the configuration is broken by then, if a good one is kept.
fn server(options: &Options, kept: &Result<PathBuf, String>, log: &Log) -> Program {
    let mut arguments = arguments(options, "--inetd");
    match kept {
        Ok(kept) => arguments.extend(["--kept".into(), kept.clone().into_os_string()]),
        Err(error) => log.warning(format_args!("the configuration is not kept: {error}")),
    }
    Program::itself(arguments)
}

/// The command line of another process of this program.
fn arguments(options: &Options, role: &str) -> Vec<OsString> {
    let mut arguments = vec![role.into(), "-c".into(), options.config.clone().into_os_string()];
    if options.foreground {
        arguments.push("-f".into());
    }
    arguments.extend((0..options.debug).map(|_| "-d".into()));
    arguments
}

/// A listener at work.
struct Listener<'a> {
    options: &'a Options,
    log: &'a Log,
    /// What serves a connection.
    program: Program,
    /// Where the last good configuration is, if it is kept.
    kept: Option<PathBuf>,
    /// When the configuration was looked at last.
    looked: Option<Instant>,
    /// Where connections come in; none once we were asked to end.
    sockets: Vec<OwnedFd>,
    processes: Vec<Process>,
    /// No connection is taken before this, for lack of descriptors, memory or processes.
    paused: Option<Instant>,
    /// Processes that are left at this time are killed.
    deadline: Option<Instant>,
    /// The processes that have ended of which something is left: brokers, for their hooks. What those leave is nobody's.
    left: Vec<u32>,
    /// Whether that is waited for at the end.
    waits: bool,
    /// Kept for its lock.
    _pid_file: Option<PidFile>,
}

impl<'a> Listener<'a> {
    fn new(
        options: &'a Options,
        sockets: Vec<OwnedFd>,
        pid_file: Option<PidFile>,
        log: &'a Log,
    ) -> Listener<'a> {
        Listener {
            options,
            log,
            program: server(options, &options.kept, log),
            kept: options.kept.clone().ok(),
            looked: None,
            sockets,
            processes: Vec::new(),
            paused: None,
            deadline: None,
            left: Vec::new(),
            waits: true,
            _pid_file: pid_file,
        }
    }

    /// Serves until a signal has closed the sockets, and the last connection and what it left behind have ended.
    fn serve(mut self, signals: &Signals) -> Exit {
        while !self.sockets.is_empty() || !self.processes.is_empty() || self.waits && !self.left.is_empty() {
            let watched = if self.full() { &[] } else { self.sockets.as_slice() };
            let until = self.paused.or(self.deadline);
            let time = until.map(|until| until.saturating_duration_since(Instant::now()));
            if let Err(error) = listen::wait(signals, watched, time) {
                self.log.error(format_args!("cannot wait for connections: {error}"));
                return Exit::System;
            }
            while let Some(signal) = signals.next() {
                self.hear(signal);
            }
            self.on_time(Instant::now());
            if !self.full() {
                self.accept();
            }
        }
        self.log.notice("ended");
        Exit::Ok
    }

    /// Whether no connection can be taken now.
    fn full(&self) -> bool {
        let there = self.processes.len().saturating_add(self.left.len());
        self.paused.is_some() || there >= limits::PROCESSES
    }

    /// Does what a signal says.
    fn hear(&mut self, signal: Signal) {
        match signal {
            Signal::Child => self.reap(),
            Signal::Reload => self.reload(),
            Signal::End if !self.sockets.is_empty() => {
                self.sockets.clear();
                self.paused = None;
                self.log.notice(format_args!("ending, {} connections to finish", self.processes.len()));
                self.options.tell(self.log, "STOPPING=1");
            }
            Signal::End => {
                self.log.notice(format_args!("ending {} connections", self.processes.len()));
                self.processes.iter().for_each(Process::end);
                self.deadline = Some(Instant::now() + limits::END);
            }
        }
    }

    /// Forgets the processes that have ended.
    fn reap(&mut self) {
        let (log, left, mut refused) = (self.log, &mut self.left, false);
        self.processes.retain_mut(|process| {
            let Some(ending) = process.ended() else { return true };
            left.push(process.id());
            match ending {
                Ending::Exit(code) => {
                    refused |= code == i32::from(Exit::Config.code());
                    log.debug(format_args!("process {} exited with {code}", process.id()));
                }
                Ending::Signal(signal) => {
                    log.warning(format_args!("process {} was ended by signal {signal}", process.id()));
                }
            }
            false
        });
        process::reap_adopted(&self.processes);
        self.left.retain(|process| process::has_left(*process));
        // Such a process could not know which log this is. Whoever wants to may have it end so again and again.
        if refused && self.looked.is_none_or(|looked| looked.elapsed() >= limits::COMPLAINT) {
            self.look();
        }
    }

    /// Each connection reads the configuration anew, so all we do is say early what they will find, and keep a good one.
    fn reload(&mut self) {
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", clock::monotonic_micros()));
        if let Err(error) = self.log.reopen() {
            self.log.error(format_args!("cannot open the log file again: {error}"));
        }
        if self.look() {
            self.log.notice(format_args!("configuration {} is good", shown(&self.options.config)));
        }
        self.tell("READY=1");
    }

    /// Looks at the configuration as the next connection will, and keeps a good one. Whether it is good.
    fn look(&mut self) -> bool {
        let looked = (self.options.settings)(&self.options.config);
        self.looked = Some(Instant::now());
        match looked {
            Ok(settings) => {
                self.program = server(self.options, &settings.kept, self.log);
                let before = std::mem::replace(&mut self.kept, settings.kept.ok());
                before.iter().for_each(|before| kept::only(self.kept.as_deref(), before));
                true
            }
            Err(unusable) => {
                self.complain(&unusable);
                false
            }
        }
    }

    /// Tells whoever supervises us, unless they were told that we end: after that nothing else is true.
    fn tell(&self, state: &str) {
        if !self.sockets.is_empty() {
            self.options.tell(self.log, state);
        }
    }

    /// Says what is wrong with the configuration: several errors are several records.
    fn complain(&self, Unusable { reason, stands_in }: &Unusable) {
        let kept = *stands_in && self.kept.as_deref().is_some_and(kept::is_good);
        let now =
            if kept { "the last good configuration stays in effect" } else { "connections will be refused" };
        reason.lines().for_each(|line| self.log.error(format_args!("{now}: {line}")));
    }

    /// Does what is due.
    fn on_time(&mut self, now: Instant) {
        self.paused = self.paused.filter(|until| now < *until);
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            self.processes.iter().for_each(Process::kill);
            (self.deadline, self.waits) = (None, false);
        }
    }

    /// Takes one connection from each socket, so that none has to wait for another, and starts its process.
    fn accept(&mut self) {
        for socket in 0..self.sockets.len() {
            let Some(socket) = self.sockets.get(socket).filter(|_| !self.full()) else { return };
            let started = match listen::accept(socket) {
                Accepted::Nothing => continue,
                Accepted::Connection(connection) => self.program.serve(connection, self.options.foreground),
                Accepted::Exhausted(error) => Err(error),
            };
            match started {
                Ok(process) => self.processes.push(process),
                // The connection, if there was one, is closed; the next may have more luck in a moment.
                Err(error) => {
                    self.log.error(format_args!("cannot serve a connection: {error}"));
                    self.paused = Some(Instant::now() + limits::PAUSE);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
