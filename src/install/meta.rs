//! Owner, mode and time: on the descriptor before a file gets its name, by one name where nothing can be opened.

use crate::install::{Failure, at};
use crate::plan::Owners;
use crate::report::{Feature, Step, Unsupported};
use crate::spec::{Entry, Kind, Time};
use crate::sys::xattr::{self, ByName, Settled};
use crate::sys::{self, Dir, File, Stat};
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Sets metadata as a specification wants them, in the order chown, setxattr, chmod, times: chown clears the set-id bits,
/// and nothing may touch a file after its time was set.
#[derive(Debug)]
pub struct Meta<'o> {
    owners: &'o Owners,
    /// Whether extended attributes are carried.
    xattrs: bool,
    /// Entries that belong to somebody else than they should, for want of privilege.
    unowned: AtomicU64,
    /// Entries without something that the file system does not keep.
    unsupported: AtomicU64,
    /// What that is, each with the first entry that goes without.
    lost: Mutex<Vec<Unsupported>>,
    /// Whether the file system was seen to keep nanoseconds.
    keeps_time: AtomicBool,
    /// Whose files are that this process makes.
    own: (u32, u32),
    /// Whether one that was made in the stage was seen to be as it was made: ours, and without attributes.
    made_so: AtomicBool,
}

/// Permissions of a file of which the specification does not tell them.
pub(super) const FILE_MODE: u32 = 0o644;
/// Likewise of a directory.
const DIR_MODE: u32 = 0o755;

/// An id to be set, if it is not there already.
fn other(want: Option<u32>, have: u32) -> Option<u32> {
    want.filter(|id| *id != have)
}

impl<'o> Meta<'o> {
    /// By these rules of ownership.
    #[must_use]
    pub fn new(owners: &'o Owners, xattrs: bool) -> Meta<'o> {
        Meta {
            owners,
            xattrs,
            unowned: AtomicU64::new(0),
            unsupported: AtomicU64::new(0),
            lost: Mutex::default(),
            keeps_time: AtomicBool::new(false),
            own: (sys::ids::euid(), sys::ids::egid()),
            made_so: AtomicBool::new(false),
        }
    }

    /// How many entries belong to somebody else than they should.
    #[must_use]
    pub fn unowned(&self) -> u64 {
        self.unowned.load(Ordering::Relaxed)
    }

    /// How many entries go without something that the file system does not keep.
    #[must_use]
    pub fn unsupported(&self) -> u64 {
        self.unsupported.load(Ordering::Relaxed)
    }

    /// What the file system does not keep, each with the first entry that goes without.
    #[must_use]
    pub fn lost(&self) -> Vec<Unsupported> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// That an entry goes without these.
    fn lose(&self, want: &Entry<'_>, features: &[Feature]) {
        if features.is_empty() {
            return;
        }
        self.unsupported.fetch_add(1, Ordering::Relaxed);
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        for feature in features {
            match lost.iter_mut().find(|lost| lost.feature == *feature) {
                Some(lost) => lost.entries += 1,
                None => {
                    let path = want.path.clone().into_owned();
                    lost.push(Unsupported { feature: *feature, path, entries: 1 });
                }
            }
        }
    }

    /// Extended attributes come after the owner, whose change drops capabilities, and before the mode: who may not write
    /// to what is his may not set them, and an ACL changes the mode. Says whether the mode must be set now.
    fn attributes(
        &self,
        file: impl AsFd,
        want: &Entry<'_>,
        mode: u32,
        set_mode: impl Fn(u32) -> io::Result<()>,
    ) -> Result<bool, Failure> {
        if !self.xattrs {
            return Ok(false);
        }
        let wanted = self.owners.xattrs(want);
        match xattr::set_open(&file, wanted.values()) {
            Err(error) if error.raw_os_error() == Some(libc::EACCES) && mode & 0o200 == 0 => {
                set_mode(mode | 0o200).map_err(at(Step::Mode))?;
                let done = self.settled(want, xattr::set_open(&file, wanted.values()));
                set_mode(mode).map_err(at(Step::Mode))?;
                done
            }
            done => self.settled(want, done),
        }
    }

    /// A file system that cannot keep them is counted and no failure.
    fn settled(&self, want: &Entry<'_>, done: io::Result<Settled>) -> Result<bool, Failure> {
        let Settled { changed, without_attributes, without_acls } = done.map_err(at(Step::Xattr))?;
        let lost = [(Feature::Xattrs, without_attributes), (Feature::Acls, without_acls)];
        let lost: Vec<Feature> = lost.into_iter().filter_map(|(feature, is)| is.then_some(feature)).collect();
        self.lose(want, &lost);
        Ok(changed)
    }

    /// Looks what became of the time that was set, until it was seen that nanoseconds are kept.
    fn keeps_time(&self, file: &File, want: &Entry<'_>, time: Time) -> io::Result<()> {
        if time.nsec == 0 || self.keeps_time.load(Ordering::Relaxed) {
            return Ok(());
        }
        if file.stat()?.mtime != (time.sec, time.nsec) {
            self.lose(want, &[Feature::Times]);
        } else if !time.nsec.is_multiple_of(100) {
            // Some file systems keep hundreds of nanoseconds: that one of those is kept tells nothing of others.
            self.keeps_time.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The owner and group to be set, given those that are there.
    fn owner(&self, want: &Entry<'_>, (uid, gid): (u32, u32)) -> (Option<u32>, Option<u32>) {
        let (user, group) = (self.owners.user(want), self.owners.group(want));
        if self.owners.falls_short(want, uid, gid) {
            self.unowned.fetch_add(1, Ordering::Relaxed);
        }
        (other(user, uid), other(group, gid))
    }

    /// Of a regular file that was made in the stage with this mode. The first one is examined; the others are like it.
    pub(super) fn made(&self, file: &File, mode: u32, want: &Entry<'_>, time: Time) -> Result<(), Failure> {
        if !self.made_so.load(Ordering::Relaxed) {
            let stat = file.stat().map_err(at(Step::Write))?;
            let bare = !self.xattrs || xattr::of_open(file).map_err(at(Step::Xattr))?.is_empty();
            let so = bare && (stat.uid, stat.gid) == self.own && stat.mode == mode;
            self.made_so.store(so, Ordering::Relaxed);
            return self.file(file, &stat, want, time);
        }
        let (uid, gid) = self.owner(want, self.own);
        if uid.is_some() || gid.is_some() {
            file.set_owner(uid, gid).map_err(at(Step::Owner))?;
        }
        let none = !self.xattrs || self.owners.xattrs(want).values().next().is_none();
        let changed = !none && self.attributes(file, want, mode, |mode| file.set_mode(mode))?;
        let wanted = want.mode.unwrap_or(FILE_MODE);
        if changed || wanted != mode {
            file.set_mode(wanted).map_err(at(Step::Mode))?;
        }
        file.set_time((time.sec, time.nsec)).map_err(at(Step::Time))?;
        self.keeps_time(file, want, time).map_err(at(Step::Time))
    }

    /// Of a regular file that is open.
    ///
    /// # Errors
    /// What was refused.
    pub fn file(&self, file: &File, stat: &Stat, want: &Entry<'_>, time: Time) -> Result<(), Failure> {
        let (uid, gid) = self.owner(want, (stat.uid, stat.gid));
        let chown = uid.is_some() || gid.is_some();
        if chown {
            file.set_owner(uid, gid).map_err(at(Step::Owner))?;
        }
        let changed = self.attributes(file, want, stat.mode, |mode| file.set_mode(mode))?;
        let mode = want.mode.unwrap_or(FILE_MODE);
        if chown || changed || mode != stat.mode {
            file.set_mode(mode).map_err(at(Step::Mode))?;
        }
        file.set_time((time.sec, time.nsec)).map_err(at(Step::Time))?;
        self.keeps_time(file, want, time).map_err(at(Step::Time))
    }

    /// Of a directory that was opened for listing, when nothing more will be done in it.
    ///
    /// # Errors
    /// What was refused.
    pub fn open_dir(&self, dir: &Dir, want: &Entry<'_>, new: bool) -> Result<(), Failure> {
        let stat = dir.stat_self().map_err(at(Step::Stat))?;
        let (uid, gid) = self.owner(want, (stat.uid, stat.gid));
        let chown = uid.is_some() || gid.is_some();
        if chown {
            dir.set_own_owner(uid, gid).map_err(at(Step::Owner))?;
        }
        let changed = self.attributes(dir, want, stat.mode, |mode| dir.set_own_mode(mode))?;
        // An access list has a mode in it, which is none that was said.
        if let Some(mode) = want.mode.or(new.then_some(DIR_MODE)).or(changed.then_some(stat.mode))
            && (chown || changed || mode != stat.mode)
        {
            dir.set_own_mode(mode).map_err(at(Step::Mode))?;
        }
        match want.time {
            Some(time) if (time.sec, time.nsec) != stat.mtime => {
                dir.set_own_time((time.sec, time.nsec)).map_err(at(Step::Time))
            }
            _ => Ok(()),
        }
    }

    /// Of a name that cannot be opened: a symbolic link, a device, a named pipe. Their modes are given when they are
    /// made.
    ///
    /// # Errors
    /// What was refused.
    pub fn unopened(&self, holder: &Dir, name: &[u8], want: &Entry<'_>) -> Result<(), Failure> {
        let stat = holder.stat(name).map_err(at(Step::Stat))?;
        let (uid, gid) = self.owner(want, (stat.uid, stat.gid));
        if uid.is_some() || gid.is_some() {
            holder.set_owner(name, uid, gid).map_err(at(Step::Owner))?;
        }
        if self.xattrs {
            let wanted = self.owners.xattrs(want);
            let set =
                ByName::run(|there| there.enter(holder).and_then(|()| there.set(name, wanted.values())));
            self.settled(want, set.and_then(|set| set))?;
            // As of what is open: an access list has a mode in it.
            if want.mode.is_none()
                && want.kind != Kind::Link
                && holder.stat(name).map_err(at(Step::Stat))?.mode != stat.mode
            {
                holder.set_mode(name, stat.mode).map_err(at(Step::Mode))?;
            }
        }
        match want.time {
            Some(time) => holder.set_time(name, (time.sec, time.nsec)).map_err(at(Step::Time)),
            None => Ok(()),
        }
    }

    /// Of a name that exists already, as `have` says, and of which only metadata differ. Gives back the file if it is
    /// one and could be opened.
    ///
    /// # Errors
    /// What was refused.
    pub fn in_place(
        &self,
        holder: &Dir,
        name: &[u8],
        want: &Entry<'_>,
        have: &Entry<'_>,
    ) -> Result<Option<File>, Failure> {
        if want.kind != Kind::File {
            return self.unopened(holder, name, want).map(|()| None);
        }
        let as_examined = |stat: &Stat| {
            let time = Time { sec: stat.mtime.0, nsec: stat.mtime.1 };
            stat.nlink == have.names() && Some(stat.size) == have.size && Some(time) == have.time
        };
        match holder.open_file(name) {
            // Somebody gave the file one more name since it was examined: it may be his, and not ours to change. Or he
            // wrote to it, and with the wanted time it would pass for what is wanted.
            Ok((_, stat)) if !as_examined(&stat) => {
                Err((Step::Mode, std::io::Error::from_raw_os_error(libc::ESTALE)))
            }
            Ok((file, stat)) => {
                let time = want.time.unwrap_or(Time { sec: stat.mtime.0, nsec: stat.mtime.1 });
                let mode = want.mode.unwrap_or(stat.mode);
                self.file(&file, &stat, &Entry { mode: Some(mode), ..want.clone() }, time)?;
                Ok(Some(file))
            }
            Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
                self.unreadable(holder, name, want).map(|()| None)
            }
            Err(error) => Err((Step::Mode, error)),
        }
    }

    /// Of a file or directory that an ordinary user owns and may not read.
    pub(super) fn unreadable(&self, holder: &Dir, name: &[u8], want: &Entry<'_>) -> Result<(), Failure> {
        let stat = holder.stat(name).map_err(at(Step::Stat))?;
        self.unopened(holder, name, want)?;
        match want.mode {
            Some(mode) if mode != stat.mode => holder.set_mode(name, mode).map_err(at(Step::Mode)),
            _ => Ok(()),
        }
    }
}
