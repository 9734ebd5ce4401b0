//! Which time an act uses.

use crate::refusal::Refuse;

/// 2026-11-22T00:00:00Z: no clock that is right shows less to this version.
pub const RELEASED: u64 = 1_795_305_600;

/// Why the machine's clock can't be right, times in seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClockDenied {
    /// Before this version existed.
    #[error("the machine's clock shows a time before this coldsign was made")]
    BeforeRelease {
        /// What it shows.
        now: u64,
    },
    /// Behind the journal by more than the skew bound.
    #[error("the machine's clock is {behind} seconds behind the journal's newest entry")]
    Behind {
        /// What it shows.
        now: u64,
        /// The journal's newest time.
        newest: u64,
        /// The difference.
        behind: u64,
    },
}

impl Refuse for ClockDenied {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::BeforeRelease { .. } => "CLOCK-BEFORE-RELEASE",
            Self::Behind { .. } => "CLOCK-BEHIND",
        })
    }

    fn why(&self) -> Vec<String> {
        vec![
            "a token with wrong dates is refused by its service, or accepted for too long".to_owned(),
            "nothing was done".to_owned(),
        ]
    }

    fn hint(&self) -> Option<String> {
        Some("date -u".to_owned())
    }
}

/// The time an act goes by: the clock's, or the journal's newest where the clock is behind it by
/// no more than `skew` seconds.
///
/// # Errors
/// [`ClockDenied`].
pub fn act_time(now: u64, newest: u64, skew: u64) -> Result<u64, ClockDenied> {
    if now < RELEASED {
        return Err(ClockDenied::BeforeRelease { now });
    }
    let behind = newest.saturating_sub(now);
    if behind > skew {
        return Err(ClockDenied::Behind { now, newest, behind });
    }
    Ok(now.max(newest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_of_two_close_times_counts_and_a_gap_is_refused() {
        let t = RELEASED + 1_000;
        assert_eq!(act_time(t, 0, 60), Ok(t));
        assert_eq!(act_time(t, t + 60, 60), Ok(t + 60));
        let refused = act_time(t, t + 61, 60).unwrap_err();
        assert_eq!(refused.rule(), Some("CLOCK-BEHIND"));
        let refused = act_time(RELEASED - 1, 0, 60).unwrap_err();
        assert_eq!(refused.rule(), Some("CLOCK-BEFORE-RELEASE"));
    }
}
