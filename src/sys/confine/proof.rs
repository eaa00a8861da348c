//! Each layer is tried once it is laid: one that does not hold is as good as none.

use crate::limits;
use crate::sys::Dir;
use nix::sched::{CloneFlags, unshare};
use rustix::fs::{CWD, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, socket};
use std::io;
use std::time::{Duration, Instant};

/// What is laid around one thread holds for those that it starts, and for no others. The kernel lets a process that has
/// just one leave its thread group, which changes nothing.
pub(in crate::sys) fn one_thread() -> io::Result<()> {
    let deadline = Instant::now() + limits::THREAD;
    loop {
        match unshare(CloneFlags::CLONE_THREAD) {
            // One that has been waited for is still on its way out of the kernel.
            Err(nix::errno::Errno::EINVAL) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(1));
            }
            done => return Ok(done?),
        }
    }
}

/// Tries to list the root of the host, which is beyond the fence unless the module is all of it.
pub(super) fn landlock(outside: &Dir, module: &Dir) -> Result<(), String> {
    let number = |dir: &Dir| fstat(dir).map(|stat| (stat.st_dev, stat.st_ino));
    if number(outside).is_ok_and(|outside| number(module) == Ok(outside)) {
        return Ok(());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(outside, c".", flags, Mode::empty()) {
        Err(Errno::ACCESS) => Ok(()),
        Ok(_) => Err("does not hold: / could be opened".into()),
        Err(error) => Err(format!("cannot be tried: {}", super::words(error))),
    }
}

/// Tries two calls that the filter must not let through.
pub(super) fn seccomp() -> Result<(), String> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if !matches!(openat(CWD, c".", flags, Mode::empty()), Err(Errno::PERM)) {
        return Err("does not hold: a path from nowhere could be opened".into());
    }
    match socket(AddressFamily::UNIX, SocketType::DGRAM, None) {
        Err(Errno::PERM) => Ok(()),
        _ => Err("does not hold: a socket could be made".into()),
    }
}
