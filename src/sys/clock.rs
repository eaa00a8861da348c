//! The time: of day where this host stands, for log records; against the stamps of files; and for a service manager.

use std::time::{Duration, SystemTime};

/// Waits until this much time has passed since a file's stamp, seconds and nanoseconds since 1970. A stamp from the
/// future tells nothing, and is not waited for.
pub fn wait_until_past(stamp: (i64, u32), age: Duration) {
    let stamp = u64::try_from(stamp.0).ok().map(|sec| SystemTime::UNIX_EPOCH + Duration::new(sec, stamp.1));
    if let Some(since) = stamp.and_then(|stamp| SystemTime::now().duration_since(stamp).ok())
        && let Some(left) = age.checked_sub(since)
    {
        std::thread::sleep(left);
    }
}

/// Now, by the clock that stamps files, which ticks: what is changed from now on has no older stamp.
#[must_use]
pub fn stamping() -> (i64, u32) {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    (now.tv_sec, now.tv_nsec.try_into().unwrap_or_default())
}

/// Now: seconds and nanoseconds since 1970.
#[must_use]
pub fn now() -> (i64, u32) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (i64::try_from(now.as_secs()).unwrap_or(i64::MAX), now.subsec_nanos())
}

/// Microseconds of CLOCK_MONOTONIC.
#[must_use]
pub fn monotonic_micros() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let whole = u64::try_from(now.tv_sec).unwrap_or_default().saturating_mul(1_000_000);
    whole.saturating_add(u64::try_from(now.tv_nsec / 1000).unwrap_or_default())
}

/// A moment in local time.
#[derive(Debug, Clone, Copy)]
pub struct Local(libc::tm);

impl Local {
    /// Now, by the host's time zone. The zone's rules are read the first time, so call once before confinement.
    #[must_use]
    pub fn now() -> Local {
        // SAFETY: a tm of zeros is valid (no names, no zone), time(2) may get a null pointer, and localtime_r writes
        // only to the tm it is given. The environment it reads was settled before there were threads (`sys::stdio`).
        #[allow(unsafe_code)]
        let local = unsafe {
            let mut local: libc::tm = std::mem::zeroed();
            let now = libc::time(std::ptr::null_mut());
            libc::localtime_r(&raw const now, &raw mut local);
            local
        };
        Local(local)
    }

    /// The moment this many seconds after 1970, or before it. `None` for one whose year no calendar has.
    #[must_use]
    pub fn at(seconds: i64) -> Option<Local> {
        // SAFETY: a tm of zeros is valid (no names, no zone), and localtime_r reads the one number and writes only to
        // the tm it is given. The environment it reads was settled before there were threads (`sys::stdio`).
        #[allow(unsafe_code)]
        unsafe {
            let mut local: libc::tm = std::mem::zeroed();
            let done = libc::localtime_r(&raw const seconds, &raw mut local);
            (!done.is_null()).then_some(Local(local))
        }
    }

    /// As ctime(3) has it: `Sun Sep 13 12:26:40 2020`.
    #[must_use]
    pub fn ctime(&self) -> String {
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        let tm = &self.0;
        let day = usize::try_from(tm.tm_wday).ok().and_then(|day| days.get(day)).unwrap_or(&"Sun");
        format!("{day} {} {}", self.rfc3164(), i64::from(tm.tm_year) + 1900)
    }

    /// As rsync's log file has it: `2026/11/21 20:15:03`.
    #[must_use]
    pub fn numeric(&self) -> String {
        let tm = &self.0;
        let (year, month) = (tm.tm_year + 1900, tm.tm_mon + 1);
        format!("{year}/{month:02}/{:02} {:02}:{:02}:{:02}", tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec)
    }

    /// As RFC 3164 has it: `Nov  1 20:15:03`.
    #[must_use]
    pub fn rfc3164(&self) -> String {
        let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let tm = &self.0;
        let month = usize::try_from(tm.tm_mon).ok().and_then(|month| names.get(month)).unwrap_or(&"Jan");
        format!("{month} {:2} {:02}:{:02}:{:02}", tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec)
    }
}

/// Now, in UTC, as `20261122T004500Z`: as long in each year until 9999, and in the order of time.
#[must_use]
pub fn stamp() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    stamp_of(now.as_secs(), now.subsec_micros())
}

fn stamp_of(seconds: u64, micros: u32) -> String {
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March end with the leap day; 400 of them have 146,097 days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}.{micros:06}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(format: &str) -> String {
        let out = std::process::Command::new("date").env("LC_ALL", "C").arg(format).output().unwrap();
        String::from_utf8(out.stdout).unwrap().trim_end().to_owned()
    }

    /// A second may pass between the two, and one clock is read to the tick and the other exactly: not twice in a row.
    fn agrees(ours: fn() -> String, format: &str) {
        let tries = [(); 2].map(|()| (date(format), ours(), date(format)));
        assert!(tries.iter().any(|(before, ours, after)| ours == before || ours == after), "{tries:?}");
    }

    #[test]
    fn waits_for_fresh_stamps_only() {
        let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let stamp = |at: Duration| (i64::try_from(at.as_secs()).unwrap(), at.subsec_nanos());
        let waited = |at| {
            let before = std::time::Instant::now();
            wait_until_past(stamp(at), Duration::from_secs(1));
            before.elapsed()
        };
        assert!(waited(now() - Duration::from_millis(900)) >= Duration::from_millis(50));
        assert!(waited(now() - Duration::from_secs(2)) < Duration::from_millis(500));
        assert!(waited(now() + Duration::from_secs(9)) < Duration::from_millis(500));
    }

    #[test]
    fn agrees_with_date() {
        agrees(|| Local::now().numeric(), "+%Y/%m/%d %H:%M:%S");
        agrees(|| Local::now().rfc3164(), "+%b %e %H:%M:%S");
    }

    #[test]
    fn a_day_below_ten_has_a_space() {
        let mut local = Local::now();
        (local.0.tm_mon, local.0.tm_mday, local.0.tm_hour, local.0.tm_min, local.0.tm_sec) = (2, 7, 4, 5, 6);
        assert_eq!(local.rfc3164(), "Mar  7 04:05:06");
    }

    #[test]
    fn stamps_are_those_of_the_calendar() {
        // By date -u -d @N +%Y%m%dT%H%M%SZ.
        for (seconds, stamp) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (951_868_800, "20000301T000000Z"),
            (1_795_308_300, "20261122T004500Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(stamp_of(seconds, 7), stamp.replace('Z', ".000007Z"));
        }
    }
}
