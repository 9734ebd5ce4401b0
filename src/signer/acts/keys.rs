//! `key …`: making keys and changing their states.

use super::denied::nearest;
use super::{Denied, Session, Store};
use crate::issuing::Policy;
use crate::issuing::policy::Keyset;
use crate::journal::{Event, Line};
use crate::keystore::{
    self, Deactivated, Foreign, ImportSource, KeyActivated, KeyCompromised, KeyDestroyed, KeyGenerated, KeyImported,
    KeyRecord, KeyResumed, KeySuspended, Purpose, RsaBits, SecretKey, Transition,
};
use crate::refusal::Refusal;
use crate::rotation::Table;

/// A key by `keyset/number` or kid.
///
/// # Errors
/// [`Denied::NoKey`].
pub fn find<'a>(store: &'a Store, name: &str) -> Result<&'a KeyRecord, Denied> {
    let keys = &store.ledger().keys;
    keys.by_name(name).ok_or_else(|| {
        let names: Vec<String> = keys.all().iter().map(KeyRecord::name).collect();
        Denied::NoKey { name: name.to_owned(), nearest: nearest(name, names.iter().map(String::as_str)) }
    })
}

/// Makes a keyset's next key. The first signs at once; later ones are published first.
///
/// # Errors
/// [`Denied::NoKeyset`], or as the store refuses.
pub fn generate(session: &mut Session, keyset: &str) -> Result<KeyRecord, Refusal> {
    let (policy, _) = session.store().policy()?;
    let keyset = keyset_of(&policy, keyset)?;
    let bits = RsaBits::of_policy(keyset.bits);
    let key = SecretKey::generate(keyset.algorithm, bits)?;
    take_in(session, keyset, key, None, Foreign::default())
}

/// Takes in a key made elsewhere, from the text of its file.
///
/// # Errors
/// [`crate::keystore::ImportFault`], [`Denied::KeyKnown`], [`Denied::NoKeyset`],
/// [`super::foreign::ForeignDenied`].
pub fn import(session: &mut Session, keyset: &str, text: &str, foreign: Foreign) -> Result<KeyRecord, Refusal> {
    let (policy, _) = session.store().policy()?;
    let keyset = keyset_of(&policy, keyset)?;
    let (key, source) = keystore::import(keyset.algorithm, text)?;
    take_in(session, keyset, key, Some(source), foreign)
}

/// Whether the text of a file is a key that [`import`] takes for that keyset; the `kid` that it names.
/// Changes nothing and needs no passphrase.
///
/// # Errors
/// [`crate::keystore::ImportFault`], [`Denied::NoKeyset`].
pub fn check_import(store: &Store, keyset: &str, text: &str) -> Result<Option<String>, Refusal> {
    let (policy, _) = store.policy()?;
    keystore::import(keyset_of(&policy, keyset)?.algorithm, text)?;
    Ok(keystore::named_kid(text))
}

/// Refuses a keyset that the policy in force does not have.
///
/// # Errors
/// [`Denied::NoKeyset`].
pub fn check_keyset(store: &Store, name: &str) -> Result<(), Refusal> {
    let (policy, _) = store.policy()?;
    Ok(keyset_of(&policy, name).map(|_| ())?)
}

fn keyset_of<'p>(policy: &'p Policy, name: &str) -> Result<&'p Keyset, Denied> {
    policy.keyset(name).ok_or_else(|| Denied::NoKeyset {
        name: name.to_owned(),
        nearest: nearest(name, policy.keysets().map(|keyset| keyset.name.as_str())),
    })
}

fn take_in(
    session: &mut Session,
    keyset: &Keyset,
    key: SecretKey,
    source: Option<ImportSource>,
    foreign: Foreign,
) -> Result<KeyRecord, Refusal> {
    let keys = &session.store().ledger().keys;
    if let Some(known) = keys.by_kid(key.kid()) {
        return Err(Denied::KeyKnown(known.name()).into());
    }
    let foreign = super::foreign::without_collision(session.store(), &key, foreign)?;
    keystore::second_opinion(&key)?;
    let number = keys.next_number(&keyset.name);
    let new = session.opened().keep(key)?;
    let key = &new.key;
    let state = if number == 1 { "active" } else { "pre-activation" };
    let kid = key.kid().to_owned();
    let jwk = key.public().to_jwk(&kid);
    let line = match source {
        None => KeyGenerated {
            keyset: keyset.name.clone(),
            number,
            purpose: Purpose::Token,
            kid: kid.clone(),
            jwk,
            state: state.to_owned(),
            sha256: new.sha256.clone(),
            elsewhere: false,
        }
        .line(),
        Some(source) => KeyImported {
            keyset: keyset.name.clone(),
            number,
            purpose: Purpose::Token,
            kid: kid.clone(),
            jwk,
            state: state.to_owned(),
            sha256: new.sha256.clone(),
            source,
            tokens_until: foreign.tokens.map(|tokens| tokens.until),
            tokens_longest: foreign.tokens.map(|tokens| tokens.longest),
            kept_kid: foreign.kid,
        }
        .line(),
    };
    if let Err(refusal) = session.record(&[line]) {
        session.discard_if_unknown(&new);
        return Err(refusal);
    }
    Ok(find(session.store(), &kid)?.clone())
}

/// What an operator asks of a key.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// `keyset/number` or kid.
    pub key: &'a str,
    /// What it is to become.
    pub transition: Transition,
    /// Why, for the journal.
    pub reason: Option<String>,
    /// Whether the tokens of a single-key service may be refused for a while.
    pub accept_outage: bool,
}

/// Changes a key's state by the rules of rotation: see `docs/operator/rotation.md`.
///
/// # Errors
/// As [`permitted`] refuses.
pub fn change(session: &mut Session, change: &Change<'_>) -> Result<KeyRecord, Refusal> {
    let key = find(session.store(), change.key)?.clone();
    let line = permitted(session.store(), &key, change, session.now())?;
    if matches!(change.transition, Transition::Activate | Transition::Resume) {
        keystore::second_opinion(&session.opened().load(&key)?)?;
    }
    session.record(&[line])?;
    let after = find(session.store(), &key.kid)?.clone();
    if !after.has_private_half() {
        session.opened().destroy(&key.kid)?;
    }
    Ok(after)
}

/// Whether a change is permitted at that time, and the entry that records it.
///
/// # Errors
/// [`keystore::TransitionDenied`] or [`crate::rotation::RotationDenied`] with the reason.
pub fn permitted(store: &Store, key: &KeyRecord, change: &Change<'_>, now: u64) -> Result<Line, Refusal> {
    key.allows(change.transition)?;
    let series = super::series(store, &super::told::policy(store, now)?, &key.keyset)?;
    let counted = super::series::counted(store, key)?;
    let kid = key.kid.clone();
    let reason = change.reason.clone();
    Ok(match change.transition {
        Transition::Activate => {
            series.may_activate(&Table, &counted, change.accept_outage, now)?;
            KeyActivated { kid, reason }.line()
        }
        Transition::Suspend => KeySuspended { kid, reason }.line(),
        Transition::Resume => KeyResumed { kid, reason }.line(),
        Transition::Deactivate => {
            let verify_until = series.may_deactivate(&Table, &counted, now)?;
            Deactivated { kid, verify_until, reason }.line()
        }
        Transition::Destroy => {
            series.may_destroy(&Table, &counted, now)?;
            KeyDestroyed { kid, reason }.line()
        }
        Transition::Compromise => KeyCompromised { kid, reason }.line(),
    })
}
