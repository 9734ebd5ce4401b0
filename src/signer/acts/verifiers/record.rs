//! Verifiers and their receipts as the journal tells them.

use crate::journal::{Entry, Event, JournalFault, member};
use coldsign_verify::PublicKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A verifier was enrolled, its key's fingerprint compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifierAdded {
    /// Its name.
    #[serde(deserialize_with = "member::verifier")]
    pub verifier: String,
    /// Its receipt key: RFC 7638 thumbprint.
    #[serde(deserialize_with = "member::thumbprint")]
    pub kid: String,
    /// The public key.
    pub jwk: Value,
}

impl Event for VerifierAdded {
    const TYPE: &'static str = "verifier.added";
}

/// A verifier counts no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifierRemoved {
    /// Its name.
    #[serde(deserialize_with = "member::verifier")]
    pub verifier: String,
    /// Why, in the operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Event for VerifierRemoved {
    const TYPE: &'static str = "verifier.removed";
}

/// A receipt was checked and believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptTaken {
    /// Whose it is.
    #[serde(deserialize_with = "member::verifier")]
    pub verifier: String,
    /// Its number.
    #[serde(deserialize_with = "member::number")]
    pub counter: u64,
    /// SHA-256 of the receipt, lower-case hex.
    #[serde(deserialize_with = "member::digest")]
    pub sha256: String,
    /// SHA-256 of the one before, as the receipt names it (`prev` is the journal's own member).
    #[serde(default, deserialize_with = "member::digest", skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// The newest root it trusts.
    #[serde(deserialize_with = "member::number")]
    pub root_version: u64,
    /// The publication it has installed.
    #[serde(deserialize_with = "member::number")]
    pub seq: u64,
    /// When, by its own clock, in seconds since the epoch.
    #[serde(deserialize_with = "member::number")]
    pub installed_at: u64,
    /// When its service took that into memory, where it knows.
    #[serde(default, deserialize_with = "member::number", skip_serializing_if = "Option::is_none")]
    pub loaded_at: Option<u64>,
    /// What its clock showed when it signed.
    #[serde(deserialize_with = "member::number")]
    pub clock: u64,
    /// When tokens of our keys were last accepted, by kid, where it knows.
    #[serde(default, deserialize_with = "member::times", skip_serializing_if = "BTreeMap::is_empty")]
    pub used: BTreeMap<String, u64>,
}

impl Event for ReceiptTaken {
    const TYPE: &'static str = "receipt.taken";
}

/// A receipt and when it was taken.
#[derive(Debug, Clone)]
pub struct ReceiptRecord {
    /// As journalled.
    pub taken: ReceiptTaken,
    /// When, in seconds since the epoch.
    pub at: u64,
}

/// A verifier under one key.
#[derive(Debug, Clone)]
pub struct VerifierRecord {
    /// Its name.
    pub name: String,
    /// Its receipt key: RFC 7638 thumbprint.
    pub kid: String,
    /// The public key.
    pub key: PublicKey,
    /// When it was enrolled, in seconds since the epoch.
    pub added_at: u64,
    /// By which unlock.
    pub by: String,
    /// When it was removed, if it is.
    pub removed_at: Option<u64>,
    /// Its receipts, by counter; those from before it was enrolled again hold its counter alone.
    pub receipts: Vec<ReceiptRecord>,
    /// How many of them are from before.
    pub from_before: usize,
}

impl VerifierRecord {
    /// The last receipt by its key: the next one must go on from it.
    pub fn last(&self) -> Option<&ReceiptRecord> {
        self.receipts.last()
    }

    /// Its word: its last receipt since it was enrolled.
    pub fn word(&self) -> Option<&ReceiptRecord> {
        self.receipts.get(self.from_before..).and_then(<[_]>::last)
    }
}

/// Every verifier there ever was, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Verifiers {
    records: Vec<VerifierRecord>,
    /// Places of those that count, by name: a journal has an entry for each receipt.
    enrolled: BTreeMap<String, usize>,
    /// Places of all, by key.
    by_kid: BTreeMap<String, usize>,
}

impl Verifiers {
    /// Takes in an entry; `false` where it is not about verifiers.
    ///
    /// # Errors
    /// [`JournalFault::Malformed`].
    pub fn apply(&mut self, entry: &Entry) -> Result<bool, JournalFault> {
        let malformed = |what: String| JournalFault::Malformed { line: entry.index + 1, what };
        if let Some(added) = entry.event::<VerifierAdded>()? {
            let (key, _) = PublicKey::from_jwk(added.jwk.to_string().as_bytes())
                .map_err(|error| malformed(format!("the key of {}: {error}", added.verifier)))?;
            if key.thumbprint() != added.kid || self.find(&added.verifier).is_some() {
                return Err(malformed(format!("{} can't have been enrolled", added.verifier)));
            }
            let place = self.by_kid.get(&added.kid).copied();
            match place.and_then(|place| self.records.get_mut(place)) {
                // The counter of a key goes on, whatever happened to its verifier.
                Some(known) if known.name == added.verifier => {
                    self.enrolled.extend(place.map(|place| (added.verifier, place)));
                    (known.removed_at, known.added_at, known.by) = (None, entry.time, entry.by.to_string());
                    // What it confirmed before counts no longer.
                    known.from_before = known.receipts.len();
                }
                Some(_) => return Err(malformed(format!("the key of {} is another's", added.verifier))),
                None => {
                    self.enrolled.insert(added.verifier.clone(), self.records.len());
                    self.by_kid.insert(added.kid.clone(), self.records.len());
                    self.records.push(VerifierRecord {
                        name: added.verifier,
                        kid: added.kid,
                        key,
                        added_at: entry.time,
                        by: entry.by.to_string(),
                        removed_at: None,
                        receipts: Vec::new(),
                        from_before: 0,
                    });
                }
            }
        } else if let Some(removed) = entry.event::<VerifierRemoved>()? {
            let known = self.find_mut(&removed.verifier);
            known.ok_or_else(|| malformed(format!("there is no verifier {}", removed.verifier)))?.removed_at =
                Some(entry.time);
            self.enrolled.remove(&removed.verifier);
        } else if let Some(taken) = entry.event::<ReceiptTaken>()? {
            let what = format!("receipt {} of {} can't have been taken", taken.counter, taken.verifier);
            if !self.take(taken, entry.time) {
                return Err(malformed(what));
            }
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Takes in a receipt; `false` where it is nobody's or not above the last one.
    pub(super) fn take(&mut self, taken: ReceiptTaken, at: u64) -> bool {
        let Some(known) = self.find_mut(&taken.verifier) else { return false };
        let above = known.last().is_none_or(|last| last.taken.counter < taken.counter);
        if above {
            known.receipts.push(ReceiptRecord { taken, at });
        }
        above
    }

    /// Those that count, by name.
    pub fn enrolled(&self) -> Vec<&VerifierRecord> {
        self.enrolled.values().filter_map(|place| self.records.get(*place)).collect()
    }

    /// One that counts, by its name.
    pub fn find(&self, name: &str) -> Option<&VerifierRecord> {
        self.records.get(*self.enrolled.get(name)?)
    }

    /// One by its key, removed or not.
    pub fn by_kid(&self, kid: &str) -> Option<&VerifierRecord> {
        self.records.get(*self.by_kid.get(kid)?)
    }

    fn find_mut(&mut self, name: &str) -> Option<&mut VerifierRecord> {
        let place = *self.enrolled.get(name)?;
        self.records.get_mut(place)
    }
}
