//! Nothing anybody writes may forge, flood or break the log.

use super::*;

/// A log in a file, and what its records say without date and process id.
struct Trial {
    dir: tempfile::TempDir,
    log: Log,
}

impl Trial {
    fn new(debug: u8) -> Trial {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::open(&Destination::File(dir.path().join("log")), debug).unwrap();
        Trial { dir, log }
    }

    fn texts(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.dir.path().join("log")).unwrap();
        text.lines().map(|line| line.split_once("] ").unwrap().1.to_owned()).collect()
    }
}

#[test]
fn a_text_cannot_forge_a_record() {
    let trial = Trial::new(0);
    trial.log.notice("a\n2026/11/21 20:15:03 [1] forged <3> %s %n \u{1b}[2J\u{202e}\u{85}");
    let expected = "a\\0122026/11/21 20:15:03 [1] forged <3> %s %n \\033[2J\\342\\200\\256\\302\\205";
    assert_eq!(trial.texts(), [expected]);
}

#[test]
fn a_record_stays_below_a_kibibyte() {
    let trial = Trial::new(0);
    trial.log.notice("\u{e9}".repeat(100_000));
    trial.log.notice("x".repeat(limits::LOG_TEXT));
    let path = trial.dir.path().join("log");
    assert!(std::fs::read_to_string(path).unwrap().lines().all(|line| line.len() < 1024));
    let texts = trial.texts();
    assert_eq!(texts[1], "x".repeat(limits::LOG_TEXT));
    let (kept, rest) = texts[0].split_once("\u{2026}(+").unwrap();
    let rest: usize = rest.strip_suffix(')').unwrap().parse().unwrap();
    assert_eq!(kept.len() + rest, 200_000);
}

#[test]
fn verbosity_rises_with_each_d() {
    for (debug, shown) in [(0, 3), (1, 4), (2, 5), (9, 5)] {
        let trial = Trial::new(debug);
        trial.log.error("error");
        trial.log.warning("warning");
        trial.log.notice("notice");
        trial.log.info("info");
        trial.log.debug("debug");
        assert_eq!(trial.texts(), ["error", "warning", "notice", "info", "debug"][..shown]);
    }
}

#[test]
fn a_session_cannot_fill_the_disk() {
    let trial = Trial::new(0);
    trial.log.notice("before");
    trial.log.limit();
    for _ in 0..limits::LOG_RECORDS + 7 {
        trial.log.notice("x");
    }
    trial.log.finish();
    let texts = trial.texts();
    assert_eq!(texts.iter().filter(|text| *text == "x").count(), 1000);
    assert_eq!(texts.len(), 1003);
    assert_eq!(texts[1001], "too many log records, the rest is only counted");
    assert_eq!(texts[1002], "7 further log records were not written");
}

#[test]
fn details_do_not_crowd_out_what_was_done() {
    let trial = Trial::new(2);
    trial.log.limit();
    for _ in 0..limits::LOG_RECORDS {
        trial.log.warning("a problem");
        trial.log.debug("a change");
    }
    trial.log.notice("a round");
    let texts = trial.texts();
    assert_eq!(texts[..500].iter().filter(|text| text.starts_with("a ")).count(), 500);
    assert_eq!(texts[500..], ["too many log records, the rest is only counted", "a round"]);
    (0..limits::LOG_RECORDS).for_each(|_| trial.log.notice("another"));
    trial.log.error("the end");
    assert_eq!(trial.texts().len(), 1002);
    assert_eq!(trial.texts()[1001], "the end");
}

#[test]
fn lost_records_are_counted() {
    let full = Log::open(&Destination::File("/dev/full".into()), 0).unwrap();
    full.notice("one");
    full.notice("two");
    assert_eq!(full.sink().lost, 2);
    let trial = Trial::new(0);
    trial.log.sink().lost = 2;
    trial.log.notice("three");
    trial.log.notice("four");
    assert_eq!(trial.texts(), ["2 log records were lost", "three", "four"]);
}

#[test]
fn copies_are_one_log_in_any_thread() {
    let trial = Trial::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let log = &trial.log;
            scope.spawn(move || (0..50).for_each(|_| log.notice("x".repeat(500))));
        }
    });
    assert!(trial.texts().iter().all(|text| text.len() == 500));
    assert_eq!(trial.texts().len(), 200);
}

#[test]
fn an_unusable_log_file_is_named() {
    let error = Log::open(&Destination::File("/nonexistent/a\nb".into()), 0).err().unwrap().to_string();
    assert!(error.starts_with("cannot open log file /nonexistent/a\\012b: "), "{error}");
}

#[test]
fn a_panic_is_one_record() {
    let trial = Trial::new(0);
    trial.log.report_panics();
    let caught = std::panic::catch_unwind(|| panic!("boom\n2026/11/21 20:15:03 [1] forged"));
    // While the sink is locked by the panicking thread itself, the record is dropped instead of waited for.
    let locked = std::panic::catch_unwind(|| {
        let _sink = trial.log.sink();
        panic!("while writing")
    });
    let _ = std::panic::take_hook();
    assert!(caught.is_err() && locked.is_err());
    let texts = trial.texts();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(
        texts[0].starts_with("our bug, please report it: panicked at src/server/log/tests.rs:"),
        "{texts:?}"
    );
    assert!(texts[0].ends_with(": boom 2026/11/21 20:15:03 [1] forged"), "{texts:?}");
    trial.log.notice("still works");
    assert_eq!(trial.texts().len(), 2);
}

#[test]
fn a_syslogd_that_was_started_anew_is_told_what_was_lost() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let anew = || {
        let _ = std::fs::remove_file(&path);
        let daemon = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        daemon.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        daemon
    };
    let received = |daemon: &std::os::unix::net::UnixDatagram| {
        let mut record = [0; 2048];
        let length = daemon.recv(&mut record).unwrap();
        let record = String::from_utf8(record[..length].to_vec()).unwrap();
        record.split_once("]: ").unwrap().1.to_owned()
    };
    let daemon = anew();
    let out = Out::Syslog(Syslog::at(&path, 3, "tag"));
    let log = Log::new(out, Level::Notice);
    log.notice("one");
    assert_eq!(received(&daemon), "one");
    // A process that another test is about to start has it too, until it is another program.
    daemon.shutdown(std::net::Shutdown::Both).unwrap();
    log.notice("nobody takes it");
    log.notice("nor this");
    let daemon = anew();
    log.notice("two");
    assert_eq!([received(&daemon), received(&daemon)], ["2 log records were lost", "two"]);
    // A confined process has no way to the next one, but knows what it could not say.
    log.confine();
    // A process that another test is about to start has it too, until it is another program.
    daemon.shutdown(std::net::Shutdown::Both).unwrap();
    let _daemon = anew();
    log.notice("lost");
    log.notice("lost too");
    assert_eq!((log.lost(), log.lost()), (2, 0));
}
