//! The values of keywords as the dialects write them.

use super::fault::DialectFault;
use crate::limits;
use crate::spec::{Device, Time};
use crate::terms::{Operator, Permissions, clauses};
use crate::vis;

/// A decimal number; leading zeros do not matter.
pub(super) fn decimal(value: &[u8]) -> Option<u64> {
    number(value, 10)
}

/// Digits of a base up to 16, at least one.
fn number(digits: &[u8], base: u32) -> Option<u64> {
    digits.first()?;
    digits.iter().try_fold(0u64, |sum, &digit| {
        sum.checked_mul(base.into())?.checked_add(char::from(digit).to_digit(base)?.into())
    })
}

/// A number as strtoul(3) reads it with base 0: `0x107`, `0407`, `263`.
fn any_base(value: &[u8]) -> Option<u64> {
    match value {
        [b'0', b'x' | b'X', digits @ ..] => number(digits, 16),
        [b'0', digits @ ..] if !digits.is_empty() => number(digits, 8),
        _ => number(value, 10),
    }
}

/// A uid or gid. The last number means "unchanged" to chown(2) and can own nothing.
pub(super) fn owner_number(value: &[u8]) -> Option<u32> {
    u32::try_from(decimal(value)?).ok().filter(|id| *id != u32::MAX)
}

/// A user or group name. libarchive and casync write `\ooo`, mtree(8) writes names as they are, and names of directory
/// services hold a backslash (`DOMAIN\name`); so it is an encoding only if every backslash starts `\ooo`.
pub(super) fn owner_name(value: &[u8]) -> Option<Vec<u8>> {
    let octal = |(at, _)| matches!(value.get(at + 1..at + 4), Some([b'0'..=b'3', b'0'..=b'7', b'0'..=b'7']));
    let encoded = value.iter().enumerate().filter(|(_, byte)| **byte == b'\\').all(octal);
    let name = if encoded { vis::decode(value).ok()? } else { value.to_vec() };
    ((1..=limits::OWNER).contains(&name.len()) && !name.contains(&0)).then_some(name)
}

/// Seconds, negative before 1970, and after a `.` a count of nanoseconds: `1.5` is five nanoseconds past one second.
/// Either may be left out.
pub(super) fn time(value: &[u8]) -> Option<Time> {
    let mut parts = value.splitn(2, |&byte| byte == b'.');
    let (sec, nsec) = (parts.next()?, parts.next());
    let sec = match sec {
        [] => nsec.filter(|digits| !digits.is_empty()).map(|_| 0)?,
        [b'-', digits @ ..] => -i128::from(decimal(digits)?),
        digits => i128::from(decimal(digits)?),
    };
    let nsec = match nsec {
        None | Some([]) => 0,
        Some(digits) => decimal(digits).filter(|nsec| *nsec < 1_000_000_000)?,
    };
    Some(Time { sec: i64::try_from(sec).ok()?, nsec: u32::try_from(nsec).ok()? })
}

/// Permission bits: octal, or the clauses of chmod(1) against 0.
pub(super) fn mode(value: &[u8]) -> Option<u32> {
    if value.iter().any(|byte| !byte.is_ascii_digit()) {
        return symbolic_mode(value);
    }
    number(value, 8).and_then(|mode| u32::try_from(mode).ok()).filter(|mode| *mode <= 0o7777)
}

/// What setmode(3) makes of 0; where nobody is named, everybody is meant, whatever the umask.
fn symbolic_mode(value: &[u8]) -> Option<u32> {
    let clauses = clauses(value)?;
    Some(clauses.into_iter().fold(0, |mode, clause| {
        let who = if clause.who == 0 { 0o111 } else { clause.who };
        // Each class with the bit that sets its id.
        let who =
            (who * 7) | if who & 0o100 != 0 { 0o4000 } else { 0 } | if who & 0o010 != 0 { 0o2000 } else { 0 };
        let bits = match clause.permissions {
            Permissions::Copy(class) => (mode >> class & 7) * 0o111,
            // `X` is execution where it was allowed before; against 0 it was not.
            Permissions::These { each, set_id, sticky, executable: _ } => {
                (each * 0o111) | if set_id { 0o6000 } else { 0 } | if sticky { 0o1000 } else { 0 }
            }
        };
        // The sticky bit belongs to all but `o`, and `=` clears it only by naming it.
        let bits = bits & if who == 0o0007 { who } else { who | 0o1000 };
        match clause.operator {
            Operator::Add => mode | bits,
            Operator::Remove => mode & !bits,
            Operator::Set => mode & !who | bits,
        }
    }))
}

/// A device number: one number, as st_rdev has it here, or `FORMAT,MAJOR,MINOR`. `None` if it is neither.
///
/// # Errors
/// A format by which mtree(8) would pack these numbers into another device than the one they name.
pub(super) fn device(value: &[u8]) -> Result<Option<Device>, DialectFault> {
    if !value.contains(&b',') {
        return Ok(any_base(value).map(unpack));
    }
    let mut parts = value.split(|&byte| byte == b',');
    let format = parts.next().unwrap_or_default();
    // The largest numbers that the format and this system put into the same bits.
    let (major_max, minor_max) = match format {
        // Written by libarchive and, with minor numbers past the 8 bits that mtree(8) grants it, by casync.
        b"native" | b"linux" => (u32::MAX, u32::MAX),
        b"netbsd" => (0xfff, 0xf_ffff),
        b"386bsd" | b"4bsd" | b"freebsd" | b"isc" | b"sco" | b"sunos" | b"svr3" | b"ultrix" => (0xff, 0xff),
        _ => return Err(DialectFault::DeviceFormat(vis::shown(format))),
    };
    let mut part =
        |max| parts.next().and_then(any_base).and_then(|n| u32::try_from(n).ok()).filter(|n| *n <= max);
    let device = part(major_max).zip(part(minor_max)).map(|(major, minor)| Device { major, minor });
    Ok(device.filter(|_| parts.next().is_none()))
}

/// Takes apart glibc's st_rdev: the low 8 bits and 24 above bit 20 are the minor number.
fn unpack(number: u64) -> Device {
    let low = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or_default();
    Device {
        major: low(number >> 8 & 0xfff | number >> 32 & !0xfff),
        minor: low(number & 0xff | number >> 12 & 0xffff_ff00),
    }
}
