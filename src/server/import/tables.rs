//! What is known beforehand of an rsyncd.conf.

/// What stands before everything.
pub(super) const HEAD: &str = "\
# Made of an rsyncd.conf. What has no equivalent stands in comments.
# It must be as private as smsyncd.conf(5) says: chmod 600.
# Users prove 32 random bytes instead of a password, each a line 'user:SECRET' of
# this file, with a secret that 'smsync keygen' prints:
secrets file = /etc/smsyncd.secrets

";

/// Parameters that are not to be carried over, and why.
pub(super) const WITHOUT: [(&str, &str); 18] = [
    ("secrets file", "passwords are no secrets: see 'secrets file' above"),
    ("strict modes", "files that hold secrets are always checked"),
    ("auth digest", "there is one way to prove a secret"),
    ("name", "a module is known by the name of its section"),
    ("charset", "names are bytes"),
    ("name converter", "names are looked up before the process confines itself"),
    ("insecure links", "no link is followed out of a module"),
    ("forward lookup", "a name counts only when it is that of the address and leads back to it"),
    ("temp dir", "files wait at the root of the module, so that they are put in place at once"),
    ("early exec", "nothing runs before a client has proven itself"),
    ("socket options", "they are set as the protocol needs them"),
    ("max verbosity", "a client has no say in what is logged"),
    ("ignore errors", "what could not be read is never removed"),
    ("filter", "write it as 'exclude' and 'include'"),
    ("proxy protocol", "an address is believed only of the kernel"),
    ("proxy protocol hosts", "an address is believed only of the kernel"),
    ("daemon chroot", "paths are those of the host: put it in front of each 'path'"),
    ("fake super", "owners, devices and set-id bits are real ones"),
];

/// What is otherwise, unless this parameter is given.
pub(super) const OTHERWISE: [(&str, &str); 3] = [
    ("timeout", "'timeout' is 60 seconds where nothing is said; rsyncd has no limit then ('timeout = 0')"),
    (
        "munge symlinks",
        "'munge symlinks' is off where nothing is said, since smsyncd follows no link; rsyncd munges them without chroot",
    ),
    (
        "numeric ids",
        "'numeric ids' is off where nothing is said; rsyncd tells only numbers with chroot ('numeric ids = yes')",
    ),
];

/// Rsyncd has its locks in one file for all modules unless 'lock file' says otherwise. What is ours goes behind this.
pub(super) const LOCK: &str =
    "# As rsyncd does where nothing is said, one count for all modules:\nlock file = ";

/// Where that file is.
pub(super) const LOCKS: [&str; 2] = ["/var/run/rsyncd.lock", "/run/rsyncd.lock"];

/// What is said of the files of its number and its locks.
pub(super) const PID_FILE: &str = "'pid file' is left out: rsyncd's is its own for as long as it runs";
pub(super) const LOCK_FILE: &str = "'lock file' is the one in which rsyncd counts its connections: for as long as it runs too, each takes \
                         places from the other";

/// What is said of its port and its log.
pub(super) const PORT: &str =
    "'port' is the one at which rsyncd listens: for as long as it runs, a listener of ours cannot";
pub(super) const LOG_FILE: &str =
    "'log file' is the one of rsyncd: for as long as it runs too, both write to it";

/// What is said of modules without 'auth users'.
pub(super) const ANYBODY: &str = "where there is no 'auth users' anybody comes in with rsyncd; here each client proves a secret, as a user of \
                       'secrets file' or, without a user, that of 'secret'";

/// What is said of words that are left out of a list.
pub(super) const REFUSES: &str = "smsync has no such option, so there is nothing to refuse";

/// What is said of a module that has both lists.
pub(super) const BOTH_LISTS: &str = "it has 'hosts allow' and 'hosts deny': who is in neither of them comes in with rsyncd, and is refused \
                          here; allow who is to come in";

/// Why a name is not denied.
pub(super) const DENIED_NAME: &str = "rsyncd looks the name up; here the name of an address counts, and whose it is may choose that: \
                           deny the address";

/// What is otherwise where there are hooks.
pub(super) const HOOKS: &str = "hooks find variables named SMSYNC_MODULE_NAME and so on, as smsyncd.conf(5) lists them, and none \
                     named RSYNC_…; there is none for the request or its arguments";

/// What keeps somebody or something out. A module that loses one of them is disabled.
pub(super) const RESTRICTS: [&str; 26] = [
    "uid",
    "gid",
    "daemonuid",
    "daemongid",
    "address",
    "hostsallow",
    "hostsdeny",
    "authusers",
    "exclude",
    "excludefrom",
    "include",
    "includefrom",
    "filter",
    "refuseoptions",
    "readonly",
    "writeonly",
    "maxconnections",
    "lockfile",
    "pre-xferexec",
    "earlyexec",
    "daemonchroot",
    "fakesuper",
    "incomingchmod",
    "outgoingchmod",
    "mungesymlinks",
    DIRECTIVE,
];

/// What stands for `&include` and `&merge` among them.
pub(super) const DIRECTIVE: &str = "&";

/// What a shell would make something else of.
pub(super) const SHELL: [char; 20] =
    ['$', '|', '&', ';', '<', '>', '(', ')', '`', '*', '?', '[', ']', '{', '}', '~', '#', '!', '\\', '='];
