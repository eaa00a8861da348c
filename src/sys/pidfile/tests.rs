//! One daemon at a time holds the file, whoever else is there, and nothing else is lost.

use super::*;
use std::os::unix::fs::MetadataExt;

#[test]
fn one_holder_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pid");
    // What a crash left, longer than ours.
    std::fs::write(&path, "4000000000000000\n\n").unwrap();
    let first = PidFile::take(&path).unwrap();
    let pid = std::process::id();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{pid}\n"));
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o644);
    let refused = PidFile::take(&path).unwrap_err();
    assert_eq!(refused.to_string(), format!("already running as pid {pid}"));
    assert!(path.exists(), "a refused start must not take the file away");
    drop(first);
    assert!(!path.exists());
    drop(PidFile::take(&path).unwrap());
}

#[test]
fn a_start_at_the_moment_of_an_end_excludes_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pid");
    let holders = std::sync::atomic::AtomicU32::new(0);
    let order = std::sync::atomic::Ordering::SeqCst;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..300 {
                    let Ok(held) = PidFile::take(&path) else { continue };
                    assert_eq!(holders.fetch_add(1, order), 0, "two daemons");
                    std::thread::sleep(std::time::Duration::from_micros(100));
                    holders.fetch_sub(1, order);
                    drop(held);
                }
            });
        }
    });
    assert!(!path.exists());
}

/// A file that a crash left, locked by somebody who may read it.
fn held_by_a_stranger(path: &Path) -> File {
    std::fs::write(path, "4000000000\n").unwrap();
    let stranger = File::open(path).unwrap();
    let whole = libc::flock { l_type: 0, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };
    assert_eq!(libc::F_RDLCK, 0);
    nix::fcntl::fcntl(&stranger, nix::fcntl::FcntlArg::F_OFD_SETLK(&whole)).unwrap();
    rustix::fs::flock(&stranger, rustix::fs::FlockOperation::LockExclusive).unwrap();
    stranger
}

#[test]
fn what_a_stranger_holds_stops_no_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pid");
    let stranger = held_by_a_stranger(&path);
    let held = PidFile::take(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o644);
    assert!(matches!(PidFile::take(&path), Err(PidFileError::Running(_))), "ours is replaced");
    drop(stranger);
    drop(held);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn of_many_starts_that_meet_a_stranger_one_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pid");
    for _ in 0..100 {
        let stranger = held_by_a_stranger(&path);
        let start = std::sync::Barrier::new(4);
        let taken: Vec<_> = std::thread::scope(|scope| {
            let starts = [(); 4].map(|()| {
                scope.spawn(|| {
                    start.wait();
                    PidFile::take(&path)
                })
            });
            starts.map(|start| start.join().unwrap()).into_iter().filter_map(Result::ok).collect()
        });
        assert_eq!(taken.len(), 1, "daemons");
        drop(stranger);
        drop(taken);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn leaves_another_file_of_that_name_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pid");
    let held = PidFile::take(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "another").unwrap();
    drop(held);
    assert_eq!(std::fs::read(&path).unwrap(), b"another");
}

#[test]
fn overwrites_nothing_but_process_ids() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pid");
    for precious in
        ["precious\n", "4000 and more\n", "-1\n", "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", "\u{663}\n"]
    {
        std::fs::write(&path, precious).unwrap();
        let Err(PidFileError::Io(error)) = PidFile::take(&path) else { panic!("{precious:?} is lost") };
        assert!(error.to_string().contains("something else than a process id"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), precious);
    }
    for stale in ["", "\n", "1", "4194304\n", "  1234\n", "\0\0\0\0\0"] {
        std::fs::write(&path, stale).unwrap();
        drop(PidFile::take(&path).unwrap());
        assert!(!path.exists());
    }
}

#[test]
fn what_is_in_the_way_beside_it_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (path, gate) = (dir.path().join("pid"), dir.path().join("pid.new"));
    std::fs::write(&gate, "precious").unwrap();
    let refused = [PidFile::take(&path).unwrap_err().to_string(), {
        std::fs::write(&path, "").unwrap();
        crate::sys::usable::pid_file(&path).unwrap_err().to_string()
    }];
    for said in refused {
        assert!(said.starts_with(gate.to_str().unwrap()) && said.contains("something else"), "{said}");
    }
    assert_eq!(std::fs::read(&gate).unwrap(), b"precious");
}

#[test]
fn writes_through_no_link() {
    let dir = tempfile::tempdir().unwrap();
    let [target, soft, hard] = ["target", "soft", "hard"].map(|name| dir.path().join(name));
    std::fs::write(&target, "precious").unwrap();
    std::os::unix::fs::symlink(&target, &soft).unwrap();
    std::fs::hard_link(&target, &hard).unwrap();
    for path in [&soft, &hard, &dir.path().to_owned()] {
        assert!(matches!(PidFile::take(path), Err(PidFileError::Io(_))), "{}", path.display());
    }
    assert_eq!(std::fs::read(&target).unwrap(), b"precious");
}
