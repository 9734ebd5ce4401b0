//! The rules of rotation, one function each.

use super::{Confirmed, Timing};
use crate::keystore::KeyState;

/// From when on every verifier can be counted on to have a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// The newest publication does not hold it.
    Never,
    /// Too few publications hold it: all sticks that carried it may be lost.
    Carried {
        /// How many hold it, without one between that does not.
        made: u64,
        /// How many are needed: m + 1.
        needed: u64,
    },
    /// From that time, in seconds since the epoch.
    From(u64),
}

/// Tokens that are out, or may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Out {
    /// The `exp` of the last of them, in seconds since the epoch.
    pub until: u64,
    /// The longest `exp` − `iat` of any, in seconds.
    pub validity: u64,
}

/// A bundle that would outlive the root that vouches for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootTooShort {
    /// When the root ends, in seconds since the epoch.
    pub root_expiry: u64,
    /// Until when it would have to last.
    pub needed: u64,
}

/// The rules, each as `docs/operator/rotation.md` states it. [`Table`] is the only implementation
/// in the program; the simulation takes one out at a time and must see valid tokens refused.
/// Times are in seconds since the epoch, durations in seconds.
pub trait Rules {
    /// b ≥ S: the least backdating, so that no fresh token lies ahead of a verifier's clock.
    fn least_backdate(&self, timing: &Timing) -> u64 {
        timing.skew
    }

    /// exp − max(iat, nbf) ≤ T + b: what a verifier may demand of a token's validity.
    fn longest_validity(&self, timing: &Timing) -> u64 {
        timing.longest_lifetime.saturating_add(timing.backdate)
    }

    /// exp − iat ≤ H + b: what a verifier may demand of a token's reach.
    fn longest_reach(&self, timing: &Timing) -> u64 {
        timing.longest_horizon.saturating_add(timing.backdate)
    }

    /// A narrower policy kills no token: a verifier is told the policy's [`Rules::longest_reach`], or the
    /// validity of the longest token that is out, whichever is more.
    fn told_reach(&self, reach: u64, out: &[Out]) -> u64 {
        out.iter().map(|out| out.validity).fold(reach, u64::max)
    }

    /// A service is told on, though the policy has it no more, until max exp of its tokens + S + ℓ.
    fn stays(&self, timing: &Timing, out: &Out, now: u64) -> bool {
        now < out.until.saturating_add(timing.skew).saturating_add(timing.leeway)
    }

    /// A restore may have lost tokens that are out. Whatever the policy of the backup allowed until then
    /// counts as signed.
    fn lost(&self, timing: &Timing, restored_at: u64) -> Option<Out> {
        let until = restored_at.saturating_add(timing.longest_horizon);
        Some(Out { until, validity: self.longest_reach(timing) })
    }

    /// Later publications keep the key: of all publications, oldest first, those from which on
    /// every one held it. Only they count; the others were undone by one without it.
    fn unbroken(&self, publications: &[(u64, bool)]) -> Vec<u64> {
        let mut run: Vec<u64> =
            publications.iter().rev().take_while(|(_, holds)| *holds).map(|(time, _)| *time).collect();
        run.reverse();
        run
    }

    /// activate ≥ first published + m·P + D + L + S. The m + 1 publications of which one arrives
    /// must have been made: where the interval was longer than P, the last of them counts.
    fn known_everywhere(&self, timing: &Timing, held: &[u64]) -> Known {
        let needed = timing.lost_sticks.saturating_add(1);
        let Some(first) = held.first() else { return Known::Never };
        let Some(last) = usize::try_from(timing.lost_sticks).ok().and_then(|lost| held.get(lost)) else {
            return Known::Carried { made: held.len() as u64, needed };
        };
        let outlasted = timing.publish_every.saturating_mul(timing.lost_sticks);
        let arrived = first.saturating_add(outlasted).max(*last);
        Known::From(arrived.saturating_add(timing.delivery).saturating_add(timing.reload).saturating_add(timing.skew))
    }

    /// Or sooner: from when on a key is known everywhere by the word of every verifier that the policy
    /// names, each `None` where it has not confirmed the key. Where nobody says that the service has
    /// it in memory, L + S more. An empty set confirms nothing.
    fn confirmed_everywhere(&self, timing: &Timing, words: &[Option<Confirmed>]) -> Option<u64> {
        let from = |word: Confirmed| match word.loaded {
            true => word.at,
            false => word.at.saturating_add(timing.reload).saturating_add(timing.skew),
        };
        words.iter().map(|word| word.map(from)).collect::<Option<Vec<u64>>>()?.into_iter().max()
    }

    /// Later publications keep the key: the word for one counts as long as none since is without it.
    fn still_confirmed(&self, since: &[(u64, bool)]) -> bool {
        !since.is_empty() && since.iter().all(|(_, holds)| *holds)
    }

    /// last sign ≤ verify-until − H (and S and ℓ, for verify-until is when the key may leave): a
    /// token of full length can be issued as long as the key signs.
    fn last_sign(&self, timing: &Timing, verify_until: u64) -> u64 {
        let tail = timing.longest_horizon.saturating_add(timing.skew).saturating_add(timing.leeway);
        verify_until.saturating_sub(tail)
    }

    /// R ≥ (2 + m)·P + D + L + S, where D is the longer one if a service reads `single_key`: a
    /// successor made and published on the day the key began to sign is known everywhere, and the
    /// operator has come by, when its time is over. The second P is what a key signs at least:
    /// without it every visit could replace the key of the visit before.
    fn least_time_of_signing(&self, timing: &Timing, single_key: bool) -> u64 {
        let later = if single_key { timing.delivery_to_holders.saturating_sub(timing.delivery) } else { 0 };
        timing.longest_silence().saturating_add(timing.notice()).saturating_add(later)
    }

    /// Deactivate before removal: only a key that can't sign any more leaves the published set.
    fn may_leave(&self, state: &KeyState) -> bool {
        !matches!(state, KeyState::Active | KeyState::Suspended)
    }

    /// removal ≥ max exp of all tokens journalled, undelivered ones and those from elsewhere too, + S + ℓ.
    fn removal(&self, timing: &Timing, last_expiry: Option<u64>) -> Option<u64> {
        last_expiry.map(|expiry| expiry.saturating_add(timing.skew).saturating_add(timing.leeway))
    }

    /// B ≥ (1 + m)·P + D + L + S: the least lifetime of a bundle.
    fn least_bundle_lifetime(&self, timing: &Timing) -> u64 {
        timing.longest_silence()
    }

    /// bundle exp ≤ root exp: when a bundle made now ends.
    ///
    /// # Errors
    /// [`RootTooShort`]: a new root comes first; a shorter bundle would leave healthy verifiers
    /// without one.
    fn bundle_expiry(&self, timing: &Timing, now: u64, root_expiry: u64) -> Result<u64, RootTooShort> {
        let needed = now.saturating_add(timing.bundle_lifetime);
        if needed > root_expiry { Err(RootTooShort { root_expiry, needed }) } else { Ok(needed) }
    }

    /// A new token's `iat`: b before now, but after every cut-off that touches it (a token is
    /// revoked where iat ≤ cut-off).
    fn issued_at(&self, timing: &Timing, now: u64, cut_off: Option<u64>) -> u64 {
        let backdated = now.saturating_sub(timing.backdate);
        cut_off.map_or(backdated, |cut_off| backdated.max(cut_off.saturating_add(1)))
    }

    /// A replacement at a cutover lasts at least as long as the token it replaces.
    fn replacement_expiry(&self, asked: u64, replaced: u64) -> u64 {
        asked.max(replaced)
    }

    /// swap ≥ issue + max(D to holders, D to operator) + S.
    fn earliest_swap(&self, timing: &Timing, issued_at: u64) -> u64 {
        issued_at.saturating_add(timing.delivery.max(timing.delivery_to_holders)).saturating_add(timing.skew)
    }

    /// From the cutover's issue until it is confirmed, whatever is issued is issued under both keys.
    fn covers_both(&self, cutover_is_open: bool) -> bool {
        cutover_is_open
    }
}

/// The rules as they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Table;

impl Rules for Table {}
