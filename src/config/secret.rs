//! [`SecretText`]: a pre-shared secret as a configuration spells it, kept out of logs and error messages.

use serde::Deserialize;

/// The base64 text of a secret, not empty. Nothing shows it but [`as_str`](Self::as_str).
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct SecretText(String);

/// There is no secret where one is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSecret;

impl std::fmt::Display for NoSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the secret is empty; 'smsync keygen' makes one")
    }
}

impl std::error::Error for NoSecret {}

impl SecretText {
    /// Takes the text of a secret.
    ///
    /// # Errors
    /// When it is empty.
    pub fn new(text: String) -> Result<Self, NoSecret> {
        if text.is_empty() { Err(NoSecret) } else { Ok(SecretText(text)) }
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SecretText {
    type Error = NoSecret;

    fn try_from(text: String) -> Result<Self, NoSecret> {
        SecretText::new(text)
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(set)")
    }
}
