//! A file that arrives: written into the stage, counted, digested, given its metadata.

use crate::config::Durable;
use crate::digest::{self, Algorithm, Algorithms, Content, Hasher};
use crate::install::meta::Meta;
use crate::install::{Failure, at};
use crate::limits;
use crate::report::Step;
use crate::spec::{Entry, Time};
use crate::sys::{Buffer, File};
use std::io::{self, Write};

/// A file of the stage that is being written.
#[derive(Debug)]
pub struct Incoming {
    pub(super) file: File,
    size: u64,
    time: Time,
    pub(super) arrived: u64,
    pub(super) content: Box<Content>,
    durable: Durable,
    pub(super) ends_in_hole: bool,
    /// The mode with which it was made, unless an interrupted run made it.
    made: Option<u32>,
}

/// A file that arrived whole and waits in the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// Its size, as it was sent.
    pub size: u64,
    /// Its time of modification, as it was sent.
    pub time: Time,
}

static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

impl Incoming {
    /// One that was made just now, with this mode.
    pub(super) fn made(file: File, mode: u32, (size, time): (u64, Time), durable: Durable) -> Incoming {
        let (content, ends_in_hole, made) = (Box::default(), false, Some(mode));
        Incoming { file, size, time, arrived: 0, content, durable, ends_in_hole, made }
    }

    /// One of which the beginning is there.
    pub(super) fn resumed(
        file: File,
        (size, time): (u64, Time),
        durable: Durable,
        arrived: u64,
        content: Box<Content>,
    ) -> Incoming {
        Incoming { file, size, time, arrived, content, durable, ends_in_hole: false, made: None }
    }

    /// Writes a piece. The caller sees to it that no more comes than the file was said to have.
    ///
    /// # Errors
    /// The disk is full, or broken.
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)?;
        self.content.update(piece);
        self.arrived += piece.len() as u64;
        self.ends_in_hole = false;
        Ok(())
    }

    /// Leaves a hole, likewise.
    ///
    /// # Errors
    /// The file cannot be so long.
    pub fn hole(&mut self, length: u64) -> io::Result<()> {
        self.arrived += length;
        self.file.seek(self.arrived)?;
        self.ends_in_hole = true;
        let mut left = length;
        while left > 0 {
            let piece = ZEROS.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(&ZEROS);
            self.content.update(piece);
            left -= piece.len() as u64;
        }
        Ok(())
    }

    /// The BLAKE3 of what arrived so far.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.content.finish()
    }

    /// Checks that what arrived, of this digest, is what was specified, gives the file its metadata, and flushes it if
    /// that is the policy.
    ///
    /// # Errors
    /// What failed; with [`Step::Verify`], the contents are not those that were specified.
    pub fn finish(self, digest: &[u8; 32], want: &Entry<'_>, meta: &Meta<'_>) -> Result<Arrived, Failure> {
        let Incoming { file, size, time, durable, ends_in_hole, made, .. } = self;
        if ends_in_hole {
            file.set_size(size).map_err(at(Step::Write))?;
        }
        complete(&file, made, (size, time), digest, want, (meta, durable))
    }
}

/// Writes a file all of which is there, of this digest, into an empty one that was made with this mode.
pub(super) fn write_whole(
    mut file: &File,
    mode: u32,
    contents: &[u8],
    time: Time,
    digest: &[u8; 32],
    want: &Entry<'_>,
    how: (&Meta<'_>, Durable),
) -> Result<Arrived, Failure> {
    file.write_all(contents).map_err(at(Step::Write))?;
    complete(file, Some(mode), (contents.len() as u64, time), digest, want, how)
}

/// Ends a file of the stage that has its contents; `made` is the mode with which it was made, unless an interrupted run
/// made it. After this nothing but its name changes, if it waits by itself.
fn complete(
    file: &File,
    made: Option<u32>,
    (size, time): (u64, Time),
    digest: &[u8; 32],
    want: &Entry<'_>,
    (meta, durable): (&Meta<'_>, Durable),
) -> Result<Arrived, Failure> {
    // The sender sends what is there now; the digest of the specification binds it unless it says that the file
    // changed since.
    if want.size == Some(size)
        && want.time == Some(time)
        && !specified(file, digest, want).map_err(at(Step::Write))?
    {
        return Err((Step::Verify, io::Error::from_raw_os_error(libc::EBADMSG)));
    }
    match made {
        Some(mode) => meta.made(file, mode, want, time)?,
        None => meta.file(file, &file.stat().map_err(at(Step::Write))?, want, time)?,
    }
    if durable == Durable::File {
        let _on_disk = file.flush_to_disk().map_err(at(Step::Write))?;
    }
    Ok(Arrived { size, time })
}

/// Whether the contents, of this BLAKE3, have the strongest digest that the specification gives.
pub(super) fn specified(file: &File, blake3: &[u8; 32], want: &Entry<'_>) -> io::Result<bool> {
    let Some(strongest) = want.digests.algorithms().strongest() else { return Ok(true) };
    if strongest == Algorithm::Blake3 {
        return Ok(want.digests.get(strongest) == Some(&digest::hex(blake3)));
    }
    let mut algorithms = Algorithms::default();
    algorithms.insert(strongest);
    let mut hasher = Hasher::new(algorithms);
    file.seek(0)?;
    let mut reader: &File = file;
    let mut buffer = Buffer::new(limits::RECORD);
    loop {
        let read = io::Read::read(&mut reader, &mut buffer)?;
        if read == 0 {
            return Ok(hasher.finish().get(strongest) == want.digests.get(strongest));
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
    }
}
