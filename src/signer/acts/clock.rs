//! Which time an act uses, and what is done once a clock is found wrong.

use super::{Store, Unlocked};
use crate::issuing::record::TokenRecord;
use crate::journal::{ClockCorrected, Entry, Event};
use crate::keystore::Passphrase;
use crate::publishing::record::PublicationRecord;
use crate::refusal::{Refusal, Refuse};

/// 2026-11-22T00:00:00Z: no clock that is right shows less to this version.
pub const RELEASED: u64 = 1_795_305_600;

/// After this long without an act somebody has to say that the clock is right: batteries run out.
pub const LONGEST_GAP: u64 = 30 * 86_400;

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
    /// No act for so long that the clock may have stopped or been set meanwhile.
    #[error("the last act was {} days ago, and nobody has confirmed the time", gap / 86_400)]
    Gap {
        /// What the clock shows.
        now: u64,
        /// The journal's newest time.
        newest: u64,
        /// The difference.
        gap: u64,
    },
    /// A correction without anybody's word that the clock is right now.
    #[error("nobody has confirmed that the clock is right now")]
    Unconfirmed {
        /// What it shows.
        now: u64,
    },
    /// No entry's time can have been wrong.
    #[error("no entry of the journal has a time to correct")]
    NothingWrong,
}

impl Refuse for ClockDenied {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::BeforeRelease { .. } => "CLOCK-BEFORE-RELEASE",
            Self::Behind { .. } => "CLOCK-BEHIND",
            Self::Gap { .. } => "CLOCK-GAP",
            Self::Unconfirmed { .. } => "CLOCK-UNCONFIRMED",
            Self::NothingWrong => "CLOCK-NOTHING-WRONG",
        })
    }

    fn why(&self) -> Vec<String> {
        let mut why = vec![match self {
            Self::NothingWrong => "none is later than the clock; `--since` names the first that was wrong all the same",
            Self::Behind { .. } => {
                "either the clock is behind now: set it; or it was ahead when that entry was made: correct the journal"
            }
            Self::BeforeRelease { .. } | Self::Gap { .. } | Self::Unconfirmed { .. } => {
                "a token with wrong dates is refused by its service, or accepted for too long"
            }
        }
        .to_owned()];
        if let Self::Gap { .. } | Self::Unconfirmed { .. } = self {
            why.push(
                "compare it with another clock; in a script, `--time-confirmed` says that this was done".to_owned(),
            );
        }
        why.push("nothing was done".to_owned());
        why
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::BeforeRelease { .. } => "date -u".to_owned(),
            _ => "coldsign clock show".to_owned(),
        })
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

/// Refuses to go on after a long pause unless somebody has confirmed the time.
///
/// # Errors
/// [`ClockDenied::Gap`].
pub fn check_gap(store: &Store, now: u64, confirmed: bool) -> Result<(), ClockDenied> {
    check_gap_since(store.journal().newest_time(), now, confirmed)
}

/// As [`check_gap`], where the newest time that is known is not a store's.
///
/// # Errors
/// [`ClockDenied::Gap`].
pub fn check_gap_since(newest: u64, now: u64, confirmed: bool) -> Result<(), ClockDenied> {
    let gap = now.saturating_sub(newest);
    if gap >= LONGEST_GAP && !confirmed {
        return Err(ClockDenied::Gap { now, newest, gap });
    }
    Ok(())
}

/// What was made while the clock was wrong.
pub struct Span<'a> {
    /// The entries, oldest first.
    pub entries: &'a [Entry],
    /// The newest of their times.
    pub newest: u64,
    /// Tokens signed in it. They keep the dates that they carry.
    pub tokens: Vec<&'a TokenRecord>,
    /// Publications made in it.
    pub publications: Vec<&'a PublicationRecord>,
}

/// The entries that a correction at `now` would put right: those from the first whose time is
/// `since` or later (later than `now`, where `None`) to the journal's end.
///
/// # Errors
/// [`ClockDenied::NothingWrong`].
pub fn span(store: &Store, now: u64, since: Option<u64>) -> Result<Span<'_>, ClockDenied> {
    let entries = store.journal().entries();
    let wrong = |entry: &Entry| since.map_or(entry.time > now, |since| entry.time >= since);
    let first = entries.iter().position(wrong).ok_or(ClockDenied::NothingWrong)?;
    let entries = entries.get(first..).unwrap_or_default();
    let newest = entries.iter().map(|entry| entry.time).max().unwrap_or(0);
    let from = entries.first().map_or(0, |entry| entry.index);
    Ok(Span {
        entries,
        newest,
        tokens: store.ledger().tokens.all().iter().filter(|token| token.index >= from).collect(),
        publications: store.ledger().publications.all().iter().filter(|one| one.index >= from).collect(),
    })
}

/// Every correction there was, oldest first, with the unlock that was used.
///
/// # Errors
/// As the journal refuses.
pub fn corrections(store: &Store) -> Result<Vec<(ClockCorrected, String)>, Refusal> {
    let mut corrections = Vec::new();
    for entry in store.journal().entries() {
        if let Some(correction) = entry.event::<ClockCorrected>()? {
            corrections.push((correction, entry.by.to_string()));
        }
    }
    Ok(corrections)
}

/// What is asked for: times in seconds since the epoch.
pub struct Correction<'a> {
    /// What the clock shows now, confirmed to be right.
    pub now: u64,
    /// The time of the first wrong entry; those later than `now` where `None`.
    pub since: Option<u64>,
    /// Why, for the journal.
    pub reason: &'a str,
}

/// Records that the clock was wrong while the journal's last entries were made. From now on they
/// count as made now: the latest that they can have been made.
///
/// # Errors
/// [`ClockDenied`], or as the store refuses.
pub fn correct(
    unlocked: Unlocked,
    passphrase: &Passphrase,
    correction: &Correction<'_>,
) -> Result<ClockCorrected, Refusal> {
    let (now, since) = (correction.now, correction.since);
    let mut session = unlocked.begin_at(Some(passphrase), |store| {
        let first = span(store, now, since)?.entries.first().map_or(0, |entry| entry.index);
        let before = store.journal().entries().iter().take_while(|entry| entry.index < first);
        // What came before the span must fit the clock as always.
        act_time(now, before.map(|entry| entry.time).max().unwrap_or(0), store.skew())
    })?;
    let span = span(session.store(), now, since)?;
    let edge = |entry: Option<&Entry>| entry.map_or(0, |entry| entry.index);
    let corrected = ClockCorrected {
        first: edge(span.entries.first()),
        last: edge(span.entries.last()),
        wrong: span.newest,
        right: session.now(),
        reason: correction.reason.to_owned(),
    };
    session.record(&[corrected.line()])?;
    Ok(corrected)
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
