//! Names that both ends must agree on: of modules and of users.

use crate::limits;
use crate::vis::shown_text;

/// Why a name cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// There is none.
    Empty,
    /// It is longer than this number of bytes.
    TooLong(usize),
    /// It holds a character that separates names elsewhere, or a control character.
    Character(char),
    /// It means something else in a configuration.
    Reserved,
}

impl std::fmt::Display for NameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NameError::Empty => f.write_str("a name is empty"),
            NameError::TooLong(max) => write!(f, "a name is longer than {max} bytes"),
            NameError::Character(c) => write!(f, "a name holds '{}'", shown_text(c.encode_utf8(&mut [0; 4]))),
            NameError::Reserved => {
                f.write_str("the name is reserved: [global] is for what concerns the whole server")
            }
        }
    }
}

impl std::error::Error for NameError {}

/// Checks length and characters.
fn check(name: &str, max: usize, separators: &[char]) -> Result<(), NameError> {
    let bad = |c: char| c.is_control() || separators.contains(&c);
    match name.chars().find(|&c| bad(c)) {
        _ if name.is_empty() => Err(NameError::Empty),
        _ if name.len() > max => Err(NameError::TooLong(max)),
        Some(c) => Err(NameError::Character(c)),
        None => Ok(()),
    }
}

/// Checks the name of a module: one to [`limits::MODULE`] bytes, none of `/` `:` `[` `]`, and not `global`.
///
/// # Errors
/// What is wrong with it.
pub fn check_module(name: &str) -> Result<(), NameError> {
    check(name, limits::MODULE, &['/', ':', '[', ']'])?;
    let reserved = ["global", "globals"].iter().any(|word| name.eq_ignore_ascii_case(word));
    if reserved { Err(NameError::Reserved) } else { Ok(()) }
}

/// Checks the name of a user: one to [`limits::USER`] bytes, no blanks and none of `/` `:` `@`.
///
/// # Errors
/// What is wrong with it.
pub fn check_user(name: &str) -> Result<(), NameError> {
    check(name, limits::USER, &['/', ':', '@', ' '])
}
