//! The one log sink of smsyncd: whatever anybody writes becomes one escaped line of bounded length.

use std::fmt;
use std::io::{self, Write};
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use crate::limits;
use crate::sys::clock::Local;
use crate::sys::logfile::LogFile;
use crate::sys::syslog::{self, Severity, Syslog};
use crate::vis;

/// How much a record matters, most first; the words of syslog(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is wrong, and we went on.
    Warning,
    /// What an administrator wants to know anyway: starts, ends, refusals, how a run went.
    Notice,
    /// The steps of a run (`-d`).
    Info,
    /// What only the person who looks for a fault wants to know (`-dd`).
    Debug,
}

/// Where records go.
#[derive(Debug, Clone)]
pub enum Destination {
    /// The host's syslog, under the facility of this number in RFC 5424, in the name of this tag.
    Syslog(u8, String),
    /// A file of this absolute name.
    File(PathBuf),
    /// Descriptor 2.
    Stderr,
}

/// A log file that cannot be opened.
#[derive(Debug)]
pub struct LogError {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot open log file {}: {}", shown(&self.path), self.error)
    }
}

impl std::error::Error for LogError {}

/// The log. Its copies are one log.
#[derive(Clone)]
pub struct Log {
    level: Level,
    sink: Arc<Mutex<Sink>>,
}

struct Sink {
    out: Out,
    /// Records that may still be written, if they are limited.
    room: Option<u64>,
    /// Records past the limit.
    surplus: u64,
    /// Records nobody took: syslogd hangs or is gone, the disk is full.
    lost: u64,
}

enum Out {
    Syslog(Syslog),
    File(LogFile),
    Stderr,
}

impl Log {
    /// Opens the log. `debug` is the number of `-d`: none writes up to notice, one up to info, more all.
    ///
    /// # Errors
    /// A log file cannot be opened. A syslogd that does not run is no error: each record tries again.
    pub fn open(destination: &Destination, debug: u8) -> Result<Log, LogError> {
        let level = match debug {
            0 => Level::Notice,
            1 => Level::Info,
            _ => Level::Debug,
        };
        Ok(Log::new(Out::open(destination)?, level))
    }

    /// The log while no configuration is known: descriptor 2 if somebody reads it, syslog otherwise.
    #[must_use]
    pub fn first(stderr: bool) -> Log {
        let syslog = || Out::Syslog(Syslog::new(syslog::DAEMON, syslog::TAG));
        Log::new(if stderr { Out::Stderr } else { syslog() }, Level::Notice)
    }

    fn new(out: Out, level: Level) -> Log {
        // Reads the rules of the time zone while files can still be opened: a session confines itself later.
        let _ = Local::now();
        let sink = Sink { out, room: None, surplus: 0, lost: 0 };
        Log { level, sink: Arc::new(Mutex::new(sink)) }
    }

    /// Writes at [`Level::Error`].
    pub fn error(&self, text: impl fmt::Display) {
        self.write(Level::Error, &text);
    }

    /// Writes at [`Level::Warning`].
    pub fn warning(&self, text: impl fmt::Display) {
        self.write(Level::Warning, &text);
    }

    /// Writes at [`Level::Notice`].
    pub fn notice(&self, text: impl fmt::Display) {
        self.write(Level::Notice, &text);
    }

    /// Writes at [`Level::Info`].
    pub fn info(&self, text: impl fmt::Display) {
        self.write(Level::Info, &text);
    }

    /// Writes at [`Level::Debug`].
    pub fn debug(&self, text: impl fmt::Display) {
        self.write(Level::Debug, &text);
    }

    /// Writes one record, whatever the text holds. A text that is not wanted at this verbosity is not even formatted.
    pub fn write(&self, level: Level, text: &dyn fmt::Display) {
        if level <= self.level {
            self.sink().put(level, &line(text));
        }
    }

    /// Writes what the administrator asked for of each file: however many there are, at any verbosity.
    pub fn transfer(&self, text: impl fmt::Display) {
        self.sink().send(Level::Notice, &line(&text));
    }

    /// From now on at most [`limits::LOG_RECORDS`] are written besides errors: a peer must not fill the disk.
    pub fn limit(&self) {
        self.sink().room = Some(limits::LOG_RECORDS);
    }

    /// From now on nothing is opened or connected anew: the process is about to confine itself. What is not taken is
    /// counted.
    pub fn confine(&self) {
        if let Out::Syslog(syslog) = &mut self.sink().out {
            syslog.confine();
        }
    }

    /// From now on records go to this file, unless standard error was asked for.
    ///
    /// # Errors
    /// It cannot be opened; they go where they went.
    pub fn go_on_in(&self, path: &Path) -> Result<(), LogError> {
        let mut sink = self.sink();
        if !matches!(sink.out, Out::Stderr) {
            sink.out = Out::open(&Destination::File(path.to_owned()))?;
        }
        Ok(())
    }

    /// What it is written to, if that is open and not descriptor 2: what a forked process keeps that goes on in it.
    pub(super) fn descriptor(&self) -> Option<RawFd> {
        match &self.sink().out {
            Out::Syslog(syslog) => syslog.descriptor(),
            Out::File(file) => Some(file.descriptor()),
            Out::Stderr => None,
        }
    }

    /// How many records nobody took that were not told of yet. Whoever asks tells of them.
    #[must_use]
    pub fn lost(&self) -> u64 {
        std::mem::take(&mut self.sink().lost)
    }

    /// Says how many records the limit held back. To be called at the end.
    pub fn finish(&self) {
        let mut sink = self.sink();
        if sink.surplus > 0 {
            let text = format!("{} further log records were not written", sink.surplus);
            sink.send(Level::Notice, &text);
        }
    }

    /// Opens a log file again by its name, after it was rotated away.
    ///
    /// # Errors
    /// It cannot be opened; the old one stays in use.
    pub fn reopen(&self) -> io::Result<()> {
        match &mut self.sink().out {
            Out::File(file) => file.reopen(),
            Out::Syslog(_) | Out::Stderr => Ok(()),
        }
    }

    /// From now on a panic anywhere becomes one record here, and prints nothing.
    pub fn report_panics(&self) {
        let log = self.clone();
        std::panic::set_hook(Box::new(move |panic| {
            let text =
                line(&format_args!("our bug, please report it: {}", panic.to_string().replace('\n', " ")));
            // Not the ordinary lock: this very thread may hold it.
            match log.sink.try_lock() {
                Ok(mut sink) => sink.send(Level::Error, &text),
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().send(Level::Error, &text),
                Err(TryLockError::WouldBlock) => {}
            }
        }));
    }

    /// A panic while writing leaves the sink as good as it was.
    fn sink(&self) -> MutexGuard<'_, Sink> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink {
    /// Writes a record if there is room for it. Details have half of the room: that a round was is written when what
    /// happened in it no longer is. An error, with which a session ends, always has room.
    fn put(&mut self, level: Level, line: &str) {
        let reserved = match level {
            Level::Error => return self.send(level, line),
            Level::Notice => 0,
            Level::Warning | Level::Info | Level::Debug => limits::LOG_RECORDS / 2,
        };
        match &mut self.room {
            Some(room) if *room <= reserved => {
                self.surplus += 1;
                if self.surplus == 1 {
                    self.send(Level::Warning, "too many log records, the rest is only counted");
                }
            }
            Some(room) => {
                *room -= 1;
                self.send(level, line);
            }
            None => self.send(level, line),
        }
    }

    /// Writes a record, and first how many were lost before it.
    fn send(&mut self, level: Level, line: &str) {
        if self.lost > 0 && self.out.send(Level::Warning, &format!("{} log records were lost", self.lost)) {
            self.lost = 0;
        }
        if !self.out.send(level, line) {
            self.lost += 1;
        }
    }
}

impl Out {
    fn open(destination: &Destination) -> Result<Out, LogError> {
        Ok(match destination {
            Destination::Syslog(facility, tag) => Out::Syslog(Syslog::new(*facility, tag)),
            Destination::File(path) => {
                Out::File(LogFile::open(path).map_err(|error| LogError { path: path.clone(), error })?)
            }
            Destination::Stderr => Out::Stderr,
        })
    }

    fn send(&mut self, level: Level, line: &str) -> bool {
        match self {
            Out::Syslog(syslog) => syslog.send(severity(level), line),
            Out::File(file) => file.send(line),
            Out::Stderr => {
                // One write, so that the lines of several processes do not mix.
                let record = format!("smsyncd[{}]: {line}\n", crate::sys::process::id());
                io::stderr().write_all(record.as_bytes()).is_ok()
            }
        }
    }
}

const fn severity(level: Level) -> Severity {
    match level {
        Level::Error => Severity::LOG_ERR,
        Level::Warning => Severity::LOG_WARNING,
        Level::Notice => Severity::LOG_NOTICE,
        Level::Info => Severity::LOG_INFO,
        Level::Debug => Severity::LOG_DEBUG,
    }
}

/// A text as one line that forges nothing, of at most [`limits::LOG_TEXT`] bytes.
fn line(text: &dyn fmt::Display) -> String {
    let mut line = vis::shown_text(&text.to_string());
    if line.len() > limits::LOG_TEXT {
        // Room for the mark: an ellipsis, and a length of up to twenty digits.
        let mut end = limits::LOG_TEXT - 26;
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let rest = line.len() - end;
        line.truncate(end);
        line.push_str(&format!("\u{2026}(+{rest})"));
    }
    line
}

/// A file name of the administrator's, for messages.
pub(crate) fn shown(path: &Path) -> String {
    vis::shown(path.as_os_str().as_encoded_bytes())
}

#[cfg(test)]
mod tests;
