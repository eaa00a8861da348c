//! Why a session ends without a report, and the one map from that to an exit code.

use crate::exit::Exit;
use crate::install::{StageError, hopeless};
use crate::session::room::Room;
use crate::spec::{SpecError, SpecFault, WriteError};
use crate::sys;
use crate::wire::WireError;
use std::io;

/// What is done when a specification does not get onto the disk.
pub(super) const WRITE_SPEC: &str = "write the specification into the spool directory";

/// What is not done where there are as many processes as there may be.
pub(super) const START: &str = "start a thread (see the limits on processes)";

/// Why a session ends without a report.
#[derive(Debug)]
pub enum Error {
    /// The connection, or what came over it.
    Wire(WireError),
    /// The specification that the peer sent.
    Spec(SpecError),
    /// The stage of the tree to be changed.
    Stage(StageError),
    /// Our own specification could not be written.
    Write(WriteError),
    /// The system failed us: doing what, and how.
    System(&'static str, io::Error),
    /// The disk is full, or broken: doing what, and how.
    Disk(&'static str, io::Error),
    /// There is too little room for what is wanted.
    Room(Room),
    /// The other side does not know the secret, or we do not.
    Denied,
    /// The other side speaks another version of the protocol.
    Version(u16),
    /// The server can serve nobody.
    Broken,
    /// The other side is no smsync.
    Stranger,
    /// We refuse what was asked for.
    Refused(Exit, String),
}

impl Error {
    /// The exit code that stands for it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Error::Wire(error) => error.exit(),
            Error::Spec(SpecError { fault: SpecFault::Io(_), .. }) => Exit::Io,
            Error::Spec(_) | Error::Version(_) | Error::Stranger => Exit::Protocol,
            Error::Stage(StageError::Locked) => Exit::TryAgain,
            Error::Stage(StageError::Foreign(_)) | Error::Denied => Exit::Refused,
            Error::Stage(StageError::Lock(error)) if !hopeless(error) => Exit::System,
            Error::Stage(StageError::Io(_) | StageError::Lock(_)) | Error::Disk(..) | Error::Room(_) => {
                Exit::Io
            }
            Error::Write(WriteError::Io(_)) => Exit::Io,
            Error::Write(_) => Exit::Data,
            Error::System(_, error) if hopeless(error) => Exit::Io,
            Error::System(..) => Exit::System,
            Error::Broken => Exit::Unavailable,
            Error::Refused(exit, _) => *exit,
        }
    }

    /// Whether it is this host's system that failed, or that something here forbids it.
    #[must_use]
    pub const fn is_of_this_host(&self) -> bool {
        matches!(
            self,
            Error::Stage(_)
                | Error::Write(_)
                | Error::System(..)
                | Error::Disk(..)
                | Error::Room(_)
                | Error::Spec(SpecError { fault: SpecFault::Io(_), .. })
        )
    }

    /// Whether the peer is to be told. It knows what came from it, and what it did not prove it never learns.
    #[must_use]
    pub const fn is_ours_to_tell(&self) -> bool {
        !matches!(
            self,
            Error::Wire(WireError::Closed | WireError::Io(_) | WireError::Seal | WireError::Aborted { .. })
                | Error::Denied
                | Error::Version(_)
                | Error::Broken
                | Error::Stranger
        )
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let system = |f: &mut std::fmt::Formatter<'_>, step: &str, error: &io::Error| {
            write!(f, "cannot {step}: {}", sys::error_words(error))
        };
        match self {
            Error::Wire(error) => error.fmt(f),
            Error::Spec(SpecError { fault: SpecFault::Io(error), .. })
            | Error::Write(WriteError::Io(error)) => system(f, WRITE_SPEC, error),
            Error::Spec(error) => error.fmt(f),
            Error::Stage(error) => error.fmt(f),
            Error::Write(error) => error.fmt(f),
            Error::System(step, error) | Error::Disk(step, error) => system(f, step, error),
            Error::Room(room) => {
                system(f, "write into the stage", &io::Error::from_raw_os_error(libc::ENOSPC))?;
                write!(f, ": {room}")
            }
            Error::Denied => f.write_str("not authenticated: wrong secret or unknown user"),
            Error::Version(version) => write!(f, "the other side speaks version {version} of the protocol"),
            Error::Broken => {
                f.write_str("the server can serve nobody: its configuration is wrong, and its log says more")
            }
            Error::Stranger => f.write_str("the other side does not speak the smsync protocol"),
            Error::Refused(_, text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {}

impl From<WireError> for Error {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Thread(error) => Error::System(START, error),
            error => Error::Wire(error),
        }
    }
}

impl From<SpecError> for Error {
    fn from(error: SpecError) -> Self {
        Error::Spec(error)
    }
}

impl From<StageError> for Error {
    fn from(error: StageError) -> Self {
        Error::Stage(error)
    }
}

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Thread(error) => Error::System(START, error),
            error => Error::Write(error),
        }
    }
}
