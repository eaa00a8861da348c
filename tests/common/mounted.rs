//! File systems that a test mounts, unmounted whatever happens.

use super::starter::until;
use super::{is_root, tool};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// File systems whose files can share blocks.
#[derive(Debug, Clone, Copy)]
pub enum Sharing {
    Btrfs,
    Xfs,
}

/// A file system that is mounted, and unmounted whatever happens.
pub struct Mounted(PathBuf);

impl Mounted {
    /// An ext4 in a file, without the help that the kernel gives to programs that forget to flush.
    pub fn ext4(image: &Path, at: &Path) -> Mounted {
        mount(&["-o", "loop,noauto_da_alloc", image.to_str().unwrap()], at);
        Mounted(at.to_owned())
    }

    /// An ext4 made new in a file of 64 MiB, with these options of mkfs.ext4(8).
    pub fn new_ext4(image: &Path, at: &Path, options: &[&str]) -> Mounted {
        std::fs::File::create(image).unwrap().set_len(64 << 20).unwrap();
        let mut arguments: Vec<&OsStr> = ["-q", "-F"].iter().chain(options).map(OsStr::new).collect();
        arguments.push(image.as_os_str());
        let output = tool("mkfs.ext4", "e2fsprogs", &arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Mounted::ext4(image, at)
    }

    /// A file system whose files can share blocks, made new in a file.
    pub fn sharing(form: Sharing, image: &Path, at: &Path) -> Mounted {
        let (make, package, size) = match form {
            Sharing::Btrfs => ("mkfs.btrfs", "btrfs-progs", 256),
            Sharing::Xfs => ("mkfs.xfs", "xfsprogs", 512),
        };
        std::fs::File::create(image).unwrap().set_len(size << 20).unwrap();
        let output = tool(make, package, &[OsStr::new("-q"), image.as_os_str()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        mount(&["-o", "loop", image.to_str().unwrap()], at);
        Mounted(at.to_owned())
    }

    /// The same directory at another place.
    pub fn bind(from: &Path, at: &Path) -> Mounted {
        mount(&["--bind", from.to_str().unwrap()], at);
        Mounted(at.to_owned())
    }

    /// A file system in memory that keeps no extended attributes.
    pub fn ramfs(at: &Path) -> Mounted {
        mount(&["-t", "ramfs", "ramfs"], at);
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
    /// Unmounts it: nothing may hinder that but a process that is ending. Its connection, by which its client knows of
    /// that, is closed before its directories are. A server's own mount of its module goes with it, too, and those of
    /// other tests that had a copy of all mounts: until then, ext4 goes on, and nobody may mount its image once more.
    pub fn end(self) {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let this = mounts.lines().find(|line| line.split(' ').nth(4) == self.0.to_str()).unwrap();
        let device = this.split_once(" - ").and_then(|(_, of)| of.split(' ').nth(1)).unwrap();
        let device = Path::new("/sys/fs/ext4").join(Path::new(device).file_name().unwrap());
        let unmounted = || tool("umount", "mount", &[self.0.as_os_str()]).status.success();
        until("the end of what has it open", unmounted);
        until("the end of what has it mounted elsewhere", || !device.exists());
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
