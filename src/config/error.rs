//! What is wrong with a configuration: all of it, each with its file and line.

use crate::sys::private::PrivateError;
use crate::vis::shown;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

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

impl ConfigError {
    /// Its place among the errors of one file, at most one of which is about privacy.
    fn place(&self) -> (usize, &str) {
        match self {
            ConfigError::Private(_) => (0, ""),
            ConfigError::Line { line, text, .. } => (*line, text),
        }
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

/// Everything that is wrong with one file, collected while it is read. Shown one error a line.
#[derive(Debug)]
pub struct ConfigErrors {
    file: String,
    list: Vec<ConfigError>,
}

impl ConfigErrors {
    /// Nothing is wrong with this file yet.
    #[must_use]
    pub fn new(file: &Path) -> Self {
        ConfigErrors { file: shown(file.as_os_str().as_bytes()), list: Vec::new() }
    }

    /// A line is wrong. The text is fit for a terminal.
    pub fn wrong(&mut self, line: usize, text: impl Into<String>) {
        self.list.push(ConfigError::Line { file: self.file.clone(), line, text: text.into() });
    }

    /// The file cannot be opened, or must not be.
    pub fn private(&mut self, error: PrivateError) {
        self.list.push(ConfigError::Private(error));
    }

    /// Takes over what is wrong with another file, after what is wrong with this one.
    pub fn append(&mut self, other: ConfigErrors) {
        self.list.extend(other.list);
    }

    /// The errors: in the order of their lines once [`finish`](Self::finish) returned them.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.list.iter()
    }

    /// What was read from the file, if nothing is wrong with it.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the lines.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<T, ConfigErrors> {
        self.list.sort_by(|a, b| a.place().cmp(&b.place()));
        // A wrong default was met again in every section that takes it.
        self.list.dedup_by(|a, b| a.place() == b.place());
        value.filter(|_| self.list.is_empty()).ok_or(self)
    }
}

impl std::fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, error) in self.list.iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
