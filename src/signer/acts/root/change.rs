//! The next root: proposed by one custodian, signed by as many as must, in as many sittings as it takes.
//!
//! A root that is not complete waits in the store as a draft. It says nothing to anybody: only a complete
//! one is named by the journal as made, and published.

use super::custodian::{Custodian, Kept};
use super::difference::Difference;
use super::{LIFETIME, RootDenied, chain, draft_in_store, file_in_store, made};
use crate::acts::{Denied, Session, Store, files};
use crate::journal::{Event, Line};
use crate::keystore::{
    KeyActivated, KeyDestroyed, KeyGenerated, KeyRecord, KeyState, Purpose, RecoveryCode, RsaBits, SecretKey,
};
use crate::publishing::roots::{RootDiscarded, RootDrafted};
use crate::refusal::Refusal;
use coldsign_verify::root::{self, Root, Terms, Unverified};
use coldsign_verify::{Algorithm, Digest, PublicKey, UnixTime};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What the next root is to change.
#[derive(Default)]
pub struct Wish<'a> {
    /// How long it is good, in seconds; five years where nothing is said.
    pub lifetime: Option<u64>,
    /// A new bundle key instead of the old ones.
    pub bundle_key: bool,
    /// How many custodians must sign from then on; as before where nothing is said.
    pub threshold: Option<usize>,
    /// A new custodian's code.
    pub add: Option<&'a RecoveryCode>,
    /// Where the new custodian's key goes instead of the store.
    pub add_to: Option<&'a Path>,
    /// The custodian that leaves, as `root/2`.
    pub remove: Option<&'a str>,
}

/// How far the next root has got.
pub struct Progress {
    /// Its number.
    pub root_version: u64,
    /// Whether it is complete, and what publications hold from now on.
    pub complete: bool,
    /// Custodians that have signed.
    pub signed: Vec<String>,
    /// Custodians of which some have to sign yet.
    pub may_sign: Vec<String>,
    /// Keys that were made for it.
    pub new_keys: Vec<String>,
    /// The new custodian's key, where it was put outside the store.
    pub key_file: Option<PathBuf>,
    /// Keys that it ended.
    pub ended: Vec<String>,
}

/// A root that waits for signatures, as it lies in the store.
pub struct Waiting {
    /// What it says.
    pub terms: Terms,
    /// Thumbprints of the custodians, of this root or the one before, that have signed it.
    pub signed: BTreeSet<String>,
    /// What it says otherwise than the newest root.
    pub difference: Difference,
    text: String,
}

/// The next root, made up and not signed yet, with the keys that are made for it.
pub struct Proposal {
    /// What it says otherwise than the newest root.
    pub difference: Difference,
    terms: Terms,
    new_root: Option<SecretKey>,
    new_bundle: Option<SecretKey>,
}

impl Waiting {
    /// Refuses another root than the one whose payload has this SHA-256, in hex.
    ///
    /// # Errors
    /// [`RootDenied::Draft`].
    pub fn must_be(&self, payload: &str) -> Result<(), RootDenied> {
        let found = self.difference.payload;
        if payload.eq_ignore_ascii_case(&found.to_string()) {
            return Ok(());
        }
        Err(RootDenied::Draft { wanted: payload.to_owned(), found })
    }

    /// How many of a root's custodians have to sign it yet: of the one before or of its own.
    pub fn lacks(&self, of: &Terms) -> usize {
        let signed = of.root_keys.iter().filter(|key| self.signed.contains(&key.thumbprint())).count();
        of.threshold.saturating_sub(signed)
    }
}

/// The root that waits for signatures, if one does.
///
/// # Errors
/// [`crate::acts::Denied::Damaged`].
pub fn waiting(store: &Store) -> Result<Option<Waiting>, Refusal> {
    let Some(draft) = store.ledger().roots.draft() else { return Ok(None) };
    let file = draft_in_store(&draft.sha256);
    let damaged = |what: String| Denied::Damaged { file: file.clone(), what };
    let bytes = files::read_named(store.directory(), &file, &draft.sha256)?;
    let text = String::from_utf8(bytes).map_err(|_| damaged("it is not UTF-8 text".to_owned()))?;
    let unverified = root::parse(text.as_bytes()).map_err(|fault| damaged(fault.to_string()))?;
    let newest = chain(store)?.pop();
    let signed = signers(&unverified, newest.as_ref());
    let (terms, payload) = (unverified.terms().clone(), unverified.payload_digest());
    let difference = Difference::of(store, newest.as_ref(), &terms, payload, &[]);
    Ok(Some(Waiting { difference, terms, text, signed }))
}

/// The number of the root that waits.
///
/// # Errors
/// [`RootDenied::NothingWaits`].
pub fn must_wait(store: &Store) -> Result<u64, RootDenied> {
    store.ledger().roots.draft().map(|draft| draft.root_version).ok_or(RootDenied::NothingWaits)
}

/// Refuses what can't be the next root, before anybody is asked for anything.
///
/// # Errors
/// [`RootDenied`].
pub fn check(store: &Store, wish: &Wish<'_>) -> Result<(), Refusal> {
    if let Some(waiting) = waiting(store)? {
        return Err(RootDenied::Waiting(waiting.terms.root_version).into());
    }
    terms(store, wish, 0, None, None).map(drop)
}

/// Makes up the next root, with the keys for it, so that it can be looked at before it is signed.
/// Changes nothing.
///
/// # Errors
/// [`RootDenied`], or as the store refuses.
pub fn prepare(session: &Session, wish: &Wish<'_>) -> Result<Proposal, Refusal> {
    let store = session.store();
    check(store, wish)?;
    let new_root = wish.add.map(|_| SecretKey::generate(Algorithm::EdDsa, RsaBits::Two)).transpose()?;
    let new_bundle = wish.bundle_key.then(|| SecretKey::generate(Algorithm::EdDsa, RsaBits::Two)).transpose()?;
    let terms = terms(store, wish, session.now(), public(new_root.as_ref()), public(new_bundle.as_ref()))?;
    let payload = Digest::of(&terms.to_payload().map_err(RootDenied::from)?);
    let mut new = Vec::new();
    for (keyset, key) in [("root", public(new_root.as_ref())), ("bundle", public(new_bundle.as_ref()))] {
        if let Some(key) = key {
            new.push((format!("{keyset}/{}", store.ledger().keys.next_number(keyset)), key));
        }
    }
    let difference = Difference::of(store, chain(store)?.last(), &terms, payload, &new);
    Ok(Proposal { difference, terms, new_root, new_bundle })
}

/// Proposes the next root as it was prepared and signs it once, with a new custodian's key besides.
/// Complete at once where that is enough.
///
/// # Errors
/// [`RootDenied`], or as the store refuses; then nothing has changed.
pub fn propose(
    session: &mut Session,
    wish: &Wish<'_>,
    proposal: Proposal,
    by: &Custodian,
) -> Result<Progress, Refusal> {
    check(session.store(), wish)?;
    let Proposal { terms, new_root, new_bundle, .. } = proposal;
    let mut text = root::sign(&terms, &[&by.key]).map_err(RootDenied::from)?;
    let mut lines: Vec<Line> = Vec::new();
    let mut new_keys = Vec::new();
    let mut kept = Kept::default();
    if let (Some(key), Some(code)) = (&new_root, wish.add) {
        text = root::add_signature(text.as_bytes(), key).map_err(RootDenied::from)?;
        let sha256 = kept.custodian(session, key, code, wish.add_to)?;
        let event = generated(session.store(), "root", Purpose::Root, key, sha256, wish.add_to.is_some());
        new_keys.push(format!("root/{}", event.number));
        lines.push(event.line());
    }
    if let Some(key) = new_bundle {
        let new = session.opened().keep(key)?;
        let event = generated(session.store(), "bundle", Purpose::Bundle, &new.key, new.sha256.clone(), false);
        new_keys.push(format!("bundle/{}", event.number));
        lines.push(event.line());
        kept.bundle = Some(new);
    }
    let before = session.store().journal().entries().len();
    match record(session, lines, &text) {
        Ok(progress) => Ok(Progress { new_keys, key_file: kept.path, ..progress }),
        Err(refusal) => {
            if !session.may_be_recorded(before) {
                kept.take_back(session);
            }
            Err(refusal)
        }
    }
}

/// Signs the root that waits: the very bytes that were read and shown.
///
/// # Errors
/// [`RootDenied::OtherDraft`] where another one waits by now, [`RootDenied::Form`] by one that has
/// signed it, or as the store refuses.
pub fn sign(session: &mut Session, waiting: &Waiting, by: &Custodian) -> Result<Progress, Refusal> {
    let draft = session.store().ledger().roots.draft().ok_or(RootDenied::NothingWaits)?;
    if Digest::of(waiting.text.as_bytes()).to_string() != draft.sha256 {
        return Err(RootDenied::OtherDraft.into());
    }
    let text = root::add_signature(waiting.text.as_bytes(), &by.key).map_err(RootDenied::from)?;
    record(session, Vec::new(), &text)
}

/// Takes back the root that waits, and ends the keys that were made for it.
///
/// # Errors
/// [`RootDenied::NothingWaits`], or as the store refuses.
pub fn discard(session: &mut Session) -> Result<u64, Refusal> {
    let store = session.store();
    let root_version = must_wait(store)?;
    let mut lines = vec![RootDiscarded { root_version }.line()];
    let unused = own_keys(store).filter(|key| key.state == KeyState::PreActivation);
    lines.extend(unused.map(|key| KeyDestroyed { kid: key.kid.clone(), reason: None }.line()));
    session.record(&lines)?;
    session.sweep()?;
    Ok(root_version)
}

/// Records a root with one signature more: as made where that makes it complete, else as waiting.
fn record(session: &mut Session, mut lines: Vec<Line>, text: &str) -> Result<Progress, Refusal> {
    let store = session.store();
    let unverified = root::parse(text.as_bytes()).map_err(RootDenied::from)?;
    let terms = unverified.terms().clone();
    let newest = chain(store)?.pop();
    let signed = signers(&unverified, newest.as_ref());
    let complete = match &newest {
        Some(newest) => newest.successor(text.as_bytes()),
        None => Root::pinned(text.as_bytes(), &Digest::of(text.as_bytes())),
    };
    let mut ended = Vec::new();
    let directory = store.directory();
    directory.below("roots")?;
    match &complete {
        Ok(_) => {
            lines.push(made(terms.root_version, text, &terms).line());
            for key in own_keys(store) {
                let named = names(&terms, &key.public);
                if named && key.state == KeyState::PreActivation {
                    lines.push(KeyActivated { kid: key.kid.clone(), reason: None }.line());
                } else if !named && key.state != KeyState::Destroyed {
                    ended.push(key.name());
                    lines.push(KeyDestroyed { kid: key.kid.clone(), reason: None }.line());
                }
            }
            // Those that are made in this same group are not in the ledger yet.
            for kid in terms.root_keys.iter().chain(&terms.bundle_keys).map(PublicKey::thumbprint) {
                if store.ledger().keys.by_kid(&kid).is_none() {
                    lines.push(KeyActivated { kid, reason: None }.line());
                }
            }
            directory.stage_file(&file_in_store(terms.root_version), text.as_bytes())?;
        }
        Err(root::Fault::Threshold { .. }) => {
            let sha256 = Digest::of(text.as_bytes()).to_string();
            directory.stage_file(&draft_in_store(&sha256), text.as_bytes())?;
            let signed = signed.iter().cloned().collect();
            lines.push(RootDrafted { root_version: terms.root_version, sha256, signed }.line());
        }
        Err(fault) => return Err(RootDenied::from(fault.clone()).into()),
    }
    session.record(&lines)?;
    session.sweep()?;
    let store = session.store();
    let called = |kid: &String| store.ledger().keys.by_kid(kid).map_or_else(|| kid.clone(), KeyRecord::name);
    Ok(Progress {
        root_version: terms.root_version,
        complete: complete.is_ok(),
        signed: signed.iter().map(called).collect(),
        may_sign: match complete {
            Ok(_) => Vec::new(),
            Err(_) => super::may_sign(store)?.iter().map(|key| key.name()).collect(),
        },
        new_keys: Vec::new(),
        key_file: None,
        ended,
    })
}

/// What the next root says; `new_root` and `new_bundle` stand for keys that are made for it.
fn terms(
    store: &Store,
    wish: &Wish<'_>,
    now: u64,
    new_root: Option<PublicKey>,
    new_bundle: Option<PublicKey>,
) -> Result<Terms, Refusal> {
    let newest = chain(store)?.pop();
    let before = newest.as_ref().map(Root::terms);
    let active = |purpose: Purpose| {
        let keys = store.ledger().keys.all().iter();
        keys.filter(|key| key.purpose == purpose && key.state == KeyState::Active)
            .map(|key| key.public.clone())
            .collect()
    };
    // A store from before there were roots has had its two keys from the beginning.
    let mut root_keys: Vec<PublicKey> = before.map_or_else(|| active(Purpose::Root), |terms| terms.root_keys.clone());
    let bundle_keys = before.map_or_else(|| active(Purpose::Bundle), |terms| terms.bundle_keys.clone());
    if let Some(name) = wish.remove {
        let named = |key: &&KeyRecord| key.purpose == Purpose::Root && (key.name() == name || key.kid == name);
        let place = store
            .ledger()
            .keys
            .all()
            .iter()
            .find(named)
            .and_then(|key| root_keys.iter().position(|root| *root == key.public));
        let may = || root_keys.iter().map(PublicKey::thumbprint);
        let may = may().filter_map(|kid| store.ledger().keys.by_kid(&kid).map(KeyRecord::name)).collect();
        root_keys.remove(place.ok_or_else(|| RootDenied::NoCustodian { name: name.to_owned(), may })?);
    }
    let adding = usize::from(wish.add.is_some());
    let custodians = root_keys.len() + adding;
    let threshold = wish.threshold.unwrap_or_else(|| before.map_or(1, |terms| terms.threshold));
    if threshold == 0 || threshold > custodians {
        return Err(RootDenied::Threshold { threshold, custodians }.into());
    }
    if custodians > root::MOST_KEYS {
        return Err(RootDenied::TooMany(root::MOST_KEYS).into());
    }
    let lifetime = wish.lifetime.unwrap_or(LIFETIME);
    let needed = store.policy()?.0.distribution().bundle_lifetime;
    if lifetime < needed {
        return Err(RootDenied::Short { lifetime, needed }.into());
    }
    root_keys.extend(new_root);
    Ok(Terms {
        store: store.sheet().store_id.clone(),
        issuer: store.sheet().issuer.clone(),
        root_version: before.map_or(0, |terms| terms.root_version).saturating_add(1),
        issued_at: UnixTime(now),
        expires_at: UnixTime(now.saturating_add(lifetime)),
        root_keys,
        threshold,
        bundle_keys: new_bundle.map_or(bundle_keys, |key| vec![key]),
    })
}

fn generated(
    store: &Store,
    keyset: &str,
    purpose: Purpose,
    key: &SecretKey,
    sha256: String,
    elsewhere: bool,
) -> KeyGenerated {
    KeyGenerated {
        sha256,
        keyset: keyset.to_owned(),
        number: store.ledger().keys.next_number(keyset),
        purpose,
        kid: key.kid().to_owned(),
        jwk: key.public().to_jwk(key.kid()),
        state: "pre-activation".to_owned(),
        elsewhere,
    }
}

/// Custodians of a root and of the one before that have signed it.
fn signers(unverified: &Unverified, newest: Option<&Root>) -> BTreeSet<String> {
    let own = &unverified.terms().root_keys;
    unverified.signers(own.iter().chain(newest.iter().flat_map(|root| &root.terms().root_keys)))
}

fn names(terms: &Terms, key: &PublicKey) -> bool {
    terms.root_keys.contains(key) || terms.bundle_keys.contains(key)
}

fn own_keys(store: &Store) -> impl Iterator<Item = &KeyRecord> {
    store.ledger().keys.all().iter().filter(|key| matches!(key.purpose, Purpose::Root | Purpose::Bundle))
}

fn public(key: Option<&SecretKey>) -> Option<PublicKey> {
    key.map(|key| key.public().clone())
}
