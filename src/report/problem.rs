//! A failing entry: it is reported to both sides, and the run goes on.

use crate::limits;
use crate::path::RelPath;
use crate::sys;

/// What was being done when an entry failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Step {
    /// Listing a directory of the sender.
    List = 1,
    /// Reading the metadata or target of a name.
    Stat,
    /// Opening or reading a file of the sender.
    Read,
    /// Writing a file into the stage.
    Write,
    /// The contents are not what the digest says.
    Verify,
    /// Making a directory.
    MakeDir,
    /// Making a symbolic link.
    MakeLink,
    /// Making a named pipe or a device.
    MakeNode,
    /// Making another name of a file.
    HardLink,
    /// Putting what was staged into its place.
    Place,
    /// Setting owner or group.
    Owner,
    /// Setting permissions.
    Mode,
    /// Setting the time of modification.
    Time,
    /// Removing what the specification does not have.
    Remove,
    /// Reading or setting extended attributes and ACLs.
    Xattr,
    /// Removing a file of the source that has arrived.
    TakeAway,
    /// Reading a file of filter rules of the sender.
    Filter,
    /// Following a symbolic link of the sender.
    Follow,
    /// Keeping what is to be replaced or removed.
    Keep,
    /// Taking what the receiver's module does not take.
    Accept,
}

impl Step {
    /// Every step, in the order of their numbers.
    pub const ALL: [Step; 20] = [
        Step::List,
        Step::Stat,
        Step::Read,
        Step::Write,
        Step::Verify,
        Step::MakeDir,
        Step::MakeLink,
        Step::MakeNode,
        Step::HardLink,
        Step::Place,
        Step::Owner,
        Step::Mode,
        Step::Time,
        Step::Remove,
        Step::Xattr,
        Step::TakeAway,
        Step::Filter,
        Step::Follow,
        Step::Keep,
        Step::Accept,
    ];

    /// The step of this number on the wire.
    #[must_use]
    pub fn from_wire(number: u8) -> Option<Step> {
        Step::ALL.into_iter().find(|step| *step as u8 == number)
    }

    /// In words, after "cannot".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Step::List => "list directory",
            Step::Stat => "examine",
            Step::Read => "read",
            Step::Write => "write",
            Step::Verify => "verify",
            Step::MakeDir => "make directory",
            Step::MakeLink => "make symbolic link",
            Step::MakeNode => "make special file",
            Step::HardLink => "make hard link",
            Step::Place => "put in place",
            Step::Owner => "set owner of",
            Step::Mode => "set mode of",
            Step::Time => "set time of",
            Step::Remove => "remove",
            Step::Xattr => "carry extended attributes of",
            Step::TakeAway => "remove from the source",
            Step::Filter => "read the filter rules in",
            Step::Follow => "follow the link",
            Step::Keep => "keep a backup of",
            Step::Accept => "accept",
        }
    }
}

/// Where something failed: who has the files, or who gets them. Which of them is the client does not matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Side {
    /// Who has the files.
    Sender = 1,
    /// Who gets them.
    Receiver,
}

impl Side {
    /// The side of this number on the wire.
    #[must_use]
    pub fn from_wire(number: u8) -> Option<Side> {
        [Side::Sender, Side::Receiver].into_iter().find(|side| *side as u8 == number)
    }
}

/// One entry that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, below the root of the round.
    pub path: RelPath<'static>,
    /// Doing what.
    pub step: Step,
    /// On which side.
    pub side: Side,
    /// Why, as errno(3).
    pub errno: i32,
}

impl Problem {
    /// Of an error of the system, at the receiver.
    #[must_use]
    pub fn new(path: &RelPath<'_>, step: Step, error: &std::io::Error) -> Problem {
        let path = path.clone().into_owned();
        Problem { path, step, side: Side::Receiver, errno: sys::errno(error) }
    }

    /// The same at the sender.
    #[must_use]
    pub fn of_sender(self) -> Problem {
        Problem { side: Side::Sender, ..self }
    }

    /// Why, in words.
    #[must_use]
    pub fn reason(&self) -> String {
        match (self.step, self.errno) {
            (Step::Verify, _) => "the contents that arrived are not those of the specification".into(),
            (Step::Follow, libc::EXDEV) => "it leads out of the module".into(),
            (Step::Follow, libc::ELOOP) => "it leads in a circle".into(),
            (Step::Filter, libc::EINVAL) => "a line is no filter rule".into(),
            (Step::Filter, libc::E2BIG) => "too many rules in files of rules".into(),
            (Step::Read, libc::ESTALE) => "it kept changing while it was read".into(),
            (Step::Place | Step::MakeDir, libc::ENOTEMPTY) => {
                "a directory that is not empty is in the way (--delete replaces it, unless it holds what is excluded)".into()
            }
            (_, libc::EXDEV) => {
                "another file system is mounted there: export it as a module of its own".into()
            }
            // Of its own that is no full disk: some file systems keep attributes in one block.
            (Step::Xattr, libc::ENOSPC | libc::E2BIG | libc::ERANGE) => {
                "the file system there has no room for so large ones".into()
            }
            (Step::Accept, libc::EACCES) => "the module excludes it".into(),
            (Step::Accept, libc::EPERM) => "the module refuses such files ('refuse options')".into(),
            (Step::Accept, libc::EFBIG) => "it is larger than the module takes ('max file size')".into(),
            (Step::Keep, libc::ENAMETOOLONG) => {
                "its name or path is too long for another behind it (--backup-dir without --suffix adds nothing)".into()
            }
            (Step::TakeAway, libc::EEXIST) => "the source and the destination are one directory".into(),
            (_, libc::ESTALE) => "somebody else changed it meanwhile".into(),
            (_, errno) => sys::errno_words(errno),
        }
    }
}

/// Problems of one side: the first [`limits::PROBLEMS`] of them, which the other side is told, and how many there are.
#[derive(Debug, Default)]
pub struct Problems {
    first: Vec<Problem>,
    count: u64,
}

impl Problems {
    /// One more.
    pub fn push(&mut self, problem: Problem) {
        self.count += 1;
        if self.first.len() < limits::PROBLEMS {
            self.first.push(problem);
        }
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The first of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.first.iter()
    }
}

impl std::ops::AddAssign for Problems {
    /// All of both, the first of them in tree order.
    fn add_assign(&mut self, others: Problems) {
        self.count += others.count;
        self.first.extend(others.first);
        self.first.sort_by(|a, b| a.path.cmp(&b.path));
        self.first.truncate(limits::PROBLEMS);
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: cannot {}: {}", self.path, self.step.words(), self.reason())
    }
}
