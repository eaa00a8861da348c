//! Memory that files are read into, and written from, where the kernel copies fastest.

use std::ops::{Deref, DerefMut};

/// Bytes that begin a cache line behind the beginning of a page.
///
/// The pieces of a file begin where its pages do, and the kernel copies with `rep movsb`, which on some processors (AMD's
/// Zen 3, measured) takes three to five times as long where the destination lies, within a page, up to 31 bytes behind the
/// source. That is where malloc(3) puts what is large when it is read into, at 16, and what is written from it too.
#[derive(Debug, Default)]
pub struct Buffer {
    memory: Vec<u8>,
    start: usize,
}

/// Bytes of a page of the page cache, or of no more than one.
const PAGE: usize = 4096;
/// Behind its beginning: also whatever stands a few bytes on in it lies well then.
const LINE: usize = 64;

impl Buffer {
    /// So many zero bytes.
    #[must_use]
    pub fn new(length: usize) -> Buffer {
        let mut memory = vec![0; length + PAGE];
        let start = LINE.wrapping_sub(memory.as_ptr().addr()) % PAGE;
        memory.truncate(start + length);
        Buffer { memory, start }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.memory.get(self.start..).unwrap_or_default()
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_buffer_begins_a_line_behind_a_page() {
        let buffers: Vec<_> = (0..2000).map(|some| Buffer::new(some * 137)).collect();
        for (some, buffer) in buffers.iter().enumerate() {
            assert_eq!((buffer.len(), buffer.as_ptr().addr() % PAGE), (some * 137, LINE));
        }
    }
}
