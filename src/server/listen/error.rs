//! [`ListenError`]: why there is no listener.

use crate::exit::Exit;
use crate::server::log::shown;
use crate::sys::pidfile::PidFileError;
use crate::sys::process::Ending;
use core::net::IpAddr;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why there is no listener.
#[derive(Debug)]
pub(super) enum ListenError {
    /// An address and port that cannot be had.
    Bind(IpAddr, u16, io::Error),
    /// The pid file of this name.
    PidFile(PathBuf, PidFileError),
    /// A step the system refused.
    System(&'static str, io::Error),
    /// The detached process gave up, and said why.
    Daemon(Exit, String),
    /// The detached process ended without a word.
    Died(Ending),
}

impl ListenError {
    pub(super) const fn exit(&self) -> Exit {
        match self {
            ListenError::PidFile(_, PidFileError::Running(_)) => Exit::TryAgain,
            ListenError::Bind(..) | ListenError::PidFile(..) | ListenError::System(..) => Exit::System,
            ListenError::Daemon(exit, _) => *exit,
            ListenError::Died(_) => Exit::Software,
        }
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenError::Bind(address, port, error) => {
                write!(f, "cannot listen on {address} port {port}: {}", reason(error, *port))
            }
            ListenError::PidFile(path, error) => write!(f, "pid file {}: {error}", shown(path)),
            ListenError::System(step, error) => write!(f, "{step}: {error}"),
            ListenError::Daemon(_, reason) => f.write_str(reason),
            ListenError::Died(Ending::Exit(code)) => {
                write!(f, "the daemon ended at its start with exit code {code}")
            }
            ListenError::Died(Ending::Signal(signal)) => {
                write!(f, "the daemon was ended at its start by signal {signal}")
            }
        }
    }
}

/// Why a port cannot be had, in words that say what to do.
fn reason(error: &io::Error, port: u16) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there".into(),
        io::ErrorKind::AddrNotAvailable => "this host has no such address".into(),
        io::ErrorKind::PermissionDenied if port < 1024 => "ports below 1024 are for root".into(),
        _ => error.to_string(),
    }
}
