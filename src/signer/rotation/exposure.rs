//! How long something that was withdrawn may still be accepted, a consumer at a time.

use super::Timing;

/// How a service reads what is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// `coldsign-gate` or `coldsign-verify`: reads bundles, and nothing once its bundle is over.
    Bundle,
    /// A stock library or service: reads a file, for as long as the file is there.
    File,
}

/// What was withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdrawn {
    /// A key: whoever has its private half can make tokens that never expire.
    Key,
    /// One token, with its `exp`.
    Token(u64),
}

/// Until when it may be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// That time, in seconds since the epoch.
    Until(u64),
    /// No time: until its operator confirms that the file was replaced.
    UntilReplaced,
}

/// The bound for one consumer; `at` is when it was withdrawn, `leeway` the service's own. Every
/// bundle signed before ends by at + B.
pub fn exposure(timing: &Timing, reader: Reader, leeway: u64, withdrawn: Withdrawn, at: u64) -> Bound {
    let bundles = at.saturating_add(timing.bundle_lifetime).saturating_add(timing.skew);
    let expired = |exp: u64| exp.saturating_add(leeway).saturating_add(timing.skew);
    match (reader, withdrawn) {
        (Reader::Bundle, Withdrawn::Key) => Bound::Until(bundles),
        (Reader::Bundle, Withdrawn::Token(exp)) => Bound::Until(expired(exp).min(bundles)),
        (Reader::File, Withdrawn::Key) => Bound::UntilReplaced,
        (Reader::File, Withdrawn::Token(exp)) => Bound::Until(expired(exp)),
    }
}
