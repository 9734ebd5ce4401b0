//! A keyset as rotation sees it, and what its keys may become at a time.

use super::{Confirmed, Known, RotationDenied, Rules, Swap, Timing, Verifier};
use crate::keystore::KeyState;

/// A key of the series.
#[derive(Debug, Clone)]
pub struct Key {
    /// `keyset/number`.
    pub name: String,
    /// Its number in the keyset.
    pub number: u64,
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// Where it is in its life.
    pub state: KeyState,
    /// When it first signed, in seconds since the epoch.
    pub activated_at: Option<u64>,
    /// What orders activations: of two keys the one with the greater signs.
    pub activation: Option<u64>,
    /// The latest `exp` of all tokens journalled under it, and of those it signed elsewhere.
    pub last_expiry: Option<u64>,
}

/// A keyset: its promises, its keys, and which publications held which.
#[derive(Debug, Clone)]
pub struct Series {
    /// The keyset's name.
    pub keyset: String,
    /// What the policy in force promises.
    pub timing: Timing,
    /// Whether a service of it holds several keys at once.
    pub overlap: bool,
    /// Services of it that hold one key.
    pub single_key: Vec<String>,
    /// Its keys, oldest first.
    pub keys: Vec<Key>,
    /// Every publication, oldest first: when, and the kids in it.
    pub publications: Vec<(u64, Vec<String>)>,
    /// The verifiers that must confirm a key; empty where time alone decides: a service of the
    /// keyset names none, or is a stock consumer.
    pub verifiers: Vec<Verifier>,
    /// The cutover that is under way.
    pub cutover: Option<Swap>,
}

impl Series {
    /// The key activated last, whatever became of it.
    pub fn newest_activated(&self) -> Option<&Key> {
        self.keys.iter().filter(|key| key.activation.is_some()).max_by_key(|key| key.activation)
    }

    /// The key that signs. Where the one activated last does not, none does.
    pub fn signing(&self) -> Option<&Key> {
        self.newest_activated().filter(|key| key.state == KeyState::Active)
    }

    /// The key that is to sign next.
    pub fn standby(&self) -> Option<&Key> {
        self.keys.iter().find(|key| key.state == KeyState::PreActivation)
    }

    /// A key by its kid.
    pub fn key(&self, kid: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    /// The publications that count for a key: see [`Rules::unbroken`].
    pub fn held(&self, rules: &dyn Rules, kid: &str) -> Vec<u64> {
        rules.unbroken(&self.holding(kid))
    }

    /// Every publication, oldest first: when, and whether it holds a key.
    fn holding(&self, kid: &str) -> Vec<(u64, bool)> {
        self.publications.iter().map(|(time, kids)| (*time, kids.iter().any(|held| held == kid))).collect()
    }

    /// From when on every verifier has a key: by the time that sticks take, or by the receipts of all
    /// that must confirm it, whichever is sooner.
    pub fn known(&self, rules: &dyn Rules, kid: &str) -> Known {
        let by_time = rules.known_everywhere(&self.timing, &self.held(rules, kid));
        match (by_time, self.confirmed(rules, kid)) {
            (Known::From(time), Some(confirmed)) => Known::From(time.min(confirmed)),
            (_, Some(confirmed)) => Known::From(confirmed),
            (known, None) => known,
        }
    }

    /// From when on every verifier will have a key, if publications hold it and come every P from
    /// `now` on.
    pub fn will_be_known(&self, rules: &dyn Rules, kid: &str, now: u64) -> u64 {
        let by_time = known_with_renewals(rules, &self.timing, self.held(rules, kid), now);
        self.confirmed(rules, kid).map_or(by_time, |confirmed| confirmed.min(by_time))
    }

    /// From when on a key is known everywhere by receipts; `None` where time alone decides so far.
    pub fn confirmed(&self, rules: &dyn Rules, kid: &str) -> Option<u64> {
        let holding = self.holding(kid);
        let word = |verifier: &Verifier| {
            let has = verifier.has?;
            let since = holding.get(has.publication..)?;
            let at = has.at.max(since.first()?.0);
            rules.still_confirmed(since).then_some(Confirmed { at, loaded: has.loaded })
        };
        let words: Vec<Option<Confirmed>> = self.verifiers.iter().map(word).collect();
        rules.confirmed_everywhere(&self.timing, &words)
    }

    /// Whether a key may begin to sign. `accept_outage`: whether tokens of single-key services may
    /// be refused for a while.
    ///
    /// # Errors
    /// [`RotationDenied`] with the reason.
    pub fn may_activate(
        &self,
        rules: &dyn Rules,
        key: &Key,
        accept_outage: bool,
        now: u64,
    ) -> Result<(), RotationDenied> {
        // Also of a paused key: its tokens are valid there until another one is installed.
        let installed =
            self.newest_activated().filter(|key| matches!(key.state, KeyState::Active | KeyState::Suspended));
        if let (Some(service), false, Some(_)) = (self.single_key.first(), accept_outage, installed) {
            return Err(RotationDenied::SingleKey { key: key.name.clone(), service: service.clone() });
        }
        // A key that only single-key services will read reaches them by hand, at the cutover.
        if !self.overlap {
            return Ok(());
        }
        match self.known(rules, &key.kid) {
            Known::Never => Err(RotationDenied::Unpublished { key: key.name.clone() }),
            Known::Carried { made, needed } => Err(RotationDenied::Carried { key: key.name.clone(), made, needed }),
            Known::From(allowed_at) if now < allowed_at => {
                Err(RotationDenied::Early { key: key.name.clone(), allowed_at })
            }
            Known::From(_) => Ok(()),
        }
    }

    /// Whether a key may stop signing for good, and until when verifiers then need it. Only a key
    /// whose successor signs may end: going back to an older one would be a cutover too.
    ///
    /// # Errors
    /// [`RotationDenied::Last`], [`RotationDenied::CutoverOpen`].
    pub fn may_deactivate(&self, rules: &dyn Rules, key: &Key, now: u64) -> Result<u64, RotationDenied> {
        let succeeded = self.signing().is_some_and(|signing| signing.kid != key.kid);
        let serves = self.overlap || !self.single_key.is_empty();
        if let (Some(_), Some(service)) = (self.cutover, self.single_key.first()) {
            return Err(RotationDenied::CutoverOpen { service: service.clone() });
        }
        if serves && !succeeded {
            return Err(RotationDenied::Last { key: key.name.clone(), keyset: self.keyset.clone() });
        }
        Ok(self.needed_until(rules, key, now))
    }

    /// Until when some verifier needs a key for the tokens it has signed; `now` where none does.
    pub fn needed_until(&self, rules: &dyn Rules, key: &Key, now: u64) -> u64 {
        rules.removal(&self.timing, key.last_expiry).unwrap_or(now).max(now)
    }

    /// Whether every verifier can do without a key.
    ///
    /// # Errors
    /// [`RotationDenied::Needed`].
    pub fn may_destroy(&self, rules: &dyn Rules, key: &Key, now: u64) -> Result<(), RotationDenied> {
        let promised = match key.state {
            KeyState::Deactivated { verify_until } => verify_until,
            _ => 0,
        };
        let until = self.needed_until(rules, key, now).max(promised);
        if until > now {
            return Err(RotationDenied::Needed { key: key.name.clone(), until });
        }
        if !rules.may_leave(&key.state) {
            return Err(RotationDenied::Last { key: key.name.clone(), keyset: self.keyset.clone() });
        }
        Ok(())
    }

    /// When the signing key's time is over: the last moment at which it may sign.
    pub fn last_sign(&self, rules: &dyn Rules, key: &Key) -> Option<u64> {
        key.activated_at.map(|at| rules.last_sign(&self.timing, self.timing.planned_end(at)))
    }
}

/// When a key held by these publications is known everywhere, if more follow every P.
pub(super) fn known_with_renewals(rules: &dyn Rules, timing: &Timing, mut held: Vec<u64>, now: u64) -> u64 {
    loop {
        match rules.known_everywhere(timing, &held) {
            Known::From(at) => return at,
            _ => held.push(held.last().map_or(now, |last| last.saturating_add(timing.publish_every).max(now))),
        }
    }
}
