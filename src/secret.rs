//! [`Secret`]: the 32 random bytes that both ends hold, and the only doors to one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use serde::Deserialize;
use zeroize::Zeroizing;

/// Bytes of a secret.
const BYTES: usize = 32;
/// Different byte values a secret must hold: random bytes have fewer less than once in 10^15 draws.
const VALUES: usize = 16;

/// A pre-shared secret: 32 random bytes, wiped when dropped. Whoever records one handshake can guess at the secret off
/// line for ever, so nothing that a person might have thought of is taken for one.
///
/// A configuration reads it with serde. It may be cloned, because every copy wipes itself.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Secret(Zeroizing<[u8; BYTES]>);

/// Why a text is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretError {
    /// The system gives no random bytes.
    Random,
    /// The text is not base64 in the standard alphabet with padding.
    NotBase64,
    /// The text decodes to another number of bytes than 32.
    Length,
    /// All bytes are equal.
    AllEqual,
    /// Fewer than 16 different byte values.
    FewValues,
    /// The bytes are printable text.
    Passphrase,
}

impl std::fmt::Display for SecretError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let why = match self {
            SecretError::Random => return f.write_str("the system gives no random bytes"),
            SecretError::NotBase64 => "is not base64",
            SecretError::Length => "is not 32 bytes in base64",
            SecretError::AllEqual => "is one byte repeated",
            SecretError::FewValues => "is not random",
            SecretError::Passphrase => "is a passphrase, which can be guessed from one recorded packet",
        };
        write!(f, "the secret {why}: run `smsync keygen` and use the line it prints on both sides")
    }
}

impl std::error::Error for SecretError {}

impl Secret {
    /// A new secret from the system's random source.
    ///
    /// # Errors
    /// When the system gives no random bytes, or bytes that [`Secret::parse`] would refuse: a broken source.
    pub fn generate() -> Result<Secret, SecretError> {
        let mut bytes = Zeroizing::new([0; BYTES]);
        SystemRandom::new().fill(bytes.as_mut()).map_err(|_| SecretError::Random)?;
        Secret::checked(bytes)
    }

    /// Reads what `smsync keygen` prints: base64, standard alphabet, padded, nothing around it.
    ///
    /// # Errors
    /// When the text is not base64 of 32 bytes, or the bytes do not look random.
    pub fn parse(text: &str) -> Result<Secret, SecretError> {
        let decoded = STANDARD.decode(text).map(Zeroizing::new).map_err(|_| SecretError::NotBase64)?;
        let bytes = decoded.as_slice().try_into().map(Zeroizing::new).map_err(|_| SecretError::Length)?;
        Secret::checked(bytes)
    }

    /// The form that [`Secret::parse`] reads.
    #[must_use]
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.bytes()))
    }

    /// The bytes, for the handshake.
    pub(crate) fn bytes(&self) -> &[u8; BYTES] {
        &self.0
    }

    /// Refuses what a person made up.
    fn checked(bytes: Zeroizing<[u8; BYTES]>) -> Result<Secret, SecretError> {
        let mut sorted = bytes.clone();
        sorted.sort_unstable();
        let values = sorted.chunk_by(|a, b| a == b).count();
        if values == 1 {
            return Err(SecretError::AllEqual);
        }
        if bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(SecretError::Passphrase);
        }
        if values < VALUES {
            return Err(SecretError::FewValues);
        }
        Ok(Secret(bytes))
    }
}

impl TryFrom<String> for Secret {
    type Error = SecretError;

    /// As [`Secret::parse`], and wipes the text.
    fn try_from(text: String) -> Result<Secret, SecretError> {
        Secret::parse(&Zeroizing::new(text))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A test's configuration with each `<word>` replaced by a secret that is made from the word.
#[cfg(test)]
pub(crate) fn spelled(text: &str) -> String {
    let mut parts = text.split('<');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for (word, rest) in parts.map(|part| part.split_once('>').unwrap()) {
        out += &STANDARD.encode(blake3::hash(word.as_bytes()).as_bytes());
        out += rest;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 00 01 … 1f, encoded by base64(1).
    const COUNTING: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn reads_and_writes_the_standard_form() {
        let secret = Secret::parse(COUNTING).unwrap();
        assert_eq!(secret.bytes().as_slice(), (0..32).collect::<Vec<u8>>());
        assert_eq!(secret.to_base64().as_str(), COUNTING);
    }

    #[test]
    fn generated_secrets_differ_and_are_accepted() {
        let (one, two) = (Secret::generate().unwrap(), Secret::generate().unwrap());
        assert_ne!(one.bytes(), two.bytes());
        assert_eq!(Secret::parse(&one.to_base64()).unwrap().bytes(), one.bytes());
    }

    #[test]
    fn refuses_what_is_not_the_standard_form() {
        let url_alphabet = "__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eA=";
        assert!(Secret::parse(&url_alphabet.replace('_', "/").replace('-', "+")).is_ok());
        let spare_bits = COUNTING.replace("Hh8=", "Hh9=");
        let padded = COUNTING.to_owned() + "=";
        for text in [
            "correct horse",
            url_alphabet,
            COUNTING.trim_end_matches('='),
            &spare_bits,
            &padded,
            " \n",
            "\u{e9}",
        ] {
            assert_eq!(Secret::parse(text).unwrap_err(), SecretError::NotBase64, "{text:?}");
        }
        assert_eq!(Secret::parse(&format!("{COUNTING}\n")).unwrap_err(), SecretError::NotBase64);
    }

    #[test]
    fn refuses_other_lengths() {
        for length in [0, 1, 16, 31, 33, 64] {
            let text = STANDARD.encode((0..length).collect::<Vec<u8>>());
            assert_eq!(Secret::parse(&text).unwrap_err(), SecretError::Length, "{length}");
        }
    }

    #[test]
    fn refuses_what_a_person_made_up() {
        let refused = |bytes: [u8; 32]| Secret::parse(&STANDARD.encode(bytes)).unwrap_err();
        assert_eq!(refused([0; 32]), SecretError::AllEqual);
        assert_eq!(refused([b'a'; 32]), SecretError::AllEqual);
        assert_eq!(refused(*b"This is my Austrian perspective!"), SecretError::Passphrase);
        assert_eq!(refused(*b"!\"#$%&'()*+,-./0123456789:;<=>?~"), SecretError::Passphrase);
        let fifteen = std::array::from_fn(|at| u8::try_from(at % 15).unwrap());
        assert_eq!(refused(fifteen), SecretError::FewValues);
        let sixteen: [u8; 32] = std::array::from_fn(|at| u8::try_from(at % 16).unwrap());
        assert!(Secret::parse(&STANDARD.encode(sixteen)).is_ok());
    }

    #[test]
    fn nothing_prints_a_secret() {
        let secret = Secret::parse(COUNTING).unwrap();
        assert_eq!(format!("{secret:?}{:?}", secret.clone()), "Secret(..)Secret(..)");
    }

    #[test]
    fn every_refusal_of_a_text_says_what_to_do() {
        use SecretError::{AllEqual, FewValues, Length, NotBase64, Passphrase};
        for error in [NotBase64, Length, AllEqual, FewValues, Passphrase] {
            assert!(error.to_string().contains("smsync keygen"), "{error}");
        }
    }
}
