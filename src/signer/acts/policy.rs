//! `policy …`: the edited policy and the one in force.

mod affected;

pub use affected::Affected;

use super::series::open_cutover;
use super::{Denied, Session, Store, files};
use crate::issuing::Policy;
use crate::issuing::policy::{Change, Consumer, diff};
use crate::issuing::record::{PolicyApplied, PolicyRecord};
use crate::journal::{Event, hex, sha256};
use crate::keystore::KeyState;
use crate::refusal::Refusal;
use crate::rotation::RotationDenied;
use std::collections::BTreeSet;

/// What applying `policy.toml` would change.
#[derive(Debug)]
pub struct Comparison {
    /// Who gains or loses what.
    pub changes: Vec<Change>,
    /// What it does to tokens that are out.
    pub affected: Vec<Affected>,
    /// SHA-256 of the edited text, lower-case hex.
    pub sha256: String,
    /// Whether that very text is in force already.
    pub in_force: bool,
    /// Keysets that have no key yet.
    pub without_key: Vec<String>,
    /// The edited text: what was compared is what is applied.
    text: String,
}

/// Compares `policy.toml` with the policy in force at that time. Needs no passphrase.
///
/// # Errors
/// [`crate::issuing::PolicyFaults`], or where it contradicts the keys there are.
pub fn compare(store: &Store, now: u64) -> Result<Comparison, Refusal> {
    let text = store.edited_policy()?;
    let edited = Policy::parse(&text)?;
    fits_keys(store, &edited)?;
    fits_cutovers(store, &edited)?;
    let in_force = store.policy().ok().map(|(policy, _)| policy);
    let keys = &store.ledger().keys;
    let sha256 = hex(&sha256(text.as_bytes()));
    let same = store.ledger().policies.newest().is_some_and(|newest| newest.applied.sha256 == sha256);
    Ok(Comparison {
        changes: diff(in_force.as_ref(), &edited),
        affected: match in_force {
            Some(_) if !same => affected::affected(store, &edited, now)?,
            _ => Vec::new(),
        },
        in_force: same,
        sha256,
        text,
        without_key: edited
            .keysets()
            .filter(|keyset| keys.of_keyset(&keyset.name).next().is_none())
            .map(|keyset| keyset.name.clone())
            .collect(),
    })
}

/// Applies `policy.toml`: from now on it says what may be issued. Keeps its text.
///
/// # Errors
/// As [`compare`], or as the store refuses.
pub fn apply(session: &mut Session) -> Result<Comparison, Refusal> {
    let comparison = compare(session.store(), session.now())?;
    if comparison.in_force {
        return Ok(comparison);
    }
    let file = files::policy_file(&comparison.sha256);
    let directory = session.store().directory();
    directory.below("policies")?;
    if !directory.has(&file) {
        directory.stage_file(&file, comparison.text.as_bytes())?;
    } else if files::read_named(directory, &file, &comparison.sha256).is_err() {
        // It was applied before; its bytes have changed since.
        directory.replace_file(&file, comparison.text.as_bytes())?;
    }
    session
        .record(&[PolicyApplied { sha256: comparison.sha256.clone(), bytes: comparison.text.len() as u64 }.line()])?;
    Ok(comparison)
}

/// The text of the policy in force, now or at a time (seconds since the epoch).
///
/// # Errors
/// [`Denied::NoPolicy`].
pub fn show(store: &Store, as_of: Option<u64>) -> Result<(String, &PolicyRecord), Refusal> {
    let policies = &store.ledger().policies;
    let record = match as_of {
        None => policies.newest(),
        Some(time) => policies.as_of(time),
    }
    .ok_or_else(|| match policies.all().first() {
        Some(first) => Denied::NoPolicyYet { first: first.at },
        None => Denied::NoPolicy,
    })?;
    Ok((store.policy_text(record)?, record))
}

/// The single-key services of a keyset stay what they are while they are cut over.
fn fits_cutovers(store: &Store, edited: &Policy) -> Result<(), RotationDenied> {
    let keysets: BTreeSet<&str> = store.ledger().keys.all().iter().map(|key| key.keyset.as_str()).collect();
    for keyset in keysets {
        let Some(open) = open_cutover(store, keyset) else { continue };
        let single_key = edited.services_of(keyset).filter(|service| service.consumer == Consumer::SingleKey);
        let after: BTreeSet<&str> = single_key.map(|service| service.name.as_str()).collect();
        let before: BTreeSet<&str> = open.issued.services.iter().map(String::as_str).collect();
        if let Some(service) = before.symmetric_difference(&after).next() {
            let under_way = open.waiting().next().cloned().unwrap_or_default();
            let (service, keyset) = ((*service).to_owned(), keyset.to_owned());
            return Err(RotationDenied::CutoverServices { service, keyset, under_way });
        }
    }
    Ok(())
}

/// A keyset that has living keys keeps its name and its algorithm.
fn fits_keys(store: &Store, edited: &Policy) -> Result<(), Denied> {
    use crate::keystore::Purpose;
    for key in store.ledger().keys.all() {
        if key.purpose != Purpose::Token || matches!(key.state, KeyState::Compromised | KeyState::Destroyed) {
            continue;
        }
        match edited.keyset(&key.keyset) {
            None if !matches!(key.state, KeyState::Deactivated { .. }) => {
                return Err(Denied::KeysetGone(key.keyset.clone()));
            }
            Some(keyset) if keyset.algorithm != key.public.algorithm() => {
                return Err(Denied::KeysetAlgorithm {
                    keyset: key.keyset.clone(),
                    has: key.public.algorithm().to_string(),
                    wanted: keyset.algorithm.to_string(),
                });
            }
            _ => {}
        }
    }
    Ok(())
}
