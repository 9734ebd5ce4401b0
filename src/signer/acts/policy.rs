//! `policy …`: the edited policy and the one in force.

mod affected;

pub use affected::Affected;

use super::series::open_cutover;
use super::{Denied, Session, Store, files, verifiers};
use crate::issuing::Policy;
use crate::issuing::policy::{Change, Consumer, diff};
use crate::issuing::record::{PolicyApplied, PolicyRecord};
use crate::journal::{Event, hex, sha256};
use crate::keystore::KeyState;
use crate::refusal::{Refusal, Refuse};
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
    /// What the edited policy counts on and is not there yet.
    pub warnings: Vec<String>,
    /// The edited text: what was compared is what is applied.
    text: String,
    /// SHA-256 of the policy that it was compared with.
    compared_with: Option<String>,
}

/// Why a policy is not applied although it has no fault.
#[derive(Debug, thiserror::Error)]
pub enum PolicyDenied {
    /// Not the text that was looked at before.
    #[error("policy.toml has the SHA-256 {found}, not {wanted}")]
    OtherText {
        /// The digest given.
        wanted: String,
        /// The file's.
        found: String,
    },
    /// The changes that were shown are no longer the changes that would be made.
    #[error("another policy came into force after the changes were shown")]
    OtherInForce,
}

impl Refuse for PolicyDenied {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::OtherText { .. } | Self::OtherInForce => "POLICY-OTHER",
        })
    }

    fn why(&self) -> Vec<String> {
        let first = match self {
            Self::OtherText { .. } => "somebody edited it after you looked, or the digest is of another file",
            Self::OtherInForce => "somebody else applied a policy meanwhile",
        };
        vec![first.to_owned(), "nothing was applied".to_owned()]
    }

    fn hint(&self) -> Option<String> {
        Some("coldsign policy diff".to_owned())
    }
}

/// Compares `policy.toml`, read once, with the policy in force at that time. Needs no passphrase.
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
        warnings: verifiers::warnings(store, &edited),
        compared_with: in_force_sha256(store),
        text,
        without_key: edited
            .keysets()
            .filter(|keyset| keys.of_keyset(&keyset.name).next().is_none())
            .map(|keyset| keyset.name.clone())
            .collect(),
    })
}

/// Refuses another text than the one with this SHA-256, in hex.
///
/// # Errors
/// [`PolicyDenied::OtherText`].
pub fn must_be(comparison: &Comparison, sha256: &str) -> Result<(), PolicyDenied> {
    if sha256.eq_ignore_ascii_case(&comparison.sha256) {
        return Ok(());
    }
    Err(PolicyDenied::OtherText { wanted: sha256.to_owned(), found: comparison.sha256.clone() })
}

/// Applies the very text that was compared: from now on it says what may be issued. Reads no file
/// again; keeps the text.
///
/// # Errors
/// [`PolicyDenied::OtherInForce`] where the comparison is no longer true, as [`compare`], or as the
/// store refuses.
pub fn apply(session: &mut Session, comparison: &Comparison) -> Result<(), Refusal> {
    let store = session.store();
    if in_force_sha256(store) != comparison.compared_with {
        return Err(PolicyDenied::OtherInForce.into());
    }
    let edited = Policy::parse(&comparison.text)?;
    fits_keys(store, &edited)?;
    fits_cutovers(store, &edited)?;
    if comparison.in_force {
        return Ok(());
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
    session.record(&[PolicyApplied { sha256: comparison.sha256.clone(), bytes: comparison.text.len() as u64 }.line()])
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

/// SHA-256 of the policy in force, lower-case hex.
fn in_force_sha256(store: &Store) -> Option<String> {
    store.ledger().policies.newest().map(|newest| newest.applied.sha256.clone())
}
