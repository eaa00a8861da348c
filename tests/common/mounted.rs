//! File systems that a test mounts, unmounted whatever happens.

use super::{is_root, tool};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A file system that is mounted, and unmounted whatever happens.
pub struct Mounted(PathBuf);

impl Mounted {
    /// An ext4 in a file, without the help that the kernel gives to programs that forget to flush.
    pub fn ext4(image: &Path, at: &Path) -> Mounted {
        mount(&["-o", "loop,noauto_da_alloc", image.to_str().unwrap()], at);
        Mounted(at.to_owned())
    }

    pub fn tmpfs(at: &Path, options: &str) -> Mounted {
        mount(&["-t", "tmpfs", "-o", options, "tmpfs"], at);
        Mounted(at.to_owned())
    }

    pub fn again(&self, options: &str) {
        mount(&["-o", &format!("remount,{options}")], &self.0);
    }
}

impl Mounted {
    /// Unmounts at once, which nothing may hinder.
    pub fn end(self) {
        let output = tool("umount", "mount", &[self.0.as_os_str()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::mem::forget(self);
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: a program that hangs must not keep it.
        let done = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(std::thread::panicking() || done.unwrap().success());
    }
}

#[track_caller]
fn mount(arguments: &[&str], at: &Path) {
    let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).chain([at.as_os_str()]).collect();
    let output = tool("mount", "mount", &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Whether this test can mount what it needs; if not, it says so.
pub fn may_mount(test: &str) -> bool {
    if !is_root() {
        println!("{test}: not tried: only root can mount a file system here");
    }
    is_root()
}
