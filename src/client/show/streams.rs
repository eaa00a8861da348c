//! The standard streams. They are the process's, and so is what was lost of them.

use crate::sys;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicI32, Ordering};

/// Why something that was to be written to a stream was lost, as errno(3); 0 when nothing was.
#[derive(Debug)]
pub(super) struct Lost(AtomicI32);

/// Of standard output.
pub(super) static OUTPUT: Lost = Lost(AtomicI32::new(0));
/// Of standard error.
pub(super) static ERRORS: Lost = Lost(AtomicI32::new(0));

impl Lost {
    /// In words, if something was.
    pub(super) fn why(&self) -> Option<String> {
        Some(self.0.load(Ordering::Relaxed)).filter(|errno| *errno != 0).map(sys::errno_words)
    }

    /// Writes a line, in one piece, so that those of several processes do not mix. What cannot be written does not stop the
    /// run, whose trees are more than its words. A reader that went away is not an error of ours; a full disk is one.
    fn write(&self, mut out: impl Write, line: &str) {
        let written = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
        {
            self.0.store(sys::errno(&error), Ordering::Relaxed);
        }
    }
}

/// Prints a line on standard output.
pub(super) fn line(text: &str) {
    OUTPUT.write(std::io::stdout(), text);
}

/// Says something on standard error, in a line that names the program.
pub(super) fn say(text: &str) {
    ERRORS.write(std::io::stderr(), &format!("smsync: {text}"));
}
