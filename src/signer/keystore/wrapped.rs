//! The unlocks' files: each an unlock's own identity and its anchor, wrapped by its passphrase.
//!
//! The journal names each file by its digest. A new one lies beside the old until the journal has
//! named it, so that at every moment exactly one of the two counts (store-v1.md).

use super::seal::{open_with_passphrase, seal_to_passphrase};
use super::{
    Anchor, KdfCost, KeystoreFault, OwnUnlock, Passphrase, SealingIdentity, UnlockAdded, UnlockAnchored, UnlockRecord,
    Unlocks,
};
use crate::journal::{hex, sha256};
use crate::storage::{Directory, StorageFault};
use coldsign_verify::base64url;

const FOLDER: &str = "unlock";
const LARGEST: u64 = 64 << 10;

/// An unlock's file as it was written, and the identity in it.
pub struct WrappedUnlock {
    /// The unlock's name.
    pub name: String,
    /// SHA-256 of the file, lower-case hex.
    pub sha256: String,
    /// Logarithm of the scrypt work factor.
    pub kdf_log_n: u8,
    own: OwnUnlock,
}

impl WrappedUnlock {
    /// The age recipient of the identity in it.
    pub fn recipient(&self) -> String {
        self.own.identity.recipient()
    }

    /// The journal key that the file names, base64url.
    pub fn journal_key(&self) -> String {
        base64url::encode(&self.own.anchor.journal_key)
    }

    /// The file as it will be opened.
    pub(super) fn own(&self) -> &OwnUnlock {
        &self.own
    }

    pub(super) fn into_own(self) -> OwnUnlock {
        self.own
    }

    /// The event that makes it an unlock of the store.
    pub fn added(&self) -> UnlockAdded {
        UnlockAdded {
            name: self.name.clone(),
            recipient: self.recipient(),
            kdf_log_n: self.kdf_log_n,
            sha256: self.sha256.clone(),
            journal_key: self.journal_key(),
        }
    }

    /// The event that its own file is brought up to date, and nothing else of it.
    pub fn anchored(&self) -> UnlockAnchored {
        UnlockAnchored {
            name: self.name.clone(),
            kdf_log_n: self.kdf_log_n,
            sha256: self.sha256.clone(),
            journal_key: self.journal_key(),
        }
    }
}

/// Makes the file of a new store's unlock, under its final name.
///
/// # Errors
/// As the system refuses.
pub fn create_unlock(
    store: &Directory,
    name: &str,
    passphrase: &Passphrase,
    cost: KdfCost,
    anchor: &Anchor,
) -> Result<WrappedUnlock, KeystoreFault> {
    let own = OwnUnlock { name: name.to_owned(), identity: SealingIdentity::generate(), anchor: anchor.clone() };
    wrap(store, &settled(name), own, passphrase, cost)
}

/// Makes an unlock's next file, beside the one in force, with a new identity. It counts once the
/// journal names it; until then the next act removes it.
///
/// # Errors
/// As the system refuses.
pub fn stage_unlock(
    store: &Directory,
    name: &str,
    passphrase: &Passphrase,
    cost: KdfCost,
    anchor: &Anchor,
) -> Result<WrappedUnlock, KeystoreFault> {
    let own = OwnUnlock { name: name.to_owned(), identity: SealingIdentity::generate(), anchor: anchor.clone() };
    stage_own(store, own, passphrase, cost)
}

/// As [`stage_unlock`], with an identity there is.
pub(super) fn stage_own(
    store: &Directory,
    own: OwnUnlock,
    passphrase: &Passphrase,
    cost: KdfCost,
) -> Result<WrappedUnlock, KeystoreFault> {
    let file = next(&own.name);
    let staged = wrap(store, &file, own, passphrase, cost)?;
    let bytes = store.read(&path(&file), LARGEST)?;
    let read = open_wrapped(&path(&file), &staged.name, &bytes, passphrase)?;
    if read.identity.recipient() == staged.recipient() && read.anchor == staged.own.anchor {
        Ok(staged)
    } else {
        Err(KeystoreFault::Operation("reading an unlock back"))
    }
}

/// Takes back an unlock's next file that the journal never named.
pub fn discard_unlock(store: &Directory, name: &str) {
    let _ = store.remove_file(&path(&next(name)));
}

/// Opens an unlock's identity: the file must be the one that the journal names.
///
/// # Errors
/// [`KeystoreFault::WrongPassphrase`], [`KeystoreFault::Damaged`].
pub(super) fn open_unlock(
    store: &Directory,
    unlock: &UnlockRecord,
    passphrase: &Passphrase,
) -> Result<OwnUnlock, KeystoreFault> {
    for file in [settled(&unlock.name), next(&unlock.name)] {
        match store.read(&path(&file), LARGEST) {
            Ok(bytes) if hex(&sha256(&bytes)) == unlock.sha256 => {
                return open_wrapped(&path(&file), &unlock.name, &bytes, passphrase);
            }
            Ok(_) | Err(StorageFault::Missing(_)) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    let what =
        if store.has(&path(&settled(&unlock.name))) { "it is not the one the journal names" } else { "it is gone" };
    Err(KeystoreFault::Damaged { file: path(&settled(&unlock.name)), what: what.to_owned() })
}

/// Whether a passphrase opens an unlock; not where its file is damaged.
pub fn unlock_opens(store: &Directory, unlock: &UnlockRecord, passphrase: &Passphrase) -> bool {
    open_unlock(store, unlock, passphrase).is_ok()
}

/// Gives each next file that the journal names its final name, and removes those that no entry put in
/// force. Says which it removed.
///
/// # Errors
/// As the system refuses; the next act tries again.
pub fn settle_unlocks(store: &Directory, unlocks: &Unlocks) -> Result<Vec<String>, KeystoreFault> {
    let mut swept = Vec::new();
    for file in store.names(FOLDER)? {
        let Some(name) = file.strip_suffix(".next.age") else { continue };
        let unlock = unlocks.all().iter().find(|unlock| unlock.name == name);
        let named = |unlock: &UnlockRecord| {
            let bytes = store.read(&path(&file), LARGEST);
            bytes.is_ok_and(|bytes| hex(&sha256(&bytes)) == unlock.sha256)
        };
        if unlock.is_some_and(named) {
            store.replace_with(&path(&file), &path(&settled(name)))?;
        } else {
            store.remove_file(&path(&file))?;
            swept.push(path(&file));
        }
    }
    Ok(swept)
}

fn settled(name: &str) -> String {
    format!("{name}.age")
}

/// No unlock's name has a dot in it.
fn next(name: &str) -> String {
    format!("{name}.next.age")
}

fn path(file: &str) -> String {
    format!("{FOLDER}/{file}")
}

fn wrap(
    store: &Directory,
    file: &str,
    own: OwnUnlock,
    passphrase: &Passphrase,
    cost: KdfCost,
) -> Result<WrappedUnlock, KeystoreFault> {
    let plaintext = own.anchor.write(&own.name, &own.identity);
    let sealed = seal_to_passphrase(passphrase, cost, plaintext.as_bytes())?;
    store.below(FOLDER)?.create_file(file, &sealed)?;
    Ok(WrappedUnlock { name: own.name.clone(), sha256: hex(&sha256(&sealed)), kdf_log_n: cost.log_n(), own })
}

/// What an unlock's file holds; `file` names it in refusals.
///
/// # Errors
/// [`KeystoreFault::WrongPassphrase`], [`KeystoreFault::Damaged`].
pub fn open_wrapped(file: &str, name: &str, bytes: &[u8], passphrase: &Passphrase) -> Result<OwnUnlock, KeystoreFault> {
    let damaged = |what: &str| KeystoreFault::Damaged { file: file.to_owned(), what: what.to_owned() };
    let text = open_with_passphrase(passphrase, bytes)
        .map_err(damaged)?
        .ok_or_else(|| KeystoreFault::WrongPassphrase(name.to_owned()))?;
    let text = std::str::from_utf8(&text).map_err(|_| damaged("it holds no age identity"))?;
    OwnUnlock::read(name, text).map_err(damaged)
}
