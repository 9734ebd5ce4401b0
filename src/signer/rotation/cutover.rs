//! A cutover: how a service that holds one key gets another.

use super::{RotationDenied, Rules, Timing};

/// When the operator swaps the key, and what that means for holders. Seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swap {
    /// When the replacements were issued.
    pub issued_at: u64,
    /// When the operator installs the new key.
    pub at: u64,
    /// From when on a holder may be refused.
    pub locked_from: u64,
    /// Until when: then the new key is in force, and every replacement with it.
    pub locked_until: u64,
}

impl Swap {
    /// The swap that follows from the replacements' issue: at the wanted time, or at the earliest.
    ///
    /// # Errors
    /// [`RotationDenied::SwapEarly`] where the wanted time comes before the last replacement.
    pub fn after_issue(
        rules: &dyn Rules,
        timing: &Timing,
        service: &str,
        issued_at: u64,
        wanted: Option<u64>,
    ) -> Result<Self, RotationDenied> {
        let earliest = rules.earliest_swap(timing, issued_at);
        let at = wanted.unwrap_or(earliest);
        if at < earliest {
            return Err(RotationDenied::SwapEarly { service: service.to_owned(), allowed_at: earliest });
        }
        Ok(Self::at(timing, issued_at, at))
    }

    /// The swap that was announced for that time.
    pub fn at(timing: &Timing, issued_at: u64, at: u64) -> Self {
        Self {
            issued_at,
            at,
            locked_from: at.saturating_sub(timing.skew),
            locked_until: at.saturating_add(timing.reload).saturating_add(timing.skew),
        }
    }

    /// Whether the operator can have swapped by then: a cutover is confirmed after its swap.
    ///
    /// # Errors
    /// [`RotationDenied::SwapEarly`].
    pub fn may_confirm(&self, service: &str, now: u64) -> Result<(), RotationDenied> {
        if now < self.at {
            return Err(RotationDenied::SwapEarly { service: service.to_owned(), allowed_at: self.at });
        }
        Ok(())
    }
}
