//! The log file: opened for appending, private, and never through a symbolic link.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};

use super::clock::Local;
use super::private::{check_own, open_dir_of, unopened};

/// An open log file.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    pid: u32,
}

impl LogFile {
    /// Opens the file, and makes it with mode 0600 if there is none.
    ///
    /// # Errors
    /// It cannot be opened, others decide where it is, it is a symbolic link, or is a regular file with a second name.
    pub fn open(path: &Path) -> io::Result<LogFile> {
        Ok(LogFile { path: path.to_owned(), file: open(path)?, pid: std::process::id() })
    }

    /// Opens the file of this name again, after log rotation has moved ours away.
    ///
    /// # Errors
    /// As [`LogFile::open`]; the old file stays in use then.
    pub fn reopen(&mut self) -> io::Result<()> {
        self.file = open(&self.path)?;
        Ok(())
    }

    /// What it is written to.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// Appends one record of one line, in one write so that processes do not mix theirs, and says whether it worked.
    pub fn send(&mut self, line: &str) -> bool {
        let record = format!("{} [{}] {line}\n", Local::now().numeric(), self.pid);
        self.file.write_all(record.as_bytes()).is_ok()
    }
}

/// A fifo without a reader must not hold us up, and a terminal must not become ours.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let (dir, name) = open_dir_of(path)?;
    let fd =
        rustix::fs::openat(&dir, name, flags | OFlags::NONBLOCK | OFlags::NOCTTY, Mode::RUSR | Mode::WUSR)
            .map_err(unopened)?;
    let stat = rustix::fs::fstat(&fd)?;
    // Whoever may write to the log's directory could have linked a file there that we must not write to.
    if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_nlink != 1 {
        return Err(io::Error::other("it has a second name (hard link)"));
    }
    check_own(dir, &stat)?;
    Ok(fd.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn appends_privately_and_follows_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("log"), dir.path().join("log.1"));
        let mut log = LogFile::open(&path).unwrap();
        assert!(log.send("one"));
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        std::fs::rename(&path, &old).unwrap();
        assert!(log.send("two"));
        log.reopen().unwrap();
        assert!(log.send("three"));
        let texts = |path: &Path| -> Vec<String> {
            let text = std::fs::read_to_string(path).unwrap();
            text.lines().map(|line| line.get(20..).unwrap().to_owned()).collect()
        };
        let pid = std::process::id();
        assert_eq!(texts(&old), [format!("[{pid}] one"), format!("[{pid}] two")]);
        assert_eq!(texts(&path), [format!("[{pid}] three")]);
    }

    #[test]
    fn refuses_links_and_fifos_without_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let [target, soft, hard, fifo] = ["target", "soft", "hard", "fifo"].map(|name| dir.path().join(name));
        std::fs::write(&target, "").unwrap();
        std::os::unix::fs::symlink(&target, &soft).unwrap();
        std::fs::hard_link(&target, &hard).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        for path in [&hard, &fifo, dir.path()] {
            assert!(LogFile::open(path).is_err(), "{}", path.display());
        }
        let said = LogFile::open(&soft).unwrap_err().to_string();
        assert!(said.starts_with("it is a symbolic link"), "{said}");
        assert_eq!(std::fs::read(&target).unwrap(), b"");
    }
}
