//! What services are told at a time: the policy in force, and what tokens that are out still need of earlier ones.
//!
//! A policy edit kills no token. A service is told a validity as long as that of any token of it that is out
//! ([`reach`]), and a service that left the policy is told what it needs until its last token is over
//! ([`policy`]). `publish`, the self-check of `token issue` and `token verify` all ask here.

use super::series::installed;
use super::{Store, foreign, publications};
use crate::issuing::Policy;
use crate::issuing::policy::{Consumer, Left, Service};
use crate::issuing::record::{PolicyRecord, TokenRecord};
use crate::keystore::KeyRecord;
use crate::publishing::ServiceSheet;
use crate::refusal::Refusal;
use crate::rotation::{Out, Rules, Table, Timing};
use std::collections::BTreeSet;

/// The policy that publications speak of: the one in force, with every service that left it while tokens of
/// it are out. Such a service is as the last policy had it, and has [`Service::left`].
///
/// # Errors
/// As the store refuses.
pub fn policy(store: &Store, now: u64) -> Result<Policy, Refusal> {
    let (policy, _) = store.policy()?;
    let left = left(store, &policy, now)?;
    Ok(policy.with(left))
}

/// The longest `exp` − `iat` that a service is told to accept: as long as its policy allows, and as long as any
/// token of it that is out. `policy` is that of [`policy`].
///
/// # Errors
/// As the store refuses.
pub fn reach(store: &Store, policy: &Policy, service: &Service, now: u64) -> Result<u64, Refusal> {
    let out = out(store, policy, service, now)?;
    Ok(Table.told_reach(Table.longest_reach(&timing(policy, service)), &out))
}

/// The same as the newest publication says it; 0 where it says nothing of that service, or can't be read.
pub fn published_reach(store: &Store, service: &str) -> u64 {
    let newest = store.ledger().publications.newest();
    let files = newest.and_then(|newest| publications::files(store, newest.made.seq).ok()).unwrap_or_default();
    let sheet = files.get(&format!("for-{service}/service.json")).and_then(|bytes| ServiceSheet::parse(bytes).ok());
    sheet.map_or(0, |sheet| sheet.longest_validity_seconds)
}

/// The tokens of a service that are out, as far as the journal knows or must assume. The one place that says
/// so: whatever keeps a validity or a service alive is one of these.
pub(super) fn out(store: &Store, policy: &Policy, service: &Service, now: u64) -> Result<Vec<Out>, Refusal> {
    let mut out: Vec<Out> = issued(store, policy, service, now).map(TokenRecord::out).collect();
    out.extend(lost(store, service)?);
    out.extend(foreign::out(store, policy, &service.keyset, now));
    let timing = timing(policy, service);
    out.retain(|out| Table.stays(&timing, out, now));
    Ok(out)
}

/// Tokens of a service that some verifier should still accept: not over, not revoked, of a key that is published.
/// What was recorded as not delivered counts: it may be out all the same.
pub(super) fn issued<'a>(
    store: &'a Store,
    policy: &Policy,
    service: &'a Service,
    now: u64,
) -> impl Iterator<Item = &'a TokenRecord> {
    let ledger = store.ledger();
    let timing = timing(policy, service);
    // A service that left with one key installed keeps that key: tokens of others it never took.
    let only = (service.left.is_some() && service.consumer == Consumer::SingleKey).then(|| installed(store, service));
    let accepted = move |token: &&TokenRecord| {
        let key = ledger.keys.by_kid(&token.issued.kid).filter(|key| key.published_at(now));
        let held = |key: &KeyRecord| only.is_none_or(|only| only.is_some_and(|only| only.kid == key.kid));
        key.is_some_and(|key| key.keyset == service.keyset && held(key)) && ledger.revocations.of(token).is_none()
    };
    let tokens = ledger.tokens.all().iter().filter(|token| token.issued.service == service.name);
    tokens.filter(move |token| Table.stays(&timing, &token.out(), now)).filter(accepted)
}

/// Tokens that a restore may have lost: signed after the backup, under the policy of its day.
fn lost(store: &Store, service: &Service) -> Result<Vec<Out>, Refusal> {
    let mut lost = Vec::new();
    for (at, policy) in restored(store)? {
        let then = policy.service(&service.name).map(|service| timing(&policy, service));
        lost.extend(then.and_then(|timing| Table.lost(&timing, at)));
    }
    Ok(lost)
}

/// The longest validity of any token that a restore may have lost, in seconds; as long as can be, where that can't be
/// told.
pub(super) fn longest_lost(store: &Store) -> Option<u64> {
    let Ok(restored) = restored(store) else { return Some(u64::MAX) };
    let lost = restored
        .iter()
        .flat_map(|(at, policy)| policy.services().filter_map(|service| Table.lost(&timing(policy, service), *at)));
    lost.map(|out| out.validity).max()
}

/// The latest `exp` of tokens of a key that a restore may have lost. Only a key whose private half came back can
/// have signed some.
pub(super) fn last_lost(store: &Store, key: &KeyRecord) -> Result<Option<u64>, Refusal> {
    if !key.has_private_half() {
        return Ok(None);
    }
    let mut last = None;
    for (at, policy) in restored(store)?.into_iter().filter(|(at, _)| key.made_at <= *at) {
        let lost = policy.services_of(&key.keyset).filter_map(|service| Table.lost(&timing(&policy, service), at));
        last = last.max(lost.map(|out| out.until).max());
    }
    Ok(last)
}

/// When the store was restored, and the policy that it was restored to.
fn restored(store: &Store) -> Result<Vec<(u64, Policy)>, Refusal> {
    let mut restored = Vec::new();
    for epoch in store.ledger().backups.epochs() {
        let policies = store.ledger().policies.all().iter().rev();
        if let Some(record) = policies.into_iter().find(|one| one.index < epoch.started.size) {
            restored.push((epoch.at, parsed(store, record)?));
        }
    }
    Ok(restored)
}

/// The services that left the policy while tokens of them are out.
fn left(store: &Store, policy: &Policy, now: u64) -> Result<Vec<Service>, Refusal> {
    let mut names = missing(store, policy, now)?;
    let mut left = Vec::new();
    for pair in store.ledger().policies.all().windows(2).rev() {
        let [before, after] = pair else { continue };
        if names.is_empty() {
            break;
        }
        let before = parsed(store, before)?;
        for service in before.services().filter(|service| names.remove(&service.name)) {
            let gone = Left { index: after.index, at: after.at, backdate: before.timing().backdate };
            let service = Service { left: Some(gone), ..service.clone() };
            if has_key(store, &service, now) && !out(store, policy, &service, now)?.is_empty() {
                left.push(service);
            }
        }
    }
    Ok(left)
}

/// Names of services that are not in the policy and may have tokens out, by the widest leeway there can be.
fn missing(store: &Store, policy: &Policy, now: u64) -> Result<BTreeSet<String>, Refusal> {
    let widest = Timing { leeway: Service::LONGEST_LEEWAY, ..policy.rotation("") };
    let tokens = store.ledger().tokens.all().iter().filter(|token| Table.stays(&widest, &token.out(), now));
    let gone = tokens.map(|token| token.issued.service.as_str()).filter(|name| policy.service(name).is_none());
    let mut names: BTreeSet<String> = gone.collect::<BTreeSet<&str>>().into_iter().map(str::to_owned).collect();
    for (_, before) in restored(store)? {
        let gone = before.services().filter(|service| policy.service(&service.name).is_none());
        names.extend(gone.map(|service| service.name.clone()));
    }
    // Of tokens from elsewhere the journal only knows the key: every service that ever had its keyset.
    let keysets = foreign::keysets(store, policy, now);
    for record in store.ledger().policies.all().iter().filter(|_| !keysets.is_empty()) {
        let before = parsed(store, record)?;
        let its = before.services().filter(|service| keysets.contains(service.keyset.as_str()));
        names.extend(its.map(|service| service.name.clone()).filter(|name| policy.service(name).is_none()));
    }
    Ok(names)
}

/// Whether there is a key that a publication could hold for a service.
fn has_key(store: &Store, service: &Service, now: u64) -> bool {
    match service.consumer {
        Consumer::SingleKey => installed(store, service).is_some_and(|key| key.published_at(now)),
        Consumer::Overlap => store.ledger().keys.of_keyset(&service.keyset).any(|key| key.published_at(now)),
    }
}

/// What rotation counts with for one service.
fn timing(policy: &Policy, service: &Service) -> Timing {
    let rotation = policy.rotation(&service.keyset);
    Timing {
        longest_horizon: service.longest_horizon(),
        longest_lifetime: service.longest_lifetime(),
        leeway: service.leeway,
        backdate: service.left.map_or(rotation.backdate, |left| left.backdate),
        ..rotation
    }
}

fn parsed(store: &Store, record: &PolicyRecord) -> Result<Policy, Refusal> {
    Ok(Policy::parse(&store.policy_text(record)?)?)
}
