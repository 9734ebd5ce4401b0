//! `status`: what to do next, then what there is. Needs no passphrase.

use super::backup::record::BackupRecord;
use super::clock::{act_time, check_gap};
use super::verifiers::{Standing, standings};
use super::{ClockDenied, Store, files, told};
use crate::issuing::Policy;
use crate::issuing::policy::Consumer;
use crate::issuing::record::{Delivery, TokenRecord};
use crate::journal::{hex, sha256};
use crate::keystore::{KeyRecord, KeyState};
use crate::publishing::record::PublicationRecord;
use crate::refusal::Refusal;
use crate::rotation::{Act, Step};
use coldsign_verify::UnixTime;
use std::collections::HashSet;

/// After this time a backup is called old, whatever the policy says.
const BACKUP_DUE: u64 = 30 * 86_400;

/// Something an operator should do, and the command for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Todo {
    /// What and why.
    pub what: String,
    /// The command, as it can be pasted.
    pub command: String,
}

/// A service and its tokens.
#[derive(Debug, Clone)]
pub struct ServiceSummary {
    /// Its name.
    pub name: String,
    /// Its profile's name.
    pub profile: &'static str,
    /// The keyset that signs for it.
    pub keyset: String,
    /// Tokens valid now.
    pub live: usize,
    /// Tokens that would be valid now but were revoked.
    pub revoked: usize,
    /// The latest `exp` of those, in seconds since the epoch.
    pub last_expiry: Option<u64>,
    /// When it left the policy, in seconds since the epoch: it is published on until its last token is over.
    pub left_at: Option<u64>,
}

/// The state of a store at a time.
pub struct Summary<'a> {
    /// The time, in seconds since the epoch.
    pub now: u64,
    /// What to do next, most urgent first.
    pub todo: Vec<Todo>,
    /// Keys that are not destroyed.
    pub keys: Vec<&'a KeyRecord>,
    /// Services of the policy in force, and those that left it while tokens of them are out.
    pub services: Vec<ServiceSummary>,
    /// Verifiers that are enrolled or that the policy names.
    pub verifiers: Vec<Standing<'a>>,
    /// The newest publication.
    pub newest_publication: Option<&'a PublicationRecord>,
    /// From when to when the next publication is due, in seconds since the epoch.
    pub publication_due: Option<(u64, u64)>,
    /// The newest backup.
    pub newest_backup: Option<&'a BackupRecord>,
    /// The epoch the store is in: 1 until it was restored from a backup.
    pub epoch: u64,
    /// Names of unlocks.
    pub unlocks: Vec<&'a str>,
    /// Those of them whose own file names an older journal key ([`Store::unlocks_behind`]).
    pub unlocks_behind: Vec<&'a str>,
    /// Tokens whose delivery is unconfirmed.
    pub unconfirmed: usize,
    /// The journal's newest checkpoint.
    pub checkpoint: &'a str,
    /// SHA-256 of that note: the journal fingerprint, lower-case hex.
    pub fingerprint: String,
}

/// Sums up a store.
///
/// # Errors
/// As the store refuses.
pub fn summary(store: &Store, now: u64) -> Result<Summary<'_>, Refusal> {
    let ledger = store.ledger();
    let (policy, _) = store.policy()?;
    let newest_publication = ledger.publications.newest();
    let told = told::policy(store, now)?;
    Ok(Summary {
        now,
        todo: todo(store, &policy, now)?,
        keys: ledger.keys.all().iter().filter(|key| key.state != KeyState::Destroyed).collect(),
        services: told.services().map(|service| service_summary(store, service, now)).collect(),
        verifiers: standings(store, &policy, now),
        newest_publication,
        publication_due: newest_publication.map(|newest| super::publish::due(&policy, newest.at)),
        newest_backup: ledger.backups.newest(),
        epoch: ledger.backups.epoch(),
        unlocks_behind: store.unlocks_behind(),
        unlocks: ledger.unlocks.all().iter().map(|unlock| unlock.name.as_str()).collect(),
        unconfirmed: ledger.tokens.all().iter().filter(|token| token.delivery == Delivery::Unconfirmed).count(),
        checkpoint: store.journal().note(),
        fingerprint: hex(&sha256(store.journal().note().as_bytes())),
    })
}

fn service_summary(store: &Store, service: &crate::issuing::policy::Service, now: u64) -> ServiceSummary {
    let tokens = store.ledger().tokens.all().iter();
    let live = tokens.filter(|token| token.issued.service == service.name && token.live_at(now));
    let mut summary = ServiceSummary {
        name: service.name.clone(),
        profile: service.profile.name(),
        keyset: service.keyset.clone(),
        live: 0,
        revoked: 0,
        last_expiry: None,
        left_at: service.left.map(|left| left.at),
    };
    for token in live {
        if store.ledger().revocations.of(token).is_some() {
            summary.revoked += 1;
            continue;
        }
        summary.live += 1;
        summary.last_expiry = summary.last_expiry.max(Some(token.issued.exp));
    }
    summary
}

/// How many holders without a token are named.
const NAMED: usize = 3;

/// Holders whose token died with its key, or is going to die at a swap, and who have no other.
fn without_replacement(store: &Store, policy: &Policy, now: u64) -> Result<Vec<(String, String)>, Refusal> {
    let mut todo = Vec::new();
    // Some by name, so that somebody can call them.
    let named = |tokens: Vec<&TokenRecord>| {
        let some = tokens.iter().take(NAMED).map(|token| format!("{} at {}", token.issued.sub, token.issued.service));
        let more = tokens.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("without a token that works: {}{more}", some.collect::<Vec<_>>().join(", "))
    };
    for key in store.ledger().keys.all().iter().filter(|key| key.state == KeyState::Compromised) {
        let left = super::emergency::left(store, &key.kid, false, now)?;
        let left: Vec<&TokenRecord> = left.tokens(store).collect();
        if !left.is_empty() {
            let what = format!("{} is compromised, and {}", key.name(), named(left));
            todo.push((what, format!("coldsign rotate emergency {} --reissue --to .", key.name())));
        }
    }
    for keyset in policy.keysets() {
        let Some(service) = super::series::open_cutover(store, &keyset.name).and_then(|open| open.waiting().next())
        else {
            continue;
        };
        let left = super::cutover::missing(store, policy, &keyset.name, now);
        if !left.is_empty() {
            let what = format!("a cutover is under way, and from the swap on {}", named(left));
            todo.push((what, format!("coldsign rotate cutover issue {service} --to .")));
        }
    }
    // Of keys that were installed before: whoever was left out when they were replaced.
    for key in store.ledger().keys.all() {
        let newest = store.ledger().keys.newest_activated(&key.keyset).is_some_and(|newest| newest.kid == key.kid);
        if newest || !matches!(key.state, KeyState::Active | KeyState::Suspended | KeyState::Deactivated { .. }) {
            continue;
        }
        let single_key = |name: &str| policy.service(name).is_some_and(|one| one.consumer == Consumer::SingleKey);
        let alive = |token: &TokenRecord| token.issued.exp > now && single_key(&token.issued.service);
        let works = |token: &TokenRecord, _, _| super::replacements::works_without(store, policy, &key.kid, token);
        let left = super::replacements::owed(store, &key.kid, alive, works).due;
        if left.is_empty() {
            continue;
        }
        // Who was given a new token since, whatever for, can work.
        let tokens = store.ledger().tokens.all();
        let since = tokens.iter().filter(|token| alive(token) && works(token, 0, 0));
        let since = since.filter(|token| token.delivery == Delivery::Delivered);
        let since: HashSet<_> = since.map(|token| (&token.issued.service, &token.issued.sub)).collect();
        let left = left.into_iter().filter_map(|at| tokens.get(at));
        let left: Vec<_> = left.filter(|token| !since.contains(&(&token.issued.service, &token.issued.sub))).collect();
        if let Some(first) = left.first() {
            let what = format!("{} was replaced, and {}", key.name(), named(left.clone()));
            todo.push((what, format!("coldsign token list --service {} --live", first.issued.service)));
        }
    }
    Ok(todo)
}

fn todo(store: &Store, policy: &Policy, now: u64) -> Result<Vec<Todo>, Refusal> {
    let ledger = store.ledger();
    let mut todo = Vec::new();
    let mut add = |what: String, command: String| todo.push(Todo { what, command });
    let newest = store.journal().newest_time();
    let clock = act_time(now, newest, store.skew()).and_then(|_| check_gap(store, now, false));
    if let Err(denied) = clock {
        let who = if matches!(denied, ClockDenied::Gap { .. }) { "acts ask first" } else { "every act is refused" };
        add(format!("{who}: {denied}"), "coldsign clock show".to_owned());
    }
    if !store.policy_is_applied()? {
        add(
            "policy.toml was changed: no token is issued until it is applied".to_owned(),
            "coldsign policy diff".to_owned(),
        );
    }
    for keyset in policy.keysets() {
        if policy.services_of(&keyset.name).next().is_some() && ledger.keys.signing(&keyset.name).is_none() {
            let paused = ledger.keys.of_keyset(&keyset.name).find(|key| key.state == KeyState::Suspended);
            let command = match paused {
                Some(key) => format!("coldsign key resume {}", key.name()),
                None => format!("coldsign key generate {}", keyset.name),
            };
            add(format!("keyset {} has no signing key: its services get no tokens", keyset.name), command);
        }
    }
    let due = super::rotate::due(store, now)?;
    let of_cutovers = |step: &&Step| matches!(step.act, Act::CutoverIssue | Act::CutoverSwap | Act::CutoverConfirm);
    for step in due.iter().filter(of_cutovers) {
        add(format!("due in the rotation: {}", super::rotate::words(step)), super::rotate::command(step));
    }
    for (what, command) in without_replacement(store, policy, now)? {
        add(what, command);
    }
    // The others have lines of their own.
    let apart = |step: &&Step| !of_cutovers(step) && !matches!(step.act, Act::Publish | Act::Destroy);
    let rotation: Vec<String> = due.iter().filter(apart).map(super::rotate::words).collect();
    if !rotation.is_empty() {
        add(format!("due in the rotation: {}", rotation.join("; ")), "coldsign rotate next --to .".to_owned());
    }
    let revoked = super::revocations::unpublished(store, now);
    if let [first, others @ ..] = &revoked[..] {
        let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
        add(
            format!("revoked, but no publication says so yet: {}{more}", first.words()),
            "coldsign publish --to .".to_owned(),
        );
    }
    let told = told::policy(store, now)?;
    let unpublished: Vec<String> = super::publish::distributed(store, &told, now)
        .filter(|key| ledger.publications.first_published(&key.kid).is_none())
        .map(KeyRecord::name)
        .collect();
    if !unpublished.is_empty() {
        add(format!("not published yet: {}", unpublished.join(", ")), "coldsign publish --to .".to_owned());
    } else if let Some(newest) = ledger.publications.newest() {
        let from = ledger.backups.publications_from();
        let due = newest.at.saturating_add(policy.distribution().publish_every);
        if newest.made.seq < from {
            let what = format!("restored from a backup: services need a publication numbered {from} or more");
            add(what, "coldsign publish --to .".to_owned());
        } else if super::publish::renews(store, policy, now) {
            let what = "the newest bundle ends too soon for another interval: services need a new one";
            add(what.to_owned(), "coldsign publish --to .".to_owned());
        } else if now >= due {
            add("the publishing interval is over".to_owned(), "coldsign publish --renew --to .".to_owned());
        } else {
            match super::publish::would_change(store, now) {
                Ok(false) => {}
                Ok(true) if !revoked.is_empty() => {}
                Ok(true) => add(
                    "what services need has changed since the newest publication".to_owned(),
                    "coldsign publish --to .".to_owned(),
                ),
                Err(refusal) => add(
                    format!("whether services need a new publication can't be told: {refusal}"),
                    "coldsign publication list".to_owned(),
                ),
            }
        }
    }
    let standings = standings(store, policy, now);
    let strangers: Vec<&str> =
        standings.iter().filter(|one| one.record.is_none()).map(|one| one.name.as_str()).collect();
    if let Some(first) = strangers.first() {
        add(
            format!("the policy counts on verifiers that are not enrolled: {}", strangers.join(", ")),
            format!("coldsign verifier add {first} RECEIPT --fingerprint '…'"),
        );
    }
    let lagging: Vec<String> = standings.iter().filter(|one| one.lags()).map(Standing::words).collect();
    if !lagging.is_empty() {
        add(format!("receipts are missing: {}", lagging.join("; ")), "coldsign verifier list".to_owned());
    }
    let bundle = ledger.publications.newest().and_then(|newest| newest.made.bundle.as_ref());
    if bundle.is_some_and(|bundle| now >= bundle.exp) {
        let what = "the newest bundle has expired: verifiers with a trust store refuse every token";
        add(what.to_owned(), "coldsign publish --renew --to .".to_owned());
    }
    if let Some((what, command)) = todo_of_roots(store, now) {
        add(what, command);
    }
    let unconfirmed = ledger
        .tokens
        .all()
        .iter()
        .filter(|token| token.delivery == Delivery::Unconfirmed && token.issued.exp > now)
        .count();
    if unconfirmed > 0 {
        add(
            format!("{unconfirmed} tokens were signed, but whether their files were written is not known"),
            "coldsign token list".to_owned(),
        );
    }
    if let Some((what, command)) = super::unlock::todo(store) {
        add(what, command);
    }
    for file in missing_files(store) {
        add(format!("{file} is gone from the store"), "coldsign status --json".to_owned());
    }
    for key in ledger.keys.all() {
        if let KeyState::Deactivated { verify_until } = key.state
            && now >= verify_until
        {
            add(
                format!("{} is no longer needed by any verifier", key.name()),
                format!("coldsign key destroy {}", key.name()),
            );
        }
    }
    if let Some(what) = backup_due(store, now) {
        add(what, "coldsign backup create --to DIR".to_owned());
    }
    Ok(todo)
}

/// What the root of trust asks for: a fact and a command.
pub(super) fn todo_of_roots(store: &Store, now: u64) -> Option<(String, String)> {
    let ledger = store.ledger();
    let lifetime = store.policy().map_or(0, |(policy, _)| policy.distribution().bundle_lifetime);
    if let Some(draft) = ledger.roots.draft() {
        return Some((format!("root {} waits for signatures", draft.root_version), "coldsign root show".to_owned()));
    }
    let what = match ledger.roots.newest() {
        None => "the store has no root: nothing can be published".to_owned(),
        Some(root) => {
            let (number, end) = (root.root_version, UnixTime(root.exp));
            if now.saturating_add(lifetime) > root.exp {
                format!("root {number} ends at {end}: no bundle can be made under it any more")
            } else if now.saturating_add(lifetime.saturating_mul(2)) > root.exp {
                // Early enough for custodians to be called together.
                format!(
                    "root {number} ends at {end}; bundles can be made under it until {}",
                    UnixTime(root.exp.saturating_sub(lifetime))
                )
            } else {
                return None;
            }
        }
    };
    Some((what, "coldsign root rotate".to_owned()))
}

/// Files that the journal speaks of and that are not there. Whether those that are there are whole
/// is not looked at.
fn missing_files(store: &Store) -> Vec<String> {
    let named = files::named(store.ledger(), store.sheet()).into_iter();
    named.filter(|file| !files::is_there(store.directory(), file)).map(|file| file.path).collect()
}

/// Why a backup should be made now, if one should.
pub(super) fn backup_due(store: &Store, now: u64) -> Option<String> {
    let backups = &store.ledger().backups;
    if backups.none_since_restore() {
        return Some("no backup was made since the store was restored".to_owned());
    }
    let Some(newest) = backups.newest() else {
        return Some("no backup was made yet: all keys are on this machine alone".to_owned());
    };
    if backups.keys_changed() {
        return Some("keys, roots or unlocks changed since the newest backup".to_owned());
    }
    let age = now.saturating_sub(newest.at);
    (age >= BACKUP_DUE).then(|| format!("the newest backup is {} days old", age / 86_400))
}
