//! Fault points: before each call that changes anything, a debug build can be told to stop or to fail.
//!
//! `SMSYNC_FAULT=abort:N` ends the process at the N-th point, counted from 1; `SMSYNC_FAULT=ERRNO:N` makes the N-th
//! fail with that number. `SMSYNC_FAULT_FIRED=FILE` is created when it happened, with the name of the call. A release
//! build has no such points.

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

#[cfg(debug_assertions)]
mod armed {
    use std::io;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Plan {
        /// `None` to abort.
        errno: Option<i32>,
        at: u64,
        fired: Option<std::ffi::OsString>,
    }

    static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);

    fn read() -> Option<Plan> {
        let wish = std::env::var("SMSYNC_FAULT").ok()?;
        let (what, at) = wish.split_once(':')?;
        let errno = if what == "abort" { None } else { Some(what.parse().ok()?) };
        Some(Plan { errno, at: at.parse().ok()?, fired: std::env::var_os("SMSYNC_FAULT_FIRED") })
    }

    pub(super) fn point(call: &str) -> io::Result<()> {
        let Some(plan) = PLAN.get_or_init(read) else { return Ok(()) };
        if PASSED.fetch_add(1, Ordering::SeqCst) + 1 != plan.at {
            return Ok(());
        }
        if let Some(path) = &plan.fired {
            std::fs::write(path, call)?;
        }
        match plan.errno {
            None => std::process::abort(),
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}
