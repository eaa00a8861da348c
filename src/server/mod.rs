//! The server program: the order of things from its first instruction to its exit.

mod account;
mod admission;
mod books;
pub mod config;
mod confine;
mod door;
mod homes;
mod hooks;
pub mod import;
mod kept;
pub mod listen;
pub mod log;
mod logged;
mod metrics;
mod motd;
mod notes;
pub mod options;
mod permit;
mod presence;
mod refused;
mod roll;
mod round;
mod serve;
mod status;
mod strangers;
mod trial;

use core::net::IpAddr;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::exit::Exit;
use crate::limits;
use crate::session::greet_broken;
use crate::sys::Stream;
use crate::sys::detach::Starter;
use crate::sys::lookup;
use crate::sys::stdio::{self, Kind, Peer, Start};
use config::Config;
use homes::Homes;
use kept::Found;
use log::{Destination, Log};
use options::{Options, Stop};
use status::Status;

/// What a configuration says about starting, logging and listening.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the log goes, unless `-f` says standard error.
    pub log: Destination,
    /// Addresses to listen on; none means all.
    pub addresses: Vec<IpAddr>,
    /// TCP port to listen on.
    pub port: u16,
    /// How many connections may wait there.
    pub backlog: u32,
    /// Where a daemon leaves its process id.
    pub pid_file: Option<PathBuf>,
    /// Where the configuration itself was kept, as the last good one, or why it was not.
    pub kept: Result<PathBuf, String>,
}

/// Why a configuration cannot be used.
#[derive(Debug)]
pub struct Unusable {
    /// Every fault of it.
    pub reason: String,
    /// Whether connections are served by the last good one all the same, if that was kept.
    pub stands_in: bool,
}

impl Settings {
    /// Reads them from a configuration. A good one is kept.
    fn read(path: &Path) -> Result<Settings, Unusable> {
        let config = Config::read(path)
            .map_err(|errors| Unusable { reason: errors.to_string(), stands_in: kept::stands_in(&errors) })?;
        homes::user(&config).map_err(|reason| Unusable { reason, stands_in: false })?;
        let kept = kept::keep(&config, path);
        let log = destination(&config);
        let globals = config.globals;
        Ok(Settings {
            log,
            addresses: globals.address,
            port: globals.port,
            backlog: globals.listen_backlog,
            pid_file: globals.pid_file,
            kept,
        })
    }
}

/// Where a configuration has the log go.
fn destination(config: &Config) -> Destination {
    let globals = &config.globals;
    let syslog = || Destination::Syslog(globals.syslog_facility.number(), globals.syslog_tag.clone());
    globals.log_file.clone().map_or_else(syslog, Destination::File)
}

/// Runs smsyncd. To be called first of all by a program, before it opens a file, starts a thread or prints.
#[must_use]
pub fn main() -> Exit {
    // Descriptor 2 may be the peer: until there is a log, a panic is silent.
    std::panic::set_hook(Box::new(|_| {}));
    std::panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or(Exit::Software)
}

/// Why smsyncd ends before it does anything.
struct Failure(Exit, String);

fn run() -> Exit {
    let start = match stdio::start() {
        Ok(start) => start,
        Err(error) => {
            Log::first(false).error(format_args!("cannot start: {error}"));
            return Exit::System;
        }
    };
    let first = Log::first(start.stderr);
    first.report_panics();
    let mut options = match Options::read(&start.arguments) {
        Ok(options) => options,
        Err(Stop::Shown(text)) => {
            return print(&text).map_or_else(
                |Failure(exit, reason)| {
                    tell(&format!("smsyncd: {reason}\n"));
                    exit
                },
                |()| Exit::Ok,
            );
        }
        Err(Stop::Usage(text)) => {
            if start.stderr {
                tell(&text);
            } else {
                first.error(text.lines().next().unwrap_or_default());
            }
            return Exit::Usage;
        }
    };
    options.config = start.directory.join(&options.config);
    route(start, &options, &first).unwrap_or_else(|Failure(exit, reason)| {
        // Several errors of a configuration are several records.
        reason.lines().for_each(|line| first.error(line));
        exit
    })
}

/// Decides what this process is: a check, one connection, a daemon, or none of them.
fn route(start: Start, options: &Options, first: &Log) -> Result<Exit, Failure> {
    if options.check {
        return check(options, start.stderr);
    }
    if options.status {
        return status(options);
    }
    if let Some(file) = &options.import {
        return import(&start.directory.join(file), start.stderr);
    }
    if let Some(address) = options.name_of {
        print(&lookup::confirmed_name(address).unwrap_or_default())?;
        return Ok(Exit::Ok);
    }
    match (start.stdin, start.connection) {
        (Kind::Connected(peer), Some(socket)) => connection(options, socket, peer, start.stderr),
        (Kind::Connected(Peer::Local), None) if options.inetd => {
            connection(options, take()?, Peer::Local, start.stderr)
        }
        (Kind::Connected(Peer::Local), None) if options.detached => detached(options, take()?),
        (Kind::Gone, _) => Err(Failure(Exit::Unavailable, "the peer left before we started".into())),
        (Kind::Listening, _) => {
            let reason =
                "standard input is a listening socket: inetd.conf must say nowait, xinetd.conf wait = no";
            Err(Failure(Exit::Config, reason.into()))
        }
        _ if options.inetd || options.detached => {
            Err(Failure(Exit::Usage, "standard input is no connected stream socket".into()))
        }
        _ => {
            let settings = read(options)?;
            // Until it is detached, a daemon speaks to whoever starts it.
            let stay = options.foreground || !start.handed.is_empty();
            let log = if stay { open(&settings.log, options, start.stderr)? } else { first.clone() };
            if !start.handed.is_empty() {
                warn_unused(options, &log);
            }
            let listening = listen::Options { supervisor: start.supervisor, ..listening(options, settings) };
            Ok(listen::run(&listening, start.handed, None, &log))
        }
    }
}

/// Shows the configuration that is in effect, and what of it could not be used now; or everything that is wrong with it.
fn check(options: &Options, stderr: bool) -> Result<Exit, Failure> {
    match Config::read(&options.config) {
        Ok(config) => {
            print(&config.describe())?;
            let problems = trial::problems(&config).map_err(|reason| Failure(Exit::System, reason))?;
            if stderr {
                problems.iter().for_each(|problem| tell(&format!("{problem}\n")));
            }
            Ok(if problems.is_empty() { Exit::Ok } else { Exit::Problems })
        }
        Err(errors) if stderr => {
            tell(&format!("{errors}\n"));
            Ok(Exit::Config)
        }
        Err(errors) => Err(Failure(Exit::Config, errors.to_string())),
    }
}

/// Shows what an rsyncd.conf is in our language, and what of it has no equivalent.
fn import(file: &Path, stderr: bool) -> Result<Exit, Failure> {
    let bytes = crate::sys::read_input(file, limits::CONFIG)
        .map_err(|error| Failure(Exit::Config, format!("{}: {error}", log::shown(file))))?;
    let import::Imported { text, lost, notes } = import::import(&bytes);
    print(&text)?;
    if stderr {
        notes.iter().for_each(|note| tell(&format!("{}: note: {note}\n", log::shown(file))));
        lost.iter().for_each(|lost| tell(&format!("{}: {lost}\n", log::shown(file))));
    }
    Ok(if lost.is_empty() { Exit::Ok } else { Exit::Problems })
}

/// Shows what is going on, and how it went last.
fn status(options: &Options) -> Result<Exit, Failure> {
    let config = Config::read(&options.config).map_err(|errors| Failure(Exit::Config, errors.to_string()))?;
    let user = homes::user(&config).map_err(|reason| Failure(Exit::Config, reason))?;
    let kept = homes::kept(&config, user.as_ref()).map_err(|error| Failure(Exit::Config, error))?;
    let status = Status::of(&config, kept.as_ref());
    let status =
        status.map_err(|error| Failure(Exit::System, format!("beside the state directory: {error}")))?;
    print(&if options.json { status.json() } else { status.text() })?;
    Ok(Exit::Ok)
}

/// Serves one connection.
fn connection(options: &Options, socket: OwnedFd, peer: Peer, stderr: bool) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let (config, log, homes) = match ready(options, stderr) {
        Ok(ready) => ready,
        Err(failure) => {
            // It learns that it is so, whoever it is, and not why. That it is gone already changes nothing.
            let _ = greet_broken(&Stream::new(socket), begun + limits::DRAIN);
            return Err(failure);
        }
    };
    let exit = serve::serve((socket, peer), (&config, begun), homes, &log);
    log.finish();
    notes::end(&log);
    Ok(exit)
}

/// Reads and opens all that it takes to serve a connection, and becomes the user that does.
fn ready(options: &Options, stderr: bool) -> Result<(Config, Log, Homes), Failure> {
    let found = kept::find(&options.config, options.kept.as_deref());
    let Found { config, broken } = found.map_err(|errors| Failure(Exit::Config, errors.to_string()))?;
    let log = open(&destination(&config), options, stderr)?;
    if let Some(errors) = &broken {
        errors.iter().for_each(|error| log.error(error));
        log.error("going on with the last good configuration");
    }
    let user = homes::user(&config).map_err(|reason| Failure(Exit::Config, reason))?;
    if let Some(before) = options.kept.as_ref().filter(|_| broken.is_none()) {
        keep(&config, (&options.config, before), &log);
    }
    log.limit();
    warn_unused(options, &log);
    let homes = Homes::of(&config, user.as_ref());
    if let Some(user) = user {
        let failed = |error| Failure(Exit::System, format!("cannot become {user}: {error}"));
        user.assume().map_err(failed)?;
    }
    Ok((config, log, homes))
}

/// Keeps the configuration of this file instead of the one that was kept before, which is no longer the last good one.
fn keep(config: &Config, (live, before): (&Path, &Path), log: &Log) {
    let kept = kept::keep(config, live);
    kept::only(kept.as_deref().ok(), before);
    if let Err(error) = kept {
        log.warning(format_args!("the configuration is not kept: {error}"));
    }
}

/// Says what of the command line has no effect where somebody else listens.
fn warn_unused(options: &Options, log: &Log) {
    if options.port.is_some() || !options.address.is_empty() {
        log.warning("-p and --address mean nothing here: somebody else listens for us");
    }
}

/// Becomes the daemon somebody else detached, and tells them when it serves or why it does not.
fn detached(options: &Options, channel: OwnedFd) -> Result<Exit, Failure> {
    let starter = Starter::new(channel);
    let prepared = read(options).and_then(|settings| {
        let log = open(&settings.log, options, false)?;
        let sockets = starter.sockets().map_err(|error| Failure(Exit::System, error.to_string()))?;
        Ok((settings, log, sockets))
    });
    match prepared {
        Ok((settings, log, sockets)) => {
            Ok(listen::run(&listening(options, settings), sockets, Some(starter), &log))
        }
        Err(Failure(exit, reason)) => {
            starter.failed(exit.code(), &reason);
            Err(Failure(exit, reason))
        }
    }
}

/// The configuration's settings.
fn read(options: &Options) -> Result<Settings, Failure> {
    Settings::read(&options.config).map_err(|Unusable { reason, .. }| Failure(Exit::Config, reason))
}

/// The log, which panics are reported to from now on: the one that the configuration names, unless the options say
/// standard error.
fn open(configured: &Destination, options: &Options, stderr: bool) -> Result<Log, Failure> {
    let to_stderr = options.foreground && stderr;
    let destination = if to_stderr { &Destination::Stderr } else { configured };
    let log =
        Log::open(destination, options.debug).map_err(|error| Failure(Exit::System, error.to_string()))?;
    log.report_panics();
    Ok(log)
}

/// How to listen: the command line goes before the configuration.
fn listening(options: &Options, settings: Settings) -> listen::Options {
    listen::Options {
        addresses: if options.address.is_empty() { settings.addresses } else { options.address.clone() },
        port: options.port.unwrap_or(settings.port),
        backlog: settings.backlog,
        pid_file: settings.pid_file,
        kept: settings.kept,
        config: options.config.clone(),
        settings: Settings::read,
        foreground: options.foreground,
        debug: options.debug,
        // Who detaches is no service that anybody supervises.
        supervisor: None,
    }
}

/// The connection a local process gave us on standard input.
fn take() -> Result<OwnedFd, Failure> {
    stdio::take().map_err(|error| Failure(Exit::System, format!("cannot take the connection: {error}")))
}

/// Prints a text somebody asked for: all of it, or they are told. Who closed the other end does not want it any more.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure(Exit::Io, format!("cannot write all of it: {}", crate::sys::error_words(&error))))
        }
        _ => Ok(()),
    }
}

/// Tells whoever asked what is wrong. When that cannot be told, the exit code says so.
fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
