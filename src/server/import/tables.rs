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
pub(super) const WITHOUT: [(&str, &str); 17] = [
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
    ("daemon chroot", "each connection has a process of its own, which confines itself"),
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

/// What is otherwise where there are hooks.
pub(super) const HOOKS: &str = "hooks find variables named SMSYNC_MODULE_NAME and so on, as smsyncd.conf(5) lists them, and none \
                     named RSYNC_…; there is none for the request or its arguments";

/// What keeps somebody or something out. A module that loses one of them is disabled.
pub(super) const RESTRICTS: [&str; 20] = [
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
    "pre-xferexec",
    "earlyexec",
    DIRECTIVE,
];

/// What stands for `&include` and `&merge` among them.
pub(super) const DIRECTIVE: &str = "&";

/// What a shell would make something else of.
pub(super) const SHELL: [char; 20] =
    ['$', '|', '&', ';', '<', '>', '(', ')', '`', '*', '?', '[', ']', '{', '}', '~', '#', '!', '\\', '='];
