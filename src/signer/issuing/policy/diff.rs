//! What changes between two policies, in plain words: who gains or loses what.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::duration::words;
use super::role::LISTS;
use super::{Policy, Role, Service};

/// What a change does to what may be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// More may be issued, or for longer.
    Widens,
    /// Less may be issued, or for a shorter time.
    Narrows,
    /// Neither, or not to be told from the file.
    Neutral,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The keyset, service or role (`services.api/reader`).
    pub about: String,
    /// A sentence that begins with `about`, without a full stop.
    pub words: String,
    /// What it does.
    pub effect: Effect,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Widens => "widens",
            Self::Narrows => "narrows",
            Self::Neutral => "neutral",
        })
    }
}

/// The changes from `old` (`None`: nothing is applied yet) to `new`, sorted.
pub fn diff(old: Option<&Policy>, new: &Policy) -> Vec<Change> {
    let mut changes = Changes(Vec::new());
    keysets(old, new, &mut changes);
    names(
        old.into_iter().flat_map(Policy::services),
        new.services(),
        |s| &s.name,
        |old, new| match (old, new) {
            (None, Some(new)) => added(new, &mut changes),
            (Some(old), None) => {
                let about = format!("services.{}", old.name);
                changes.note(&about, "no longer exists: its roles can no longer be issued", Effect::Narrows);
            }
            (Some(old), Some(new)) => service(old, new, &mut changes),
            (None, None) => {}
        },
    );
    if let Some(old) = old {
        settings(old, new, &mut changes);
    }
    changes.0.sort();
    changes.0
}

struct Changes(Vec<Change>);

impl Changes {
    fn note(&mut self, about: &str, words: &str, effect: Effect) {
        self.0.push(Change { about: about.to_owned(), words: format!("{about} {words}"), effect });
    }

    fn seconds(&mut self, about: &str, what: &str, old: u64, new: u64) {
        if new > old {
            self.note(about, &format!("{what} rises from {} to {}", words(old), words(new)), Effect::Widens);
        } else if new < old {
            self.note(about, &format!("{what} falls from {} to {}", words(old), words(new)), Effect::Narrows);
        }
    }

    fn swapped(&mut self, about: &str, what: &str, old: Option<String>, new: Option<String>) {
        let none = || "none".to_owned();
        if old != new {
            let words = format!("{what} changes from {} to {}", old.unwrap_or_else(none), new.unwrap_or_else(none));
            self.note(about, &words, Effect::Neutral);
        }
    }

    fn entries(&mut self, about: &str, what: &str, old: &BTreeSet<String>, new: &BTreeSet<String>) {
        for entry in new.difference(old) {
            self.note(about, &format!("gains {what} {entry}"), Effect::Widens);
        }
        for entry in old.difference(new) {
            self.note(about, &format!("loses {what} {entry}"), Effect::Narrows);
        }
    }
}

/// Calls `pair` once for each name in either list.
fn names<'p, T: 'p>(
    old: impl Iterator<Item = &'p T>,
    new: impl Iterator<Item = &'p T>,
    name: impl Fn(&'p T) -> &'p str,
    mut pair: impl FnMut(Option<&'p T>, Option<&'p T>),
) {
    let old: BTreeMap<&str, &T> = old.map(|one| (name(one), one)).collect();
    let new: BTreeMap<&str, &T> = new.map(|one| (name(one), one)).collect();
    for (name, before) in &old {
        pair(Some(before), new.get(name).copied());
    }
    for (_, after) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
        pair(None, Some(after));
    }
}

fn keysets(old: Option<&Policy>, new: &Policy, changes: &mut Changes) {
    names(
        old.into_iter().flat_map(Policy::keysets),
        new.keysets(),
        |k| &k.name,
        |old, new| {
            let bits = |bits: Option<u32>| bits.map_or(String::new(), |bits| format!(" with {bits} bits"));
            let Some(name) = new.or(old).map(|keyset| format!("keysets.{}", keyset.name)) else { return };
            match (old, new) {
                (None, Some(new)) => {
                    changes.note(&name, &format!("is new: {}{}", new.algorithm, bits(new.bits)), Effect::Neutral);
                }
                (Some(_), None) => changes.note(&name, "no longer exists: its keys sign nothing", Effect::Narrows),
                (Some(old), Some(new)) => {
                    changes.swapped(
                        &name,
                        "algorithm of new keys",
                        Some(format!("{}{}", old.algorithm, bits(old.bits))),
                        Some(format!("{}{}", new.algorithm, bits(new.bits))),
                    );
                    changes.swapped(
                        &name,
                        "rotate_every",
                        Some(words(old.rotate_every)),
                        Some(words(new.rotate_every)),
                    );
                }
                (None, None) => {}
            }
        },
    );
}

fn added(new: &Service, changes: &mut Changes) {
    let about = format!("services.{}", new.name);
    let audience = new.audience.as_ref().map_or(String::new(), |audience| format!(" for {audience}"));
    let words = format!("is new: {}{audience}, signed by keyset {}", new.profile, new.keyset);
    changes.note(&about, &words, Effect::Widens);
    for role in new.roles.values() {
        added_role(new, role, changes);
    }
}

fn added_role(service: &Service, new: &Role, changes: &mut Changes) {
    let about = format!("services.{}/{}", service.name, new.name);
    let lifetime = format!("can be issued, for {} at the most", words(new.longest_lifetime));
    changes.note(&about, &lifetime, Effect::Widens);
    if new.longest_horizon != new.longest_lifetime {
        let horizon = format!("may be issued for a later time, up to {} ahead", words(new.longest_horizon));
        changes.note(&about, &horizon, Effect::Widens);
    }
    for (what, entries) in grants(new) {
        changes.entries(&about, what, &BTreeSet::new(), &entries);
    }
}

fn service(old: &Service, new: &Service, changes: &mut Changes) {
    let about = format!("services.{}", new.name);
    let text = |value: &dyn fmt::Display| Some(value.to_string());
    changes.swapped(&about, "profile", text(&old.profile), text(&new.profile));
    changes.swapped(&about, "keyset", text(&old.keyset), text(&new.keyset));
    changes.swapped(&about, "audience", old.audience.clone(), new.audience.clone());
    changes.swapped(&about, "consumer", text(&old.consumer), text(&new.consumer));
    changes.swapped(&about, "client_id", old.client_id.clone(), new.client_id.clone());
    changes.swapped(&about, "token form", old.token_form.map(|f| f.to_string()), new.token_form.map(|f| f.to_string()));
    changes.swapped(&about, "key id", text(&old.kid), text(&new.kid));
    changes.swapped(&about, "export", text(&exports(old)), text(&exports(new)));
    let custom = |s: &Service| s.custom_claim.as_ref().map(|claim| format!("{} = {:?}", claim.name, claim.value));
    changes.swapped(&about, "custom claim", custom(old), custom(new));
    let found = |s: &Service| (s.discover_host.clone(), s.discover_port.map(|port| port.to_string()));
    changes.swapped(&about, "discover_host", found(old).0, found(new).0);
    changes.swapped(&about, "discover_port", found(old).1, found(new).1);
    changes.seconds(&about, "leeway", old.leeway, new.leeway);
    let bytes = |s: &Service| text(&format!("{} bytes", s.max_token_bytes));
    changes.swapped(&about, "longest token", bytes(old), bytes(new));
    match (old.sees_revocations, new.sees_revocations) {
        (false, true) => changes.note(&about, "is now said to see revocations", Effect::Neutral),
        (true, false) => changes.note(&about, "is no longer said to see revocations", Effect::Neutral),
        _ => {}
    }
    for (verifier, words) in moved(&old.confirmed_by, &new.confirmed_by) {
        changes.note(&about, &format!("{words} {verifier}"), Effect::Neutral);
    }
    names(
        old.roles.values(),
        new.roles.values(),
        |r| &r.name,
        |before, after| match (before, after) {
            (None, Some(after)) => added_role(new, after, changes),
            (Some(before), None) => {
                changes.note(&format!("{about}/{}", before.name), "can no longer be issued", Effect::Narrows);
            }
            (Some(before), Some(after)) => role(&about, before, after, changes),
            (None, None) => {}
        },
    );
}

/// Verifiers that the new list has and the old one hasn't, and the other way round.
fn moved<'p>(old: &'p [String], new: &'p [String]) -> impl Iterator<Item = (&'p String, &'static str)> {
    let (had, has): (BTreeSet<_>, BTreeSet<_>) = (old.iter().collect(), new.iter().collect());
    let asked = new.iter().filter(move |name| !had.contains(name)).map(|name| (name, "is confirmed by"));
    asked.chain(old.iter().filter(move |name| !has.contains(name)).map(|name| (name, "is no longer confirmed by")))
}

fn exports(service: &Service) -> String {
    service.export.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn role(service: &str, old: &Role, new: &Role, changes: &mut Changes) {
    let about = format!("{service}/{}", new.name);
    for ((what, old), (_, new)) in grants(old).into_iter().zip(grants(new)) {
        changes.entries(&about, what, &old, &new);
    }
    changes.seconds(&about, "default lifetime", old.default_lifetime, new.default_lifetime);
    changes.seconds(&about, "longest lifetime", old.longest_lifetime, new.longest_lifetime);
    // Where it only follows the longest lifetime, that is told already.
    if [old, new].iter().any(|role| role.longest_horizon != role.longest_lifetime) {
        changes.seconds(&about, "longest horizon", old.longest_horizon, new.longest_horizon);
    }
    changes.swapped(&about, "token form", old.token_form.map(|f| f.to_string()), new.token_form.map(|f| f.to_string()));
    changes.swapped(&about, "description", old.description.clone(), new.description.clone());
}

impl Role {
    /// Whether it grants anything that another does not.
    pub fn gives_more_than(&self, other: &Role) -> bool {
        grants(self).into_iter().zip(grants(other)).any(|((_, ours), (_, theirs))| !ours.is_subset(&theirs))
    }
}

/// Everything a role grants, by kind.
fn grants(role: &Role) -> Vec<(&'static str, BTreeSet<String>)> {
    let set = |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>();
    let mut grants = vec![("scope", set(&role.scopes))];
    grants.extend(LISTS.map(|claim| (claim_word(claim), set(role.list(claim)))));
    grants.push(("authorization detail", role.details.iter().map(ToString::to_string).collect()));
    grants.push(("claim", role.claims.iter().map(|claim| format!("{} = {}", claim.name, claim.value)).collect()));
    grants
}

fn claim_word(claim: &str) -> &'static str {
    match claim {
        "roles" => "inner role",
        "groups" => "group",
        "entitlements" => "entitlement",
        _ => "permission",
    }
}

fn settings(old: &Policy, new: &Policy, changes: &mut Changes) {
    let (before, after) = (old.timing(), new.timing());
    let text = |seconds: u64| Some(words(seconds));
    changes.swapped("timing", "skew", text(before.skew), text(after.skew));
    changes.swapped("timing", "backdate", text(before.backdate), text(after.backdate));
    let (before, after) = (old.distribution(), new.distribution());
    changes.swapped("distribution", "publish_every", text(before.publish_every), text(after.publish_every));
    changes.swapped("distribution", "delivery", text(before.delivery), text(after.delivery));
    let holders = (text(before.delivery_to_holders), text(after.delivery_to_holders));
    changes.swapped("distribution", "delivery_to_holders", holders.0, holders.1);
    changes.swapped("distribution", "reload", text(before.reload), text(after.reload));
    changes.swapped("distribution", "bundle_lifetime", text(before.bundle_lifetime), text(after.bundle_lifetime));
    let sticks = |sticks: u64| Some(sticks.to_string());
    changes.swapped("distribution", "lost_sticks", sticks(before.lost_sticks), sticks(after.lost_sticks));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(roles: &str) -> Policy {
        let text = format!(
            "format = \"coldsign-policy\"\nversion = 1\n[keysets.default]\nalgorithm = \"EdDSA\"\n\
             [services.api]\nkeyset = \"default\"\naudience = \"api\"\n{roles}"
        );
        Policy::parse(&text).unwrap()
    }

    fn told(changes: &[Change]) -> Vec<(&str, Effect)> {
        changes.iter().map(|change| (change.words.as_str(), change.effect)).collect()
    }

    #[test]
    fn the_same_policy_changes_nothing() {
        let one = policy("[services.api.roles.reader]\nscopes = [\"a\"]\n");
        assert_eq!(diff(Some(&one), &one), []);
    }

    #[test]
    fn gains_losses_and_lifetimes_are_told() {
        let old = policy("[services.api.roles.reader]\nscopes = [\"data:read\", \"old\"]\n[services.api.roles.gone]\n");
        let new = policy(
            "[services.api.roles.reader]\nscopes = [\"data:read\", \"data:write\"]\nlongest_lifetime = \"7d\"\n\
             claims = { level = 3 }\n[services.api.roles.fresh]\n",
        );
        assert_eq!(
            told(&diff(Some(&old), &new)),
            [
                ("services.api/fresh can be issued, for 30d at the most", Effect::Widens),
                ("services.api/gone can no longer be issued", Effect::Narrows),
                ("services.api/reader gains claim level = 3", Effect::Widens),
                ("services.api/reader gains scope data:write", Effect::Widens),
                ("services.api/reader longest lifetime falls from 30d to 7d", Effect::Narrows),
                ("services.api/reader loses scope old", Effect::Narrows),
            ]
        );
    }

    #[test]
    fn the_first_policy_is_all_gain_and_an_empty_one_all_loss() {
        let one = policy("[services.api.roles.reader]\nscopes = [\"a\"]\n");
        let none = Policy::parse("format = \"coldsign-policy\"\nversion = 1\n").unwrap();
        assert_eq!(
            told(&diff(None, &one)),
            [
                ("keysets.default is new: EdDSA", Effect::Neutral),
                ("services.api is new: rfc9068 for api, signed by keyset default", Effect::Widens),
                ("services.api/reader can be issued, for 30d at the most", Effect::Widens),
                ("services.api/reader gains scope a", Effect::Widens),
            ]
        );
        assert_eq!(
            told(&diff(Some(&one), &none)),
            [
                ("keysets.default no longer exists: its keys sign nothing", Effect::Narrows),
                ("services.api no longer exists: its roles can no longer be issued", Effect::Narrows),
            ]
        );
    }

    /// Every field that a policy can have, and another value for it.
    #[test]
    fn no_field_changes_unseen() {
        let whole = r#"
format = "coldsign-policy"
version = 1
[timing]
skew = "60s"
backdate = "60s"
[distribution]
publish_every = "30d"
delivery = "14d"
delivery_to_holders = "13d"
reload = "1d"
lost_sticks = 1
bundle_lifetime = "120d"
[keysets.default]
algorithm = "RS256"
bits = 2048
rotate_every = "200d"
[keysets.fed]
algorithm = "ES256"
[services.api]
profile = "rfc9068"
keyset = "default"
audience = "a"
client_id = "c"
consumer = "overlap"
token_form = "raw"
export = ["jwks"]
leeway = "1s"
max_token_bytes = 4096
sees_revocations = true
confirmed_by = ["v1"]
[services.api.roles.reader]
description = "d"
scopes = ["s1"]
groups = ["g1"]
roles = ["r1"]
entitlements = ["e1"]
permissions = ["p1"]
default_lifetime = "1d"
longest_lifetime = "30d"
longest_horizon = "40d"
token_form = "header"
details = [{ type = "result", actions = ["read"] }]
claims = { one = "x1" }
[services.fed]
profile = "fedn"
keyset = "fed"
custom_claim = { name = "n1", value = "v1" }
discover_host = "h1"
discover_port = 443
[services.fed.roles.client]
"#;
        let old = Policy::parse(whole).unwrap();
        for (was, is) in [
            ("skew = \"60s\"", "skew = \"50s\""),
            ("backdate = \"60s\"", "backdate = \"70s\""),
            ("publish_every = \"30d\"", "publish_every = \"29d\""),
            ("delivery = \"14d\"", "delivery = \"12d\""),
            ("delivery_to_holders = \"13d\"", "delivery_to_holders = \"12d\""),
            ("reload = \"1d\"", "reload = \"2d\""),
            ("lost_sticks = 1", "lost_sticks = 0"),
            ("bundle_lifetime = \"120d\"", "bundle_lifetime = \"121d\""),
            ("bits = 2048", "bits = 3072"),
            ("rotate_every = \"200d\"", "rotate_every = \"201d\""),
            ("\"ES256\"", "\"EdDSA\""),
            ("audience = \"a\"", "audience = \"b\""),
            ("client_id = \"c\"", "client_id = \"e\""),
            ("consumer = \"overlap\"", "consumer = \"single-key\""),
            ("token_form = \"raw\"", "token_form = \"dotenv\""),
            ("export = [\"jwks\"]", "export = [\"jwks\", \"x509\"]"),
            ("leeway = \"1s\"", "leeway = \"2s\""),
            ("max_token_bytes = 4096", "max_token_bytes = 4097"),
            ("sees_revocations = true", "sees_revocations = false"),
            ("confirmed_by = [\"v1\"]", "confirmed_by = [\"v2\"]"),
            ("description = \"d\"", "description = \"e\""),
            ("\"s1\"", "\"s2\""),
            ("\"g1\"", "\"g2\""),
            ("\"r1\"", "\"r2\""),
            ("\"e1\"", "\"e2\""),
            ("\"p1\"", "\"p2\""),
            ("default_lifetime = \"1d\"", "default_lifetime = \"2d\""),
            ("longest_lifetime = \"30d\"", "longest_lifetime = \"31d\""),
            ("longest_horizon = \"40d\"", "longest_horizon = \"41d\""),
            ("token_form = \"header\"", "token_form = \"raw\""),
            ("actions = [\"read\"]", "actions = [\"read\", \"write\"]"),
            ("one = \"x1\"", "one = \"x2\""),
            ("name = \"n1\"", "name = \"n2\""),
            ("value = \"v1\"", "value = \"v2\""),
            ("discover_host = \"h1\"", "discover_host = \"h2\""),
            ("discover_port = 443", "discover_port = 444"),
        ] {
            assert_eq!(whole.matches(was).count(), 1, "{was}");
            let new = Policy::parse(&whole.replace(was, is)).unwrap_or_else(|faults| panic!("{is}: {faults}"));
            assert!(!diff(Some(&old), &new).is_empty(), "{was} becomes {is}, and nobody is told");
        }
    }
}
