//! The allocator of glibc looks up the number of processors in a file when many threads have asked for memory.

/// Tells it beforehand, so that it need not: as many pools as it would make by itself, eight for each processor.
#[cfg(target_env = "gnu")]
pub(super) fn settle() {
    let processors = i32::try_from(crate::sys::process::parallelism()).unwrap_or(1);
    // SAFETY: mallopt(3) takes two numbers and refuses what it does not know; this process has one thread, so nobody
    // asks for memory meanwhile.
    #[allow(unsafe_code)]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, processors.saturating_mul(8));
    }
}

/// Other allocators look nothing up.
#[cfg(not(target_env = "gnu"))]
pub(super) const fn settle() {}
