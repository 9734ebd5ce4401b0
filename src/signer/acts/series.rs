//! A keyset of the store as rotation sees it.

use super::Store;
use crate::issuing::Policy;
use crate::issuing::policy::{Consumer, Service};
use crate::keystore::{KeyRecord, KeyState};
use crate::refusal::Refusal;
use crate::rotation::record::CutoverRecord;
use crate::rotation::{Key, Series, Swap};

/// The keyset with its keys and what held them, under the policy that [`super::told::policy`] has: keys are kept
/// for services that left, and none is made for them.
///
/// # Errors
/// As the store refuses.
pub fn series(store: &Store, policy: &Policy, keyset: &str) -> Result<Series, Refusal> {
    let ledger = store.ledger();
    let services = || policy.services_of(keyset).filter(|service| service.left.is_none());
    let single_key = services().filter(|service| service.consumer == Consumer::SingleKey);
    let publications = ledger.publications.all().iter();
    Ok(Series {
        keyset: keyset.to_owned(),
        timing: policy.rotation(keyset),
        overlap: services().any(|service| service.consumer == Consumer::Overlap),
        // Of a cutover that is under way, those that have not swapped.
        single_key: match open_cutover(store, keyset) {
            Some(open) => open.waiting().cloned().collect(),
            None => single_key.map(|service| service.name.clone()).collect(),
        },
        keys: ledger.keys.of_keyset(keyset).map(|key| counted(store, key)).collect::<Result<_, _>>()?,
        publications: publications.map(|publication| (publication.at, publication.made.kids.clone())).collect(),
        verifiers: super::verifiers::must_confirm(store, policy, keyset),
        cutover: open_cutover(store, keyset)
            .map(|open| Swap::at(&policy.rotation(keyset), open.at, open.issued.swap_at)),
    })
}

/// The keyset's cutover that is under way: it ends with its key's activation, or its loss.
pub fn open_cutover<'a>(store: &'a Store, keyset: &'a str) -> Option<&'a CutoverRecord> {
    let ledger = store.ledger();
    let mut next = ledger.keys.of_keyset(keyset).filter(|key| key.state == KeyState::PreActivation);
    next.find_map(|key| ledger.cutovers.open_to(&key.kid))
}

/// The key that a single-key service has installed, as far as its operator's word goes: the one
/// activated last, or of a cutover under way the next one, once that is confirmed.
pub fn installed<'a>(store: &'a Store, service: &'a Service) -> Option<&'a KeyRecord> {
    let keys = &store.ledger().keys;
    if let Some(left) = service.left {
        // Nobody hands it another one: what was installed when it left.
        let before = keys.of_keyset(&service.keyset).filter(|key| key.activation.is_some_and(|at| at < left.index));
        return before.max_by_key(|key| key.activation);
    }
    let open = open_cutover(store, &service.keyset).filter(|open| open.confirmed.contains(&service.name));
    open.and_then(|open| keys.by_kid(&open.issued.kid)).or_else(|| keys.newest_activated(&service.keyset))
}

/// A key of the store as rotation counts with it: tokens that a restore may have lost count as signed.
///
/// # Errors
/// As the store refuses.
pub fn counted(store: &Store, key: &KeyRecord) -> Result<Key, Refusal> {
    let journalled = store.ledger().tokens.last_expiry_of_key(&key.kid);
    Ok(Key {
        name: key.name(),
        number: key.number,
        kid: key.kid.clone(),
        state: key.state.clone(),
        activated_at: key.activated_at,
        activation: key.activation,
        last_expiry: journalled
            .max(super::told::last_lost(store, key)?)
            .max(key.foreign.tokens.map(|tokens| tokens.until)),
    })
}
