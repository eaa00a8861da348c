//! `--remove-source-files`: the sender removes what the receiver has, when the report has said that all of it is on the
//! receiver's disk. Nothing is removed before that.

use crate::digest::Content;
use crate::report::{Monitor, Problem, Problems, Report, Step};
use crate::session::Error;
use crate::spec::{Entry, Index, Kind, Spec, Time};
use crate::sys::{self, Dir, FileKind, Stat};
use crate::tree::{Cursor, Root};
use crate::wire::{Channel, Message, WireError};
use std::io;

/// What the receiver has: indices from the first number to before the second, strictly rising.
#[derive(Debug, Default)]
pub(super) struct Had {
    ranges: Vec<(u32, u32)>,
    /// Whether the tree of the receiver is the sender's own.
    own: bool,
}

impl Had {
    /// Takes `count` indices of `spec` from `first` on, of the tree at this place.
    pub(super) fn add(
        &mut self,
        spec: &Spec,
        root: &Root,
        (place, first, count): ([u8; 32], u32, u32),
    ) -> Result<(), WireError> {
        let end = first.checked_add(count).filter(|end| *end <= spec.len() && count > 0);
        match end {
            Some(end) if self.ranges.last().is_none_or(|(_, last)| first >= *last) => {
                self.own = self.own || is_own(spec, root, &place);
                self.ranges.push((first, end));
                Ok(())
            }
            _ => Err(WireError::Violation("an index is out of range or out of order")),
        }
    }
}

/// What stands for a directory, on this host until it is booted again, and for no directory of another host.
pub(super) fn place(dir: &Dir) -> io::Result<[u8; 32]> {
    let stat = dir.stat_self()?;
    let mut content = Content::new();
    content.update(&sys::ids::boot_id());
    for number in [u64::from(stat.dev.0), u64::from(stat.dev.1), stat.ino] {
        content.update(&number.to_be_bytes());
    }
    Ok(content.finish())
}

/// Whether any name at the sender's root is in this directory.
fn is_own(spec: &Spec, root: &Root, there: &[u8; 32]) -> bool {
    let tops = spec.iter().filter_map(|(_, entry)| {
        let (parent, name) = entry.path.split_last()?;
        parent.is_root().then(|| root.holder(name).map(place))?
    });
    // Where it cannot be told, it is.
    let mut places = tops.map(|place| place.map_or(true, |place| place == *there));
    places.any(|own| own)
}

/// Turn 5 at the sender: removes what the receiver has, unless something went wrong, and tells what came of it.
pub(super) fn take_away(
    channel: &mut Channel,
    (root, spec): (&Root, &Spec),
    had: &Had,
    begun: (i64, u32),
    report: Report,
    monitor: &mut dyn Monitor,
) -> Result<Report, Error> {
    let clean = report.problems == 0 && report.vanished == 0;
    let mut taken = Taken::default();
    if clean && had.own {
        let same = io::Error::from_raw_os_error(libc::EEXIST);
        taken.problems.push(Problem::new(&crate::path::RelPath::ROOT, Step::TakeAway, &same).of_sender());
    } else if clean {
        taken = channel.while_working(|| remove(root, spec, had, begun))?;
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

fn remove(root: &Root, spec: &Spec, had: &Had, begun: (i64, u32)) -> Taken {
    let mut taken = Taken::default();
    let mut cursor = Cursor::new(root, false);
    let indices = had.ranges.iter().flat_map(|(first, end)| *first..*end);
    for entry in indices.filter_map(|number| spec.index(number)).map(|index: Index| spec.entry(index)) {
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
