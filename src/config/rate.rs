//! Sizes as rsync(1) has them, and [`Rate`]: so many bytes a second.

use crate::limits;
use std::num::NonZeroU64;
use std::time::Duration;

/// Bytes a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(NonZeroU64);

impl Rate {
    /// Reads a size that passes in a second, in KiB if it has no suffix; 0 is no rate.
    ///
    /// # Errors
    /// It is no size, or less than [`limits::RATE`].
    pub fn parse(text: &str) -> Result<Option<Rate>, String> {
        match size(text, 1024)? {
            Some(0) => Ok(None),
            Some(bytes) if bytes >= limits::RATE => Ok(NonZeroU64::new(bytes).map(Rate)),
            Some(_) => {
                Err(format!("less than {} KiB a second, which looks like silence", limits::RATE / 1024))
            }
            None => Err("nothing is so fast, or slower than nothing".into()),
        }
    }

    /// How many bytes pass in this time.
    #[must_use]
    pub fn bytes(self, time: Duration) -> u64 {
        let bytes = u128::from(self.0.get()).saturating_mul(time.as_nanos()) / 1_000_000_000;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// How long so many bytes take.
    #[must_use]
    pub fn time(self, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.0.get());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}B", self.0)
    }
}

/// Reads a size as rsync(1) has it: a number, perhaps with a fraction, a suffix, and `+1` or `-1`.
/// Without a suffix it is in `plain`s. `None` when it cannot be counted.
///
/// # Errors
/// It is no such text.
pub fn size(text: &str, plain: u64) -> Result<Option<u64>, String> {
    let wrong = || "a number with K, M, G, T or P, or KB, MB …, and perhaps +1 or -1".to_owned();
    let (text, more) = match (text.strip_suffix("+1"), text.strip_suffix("-1")) {
        (Some(rest), _) if !rest.is_empty() => (rest, 1),
        (_, Some(rest)) if !rest.is_empty() => (rest, -1),
        _ => (text, 0),
    };
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let suffix = suffix.to_ascii_lowercase();
    let (letter, base) = match suffix.strip_suffix("ib").or_else(|| suffix.strip_suffix('b')) {
        // A `b` alone is bytes.
        Some("") | None if suffix.ends_with("ib") => return Err(wrong()),
        Some(letter) if suffix.ends_with("ib") => (letter, 1024_u64),
        Some(letter) => (letter, 1000),
        None => (&*suffix, 1024),
    };
    let power = match letter {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(wrong()),
    };
    let unit = if suffix.is_empty() { plain } else { base.pow(power) };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || fraction.len() > 15 {
        return Err(wrong());
    }
    let digits = |text: &str| if text.is_empty() { Ok(0) } else { text.parse::<u64>() };
    let (whole, part) = (digits(whole).map_err(|_| wrong())?, digits(fraction).map_err(|_| wrong())?);
    let scale = 10_u128.pow(u32::try_from(fraction.len()).unwrap_or_default());
    let part = u64::try_from(u128::from(part) * u128::from(unit) / scale).unwrap_or_default();
    let bytes = whole.checked_mul(unit).and_then(|bytes| bytes.checked_add(part));
    Ok(bytes.and_then(|bytes| bytes.checked_add_signed(more)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_as_those_of_rsync() {
        for (text, bytes) in [
            ("4", 4096),
            ("5.5", 5632),
            ("100k", 102_400),
            ("1M", 1 << 20),
            ("1.5m", 3 << 19),
            ("10MB", 10_000_000),
            ("1MiB", 1 << 20),
            ("4096b", 4096),
            ("1g", 1 << 30),
        ] {
            let rate = Rate::parse(text).unwrap().unwrap();
            assert_eq!(rate.bytes(Duration::from_secs(1)), bytes, "{text}");
            assert_eq!(Rate::parse(&rate.to_string()), Ok(Some(rate)), "{text}");
        }
        assert_eq!(Rate::parse("0"), Ok(None));
        for text in ["", "x", "-1", "1x", "3", "100b", "99999999P", "1e6"] {
            assert!(Rate::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bytes_and_time_are_one_thing() {
        let rate = Rate::parse("1M").unwrap().unwrap();
        assert_eq!(rate.bytes(Duration::from_millis(50)), (1 << 20) / 20);
        assert_eq!(rate.time(3 << 20), Duration::from_secs(3));
        let slow = Rate::parse("4").unwrap().unwrap();
        assert!(slow.time(u64::MAX) > Duration::from_secs(60));
        let fast = Rate::parse("15000P").unwrap().unwrap();
        assert_eq!(fast.bytes(Duration::MAX), u64::MAX);
    }
}
