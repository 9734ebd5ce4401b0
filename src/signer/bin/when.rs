//! Times and durations as people write and read them.

use super::fault::Fault;
use coldsign::issuing::policy::duration;
use coldsign::storage::{holds_file, read_file};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::env::VarError;
use std::path::Path;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The largest file of a time zone that is read, in bytes; the real ones have a few thousand.
const LARGEST_ZONE: u64 = 64 << 10;

/// The machine's clock, in seconds since the epoch.
pub fn now() -> Result<u64, Fault> {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map(|since| since.as_secs()).map_err(|_| Fault::Clock)
}

/// `2027-01-03 09:00 CET (08:00 UTC)`; without the second half where local time is UTC.
pub fn both(time: u64) -> String {
    let Some(stamp) = stamp(time) else { return format!("{time} s") };
    let local = stamp.to_zoned(zone());
    let utc = stamp.to_zoned(TimeZone::UTC);
    if local.offset() == utc.offset() {
        return utc.strftime("%Y-%m-%d %H:%M UTC").to_string();
    }
    format!("{} ({})", local.strftime("%Y-%m-%d %H:%M %Z"), utc.strftime("%H:%M UTC"))
}

/// The system's time zone, from the one file that says it: jiff alone walks through the whole zone
/// database, which takes longer than the rest of a command.
fn zone() -> TimeZone {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    ZONE.get_or_init(|| named_zone(std::env::var("TZ"))).clone()
}

/// The zone that `TZ` names. One that names a device or a pipe would be read for ever: UTC then.
fn named_zone(named: Result<String, VarError>) -> TimeZone {
    let named = match named {
        Ok(named) if named.is_empty() => return TimeZone::UTC,
        Ok(named) => named,
        Err(VarError::NotPresent) => return zone_in(Path::new("/etc/localtime")).unwrap_or_else(TimeZone::system),
        Err(VarError::NotUnicode(_)) => return TimeZone::UTC,
    };
    if let Ok(rule) = TimeZone::posix(&named) {
        return rule;
    }
    let path = named.trim_start_matches(':');
    if path.starts_with('/') && !holds_file(Path::new("/"), path) {
        return TimeZone::UTC;
    }
    // An absolute path stands for itself. What is not found so, jiff may know how to find.
    zone_in(&Path::new("/usr/share/zoneinfo").join(path)).unwrap_or_else(TimeZone::system)
}

fn zone_in(file: &Path) -> Option<TimeZone> {
    TimeZone::tzif("local", &read_file(file, LARGEST_ZONE).ok()?).ok()
}

/// `2027-01-03 08:00 UTC`.
pub fn utc(time: u64) -> String {
    match stamp(time) {
        Some(stamp) => stamp.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string(),
        None => format!("{time} s"),
    }
}

/// The first whole minute that is not before a time: what is promised until then must not be shown as less.
pub fn rounded_up(time: u64) -> u64 {
    time.div_ceil(60).saturating_mul(60)
}

/// `2027-01-03 08:00`, in UTC, for columns that say so.
pub fn minute(time: u64) -> String {
    utc(time).trim_end_matches(" UTC").to_owned()
}

/// `in 3 days`, `2 hours ago`.
pub fn from(now: u64, time: u64) -> String {
    let seconds = now.abs_diff(time);
    let (count, unit) = match seconds {
        0..=89 => (seconds, "second"),
        90..=5_399 => ((seconds + 30) / 60, "minute"),
        5_400..=172_799 => ((seconds + 1_800) / 3_600, "hour"),
        _ => ((seconds + 43_200) / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if time >= now { format!("in {count} {unit}{plural}") } else { format!("{count} {unit}{plural} ago") }
}

/// A point in time as an operator writes it: a date (midnight UTC), a date and time with `Z` or an
/// offset, or without one in UTC; or a duration from now (`+2h`).
pub fn point(text: &str, now: u64) -> Result<u64, Fault> {
    let fault = || Fault::Time(text.to_owned());
    if let Some(later) = text.strip_prefix('+') {
        return now.checked_add(span(later)?).ok_or_else(fault);
    }
    let stamp = if let Ok(stamp) = text.parse::<Timestamp>() {
        stamp
    } else if text.len() == "2027-01-01".len() {
        let date: Date = text.parse().map_err(|_| fault())?;
        date.to_zoned(TimeZone::UTC).map_err(|_| fault())?.timestamp()
    } else if let Ok(time) = text.trim_end_matches(" UTC").trim_end_matches('Z').parse::<DateTime>() {
        time.to_zoned(TimeZone::UTC).map_err(|_| fault())?.timestamp()
    } else {
        return Err(fault());
    };
    u64::try_from(stamp.as_second()).map_err(|_| fault())
}

/// As [`point`], but the last second of a minute where no seconds are written: what is shown as done at
/// 09:00 was done by the end of that minute.
pub fn end_of(text: &str, now: u64) -> Result<u64, Fault> {
    let point = point(text, now)?;
    let time = text.split_once(['T', 't', ' ']).map_or("", |(_, time)| time);
    let clock = time.split(['+', '-', 'Z', 'z', ' ']).next().unwrap_or_default();
    let to_the_minute = !text.starts_with('+') && clock.matches(':').count() == 1;
    Ok(if to_the_minute { point.saturating_add(59) } else { point })
}

/// A duration as an operator writes it, in seconds.
pub fn span(text: &str) -> Result<u64, Fault> {
    duration::parse(text).map_err(|_| Fault::Duration(text.to_owned()))
}

fn stamp(time: u64) -> Option<Timestamp> {
    i64::try_from(time).ok().and_then(|time| Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_secs(time)).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let noon = 1_798_804_800;
        assert_eq!(utc(noon), "2027-01-01 12:00 UTC");
        for text in
            ["2027-01-01T12:00Z", "2027-01-01T12:00:00Z", "2027-01-01T13:00:00+01:00", "2027-01-01T12:00", "+12h"]
        {
            assert_eq!(point(text, noon - 43_200).unwrap(), noon, "{text}");
        }
        assert_eq!(point("2027-01-01", 0).unwrap(), noon - 43_200);
        for text in ["2027-01-01 12:00 UTC", "2027-01-01T13:00+01:00", "2027-01-01T12:00Z"] {
            assert_eq!(end_of(text, 0).unwrap(), noon + 59, "{text}");
        }
        for text in ["2027-01-01T12:00:00Z", "2027-01-01T13:00:00+01:00"] {
            assert_eq!(end_of(text, 0).unwrap(), noon, "{text}");
        }
        for text in ["", "tomorrow", "2027-13-01", "2027-1-1", "12:00", "1969-01-01", "+", "+3x"] {
            assert!(point(text, noon).is_err(), "{text}");
        }
    }

    #[test]
    fn a_zone_is_found_as_the_system_finds_it() {
        let at = |named: &str| {
            let stamp = stamp(1_798_804_800).unwrap();
            stamp.to_zoned(named_zone(Ok(named.to_owned()))).strftime("%H:%M").to_string()
        };
        for (named, shown) in
            [("", "12:00"), ("UTC", "12:00"), ("UTC0", "12:00"), ("CET-1CEST,M3.5.0,M10.5.0/3", "13:00")]
        {
            assert_eq!(at(named), shown, "{named}");
        }
        for nonsense in ["/dev/zero", ":/dev/zero", "/no/such/file"] {
            assert_eq!(at(nonsense), "12:00", "{nonsense}");
        }
        if holds_file(Path::new("/usr/share/zoneinfo"), "Asia/Tokyo") {
            for tokyo in ["Asia/Tokyo", ":Asia/Tokyo", "/usr/share/zoneinfo/Asia/Tokyo"] {
                assert_eq!(at(tokyo), "21:00", "{tokyo}");
            }
        }
    }

    #[test]
    fn distances_are_in_the_unit_that_reads_best() {
        assert_eq!(from(100, 101), "in 1 second");
        assert_eq!(from(0, 43_200), "in 12 hours");
        assert_eq!(from(30 * 86_400, 0), "30 days ago");
    }
}
