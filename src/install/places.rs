//! Where in the stage what is wanted waits: by itself, or in the directory that is new with it.

use crate::config::Durable;
use crate::digest::Content;
use crate::install::incoming::{specified, write_whole};
use crate::install::{Arrived, Failure, Fresh, Incoming, Meta, Stage, at};
use crate::path::RelPath;
use crate::report::Step;
use crate::spec::{Entry, Index, Spec, Time};
use crate::sys::{Buffer, Dir, File, Stat};
use std::borrow::Cow;
use std::io::{self, Read};

/// Finds places in the stage. Entries that come in tree order share most of their way there, so that each directory is
/// opened once.
#[derive(Debug)]
pub struct Places<'s> {
    pub(super) stage: &'s Stage,
    want: &'s Spec,
    fresh: &'s Fresh,
    /// The new directory that was entered last, and how many components its path has.
    top: Option<(Index, usize)>,
    /// The way from there, itself first.
    held: Vec<(Box<[u8]>, Dir)>,
}

/// A directory of the stage, and a name in it.
pub(super) type Spot<'d, 'p> = (&'d Dir, Cow<'p, [u8]>);

/// Holds the directory of this name, which is made if it is missing.
fn enter(above: &Dir, name: &[u8]) -> io::Result<Dir> {
    match above.through(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match above.make_dir(name) {
                // Somebody else of us was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made?,
            }
            above.through(name)
        }
        there => there,
    }
}

impl<'s> Places<'s> {
    /// In this stage, for these entries.
    #[must_use]
    pub fn new(stage: &'s Stage, want: &'s Spec, fresh: &'s Fresh) -> Places<'s> {
        Places { stage, want, fresh, top: None, held: Vec::new() }
    }

    /// What holds an entry of a directory that is new as a whole, and its name there; the way is made as far as it is
    /// missing. `None` for any other entry.
    pub(super) fn inside<'p>(
        &mut self,
        index: Index,
        path: &'p RelPath<'_>,
    ) -> io::Result<Option<Spot<'_, 'p>>> {
        let Some(top) = self.fresh.top(index) else { return Ok(None) };
        if top == index {
            return Ok(Some((self.stage.dir()?, Stage::tree(path).into())));
        }
        if self.top.is_none_or(|(held, _)| held != top) {
            self.held.clear();
            self.top = None;
            let path = self.want.path(top);
            let dir = enter(self.stage.dir()?, &Stage::tree(&path))?;
            self.held.push((Box::default(), dir));
            self.top = Some((top, path.components().count()));
        }
        let above = self.top.map_or(0, |(_, above)| above);
        let (parent, name) = path.split_last().ok_or(io::ErrorKind::InvalidInput)?;
        let mut depth = 0;
        for component in parent.components().skip(above) {
            depth += 1;
            if self.held.get(depth).is_none_or(|(held, _)| held.as_ref() != component) {
                self.held.truncate(depth);
                let (_, last) = self.held.last().ok_or(io::ErrorKind::NotFound)?;
                let dir = enter(last, component)?;
                self.held.push((component.into(), dir));
            }
        }
        let (_, holder) = self.held.get(depth).ok_or(io::ErrorKind::NotFound)?;
        Ok(Some((holder, name.into())))
    }

    /// What holds the file of this entry while it waits, and its name there, which tells its size and time unless the
    /// directory is new with it.
    pub(super) fn file<'p>(
        &mut self,
        index: Index,
        path: &'p RelPath<'_>,
        size: u64,
        time: Time,
    ) -> io::Result<Spot<'_, 'p>> {
        let stage = self.stage;
        match self.inside(index, path)? {
            Some(inside) => Ok(inside),
            None => Ok((stage.dir()?, Stage::waiting(path, size, time).into())),
        }
    }

    /// Begins a file that arrives.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn begin(
        &mut self,
        index: Index,
        want: &Entry<'_>,
        (size, time): (u64, Time),
        durable: Durable,
    ) -> io::Result<Incoming> {
        let (file, mode) = self.make(index, want, size, time)?;
        Ok(Incoming::made(file, mode, (size, time), durable))
    }

    /// Takes a file all of which has arrived, with these contents of this digest. Gives back too what fstat(2) says of it,
    /// if nothing of that changes any more: it has its last name already, and no other.
    ///
    /// # Errors
    /// What failed; with [`Step::Verify`], the contents are not those that were specified.
    pub fn take(
        &mut self,
        index: Index,
        want: &Entry<'_>,
        (contents, time): (&[u8], Time),
        digest: &[u8; 32],
        how: (&Meta<'_>, Durable),
    ) -> Result<(Arrived, Option<Stat>), Failure> {
        let made = self.make(index, want, contents.len() as u64, time);
        let (file, mode) = made.map_err(at(Step::Write))?;
        let whole = write_whole(&file, mode, contents, time, digest, want, how)?;
        let last = want.names() == 1 && self.fresh.is_inside(index);
        Ok((whole, last.then(|| file.stat().ok()).flatten()))
    }

    /// Makes the file of an entry; gives back the mode that it has.
    fn make(&mut self, index: Index, want: &Entry<'_>, size: u64, time: Time) -> io::Result<(File, u32)> {
        let mode = Stage::first_mode(want, size);
        let (dir, name) = self.file(index, &want.path, size, time)?;
        let file = match dir.make_file_as(&name, mode) {
            // Left by an interrupted run and found not to be the right one, or sent twice because it changed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                dir.remove(&name)?;
                dir.make_file_as(&name, mode)?
            }
            made => made?,
        };
        Ok((file, mode))
    }

    /// Takes over the file left for this entry, if its contents have this digest; gives it the entry's metadata, and
    /// flushes it if that is the policy: who wrote it may not have come so far. Contents are read into the buffer, which
    /// whoever takes over many files makes once.
    ///
    /// # Errors
    /// What failed. That it is not the right file is `Ok(false)`.
    pub fn take_over(
        &mut self,
        index: Index,
        entry: &Entry<'_>,
        (digest, buffer): (&[u8; 32], &mut Buffer),
        meta: &Meta<'_>,
        durable: Durable,
    ) -> Result<bool, Failure> {
        let (Some(size), Some(time)) = (entry.size, entry.time) else { return Ok(false) };
        let (dir, name) = self.file(index, &entry.path, size, time).map_err(at(Step::Write))?;
        let (mut file, stat) = dir.open_file(&name).map_err(at(Step::Write))?;
        if stat.size != size || stat.nlink != 1 {
            return Ok(false);
        }
        let mut content = Content::new();
        loop {
            let read = file.read(buffer).map_err(at(Step::Write))?;
            if read == 0 {
                break;
            }
            content.update(buffer.get(..read).unwrap_or_default());
        }
        if content.finish() != *digest || !specified(&file, digest, entry).map_err(at(Step::Write))? {
            return Ok(false);
        }
        meta.file(&file, &stat, entry, time)?;
        if durable == Durable::File {
            let _on_disk = file.flush_to_disk().map_err(at(Step::Write))?;
        }
        Ok(true)
    }
}

#[cfg(test)]
#[path = "places_tests.rs"]
mod tests;
