//! What a bundle and `revoked.json` carry of the revocations.

use super::bounds::Over;
use crate::acts::foreign::{kids_for, may_live};
use crate::acts::issue::{Batch, kid_for};
use crate::acts::{Store, told};
use crate::issuing::Policy;
use crate::issuing::policy::{KidForm, Service};
use crate::issuing::record::TokenRecord;
use crate::issuing::revoked::{RevocationRecord, What};
use crate::publishing::libtrust_kid;
use coldsign_verify::UnixTime;
use coldsign_verify::revocation::{Revocations, shows_role};
use std::collections::{BTreeMap, HashSet};

/// Everything withdrawn as of a time, as a bundle made then carries it: cut-offs, and the ids of tokens
/// that no cut-off tells from others. What no verifier can meet any more is left out.
pub fn current(store: &Store, now: u64) -> Revocations {
    let ledger = store.ledger();
    if ledger.revocations.all().is_empty() {
        return Revocations::default();
    }
    let policy = told::policy(store, now).ok();
    let mut current = cut_offs(store, policy.as_ref());
    let over = Over::new(policy.as_ref());
    for token in ledger.tokens.all() {
        let issued = &token.issued;
        if over.at(token, now) || ledger.revocations.of(token).is_none() {
            continue;
        }
        let roles: Vec<&str> = issued.roles.iter().map(String::as_str).collect();
        let kid = carried_kid(store, policy.as_ref(), token);
        let reached = current.cutoff(&issued.service, &roles, &issued.sub, &kid);
        if reached.is_none_or(|at| at.0 < issued.iat) {
            current.tokens.insert(issued.jti.clone(), UnixTime(issued.exp));
        }
    }
    // Without a policy nothing says how long tokens live: nothing is dropped then.
    match &policy {
        Some(policy) => current.pruned(UnixTime(now), longest_validity(store, policy, now), over.margin()),
        None => current,
    }
}

/// The part of what is withdrawn that a service has to know: of single tokens and keys only its own.
pub fn of_service(store: &Store, withdrawn: &Revocations, service: &Service) -> Revocations {
    let (tokens, keys) = (&store.ledger().tokens, &store.ledger().keys);
    let its: HashSet<&str> = tokens
        .all()
        .iter()
        .filter(|token| token.issued.service == service.name)
        .map(|token| token.issued.jti.as_str())
        .collect();
    let kids: HashSet<String> = keys.of_keyset(&service.keyset).flat_map(|key| kids_for(service, key)).collect();
    let mut known = withdrawn.clone();
    known.tokens.retain(|jti, _| its.contains(jti.as_str()));
    known.kids.retain(|kid, _| kids.contains(kid));
    known
}

/// The newest cut-off that touches a token to be issued: its `iat` has to lie after it.
pub fn cut_off(cut_offs: &Revocations, batch: &Batch, subject: &str, kid: &str) -> Option<UnixTime> {
    let roles: Vec<&str> = batch.roles.iter().map(String::as_str).collect();
    cut_offs.cutoff(&batch.service, &roles, subject, kid)
}

/// Revocations that no publication carries yet although some verifier could need them.
pub fn unpublished(store: &Store, now: u64) -> Vec<&RevocationRecord> {
    let ledger = store.ledger();
    let Some(newest) = ledger.publications.newest() else { return Vec::new() };
    let policy = told::policy(store, now).ok();
    let over = Over::new(policy.as_ref());
    let longest = policy.as_ref().map_or(u64::MAX, |policy| longest_validity(store, policy, now));
    let needed = |one: &&RevocationRecord| match one.made.what {
        What::Token => ledger.tokens.all().iter().any(|token| one.covers(token) && !over.at(token, now)),
        _ => one.cut_off.saturating_add(longest).saturating_add(over.margin()) >= now,
    };
    ledger.revocations.all().iter().filter(|one| one.index > newest.index).filter(needed).collect()
}

/// The cut-offs alone. A role's is no help where tokens don't say their role: those tokens are listed.
pub fn cut_offs(store: &Store, policy: Option<&Policy>) -> Revocations {
    let mut current = Revocations::default();
    for one in store.ledger().revocations.all() {
        let at = UnixTime(one.cut_off);
        let name = one.made.name.as_deref().unwrap_or_default();
        match one.made.what {
            What::Token => {}
            What::Everything => current.all = current.all.max(Some(at)),
            What::Subject => later(&mut current.subjects, name, at),
            What::Service => later(&mut current.services, name, at),
            What::Key => {
                for kid in carried_kids(store, policy, name) {
                    later(&mut current.kids, &kid, at);
                }
            }
            What::Role => {
                let service = name.split('/').next().and_then(|service| policy?.service(service));
                if service.is_some_and(|service| shows_role(service.profile)) {
                    later(&mut current.roles, name, at);
                }
            }
        }
    }
    current
}

fn later(table: &mut BTreeMap<String, UnixTime>, name: &str, at: UnixTime) {
    let known = table.entry(name.to_owned()).or_insert(at);
    *known = (*known).max(at);
}

/// The kids under which services know a key.
fn carried_kids(store: &Store, policy: Option<&Policy>, kid: &str) -> Vec<String> {
    let Some(key) = store.ledger().keys.by_kid(kid) else { return vec![kid.to_owned()] };
    let libtrust = policy.is_some_and(|policy| policy.services_of(&key.keyset).any(|one| one.kid == KidForm::Libtrust));
    let mut kids = vec![kid.to_owned()];
    kids.extend(libtrust.then(|| libtrust_kid(&key.public)));
    kids.extend(key.foreign.kid.clone());
    kids
}

fn carried_kid(store: &Store, policy: Option<&Policy>, token: &TokenRecord) -> String {
    let service = policy.and_then(|policy| policy.service(&token.issued.service));
    match (service, store.ledger().keys.by_kid(&token.issued.kid)) {
        (Some(service), Some(key)) => kid_for(service, key),
        _ => token.issued.kid.clone(),
    }
}

/// The longest `exp` − `iat` that any token has or can have, in seconds. Of tokens from elsewhere not
/// even `iat` is known.
fn longest_validity(store: &Store, policy: &Policy, now: u64) -> u64 {
    if may_live(store, Over::new(Some(policy)).margin(), now) {
        return u64::MAX;
    }
    let issued = store.ledger().tokens.all().iter().map(|token| token.issued.exp.saturating_sub(token.issued.iat));
    let backdate = policy.timing().backdate;
    let allowed = policy.services().map(|service| service.longest_horizon().saturating_add(backdate));
    issued.chain(allowed).chain(told::longest_lost(store)).max().unwrap_or(0)
}
