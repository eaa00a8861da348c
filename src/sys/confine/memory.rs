//! The allocator of glibc looks things up in files, once, when threads ask for memory and give it back.

/// Memory that a thread has to give back for the allocator to think of giving it back to the kernel: more than twice
/// the largest block that was ever freed (mallopt(3), `M_TRIM_THRESHOLD`), in blocks that are not mapped by themselves.
#[cfg(target_env = "gnu")]
const GIVEN_BACK: usize = 4 << 20;
/// Below `M_MMAP_THRESHOLD`.
#[cfg(target_env = "gnu")]
const BLOCK: usize = 64 << 10;

/// Has both done beforehand. The number of processors decides how many pools it makes, and is said: as many as it would
/// make by itself, eight for each. Whether the kernel overcommits decides how a pool shrinks, and is found when one does.
#[cfg(target_env = "gnu")]
pub(super) fn settle() {
    let processors = i32::try_from(crate::sys::process::parallelism()).unwrap_or(1);
    // SAFETY: mallopt(3) takes two numbers and refuses what it does not know; a session has no other thread before it
    // is confined, which is seen to afterwards, so nobody asks for memory meanwhile.
    #[allow(unsafe_code)]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, processors.saturating_mul(8));
    }
    // Without it the question is asked later, and refused: the pool then shrinks as if the answer were no.
    let shrink =
        || drop((0..GIVEN_BACK / BLOCK).map(|_| Vec::<u8>::with_capacity(BLOCK)).collect::<Vec<_>>());
    if let Ok(thread) = std::thread::Builder::new().spawn(shrink) {
        let _ = thread.join();
    }
}

/// Other allocators look nothing up.
#[cfg(not(target_env = "gnu"))]
pub(super) const fn settle() {}
