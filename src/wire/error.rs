//! Why a connection ends early.

use crate::exit::Exit;
use std::io;

/// Why a connection ends early.
#[derive(Debug)]
pub enum WireError {
    /// The peer closed the connection before it was done.
    Closed,
    /// The peer was silent for too long, or took nothing.
    Silent,
    /// The connection broke.
    Io(io::Error),
    /// No thread is to be had to work while the peer is told that we are alive.
    Thread(io::Error),
    /// A record does not open, or cannot be sealed: the bytes were changed, or the peer has another key.
    Seal,
    /// The bytes are no message. What was wrong.
    Malformed(&'static str),
    /// A message that must not come here. What was wrong.
    Violation(&'static str),
    /// The peer gave up, with its reason.
    Aborted {
        /// Which exit code it gives for it.
        exit: Exit,
        /// In words; to be escaped before it is shown.
        text: String,
    },
}

impl WireError {
    /// Which exit code stands for it.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            WireError::Closed | WireError::Silent | WireError::Io(_) => Exit::Unavailable,
            WireError::Thread(_) => Exit::System,
            WireError::Seal | WireError::Malformed(_) | WireError::Violation(_) => Exit::Protocol,
            WireError::Aborted { exit, .. } => *exit,
        }
    }
}

impl std::fmt::Display for WireError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WireError::Closed => f.write_str("the peer closed the connection before it was done"),
            WireError::Silent => f.write_str("the peer was silent for too long"),
            WireError::Io(error) => {
                write!(f, "the connection broke: {}", crate::sys::error_words(error))
            }
            WireError::Thread(error) => {
                write!(f, "cannot start a thread: {}", crate::sys::error_words(error))
            }
            WireError::Seal => f.write_str("a record does not open: it was changed on the way"),
            WireError::Malformed(what) => write!(f, "the peer sent a malformed message: {what}"),
            WireError::Violation(what) => write!(f, "the peer broke the protocol: {what}"),
            WireError::Aborted { text, .. } => write!(f, "{}", crate::vis::shown_text(text)),
        }
    }
}

impl std::error::Error for WireError {}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::TimedOut { WireError::Silent } else { WireError::Io(error) }
    }
}

impl From<crate::wire::noise::NoiseError> for WireError {
    fn from(_: crate::wire::noise::NoiseError) -> Self {
        WireError::Seal
    }
}
