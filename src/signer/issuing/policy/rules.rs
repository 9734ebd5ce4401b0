//! Rules that hold between sections (`docs/formats/policy-v1.md` §5).

use std::collections::{BTreeMap, BTreeSet};

use coldsign_verify::{Algorithm, Profile};

use super::Policy;
use super::duration::words;
use super::fault::Rule;
use super::keyset::Keyset;
use super::section::Report;
use super::service::{Consumer, KidForm, Service};
use crate::rotation::{Rules, Table};

/// How many services a fault names.
const MOST_NAMED: usize = 10;

/// `unread` are keysets that exist but whose algorithm is already reported.
pub(super) fn check(policy: &Policy, unread: &BTreeSet<String>, report: &mut Report) {
    for service in policy.services() {
        match policy.keyset(&service.keyset) {
            Some(keyset) => algorithm(service, keyset.algorithm, report),
            None if unread.contains(&service.keyset) => {}
            None => {
                let fact =
                    format!("services.{} names the keyset {:?}, which isn't there", service.name, service.keyset);
                let known = policy.keysets().map(|keyset| keyset.name.as_str());
                report.misspelt(service.lines.of("keyset"), Rule::KeysetUnknown, fact, &service.keyset, known);
            }
        }
    }
    // Once over the services, not once a keyset: there may be thousands of both.
    let mut by_keyset: BTreeMap<&str, Vec<&Service>> = BTreeMap::new();
    for service in policy.services() {
        by_keyset.entry(&service.keyset).or_default().push(service);
    }
    for keyset in policy.keysets() {
        let services = by_keyset.get(keyset.name.as_str()).map_or(&[][..], Vec::as_slice);
        told_apart(services, report);
        rotation(policy, keyset, services, report);
    }
}

/// A key has to sign long enough for its successor to reach every verifier.
fn rotation(policy: &Policy, keyset: &Keyset, services: &[&Service], report: &mut Report) {
    let single_key = services.iter().any(|service| service.consumer == Consumer::SingleKey);
    let timing = policy.rotation_with(Some(keyset), services.iter().copied());
    let least = Table.least_time_of_signing(&timing, single_key);
    if keyset.rotate_every < least {
        let fact = format!(
            "keysets.{} rotates every {}, but needs {} at least ((2 + lost_sticks) × publish_every + {} + reload + skew): \
             until a successor is everywhere, and one publish_every to spare",
            keyset.name,
            words(keyset.rotate_every),
            words(least),
            if single_key { "the longer delivery" } else { "delivery" },
        );
        report.fault(keyset.rotation_line, Rule::RotateEvery, fact);
    }
}

fn algorithm(service: &Service, algorithm: Algorithm, report: &mut Report) {
    let taken: &[Algorithm] = match (service.profile, service.kid) {
        (Profile::FlowKit, _) => &[Algorithm::Rs256],
        (Profile::Fedn, _) => &[Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa],
        (Profile::Plain, KidForm::Libtrust) => &[Algorithm::Rs256, Algorithm::Es256],
        _ => return,
    };
    if !taken.contains(&algorithm) {
        let names: Vec<String> = taken.iter().map(ToString::to_string).collect();
        let who = match service.kid {
            KidForm::Libtrust => "a registry with libtrust key ids".to_owned(),
            KidForm::Thumbprint => format!("the profile {}", service.profile),
        };
        let fact = format!(
            "the keyset {} is {algorithm}, and {who} takes {} only (services.{})",
            service.keyset,
            names.join(", "),
            service.name
        );
        report.fault(service.lines.of("keyset"), Rule::Algorithm, fact);
    }
}

/// Reports what would let a token of one service pass at another on the same keyset.
fn told_apart(services: &[&Service], report: &mut Report) {
    let mut audiences: BTreeMap<&str, &Service> = BTreeMap::new();
    for service in services {
        match &service.audience {
            // Where the profile needs an audience, its absence is already reported.
            None if matches!(service.profile, Profile::Rfc9068 | Profile::FlowKit) => {}
            None if services.len() > 1 => {
                let others = services.iter().map(|other| other.name.as_str()).filter(|name| *name != service.name);
                let named: Vec<&str> = others.take(MOST_NAMED).collect();
                let more = match services.len().saturating_sub(1 + named.len()) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let fact = format!(
                    "services.{} has no audience, so its keyset {} must serve it alone, but also serves {}{more}",
                    service.name,
                    service.keyset,
                    named.join(", ")
                );
                report.fault(service.lines.of("keyset"), Rule::KeysetShared, fact);
            }
            None => {}
            Some(audience) => {
                if let Some(first) = audiences.insert(audience, service) {
                    let fact = format!(
                        "services.{} and services.{} have one keyset and one audience: a token for one passes at the other",
                        first.name, service.name
                    );
                    report.fault(service.lines.of("audience"), Rule::AudienceShared, fact);
                }
            }
        }
    }
}
