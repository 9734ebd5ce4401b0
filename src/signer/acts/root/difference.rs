//! What a root says otherwise than the newest one: for the people who are to sign it.

use crate::acts::Store;
use coldsign_verify::root::{Root, Terms};
use coldsign_verify::{Digest, PublicKey, UnixTime};

/// A key as people tell it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedKey {
    /// Its name here, such as `bundle/1`; `None` where the journal has no such key.
    pub name: Option<String>,
    /// Its thumbprint: the key itself, in short.
    pub kid: String,
    /// When it was made, in seconds since the epoch; `None` where the journal doesn't say.
    pub made_at: Option<u64>,
}

/// The keys of one role before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// Those that the newest root does not name for it.
    pub added: Vec<NamedKey>,
    /// Those that only the newest root names for it.
    pub removed: Vec<NamedKey>,
    /// Those that both name.
    pub kept: Vec<NamedKey>,
}

/// What a root says otherwise than the newest one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its number.
    pub root_version: u64,
    /// The newest root's number; `None` where it is the first.
    pub after: Option<u64>,
    /// SHA-256 of its payload: of what is signed.
    pub payload: Digest,
    /// Who signs roots.
    pub custodians: KeyChange,
    /// What signs bundles.
    pub bundle_keys: KeyChange,
    /// How many custodians must sign, in the newest root.
    pub threshold_before: Option<usize>,
    /// And in this one.
    pub threshold: usize,
    /// When the newest root ends.
    pub expires_before: Option<UnixTime>,
    /// And when this one does.
    pub expires_at: UnixTime,
}

impl Difference {
    /// Between the newest root and one to be signed; `new` names keys that are made for it.
    pub(super) fn of(
        store: &Store,
        newest: Option<&Root>,
        terms: &Terms,
        payload: Digest,
        new: &[(String, PublicKey)],
    ) -> Self {
        let before = newest.map(Root::terms);
        let none: &[PublicKey] = &[];
        let custodians = before.map_or(none, |terms| &terms.root_keys);
        let bundle_keys = before.map_or(none, |terms| &terms.bundle_keys);
        let named = |key: &PublicKey| named(store, key, new);
        let change = |old: &[PublicKey], now: &[PublicKey]| KeyChange {
            added: now.iter().filter(|key| !old.contains(key)).map(named).collect(),
            removed: old.iter().filter(|key| !now.contains(key)).map(named).collect(),
            kept: now.iter().filter(|key| old.contains(key)).map(named).collect(),
        };
        Self {
            root_version: terms.root_version,
            after: before.map(|terms| terms.root_version),
            payload,
            custodians: change(custodians, &terms.root_keys),
            bundle_keys: change(bundle_keys, &terms.bundle_keys),
            threshold_before: before.map(|terms| terms.threshold),
            threshold: terms.threshold,
            expires_before: before.map(|terms| terms.expires_at),
            expires_at: terms.expires_at,
        }
    }

    /// How many custodians there would be.
    pub fn custodian_count(&self) -> usize {
        self.custodians.added.len() + self.custodians.kept.len()
    }
}

fn named(store: &Store, key: &PublicKey, new: &[(String, PublicKey)]) -> NamedKey {
    let kid = key.thumbprint();
    if let Some((name, _)) = new.iter().find(|(_, made)| made == key) {
        return NamedKey { name: Some(name.clone()), kid, made_at: None };
    }
    let known = store.ledger().keys.by_kid(&kid);
    NamedKey { name: known.map(|record| record.name()), made_at: known.map(|record| record.made_at), kid }
}
