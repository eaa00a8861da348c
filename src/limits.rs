//! Every bound in one place, each with its reason. No message from a peer changes any of them.

use std::time::Duration;

/// TCP port of the standalone listener and of remotes that name none.
pub const PORT: u16 = 4242;

/// Bytes of one name: NAME_MAX of every Linux file system.
pub const NAME: usize = 255;
/// Bytes of one path below its root: Linux's PATH_MAX less the terminating NUL.
pub const PATH: usize = 4095;
/// Components of one path: as many directory descriptors may be held at once.
pub const DEPTH: usize = 256;
/// Bytes of a symbolic link's target: PATH_MAX less the terminating NUL.
pub const LINK: usize = 4095;
/// Bytes of a user or group name, as in useradd(8) with room for directory services.
pub const OWNER: usize = 255;
/// User or group names of which the ids are remembered; a specification that names more has them looked up again.
pub const OWNERS: usize = 65_536;

/// Bytes of one line of a canonical specification: path and link target, each byte as `\ooo`, every keyword, and as
/// many large extended attributes as any file system keeps with one file.
pub const SPEC_LINE: usize = 1 << 20;
/// Bytes of the name of an extended attribute: XATTR_NAME_MAX.
pub const XATTR_NAME: usize = 255;
/// Bytes of its value: XATTR_SIZE_MAX.
pub const XATTR_VALUE: usize = 64 * 1024;
/// Entries of one specification: an index is 32 bits on the wire, and ten million is past any tree measured.
pub const SPEC_ENTRIES: u32 = 16_000_000;
/// Bytes of one specification: offsets into it are kept in 32 bits.
pub const SPEC_BYTES: u64 = u32::MAX as u64;
/// Bytes of a line of a specification on average, where a module limits how many there are: as long as a path can be,
/// each byte as `\ooo`.
pub const SPEC_ENTRY: u64 = 16 * 1024;
/// Bytes of a specification that may come from however few: that of a tree of half a million files.
pub const SPEC_GIVEN: u64 = 64 << 20;
/// Bytes beyond these that each compressed one may become: every line names another path, which costs some bytes of each,
/// and so this holds for paths of any length that anybody types.
pub const SPEC_RATIO: u64 = 4096;
/// How far back a compressed specification may refer, as a power of two: what level 1 needs and a little more, since it
/// is the receiver's memory.
pub const SPEC_WINDOW: u32 = 23;
/// Bytes of a specification in a foreign dialect, which is read into memory: one line for each of 16 million entries
/// would be more, but such trees come from `smsync spec`, which streams.
pub const DIALECT_BYTES: u64 = 2 << 30;

/// Plaintext bytes of one transport record: larger ones gained nothing when measured.
pub const RECORD: usize = 256 * 1024;
/// Records sealed under one key before Noise's REKEY: at most 16 GiB, far below AES-GCM's comfort of 2^36 bytes.
pub const RECORDS_PER_KEY: u64 = 65_536;
/// Bytes of a user name in the greeting.
pub const USER: usize = 64;
/// Bytes of a module name.
pub const MODULE: usize = 64;
/// Bytes of a reason given with `Abort`, and of any other text for a person.
pub const TEXT: usize = 512;
/// Bytes of the message of the day: a screen of text, and little beside it in the record that it leaves in.
pub const MOTD: usize = 4096;
/// Modules named in one answer to `List`.
pub const MODULES: usize = 1024;
/// Paths in the scope of one round, and rules in its filter.
pub const SCOPE: usize = 4096;
/// Paths in the scope of one round when they come before it: lists of what changed in the largest trees.
pub const PATHS: usize = 1_000_000;
/// Bytes of all of them, which the server keeps in memory.
pub const PATHS_BYTES: usize = 128 << 20;
/// Bytes of one file of filter rules in a directory: it is for people to write.
pub const FILTER_FILE: u64 = 64 * 1024;
/// Rules in all such files of a round: a few for each directory of a large tree. The receiver keeps them in memory.
pub const FILTER_RULES: usize = 65_536;
/// Bytes of the patterns of all such rules: in memory they take 16 times as much.
pub const FILTER_BYTES: usize = 4 << 20;
/// Bytes of a list that maps owners or changes modes: more than any command line has of such.
pub const MAPPING: usize = 16 * 1024;
/// Bytes of one file: what ext4 and XFS hold, and below where offsets overflow.
pub const FILE_SIZE: u64 = 8 << 50;
/// Problems one side reports to the other; the rest are counted only.
pub const PROBLEMS: usize = 10_000;

/// Names that are listed when a round is refused because it would remove too many: enough to see which they are.
pub const REFUSED: u32 = 1000;
/// Trees of `--link-dest` in one round, as in rsync(1).
pub const LINK_DEST: usize = 20;
/// Bytes that an interrupted run must have left of a file to make it worth comparing them before the rest is sent.
pub const PARTIAL: u64 = 1 << 20;
/// Files that are gone on with in one round: each is held open, and one run leaves one.
pub const PARTIALS: usize = 16;
/// Bytes from which a file is sent by its difference from an older one: smaller ones are as soon sent.
pub const DELTA: u64 = 128 * 1024;
/// Bytes from which a file that is as long as the wanted one is taken to differ, where differences are sent: to ask first
/// makes the sender read it twice. If it is the same after all, that costs the digests of its blocks, an eight-hundredth of
/// so much at most, and the receiver writes it anew.
pub const COMPARED_AT_ONCE: u64 = 64 << 20;
/// Bytes of the blocks in which such a difference is told: pages, so that a file system can share them, up to what the
/// sender keeps in memory.
pub const BLOCKS: std::ops::RangeInclusive<usize> = 4096..=4 << 20;
/// Digests of blocks in one round: 40 MiB of the sender's memory. Those of a file of 2 GiB are 48 thousand.
pub const SUMS: usize = 1 << 22;
/// As many of them as an older file counts for that is told in blocks: each takes memory too, however few it has.
pub const BASE: usize = 128;
/// Bytes of a specification below which no later one is told by its difference from it: it is as soon sent.
pub const BASELINE: u64 = 4096;
/// Places in which a text may differ from the one of which it is made, and directories that may be gone: of more of them
/// all is parsed.
pub const RENEWALS: usize = 65_536;
/// Bytes of the names of these directories.
pub const RENEWED_BYTES: usize = 4 << 20;
/// Specifications that are kept in one state directory: one for each tree of a large site, and for each way to ask for it.
pub const BASELINES: usize = 1024;
/// Specifications that a server keeps of what is asked for in the same words: as many clients can have come at different
/// times and each be told what is new.
pub const BASELINES_ALIKE: usize = 8;
/// Bytes of all specifications that are kept in one state directory, as they are there: some fifty of a million entries.
pub const BASELINE_BYTES: u64 = 1 << 30;
/// Bytes of edits, compressed, that are kept as such: of more the text is written anew.
pub const BASELINE_EDITS: u64 = 1 << 20;
/// A text, and edits of it one upon the other, as which a specification is kept: each of them makes it take longer to read.
pub const BASELINE_PARTS: usize = 8;
/// Bytes of all these edits, as a part of those of the text: where there are more it is written anew.
pub const BASELINE_SHARE: u64 = 4;
/// Trees of which the digests of files are remembered in one state directory.
pub const DIGEST_FILES: usize = 1024;
/// Bytes of all that: ten trees of a million files each, and two of as many as a specification can have.
pub const DIGEST_BYTES: u64 = 3 << 30;
/// Records of files behind the sorted ones, as a part of these: until there are more they need not all be written again.
pub const DIGEST_SHARE: u64 = 8;
/// Times that some are put there: each makes looking up what changed since a little longer.
pub const DIGEST_PARTS: usize = 16;
/// Records that are read in the time that it takes to ask for the extended attributes of one file: it is waited with
/// reading them until so many questions were asked that it is worth it.
pub const DIGESTS_PER_QUESTION: u64 = 32;
/// Files whose digests are compared together: fewer cost bytes, and when one of more is another file, all are asked for.
pub const TOGETHER: usize = 256;
/// Sources that are remembered in one state directory, and mount points of one source.
pub const REMEMBERED: usize = 4096;

/// Files whose stamps are too young for their digests to be remembered: so many are written in a tick of 20 milliseconds.
pub const YOUNG: usize = 4096;
/// Bytes of a file that takes the kernel some milliseconds to free.
pub const SLOW_TO_FREE: u64 = 16 << 20;
/// Such files that one round has open until its client has gone on: descriptors are for other things too.
pub const NAMELESS: usize = 16;

/// Threads that write files at once in one round: more gain nothing, and each holds as many descriptors as a path has
/// components.
pub const HANDS: usize = 4;
/// Threads that read one tree at once: more would only wait for each other in the kernel. Outside of a scan, each holds
/// two descriptors for each directory on its way at most.
pub const SCANNERS: usize = 8;
/// Names that one thread has looked at before others begin to help it: what is less is over before they have started.
pub const SCAN_ALONE: u32 = 512;
/// Names of a directory that are examined with it, before their turn comes.
pub const SCAN_NAMES: usize = 256;
/// Subdirectories of one directory that are listed before their turn comes.
pub const SCAN_SIBLINGS: usize = 8;
/// Directories of the whole way that are: each is held open, and so is each of the way itself.
pub const SCAN_DIRECTORIES: usize = 48;
/// Files that are examined, or digested, by one thread at a time.
pub const SCAN_BATCH: usize = 32;
/// Bytes of them where contents are read, but for the last.
pub const SCAN_BATCH_BYTES: u64 = 1 << 20;
/// Batches of files that wait to be described, each with its directory held open.
pub const SCAN_BATCHES: usize = 32;
/// Names that wait to be described: one large file is read meanwhile.
pub const SCAN_WAITING: usize = 1024;

/// Files are stamped by a clock that ticks at least this often, at 100 ticks a second and with time to spare.
pub const TICK: Duration = Duration::from_millis(20);

/// Bytes a second that a limit of bandwidth must allow: with a few less, a window of TCP takes as long to open as the
/// other side waits for us.
pub const RATE: u64 = 4096;

/// The greeting must be over by then, counted from before the first byte is read.
pub const HANDSHAKE: Duration = Duration::from_secs(10);
/// What `handshake timeout` may say, in seconds: over the slowest line a greeting takes one, and whoever has not greeted
/// holds a process.
pub const HANDSHAKES: std::ops::RangeInclusive<u32> = 1..=600;
/// A connection on which nothing arrives for this long is given up, unless `timeout` says otherwise.
pub const IDLE: Duration = Duration::from_secs(60);
/// Bytes of a record that is not whole yet that count as something that arrived: less is a drip, which would hold a
/// connection for hours at a byte a minute. The slowest line brings so many in a second.
pub const PROGRESS: usize = 1024;
/// Whoever works this long without writing says `Alive`.
pub const ALIVE: Duration = Duration::from_secs(10);
/// The side that gave up reads on for this long, so that TCP does not throw its reason away.
pub const DRAIN: Duration = Duration::from_secs(2);
/// A connection must be made within this, unless `--contimeout` says otherwise.
pub const CONNECT: Duration = Duration::from_secs(30);

/// A thread that has been waited for is gone after this long at most, also on a host that has much to do.
pub const THREAD: Duration = Duration::from_secs(2);

/// A hook is killed after this long: a snapshot or a restart takes minutes, and what hangs must not hold a connection.
pub const HOOK: Duration = Duration::from_secs(600);

/// Bytes of a configuration or secrets file.
pub const CONFIG: u64 = 1 << 20;
/// Files of a configuration that include each other, one in the other: more is a circle.
pub const INCLUDE_DEPTH: usize = 8;
/// Files that a configuration includes: one for each of the modules of a large site would be too many to read for each
/// connection.
pub const INCLUDE_FILES: usize = 256;

/// Secrets of one user that are valid at once: the old one and the new, while they are changed.
pub const SECRETS: usize = 2;
/// Bytes of the word that begins the records of the system log: as many as RFC 3164 allows.
pub const SYSLOG_TAG: usize = 32;
/// Bytes of the name of a host: RFC 1035.
pub const HOST_NAME: usize = 255;
/// How long the name of a peer may take to be found, and confirmed.
pub const LOOKUP: Duration = Duration::from_secs(5);

/// Listening sockets bound, or handed down by systemd(1).
pub const SOCKETS: usize = 64;
/// Connections waiting to be accepted at one listening socket, unless `listen backlog` says fewer.
pub const BACKLOG: u32 = 1024;
/// Processes of the standalone listener at once; further connections wait in its backlog. Strangers hold one for
/// [`HANDSHAKE`] at most.
pub const PROCESSES: usize = 512;
/// Connections that have not proven a secret yet, whoever started their processes. When one more comes, the oldest of the
/// address that has most of them gives way: each costs some 3 MiB, and a client is through in milliseconds.
pub const STRANGERS: u32 = 128;
/// A connection that gets no place among them within this is refused.
pub const ADMISSION: Duration = Duration::from_secs(5);
/// A client waits this long for a place in a module before it is told to try again later: what a server does after its
/// client has gone takes less.
pub const PLACE: Duration = Duration::from_secs(2);
/// Sessions that `--status` lists: twice what our own listener serves at once.
pub const SESSIONS: u32 = 1024;
/// How often a session says how far it is.
pub const ROLL: Duration = Duration::from_secs(1);
/// The listener looks at the configuration for the sake of connections that found it unusable this often at most.
pub const COMPLAINT: Duration = Duration::from_secs(60);
/// Metrics are written for the sake of those who are turned away this often at most: whoever wants to be can be so a
/// thousand times a second.
pub const REFUSALS: Duration = Duration::from_secs(10);
/// What a session counts is written this often at most, and at its end: it could say so without end.
pub const NOTES: Duration = Duration::from_secs(1);
/// Bytes of one thing that a session has its broker take down: numbers, and why a round ended before its end.
pub const NOTE: usize = 2048;
/// Characters of the latter: with all of them escaped it fits.
pub const WHY: usize = 256;
/// A session whose way to its broker is closed has ended this long afterwards, or is killed: its memory may have to be
/// given back first.
pub const PARTING: Duration = Duration::from_secs(2);
/// Bytes of all metrics: ten for each direction of as many modules as there may be.
pub const METRICS: u64 = 8 << 20;
/// The listener takes no connection for this long after the system ran out of descriptors or memory.
pub const PAUSE: Duration = Duration::from_secs(1);
/// Connections asked to end for the second time get this long, then they are killed.
pub const END: Duration = Duration::from_secs(2);
/// Inherited descriptors below this are closed where close_range(2) is missing.
pub const DESCRIPTORS: i32 = 65_536;
/// Bytes of the text of one log record: with date and tag it stays below the 1 KiB of RFC 3164.
pub const LOG_TEXT: usize = 960;
/// Log records of one connection; the rest are counted only.
pub const LOG_RECORDS: u64 = 1000;
