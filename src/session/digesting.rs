//! The digest of a file that is sent: at once where it can be, and from where the receiver has its beginning.

use crate::digest::Content;
use crate::limits;
use crate::session::ranges::Beginning;
use crate::sys::{Buffer, File};
use std::io;

/// Where a file is to be sent from, and what is digested of it by then.
pub(super) struct Begun {
    pub(super) from: u64,
    content: Box<Content>,
}

/// What is digested of a file that is sent.
pub(super) struct Digesting {
    size: u64,
    /// The digest, when all came in one piece: there is no state then to be carried about.
    whole: Option<[u8; 32]>,
    begun: Option<Box<Content>>,
}

impl Digesting {
    /// Of a file of this size, which is gone on with or not.
    pub(super) fn new(size: u64, begun: Option<Begun>) -> Digesting {
        Digesting { size, whole: None, begun: begun.map(|begun| begun.content) }
    }

    pub(super) fn update(&mut self, piece: &[u8]) {
        match &mut self.begun {
            None if piece.len() as u64 == self.size => self.whole = Some(Content::of(piece)),
            begun => begun.get_or_insert_default().update(piece),
        }
    }

    pub(super) fn zeros(&mut self, length: u64) {
        hash_zeros(self.begun.get_or_insert_default(), length);
    }

    pub(super) fn finish(self) -> [u8; 32] {
        let pieces = || self.begun.unwrap_or_default().finish();
        self.whole.unwrap_or_else(pieces)
    }
}

/// Where the file is to be sent from, if its beginning is the one that the receiver has.
pub(super) fn beginning(file: &File, there: Beginning) -> io::Result<Option<Begun>> {
    let mut content = Box::<Content>::default();
    let mut buffer = Buffer::new(limits::RECORD);
    let mut left = there.length;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let space = buffer.get_mut(..most).unwrap_or_default();
        let read = file.read_at(space, there.length - left)?;
        if read == 0 {
            break;
        }
        content.update(buffer.get(..read).unwrap_or_default());
        left -= read as u64;
    }
    if content.finish() == there.digest {
        return Ok(Some(Begun { from: there.length, content }));
    }
    Ok(None)
}

/// What a hole adds to the digest.
fn hash_zeros(content: &mut Content, length: u64) {
    static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
    let mut left = length;
    while left > 0 {
        let piece = ZEROS.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(&ZEROS);
        content.update(piece);
        left -= piece.len() as u64;
    }
}
