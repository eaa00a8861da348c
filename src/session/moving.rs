//! `--remove-source-files`: the sender removes what the receiver has, when the report has said that all of it is on the
//! receiver's disk. Nothing is removed before that.

use crate::digest::Content;
use crate::report::{Monitor, Problem, Problems, Report, Step};
use crate::session::Error;
use crate::session::ranges::Ranges;
use crate::spec::{Entry, Kind, Spec, Time};
use crate::sys::{self, Dir, FileKind, Stat};
use crate::tree::{Cursor, Root};
use crate::wire::message::Round;
use crate::wire::{Channel, Flags, Message, WireError};
use std::io;

/// Whether a round is to end with that.
pub(super) const fn is_asked(round: &Round) -> bool {
    round.remove_source && !round.flags.has(Flags::DRY_RUN)
}

/// What the receiver has, and where.
#[derive(Debug)]
pub(super) struct Had<'s> {
    ranges: Ranges<'s>,
    place: Option<[u8; 32]>,
}

impl<'s> Had<'s> {
    pub(super) fn new(spec: &'s Spec) -> Had<'s> {
        Had { ranges: Ranges::new(spec), place: None }
    }

    /// Takes `count` indices from `first` on, of the tree at this place.
    pub(super) fn add(&mut self, place: [u8; 32], first: u32, count: u32) -> Result<(), WireError> {
        if *self.place.get_or_insert(place) != place {
            return Err(WireError::Violation("what it has is in two places"));
        }
        self.ranges.add(first, count)
    }

    /// Whether the tree of the receiver is the sender's own.
    fn is_own(&self, root: &Root) -> bool {
        self.place.is_some_and(|place| is_own(self.ranges.spec(), root, &place))
    }
}

/// What stands for a directory, on this host until it is booted again, and for no directory of another host.
pub(super) fn place(dir: &Dir) -> io::Result<[u8; 32]> {
    let stat = dir.stat_self()?;
    let mut content = Content::new();
    content.update(sys::ids::boot_id());
    for number in [u64::from(stat.dev.0), u64::from(stat.dev.1), stat.ino] {
        content.update(&number.to_be_bytes());
    }
    Ok(content.finish())
}

/// Whether any name at the sender's root is in this directory.
fn is_own(spec: &Spec, root: &Root, there: &[u8; 32]) -> bool {
    let tops = spec.iter().filter_map(|(_, entry)| {
        let (parent, name) = entry.path.split_last()?;
        parent.is_root().then(|| root.holder(name).map(|holder| place(holder)))?
    });
    // Where it cannot be told, it is.
    let mut places = tops.map(|place| place.map_or(true, |place| place == *there));
    places.any(|own| own)
}

/// Turn 5 at the sender: removes what the receiver has, unless something went wrong, and tells what came of it.
pub(super) fn take_away(
    channel: &mut Channel,
    root: &Root,
    had: &Had<'_>,
    begun: (i64, u32),
    report: Report,
    monitor: &mut dyn Monitor,
) -> Result<Report, Error> {
    let clean = report.problems == 0 && report.vanished == 0;
    let mut taken = Taken::default();
    if clean && had.is_own(root) {
        let same = io::Error::from_raw_os_error(libc::EEXIST);
        taken.problems.push(Problem::new(&crate::path::RelPath::ROOT, Step::TakeAway, &same).of_sender());
    } else if clean {
        taken = channel.while_working(|| remove(root, had, begun))?;
    }
    let mut speaker = channel.speak();
    for problem in taken.problems.iter().chain(taken.kept.iter()) {
        monitor.problem(problem);
        speaker.say(&Message::Problem(problem.clone()))?;
    }
    let (removed, kept, problems) = (taken.removed, taken.kept.count(), taken.problems.count());
    speaker.say(&Message::TakenAway { removed, kept, problems })?;
    speaker.end()?;
    Ok(with(report, removed, kept, problems))
}

/// Turn 5 at the receiver.
pub(super) fn hear(
    channel: &mut Channel,
    report: Report,
    monitor: &mut dyn Monitor,
) -> Result<Report, Error> {
    let mut told = 0;
    let mut listener = channel.listen();
    loop {
        match listener.message()? {
            Message::Problem(_) if told == 2 * crate::limits::PROBLEMS => {
                return Err(WireError::Violation("too many problems").into());
            }
            Message::Problem(problem) => {
                told += 1;
                monitor.problem(&problem);
            }
            Message::TakenAway { removed, kept, problems } => {
                return Ok(with(report, removed, kept, problems));
            }
            _ => return Err(WireError::Violation("something else than what was taken away").into()),
        }
    }
}

fn with(report: Report, moved: u64, vanished: u64, problems: u64) -> Report {
    report.plus(&Report { moved, vanished, problems, ..Report::default() })
}

#[derive(Default)]
struct Taken {
    removed: u64,
    /// What is another thing by now, or gone.
    kept: Problems,
    problems: Problems,
}

fn remove(root: &Root, had: &Had<'_>, begun: (i64, u32)) -> Taken {
    let mut taken = Taken::default();
    let mut cursor = Cursor::new(root, false);
    for (_, entry) in had.ranges.entries() {
        if matches!(entry.kind, Kind::Dir | Kind::Socket) || entry.optional || entry.nochange {
            continue;
        }
        match remove_one(&mut cursor, &entry, begun) {
            Ok(()) => taken.removed += 1,
            Err(error) => {
                let changed = matches!(
                    error.raw_os_error(),
                    Some(libc::ESTALE | libc::ENOENT | libc::ENOTDIR | libc::ELOOP)
                );
                let list = if changed { &mut taken.kept } else { &mut taken.problems };
                list.push(Problem::new(&entry.path, Step::TakeAway, &error).of_sender());
            }
        }
    }
    taken
}

/// Removes what is still what was described, and was not touched since then.
fn remove_one(cursor: &mut Cursor<'_>, entry: &Entry<'_>, begun: (i64, u32)) -> io::Result<()> {
    let (holder, name) = cursor.holder(&entry.path)?;
    let stat = holder.stat(name)?;
    let target = if entry.kind == Kind::Link { Some(holder.read_link(name)?) } else { None };
    if is_as_described(&stat, entry, begun) && target.as_deref() == entry.link.as_deref() {
        holder.remove(name)
    } else {
        Err(io::Error::from_raw_os_error(libc::ESTALE))
    }
}

fn is_as_described(stat: &Stat, entry: &Entry<'_>, begun: (i64, u32)) -> bool {
    let kind = match stat.kind {
        Some(FileKind::Block) => Kind::Block,
        Some(FileKind::Char) => Kind::Char,
        Some(FileKind::Fifo) => Kind::Fifo,
        Some(FileKind::File) => Kind::File,
        Some(FileKind::Link) => Kind::Link,
        _ => return false,
    };
    let time = Time { sec: stat.mtime.0, nsec: stat.mtime.1 };
    // Removing one name of a file touches the others.
    let untouched = match entry.inode {
        Some(id) => id.inode == stat.ino && (id.device.major, id.device.minor) == stat.dev,
        None => stat.ctime <= begun,
    };
    kind == entry.kind
        && entry.size.is_none_or(|size| size == stat.size)
        && entry.time.is_none_or(|there| there == time)
        && untouched
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::RelPath;
    use crate::spec::SpecWriter;
    use crate::spec::{InodeId, Keywords};
    use crate::sys::Spool;

    fn spec(dir: &Dir) -> Spec {
        let mut writer = SpecWriter::new(Spool::create(dir).unwrap(), Keywords::TRANSFER).unwrap();
        writer.push(&Entry::new(RelPath::ROOT, Kind::Dir)).unwrap();
        for name in ["a", "b", "c"] {
            writer.push(&Entry::new(RelPath::ROOT.join(name.as_bytes()).unwrap(), Kind::Fifo)).unwrap();
        }
        writer.seal().unwrap()
    }

    #[test]
    fn what_the_receiver_has_is_in_order_and_in_range() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let open = |dir: &tempfile::TempDir| Dir::open_root(dir.path()).unwrap();
        let (spec, root) = (spec(&open(&here)), Root::new(open(&here)).unwrap());
        let there = place(&open(&there)).unwrap();
        let takes = |ranges: &[(u32, u32)]| {
            let mut had = Had::new(&spec);
            let taken = ranges.iter().try_for_each(|(first, count)| had.add(there, *first, *count));
            taken.is_ok() && !had.is_own(&root)
        };
        assert!(takes(&[(0, 4)]) && takes(&[(0, 1), (1, 2), (3, 1)]));
        for bad in
            [&[(0, 5)][..], &[(4, 1)], &[(0, 0)], &[(1, u32::MAX)], &[(1, 2), (2, 1)], &[(2, 1), (0, 1)]]
        {
            assert!(!takes(bad), "{bad:?}");
        }
        let mut had = Had::new(&spec);
        had.add(place(&open(&here)).unwrap(), 0, 2).unwrap();
        assert!(had.is_own(&root));
        assert!(had.add(there, 2, 1).is_err(), "it cannot be in two places");
    }

    #[test]
    fn what_was_touched_is_not_as_described() {
        let stat = Stat {
            kind: Some(FileKind::File),
            mode: 0o644,
            uid: 0,
            gid: 0,
            size: 3,
            blocks: 8,
            mtime: (5, 6),
            ctime: (7, 8),
            dev: (1, 2),
            ino: 9,
            nlink: 1,
            rdev: (0, 0),
        };
        let file = Entry {
            size: Some(3),
            time: Some(Time { sec: 5, nsec: 6 }),
            ..Entry::new(RelPath::ROOT, Kind::File)
        };
        let is = |stat: Stat, entry: &Entry<'_>, begun| is_as_described(&stat, entry, begun);
        assert!(is(stat, &file, (7, 8)) && !is(stat, &file, (7, 7)));
        assert!(!is(Stat { size: 4, ..stat }, &file, (7, 8)));
        assert!(!is(Stat { mtime: (5, 7), ..stat }, &file, (7, 8)));
        assert!(!is(Stat { kind: Some(FileKind::Socket), ..stat }, &file, (7, 8)));
        let device = crate::spec::Device { major: 1, minor: 2 };
        let linked = Entry { inode: Some(InodeId { device, inode: 9 }), ..file };
        assert!(is(stat, &linked, (0, 0)) && !is(Stat { ino: 10, ..stat }, &linked, (7, 8)));
    }
}
