//! seccomp(2): the system calls that replicating takes, and no others.
//!
//! What is not listed fails with EPERM rather than ends the process: libraries go another way when a new call of theirs
//! fails. Names are behind pointers, where a filter cannot look. What it can see is that a call by name has a directory
//! to begin at and follows no link; and the number of a descriptor.

use super::Purpose;
use rustix::io::Errno;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};
use std::collections::BTreeMap;
use std::os::fd::RawFd;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Calls on what is open, whatever their arguments.
const ON_OPEN: &[i64] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_fstatfs,
    libc::SYS_getdents64,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_copy_file_range,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_syncfs,
    libc::SYS_fchmod,
    libc::SYS_fchown,
    libc::SYS_flock,
    libc::SYS_fgetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_flistxattr,
    libc::SYS_fremovexattr,
    libc::SYS_fchdir,
    libc::SYS_recvfrom,
    libc::SYS_shutdown,
];

/// Calls on names, memory, threads, time and signals, likewise; and what closes anything, or tells what it is.
const PLAIN: &[i64] = &[
    libc::SYS_close,
    libc::SYS_fstat,
    // By one name in the directory where the thread stands, see `sys::xattr`.
    libc::SYS_lgetxattr,
    libc::SYS_lsetxattr,
    libc::SYS_llistxattr,
    libc::SYS_lremovexattr,
    libc::SYS_umask,
    libc::SYS_ppoll,
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_membarrier,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getgroups,
    libc::SYS_capget,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// The same of processors that have older calls too.
#[cfg(target_arch = "x86_64")]
const OLDER: &[i64] = &[libc::SYS_poll];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[i64] = &[];

const NOFOLLOW: u64 = libc::AT_SYMLINK_NOFOLLOW.unsigned_abs() as u64;
const EMPTY_PATH: u64 = libc::AT_EMPTY_PATH.unsigned_abs() as u64;
const OPEN_NOFOLLOW: u64 = libc::O_NOFOLLOW.unsigned_abs() as u64;
const EXECUTABLE: u64 = libc::PROT_EXEC.unsigned_abs() as u64;
const THREAD: u64 = libc::CLONE_THREAD.unsigned_abs() as u64;
const OWN_DIRECTORY: u64 = libc::CLONE_FS.unsigned_abs() as u64;
const DUPLICATE: u64 = libc::F_DUPFD_CLOEXEC.unsigned_abs() as u64;
const SET_NAME: u64 = libc::PR_SET_NAME.unsigned_abs() as u64;
const SET_VMA: u64 = libc::PR_SET_VMA.unsigned_abs() as u64;

/// A condition on 32 bits of an argument.
fn condition(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
}

/// The argument is this.
fn is(argument: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    condition(argument, SeccompCmpOp::Eq, value)
}

/// The argument has all of these bits.
fn has(argument: u8, bits: u64) -> Result<SeccompCondition, BackendError> {
    condition(argument, SeccompCmpOp::MaskedEq(bits), bits)
}

/// The argument has none of these bits.
fn lacks(argument: u8, bits: u64) -> Result<SeccompCondition, BackendError> {
    condition(argument, SeccompCmpOp::MaskedEq(bits), 0)
}

/// The pointer is none.
fn null(argument: u8) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)
}

/// The argument is a directory, and not the one where the thread happens to stand.
fn held(argument: u8) -> Result<SeccompCondition, BackendError> {
    condition(argument, SeccompCmpOp::Ne, u64::from(libc::AT_FDCWD.cast_unsigned()))
}

/// Every call that is let through, with the conditions of which one row must hold.
fn allowed() -> Result<Rules, BackendError> {
    let mut rules: Rules = PLAIN.iter().chain(ON_OPEN).chain(OLDER).map(|call| (*call, Vec::new())).collect();
    let own = u64::from(std::process::id());
    let mut some = |call: i64, rows: Vec<Vec<SeccompCondition>>| -> Result<(), BackendError> {
        rules.insert(call, rows.into_iter().map(SeccompRule::new).collect::<Result<_, _>>()?);
        Ok(())
    };
    some(libc::SYS_openat, vec![vec![held(0)?, has(2, OPEN_NOFOLLOW)?]])?;
    let looked_at =
        |flags| Ok(vec![vec![held(0)?, has(flags, NOFOLLOW)?], vec![held(0)?, has(flags, EMPTY_PATH)?]]);
    some(libc::SYS_newfstatat, looked_at(3)?)?;
    some(libc::SYS_statx, looked_at(2)?)?;
    for call in [libc::SYS_readlinkat, libc::SYS_mkdirat, libc::SYS_mknodat, libc::SYS_unlinkat] {
        some(call, vec![vec![held(0)?]])?;
    }
    some(libc::SYS_symlinkat, vec![vec![held(1)?]])?;
    for call in [libc::SYS_renameat, libc::SYS_renameat2] {
        some(call, vec![vec![held(0)?, held(2)?]])?;
    }
    some(libc::SYS_linkat, vec![vec![held(0)?, held(2)?, is(4, 0)?]])?;
    some(libc::SYS_fchownat, vec![vec![held(0)?, has(4, NOFOLLOW)?]])?;
    // Without a name it is of what is open.
    some(libc::SYS_utimensat, vec![vec![held(0)?, has(3, NOFOLLOW)?], vec![held(0)?, null(1)?]])?;
    some(libc::SYS_faccessat2, vec![vec![held(0)?, has(3, NOFOLLOW)?]])?;
    if crate::sys::has_fchmodat2() {
        some(libc::SYS_fchmodat2, vec![vec![held(0)?, has(3, NOFOLLOW)?]])?;
    } else {
        // Of what we made in a directory where nobody else may.
        some(libc::SYS_fchmodat, vec![vec![held(0)?]])?;
    }
    // Neither who is sent signals, nor how a file that is open is written.
    let commands = [
        libc::F_GETFD,
        libc::F_SETFD,
        libc::F_GETFL,
        libc::F_DUPFD_CLOEXEC,
        libc::F_OFD_SETLK,
        libc::F_OFD_GETLK,
    ];
    let command = |number: i32| Ok(vec![is(1, u64::from(number.unsigned_abs()))?]);
    some(libc::SYS_fcntl, commands.into_iter().map(command).collect::<Result<_, BackendError>>()?)?;
    some(libc::SYS_ioctl, vec![vec![is(1, libc::FICLONERANGE)?]])?;
    // To where the socket is connected, and nowhere else.
    some(libc::SYS_sendto, vec![vec![null(4)?]])?;
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        some(call, vec![vec![lacks(2, EXECUTABLE)?]])?;
    }
    some(libc::SYS_clone, vec![vec![has(0, THREAD)?]])?;
    // Fails so that threads are made by the call before, of which the filter can see the flags.
    some(libc::SYS_clone3, Vec::new())?;
    some(libc::SYS_unshare, vec![vec![is(0, OWN_DIRECTORY)?]])?;
    some(libc::SYS_prctl, vec![vec![is(0, SET_NAME)?], vec![is(0, SET_VMA)?]])?;
    // abort(3) ends the process with it.
    some(libc::SYS_tgkill, vec![vec![is(0, own)?]])?;
    Ok(rules)
}

/// Further calls that can be about what is open, of which more is asked than that.
const ON_OPEN_TOO: &[i64] = &[
    libc::SYS_sendto,
    libc::SYS_statx,
    libc::SYS_fchownat,
    libc::SYS_fchmodat2,
    libc::SYS_utimensat,
    libc::SYS_faccessat2,
    libc::SYS_ioctl,
];

/// What is not done with what is lent for one purpose.
fn refused(lent: &[(RawFd, Purpose)]) -> Result<Rules, BackendError> {
    let mut rules = Rules::new();
    for (descriptor, purpose) in lent {
        let these: &[i64] = match purpose {
            Purpose::Writing => &[libc::SYS_write, libc::SYS_writev, libc::SYS_sendto],
            Purpose::Locking => &[libc::SYS_flock],
        };
        for call in ON_OPEN.iter().chain(ON_OPEN_TOO).filter(|call| !these.contains(call)) {
            let of_it = SeccompRule::new(vec![is(0, u64::from(descriptor.unsigned_abs()))?])?;
            rules.entry(*call).or_default().push(of_it);
        }
        // Whether it is open may be asked.
        let again = vec![is(0, u64::from(descriptor.unsigned_abs()))?, is(1, DUPLICATE)?];
        rules.entry(libc::SYS_fcntl).or_default().push(SeccompRule::new(again)?);
        // Where it is open for reading too, what was written before could be changed.
        let mapped = vec![is(4, u64::from(descriptor.unsigned_abs()))?];
        rules.entry(libc::SYS_mmap).or_default().push(SeccompRule::new(mapped)?);
        let into = vec![is(2, u64::from(descriptor.unsigned_abs()))?];
        rules.entry(libc::SYS_copy_file_range).or_default().push(SeccompRule::new(into)?);
    }
    Ok(rules)
}

fn program(rules: Rules, others: SeccompAction, these: SeccompAction) -> Result<BpfProgram, BackendError> {
    let processor = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, others, these, processor)?.try_into()
}

fn failing(errno: Errno) -> SeccompAction {
    SeccompAction::Errno(errno.raw_os_error().unsigned_abs())
}

/// Puts the filter before every call of this thread and those that it starts. Of several, the strictest answer counts.
pub(super) fn install(lent: &[(RawFd, Purpose)]) -> Result<(), String> {
    let old = Rules::from([(libc::SYS_clone3, Vec::new())]);
    let programs = [
        program(old, SeccompAction::Allow, failing(Errno::NOSYS)),
        refused(lent).and_then(|rules| program(rules, SeccompAction::Allow, failing(Errno::PERM))),
        allowed().and_then(|rules| program(rules, failing(Errno::PERM), SeccompAction::Allow)),
    ];
    for program in programs {
        let program = program.map_err(|error| error.to_string())?;
        apply_filter(&program).map_err(|error| error.to_string())?;
    }
    Ok(())
}
