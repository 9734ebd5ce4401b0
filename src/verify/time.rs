//! Points in time as JWTs have them. This crate never reads a clock.

use std::fmt;
use std::time::{SystemTime, SystemTimeError, UNIX_EPOCH};

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted (RFC 7519 §2, NumericDate).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub u64);

impl TryFrom<SystemTime> for UnixTime {
    type Error = SystemTimeError;

    /// Whole seconds, rounded down; a time before 1970 is an error.
    fn try_from(time: SystemTime) -> Result<Self, SystemTimeError> {
        Ok(Self(time.duration_since(UNIX_EPOCH)?.as_secs()))
    }
}

impl fmt::Display for UnixTime {
    /// RFC 3339 in UTC up to the year 9999, the bare number of seconds beyond.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const FIRST_OF_YEAR_10000: u64 = 253_402_300_800;
        if self.0 >= FIRST_OF_YEAR_10000 {
            return write!(f, "{} s", self.0);
        }
        let (year, month, day) = civil_from_days(self.0 / 86_400);
        let second = self.0 % 86_400;
        write!(f, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
    }
}

/// Days since 1970-01-01 to year, month, day in the Gregorian calendar.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    // Years begin in March here, so that the leap day comes last; day 0 is 0000-03-01.
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn shown_as_rfc_3339() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_300_819_380, "2011-03-22T18:43:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (253_402_300_800, "253402300800 s"),
            (u64::MAX, "18446744073709551615 s"),
        ] {
            assert_eq!(UnixTime(seconds).to_string(), text);
        }
    }

    #[test]
    fn from_system_time() {
        let later = UNIX_EPOCH + Duration::from_millis(1_999);
        assert_eq!(UnixTime::try_from(later).unwrap(), UnixTime(1));
        assert!(UnixTime::try_from(UNIX_EPOCH - Duration::from_secs(1)).is_err());
    }
}
