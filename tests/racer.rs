//! A local user who turns directories and files of a module into links, pipes and other files while it is pushed to, pulled
//! from and cleared: nothing outside of the module is read, changed or removed.
//!
//! `SMSYNC_RACES` says over how many operations of the server; `make soak` does a million.

use crate::common::starter::until;
use crate::common::{Inetd, Site, output_within};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, XattrFlags};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Directories of the tree, and files in each.
const DIRS: usize = 24;
const FILES: usize = 32;

const HELD: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW);

/// What is in the files outside: it must be nowhere else.
const SECRET: &str = "the racer may not have this";

/// A default ACL that gives the racer all, as a directory of his has it: owner, group and others rwx.
const ACL: [u8; 28] = [
    2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 4, 0, 7, 0, 255, 255, 255, 255, 32, 0, 7, 0, 255, 255, 255,
    255,
];

/// Path operations that a test is to last for.
fn races() -> u64 {
    std::env::var("SMSYNC_RACES").map_or(15_000, |number| number.parse().unwrap())
}

fn dir(number: usize) -> String {
    format!("d{number}")
}

/// A tree of small files; those of the two versions differ in content and length, and by every fourth name.
fn build(root: &Path, version: usize) {
    for number in 0..DIRS {
        let at = root.join(dir(number));
        fs::create_dir_all(&at).unwrap();
        for file in (0..FILES).filter(|file| file % 4 != 2 * version) {
            let text = format!("{number} {file} {}", "new ".repeat(version + 1));
            fs::write(at.join(format!("f{file}")), text).unwrap();
        }
    }
}

/// What is outside: a directory with the names of ours and one more, and a file of its own that is linked to.
fn outside(site: &Site) -> PathBuf {
    let outside = site.path("outside");
    fs::create_dir(&outside).unwrap();
    for file in 0..FILES {
        fs::write(outside.join(format!("f{file}")), SECRET).unwrap();
    }
    fs::write(outside.join("only-outside"), SECRET).unwrap();
    fs::write(site.path("linked"), "linked").unwrap();
    outside
}

/// All that shows a change of what is outside; its links change with the racer's.
fn traces(site: &Site) -> Vec<String> {
    let mut paths = vec![site.path("outside"), site.path("linked")];
    paths.extend(fs::read_dir(site.path("outside")).unwrap().map(|entry| entry.unwrap().path()));
    paths.sort();
    let trace = |path: PathBuf| {
        let stat = fs::symlink_metadata(&path).unwrap();
        let contents = fs::read(&path).unwrap_or_default();
        let (owner, time) = ((stat.uid(), stat.gid()), (stat.mtime(), stat.mtime_nsec()));
        format!("{} {:o} {owner:?} {time:?} {}", path.display(), stat.mode(), contents.escape_ascii())
    };
    paths.into_iter().map(trace).collect()
}

/// What the racer keeps beside each thing that he swaps, in a directory that no push touches.
struct Racer<'r> {
    module: &'r Path,
    site: &'r Site,
    over: &'r AtomicBool,
    swaps: &'r AtomicU64,
}

impl Racer<'_> {
    /// Swaps two names of the module; he makes his own anew when it has gone.
    fn swap(&self, holder: &OwnedFd, ours: &str, his: &Path, make: &dyn Fn(&Path)) {
        if fs::symlink_metadata(his).is_err() {
            make(his);
        }
        for _ in 0..2 {
            let swapped = rustix::fs::renameat_with(holder, ours, CWD, his, RenameFlags::EXCHANGE);
            self.swaps.fetch_add(u64::from(swapped.is_ok()), Ordering::Relaxed);
        }
    }

    /// Directories become links that lead out, and back.
    fn directories(&self) {
        let link = |at: &Path| drop(symlink(self.site.path("outside"), at));
        let module = rustix::fs::open(self.module, HELD, Mode::empty()).unwrap();
        while !self.over.load(Ordering::Relaxed) {
            for number in 0..DIRS {
                let his = self.module.join("evil").join(dir(number));
                self.swap(&module, &dir(number), &his, &link);
                let at = self.module.join(dir(number));
                let flags = XattrFlags::empty();
                // It is no directory at times, and not every file system has ACLs.
                let _ = rustix::fs::lsetxattr(&at, "system.posix_acl_default", &ACL, flags);
                let _ = rustix::fs::lremovexattr(&at, "system.posix_acl_default");
            }
        }
    }

    /// Files become links that lead out, pipes, and second names of a file outside.
    fn files(&self) {
        let link = |at: &Path| drop(symlink(self.site.path("outside/f0"), at));
        let pipe = |at: &Path| {
            let _ = rustix::fs::mknodat(CWD, at, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0);
        };
        let linked = self.site.path("linked");
        let hard = |at: &Path| {
            let _ = rustix::fs::linkat(CWD, &linked, CWD, at, AtFlags::empty());
        };
        let kinds: [&dyn Fn(&Path); 3] = [&link, &pipe, &hard];
        while !self.over.load(Ordering::Relaxed) {
            for number in 0..DIRS * FILES {
                let (file, kind) = (number % FILES, number % kinds.len());
                // Not through his own link.
                let holder = self.module.join(dir(number / FILES));
                let Ok(holder) = rustix::fs::open(holder, HELD, Mode::empty()) else { continue };
                let his = self.module.join("evil").join(format!("f{number}"));
                self.swap(&holder, &format!("f{file}"), &his, kinds[kind]);
                // What was ours may have come to him for good.
                if number % 7 == 0 {
                    let _ = fs::remove_file(&his);
                }
            }
        }
    }
}

/// Fails if anything of what is outside is in a tree; the racer's own links are not followed.
fn assert_nothing_of_outside(tree: &Path) {
    let mut ahead = vec![tree.to_owned()];
    while let Some(path) = ahead.pop() {
        let Ok(stat) = fs::symlink_metadata(&path) else { continue };
        assert!(!path.ends_with("only-outside"), "{} is from outside", path.display());
        if stat.is_dir() {
            ahead.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else if stat.is_file() {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            assert!(!text.contains(SECRET), "{} has the contents of what is outside", path.display());
        }
    }
}

/// One session; how many operations on paths the server made at the least, by what it says it did.
fn session(site: &Site, arguments: &[&str]) -> u64 {
    let output = output_within(site.smsync().arg("--json").args(arguments), Duration::from_secs(60));
    let code = output.status.code();
    // Much can fail in such a tree, but nothing of us.
    assert!(code.is_some_and(|code| code != 70 && code != 64), "{arguments:?}: {output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let Some(last) = text.lines().last() else { return 0 };
    let end: serde_json::Value = serde_json::from_str(last).unwrap();
    let of = |name: &str| end[name].as_u64().unwrap_or(0);
    of("entries") + of("files") + of("changed") + of("made") + of("removed")
}

/// Pushes of one version after the other, with all that is extra removed.
fn pushes(site: &Site, inetd: &Inetd, over: &AtomicBool, count: &AtomicU64) {
    let sources = ["src", "src2"].map(|name| site.path(name).to_str().unwrap().to_owned());
    let remote = inetd.remote("m");
    while !over.load(Ordering::Relaxed) {
        for source in &sources {
            let push = ["push", "--delete", "--force-delete", "--exclude", "/evil", source, &remote];
            count.fetch_add(session(site, &push), Ordering::Relaxed);
        }
    }
}

/// Pulls into a directory that is empty each time.
fn pulls(site: &Site, inetd: &Inetd, over: &AtomicBool, count: &AtomicU64) {
    let (copy, remote) = (site.path("copy"), inetd.remote("m"));
    while !over.load(Ordering::Relaxed) {
        let _ = fs::remove_dir_all(&copy);
        fs::create_dir(&copy).unwrap();
        let pull = ["pull", "--exclude", "/evil", &remote, copy.to_str().unwrap()];
        count.fetch_add(session(site, &pull), Ordering::Relaxed);
        assert_nothing_of_outside(&copy);
        let check = ["check", "-c", &remote, copy.to_str().unwrap()];
        count.fetch_add(session(site, &check), Ordering::Relaxed);
    }
}

/// Who asks first what a path is, and then opens it by its path: what he sees of the outside within a second; on a busy
/// host it may take him longer to see anything.
fn naive(module: &Path) -> u64 {
    let (begun, mut escapes) = (Instant::now(), 0_u64);
    let over = |seconds| begun.elapsed() >= Duration::from_secs(seconds);
    while !over(1) || escapes == 0 && !over(20) {
        for number in 0..DIRS {
            let at = module.join(dir(number));
            if fs::symlink_metadata(&at).is_ok_and(|stat| stat.is_dir()) {
                let read = fs::read_to_string(at.join("only-outside"));
                escapes += u64::from(read.is_ok_and(|text| text == SECRET));
            }
        }
    }
    escapes
}

/// Ends the racer, also when the test fails.
struct Over<'o>(&'o AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_racer_in_the_module_gets_nothing_outside_touched() {
    let site = Site::in_memory();
    // Without the layers that would stop an escape: the way we walk has to.
    let open =
        site.server_conf("durable = none").replace("comment = a test\n", "sandbox = off\nuse chroot = no\n");
    site.write_private("smsyncd.conf", &open);
    build(&site.src(), 0);
    build(&site.path("src2"), 1);
    let module = site.dst();
    build(&module, 0);
    fs::create_dir(module.join("evil")).unwrap();
    outside(&site);
    let before = traces(&site);
    let inetd = site.serve();
    let (over, swaps, count) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let racer = Racer { module: &module, site: &site, over: &over, swaps: &swaps };
    let begun = Instant::now();
    let escapes = std::thread::scope(|scope| {
        let _end = Over(&over);
        scope.spawn(|| racer.directories());
        // The control: the swaps are such as would be fatal.
        let escapes = naive(&module);
        scope.spawn(|| racer.files());
        let running = [
            scope.spawn(|| pushes(&site, &inetd, &over, &count)),
            scope.spawn(|| pulls(&site, &inetd, &over, &count)),
        ];
        let wanted = races();
        while count.load(Ordering::Relaxed) < wanted && running.iter().all(|thread| !thread.is_finished()) {
            std::thread::sleep(Duration::from_millis(20));
        }
        over.store(true, Ordering::SeqCst);
        running.into_iter().for_each(|thread| thread.join().unwrap());
        escapes
    });
    let (count, swaps) = (count.into_inner(), swaps.into_inner());
    println!(
        "{count} operations under {swaps} swaps in {:?}, a naive walk escaped {escapes} times",
        begun.elapsed()
    );
    assert_eq!(traces(&site), before);
    assert_nothing_of_outside(&module);
    assert!(escapes > 0, "the racer is too slow");
    assert!(swaps > count / 10, "{swaps} swaps in {count} operations");
    until("the end of the servers", || inetd.ended().iter().all(|status| status.code() != Some(70)));
    assert!(!site.log().contains("our bug"), "{}", site.log());
    // And once he rests, the tree is as it was pushed.
    let _ = fs::remove_dir_all(module.join("evil"));
    let src = site.src();
    session(&site, &["push", "--delete", "--force-delete", src.to_str().unwrap(), &inetd.remote("m")]);
    assert_eq!(crate::common::rsync_differences(&src, &module), "");
}
