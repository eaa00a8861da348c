//! One line of the canonical form: parsed from the map without copying, written byte for byte the same.

use crate::digest::Algorithm;
use crate::limits;
use crate::path::{PathError, RelPath};
use crate::spec::xattrs;
use crate::spec::{Device, Entry, InodeId, Keyword, Keywords, Kind, Time};
use crate::vis::{self, VisError};
use std::borrow::Cow;

/// Why a line is not canonical.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineError {
    /// The path does not start with `./` and is not `.`.
    Start,
    /// The path breaks a rule.
    Path(PathError),
    /// A word is not in canonical vis(3) form.
    Vis(VisError),
    /// A word is no keyword of the canonical form.
    UnknownKeyword,
    /// A keyword stands twice or in the wrong place.
    KeywordOrder,
    /// The value of this keyword is malformed or out of range.
    Value(Keyword),
    /// This keyword does not belong to an entry of that type.
    Misplaced(Keyword),
    /// This keyword must be there for an entry of that type.
    Missing(Keyword),
}

impl std::fmt::Display for LineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LineError::Start => f.write_str("a path must be '.' or start with './'"),
            LineError::Path(error) => error.fmt(f),
            LineError::Vis(error) => error.fmt(f),
            LineError::UnknownKeyword => f.write_str("unknown keyword"),
            LineError::KeywordOrder => f.write_str("a keyword is doubled or out of order"),
            LineError::Value(keyword) => write!(f, "bad value of '{}'", keyword.name()),
            LineError::Misplaced(keyword) => write!(f, "'{}' does not belong to this type", keyword.name()),
            LineError::Missing(keyword) => write!(f, "'{}' is missing", keyword.name()),
        }
    }
}

impl std::error::Error for LineError {}

/// Parses one line, without its line end. `keywords` gains what the line carries.
pub(crate) fn parse<'a>(line: &'a [u8], keywords: &mut Keywords) -> Result<Entry<'a>, LineError> {
    let mut words = line.split(|&byte| byte == b' ');
    let path = parse_path(words.next().unwrap_or_default())?;
    let kind =
        words.next().and_then(|word| word.strip_prefix(b"type=")).ok_or(LineError::Missing(Keyword::Type))?;
    let kind = Kind::from_name(kind).ok_or(LineError::Value(Keyword::Type))?;
    let mut entry = Entry::new(path, kind);
    let (mut last, mut inode, mut resdevice) = (Keyword::Type, None, None);
    for word in words {
        if let Some(attribute) = word.strip_prefix(xattrs::PREFIX) {
            xattr(attribute, &mut entry)?;
            last = Keyword::Xattr;
            keywords.insert(last);
            continue;
        }
        let (name, value) = match word.iter().position(|&byte| byte == b'=') {
            Some(at) => (word.get(..at).unwrap_or_default(), word.get(at + 1..)),
            None => (word, None),
        };
        let keyword = Keyword::from_name(name).ok_or(LineError::UnknownKeyword)?;
        if keyword <= last {
            return Err(LineError::KeywordOrder);
        }
        last = keyword;
        keywords.insert(keyword);
        let bad = LineError::Value(keyword);
        if value.is_some() == keyword.is_bare() {
            return Err(bad);
        }
        let value = value.unwrap_or_default();
        match keyword {
            Keyword::Type => return Err(LineError::KeywordOrder),
            // Alone, without the name of an attribute.
            Keyword::Xattr => return Err(LineError::UnknownKeyword),
            Keyword::Uname => entry.uname = Some(owner_name(value).ok_or(bad)?),
            Keyword::Gname => entry.gname = Some(owner_name(value).ok_or(bad)?),
            Keyword::Uid => entry.uid = Some(owner_number(value).ok_or(bad)?),
            Keyword::Gid => entry.gid = Some(owner_number(value).ok_or(bad)?),
            Keyword::Mode => entry.mode = Some(mode(value).ok_or(bad)?),
            Keyword::Device => entry.device = Some(device(value).ok_or(bad)?),
            Keyword::Nlink => entry.nlink = Some(number(value).ok_or(bad)?),
            Keyword::Link => entry.link = Some(target(value)?),
            Keyword::Size => entry.size = Some(number(value).ok_or(bad)?),
            Keyword::Time => entry.time = Some(time(value).ok_or(bad)?),
            Keyword::Inode => inode = Some(number(value).ok_or(bad)?),
            Keyword::Resdevice => resdevice = Some(device(value).ok_or(bad)?),
            Keyword::Ignore => entry.ignore = true,
            Keyword::Optional => entry.optional = true,
            Keyword::Nochange => entry.nochange = true,
            _ => {
                let algorithm = keyword.algorithm().ok_or(bad)?;
                entry.digests.set(algorithm, value).map_err(|_| bad)?;
            }
        }
    }
    entry.inode = match (inode, resdevice) {
        (Some(inode), Some(device)) => Some(InodeId { device, inode }),
        (None, None) => None,
        (Some(_), None) => return Err(LineError::Missing(Keyword::Resdevice)),
        (None, Some(_)) => return Err(LineError::Missing(Keyword::Inode)),
    };
    check(&entry)?;
    Ok(entry)
}

/// The path of a line.
pub(crate) fn path(line: &[u8]) -> Result<RelPath<'_>, LineError> {
    parse_path(line.split(|&byte| byte == b' ').next().unwrap_or_default())
}

/// The size in a canonical line. It is there if the line is of a regular file, and only then.
pub(crate) fn size(line: &[u8]) -> Option<u64> {
    line.rsplit(|&byte| byte == b' ').find_map(|word| word.strip_prefix(b"size=")).and_then(number)
}

/// Which file a canonical line says it is, if it has several names.
pub(crate) fn file(line: &[u8]) -> Option<InodeId> {
    let mut words = line.rsplit(|&byte| byte == b' ');
    let device = words.find_map(|word| word.strip_prefix(b"resdevice=")).and_then(device)?;
    // The one stands right before the other.
    let inode = words.next()?.strip_prefix(b"inode=").and_then(number)?;
    Some(InodeId { device, inode })
}

/// Whether a canonical line carries this keyword. Those at its end are found soonest.
pub(crate) fn carries(line: &[u8], wanted: Keyword) -> bool {
    let keywords = line.rsplit(|&byte| byte == b' ').map(|word| {
        let name = word.split(|&byte| byte == b'=').next().unwrap_or_default();
        if name.starts_with(xattrs::PREFIX) { Some(Keyword::Xattr) } else { Keyword::from_name(name) }
    });
    keywords
        .map_while(|keyword| keyword.filter(|keyword| *keyword >= wanted))
        .any(|keyword| keyword == wanted)
}

/// Takes what follows `xattr.`: `NAME=BASE64`.
fn xattr<'a>(attribute: &'a [u8], entry: &mut Entry<'a>) -> Result<(), LineError> {
    let bad = LineError::Value(Keyword::Xattr);
    let at = attribute.iter().position(|&byte| byte == b'=').ok_or(bad)?;
    let (name, text) = attribute.split_at(at);
    let name = vis::decode_canonical(name).map_err(LineError::Vis)?;
    entry.xattrs.push(name, Cow::Borrowed(text.get(1..).unwrap_or_default())).ok_or(bad)
}

/// What must and must not be said of each type, and how large a file may be.
pub(crate) fn check(entry: &Entry<'_>) -> Result<(), LineError> {
    let belongs = |present: bool, keyword: Keyword, kind: bool, needed: bool| match (present, kind) {
        (true, false) => Err(LineError::Misplaced(keyword)),
        (false, true) if needed => Err(LineError::Missing(keyword)),
        _ => Ok(()),
    };
    let file = entry.kind == Kind::File;
    belongs(entry.size.is_some(), Keyword::Size, file, true)?;
    if entry.size.is_some_and(|size| size > limits::FILE_SIZE) {
        return Err(LineError::Value(Keyword::Size));
    }
    belongs(entry.time.is_some(), Keyword::Time, true, file)?;
    belongs(entry.link.is_some(), Keyword::Link, entry.kind == Kind::Link, true)?;
    belongs(entry.device.is_some(), Keyword::Device, entry.kind.is_device(), true)?;
    belongs(entry.inode.is_some(), Keyword::Inode, entry.kind != Kind::Dir, false)?;
    belongs(entry.ignore, Keyword::Ignore, entry.kind == Kind::Dir, false)?;
    match entry.digests.algorithms().iter().next() {
        Some(algorithm) if !file => Err(LineError::Misplaced(Keyword::of_algorithm(algorithm))),
        _ => Ok(()),
    }
}

fn parse_path(word: &[u8]) -> Result<RelPath<'_>, LineError> {
    if word == b"." {
        return Ok(RelPath::ROOT);
    }
    let encoded = word.strip_prefix(b"./").ok_or(LineError::Start)?;
    if encoded.is_empty() {
        return Err(LineError::Path(PathError::Empty));
    }
    // A '/' cannot come out of an escape: the canonical form writes it as itself, so `\057` is not canonical.
    let decoded = vis::decode_canonical(encoded).map_err(LineError::Vis)?;
    RelPath::new(decoded).map_err(LineError::Path)
}

fn target(value: &[u8]) -> Result<Cow<'_, [u8]>, LineError> {
    let decoded = vis::decode_canonical(value).map_err(LineError::Vis)?;
    let fits = (1..=limits::LINK).contains(&decoded.len());
    fits.then_some(decoded).ok_or(LineError::Value(Keyword::Link))
}

fn owner_name(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let decoded = vis::decode_canonical(value).ok()?;
    (1..=limits::OWNER).contains(&decoded.len()).then_some(decoded)
}

/// A decimal number without sign or leading zero.
pub(crate) fn number(value: &[u8]) -> Option<u64> {
    match value {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] if value.len() <= 20 => value.iter().try_fold(0u64, |sum, digit| {
            let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
            sum.checked_mul(10)?.checked_add(u64::from(digit))
        }),
        _ => None,
    }
}

/// A uid or gid. The last number means "unchanged" to chown(2) and can own nothing.
fn owner_number(value: &[u8]) -> Option<u32> {
    u32::try_from(number(value)?).ok().filter(|id| *id != u32::MAX)
}

/// An octal mode with one leading zero, at most 07777; `0` alone is 0.
fn mode(value: &[u8]) -> Option<u32> {
    match value {
        b"0" => Some(0),
        [b'0', digits @ ..] if (1..=4).contains(&digits.len()) && digits.first() != Some(&b'0') => {
            digits.iter().try_fold(0, |sum, digit| {
                matches!(digit, b'0'..=b'7').then(|| sum << 3 | u32::from(digit - b'0'))
            })
        }
        _ => None,
    }
}

/// `native,MAJOR,MINOR`: the form that both mtree(8) and libarchive read as glibc's makedev(3).
fn device(value: &[u8]) -> Option<Device> {
    let mut parts = value.strip_prefix(b"native,")?.split(|&byte| byte == b',');
    let mut next = || parts.next().and_then(number).and_then(|part| u32::try_from(part).ok());
    let device = Device { major: next()?, minor: next()? };
    parts.next().is_none().then_some(device)
}

/// `SECONDS.NNNNNNNNN`: readers disagree whether the fraction is a count or a decimal, and nine digits are both.
fn time(value: &[u8]) -> Option<Time> {
    let at = value.len().checked_sub(10)?;
    let (sec, fraction) = value.split_at(at);
    let (sign, digits) = match sec {
        [b'-', digits @ ..] => (-1i128, digits),
        digits => (1, digits),
    };
    let sec = i64::try_from(sign * i128::from(number(digits)?)).ok()?;
    if sign < 0 && sec == 0 {
        return None;
    }
    let [b'.', digits @ ..] = fraction else { return None };
    let nsec = digits
        .iter()
        .try_fold(0u32, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))?;
    Some(Time { sec, nsec })
}

/// Appends the line of `entry` with its line end, leaving out what is not in `keywords`.
pub(crate) fn write(entry: &Entry<'_>, keywords: Keywords, out: &mut Vec<u8>) {
    if entry.path.is_root() {
        out.push(b'.');
    } else {
        out.extend_from_slice(b"./");
        vis::encode(entry.path.as_bytes(), out);
    }
    out.extend_from_slice(b" type=");
    out.extend_from_slice(entry.kind.name().as_bytes());
    for keyword in Keyword::ALL.into_iter().filter(|keyword| keywords.contains(*keyword)) {
        write_keyword(entry, keyword, out);
    }
    out.push(b'\n');
}

/// Appends ` keyword=value`, if the entry says something of it.
fn write_keyword(entry: &Entry<'_>, keyword: Keyword, out: &mut Vec<u8>) {
    let text = |out: &mut Vec<u8>, value: &[u8]| {
        start(keyword, out);
        vis::encode(value, out);
    };
    let decimal = |out: &mut Vec<u8>, value: u64| {
        start(keyword, out);
        push_digits::<10>(value, out);
    };
    let device = |out: &mut Vec<u8>, value: Device| {
        start(keyword, out);
        out.extend_from_slice(b"native,");
        push_digits::<10>(value.major.into(), out);
        out.push(b',');
        push_digits::<10>(value.minor.into(), out);
    };
    match keyword {
        Keyword::Type => {}
        Keyword::Uname => entry.uname.iter().for_each(|name| text(out, name)),
        Keyword::Gname => entry.gname.iter().for_each(|name| text(out, name)),
        Keyword::Link => entry.link.iter().for_each(|target| text(out, target)),
        Keyword::Uid => entry.uid.iter().for_each(|id| decimal(out, (*id).into())),
        Keyword::Gid => entry.gid.iter().for_each(|id| decimal(out, (*id).into())),
        Keyword::Nlink => entry.nlink.iter().for_each(|count| decimal(out, *count)),
        Keyword::Size => entry.size.iter().for_each(|size| decimal(out, *size)),
        Keyword::Inode => entry.inode.iter().for_each(|id| decimal(out, id.inode)),
        Keyword::Device => entry.device.iter().for_each(|number| device(out, *number)),
        Keyword::Resdevice => entry.inode.iter().for_each(|id| device(out, id.device)),
        Keyword::Mode => {
            if let Some(mode) = entry.mode {
                start(keyword, out);
                if mode != 0 {
                    out.push(b'0');
                }
                push_digits::<8>(mode.into(), out);
            }
        }
        Keyword::Time => {
            if let Some(time) = entry.time {
                start(keyword, out);
                if time.sec < 0 {
                    out.push(b'-');
                }
                push_digits::<10>(time.sec.unsigned_abs(), out);
                // A billion more makes it ten digits, the first of which gives way to the point.
                let point = out.len();
                push_digits::<10>(1_000_000_000 + u64::from(time.nsec), out);
                out.get_mut(point..=point).unwrap_or_default().fill(b'.');
            }
        }
        Keyword::Xattr => {
            for (name, text) in entry.xattrs.iter() {
                out.push(b' ');
                out.extend_from_slice(xattrs::PREFIX);
                vis::encode(name, out);
                out.push(b'=');
                out.extend_from_slice(text);
            }
        }
        Keyword::Ignore => bare(keyword, entry.ignore, out),
        Keyword::Optional => bare(keyword, entry.optional, out),
        Keyword::Nochange => bare(keyword, entry.nochange, out),
        _ => {
            if let Some(value) =
                keyword.algorithm().and_then(|algorithm: Algorithm| entry.digests.get(algorithm))
            {
                start(keyword, out);
                out.extend_from_slice(value);
            }
        }
    }
}

/// Appends ` keyword`, if it is said.
fn bare(keyword: Keyword, said: bool, out: &mut Vec<u8>) {
    if said {
        out.push(b' ');
        out.extend_from_slice(keyword.name().as_bytes());
    }
}

fn start(keyword: Keyword, out: &mut Vec<u8>) {
    out.push(b' ');
    out.extend_from_slice(keyword.name().as_bytes());
    out.push(b'=');
}

/// Digits of a number, which `write!` would take three times as long for: a line has eight numbers. The base is known
/// when this is compiled, or each digit would cost a division.
fn push_digits<const BASE: u64>(value: u64, out: &mut Vec<u8>) {
    // As many as the largest number has in octal.
    let mut digits = [0; 22];
    let (mut left, mut count) = (value, 0);
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(left % BASE).unwrap_or_default();
        left /= BASE;
        count += 1;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - count..).unwrap_or_default());
}
