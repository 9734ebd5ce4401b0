//! The unlocks' files: each an unlock's own identity, wrapped by its passphrase.
//!
//! The journal names each file by its digest. A new one lies beside the old until the journal has
//! named it, so that at every moment exactly one of the two counts (store-v1.md).

use super::seal::{open_with_passphrase, seal_to_passphrase};
use super::{KdfCost, KeystoreFault, Passphrase, SealingIdentity, UnlockAdded, UnlockRecord, Unlocks};
use crate::journal::{hex, sha256};
use crate::storage::{Directory, StorageFault};
use zeroize::Zeroizing;

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
    pub(super) identity: SealingIdentity,
}

impl WrappedUnlock {
    /// The age recipient of the identity in it.
    pub fn recipient(&self) -> String {
        self.identity.recipient()
    }

    /// The event that makes it an unlock of the store.
    pub fn added(&self) -> UnlockAdded {
        UnlockAdded {
            name: self.name.clone(),
            recipient: self.recipient(),
            kdf_log_n: self.kdf_log_n,
            sha256: self.sha256.clone(),
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
) -> Result<WrappedUnlock, KeystoreFault> {
    wrap(store, name, &settled(name), SealingIdentity::generate(), passphrase, cost)
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
) -> Result<WrappedUnlock, KeystoreFault> {
    stage_identity(store, name, SealingIdentity::generate(), passphrase, cost)
}

/// As [`stage_unlock`], with an identity there is.
pub(super) fn stage_identity(
    store: &Directory,
    name: &str,
    identity: SealingIdentity,
    passphrase: &Passphrase,
    cost: KdfCost,
) -> Result<WrappedUnlock, KeystoreFault> {
    let staged = wrap(store, name, &next(name), identity, passphrase, cost)?;
    let bytes = store.read(&path(&next(name)), LARGEST)?;
    let read = open_wrapped(&path(&next(name)), name, &bytes, passphrase)?;
    if read.recipient() == staged.recipient() {
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
) -> Result<SealingIdentity, KeystoreFault> {
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

/// Gives each file that the journal names its final name, and removes those of unlocks it does not
/// know. Says which it removed.
///
/// # Errors
/// As the system refuses; the next act tries again.
pub fn settle_unlocks(store: &Directory, unlocks: &Unlocks) -> Result<Vec<String>, KeystoreFault> {
    store.sweep_partials(FOLDER)?;
    let mut swept = Vec::new();
    for file in store.names(FOLDER)? {
        let Some(stem) = file.strip_suffix(".age") else { continue };
        let name = stem.strip_suffix(".next").unwrap_or(stem);
        let unlock = unlocks.all().iter().find(|unlock| unlock.name == name);
        let in_force = || match unlock {
            Some(unlock) => {
                Ok::<bool, StorageFault>(hex(&sha256(&store.read(&path(&file), LARGEST)?)) == unlock.sha256)
            }
            None => Ok(false),
        };
        if stem != name && in_force()? {
            store.replace_with(&path(&file), &path(&settled(name)))?;
        } else if stem != name || unlock.is_none() {
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
    name: &str,
    file: &str,
    identity: SealingIdentity,
    passphrase: &Passphrase,
    cost: KdfCost,
) -> Result<WrappedUnlock, KeystoreFault> {
    let mut plaintext = Zeroizing::new(String::with_capacity(128));
    plaintext.push_str(&identity.expose());
    plaintext.push('\n');
    let sealed = seal_to_passphrase(passphrase, cost, plaintext.as_bytes())?;
    store.below(FOLDER)?.create_file(file, &sealed)?;
    Ok(WrappedUnlock { name: name.to_owned(), sha256: hex(&sha256(&sealed)), kdf_log_n: cost.log_n(), identity })
}

/// The identity in an unlock's file; `file` names it in refusals.
///
/// # Errors
/// [`KeystoreFault::WrongPassphrase`], [`KeystoreFault::Damaged`].
pub fn open_wrapped(
    file: &str,
    name: &str,
    bytes: &[u8],
    passphrase: &Passphrase,
) -> Result<SealingIdentity, KeystoreFault> {
    let damaged = |what: &str| KeystoreFault::Damaged { file: file.to_owned(), what: what.to_owned() };
    let identity = open_with_passphrase(passphrase, bytes)
        .map_err(damaged)?
        .ok_or_else(|| KeystoreFault::WrongPassphrase(name.to_owned()))?;
    std::str::from_utf8(&identity)
        .map_err(|_| "it holds no age identity")
        .and_then(SealingIdentity::read)
        .map_err(damaged)
}
