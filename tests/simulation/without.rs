//! The rules with one of them taken out.

use coldsign::keystore::KeyState;
use coldsign::rotation::{Confirmed, Known, Out, RootTooShort, Rules, Table, Timing};

/// A rule, or the part of one, that can be taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    Backdate,
    LongestValidity,
    LongestReach,
    /// That tokens which are out count, not the policy in force alone.
    ToldReach,
    /// That services which left are told on.
    Stays,
    /// S and ℓ of it.
    StaysMargin,
    /// That a restore may have lost tokens.
    Lost,
    /// That an imported key has tokens of its own.
    Elsewhere,
    /// The whole of "published long enough".
    Known,
    /// m·P of it.
    LostSticks,
    /// D of it.
    Delivery,
    /// L of it.
    Reload,
    Unbroken,
    /// That all confirm, not one.
    ConfirmedByAll,
    /// L where nobody says that it is loaded.
    ConfirmedReload,
    /// That a word is undone by a later publication without the key.
    StillConfirmed,
    LastSign,
    TimeOfSigning,
    DeactivateFirst,
    Removal,
    RemovalSkew,
    RemovalLeeway,
    /// That tokens count which were never delivered.
    Undelivered,
    BundleLifetime,
    BundleWithinRoot,
    AfterCutOff,
    ReplacementExpiry,
    EarliestSwap,
    BothKeys,
}

pub const ALL: [Rule; 29] = [
    Rule::Backdate,
    Rule::LongestValidity,
    Rule::LongestReach,
    Rule::ToldReach,
    Rule::Stays,
    Rule::StaysMargin,
    Rule::Lost,
    Rule::Elsewhere,
    Rule::Known,
    Rule::LostSticks,
    Rule::Delivery,
    Rule::Reload,
    Rule::Unbroken,
    Rule::ConfirmedByAll,
    Rule::ConfirmedReload,
    Rule::StillConfirmed,
    Rule::LastSign,
    Rule::TimeOfSigning,
    Rule::DeactivateFirst,
    Rule::Removal,
    Rule::RemovalSkew,
    Rule::RemovalLeeway,
    Rule::Undelivered,
    Rule::BundleLifetime,
    Rule::BundleWithinRoot,
    Rule::AfterCutOff,
    Rule::ReplacementExpiry,
    Rule::EarliestSwap,
    Rule::BothKeys,
];

/// The program's own rules, but for one.
pub struct Without(pub Option<Rule>);

impl Without {
    pub fn lacks(&self, rule: Rule) -> bool {
        self.0 == Some(rule)
    }
}

impl Rules for Without {
    fn least_backdate(&self, timing: &Timing) -> u64 {
        if self.lacks(Rule::Backdate) { 0 } else { Table.least_backdate(timing) }
    }

    fn longest_validity(&self, timing: &Timing) -> u64 {
        if self.lacks(Rule::LongestValidity) { timing.longest_lifetime } else { Table.longest_validity(timing) }
    }

    fn longest_reach(&self, timing: &Timing) -> u64 {
        if self.lacks(Rule::LongestReach) { timing.longest_horizon } else { Table.longest_reach(timing) }
    }

    fn told_reach(&self, reach: u64, out: &[Out]) -> u64 {
        if self.lacks(Rule::ToldReach) { reach } else { Table.told_reach(reach, out) }
    }

    fn stays(&self, timing: &Timing, out: &Out, now: u64) -> bool {
        match self.0 {
            Some(Rule::Stays) => false,
            Some(Rule::StaysMargin) => Table.stays(&Timing { skew: 0, leeway: 0, ..*timing }, out, now),
            _ => Table.stays(timing, out, now),
        }
    }

    fn lost(&self, timing: &Timing, restored_at: u64) -> Option<Out> {
        Table.lost(timing, restored_at).filter(|_| !self.lacks(Rule::Lost))
    }

    fn unbroken(&self, publications: &[(u64, bool)]) -> Vec<u64> {
        if self.lacks(Rule::Unbroken) {
            return publications.iter().filter(|(_, holds)| *holds).map(|(time, _)| *time).collect();
        }
        Table.unbroken(publications)
    }

    fn known_everywhere(&self, timing: &Timing, held: &[u64]) -> Known {
        let mut timing = *timing;
        match self.0 {
            Some(Rule::Known) => return held.first().map_or(Known::Never, |first| Known::From(*first)),
            Some(Rule::LostSticks) => timing.lost_sticks = 0,
            Some(Rule::Delivery) => timing.delivery = 0,
            Some(Rule::Reload) => timing.reload = 0,
            _ => {}
        }
        Table.known_everywhere(&timing, held)
    }

    fn confirmed_everywhere(&self, timing: &Timing, words: &[Option<Confirmed>]) -> Option<u64> {
        match self.0 {
            Some(Rule::ConfirmedByAll) => {
                let some: Vec<Option<Confirmed>> = words.iter().filter(|word| word.is_some()).copied().collect();
                Table.confirmed_everywhere(timing, &some)
            }
            Some(Rule::ConfirmedReload) => Table.confirmed_everywhere(&Timing { reload: 0, ..*timing }, words),
            _ => Table.confirmed_everywhere(timing, words),
        }
    }

    fn still_confirmed(&self, since: &[(u64, bool)]) -> bool {
        if self.lacks(Rule::StillConfirmed) {
            return since.first().is_some_and(|(_, holds)| *holds);
        }
        Table.still_confirmed(since)
    }

    fn last_sign(&self, timing: &Timing, verify_until: u64) -> u64 {
        if self.lacks(Rule::LastSign) { verify_until } else { Table.last_sign(timing, verify_until) }
    }

    fn least_time_of_signing(&self, timing: &Timing, single_key: bool) -> u64 {
        if self.lacks(Rule::TimeOfSigning) { 0 } else { Table.least_time_of_signing(timing, single_key) }
    }

    fn may_leave(&self, state: &KeyState) -> bool {
        self.lacks(Rule::DeactivateFirst) || Table.may_leave(state)
    }

    fn removal(&self, timing: &Timing, last_expiry: Option<u64>) -> Option<u64> {
        let mut timing = *timing;
        match self.0 {
            Some(Rule::Removal) => return None,
            Some(Rule::RemovalSkew) => timing.skew = 0,
            Some(Rule::RemovalLeeway) => timing.leeway = 0,
            _ => {}
        }
        Table.removal(&timing, last_expiry)
    }

    fn least_bundle_lifetime(&self, timing: &Timing) -> u64 {
        if self.lacks(Rule::BundleLifetime) { 0 } else { Table.least_bundle_lifetime(timing) }
    }

    fn bundle_expiry(&self, timing: &Timing, now: u64, root_expiry: u64) -> Result<u64, RootTooShort> {
        let root_expiry = if self.lacks(Rule::BundleWithinRoot) { u64::MAX } else { root_expiry };
        Table.bundle_expiry(timing, now, root_expiry)
    }

    fn issued_at(&self, timing: &Timing, now: u64, cut_off: Option<u64>) -> u64 {
        Table.issued_at(timing, now, cut_off.filter(|_| !self.lacks(Rule::AfterCutOff)))
    }

    fn replacement_expiry(&self, asked: u64, replaced: u64) -> u64 {
        if self.lacks(Rule::ReplacementExpiry) { asked } else { Table.replacement_expiry(asked, replaced) }
    }

    fn earliest_swap(&self, timing: &Timing, issued_at: u64) -> u64 {
        if self.lacks(Rule::EarliestSwap) { issued_at } else { Table.earliest_swap(timing, issued_at) }
    }

    fn covers_both(&self, cutover_is_open: bool) -> bool {
        !self.lacks(Rule::BothKeys) && Table.covers_both(cutover_is_open)
    }
}
