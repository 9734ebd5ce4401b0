//! Who has what: which verifiers must confirm a key, and who lags behind.

use super::record::{ReceiptRecord, VerifierRecord};
use super::{Store, nearest};
use crate::issuing::Policy;
use crate::issuing::policy::{Consumer, Service};
use crate::rotation::{Installed, Verifier};
use std::collections::BTreeSet;

/// A verifier that is enrolled, or that the policy names.
pub struct Standing<'a> {
    /// Its name.
    pub name: String,
    /// What is known of it; `None` where it is not enrolled.
    pub record: Option<&'a VerifierRecord>,
    /// The services that it confirms.
    pub services: Vec<String>,
    /// The publication that it, or a newer one, should have by now, if any.
    pub expected: Option<u64>,
}

impl Standing<'_> {
    /// Its last receipt since it was enrolled.
    pub fn last(&self) -> Option<&ReceiptRecord> {
        self.record.and_then(VerifierRecord::word)
    }

    /// What it has and what it should have, in words.
    pub fn words(&self) -> String {
        let expected = self.expected.map(|seq| format!(" where {seq} or a newer one is due")).unwrap_or_default();
        match (self.record, self.last()) {
            (None, _) => format!("{} is not enrolled", self.name),
            (Some(_), None) => format!("{} has sent none{expected}", self.name),
            (Some(_), Some(last)) => format!("{} has publication {}{expected}", self.name, last.taken.seq),
        }
    }

    /// Whether its last receipt is of an older publication than it should have, or there is none.
    pub fn lags(&self) -> bool {
        self.expected.is_some_and(|seq| self.last().is_none_or(|last| last.taken.seq < seq))
    }
}

/// Every verifier that is enrolled or named by the policy, by name.
pub fn standings<'a>(store: &'a Store, policy: &Policy, now: u64) -> Vec<Standing<'a>> {
    let enrolled = store.ledger().verifiers.enrolled();
    let named = policy.services().flat_map(|service| &service.confirmed_by).map(String::as_str);
    let names: BTreeSet<&str> = enrolled.iter().map(|known| known.name.as_str()).chain(named).collect();
    // The same for every keyset: m·P + D + L + S.
    let travel = policy.rotation("").distribution();
    let standing = |name: &str| {
        let record = enrolled.iter().find(|known| known.name == name).copied();
        // Nobody speaks of what came before they were asked.
        let since = record.filter(|known| known.word().is_none()).map_or(0, |known| known.added_at);
        let there = |at: u64| at.max(since).saturating_add(travel) <= now;
        let expected = store.ledger().publications.all().iter().rev().find(|one| there(one.at));
        let services = policy.services().filter(|service| service.confirmed_by.iter().any(|one| one == name));
        Standing {
            name: name.to_owned(),
            record,
            services: services.map(|service| service.name.clone()).collect(),
            expected: expected.filter(|_| record.is_some()).map(|one| one.made.seq),
        }
    };
    names.into_iter().map(standing).collect()
}

/// The verifiers that must confirm a key of a keyset. None where a service that holds several of its
/// keys names nobody, or is a stock consumer: nobody can say what such a service has in memory.
pub fn must_confirm(store: &Store, policy: &Policy, keyset: &str) -> Vec<Verifier> {
    let services: Vec<&Service> =
        policy.services_of(keyset).filter(|one| one.consumer == Consumer::Overlap && one.left.is_none()).collect();
    if services.iter().any(|service| service.confirmed_by.is_empty() || !service.sees_revocations) {
        return Vec::new();
    }
    let publications = store.ledger().publications.all();
    let names: BTreeSet<&String> = services.iter().flat_map(|service| &service.confirmed_by).collect();
    let verifier = |name: &String| {
        let last = store.ledger().verifiers.find(name).and_then(VerifierRecord::word).map(|last| &last.taken);
        let has = last.and_then(|taken| {
            let publication = publications.iter().position(|one| one.made.seq == taken.seq)?;
            Some(Installed { publication, at: taken.installed_at, loaded: taken.loaded_at.is_some() })
        });
        Verifier { name: name.clone(), has }
    };
    names.into_iter().map(verifier).collect()
}

/// What of a policy's sets does not do what it may seem to do, each with its line.
pub fn warnings(store: &Store, policy: &Policy) -> Vec<String> {
    let enrolled = store.ledger().verifiers.enrolled();
    let mut warnings = Vec::new();
    for service in policy.services().filter(|service| !service.confirmed_by.is_empty()) {
        let (name, line) = (&service.name, service.lines.of("confirmed_by"));
        for verifier in service.confirmed_by.iter().filter(|name| !enrolled.iter().any(|known| known.name == **name)) {
            let meant = nearest(verifier, enrolled.iter().map(|known| known.name.as_str()));
            let meant = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
            warnings.push(format!("line {line}: services.{name} is confirmed by {verifier}, not enrolled yet{meant}"));
        }
        if !service.sees_revocations {
            warnings.push(format!(
                "line {line}: services.{name} is a stock consumer (sees_revocations = false): its receipts are \
                 shown, time alone decides"
            ));
        }
    }
    warnings
}
