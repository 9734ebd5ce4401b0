//! `rotate emergency`: a key is in the wrong hands, or may be.

use super::issue::{self, Batch, Issued};
use super::keys::{self, find};
use super::publish::{self, Published};
use super::replacements::{self, Owed};
use super::series::open_cutover;
use super::{Session, Store, revocations, series, told};
use crate::issuing::Policy;
use crate::issuing::policy::{Consumer, Service, TokenForm};
use crate::issuing::recall;
use crate::issuing::record::TokenRecord;
use crate::journal::{Event, Line};
use crate::keystore::{self, KeyActivated, KeyCompromised, KeyRecord, KeyState, Transition};
use crate::refusal::Refusal;
use crate::rotation::{Bound, Reader, Table, Withdrawn, exposure};
use crate::storage::Outbox;
use std::collections::HashMap;

/// How many tokens are issued again in one commit.
const AT_ONCE: usize = 1_000;

/// A service that the loss of a key hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Its name.
    pub service: String,
    /// Whether it reads bundles; a stock service reads a file.
    pub reads_bundles: bool,
    /// Its tokens under that key that have not expired.
    pub tokens: usize,
    /// Until when it may accept tokens of that key, the thief's too.
    pub bound: Bound,
    /// From when on it can be counted on to accept tokens of the successor; `None`: as soon as its
    /// operator has installed the new key.
    pub again: Option<u64>,
}

/// What an emergency means.
pub struct Survey {
    /// The key in question.
    pub key: KeyRecord,
    /// The time of the act, in seconds since the epoch.
    pub at: u64,
    /// Services that it hits.
    pub hits: Vec<Hit>,
    /// Whether it was taken for compromised before: what is left is to issue its tokens again.
    pub declared: bool,
    /// Whether everything is to be issued again, also what has a replacement.
    pub again: bool,
    /// Whether another key has to take over.
    pub signs: bool,
    /// The key that takes over: the standby, if there is one. Otherwise one is made.
    pub successor: Option<String>,
    /// Where it ends a cutover: the services whose operators were handed the next key and have not
    /// confirmed that it is installed.
    pub handed: Vec<String>,
    /// Where it ends a cutover: the services that had the next key installed, and go back.
    pub went_over: Vec<String>,
    owed: Owed,
}

impl Survey {
    /// The tokens to be issued again: not expired, not taken back, and their holders have nothing else
    /// that works.
    pub fn tokens<'a>(&'a self, store: &'a Store) -> impl Iterator<Item = &'a TokenRecord> {
        self.owed.due.iter().filter_map(|at| store.ledger().tokens.all().get(*at))
    }

    /// The others that have not expired: their holders have another token that works.
    pub fn served<'a>(&'a self, store: &'a Store) -> impl Iterator<Item = &'a TokenRecord> {
        self.owed.served.iter().filter_map(|at| store.ledger().tokens.all().get(*at))
    }
}

/// What an emergency would mean, of a key or of a keyset's signing key. Changes nothing.
///
/// # Errors
/// [`super::Denied::NoKey`], or [`keystore::TransitionDenied`] where there is nothing left to take back.
pub fn survey(store: &Store, named: &str, now: u64) -> Result<Survey, Refusal> {
    look(store, named, None, now)
}

/// As [`survey`], of a key that was taken for compromised before, too: what is left to do. With
/// `again` that is everything, also what has a replacement.
///
/// # Errors
/// As [`survey`].
pub fn left(store: &Store, named: &str, again: bool, now: u64) -> Result<Survey, Refusal> {
    look(store, named, Some(again), now)
}

fn look(store: &Store, named: &str, left: Option<bool>, now: u64) -> Result<Survey, Refusal> {
    // Services that left may still take its tokens.
    let policy = told::policy(store, now)?;
    let keys = &store.ledger().keys;
    let key = match policy.keyset(named).and_then(|keyset| keys.newest_activated(&keyset.name)) {
        Some(key) => key,
        None => find(store, named)?,
    };
    let declared = key.state == KeyState::Compromised;
    if !(declared && left.is_some()) {
        key.allows(Transition::Compromise)?;
    }
    // A keyset that the policy no longer has needs no successor.
    let in_use = policy.keyset(&key.keyset).is_some() && matches!(key.state, KeyState::Active | KeyState::Suspended);
    let signs = in_use && keys.newest_activated(&key.keyset).is_some_and(|newest| newest.kid == key.kid);
    let rotation = series(store, &policy, &key.keyset)?;
    let successor = rotation.standby().filter(|standby| standby.kid != key.kid);
    // Where there is no standby, one is made and published today.
    let known = rotation.will_be_known(&Table, successor.map_or("", |standby| standby.kid.as_str()), now);
    let tokens = store.ledger().tokens.all();
    let leeway = |token: &TokenRecord| policy.service(&token.issued.service).map_or(0, |service| service.leeway);
    let alive =
        |token: &TokenRecord| token.issued.exp.saturating_add(leeway(token)).saturating_add(policy.timing().skew) > now;
    // Once more for everyone: but who never needed another one needs none now.
    let counts = |other: usize, at: usize| left != Some(true) || other < at;
    let owed = replacements::owed(store, &key.kid, alive, |token, other, at| {
        counts(other, at) && replacements::works_without(store, &policy, &key.kid, token)
    });
    let bundles = bundles_end(store, &policy, key, now);
    let hit = |service: &Service| {
        let reader = if service.sees_revocations { Reader::Bundle } else { Reader::File };
        let of_service = |at: &&usize| tokens.get(**at).is_some_and(|token| token.issued.service == service.name);
        Hit {
            service: service.name.clone(),
            reads_bundles: service.sees_revocations,
            tokens: owed.due.iter().chain(&owed.served).filter(of_service).count(),
            bound: exposure(bundles, policy.timing().skew, reader, service.leeway, Withdrawn::Key),
            again: rotation.overlap.then_some(known.max(now)).filter(|_| service.consumer == Consumer::Overlap),
        }
    };
    // A service that reads one key is hit unless it is known by its operator's word to have a later
    // one, or the key was never installed there.
    let has = |service: &&Service| {
        if service.consumer == Consumer::Overlap || declared {
            return true;
        }
        match store.ledger().cutovers.confirmed_by(&service.name, &key.keyset) {
            Some(last) => last.issued.kid == key.kid || key.activation > Some(last.index),
            None => key.activation.is_some(),
        }
    };
    let ended = open_cutover(store, &key.keyset).filter(|open| signs || open.issued.kid == key.kid);
    let went_over = ended.filter(|_| !signs).map(|open| open.confirmed.clone());
    Ok(Survey {
        hits: policy.services_of(&key.keyset).filter(has).map(hit).collect(),
        successor: successor.map(|standby| standby.name.clone()),
        handed: ended.map(|open| open.waiting().cloned().collect()).unwrap_or_default(),
        went_over: went_over.unwrap_or_default(),
        key: key.clone(),
        at: now,
        declared,
        again: left == Some(true),
        signs,
        owed,
    })
}

/// When the last bundle ends that holds a key.
fn bundles_end(store: &Store, policy: &Policy, key: &KeyRecord, now: u64) -> u64 {
    if key.state != KeyState::Compromised {
        return revocations::last_bundle_end(store, Some(policy), now);
    }
    // Until it was known; a publication since holds it no more.
    let then = key.compromised_at.unwrap_or(now);
    let held = store.ledger().publications.all().iter().filter(|one| one.made.kids.contains(&key.kid));
    let ends = held.filter_map(|one| one.made.bundle.as_ref()).map(|bundle| bundle.exp);
    ends.max().unwrap_or(then)
}

/// What was done.
pub struct Declared {
    /// What it means, as of the act's time.
    pub survey: Survey,
    /// The key that signs from now on, where the lost one did.
    pub successor: Option<KeyRecord>,
    /// The publication without the key.
    pub published: Option<Published>,
}

/// Takes a key for compromised: recorded, its private half destroyed, its successor active at once,
/// and both published. An unapplied edit of the policy does not block it.
///
/// # Errors
/// As [`survey`], or as the store refuses.
pub fn declare(session: &mut Session, named: &str, reason: Option<String>) -> Result<Declared, Refusal> {
    let before = survey(session.store(), named, session.now())?;
    let successor = match (before.signs, &before.successor) {
        (false, _) => None,
        (true, Some(standby)) => Some(find(session.store(), standby)?.clone()),
        (true, None) => Some(keys::generate(session, &before.key.keyset)?),
    };
    let mut lines: Vec<Line> = Vec::new();
    lines.push(KeyCompromised { kid: before.key.kid.clone(), reason: reason.clone() }.line());
    if let Some(successor) = successor.as_ref().filter(|successor| successor.state == KeyState::PreActivation) {
        keystore::second_opinion(&session.opened().load(successor)?)?;
        lines.push(KeyActivated { kid: successor.kid.clone(), reason }.line());
    }
    session.record(&lines)?;
    if before.key.has_private_half() {
        session.opened().destroy(&before.key.kid)?;
    }
    let done = match &successor {
        Some(successor) => format!("{} is compromised and {} signs", before.key.name(), successor.name()),
        None => format!("{} is compromised", before.key.name()),
    };
    let published = publish::follow(session, false, &done)?;
    let successor = successor.map(|key| find(session.store(), &key.kid).cloned()).transpose()?;
    Ok(Declared { survey: before, successor, published })
}

/// Goes on where an act like [`declare`] ended: what it recorded is published. `again` as in [`left`].
///
/// # Errors
/// As [`survey`], or as the store refuses.
pub fn resume(session: &mut Session, named: &str, again: bool) -> Result<Declared, Refusal> {
    let survey = left(session.store(), named, again, session.now())?;
    let published = publish::follow(session, false, &format!("{} is compromised", survey.key.name()))?;
    Ok(Declared { survey, successor: None, published })
}

/// The command that issues again what has no delivered replacement yet, or with `again` everything.
pub fn command(key: &KeyRecord, again: bool, outbox: &Outbox) -> String {
    let again = if again { " --again" } else { "" };
    format!("coldsign rotate emergency {} --reissue{again} --to {}", key.name(), super::path_word(outbox.path()))
}

/// A token that could not be issued again.
pub struct NotReissued {
    /// Its service.
    pub service: String,
    /// Whom it was about.
    pub subject: String,
    /// Why.
    pub why: String,
}

/// Issues the live tokens of a lost key again, each for what was left of it, and hands them out: one
/// folder a service, as many as share a file name side by side. Done once more it goes on with those
/// that did not get out.
///
/// # Errors
/// As the store or the medium refuses. What the policy in force no longer allows is told, not raised.
pub fn reissue(
    session: &mut Session,
    survey: &Survey,
    outbox: &Outbox,
) -> Result<(Vec<Issued>, Vec<NotReissued>), Refusal> {
    let now = session.now();
    // A service may forgive what has expired, but nobody is given it.
    let due = survey.tokens(session.store()).filter(|token| token.issued.exp > now);
    let batches: Vec<(String, Batch)> = due.map(|token| (token.issued.jti.clone(), again(token, now))).collect();
    let (mut reissued, mut not) = (Vec::new(), Vec::new());
    let (mut names, mut there) = (HashMap::new(), outbox.names()?);
    for some in batches.chunks(AT_ONCE) {
        let (mut issued, mut lines) = (Vec::with_capacity(some.len()), Vec::with_capacity(some.len()));
        for (lost, batch) in some {
            match replacements::sign(session, batch, None, lost)? {
                Ok((signed, recorded)) => {
                    issued.extend(signed);
                    lines.extend(recorded);
                }
                Err(refusal) => not.push(NotReissued {
                    service: batch.service.clone(),
                    subject: batch.subjects.concat(),
                    why: refusal.to_string(),
                }),
            }
        }
        if issued.is_empty() {
            continue;
        }
        for token in &mut issued {
            let taken: &mut usize = names.entry(token.file.name.to_lowercase()).or_insert(0);
            // The medium may have the file of the lost token still, or of an act that ended early.
            let name = loop {
                *taken += 1;
                let name = if *taken > 1 { format!("{taken}-{}", token.file.name) } else { token.file.name.clone() };
                if there.insert(name.to_lowercase()) {
                    break name;
                }
            };
            token.file.name = name;
        }
        session.record(&lines)?;
        issue::deliver_or(session, &issued, outbox, Some(command(&survey.key, survey.again, outbox)))?;
        reissued.extend(issued);
    }
    Ok((reissued, not))
}

/// The request that a token was issued for, for what is left of its time.
pub fn again(token: &TokenRecord, now: u64) -> Batch {
    let issued = &token.issued;
    let later = issued.nbf > now;
    let start = if later { issued.nbf } else { now };
    let asked = recall::request(issued);
    Batch {
        service: asked.service,
        roles: asked.roles,
        subjects: vec![asked.subject],
        lifetime: Some(issued.exp.saturating_sub(start)),
        not_before: later.then_some(issued.nbf),
        scopes: asked.scopes,
        details: asked.details,
        cnf_jkt: asked.cnf_jkt,
        form: TokenForm::named(&issued.form),
        reason: issued.reason.clone(),
    }
}
