//! How long something that was withdrawn may still be accepted, a consumer at a time.

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

/// The bound for one consumer, whose own leeway counts. `bundles_end` is when the last bundle ends that
/// was signed before: at the latest B after the withdrawal.
pub fn exposure(bundles_end: u64, skew: u64, reader: Reader, leeway: u64, withdrawn: Withdrawn) -> Bound {
    let bundles = bundles_end.saturating_add(skew);
    let expired = |exp: u64| until_expired(skew, leeway, exp);
    match (reader, withdrawn) {
        (Reader::Bundle, Withdrawn::Key) => Bound::Until(bundles),
        (Reader::Bundle, Withdrawn::Token(exp)) => Bound::Until(expired(exp).min(bundles)),
        (Reader::File, Withdrawn::Key) => Bound::UntilReplaced,
        (Reader::File, Withdrawn::Token(exp)) => Bound::Until(expired(exp)),
    }
}

/// When a token has expired for a verifier with that leeway and the slowest clock.
pub fn until_expired(skew: u64, leeway: u64, exp: u64) -> u64 {
    exp.saturating_add(leeway).saturating_add(skew)
}
