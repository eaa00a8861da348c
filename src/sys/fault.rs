//! Fault points: before each call that changes anything, a debug build can be told to stop or to fail.
//!
//! `SMSYNC_FAULT=abort:N` ends the process at the N-th point, counted from 1; `SMSYNC_FAULT=ERRNO:N` makes the N-th
//! fail with that number; with the name of a call for N, each point of that call. Several are separated by commas.
//! `SMSYNC_FAULT_FIRED=FILE` gets a line with the name of the call when one happened. A release build has no such points.

use std::io;

/// Stands before a call that changes something; `call` is its name.
///
/// # Errors
/// The failure that was asked for, in a debug build.
#[inline]
#[cfg_attr(not(debug_assertions), allow(clippy::missing_const_for_fn, clippy::unnecessary_wraps))]
pub fn point(call: &str) -> io::Result<()> {
    #[cfg(debug_assertions)]
    armed::point(call)?;
    #[cfg(not(debug_assertions))]
    let _ = call;
    Ok(())
}

/// Opens the file that says that a fault happened, for a process that is about to confine itself.
pub fn before_confinement() {
    #[cfg(debug_assertions)]
    armed::open();
}

#[cfg(debug_assertions)]
mod armed {
    use std::fs::{File, OpenOptions};
    use std::io::{self, Write};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Fault {
        /// `None` to abort.
        errno: Option<i32>,
        at: At,
    }

    enum At {
        Point(u64),
        Call(String),
    }

    static FAULTS: OnceLock<Vec<Fault>> = OnceLock::new();
    static FIRED: OnceLock<Option<File>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);

    /// What is there stays: a session and its broker may both meet the fault, and what the one wrote may be read while
    /// the other opens it.
    fn fired() -> Option<File> {
        let path = std::env::var_os("SMSYNC_FAULT_FIRED")?;
        OpenOptions::new().append(true).create(true).open(path).ok()
    }

    pub(super) fn open() {
        FIRED.get_or_init(fired);
    }

    fn read() -> Vec<Fault> {
        let wish = std::env::var("SMSYNC_FAULT").unwrap_or_default();
        let faults = wish.split(',').filter_map(|fault| {
            let (what, at) = fault.split_once(':')?;
            let errno = if what == "abort" { None } else { Some(what.parse().ok()?) };
            Some(Fault { errno, at: at.parse().map_or_else(|_| At::Call(at.to_owned()), At::Point) })
        });
        faults.collect()
    }

    pub(super) fn point(call: &str) -> io::Result<()> {
        let number = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
        let met = FAULTS.get_or_init(read).iter().find(|fault| match &fault.at {
            At::Point(at) => *at == number,
            At::Call(name) => name == call,
        });
        let Some(fault) = met else { return Ok(()) };
        if let Some(mut file) = FIRED.get_or_init(fired).as_ref() {
            file.write_all(format!("{call}\n").as_bytes())?;
        }
        match fault.errno {
            None => std::process::abort(),
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}
