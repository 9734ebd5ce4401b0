//! The root's private key: under a code of its own, apart from all others.

use super::generation::key_of;
use super::seal::{open_with_passphrase, seal_to_passphrase};
use super::{KdfCost, KeyRecord, KeystoreFault, Passphrase, SecretKey};

/// Seals the root's key to its own code: no unlock opens it.
///
/// # Errors
/// [`KeystoreFault::Operation`].
pub fn seal_root(key: &SecretKey, code: &Passphrase, cost: KdfCost) -> Result<Vec<u8>, KeystoreFault> {
    seal_to_passphrase(code, cost, key.expose_pkcs8_pem()?.as_bytes())
}

/// Opens the root's key with its code; `file` names the bytes in errors.
///
/// # Errors
/// [`KeystoreFault::WrongRootCode`], [`KeystoreFault::WrongKey`], [`KeystoreFault::Damaged`].
pub fn open_root(record: &KeyRecord, file: &str, sealed: &[u8], code: &Passphrase) -> Result<SecretKey, KeystoreFault> {
    let pem = open_with_passphrase(code, sealed)
        .map_err(|what| KeystoreFault::Damaged { file: file.to_owned(), what: what.to_owned() })?
        .ok_or_else(|| KeystoreFault::WrongRootCode(file.to_owned()))?;
    key_of(file, &pem, &record.kid, record.purpose, record.public.algorithm())
}
