//! A specification told by its difference from a baseline: which lines stay, which go, which come.
//!
//! The edits are lines themselves: `=N` keeps the next N lines of the baseline, `-N` drops them, and what follows a `+` is
//! a new line. Both texts are in tree order, so that one pass over both is enough, on either side.

use crate::limits;
use crate::session::Error;
use crate::session::text::Sink;
use crate::spec::{Renewal, in_order};
use crate::wire::WireError;
use std::cmp::Ordering;
use std::io::{self, BufRead, Read, Write};

/// What happens to lines of the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edit {
    Keep,
    Drop,
}

/// Writes edits, those that are alike together.
struct Edits<W: Write> {
    out: W,
    edit: Edit,
    count: u64,
}

impl<W: Write> Edits<W> {
    const fn new(out: W) -> Edits<W> {
        Edits { out, edit: Edit::Keep, count: 0 }
    }

    fn add(&mut self, edit: Edit, count: u64) -> io::Result<()> {
        if self.edit != edit {
            self.pass_on()?;
            self.edit = edit;
        }
        self.count += count;
        Ok(())
    }

    fn pass_on(&mut self) -> io::Result<()> {
        let mark = if self.edit == Edit::Keep { '=' } else { '-' };
        match std::mem::take(&mut self.count) {
            0 => Ok(()),
            count => writeln!(self.out, "{mark}{count}"),
        }
    }

    fn new_line(&mut self, line: &[u8]) -> io::Result<()> {
        self.pass_on()?;
        self.out.write_all(b"+")?;
        self.out.write_all(line)
    }
}

/// That all of so many lines stay.
pub(super) fn write_none(lines: u64, out: impl Write) -> io::Result<()> {
    let mut edits = Edits::new(out);
    edits.add(Edit::Keep, lines)?;
    edits.pass_on()
}

/// What makes `new` of `base`.
pub(super) fn write(base: &mut impl BufRead, new: &[u8], out: impl Write) -> io::Result<()> {
    let mut edits = Edits::new(out);
    let (mut old, mut rest) = (Vec::new(), new);
    next_line(base, &mut old)?;
    while !(old.is_empty() && rest.is_empty()) {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (line, tail) = rest.split_at(end);
        if line == old {
            edits.add(Edit::Keep, 1)?;
            rest = tail;
            next_line(base, &mut old)?;
            continue;
        }
        let order = match (line, old.as_slice()) {
            ([], _) => Ordering::Greater,
            (_, []) => Ordering::Less,
            (line, old) => in_order(line, old).unwrap_or(Ordering::Equal),
        };
        if order.is_ge() {
            edits.add(Edit::Drop, 1)?;
            next_line(base, &mut old)?;
        }
        if order.is_le() {
            edits.new_line(line)?;
            rest = tail;
        }
    }
    edits.pass_on()
}

/// The next line with its end; empty when there is none.
fn next_line(base: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<()> {
    line.clear();
    base.take(limits::SPEC_LINE as u64).read_until(b'\n', line)?;
    Ok(())
}

/// Takes edits, and makes the text of the baseline and them.
pub(super) struct Edited {
    base: Box<dyn BufRead + Send>,
    /// What came of a line of edits so far.
    line: Vec<u8>,
    out: Sink,
    /// In what the text differs from the baseline.
    renewal: Renewal,
    /// What is read so far of a line that is dropped.
    dropped: Vec<u8>,
}

impl Edited {
    pub(super) fn new(base: impl BufRead + Send + 'static, out: Sink) -> Edited {
        Edited {
            base: Box::new(base),
            line: Vec::new(),
            out,
            renewal: Renewal::default(),
            dropped: Vec::new(),
        }
    }

    /// Where the text goes; a failure is noted there.
    pub(super) fn out(&mut self) -> &mut Sink {
        &mut self.out
    }

    /// That is all: the text, and in what it differs from the baseline.
    pub(super) fn end(self) -> Result<(Sink, Renewal), Error> {
        if !self.line.is_empty() {
            return Err(broken("an edit without an end"));
        }
        Ok((self.out, self.renewal))
    }

    fn edit(&mut self, line: &[u8]) -> io::Result<()> {
        match line.split_first() {
            Some((b'+', line)) => {
                let start = self.out.written();
                self.out.write_all(line)?;
                self.renewal.came(start..self.out.written());
                Ok(())
            }
            Some((b'=', count)) => self.lines(Edit::Keep, count),
            Some((b'-', count)) => self.lines(Edit::Drop, count),
            _ => Err(self.out.fail(broken("no edit"))),
        }
    }

    fn lines(&mut self, edit: Edit, count: &[u8]) -> io::Result<()> {
        let Some(mut left) = number(count) else {
            return Err(self.out.fail(broken("an edit of no number of lines")));
        };
        while left > 0 {
            let part = match self.base.fill_buf() {
                Ok([]) => return Err(self.out.fail(broken("more lines than the baseline has"))),
                Ok(part) => part,
                Err(error) => return Err(self.out.fail(Error::Disk("read the baseline", error))),
            };
            let mut end = part.len();
            for at in memchr::memchr_iter(b'\n', part) {
                left -= 1;
                if left == 0 {
                    end = at + 1;
                    break;
                }
            }
            let part = part.get(..end).unwrap_or_default();
            match edit {
                Edit::Keep => {
                    // It is here already, and no more than that.
                    self.out.grant(part.len() as u64);
                    self.out.write_all(part)?;
                }
                Edit::Drop => drop_lines(part, &mut self.dropped, &mut self.renewal),
            }
            self.base.consume(end);
        }
        Ok(())
    }
}

/// Notes which lines are dropped; the last one may go on behind this part.
fn drop_lines(part: &[u8], begun: &mut Vec<u8>, renewal: &mut Renewal) {
    for piece in part.split_inclusive(|byte| *byte == b'\n') {
        match piece.strip_suffix(b"\n") {
            Some(line) if begun.is_empty() => renewal.went(line),
            Some(end) => {
                begun.extend_from_slice(end);
                renewal.went(begun);
                begun.clear();
            }
            None => begun.extend_from_slice(piece),
        }
    }
}

fn broken(what: &'static str) -> Error {
    WireError::Violation(what).into()
}

/// A count as [`write`] writes it.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let digits = text.strip_suffix(b"\n")?;
    // The first digit leaves room for neither a sign nor a leading zero.
    let [b'1'..=b'9', ..] = digits else { return None };
    let number = std::str::from_utf8(digits).ok()?.parse::<u64>().ok()?;
    (number <= u64::from(limits::SPEC_ENTRIES) + 1).then_some(number)
}

impl Write for Edited {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            // A line, and what is before it.
            if self.line.len() + part.len() > limits::SPEC_LINE + 1 {
                return Err(self.out.fail(broken("an edit that is too long")));
            }
            if self.line.is_empty() && part.ends_with(b"\n") {
                self.edit(part)?;
                continue;
            }
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.edit(&line)?;
            }
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
#[path = "edits_tests.rs"]
mod tests;
