//! Programs that start smsyncd: each ends when its test does.

use super::Site;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A port of this host on which nobody listens.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until a condition holds.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "{what} never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A starter that runs; dropping it ends it.
pub struct Starter(Child);

impl Starter {
    #[track_caller]
    pub fn start(site: &Site, package: &str, command: &mut Command) -> Starter {
        let log = fs::File::create(site.path("starter.log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let program = command.get_program().to_owned();
        Starter(command.spawn().unwrap_or_else(|error| {
            panic!("{program:?}: {error}: install the Debian package {package} (tests/setup does)")
        }))
    }

    pub fn end(mut self) {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Starter {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}
