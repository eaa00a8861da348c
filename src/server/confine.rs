//! Confines the process of a connection to the module that its client opened: what it needs is opened, its broker is
//! forked, and then it is let in.

use crate::exit::Exit;
use crate::install::{Stage, StageError};
use crate::server::config::{Config, Module, Sandbox, identity};
use crate::server::door::Visitor;
use crate::server::homes::{Homes, of_module};
use crate::server::log::{Log, shown};
use crate::server::notes::Taker;
use crate::server::presence::Presence;
use crate::session::Error;
use crate::sys::broker::{self, Broker, Hook, Hooks};
use crate::sys::confine::{Confinement, Layer, Purpose};
use crate::sys::private::{Rule, check_program, open_named_dir};
use crate::sys::stdio::Peer;
use crate::sys::{self, Dir, LockFile, errno_words, error_words};
use std::ffi::OsString;
use std::fmt::Display;
use std::io::ErrorKind;

/// What a confined process can reach.
#[derive(Debug)]
pub(super) struct Places {
    /// The root of the module.
    pub(super) module: Dir,
    /// Where memories are kept.
    pub(super) state: Result<Dir, Lacking>,
    /// What is locked while the module is changed.
    pub(super) lock: Result<LockFile, Lacking>,
    /// Where specifications are spooled.
    pub(super) spool: Dir,
    /// Who does what cannot be done from inside.
    pub(super) broker: &'static Broker,
}

/// Why there is no such thing: in words for a client that needs it and for the log, and with which code it ends.
#[derive(Debug)]
pub(super) struct Lacking {
    pub(super) exit: Exit,
    pub(super) told: String,
    pub(super) reason: String,
}

impl Lacking {
    /// One of the server's directories: where it is, and whose, is not for a client to know.
    fn home(told: &str, reason: &str) -> Lacking {
        Lacking { exit: Exit::Config, told: told.into(), reason: reason.into() }
    }

    /// For this reason, which anybody may know.
    pub(super) fn plain(exit: Exit, reason: String) -> Lacking {
        Lacking { exit, told: reason.clone(), reason }
    }
}

/// Who asks for what.
pub(super) struct Asked<'a> {
    pub(super) config: &'a Config,
    pub(super) module: &'a Module,
    pub(super) visitor: &'a Visitor,
    /// What its records begin with.
    pub(super) session: &'a dyn Display,
    pub(super) log: &'a Log,
}

/// Why a module cannot be opened: in words for the client, and for the log.
pub(super) struct Shut {
    pub(super) told: String,
    pub(super) reason: String,
}

/// Opens the root of a module.
pub(super) fn open(module: &Module) -> Result<Dir, Shut> {
    let identity = identity(module.uid.as_ref(), module.gid.as_ref()).ok().flatten();
    open_named_dir(&module.path, identity.map(|identity| identity.uid)).map(Dir::from).map_err(|error| {
        let words = match error.rule() {
            Rule::System(errno) => errno_words(errno.raw_os_error()),
            Rule::NotDirectory => errno_words(libc::ENOTDIR),
            // Where the path leads is not for the client to know.
            _ => return Shut { told: "its path is not to be trusted".into(), reason: error.to_string() },
        };
        Shut { told: words.clone(), reason: words }
    })
}

/// Opens what the module with this root needs besides, and confines this process to it.
///
/// # Errors
/// Something cannot be opened, or the confinement that the module requires cannot be had. The log has the reason.
pub(super) fn confine(
    asked: &Asked<'_>,
    mut dir: Dir,
    Homes { state, kept }: Homes,
    presence: Presence,
) -> Result<Places, Error> {
    let Asked { config, module, log, .. } = asked;
    let refuse = |exit, told: &str, reason: &dyn Display| {
        log.error(format_args!("{}: module {}: {reason}", asked.session, module.name));
        Error::Refused(exit, told.to_owned())
    };
    let identity = identity(module.uid.as_ref(), module.gid.as_ref())
        .map_err(|reason| refuse(Exit::Config, "the module's uid or gid is wrong", &reason))?;
    let spool = open_named_dir(&config.globals.spool_dir, None).map(Dir::from).map_err(|error| {
        refuse(Exit::System, "the spool directory cannot be opened", &format!("spool dir: {error}"))
    })?;
    let lock = match &kept {
        Ok(kept) => Stage::lock_file(&dir, kept).map_err(unlockable),
        Err(reason) => {
            let text = "counted nowhere, and not shown by --status";
            log.warning(format_args!("{}: module {}: {text}: {reason}", asked.session, module.name));
            Err(Lacking::home("what is beside the state directory cannot be used", reason))
        }
    };
    let state = state.map_err(|reason| Lacking::home("the state directory cannot be used", &reason));
    let state = state.and_then(|state| of_module(&state, module, identity.as_ref()));

    let confinement = Confinement {
        layers: layers(module),
        strict: module.sandbox == Sandbox::Require,
        writable: !module.read_only,
        keep_access_times: module.open_noatime,
        identity,
        // With -f the log is standard error.
        lent: log
            .descriptor()
            .into_iter()
            .chain([2])
            .map(|log| (log, Purpose::Writing))
            .chain(lock.as_ref().ok().map(|lock| (lock.descriptor(), Purpose::Locking)))
            .collect(),
    };
    fit(asked)
        .map_err(|reason| refuse(Exit::Config, "the module's programs are not fit to be run", &reason))?;
    let cannot = "the server cannot confine itself; its log says why";
    // What no session may reach goes with the broker, which stays who the server is.
    let notes = Taker::new(asked, presence, (kept.ok(), config.globals.metrics_file.clone()));
    let broker = broker::start(hooks(asked), notes).map_err(|error| {
        refuse(Exit::System, cannot, &format!("cannot start its broker: {}", error_words(&error)))
    })?;
    before_it(log);
    let mut held: Vec<Dir> = Vec::new();
    let state = state.map(|state| held.push(state));
    held.push(spool);
    let confined = confinement
        .confine(&mut dir, &mut held)
        .map_err(|error| refuse(Exit::System, cannot, &format!("cannot confine itself: {error}")))?;
    for layer in &confined.missing {
        log.warning(format_args!("{}: module {}: not confined by {layer}", asked.session, module.name));
    }
    log.info(format_args!("{}: module {}: confined by {confined}", asked.session, module.name));
    let spool = held.pop().ok_or_else(|| refuse(Exit::Software, cannot, &"no spool directory"))?;
    let state = state.and_then(|()| held.pop().ok_or_else(|| Lacking::plain(Exit::Software, String::new())));
    Ok(Places { module: dir, state, lock, spool, broker })
}

fn unlockable(error: StageError) -> Lacking {
    let error = Error::Stage(error);
    Lacking::plain(error.exit(), error.to_string())
}

/// What is read from files once, or asked of the kernel, and must be known before they are out of reach.
fn before_it(log: &Log) {
    log.confine();
    let _ = sys::ids::boot_id();
    let _ = (sys::process::parallelism(), sys::process::descriptors());
    let _ = sys::clock::stamping();
    let _ = sys::xattr::Sight::ours();
    sys::fault::before_confinement();
}

/// The layers that the module is to have: all that this user can have. Who is not root has no capabilities to give up,
/// and cannot change his root.
fn layers(module: &Module) -> Vec<Layer> {
    let root = sys::ids::is_root();
    let wanted = |layer: &Layer| match layer {
        Layer::Chroot => module.use_chroot.unwrap_or(root),
        Layer::Capabilities => root,
        Layer::Landlock | Layer::Seccomp => true,
    };
    let all = if module.sandbox == Sandbox::Off { &[][..] } else { &Layer::ALL };
    all.iter().copied().filter(wanted).collect()
}

/// Whether the hooks are programs that nobody could have changed who may not do what they do. One that cannot be found is
/// an error of its run.
fn fit(asked: &Asked<'_>) -> Result<(), String> {
    let Module { before, after, .. } = asked.module;
    for (name, command) in [("pre-xfer exec", before), ("post-xfer exec", after)] {
        let checked = command.as_ref().map_or(Ok(()), |command| check_program(&command.hook().program));
        checked.or_else(|error| match (error.kind(), command) {
            (ErrorKind::NotFound, _) | (_, None) => Ok(()),
            (_, Some(command)) => {
                Err(format!("'{name}': {}: {}", shown(&command.hook().program), error_words(&error)))
            }
        })?;
    }
    Ok(())
}

/// What the hooks are, and what they are told: nothing of it is the client's to choose.
fn hooks(asked: &Asked<'_>) -> Hooks {
    let Module { name, path, before, after, .. } = asked.module;
    let address = match asked.visitor.peer() {
        Peer::Inet(address) => address.ip().to_string(),
        Peer::Local => String::new(),
    };
    let environment: [(&str, OsString); 5] = [
        ("SMSYNC_MODULE_NAME", name.into()),
        ("SMSYNC_MODULE_PATH", path.into()),
        ("SMSYNC_HOST_ADDR", address.into()),
        ("SMSYNC_USER_NAME", asked.visitor.user().into()),
        ("SMSYNC_PID", sys::process::id().to_string().into()),
    ];
    Hooks {
        before: before.as_ref().map(|command| Hook::clone(command.hook())),
        after: after.as_ref().map(|command| Hook::clone(command.hook())),
        environment: environment.map(|(name, value)| (name.to_owned(), value)).to_vec(),
    }
}
