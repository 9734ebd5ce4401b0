//! One generation of sealing: a folder with the seal and every private key.

use super::seal::seal;
use super::{KeystoreFault, Purpose, SealingIdentity, SecretKey};
use crate::journal::{Journal, hex, sha256};
use crate::storage::{Directory, StorageFault};
use coldsign_verify::{Algorithm, PublicKey, base64url};
use ed25519::pkcs8::SecretDocument;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

const LARGEST: u64 = 64 << 10;

/// What a store's journal must be (store-v1.md): the seal carries it to every unlock.
pub(super) struct Anchor {
    /// The journal key's 32 bytes.
    pub journal_key: [u8; 32],
    /// The store's id.
    pub store_id: String,
    /// SHA-256 of the journal's first line.
    pub genesis: [u8; 32],
}

impl Anchor {
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
    sealing: SealingIdentity,
}

impl Generation {
    /// A new one, with no key in it yet; its seal goes to `recipients`. Returns the seal's SHA-256.
    pub(super) fn create(
        store: &Directory,
        number: u64,
        anchor: &Anchor,
        recipients: &[String],
    ) -> Result<(Self, String), KeystoreFault> {
        let generation = Self { store: store.clone(), number, sealing: SealingIdentity::generate() };
        let text = Zeroizing::new(
            serde_json::to_string(&Seal {
                format: "coldsign-seal".to_owned(),
                version: 1,
                sealing_identity: generation.sealing.expose(),
                journal_key: base64url::encode(&anchor.journal_key),
                store_id: anchor.store_id.clone(),
                genesis: hex(&anchor.genesis),
            })
            .map_err(|_| KeystoreFault::Operation("writing the seal"))?,
        );
        let sealed = seal(recipients, text.as_bytes())?;
        store.below("sealed")?.below(&number.to_string())?.create_file("seal.age", &sealed)?;
        Ok((generation, hex(&sha256(&sealed))))
    }

    /// Opens one by the identity of an unlock, and checks the anchor.
    pub(super) fn open(
        store: &Directory,
        number: u64,
        anchor: &Anchor,
        unlock: &SealingIdentity,
    ) -> Result<Self, KeystoreFault> {
        let file = format!("sealed/{number}/seal.age");
        let damaged = |what: &str| KeystoreFault::Damaged { file: file.clone(), what: what.to_owned() };
        let plaintext = unlock.open(&read_sealed(store, &file)?).map_err(damaged)?;
        let seal: Seal = serde_json::from_slice(&plaintext).map_err(|_| damaged("it is no seal"))?;
        if seal.format != "coldsign-seal" || seal.version != 1 {
            return Err(damaged("it is of another version"));
        }
        check_anchor(&seal, anchor)?;
        let sealing = SealingIdentity::read(&seal.sealing_identity).map_err(damaged)?;
        Ok(Self { store: store.clone(), number, sealing })
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn folder(&self) -> String {
        format!("sealed/{}", self.number)
    }

    pub(super) fn key_file(&self, kid: &str) -> String {
        format!("{}/key-{kid}.age", self.folder())
    }

    /// Seals a private key into it, durably; returns its file.
    pub(super) fn write_key(&self, key: &SecretKey) -> Result<String, KeystoreFault> {
        let file = self.key_file(key.kid());
        let pem = key.expose_pkcs8_pem()?;
        let sealed = seal(&[self.sealing.recipient()], pem.as_bytes())?;
        self.store.create_file(&file, &sealed)?;
        Ok(file)
    }

    /// A private key, which must be the one its name promises.
    pub(super) fn read_key(
        &self,
        kid: &str,
        purpose: Purpose,
        algorithm: Algorithm,
    ) -> Result<SecretKey, KeystoreFault> {
        let file = self.key_file(kid);
        let sealed = read_sealed(&self.store, &file)?;
        let pem = self
            .sealing
            .open(&sealed)
            .map_err(|what| KeystoreFault::Damaged { file: file.clone(), what: what.to_owned() })?;
        key_of(&file, &pem, kid, purpose, algorithm)
    }

    /// The journal key, as the anchor has it.
    pub(super) fn journal_key(&self, anchor: &Anchor) -> Result<SecretKey, KeystoreFault> {
        let public = PublicKey::ed25519(Algorithm::EdDsa, &anchor.journal_key)
            .map_err(|_| KeystoreFault::Anchor("the journal key"))?;
        self.read_key(&public.thumbprint(), Purpose::Journal, Algorithm::EdDsa)
    }
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

/// A file that the journal or the seal speaks of: one that is not there was taken away.
fn read_sealed(store: &Directory, file: &str) -> Result<Vec<u8>, KeystoreFault> {
    store.read(file, LARGEST).map_err(|fault| match fault {
        StorageFault::Missing(_) => KeystoreFault::Damaged { file: file.to_owned(), what: "it is gone".to_owned() },
        other => other.into(),
    })
}

fn check_anchor(seal: &Seal, anchor: &Anchor) -> Result<(), KeystoreFault> {
    if seal.store_id != anchor.store_id {
        return Err(KeystoreFault::Anchor("the store's id"));
    }
    if seal.journal_key != base64url::encode(&anchor.journal_key) {
        return Err(KeystoreFault::Anchor("the journal key"));
    }
    if seal.genesis != hex(&anchor.genesis) {
        return Err(KeystoreFault::Anchor("the journal's first line"));
    }
    Ok(())
}
