//! Until when what is taken back may still be accepted.

use crate::acts::Store;
use crate::issuing::Policy;
use crate::issuing::policy::Service;
use crate::issuing::record::TokenRecord;
use crate::keystore::KeyRecord;
use crate::rotation::{Bound, Reader, Withdrawn, exposure};
use std::collections::BTreeMap;

/// A service that a revocation reaches. All times are seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceReach {
    /// Its name.
    pub service: String,
    /// Tokens of it that are taken back and that some verifier could still accept.
    pub tokens: usize,
    /// From when on no verifier of bundles accepts them; `None` where the service sees no
    /// revocations, by the policy in force.
    pub on_bundles: Option<u64>,
    /// From when on nobody else does, whatever file is in its place.
    pub on_files: u64,
}

/// The services of tokens that are taken back at a time.
pub(super) fn services(
    store: &Store,
    policy: Option<&Policy>,
    tokens: &[&TokenRecord],
    foreign: &[(&KeyRecord, Vec<&Service>)],
    now: u64,
) -> Vec<ServiceReach> {
    let over = Over::new(policy);
    let bundles = last_bundle_end(store, policy, now);
    let mut reached: BTreeMap<String, ServiceReach> = BTreeMap::new();
    let ours = tokens.iter().map(|token| (token.issued.service.as_str(), token.issued.exp, 1));
    let of_key = |(key, services): &(&KeyRecord, Vec<&Service>)| {
        let until = key.foreign.tokens.map_or(0, |tokens| tokens.until);
        services.iter().map(move |service| (service.name.clone(), until)).collect::<Vec<_>>()
    };
    let theirs: Vec<(String, u64)> = foreign.iter().flat_map(of_key).collect();
    for (name, exp, counted) in ours.chain(theirs.iter().map(|(name, until)| (name.as_str(), *until, 0))) {
        let sees = policy.and_then(|policy| policy.service(name)).is_some_and(|service| service.sees_revocations);
        let one = reached.entry(name.to_owned()).or_insert_with(|| ServiceReach {
            service: name.to_owned(),
            tokens: 0,
            on_bundles: sees.then_some(0),
            on_files: 0,
        });
        let until = |reader| match exposure(bundles, over.skew, reader, over.leeway(name), Withdrawn::Token(exp)) {
            Bound::Until(until) => until,
            Bound::UntilReplaced => u64::MAX,
        };
        one.tokens += counted;
        one.on_files = one.on_files.max(until(Reader::File));
        one.on_bundles = one.on_bundles.map(|latest| latest.max(until(Reader::Bundle)));
    }
    reached.into_values().collect()
}

/// The latest end of any bundle signed until now; now, where there is none.
pub fn last_bundle_end(store: &Store, policy: Option<&Policy>, now: u64) -> u64 {
    let ledger = store.ledger();
    let known = ledger.publications.all().iter().filter_map(|one| one.made.bundle.as_ref()).map(|bundle| bundle.exp);
    // Bundles that a restore lost were signed before it.
    let lifetime = policy.map_or(u64::MAX, |policy| policy.distribution().bundle_lifetime);
    let lost = ledger.backups.epochs().iter().map(|epoch| epoch.at.saturating_add(lifetime));
    known.chain(lost).max().unwrap_or(now)
}

/// When a token is over for every verifier.
pub(super) struct Over {
    leeways: BTreeMap<String, u64>,
    skew: u64,
}

impl Over {
    pub(super) fn new(policy: Option<&Policy>) -> Self {
        let leeways = policy.into_iter().flat_map(Policy::services);
        Self {
            leeways: leeways.map(|service| (service.name.clone(), service.leeway)).collect(),
            skew: policy.map_or(0, |policy| policy.timing().skew),
        }
    }

    fn leeway(&self, service: &str) -> u64 {
        self.leeways.get(service).copied().unwrap_or(0)
    }

    /// Whether no verifier accepts it then: by the slowest clock, with its service's leeway.
    pub(super) fn at(&self, token: &TokenRecord, now: u64) -> bool {
        token.issued.exp.saturating_add(self.leeway(&token.issued.service)).saturating_add(self.skew) < now
    }

    pub(super) fn margin(&self) -> u64 {
        self.leeways.values().max().copied().unwrap_or(0).saturating_add(self.skew)
    }
}
