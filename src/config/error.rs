//! What is wrong with a configuration: all of it, each with its file and line.

use crate::sys::private::PrivateError;
use crate::vis::shown;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// One thing that is wrong with a configuration.
#[derive(Debug)]
pub enum ConfigError {
    /// The file is missing, or not as private as it must be.
    Private(PrivateError),
    /// A line is wrong.
    Line {
        /// The file, fit for a terminal.
        file: String,
        /// Counted from one.
        line: usize,
        /// What is wrong and what was expected, fit for a terminal.
        text: String,
    },
}

/// A line of a configuration, which may be several files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// Which of the files, in the order in which they were opened.
    file: usize,
    /// Counted from one.
    line: usize,
}

/// Of the file that includes the others.
impl From<usize> for At {
    fn from(line: usize) -> At {
        At { file: 0, line }
    }
}

impl At {
    /// The number of the line.
    #[must_use]
    pub const fn number(self) -> usize {
        self.line
    }

    /// In which of the files it is.
    #[must_use]
    pub const fn file(self) -> usize {
        self.file
    }

    /// Another line of the same file.
    #[must_use]
    pub const fn line(self, line: usize) -> At {
        At { line, ..self }
    }
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ConfigError::Private(error) => error.fmt(f),
            ConfigError::Line { file, line, text } => write!(f, "{file}:{line}: {text}"),
        }
    }
}

/// A file of the configuration.
#[derive(Debug)]
struct File {
    path: PathBuf,
    /// The line that includes it.
    by: Option<At>,
}

impl File {
    /// Its name, fit for a terminal.
    fn name(&self) -> String {
        shown(self.path.as_os_str().as_bytes())
    }
}

/// Everything that is wrong with a configuration, collected while it is read. Shown one error a line.
#[derive(Debug)]
pub struct ConfigErrors {
    files: Vec<File>,
    list: Vec<(At, ConfigError)>,
}

impl ConfigErrors {
    /// Nothing is wrong with this file yet.
    #[must_use]
    pub fn new(file: &Path) -> Self {
        ConfigErrors { files: vec![File { path: file.to_owned(), by: None }], list: Vec::new() }
    }

    /// One more file belongs to the configuration, by this line: where it begins.
    pub fn enter(&mut self, file: &Path, by: At) -> At {
        self.files.push(File { path: file.to_owned(), by: Some(by) });
        At { file: self.files.len() - 1, line: 0 }
    }

    /// Whether a line stands in this file, or in one that this file includes, by whatever others.
    #[must_use]
    pub fn is_within(&self, at: At, file: &Path) -> bool {
        let above = |at: &At| self.files.get(at.file)?.by;
        std::iter::successors(Some(at), above)
            .any(|at| self.files.get(at.file).is_some_and(|above| above.path == file))
    }

    /// The files that it consists of so far, in the order in which they were opened.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.files.iter().map(File::name).collect()
    }

    /// The same as paths.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }

    /// How many files it consists of so far.
    #[must_use]
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// A line is wrong. The text is fit for a terminal.
    pub fn wrong(&mut self, at: impl Into<At>, text: impl Into<String>) {
        let at = at.into();
        let file = self.files.get(at.file).map(File::name).unwrap_or_default();
        self.list.push((at, ConfigError::Line { file, line: at.line, text: text.into() }));
    }

    /// What is said at one place was said at another already, which is named as it is seen from there.
    pub fn doubled(&mut self, at: At, what: &str, first: At) {
        let line = first.line;
        let first = match self.files.get(first.file) {
            Some(file) if first.file != at.file => format!("{}:{line}", file.name()),
            _ => format!("line {line}"),
        };
        self.wrong(at, format!("{what} already given at {first}"));
    }

    /// A file cannot be opened, or must not be: the first of the configuration, or the one that begins here.
    pub fn private(&mut self, at: impl Into<At>, error: PrivateError) {
        self.list.push((at.into(), ConfigError::Private(error)));
    }

    /// Takes over what is wrong with another configuration, after what is wrong with this one.
    pub fn append(&mut self, other: ConfigErrors) {
        self.list.extend(other.list);
    }

    /// The errors: in the order of their lines once [`finish`](Self::finish) returned them.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.list.iter().map(|(_, error)| error)
    }

    /// What was read from the file, if nothing is wrong with it.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the lines.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<T, ConfigErrors> {
        self.list.sort_by_cached_key(|(at, error)| (*at, error.to_string()));
        // A wrong default was met again in every section that takes it.
        self.list.dedup_by(|(a, later), (b, earlier)| a == b && later.to_string() == earlier.to_string());
        value.filter(|_| self.list.is_empty()).ok_or(self)
    }
}

impl std::fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, error) in self.iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
