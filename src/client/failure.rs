//! Why the client ends without a report: what it was about, what went wrong, and the exit code.

use crate::exit::Exit;
use crate::session::Error;
use anyhow::anyhow;
use std::fmt::Display;

/// Why the client ends.
#[derive(Debug)]
pub(super) struct Failure {
    /// How.
    pub(super) exit: Exit,
    /// Why, the most general first.
    pub(super) error: anyhow::Error,
}

impl Failure {
    /// Of a text.
    pub(super) fn new(exit: Exit, text: impl Display) -> Failure {
        Failure { exit, error: anyhow!("{text}") }
    }

    /// About this host, path or step.
    pub(super) fn about(self, what: impl Display) -> Failure {
        Failure { exit: self.exit, error: self.error.context(what.to_string()) }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure { exit: error.exit(), error: error.into() }
    }
}

impl From<crate::wire::WireError> for Failure {
    fn from(error: crate::wire::WireError) -> Failure {
        Error::from(error).into()
    }
}

/// An error of the system, in words, while doing something to a path.
pub(super) fn system(exit: Exit, what: impl Display, error: &std::io::Error) -> Failure {
    Failure::new(exit, format_args!("{what}: {}", crate::sys::error_words(error)))
}
