//! Leaves nothing running and nothing behind: whatever is started or made is registered here and goes at the end, also
//! when that end is a signal.

use anyhow::{Context, Result, bail};
use nix::sys::signal::{SigSet, Signal};
use rustix::process::{Pid, kill_process_group};
use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Mutex;
use std::time::Duration;

/// Process groups that are running, and whether no more may be started.
struct Running {
    groups: BTreeSet<u32>,
    over: bool,
}

static RUNNING: Mutex<Running> = Mutex::new(Running { groups: BTreeSet::new(), over: false });

fn running() -> std::sync::MutexGuard<'static, Running> {
    RUNNING.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A child that leads a process group, which ends with this value.
pub(crate) struct Group(pub(crate) Child);

impl Group {
    pub(crate) fn start(command: &mut Command) -> Result<Group> {
        let mut running = running();
        if running.over {
            bail!("interrupted");
        }
        let name = command.get_program().to_owned();
        let child = command
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", name.to_string_lossy()))?;
        running.groups.insert(child.id());
        Ok(Group(child))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // After a child that was waited for, its number may be another's, so nothing is killed then.
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            kill(self.0.id());
            let _ = self.0.wait();
        }
        running().groups.remove(&self.0.id());
    }
}

fn kill(group: u32) {
    if let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, rustix::process::Signal::KILL);
    }
}

/// The directory in it where a file system may be mounted.
pub(crate) const DISK: &str = "disk";

/// Takes it away, though files may be open in it.
pub(crate) fn unmount(at: &Path) {
    let _ = nix::mount::umount2(at, nix::mount::MntFlags::MNT_DETACH);
}

/// The directory everything is in.
pub(crate) struct Place(PathBuf);

impl Place {
    /// Makes it below `above`, and from then on lets a signal end all that runs and remove it.
    ///
    /// To be called before any thread is started: signals are blocked in all of them but one.
    pub(crate) fn make(above: &Path) -> Result<Place> {
        let mut signals = SigSet::empty();
        [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().for_each(|signal| signals.add(signal));
        signals.thread_block()?;
        let path = above.join(format!("smsync-bench-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let place = Place(path.clone());
        std::thread::spawn(move || {
            if signals.wait().is_ok() {
                end(&path);
                std::process::exit(130);
            }
        });
        Ok(place)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        end(&self.0);
    }
}

/// Ends all that runs and removes the directory. Who comes second waits until the first is done.
fn end(path: &Path) {
    let mut running = running();
    running.over = true;
    running.groups.iter().for_each(|group| kill(*group));
    unmount(&path.join(DISK));
    // Under another name nothing new can be made in it by a thread that does not know yet.
    let gone = path.with_extension("gone");
    let _ = std::fs::rename(path, &gone);
    for _ in 0..100 {
        match std::fs::remove_dir_all(&gone) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                // A process that was killed is still at its last call.
                std::thread::sleep(Duration::from_millis(50));
            }
            _ => break,
        }
    }
}

/// Lets signals through again, in a process that was started with them blocked.
pub(crate) fn unblock() -> Result<()> {
    Ok(SigSet::empty().thread_set_mask()?)
}
