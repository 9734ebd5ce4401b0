//! What the verifiers that must confirm say they have.

/// A verifier of the set that the policy names.
#[derive(Debug, Clone)]
pub struct Verifier {
    /// Its name.
    pub name: String,
    /// What its last receipt says; `None` without one.
    pub has: Option<Installed>,
}

/// A publication that a verifier has installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Installed {
    /// Its place in [`super::Series::publications`].
    pub publication: usize,
    /// When it was installed, by the verifier's clock, in seconds since the epoch.
    pub at: u64,
    /// Whether the service is known to have it in memory.
    pub loaded: bool,
}

/// A key that a verifier has confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmed {
    /// When it was installed, and not before it was published; in seconds since the epoch.
    pub at: u64,
    /// Whether the service is known to have it in memory.
    pub loaded: bool,
}
