//! Files that are replaced as a whole: those of a state directory, which is private, and what is shown to others; the
//! small ones are read up to a bound.

use crate::sys::dir::one;
use crate::sys::ids;
use crate::sys::{Dir, File, FileKind, fault};
use rustix::fs::{Mode, OFlags};
use std::cmp::Reverse;
use std::ffi::OsString;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

impl Dir {
    /// Makes this the contents of the file of this name. An interruption leaves the old ones.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub fn remember(&self, name: &[u8], contents: &[u8]) -> io::Result<()> {
        self.replace(name, contents, None)
    }

    /// The same for everybody to read.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub fn publish(&self, name: &[u8], contents: &[u8]) -> io::Result<()> {
        self.replace(name, contents, Some(Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH))
    }

    fn replace(&self, name: &[u8], contents: &[u8], mode: Option<Mode>) -> io::Result<()> {
        // Under a name that nobody knows before, and made anew: another user may own the directory.
        let mut draft = Draft::begin(self, name)?;
        draft.write_all(contents)?;
        if let Some(mode) = mode {
            draft.out.get_ref().set_mode(mode.bits())?;
        }
        draft.keep(name)
    }

    /// Puts this behind what the file of this name holds, in one write. An interruption leaves a part of it.
    ///
    /// # Errors
    /// There is none, or it cannot be written to.
    pub fn append(&self, name: &[u8], more: &[u8]) -> io::Result<()> {
        fault::point("openat")?;
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(self, one(name)?, flags, Mode::empty())?);
        if file.stat()?.kind != Some(FileKind::File) {
            return Err(io::Error::from_raw_os_error(libc::ESTALE));
        }
        file.write_all(more)
    }

    /// The files of which the names begin like this, the newest first; those too that a process left which died while it
    /// wrote.
    #[must_use]
    pub fn newest(&self, prefix: &[u8]) -> Vec<Dated> {
        let names = self.names().unwrap_or_default().into_iter().filter(|name| name.starts_with(prefix));
        let mut all: Vec<Dated> = names
            .filter_map(|name| {
                let stat = self.stat(&name).ok().filter(|stat| stat.kind == Some(FileKind::File))?;
                Some(Dated { name, size: stat.size, time: stat.mtime })
            })
            .collect();
        all.sort_by_key(|dated| Reverse(dated.time));
        all
    }

    /// Removes the oldest of them, as far as there are more than so many, or more bytes. What cannot be removed stays.
    pub fn forget_oldest(&self, prefix: &[u8], count: usize, bytes: u64) {
        let mut sum = 0u64;
        for (at, dated) in self.newest(prefix).into_iter().enumerate() {
            sum = sum.saturating_add(dated.size);
            if at >= count || sum > bytes {
                let _ = self.remove(&dated.name);
            }
        }
    }

    /// The directory of this name, which is this user's alone. Made when it is missing: by root, unless he is the caller.
    ///
    /// # Errors
    /// It is somebody else's, can be read by others, or cannot be made.
    pub fn dir_of(&self, name: &[u8], uid: u32, gid: u32) -> io::Result<Dir> {
        match rustix::fs::mkdirat(self, one(name)?, Mode::RWXU) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let dir = self.subdir(name)?;
        // Another process may have made it, and not given it away yet: what is ours still is to be his.
        if uid != ids::euid() && dir.stat_self()?.uid == ids::euid() {
            dir.set_own_owner(Some(uid), Some(gid))?;
        }
        let stat = dir.stat_self()?;
        if stat.uid == uid && stat.mode & 0o077 == 0 {
            Ok(dir)
        } else {
            Err(io::Error::from_raw_os_error(libc::EACCES))
        }
    }

    /// The contents of the file of this name, if it has no more than `max` bytes.
    ///
    /// # Errors
    /// There is none, it is larger, or it cannot be read.
    pub fn recall(&self, name: &[u8], max: u64) -> io::Result<Vec<u8>> {
        let (file, stat) = self.open_file(name)?;
        if stat.size > max {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut contents = Vec::new();
        file.take(max).read_to_end(&mut contents)?;
        Ok(contents)
    }
}

/// A file of a state directory.
#[derive(Debug)]
pub struct Dated {
    /// Its name.
    pub name: Box<[u8]>,
    /// Its bytes.
    pub size: u64,
    /// When it was written.
    pub time: (i64, u32),
}

/// A file of a state directory on its way: it gets its name when it is complete.
#[derive(Debug)]
pub struct Draft<'d> {
    dir: &'d Dir,
    /// Its name until then, which no other process has and no other draft of this one.
    name: Vec<u8>,
    out: BufWriter<File>,
    kept: bool,
}

/// Drafts that this process began.
static DRAFTS: AtomicU64 = AtomicU64::new(0);

impl<'d> Draft<'d> {
    /// Begins a file. Until it is kept, its name begins like this.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub fn begin(dir: &'d Dir, name: &[u8]) -> io::Result<Draft<'d>> {
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let name = [name, format!(".new-{}-{number}", std::process::id()).as_bytes()].concat();
        let file = match dir.make_file(&name) {
            // Of a process that died, and had our number.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                dir.remove(&name)?;
                dir.make_file(&name)?
            }
            made => made?,
        };
        Ok(Draft { dir, name, out: BufWriter::with_capacity(64 * 1024, file), kept: false })
    }

    /// Gives it this name; what had it is replaced in one step.
    ///
    /// # Errors
    /// The last bytes cannot be written.
    pub fn keep(mut self, name: &[u8]) -> io::Result<()> {
        self.out.flush()?;
        self.dir.rename(&self.name, self.dir, name)?;
        self.kept = true;
        Ok(())
    }
}

impl Write for Draft<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.out.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // What stays is found and removed with what is old.
            let _ = self.dir.remove(&self.name);
        }
    }
}

/// The path with every link in it resolved, by which a directory is the same whatever it is called.
///
/// # Errors
/// It names nothing.
pub fn canonical(path: &Path) -> io::Result<OsString> {
    Ok(std::fs::canonicalize(path)?.into_os_string())
}
