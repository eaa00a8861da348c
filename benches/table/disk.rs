//! A file system on a disk: ext4 in a file, by a loop device. Only root can have one.

use crate::guard::DISK;
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Bytes of it; the file is sparse.
const SIZE: u64 = 8 << 30;

/// Mounted until it is dropped, or the benchmark ends.
pub(crate) struct Disk {
    at: PathBuf,
}

impl Disk {
    /// Makes it, with its file in `BENCH_DISK` or /var/tmp, and mounts it in `place`.
    pub(crate) fn make(place: &Path) -> Result<Disk> {
        if !rustix::process::geteuid().is_root() {
            bail!("only root can mount a file system");
        }
        let above = std::env::var_os("BENCH_DISK").map_or(PathBuf::from("/var/tmp"), PathBuf::from);
        let file = above.join(format!("smsync-bench-{}.ext4", std::process::id()));
        let at = place.join(DISK);
        fs::create_dir_all(&at)?;
        File::create_new(&file)?.set_len(SIZE)?;
        // Nothing is left for the kernel to do in the background.
        let lazy = "lazy_itable_init=0,lazy_journal_init=0";
        let made = tool(Command::new("mkfs.ext4").args(["-q", "-F", "-E", lazy]).arg(&file))
            .and_then(|()| tool(Command::new("mount").args(["-o", "loop"]).arg(&file).arg(&at)));
        // Mounted, it needs no name.
        fs::remove_file(&file)?;
        made.map(|()| Disk { at })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        crate::guard::unmount(&self.at);
    }
}

fn tool(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; "));
    }
    Ok(())
}
