//! What is here: the roots of a push, and its specification, by a scan or from a file in any dialect.

use crate::client::failure::{Failure, system};
use crate::client::options::Choosing;
use crate::exit::Exit;
use crate::install::hopeless;
use crate::limits;
use crate::path::{Pattern, RelPath, Scope};
use crate::session::{Memory, Offer};
use crate::spec::{Entry, Keyword, Keywords, SpecWriter, WriteError, dialect};
use crate::sys::{self, Dir, Spool};
use crate::tree::{Root, Scan, scan};
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

fn name(source: &std::ffi::OsStr) -> String {
    shown(source.as_encoded_bytes())
}

/// The part of the tree a transfer is about.
pub(super) fn scope(only: Vec<RelPath<'static>>, exclude: &[OsString]) -> Result<Scope, Failure> {
    let usage = |text: String| Failure::new(Exit::Usage, text);
    if only.len() > limits::SCOPE || exclude.len() > limits::SCOPE {
        return Err(usage(format!("more than {} sources or patterns", limits::SCOPE)));
    }
    let patterns = exclude.iter().map(|text| {
        let pattern =
            Pattern::new(text.as_encoded_bytes()).filter(|pattern| pattern.text().len() <= limits::PATH);
        pattern.ok_or_else(|| usage(format!("--exclude '{}': no pattern", name(text))))
    });
    let patterns = patterns.collect::<Result<Vec<_>, _>>()?;
    let scope = Scope::new(only, patterns);
    let bytes: usize = scope.only().iter().map(|path| path.as_bytes().len() + 2).sum::<usize>()
        + scope.patterns().iter().map(|pattern| pattern.text().len() + 2).sum::<usize>();
    if bytes > limits::RECORD / 2 {
        Err(usage("sources and patterns are too long together".into()))
    } else {
        Ok(scope)
    }
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
pub(super) fn describe(root: &Root, scope: &Scope, keywords: Keywords) -> Result<Offer, Failure> {
    let written = |error: std::io::Error| {
        system(Exit::Io, "cannot write the specification into the spool directory ($TMPDIR)", &error)
    };
    let begun = sys::clock::now();
    let mut writer = SpecWriter::new(spool()?, keywords).map_err(written)?;
    let what = Scan { scope, keywords, one_file_system: false, sockets: true };
    let scanned =
        scan(root, what, &mut writer).map_err(|error| Failure::from(crate::session::Error::from(error)))?;
    Ok(Offer::new(writer.seal().map_err(written)?, scanned, begun))
}

/// Takes the specification from a file, in any dialect, or from standard input if it is `-`.
pub(super) fn read_spec(file: &Path, scope: &Scope, choosing: &Choosing) -> Result<Offer, Failure> {
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
    let mut excluded: Option<&RelPath<'_>> = None;
    for (place, entry) in reading.entries.iter().enumerate() {
        if excluded.is_some_and(|above| entry.path.is_within(above)) || !scope.covers(&entry.path) {
            continue;
        }
        if scope.excludes(&entry.path, entry.kind == crate::spec::Kind::Dir) {
            excluded = Some(&entry.path);
            continue;
        }
        // Of a directory on the way to a source nothing is said: it is not to be changed.
        let entry =
            if scope.leads(&entry.path) { &Entry::new(entry.path.borrowed(), entry.kind) } else { entry };
        let unselected = entry.kind != crate::spec::Kind::Dir && !choosing.selects(reading.tags(place));
        let alone;
        let entry = if unselected {
            alone = Entry { optional: true, nochange: true, ..entry.clone() };
            &alone
        } else {
            entry
        };
        writer.push(entry).map_err(|error| match error {
            WriteError::Io(error) => written(error),
            error => Failure::new(Exit::Data, format_args!("{shown_name}: {}: {error}", entry.path)),
        })?;
    }
    let sockets = reading.entries.iter().filter(|entry| entry.kind == crate::spec::Kind::Socket);
    let skipped = sockets.count() as u64;
    let spec = writer.seal().map_err(written)?;
    let mounts = Vec::new();
    Ok(Offer {
        spec,
        shown: None,
        problems: Vec::new(),
        whole: true,
        skipped,
        holes: 0,
        mounts,
        doubt: None,
        begun,
    })
}
