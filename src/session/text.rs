//! The text of a specification that comes compressed, whole or as edits of a baseline, on its way into the spool.

use crate::exit::Exit;
use crate::limits;
use crate::session::Error;
use crate::session::baseline::{Baseline, Packing, Told};
use crate::session::edits::Edited;
use crate::session::error::WRITE_SPEC;
use crate::spec::{Digested, Renewal};
use crate::sys::Spool;
use crate::wire::WireError;
use std::io::{self, Write};

/// What comes, until its end.
pub(super) struct Text(zstd::stream::write::Decoder<'static, Unpacked>);

/// What was decompressed.
struct Unpacked {
    shape: Shape,
    /// To be kept.
    packing: Packing,
}

/// What came.
pub(super) struct Complete {
    /// The whole text.
    pub(super) text: Digested,
    /// In what it differs from the baseline, if it came as edits of one.
    pub(super) renewal: Option<Renewal>,
    /// What came, to be kept.
    pub(super) told: Told,
}

/// In which shape it comes.
enum Shape {
    Whole(Box<Sink>),
    Edits(Box<Edited>),
}

impl Text {
    /// As a whole.
    pub(super) fn whole(sink: Sink, told: Told) -> Result<Text, Error> {
        Text::of(Shape::Whole(Box::new(sink)), told)
    }

    /// As edits of what is here.
    pub(super) fn edits(sink: Sink, baseline: Baseline, told: Told) -> Result<Text, Error> {
        let base = baseline.text().map_err(|error| Error::System("read the baseline", error))?;
        Text::of(Shape::Edits(Box::new(Edited::new(base, sink))), told)
    }

    fn of(shape: Shape, told: Told) -> Result<Text, Error> {
        let failed = |error| Error::System("decompress the specification", error);
        let unpacked = Unpacked { shape, packing: Packing::new(told) };
        let mut decoder = zstd::stream::write::Decoder::new(unpacked).map_err(failed)?;
        decoder.window_log_max(limits::SPEC_WINDOW).map_err(failed)?;
        Ok(Text(decoder))
    }

    pub(super) fn take(&mut self, piece: &[u8]) -> Result<(), Error> {
        let granted = (piece.len() as u64).saturating_mul(limits::SPEC_RATIO);
        self.sink().grant(granted);
        let written = self.0.write_all(piece);
        self.checked(written)
    }

    /// The text, which has this digest.
    pub(super) fn end(mut self, digest: &[u8; 32]) -> Result<Complete, Error> {
        let flushed = self.0.flush();
        self.checked(flushed)?;
        let Unpacked { shape, packing } = self.0.into_inner();
        let (sink, renewal) = match shape {
            Shape::Whole(sink) => (*sink, None),
            Shape::Edits(edited) => edited.end().map(|(sink, renewal)| (sink, Some(renewal)))?,
        };
        let text = sink.into_text();
        if text.digest() == *digest {
            Ok(Complete { text, renewal, told: packing.finish() })
        } else {
            Err(WireError::Malformed("the specification is not the one that was sent").into())
        }
    }

    /// Bytes of the text so far.
    #[cfg(test)]
    pub(super) fn written(&mut self) -> u64 {
        self.sink().written()
    }

    fn sink(&mut self) -> &mut Sink {
        match &mut self.0.get_mut().shape {
            Shape::Whole(sink) => sink,
            Shape::Edits(edited) => edited.out(),
        }
    }

    /// Tells an error of ours from what is no compressed text.
    fn checked(&mut self, done: io::Result<()>) -> Result<(), Error> {
        let ours = self.sink().failed.take();
        let malformed = || WireError::Malformed("the specification does not decompress").into();
        done.map_err(|_| ours.unwrap_or_else(malformed))
    }
}

impl Write for Unpacked {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        match &mut self.shape {
            Shape::Whole(sink) => sink.write_all(piece)?,
            Shape::Edits(edited) => edited.write_all(piece)?,
        }
        self.packing.take(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.shape {
            Shape::Whole(sink) => sink.flush(),
            Shape::Edits(edited) => edited.flush(),
        }
    }
}

/// How much text there may be, besides what any specification can have.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds {
    /// Bytes that are free where it is spooled. What is described here takes as much once more, and what is kept of it half of
    /// that.
    pub(super) free: Option<u64>,
    /// Entries that the module takes.
    pub(super) max_files: Option<u32>,
}

impl Bounds {
    /// Why there may not be so many bytes.
    fn fault(self, bytes: u64) -> Option<Error> {
        if let Some(most) = self.max_files
            && bytes > u64::from(most).saturating_mul(limits::SPEC_ENTRY) + limits::SPEC_LINE as u64
        {
            let text = format!("the specification has more bytes than {most} entries can have ('max files')");
            return Some(Error::Refused(Exit::Refused, text));
        }
        let full = self.free.is_some_and(|free| bytes > free / 5 * 2);
        full.then(|| Error::Disk(WRITE_SPEC, io::Error::from_raw_os_error(libc::ENOSPC)))
    }
}

/// Counts and digests what goes into the spool.
pub(super) struct Sink {
    text: Digested,
    bounds: Bounds,
    /// How long it may be by what has come for it so far.
    granted: u64,
    /// What went wrong here, and not in the decoder.
    failed: Option<Error>,
}

impl Sink {
    pub(super) fn new(spool: Spool, bounds: Bounds) -> Sink {
        Sink { text: Digested::new(spool), bounds, granted: limits::SPEC_GIVEN, failed: None }
    }

    /// That so many bytes more may come.
    pub(super) fn grant(&mut self, bytes: u64) {
        self.granted = self.granted.saturating_add(bytes).min(limits::SPEC_BYTES);
    }

    /// Bytes of the text so far.
    pub(super) fn written(&self) -> u64 {
        self.text.written()
    }

    /// What arrived.
    pub(super) fn into_text(self) -> Digested {
        self.text
    }

    /// Notes what went wrong; what it gives back only says that something did.
    pub(super) fn fail(&mut self, error: Error) -> io::Error {
        self.failed = Some(error);
        io::ErrorKind::Other.into()
    }

    fn on_disk<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| self.fail(Error::Disk(WRITE_SPEC, error)))
    }
}

impl Write for Sink {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let bytes = self.written() + piece.len() as u64;
        if bytes > self.granted {
            return Err(self.fail(WireError::Violation("a specification that is too large").into()));
        }
        if let Some(fault) = self.bounds.fault(bytes) {
            return Err(self.fail(fault));
        }
        let written = self.text.write(piece);
        self.on_disk(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.text.flush();
        self.on_disk(flushed)
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
