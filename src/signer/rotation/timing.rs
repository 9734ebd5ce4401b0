//! The times that rotation counts with.

/// What the policy in force promises for one keyset; all durations in seconds. The letters are
/// those of `docs/operator/rotation.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// P: the longest interval between two publications.
    pub publish_every: u64,
    /// m: sticks in a row that may get lost on the way to one machine.
    pub lost_sticks: u64,
    /// D: publish done to file on the last machine.
    pub delivery: u64,
    /// D for what goes to the holders of tokens.
    pub delivery_to_holders: u64,
    /// L: file to the memory of the running process.
    pub reload: u64,
    /// S: the largest difference between the signer's clock and a verifier's.
    pub skew: u64,
    /// b: how far `iat` and `nbf` lie before the moment of issue.
    pub backdate: u64,
    /// B: how long a bundle is valid.
    pub bundle_lifetime: u64,
    /// T: the longest validity of a token.
    pub longest_lifetime: u64,
    /// H: the latest `exp`, counted from the moment of issue.
    pub longest_horizon: u64,
    /// ℓ: the largest leeway of the keyset's services.
    pub leeway: u64,
    /// R: how long a key signs.
    pub rotate_every: u64,
}

impl Timing {
    /// m·P + D + L + S: from the first publication until the last verifier counts with it.
    pub fn distribution(&self) -> u64 {
        self.publish_every
            .saturating_mul(self.lost_sticks)
            .saturating_add(self.delivery)
            .saturating_add(self.reload)
            .saturating_add(self.skew)
    }

    /// (1 + m)·P + D + L + S: the oldest that the newest publication of a healthy verifier gets.
    pub fn longest_silence(&self) -> u64 {
        self.distribution().saturating_add(self.publish_every)
    }

    /// How long before the last possible day a step becomes due: whoever comes by once a publishing
    /// interval comes in time.
    pub fn notice(&self) -> u64 {
        self.publish_every
    }

    /// From when on the next publication is due, counted from the one before: a quarter of the
    /// interval is left to do it.
    pub fn publication_due(&self) -> u64 {
        self.publish_every.saturating_sub(self.publish_every / 4)
    }

    /// Whether a bundle must be followed by another now: one made an interval later could come too
    /// late somewhere. Not before the next publication is due anyhow.
    pub fn renews(&self, made_at: u64, bundle_expiry: u64, now: u64) -> bool {
        now >= made_at.saturating_add(self.publication_due())
            && now.saturating_add(self.longest_silence()) > bundle_expiry
    }

    /// When a key that began to sign at that time is of no use to verifiers any more, as planned:
    /// R of signing, H for its last token, S and ℓ until that is refused everywhere.
    pub fn planned_end(&self, activated_at: u64) -> u64 {
        activated_at
            .saturating_add(self.rotate_every)
            .saturating_add(self.longest_horizon)
            .saturating_add(self.skew)
            .saturating_add(self.leeway)
    }
}
