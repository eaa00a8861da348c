//! Where files can share blocks, what the receiver has already takes no room a second time: on real btrfs and XFS.

use crate::common::dice::Dice;
use crate::common::mounted::{Mounted, Sharing, may_mount};
use crate::common::tree::set_time;
use crate::common::walk::{differences, walk};
use crate::common::{Inetd, Site, assert_exit};
use std::fs;
use std::path::Path;

const SIZE: usize = 24 << 20;
/// What a file system may take for anything but contents.
const LITTLE: u64 = 3 << 20;

fn noise(seed: u64) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    let words = (0..SIZE / 8).map(|_| (dice.roll(usize::MAX) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    words.flat_map(u64::to_be_bytes).collect()
}

fn put(path: &Path, contents: &[u8], time: i64) {
    fs::write(path, contents).unwrap();
    set_time(path, time, 0);
}

/// A module on a file system of its own.
struct Place {
    inetd: Inetd,
    _mounted: Mounted,
    /// Behind those who use it: it goes last.
    site: Site,
}

impl Place {
    fn new(form: Sharing) -> Place {
        let site = Site::new();
        let mounted = Mounted::sharing(form, &site.path("image"), &site.dst());
        let inetd = site.serve();
        Place { site, inetd, _mounted: mounted }
    }

    /// Bytes that are taken, once everything is where it stays.
    fn used(&self) -> u64 {
        rustix::fs::syncfs(fs::File::open(self.site.dst()).unwrap()).unwrap();
        let stat = rustix::fs::statvfs(self.site.dst()).unwrap();
        (stat.f_blocks - stat.f_bfree) * stat.f_frsize
    }

    /// How many bytes more are taken after a push.
    #[track_caller]
    fn push(&self, options: &[&str]) -> u64 {
        let before = self.used();
        let mut command = self.site.smsync();
        command.arg("push").args(options).arg(self.site.src()).arg(self.inetd.remote("m"));
        assert_exit(&command.output().unwrap(), 0);
        self.inetd.ended();
        self.used().saturating_sub(before)
    }

    #[track_caller]
    fn assert_equal(&self) {
        assert_eq!(differences(&walk(&self.site.src()), &walk(&self.site.dst())), "");
    }
}

#[test]
fn what_is_here_takes_no_room_again() {
    if !may_mount("what_is_here_takes_no_room_again") {
        return;
    }
    let contents = noise(3);
    // In the middle of a block, and at the end; and all of it behind whole blocks, or half a one.
    let mut scattered = contents.clone();
    scattered[SIZE / 3..SIZE / 3 + 5000].fill(7);
    scattered.extend_from_slice(b"a little more");
    let shifted = [&noise(4)[..1 << 20], &contents].concat();
    let askew = [b"half a block", &contents[..]].concat();
    for form in [Sharing::Btrfs, Sharing::Xfs] {
        let place = Place::new(form);
        let src = |name: &str| place.site.src().join(name);
        put(&src("f"), &contents, 1_000_000_000);
        let taken = place.push(&[]);
        assert!(taken > SIZE as u64 - LITTLE, "{form:?}, the control: {taken} bytes");

        // Under another name too.
        put(&src("copy"), &contents, 1_000_000_001);
        let taken = place.push(&[]);
        assert!(taken < LITTLE, "{form:?}, a copy: {taken} bytes");
        place.assert_equal();

        // Beside the older one.
        let (delta, most) = (&["--delta", "--backup", "--suffix", ".old"][..], SIZE as u64 - LITTLE);
        for (name, new, least, most) in [
            ("scattered", &scattered, 0, LITTLE),
            ("shifted", &shifted, 1 << 20, LITTLE + (1 << 20)),
            ("askew", &askew, most, u64::MAX),
        ] {
            put(&src("f"), &contents, 1_000_000_000);
            place.push(&["--delete", "--force-delete"]);
            put(&src("f"), new, 1_000_000_002);
            let taken = place.push(delta);
            assert!((least..most).contains(&taken), "{form:?}, {name}: {taken} bytes");
            assert_eq!(fs::read(place.site.dst().join("f")).unwrap(), *new);
            assert_eq!(fs::read(place.site.dst().join("f.old")).unwrap(), contents);
        }
    }
}
