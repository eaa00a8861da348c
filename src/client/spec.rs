//! `smsync spec`: writes the specification of a tree, or compares a tree with one.

mod check;
mod classic;
mod excludes;
mod form;

use crate::client::failure::{Failure, system};
use crate::client::options::Spec;
use crate::client::rules;
use crate::client::show::Show;
use crate::client::source;
use crate::exit::Exit;
use crate::limits;
use crate::path::{Filter, Item, Scope, Traits};
use crate::spec::{Keyword, Keywords, SpecWriter, dialect};
use crate::sys;
use crate::terms::Taking;
use crate::tree::{Root, Scan, ScanError, View, scan};
use crate::vis::{shown, shown_text};
use std::path::Path;

/// Does what the command line asks for.
pub(super) fn run(options: &Spec, show: &mut Show) -> Result<Exit, Failure> {
    let mut items = rules::excluding(&options.exclude)?.items().to_vec();
    for file in &options.exclude_file {
        let patterns = excludes::patterns(&input(file, limits::CONFIG)?);
        items.extend(patterns.iter().filter_map(|pattern| Item::new(Traits::BOTH, pattern.text())));
    }
    let scope = Scope::new(Vec::new(), Filter::new(items));
    match &options.check {
        // mtree(8) has one code for all errors, and whoever asks for a comparison expects it.
        Some(spec) => compare(spec, options, &scope, show)
            .map_err(|failure| Failure { exit: Exit::Problems, ..failure }),
        None => write(options, &scope, show),
    }
}

fn input(file: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let name = shown_text(&file.to_string_lossy());
    sys::read_input(file, limit).map_err(|error| system(Exit::Io, &name, &error))
}

/// Compares the tree with a specification.
fn compare(spec: &Path, options: &Spec, scope: &Scope, show: &mut Show) -> Result<Exit, Failure> {
    let text = input(spec, limits::DIALECT_BYTES)?;
    let reading = dialect::read(&text)
        .map_err(|error| Failure::new(Exit::Data, error).about(shown_text(&spec.to_string_lossy())))?;
    drop(text);
    let exit = check::check(&reading.entries, options, scope, show)?;
    show.end("check", None, exit, true);
    Ok(exit)
}

/// Directories have none, and files need not be read for those.
fn without_digests(keywords: Keywords) -> Keywords {
    let digests: Vec<Keyword> = Keyword::ALL.into_iter().filter(|word| word.algorithm().is_some()).collect();
    keywords.without(Keywords::of(&digests))
}

/// Writes the specification of the tree.
fn write(options: &Spec, scope: &Scope, show: &mut Show) -> Result<Exit, Failure> {
    let name = shown(options.dir.as_os_str().as_encoded_bytes());
    let mut root = Root::open(&options.dir).map_err(|error| system(Exit::Io, &name, &error))?;
    if options.logical {
        root.take(Taking::logical());
    }
    let chosen = options.keywords.unwrap_or(Keywords::MTREE_DEFAULT);
    let chosen = chosen.union(options.add.unwrap_or_default());
    let chosen = chosen.without(options.remove.unwrap_or_default());
    let chosen = if options.directories { without_digests(chosen) } else { chosen };
    let out = std::io::BufWriter::new(std::io::stdout());
    let written = |error: std::io::Error| system(Exit::Io, "cannot write to standard output", &error);
    let what = Scan {
        scope,
        keywords: chosen,
        one_file_system: options.one_file_system,
        sockets: true,
        view: View::Sender,
        remembered: None,
        stop: None,
    };
    let scanned = if options.classic || options.directories {
        let spooled = |error: std::io::Error| {
            system(Exit::Io, "cannot write the specification into the spool directory ($TMPDIR)", &error)
        };
        // An owner without a name here is told by its number.
        let numbers = Keywords::of(&[Keyword::Uid, Keyword::Gid]);
        let keywords = chosen.union(Keywords::STRUCTURE).union(numbers);
        let mut writer = SpecWriter::new(source::spool()?, keywords).map_err(spooled)?;
        let scanned =
            scan(&root, Scan { keywords, ..what }, &mut writer).map_err(crate::session::Error::from)?;
        let spec = writer.seal().map_err(spooled)?;
        let nodes = form::nodes(&spec, chosen, options.directories);
        let done = if options.classic { classic::write(&nodes, out) } else { form::write(&nodes, out) };
        done.map_err(written)?;
        scanned
    } else {
        let mut writer = SpecWriter::new(out, chosen).map_err(written)?;
        let scanned = scan(&root, what, &mut writer).map_err(|error| match error {
            ScanError::Io(error) => written(error),
            error => crate::session::Error::from(error).into(),
        })?;
        writer.finish().map_err(written)?;
        scanned
    };
    for problem in &scanned.problems {
        show.error(&format!("{name}: {problem}"));
    }
    Ok(if scanned.problems.is_empty() { Exit::Ok } else { Exit::Problems })
}
