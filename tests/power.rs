//! The power fails: what was said to be done is on the disk, and what was not is old or new.
//!
//! ext4 can be told to drop all that it did not write yet, as if the power had failed. That takes root: for anybody else
//! these tests say that they did not try.

use crate::common::mounted::{Mounted, may_mount};
use crate::common::walk::walk;
use crate::common::{Site, assert_exit, tool};
use crate::play::{Play, Way, now};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// A file system in a file, of which the power can fail.
struct Disk {
    image: PathBuf,
    at: PathBuf,
    mounted: Option<Mounted>,
}

impl Disk {
    fn new(image: PathBuf, at: PathBuf) -> Disk {
        File::create(&image).unwrap().set_len(64 << 20).unwrap();
        run("mkfs.ext4", "e2fsprogs", &["-q".as_ref(), "-F".as_ref(), image.as_os_str()]);
        let mounted = Some(Mounted::ext4(&image, &at));
        Disk { image, at, mounted }
    }

    /// EXT4_IOC_SHUTDOWN; then what a boot does. With the journal, names are on the disk as they were at that moment,
    /// and contents are not; without, neither are.
    fn cut(&mut self, journal: bool) {
        let flag = if journal { 1 } else { 2 };
        let cut =
            format!("sysopen(F, $ARGV[0], 0) && ioctl(F, 0x8004587d, $_ = pack('L', {flag})) or die $!");
        run("perl", "perl-base", &["-e".as_ref(), cut.as_ref(), self.at.as_os_str()]);
        self.mounted.take().unwrap().end();
        self.mounted = Some(Mounted::ext4(&self.image, &self.at));
    }

    fn sync(&self) {
        rustix::fs::syncfs(File::open(&self.at).unwrap()).unwrap();
    }
}

#[track_caller]
fn run(program: &str, package: &str, arguments: &[&OsStr]) {
    let output = tool(program, package, arguments);
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A module on such a disk; the disk goes first.
struct Power {
    disk: Disk,
    play: Play,
}

impl Power {
    fn new(durable: &str) -> Power {
        let site = Site::in_memory();
        let disk = Disk::new(site.path("image"), site.dst());
        Power { disk, play: Play::on(site, Way::Push, durable, "tree") }
    }
}

/// The power fails when the server dies, at each point where it changes anything, and after a run that ended well.
fn fails_at_each_point(durable: &str) {
    let mut power = Power::new(durable);
    let Power { disk, play } = &mut power;
    let (mut tried, mut new, mut journal) = (0, 0, false);
    for number in 1.. {
        play.rewind();
        disk.sync();
        let since = now();
        let output = play.run(&[], Some(&format!("abort:{number}")));
        let fired = play.fired();
        journal = !journal;
        disk.cut(journal);
        let point = format!("power, {durable}, abort:{number} ({fired:?}), journal {journal}");
        if fired.is_none() {
            assert_exit(&output, 0);
            play.assert_new(&point);
            break;
        }
        play.assert_unmixed(since, &[], &point);
        new += u32::from(walk(&play.receiver()) != play.old);
        play.assert_converges(&point);
        disk.cut(false);
        play.assert_new(&format!("{point}, after the next run"));
        tried += 1;
    }
    println!("{durable}: the power failed at {tried} points, after {new} of them something was new");
    assert!(tried > 100, "{tried} points only");
}

/// Without any flush, the same test finds what is lost.
#[test]
fn the_power_takes_what_was_not_flushed() {
    if !may_mount("the_power_takes_what_was_not_flushed") {
        return;
    }
    let mut power = Power::new("none");
    let Power { disk, play } = &mut power;
    // The kernel may have written all of it in time by itself, but hardly each time.
    let lost = (0..5).any(|_| {
        play.rewind();
        disk.sync();
        assert_exit(&play.run(&[], Some("abort:0")), 0);
        disk.cut(true);
        walk(&play.receiver()) != play.new
    });
    assert!(lost, "nothing is ever lost: the power did not fail");
}

/// Somebody who wrote into the files themselves would be found out by the same test.
#[test]
fn what_is_written_in_place_is_found() {
    if !may_mount("what_is_written_in_place_is_found") {
        return;
    }
    let mut power = Power::new("batch");
    let Power { disk, play } = &mut power;
    for (name, length) in [("changed", 5), ("same-size", 1), ("dir-file/f", 3)] {
        play.rewind();
        disk.sync();
        let since = now();
        // Half of what is to come stands in the old file when the power fails.
        let file = File::options().write(true).open(play.receiver().join(name)).unwrap();
        file.write_all_at(&b"the new text"[..length], 0).unwrap();
        disk.sync();
        drop(file);
        disk.cut(true);
        let mixed = catch_unwind(AssertUnwindSafe(|| play.assert_unmixed(since, &[], name)));
        assert!(mixed.is_err(), "{name}: half of a file passed for whole");
    }
}

#[test]
fn the_power_fails_while_all_is_flushed_at_once() {
    if may_mount("the_power_fails_while_all_is_flushed_at_once") {
        fails_at_each_point("batch");
    }
}

#[test]
fn the_power_fails_while_files_are_flushed_one_by_one() {
    if may_mount("the_power_fails_while_files_are_flushed_one_by_one") {
        fails_at_each_point("file");
    }
}
