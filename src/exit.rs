//! Exit codes of both programs: sysexits(3) for failures, small numbers for how a run went.

/// How a program ends. The numbers are stable and documented in smsync(1) and smsyncd(8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// In step.
    Ok = 0,
    /// Done, with problems listed.
    Problems = 1,
    /// `check`: the trees differ.
    Different = 2,
    /// Done, but some source files vanished or kept changing.
    Vanished = 3,
    /// Stopped by a deletion limit.
    DeleteLimit = 4,
    /// The command line is wrong (EX_USAGE).
    Usage = 64,
    /// A specification cannot be read (EX_DATAERR).
    Data = 65,
    /// No connection (EX_UNAVAILABLE).
    Unavailable = 69,
    /// Our bug (EX_SOFTWARE).
    Software = 70,
    /// The system refused something we need (EX_OSERR).
    System = 71,
    /// An I/O operation failed (EX_IOERR).
    Io = 74,
    /// Try again: busy, locked, or past a deadline (EX_TEMPFAIL).
    TryAgain = 75,
    /// The peer broke the protocol (EX_PROTOCOL).
    Protocol = 76,
    /// Refused: secret, access or a read-only module (EX_NOPERM).
    Refused = 77,
    /// A configuration is wrong or not private (EX_CONFIG).
    Config = 78,
}

impl Exit {
    /// Every code, in order: for the manual's test and for [`Exit::from_code`].
    pub const ALL: [Exit; 15] = [
        Exit::Ok,
        Exit::Problems,
        Exit::Different,
        Exit::Vanished,
        Exit::DeleteLimit,
        Exit::Usage,
        Exit::Data,
        Exit::Unavailable,
        Exit::Software,
        Exit::System,
        Exit::Io,
        Exit::TryAgain,
        Exit::Protocol,
        Exit::Refused,
        Exit::Config,
    ];

    /// The number the shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Whether nothing was done, or not all: the codes of sysexits(3). The others say how a run ended that was carried out.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        self.code() >= Exit::Usage.code()
    }

    /// The graver of two ways in which rounds ended that both ended with a report.
    #[must_use]
    pub fn max_of(self, other: Exit) -> Exit {
        const GRAVEST_FIRST: [Exit; 4] = [Exit::DeleteLimit, Exit::Problems, Exit::Vanished, Exit::Different];
        GRAVEST_FIRST.into_iter().find(|exit| *exit == self || *exit == other).unwrap_or(self)
    }

    /// The code with this number, if it is one of ours.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Exit> {
        Exit::ALL.into_iter().find(|exit| exit.code() == code)
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        std::process::ExitCode::from(exit.code())
    }
}
