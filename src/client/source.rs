//! What is here: the roots of a push, and its specification, by a scan or from a file in any dialect.

use crate::client::failure::{Failure, system};
use crate::client::options::{Choosing, Selection};
use crate::client::remote::{Host, Remote};
use crate::client::rules;
use crate::exit::Exit;
use crate::install::hopeless;
use crate::limits;
use crate::path::rule::texts;
use crate::path::{Descent, Filter, RelPath, Scope, Side, Traits};
use crate::report::{Problem, Step};
use crate::session::{Memory, Offer};
use crate::spec::{Entry, Keyword, Keywords, Kind, SpecWriter, WriteError, dialect};
use crate::sys::{self, Dir, Spool};
use crate::tree::{Remembered, Root, STAGE, Scan, View, scan};
use crate::vis::{shown, shown_text};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The trees of a push: one directory, whose contents are meant, or several things, each under its last name.
pub(super) fn open(sources: &[OsString]) -> Result<(Root, Vec<RelPath<'static>>), Failure> {
    if let [only] = sources {
        match Root::open(Path::new(only)) {
            Ok(root) => return Ok((root, Vec::new())),
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {}
            Err(error) => return Err(system(Exit::Io, name(only), &error)),
        }
    }
    let here =
        Dir::open_root(Path::new(".")).map_err(|error| system(Exit::Io, "the current directory", &error))?;
    let mut root = Root::new(here).map_err(|error| system(Exit::Io, "the current directory", &error))?;
    let mut only = Vec::new();
    for source in sources {
        let path = Path::new(source);
        let last = path.file_name().ok_or_else(|| {
            Failure::new(Exit::Usage, format_args!("{}: has no last name to be sent under", name(source)))
        })?;
        let above = match path.parent() {
            Some(above) if !above.as_os_str().is_empty() => above,
            _ => Path::new("."),
        };
        let holder = Dir::open_root(above).map_err(|error| system(Exit::Io, name(source), &error))?;
        let last = last.as_encoded_bytes();
        holder.stat(last).map_err(|error| system(Exit::Io, name(source), &error))?;
        let path =
            RelPath::ROOT.join(last).map_err(|error| Failure::new(Exit::Usage, error).about(name(source)))?;
        if crate::tree::is_reserved(last) {
            return Err(Failure::new(Exit::Usage, "the name is reserved").about(name(source)));
        }
        if !root.graft(last, holder) {
            let text = "two sources have the same last name";
            return Err(Failure::new(Exit::Usage, text).about(shown(last)));
        }
        only.push(path);
    }
    Ok((root, only))
}

/// What is remembered of these sources, whatever names lead to them.
pub(super) fn memory<'s>(state: &'s Dir, sources: &[OsString]) -> Memory<'s> {
    let names: std::io::Result<Vec<OsString>> =
        sources.iter().map(|source| sys::canonical(Path::new(source))).collect();
    let names =
        names.map(|names| names.iter().map(|name| name.as_encoded_bytes()).collect::<Vec<_>>().join(&0));
    names.map_or(Memory::none(), |name| Memory::of(state, &name))
}

/// What tells specifications apart that were agreed on with servers, besides what a round tells.
pub(super) fn names(remote: &Remote, sources: &[OsString]) -> Vec<Vec<u8>> {
    let Remote { host: Host { user, name, port }, module, path } = remote;
    let port = port.map(|port| port.to_string()).unwrap_or_default();
    let names =
        [user.as_deref().unwrap_or_default(), name, &port, module].map(|text| text.as_bytes().to_vec());
    let canonical = |source: &OsString| sys::canonical(Path::new(source)).unwrap_or_else(|_| source.clone());
    let sources = sources.iter().map(|source| canonical(source).into_encoded_bytes());
    names.into_iter().chain([path.as_bytes().to_vec()]).chain(sources).collect()
}

fn name(source: &std::ffi::OsStr) -> String {
    shown(source.as_encoded_bytes())
}

/// The part of the tree a transfer is about.
pub(super) fn scope(only: Vec<RelPath<'static>>, filter: Filter) -> Result<Scope, Failure> {
    let usage = |text: String| Failure::new(Exit::Usage, text);
    if only.len() > limits::PATHS {
        return Err(usage(format!("more than {} sources or listed paths", limits::PATHS)));
    }
    if rules::bytes(&filter) > limits::RECORD / 2 {
        return Err(usage("the filter rules are too long together".into()));
    }
    Ok(Scope::new(only, filter))
}

/// The paths that `--files-from` names, if it is given; none in it is the whole tree, and none at all is nothing.
pub(super) fn listed(
    selection: &Selection,
    one_directory: bool,
) -> Result<Option<Vec<RelPath<'static>>>, Failure> {
    let Some(file) = &selection.given.files_from else { return Ok(None) };
    let usage = |text: String| Failure::new(Exit::Usage, text);
    if !one_directory {
        return Err(usage("--files-from goes with one source, a directory".into()));
    }
    let shown_name = shown(file.as_os_str().as_encoded_bytes());
    let text = sys::read_input(file, limits::PATHS_BYTES as u64)
        .map_err(|error| system(Exit::Io, &shown_name, &error))?;
    let traits = if selection.given.from0 { Traits::NULS } else { Traits::NONE };
    let mut paths = Vec::new();
    for (line, text) in texts(&text, traits) {
        let names: Vec<&[u8]> =
            text.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b".")).collect();
        let path = RelPath::new(names.join(&b'/'))
            .map_err(|error| usage(format!("{shown_name}, line {line}: {error}")))?;
        if path.components().next() == Some(STAGE) {
            return Err(usage(format!("{shown_name}, line {line}: the name '.smsync' is reserved")));
        }
        paths.push(path);
    }
    Ok(Some(paths))
}

/// Where the client spools: `$TMPDIR`, or where other programs keep large temporary files.
pub(super) fn spool_dir() -> Result<Dir, Failure> {
    let path = sys::env::temp_dir().unwrap_or_else(|| PathBuf::from("/var/tmp"));
    Dir::open_root(&path)
        .map_err(|error| system(Exit::System, format_args!("the spool directory {}", path.display()), &error))
}

/// A nameless file to spool into.
pub(super) fn spool() -> Result<Spool, Failure> {
    Spool::create(&spool_dir()?).map_err(|error| {
        let exit = if hopeless(&error) { Exit::Io } else { Exit::System };
        system(exit, "cannot make a file in the spool directory ($TMPDIR)", &error)
    })
}

/// Describes what is here.
pub(super) fn describe(
    root: &Root,
    scope: &Scope,
    keywords: Keywords,
    remembered: &Remembered<'_>,
) -> Result<Offer, Failure> {
    let written = |error: std::io::Error| {
        system(Exit::Io, "cannot write the specification into the spool directory ($TMPDIR)", &error)
    };
    let begun = sys::clock::now();
    let mut writer = SpecWriter::new(spool()?, keywords).map_err(written)?;
    let (view, remembered) = (View::Sender, Some(remembered));
    let what = Scan { scope, keywords, one_file_system: false, sockets: true, view, remembered, stop: None };
    let scanned =
        scan(root, what, &mut writer).map_err(|error| Failure::from(crate::session::Error::from(error)))?;
    Ok(Offer::new(writer.seal().map_err(written)?, scanned, begun))
}

/// Takes the specification from a file, in any dialect, or from standard input if it is `-`.
pub(super) fn read_spec(file: &Path, scope: &Scope, choosing: &Choosing) -> Result<Offer, Failure> {
    if scope.filter().files().next().is_some() {
        let text = "--spec does not go with files of rules in directories (-F, dir-merge)";
        return Err(Failure::new(Exit::Usage, text));
    }
    let begun = sys::clock::now();
    let shown_name = shown_text(&file.to_string_lossy());
    let text = sys::read_input(file, limits::DIALECT_BYTES)
        .map_err(|error| system(Exit::Io, &shown_name, &error))?;
    let reading = dialect::read(&text).map_err(|error| Failure::new(Exit::Data, error).about(&shown_name))?;
    let written = |error: std::io::Error| {
        system(Exit::Io, "cannot write the specification into the spool directory ($TMPDIR)", &error)
    };
    // Every keyword that is there goes with it; what a transfer does not replicate is not compared either.
    let mut writer = SpecWriter::new(spool()?, Keywords::of(&Keyword::ALL)).map_err(written)?;
    let mut rules = Descent::new(scope.filter(), Side::Sender, &[]);
    let mut excluded: Option<&RelPath<'_>> = None;
    for (place, entry) in reading.entries.iter().enumerate() {
        if excluded.is_some_and(|above| entry.path.is_within(above)) || !scope.covers(&entry.path) {
            continue;
        }
        if rules.excludes(&entry.path, entry.kind == Kind::Dir, false) {
            excluded = Some(&entry.path);
            continue;
        }
        if scope.leads(&entry.path) && entry.kind != Kind::Dir {
            continue;
        }
        // Of a directory on the way to a source nothing is said: it is not to be changed.
        let entry =
            if scope.leads(&entry.path) { &Entry::new(entry.path.borrowed(), entry.kind) } else { entry };
        let unselected = entry.kind != crate::spec::Kind::Dir && !choosing.selects(reading.tags(place));
        let mut entry = entry.clone();
        (entry.optional, entry.nochange) = (entry.optional || unselected, entry.nochange || unselected);
        if choosing.numeric_ids {
            // Who has no number goes by name all the same.
            entry.uname = entry.uname.filter(|_| entry.uid.is_none());
            entry.gname = entry.gname.filter(|_| entry.gid.is_none());
        }
        writer.push(&entry).map_err(|error| match error {
            WriteError::Io(error) => written(error),
            error => Failure::new(Exit::Data, format_args!("{shown_name}: {}: {error}", entry.path)),
        })?;
    }
    let sockets = reading.entries.iter().filter(|entry| entry.kind == Kind::Socket);
    let skipped = sockets.count() as u64;
    let spec = writer.seal().map_err(written)?;
    let mut meant =
        |path: &&RelPath<'_>| ![false, true].iter().any(|is_dir| rules.excludes(path, *is_dir, false));
    let absent = std::io::Error::from_raw_os_error(libc::ENOENT);
    let missed = scope.only().iter().filter(|path| spec.find(path).is_none()).filter(|path| meant(path));
    let problems: Vec<_> = missed.map(|path| Problem::new(path, Step::Stat, &absent)).collect();
    let whole = problems.is_empty();
    let (locals, mounts) = (Vec::new(), Vec::new());
    Ok(Offer { spec, shown: None, problems, whole, skipped, locals, holes: 0, mounts, doubt: None, begun })
}
