//! A file that is here already, under another name: one more name of it, or a copy, in the stage.

use crate::config::Durable;
use crate::install::{Failure, Meta, Places, Stage, at};
use crate::limits;
use crate::report::Step;
use crate::spec::{Entry, Index, Time};
use crate::sys::{Buffer, Dir, File, Stat};
use std::io::{self, Read, Write};

impl Places<'_> {
    /// Makes a file that was found elsewhere where it is to wait. What cannot be made leaves nothing there, and nothing of
    /// what an interrupted run left, which may be gone on with, is lost by it.
    pub(super) fn make_found<T>(
        &mut self,
        (index, want): (Index, &Entry<'_>),
        make: impl FnOnce(&Dir, &[u8]) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let make = |dir: &Dir, name: &[u8]| make(dir, name).inspect_err(|_| drop(dir.remove(name)));
        let stage = self.stage;
        let inside = self.inside(index, &want.path).map_err(at(Step::Write))?;
        if let Some((dir, name)) = inside.as_ref().filter(|_| !stage.has_left()) {
            return make(dir, name);
        }
        let (dir, new) = (stage.dir().map_err(at(Step::Write))?, Stage::made(index));
        let made = make(dir, &new)?;
        if let Some((holder, name)) = inside {
            dir.rename(&new, holder, &name).map_err(at(Step::Write))?;
        }
        Ok(made)
    }

    /// Makes the file that has this name in `holder` what the wanted entry says: by one more name for it, if it is all
    /// that already and can have another, and otherwise by a copy. Says whether it is the same file, and no copy.
    ///
    /// # Errors
    /// It cannot be read any more, or there is no room.
    pub fn adopt(
        &mut self,
        (holder, name): (&Dir, &[u8]),
        (index, want): (Index, &Entry<'_>),
        alike: bool,
        meta: &Meta<'_>,
        durable: Durable,
    ) -> Result<bool, Failure> {
        self.make_found((index, want), |dir, new| {
            if alike && holder.make_hard_link(name, dir, new).is_ok() {
                return Ok(true);
            }
            copy((holder, name), (dir, new), want, meta, durable)?;
            Ok(false)
        })
    }
}

/// Copies a regular file to a new name, with the metadata that it is to have.
pub(super) fn copy(
    (holder, there): (&Dir, &[u8]),
    (target, name): (&Dir, &[u8]),
    want: &Entry<'_>,
    meta: &Meta<'_>,
    durable: Durable,
) -> Result<(), Failure> {
    let (old, stat) = holder.open_file(there).map_err(at(Step::Read))?;
    copy_open(old, &stat, (target, name), want, meta, durable)
}

/// The same of one that is open, and was like this when it was looked at.
pub(super) fn copy_open(
    mut old: File,
    stat: &Stat,
    (target, name): (&Dir, &[u8]),
    want: &Entry<'_>,
    meta: &Meta<'_>,
    durable: Durable,
) -> Result<(), Failure> {
    let mut new = target.make_file(name).map_err(at(Step::Write))?;
    contents(&mut old, &mut new, stat.size)?;
    let made = new.stat().map_err(at(Step::Write))?;
    if made.size != stat.size || !old.stat().map_err(at(Step::Read))?.same_contents(stat) {
        return Err((Step::Read, io::Error::from_raw_os_error(libc::ESTALE)));
    }
    let time = want.time.unwrap_or(Time { sec: stat.mtime.0, nsec: stat.mtime.1 });
    meta.file(&new, &made, want, time)?;
    if durable == Durable::File {
        let _on_disk = new.flush_to_disk().map_err(at(Step::Write))?;
    }
    Ok(())
}

/// Copies what a file holds into an empty one; holes stay holes.
fn contents(old: &mut File, new: &mut File, size: u64) -> Result<(), Failure> {
    let mut buffer = Buffer::new(limits::RECORD);
    let mut done = 0;
    while let Some((start, end)) = old.next_data(done).map_err(at(Step::Read))? {
        old.seek(start).map_err(at(Step::Read))?;
        new.seek(start).map_err(at(Step::Write))?;
        done = start;
        // That the kernel copies takes longer than to read and to write.
        if old.share_with(new, (start, end - start), start).map_err(at(Step::Write))? {
            done = end;
        }
        while done < end {
            let piece = usize::try_from(end - done).unwrap_or(usize::MAX).min(buffer.len());
            let read = old.read(buffer.get_mut(..piece).unwrap_or_default()).map_err(at(Step::Read))?;
            if read == 0 {
                // It was cut short meanwhile, which its size tells.
                return Ok(());
            }
            new.write_all(buffer.get(..read).unwrap_or_default()).map_err(at(Step::Write))?;
            done += read as u64;
        }
    }
    new.set_size(size).map_err(at(Step::Write))
}
