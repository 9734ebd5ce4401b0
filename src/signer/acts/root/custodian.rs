//! Custodians: who may sign a root, and their keys, each sealed to a code of its own.

use super::change::waiting;
use super::{RootDenied, chain};
use crate::acts::{Denied, Session, Store, files};
use crate::journal::{hex, sha256};
use crate::keystore::{
    self, KdfCost, KeyRecord, KeyState, NewKey, Passphrase, Purpose, RecoveryCode, RootAnchor, SecretKey,
};
use crate::refusal::Refusal;
use crate::storage;
use coldsign_verify::PublicKey;
use coldsign_verify::root::Root;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The largest file with a custodian's key, in bytes.
pub const LARGEST_KEY: u64 = 64 << 10;

/// A custodian's key, opened. Its file vouches for the store.
pub struct Custodian {
    pub(super) key: SecretKey,
    /// Whether its file is the one that the journal names; another may be its owner's work.
    pub as_named: bool,
}

/// Every custodian, with those that a waiting root would add, oldest first.
pub fn custodians(store: &Store) -> impl Iterator<Item = &KeyRecord> {
    let keys = store.ledger().keys.all().iter();
    keys.filter(|key| key.purpose == Purpose::Root && key.state != KeyState::Destroyed)
}

/// Who may sign now, wherever their keys are: custodians of the newest root and of the one that waits,
/// that have not signed it. Those that leave with it come last.
///
/// # Errors
/// As [`chain`].
pub fn may_sign(store: &Store) -> Result<Vec<&KeyRecord>, Refusal> {
    let newest = chain(store)?.pop();
    let waiting = waiting(store)?;
    let terms = newest.as_ref().map(Root::terms).into_iter().chain(waiting.as_ref().map(|waiting| &waiting.terms));
    let kids: BTreeSet<String> = terms.flat_map(|terms| &terms.root_keys).map(PublicKey::thumbprint).collect();
    let mut may: Vec<&KeyRecord> = custodians(store)
        .filter(|key| if newest.is_none() { key.state == KeyState::Active } else { kids.contains(&key.kid) })
        .filter(|key| !waiting.as_ref().is_some_and(|waiting| waiting.signed.contains(&key.kid)))
        .collect();
    if let Some(waiting) = &waiting {
        may.sort_by_key(|key| !waiting.terms.root_keys.contains(&key.public));
    }
    Ok(may)
}

/// The custodian that signs: the one named, or the only one there is.
///
/// # Errors
/// [`RootDenied::NoCustodian`], [`RootDenied::Which`].
pub fn signer<'a>(store: &'a Store, named: Option<&str>) -> Result<&'a KeyRecord, Refusal> {
    let may = may_sign(store)?;
    let names = || may.iter().map(|key| key.name()).collect::<Vec<_>>();
    match (named, may.as_slice()) {
        (Some(name), _) => {
            let found = may.iter().find(|key| key.name() == name || key.kid == name).copied();
            Ok(found.ok_or_else(|| RootDenied::NoCustodian { name: name.to_owned(), may: names() })?)
        }
        (None, [one]) => Ok(one),
        (None, _) => Err(RootDenied::Which { may: names() }.into()),
    }
}

/// Opens a custodian's key with its code, from the store or from the bytes of its file elsewhere, and
/// holds the store against what that file names.
///
/// # Errors
/// [`RootDenied::Elsewhere`], [`RootDenied::OtherStore`], or as its file refuses.
pub fn open(
    store: &Store,
    record: &KeyRecord,
    elsewhere: Option<(&Path, &[u8])>,
    code: &Passphrase,
) -> Result<Custodian, Refusal> {
    let (key, anchor, as_named) = match elsewhere {
        Some((path, bytes)) => {
            let (key, anchor) = keystore::open_root(record, &path.display().to_string(), bytes, code)?;
            (key, anchor, hex(&sha256(bytes)) == record.file_sha256)
        }
        None if record.elsewhere => return Err(RootDenied::Elsewhere(record.name()).into()),
        None => {
            let (bytes, as_named) = files::read_custodian(store.directory(), record)?;
            let (key, anchor) = keystore::open_root(record, &key_file(&record.kid), &bytes, code)?;
            (key, anchor, as_named)
        }
    };
    let differs = |what| Err(RootDenied::OtherStore { key: record.name(), what }.into());
    if anchor.store_id != store.sheet().store_id {
        return differs("the store's id");
    }
    if Some(&anchor.first_root) != store.ledger().roots.all().first().map(|root| &root.sha256) {
        return differs("the first root");
    }
    Ok(Custodian { key, as_named })
}

/// The custodian whose key a code opens. Nothing is changed.
///
/// # Errors
/// As [`open`], where it opens none.
pub fn opened_by<'a>(
    store: &'a Store,
    elsewhere: Option<(&Path, &[u8])>,
    code: &Passphrase,
) -> Result<&'a KeyRecord, Refusal> {
    let mut refused: Option<Refusal> = None;
    for record in custodians(store) {
        match open(store, record, elsewhere, code) {
            Ok(_) => return Ok(record),
            Err(refusal) => match &refused {
                Some(before) if weight(before) >= weight(&refusal) => {}
                _ => refused = Some(refusal),
            },
        }
    }
    Err(refused.unwrap_or_else(|| Denied::NoKey { name: "root".to_owned(), nearest: None }.into()))
}

/// That a key could be tried and did not open says more than that another is not here; that a file is no
/// custodian's key any more says most.
fn weight(refusal: &Refusal) -> u8 {
    match refusal.reason().rule() {
        Some("ROOT-ELSEWHERE") => 0,
        Some("ROOT-CODE") => 1,
        _ => 2,
    }
}

/// A custodian's key in the store.
pub fn key_file(kid: &str) -> String {
    format!("roots/key-{kid}.age")
}

/// What was made for a proposal before it was recorded.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) path: Option<PathBuf>,
    pub(super) bundle: Option<NewKey>,
}

impl Kept {
    /// Seals a new custodian's key to its code, in the store or in another folder. Returns the file's
    /// SHA-256.
    pub(super) fn custodian(
        &mut self,
        session: &Session,
        key: &SecretKey,
        code: &RecoveryCode,
        to: Option<&Path>,
    ) -> Result<String, Refusal> {
        let store = session.store();
        let cost = store.ledger().unlocks.cost().unwrap_or(KdfCost::STANDARD);
        let first = store.ledger().roots.all().first().ok_or(RootDenied::None)?;
        let anchor = RootAnchor { store_id: store.sheet().store_id.clone(), first_root: first.sha256.clone() };
        let sealed = keystore::seal_root(key, &anchor, &code.to_passphrase(), cost)?;
        let digest = hex(&sha256(&sealed));
        let Some(place) = to else {
            store.directory().below("roots")?;
            store.directory().stage_file(&key_file(key.kid()), &sealed)?;
            return Ok(digest);
        };
        let path = place.join(format!("coldsign-root-key-{}.age", key.kid()));
        storage::create_private_file(&path, &sealed)?;
        self.path = Some(path);
        Ok(digest)
    }

    /// What lies in the store's own folders the next act would remove as well.
    pub(super) fn take_back(self, session: &Session) {
        if let Some(path) = self.path {
            storage::remove_file(&path);
        }
        if let Some(new) = self.bundle {
            session.discard_if_unknown(&new);
        }
    }
}
