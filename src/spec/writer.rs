//! Writes a specification in canonical form, entry by entry, in the one order.

use crate::limits;
use crate::report::Census;
use crate::spec::line::{self, LineError};
use crate::spec::order::{Order, OrderError};
use crate::spec::sealed::Spec;
use crate::spec::{Entry, Keyword, Keywords};
use crate::sys::Spool;
use std::io::{self, Write};

/// The first line: a comment to mtree(8), the signature by which libarchive and go-mtree know the format.
pub(crate) const SIGNATURE: &[u8] = b"#mtree\n";

/// Writes entries to `W`, refusing any that would not be canonical.
#[derive(Debug)]
pub struct SpecWriter<W: Write> {
    out: W,
    keywords: Keywords,
    carried: Keywords,
    order: Order,
    offsets: Vec<u32>,
    bytes: u64,
    census: Census,
    line: Vec<u8>,
    /// Whether the keywords that a type must have are written, so that the result is canonical.
    complete: bool,
}

/// What some types must have.
const NEEDED: Keywords = Keywords::of(&[Keyword::Device, Keyword::Link, Keyword::Size, Keyword::Time]);

/// Why an entry was not written.
#[derive(Debug)]
pub enum WriteError {
    /// It stands in the wrong place.
    Order(OrderError),
    /// It says what its type cannot have, or not what it must.
    Entry(LineError),
    /// There are more entries or bytes than [`limits`] allows.
    TooLarge,
    /// The output failed.
    Io(io::Error),
    /// No thread is to be had to look at the tree.
    Thread(io::Error),
}

impl std::fmt::Display for WriteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WriteError::Order(error) => error.fmt(f),
            WriteError::Entry(error) => error.fmt(f),
            WriteError::TooLarge => f.write_str("the specification is too large"),
            WriteError::Io(error) => error.fmt(f),
            WriteError::Thread(error) => {
                write!(f, "cannot start a thread: {}", crate::sys::error_words(error))
            }
        }
    }
}

impl std::error::Error for WriteError {}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        WriteError::Io(error)
    }
}

impl<W: Write> SpecWriter<W> {
    /// Starts a specification that carries these keywords (and `type`, always).
    ///
    /// # Errors
    /// The signature cannot be written.
    pub fn new(mut out: W, keywords: Keywords) -> io::Result<SpecWriter<W>> {
        out.write_all(SIGNATURE)?;
        Ok(SpecWriter {
            out,
            keywords,
            carried: Keywords::of(&[Keyword::Type]),
            order: Order::default(),
            offsets: Vec::new(),
            bytes: SIGNATURE.len() as u64,
            census: Census::default(),
            line: Vec::new(),
            complete: NEEDED.without(keywords) == Keywords::NONE
                && keywords.contains(Keyword::Inode) == keywords.contains(Keyword::Resdevice),
        })
    }

    /// Writes the next entry.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn push(&mut self, entry: &Entry<'_>) -> Result<(), WriteError> {
        self.order.next(&entry.path, entry.kind).map_err(WriteError::Order)?;
        if self.complete {
            line::check(entry).map_err(WriteError::Entry)?;
        }
        self.line.clear();
        line::write(entry, self.keywords, &mut self.line);
        if self.line.len() > limits::SPEC_LINE {
            return Err(WriteError::TooLarge);
        }
        let offset = u32::try_from(self.bytes).map_err(|_| WriteError::TooLarge)?;
        self.bytes += self.line.len() as u64;
        if self.bytes > limits::SPEC_BYTES || self.offsets.len() >= limits::SPEC_ENTRIES as usize {
            return Err(WriteError::TooLarge);
        }
        self.census.count(entry.kind.in_stat(), entry.length());
        self.offsets.push(offset);
        self.out.write_all(&self.line)?;
        Ok(())
    }

    /// Ends the output.
    ///
    /// # Errors
    /// The last bytes cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

impl SpecWriter<Spool> {
    /// Ends the specification and maps it. Nothing is parsed again: what [`SpecWriter::push`] let through is canonical.
    ///
    /// # Errors
    /// The last bytes cannot be written, the kernel refuses the map, or the keywords lack some that canonical entries
    /// must have.
    pub fn seal(self) -> io::Result<Spec> {
        if !self.complete {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(Spec::of_parts(self.out.freeze()?, self.offsets, self.carried.union(self.keywords), self.census))
    }
}
