//! A question that is asked as another user: a second process is forked, becomes him for good, and says what it found.

use super::broker::end;
use super::confine::{Identity, one_thread};
use super::error_words;
use crate::exit::Exit;
use rustix::process::{Pid, WaitOptions, waitpid};
use std::io::{self, PipeWriter, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Whether this user could. Only root can ask as somebody else.
///
/// # Errors
/// Why he could not, in words; or why that cannot be found out.
pub fn ask_as(user: &Identity, could: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    one_thread()?;
    let (mut answer, say) = io::pipe()?;
    // SAFETY: this process has one thread, as was just found out, so no lock is held by another and all memory is whole
    // in the child. What it opens and changes is its own, and it never returns from here: no value of it is dropped twice.
    #[allow(unsafe_code)]
    let child = unsafe { libc::fork() };
    if child == 0 {
        // A panic must not go on in what is the other process's to do.
        let code = catch_unwind(AssertUnwindSafe(|| tell(say, user, could)));
        end(code.unwrap_or(i32::from(Exit::Software.code())));
    }
    let Some(child) = Pid::from_raw(child).filter(|child| child.as_raw_nonzero().get() > 0) else {
        return Err(io::Error::last_os_error());
    };
    drop(say);
    let mut reason = String::new();
    // It is waited for in any case.
    let heard = answer.read_to_string(&mut reason);
    let ended = rustix::io::retry_on_intr(|| waitpid(Some(child), WaitOptions::empty()))?;
    heard?;
    match ended.and_then(|(_, status)| status.exit_status()) {
        Some(0) => Ok(()),
        Some(1) => Err(io::Error::other(reason)),
        _ => Err(io::Error::other(format!("the process that was to find out as {user} ended by itself"))),
    }
}

/// Says what this user could not, and with which code to end.
fn tell(mut say: PipeWriter, user: &Identity, could: impl FnOnce() -> io::Result<()>) -> i32 {
    let become_him = user
        .assume()
        .map_err(|error| io::Error::other(format!("cannot become {user}: {}", error_words(&error))));
    match become_him.and_then(|()| could()) {
        Ok(()) => 0,
        // Half a reason is one too.
        Err(error) => say.write_all(error_words(&error).as_bytes()).map_or(1, |()| 1),
    }
}
