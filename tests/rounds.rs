//! Several rounds in one connection: each finds the tree as the one before left it.

use crate::common::{Inetd, Site, rsync_differences};
use smsync::path::{RelPath, Scope};
use smsync::report::{Census, Change, Monitor, Problem, Progress, Refusal, Report, Unsupported};
use smsync::secret::Secret;
use smsync::session::{Baselines, Hello, Offer, deliver, greet_client, offer};
use smsync::spec::{Keywords, SpecWriter};
use smsync::sys::{Dir, Spool, Stream};
use smsync::tree::{Remembered, Root, Scan, View, scan};
use smsync::wire::message::{Direction, Round};
use smsync::wire::noise::Cipher;
use smsync::wire::{Channel, Flags, Message};
use std::fs;
use std::net::TcpStream;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(30);

/// Collects what is told.
#[derive(Default)]
struct Told(Vec<String>);

impl Monitor for Told {
    fn problem(&mut self, problem: &Problem) {
        self.0.push(problem.to_string());
    }

    fn change(&mut self, change: &Change) {
        self.0.push(change.to_string());
    }

    fn refusal(&mut self, refusal: &Refusal) {
        self.0.push(refusal.to_string());
    }

    fn census(&mut self, _: &Census) {}

    fn unsupported(&mut self, lost: &Unsupported) {
        self.0.push(lost.to_string());
    }

    fn progress(&mut self, _: &Progress) {}
}

/// One round of a push, by the steps of smsync(4); `first` when the server is still to say `Welcome`.
fn round(channel: &mut Channel, site: &Site, flags: Flags, first: bool) -> (Report, Vec<String>) {
    let (root, scope, keywords) = (Root::open(&site.src()).unwrap(), Scope::default(), Keywords::TRANSFER);
    let round = Round::new(Direction::Push, flags, keywords, scope.clone());
    channel.speak().say(&Message::Round(round.clone())).unwrap();
    let spool = Spool::create(&Dir::open_root(&site.path("spool")).unwrap()).unwrap();
    let mut writer = SpecWriter::new(spool, keywords).unwrap();
    let (view, stop) = (View::Sender, None);
    let what =
        Scan { scope: &scope, keywords, one_file_system: false, sockets: true, view, remembered: None, stop };
    let scanned = scan(&root, what, &mut writer).unwrap();
    let described = Offer::new(writer.seal().unwrap(), scanned, smsync::sys::clock::now());
    let mut told = Told::default();
    let said = offer(channel, &described, &Baselines::none(), &mut told).unwrap();
    if first {
        assert!(matches!(channel.listen().message().unwrap(), Message::Welcome { .. }));
    }
    let report =
        deliver(channel, (&root, &Remembered::none()), (&described, said), &round, &mut told).unwrap();
    (report, told.0)
}

/// A connection about this path of the module.
fn open(site: &Site, inetd: &Inetd, path: RelPath<'_>) -> Channel {
    let stream = Stream::new(TcpStream::connect(("127.0.0.1", inetd.port)).unwrap().into());
    let secret = Secret::parse(&site.secret).unwrap();
    let hello = Hello { user: "", secret: &secret, cipher: Cipher::ChaChaPoly };
    let mut channel = greet_client(stream, &hello, Instant::now() + LIMIT, LIMIT).unwrap();
    channel.speak().say(&Message::Open { module: "m".into(), path }).unwrap();
    channel
}

#[test]
fn what_a_dry_run_would_make_the_next_round_makes() {
    let site = Site::new();
    fs::write(site.src().join("f"), "one\n").unwrap();
    let inetd = site.serve();
    let mut channel = open(&site, &inetd, RelPath::new(&b"new"[..]).unwrap());
    let (said, _) = round(&mut channel, &site, Flags::DRY_RUN, true);
    assert!(!site.dst().join("new").exists());
    let (done, _) = round(&mut channel, &site, Flags::NONE, false);
    assert_eq!(said, done);
    assert_eq!(rsync_differences(&site.src(), &site.dst().join("new")), "");
    bye(&mut channel, &inetd);
}

#[test]
fn each_round_finds_what_the_last_one_left() {
    let site = Site::new();
    fs::create_dir(site.src().join("d")).unwrap();
    fs::write(site.src().join("d/f"), "one\n").unwrap();
    let inetd = site.serve();
    let mut channel = open(&site, &inetd, RelPath::ROOT);

    let (report, told) = round(&mut channel, &site, Flags::ITEMIZE, true);
    assert_eq!((report.files, report.problems), (1, 0), "{told:?}");
    assert_eq!(rsync_differences(&site.src(), &site.dst()), "");
    // The tree is as it was left, its root too: what a second round finds was not read before the first.
    let (report, told) = round(&mut channel, &site, Flags::ITEMIZE, false);
    assert_eq!((report.equal(), told), (true, vec![]));

    fs::remove_dir_all(site.src().join("d")).unwrap();
    fs::write(site.src().join("g"), "two\n").unwrap();
    let (report, _) = round(&mut channel, &site, Flags::DELETE, false);
    assert_eq!((report.files, report.removed), (1, 2));
    assert_eq!(rsync_differences(&site.src(), &site.dst()), "");
    bye(&mut channel, &inetd);
}

fn bye(channel: &mut Channel, inetd: &Inetd) {
    let mut speaker = channel.speak();
    speaker.say(&Message::Bye).unwrap();
    speaker.end().unwrap();
    assert!(inetd.ended().iter().all(std::process::ExitStatus::success));
}
