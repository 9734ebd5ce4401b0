//! One generation of sealing: a folder with the seal and every private key.

use super::record::sealed_name;
use super::seal::seal;
use super::{KeystoreFault, Purpose, SealGeneration, SealingIdentity, SecretKey};
use crate::journal::{Journal, JournalKey, hex, sha256};
use crate::storage::{Directory, StorageFault};
use coldsign_verify::{Algorithm, PublicKey, base64url};
use ed25519::pkcs8::SecretDocument;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

const LARGEST: u64 = 64 << 10;

/// What a seal repeats of the store it is for (store-v1.md). Anybody can make a seal: that it is the
/// store's own follows from its digest in a journal that an unlock's own file vouches for.
pub(super) struct SealedFor {
    /// The journal key's 32 bytes.
    pub journal_key: JournalKey,
    /// The store's id.
    pub store_id: String,
    /// SHA-256 of the journal's first line.
    pub genesis: [u8; 32],
}

impl SealedFor {
    pub(super) fn of(journal: &Journal) -> Self {
        Self {
            journal_key: journal.key(),
            store_id: journal.genesis().store_id.clone(),
            genesis: journal.genesis_hash(),
        }
    }
}

/// What the seal holds (store-v1.md).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    format: String,
    version: u64,
    #[serde(with = "wiped")]
    sealing_identity: Zeroizing<String>,
    journal_key: String,
    store_id: String,
    genesis: String,
}

/// A text that is wiped when dropped, as JSON has it.
mod wiped {
    use serde::{Deserialize, Deserializer, Serializer};
    use zeroize::Zeroizing;

    pub fn serialize<S: Serializer>(text: &Zeroizing<String>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
        String::deserialize(from).map(Zeroizing::new)
    }
}

/// A generation's folder with the identity that opens its keys.
pub(super) struct Generation {
    store: Directory,
    number: u64,
    /// Where new files go: the folder, or the name that it has until the journal puts it in force.
    place: String,
    sealing: SealingIdentity,
}

impl Generation {
    /// A new one, with no key in it yet; its seal goes to `recipients`. Returns the seal's SHA-256.
    /// Until the journal names it, it has a name that marks it as unfinished, unless it is the first.
    pub(super) fn create(
        store: &Directory,
        number: u64,
        sealed_for: &SealedFor,
        recipients: &[String],
    ) -> Result<(Self, String), KeystoreFault> {
        let folder = folder(number);
        let place = if number == 1 { folder } else { store.stage_folder(&folder)? };
        let generation = Self { store: store.clone(), number, place, sealing: SealingIdentity::generate() };
        let text = Zeroizing::new(
            serde_json::to_string(&Seal {
                format: "coldsign-seal".to_owned(),
                version: 1,
                sealing_identity: generation.sealing.expose(),
                journal_key: base64url::encode(&sealed_for.journal_key),
                store_id: sealed_for.store_id.clone(),
                genesis: hex(&sealed_for.genesis),
            })
            .map_err(|_| KeystoreFault::Operation("writing the seal"))?,
        );
        let sealed = seal(recipients, text.as_bytes())?;
        store.below("sealed")?;
        store.below(&generation.place)?.create_file(SealGeneration::SEAL, &sealed)?;
        Ok((generation, hex(&sha256(&sealed))))
    }

    /// Opens one by the identity of an unlock. Its seal must be the one with that SHA-256, and speak
    /// of that store.
    pub(super) fn open(
        store: &Directory,
        number: u64,
        seal_sha256: &str,
        sealed_for: &SealedFor,
        unlock: &SealingIdentity,
    ) -> Result<Self, KeystoreFault> {
        let file = format!("{}/{}", folder(number), SealGeneration::SEAL);
        let damaged = |what: &str| KeystoreFault::Damaged { file: file.clone(), what: what.to_owned() };
        let plaintext = unlock.open(&read_named(store, &file, seal_sha256)?).map_err(damaged)?;
        let seal: Seal = serde_json::from_slice(&plaintext).map_err(|_| damaged("it is no seal"))?;
        if seal.format != "coldsign-seal" || seal.version != 1 {
            return Err(damaged("it is of another version"));
        }
        check_store(&seal, sealed_for)?;
        let sealing = SealingIdentity::read(&seal.sealing_identity).map_err(damaged)?;
        Ok(Self { store: store.clone(), number, place: folder(number), sealing })
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Where a private key is once the journal names it.
    pub(super) fn key_file(&self, kid: &str) -> String {
        format!("{}/{}", folder(self.number), sealed_name(kid))
    }

    /// Seals a private key into a folder that is not in force yet; returns the file's SHA-256.
    pub(super) fn write_key(&self, key: &SecretKey) -> Result<String, KeystoreFault> {
        let sealed = self.sealed(key)?;
        self.store.create_file(&format!("{}/{}", self.place, sealed_name(key.kid())), &sealed)?;
        Ok(hex(&sha256(&sealed)))
    }

    /// Seals a private key durably under a name that it keeps until the journal names the key;
    /// returns the file's SHA-256.
    pub(super) fn stage_key(&self, key: &SecretKey) -> Result<String, KeystoreFault> {
        let sealed = self.sealed(key)?;
        self.store.stage_file(&self.key_file(key.kid()), &sealed)?;
        Ok(hex(&sha256(&sealed)))
    }

    fn sealed(&self, key: &SecretKey) -> Result<Vec<u8>, KeystoreFault> {
        seal(&[self.sealing.recipient()], key.expose_pkcs8_pem()?.as_bytes())
    }

    /// A private key: its file must have that SHA-256, the key must be the one its name promises.
    pub(super) fn read_key(
        &self,
        kid: &str,
        purpose: Purpose,
        algorithm: Algorithm,
        file_sha256: &str,
    ) -> Result<SecretKey, KeystoreFault> {
        let file = self.key_file(kid);
        let sealed = read_named(&self.store, &file, file_sha256)?;
        let pem = self
            .sealing
            .open(&sealed)
            .map_err(|what| KeystoreFault::Damaged { file: file.clone(), what: what.to_owned() })?;
        key_of(&file, &pem, kid, purpose, algorithm)
    }

    /// The journal key that the seal speaks of.
    pub(super) fn journal_key(&self, key: &JournalKey, file_sha256: &str) -> Result<SecretKey, KeystoreFault> {
        self.read_key(&journal_kid(key)?, Purpose::Journal, Algorithm::EdDsa, file_sha256)
    }
}

/// The folder of a generation in force.
pub(super) fn folder(number: u64) -> String {
    format!("sealed/{number}")
}

/// The thumbprint of a journal key.
pub(super) fn journal_kid(key: &JournalKey) -> Result<String, KeystoreFault> {
    let public = PublicKey::ed25519(Algorithm::EdDsa, key).map_err(|_| KeystoreFault::Seal("the journal key"))?;
    Ok(public.thumbprint())
}

/// Reads an opened file's PEM block as the private key of that kid.
pub(super) fn key_of(
    file: &str,
    pem: &[u8],
    kid: &str,
    purpose: Purpose,
    algorithm: Algorithm,
) -> Result<SecretKey, KeystoreFault> {
    let damaged = |what: &str| KeystoreFault::Damaged { file: file.to_owned(), what: what.to_owned() };
    let pem = std::str::from_utf8(pem).map_err(|_| damaged("it holds no PEM block"))?;
    let (_, document) = SecretDocument::from_pem(pem).map_err(|_| damaged("it holds no PEM block"))?;
    let key =
        SecretKey::from_pkcs8(algorithm, document.as_bytes()).map_err(|_| damaged("it holds no sound private key"))?;
    if key.kid() != kid {
        return Err(KeystoreFault::WrongKey { file: format!("{file} ({})", purpose.word()), kid: kid.to_owned() });
    }
    Ok(key)
}

/// A file that the journal names by its SHA-256: read once, and no other bytes are used.
fn read_named(store: &Directory, file: &str, sha256_of_it: &str) -> Result<Vec<u8>, KeystoreFault> {
    let damaged = |what: &str| KeystoreFault::Damaged { file: file.to_owned(), what: what.to_owned() };
    match store.find(file, LARGEST, |bytes| hex(&sha256(bytes)) == sha256_of_it) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(damaged("it is not the one that the journal names")),
        Err(StorageFault::Missing(_)) => Err(damaged("it is gone")),
        Err(fault) => Err(fault.into()),
    }
}

fn check_store(seal: &Seal, sealed_for: &SealedFor) -> Result<(), KeystoreFault> {
    if seal.store_id != sealed_for.store_id {
        return Err(KeystoreFault::Seal("the store's id"));
    }
    if seal.journal_key != base64url::encode(&sealed_for.journal_key) {
        return Err(KeystoreFault::Seal("the journal key"));
    }
    if seal.genesis != hex(&sealed_for.genesis) {
        return Err(KeystoreFault::Seal("the journal's first line"));
    }
    Ok(())
}
