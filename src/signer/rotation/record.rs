//! Cutovers as the journal tells them.

use crate::journal::{Entry, Event, JournalFault, member};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The replacements of a keyset's single-key services were issued under its next key. From here on
/// whatever is issued for them is issued under both keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutoverIssued {
    /// The keyset.
    #[serde(deserialize_with = "member::keyset")]
    pub keyset: String,
    /// The key that takes over: RFC 7638 thumbprint.
    #[serde(deserialize_with = "member::thumbprint")]
    pub kid: String,
    /// When the operators install it, in seconds since the epoch.
    #[serde(deserialize_with = "member::number")]
    pub swap_at: u64,
    /// The services that are swapped.
    #[serde(deserialize_with = "member::service")]
    pub services: Vec<String>,
}

impl Event for CutoverIssued {
    const TYPE: &'static str = "cutover.issued";
}

/// The operator of a service has installed the new key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutoverConfirmed {
    /// The key that took over.
    #[serde(deserialize_with = "member::thumbprint")]
    pub kid: String,
    /// The service.
    #[serde(deserialize_with = "member::service")]
    pub service: String,
}

impl Event for CutoverConfirmed {
    const TYPE: &'static str = "cutover.confirmed";
}

/// A cutover and how far it is.
#[derive(Debug, Clone)]
pub struct CutoverRecord {
    /// As journalled.
    pub issued: CutoverIssued,
    /// The entry's place in the journal.
    pub index: u64,
    /// When, in seconds since the epoch.
    pub at: u64,
    /// Services that are confirmed.
    pub confirmed: Vec<String>,
}

impl CutoverRecord {
    /// Services that are not confirmed yet.
    pub fn waiting(&self) -> impl Iterator<Item = &String> {
        self.issued.services.iter().filter(|service| !self.confirmed.contains(service))
    }
}

/// Every cutover, oldest first.
#[derive(Debug, Default)]
pub struct Cutovers {
    records: Vec<CutoverRecord>,
    /// The newest of each key: a journal has an entry for each service that confirms it.
    newest: HashMap<String, usize>,
}

impl Cutovers {
    /// Takes in an entry; `false` where it is not about cutovers.
    ///
    /// # Errors
    /// [`JournalFault::Malformed`].
    pub fn apply(&mut self, entry: &Entry) -> Result<bool, JournalFault> {
        if let Some(issued) = entry.event::<CutoverIssued>()? {
            self.newest.insert(issued.kid.clone(), self.records.len());
            self.records.push(CutoverRecord { issued, index: entry.index, at: entry.time, confirmed: Vec::new() });
        } else if let Some(confirmed) = entry.event::<CutoverConfirmed>()? {
            let place = self.newest.get(&confirmed.kid).copied();
            let known = place.and_then(|place| self.records.get_mut(place));
            let malformed =
                || JournalFault::Malformed { line: entry.index + 1, what: "there is no such cutover".into() };
            known.ok_or_else(malformed)?.confirmed.push(confirmed.service);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// The newest of a keyset that a service has confirmed.
    pub fn confirmed_by(&self, service: &str, keyset: &str) -> Option<&CutoverRecord> {
        let confirmed = |cutover: &&CutoverRecord| cutover.confirmed.iter().any(|one| one == service);
        self.records.iter().rev().find(|cutover| cutover.issued.keyset == keyset && confirmed(cutover))
    }

    /// The newest to that key that some service has not confirmed.
    pub fn open_to(&self, kid: &str) -> Option<&CutoverRecord> {
        self.records.iter().rev().find(|cutover| cutover.issued.kid == kid && cutover.waiting().next().is_some())
    }
}
