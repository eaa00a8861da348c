//! Samples the anonymous memory of a program while it runs: the kernel keeps a peak of all its memory only, in which
//! mapped files count.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two samples.
const PAUSE: Duration = Duration::from_millis(5);

/// Samples until it is told to end.
pub(crate) struct Watch {
    over: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Watch {
    /// Watches the processes of our own group, but for ourselves.
    pub(crate) fn start() -> Watch {
        let over = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let over = over.clone();
            move || {
                let mut most = 0;
                while !over.load(Ordering::SeqCst) {
                    most = most.max(largest());
                    std::thread::sleep(PAUSE);
                }
                most
            }
        });
        Watch { over, thread }
    }

    /// Bytes of the largest process at its largest.
    pub(crate) fn end(self) -> u64 {
        self.over.store(true, Ordering::SeqCst);
        self.thread.join().unwrap_or_default()
    }
}

/// Bytes of the largest process of our group now.
fn largest() -> u64 {
    let own = std::process::id();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let others = numbers.filter(|number| *number != own && group(*number) == Some(own));
    others.filter_map(anonymous).max().unwrap_or_default()
}

/// The group of a process: the third word after its name, which ends with the last bracket.
fn group(process: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    text.rsplit_once(") ")?.1.split(' ').nth(2)?.parse().ok()
}

fn anonymous(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}
