//! A store's secrets, opened.

use super::seal::{open_with_passphrase, seal, seal_to_passphrase};
use super::{KdfCost, KeyRecord, KeystoreFault, Passphrase, Purpose, SealingIdentity, SecretKey};
use crate::journal::{Journal, JournalFault, SignNote, hex};
use crate::storage::{Directory, StorageFault};
use coldsign_verify::base64url;
use ed25519::pkcs8::SecretDocument;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

const LARGEST: u64 = 64 << 10;

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

/// A new key with the file that will hold it.
pub struct NewKey {
    /// The key.
    pub key: SecretKey,
    file: String,
}

/// The store's secrets, opened by one unlock and checked against the journal.
pub struct Opened {
    store: Directory,
    generation: u64,
    by: String,
    sealing: SealingIdentity,
    journal_key: SecretKey,
}

/// Makes an unlock's file and returns its recipient.
///
/// # Errors
/// As the system refuses.
pub fn create_unlock(
    store: &Directory,
    name: &str,
    passphrase: &Passphrase,
    cost: KdfCost,
) -> Result<String, KeystoreFault> {
    let identity = SealingIdentity::generate();
    let mut plaintext = identity.expose();
    plaintext.push('\n');
    let sealed = seal_to_passphrase(passphrase, cost, plaintext.as_bytes())?;
    store.below("unlock")?.create_file(&format!("{name}.age"), &sealed)?;
    Ok(identity.recipient())
}

/// Makes the first seal of a new store and opens it.
///
/// # Errors
/// As the system refuses.
pub fn create_seal(
    store: &Directory,
    by: &str,
    journal_key: SecretKey,
    store_id: &str,
    genesis: &[u8; 32],
    recipients: &[String],
) -> Result<Opened, KeystoreFault> {
    let opened = Opened {
        store: store.clone(),
        generation: 1,
        by: by.to_owned(),
        sealing: SealingIdentity::generate(),
        journal_key,
    };
    let seal_text = Zeroizing::new(
        serde_json::to_string(&Seal {
            format: "coldsign-seal".to_owned(),
            version: 1,
            sealing_identity: opened.sealing.expose(),
            journal_key: base64url::encode(&opened.public_key()),
            store_id: store_id.to_owned(),
            genesis: hex(genesis),
        })
        .map_err(|_| KeystoreFault::Operation("writing the seal"))?,
    );
    let folder = store.below("sealed")?.below("1")?;
    folder.create_file("seal.age", &seal(recipients, seal_text.as_bytes())?)?;
    opened.write_key(&opened.journal_key)?;
    Ok(opened)
}

impl Opened {
    /// Opens a store with one unlock's passphrase, and checks the anchor: what the seal says of
    /// journal key, store and genesis must be what the journal says.
    ///
    /// # Errors
    /// [`KeystoreFault::WrongPassphrase`], [`KeystoreFault::Anchor`], [`KeystoreFault::Damaged`].
    pub fn open(
        store: &Directory,
        generation: u64,
        journal: &Journal,
        unlock: &str,
        passphrase: &Passphrase,
    ) -> Result<Self, KeystoreFault> {
        let file = format!("unlock/{unlock}.age");
        if !store.has(&file) {
            return Err(KeystoreFault::NoSuchUnlock(unlock.to_owned()));
        }
        let damaged = |file: &str| {
            let file = file.to_owned();
            move |what: &str| KeystoreFault::Damaged { file, what: what.to_owned() }
        };
        let wrapped = store.read(&file, LARGEST)?;
        let identity = open_with_passphrase(passphrase, &wrapped)
            .map_err(damaged(&file))?
            .ok_or_else(|| KeystoreFault::WrongPassphrase(unlock.to_owned()))?;
        let identity = std::str::from_utf8(&identity)
            .map_err(|_| "it holds no age identity")
            .and_then(SealingIdentity::read)
            .map_err(damaged(&file))?;

        let file = format!("sealed/{generation}/seal.age");
        let sealed = read_sealed(store, &file)?;
        let plaintext = identity.open(&sealed).map_err(damaged(&file))?;
        let seal: Seal = serde_json::from_slice(&plaintext).map_err(|_| damaged(&file)("it is no seal"))?;
        if seal.format != "coldsign-seal" || seal.version != 1 {
            return Err(damaged(&file)("it is of another version"));
        }
        check_anchor(&seal, journal)?;
        let sealing = SealingIdentity::read(&seal.sealing_identity).map_err(damaged(&file))?;
        let record = KeyName { kid: journal_kid(&journal.key())?, purpose: Purpose::Journal };
        let journal_key = load(store, generation, &sealing, &record, |der| {
            SecretKey::from_pkcs8(coldsign_verify::Algorithm::EdDsa, der)
        })?;
        Ok(Self { store: store.clone(), generation, by: unlock.to_owned(), sealing, journal_key })
    }

    /// The unlock that was used.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// The journal key's public half and kid.
    pub fn journal_key(&self) -> &SecretKey {
        &self.journal_key
    }

    /// Seals a new private key into the store, durably. It counts as the store's only once the
    /// journal names it; until then the next act removes it.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn keep(&self, key: SecretKey) -> Result<NewKey, KeystoreFault> {
        let file = self.write_key(&key)?;
        Ok(NewKey { key, file })
    }

    /// Takes back a key that the journal never named.
    pub fn discard(&self, new: &NewKey) {
        let _ = self.store.remove_file(&new.file);
    }

    /// The private half of a key. It is derived anew and must be the one the journal names.
    ///
    /// # Errors
    /// [`KeystoreFault::NoPrivateHalf`], [`KeystoreFault::WrongKey`], [`KeystoreFault::Damaged`].
    pub fn load(&self, record: &KeyRecord) -> Result<SecretKey, KeystoreFault> {
        if !record.has_private_half() || record.purpose == Purpose::Root {
            return Err(KeystoreFault::NoPrivateHalf(record.name()));
        }
        let name = KeyName { kid: record.kid.clone(), purpose: record.purpose };
        load(&self.store, self.generation, &self.sealing, &name, |der| {
            SecretKey::from_pkcs8(record.public.algorithm(), der)
        })
    }

    /// Destroys the private half of a key: its file is unlinked and the directory synchronised.
    ///
    /// # Errors
    /// As the system refuses; the next act tries again.
    pub fn destroy(&self, kid: &str) -> Result<(), KeystoreFault> {
        Ok(self.store.remove_file(&self.key_file(kid))?)
    }

    /// Removes key files that no journal entry names or whose key is destroyed.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn sweep(&self, keys: &[KeyRecord]) -> Result<Vec<String>, KeystoreFault> {
        let folder = format!("sealed/{}", self.generation);
        self.store.sweep_partials(&folder)?;
        let mut swept = Vec::new();
        for name in self.store.names(&folder)? {
            let Some(kid) = name.strip_prefix("key-").and_then(|name| name.strip_suffix(".age")) else {
                continue;
            };
            let kept = keys.iter().any(|key| key.kid == kid && key.has_private_half());
            if !kept {
                self.store.remove_file(&format!("{folder}/{name}"))?;
                swept.push(name);
            }
        }
        Ok(swept)
    }

    fn key_file(&self, kid: &str) -> String {
        format!("sealed/{}/key-{kid}.age", self.generation)
    }

    fn write_key(&self, key: &SecretKey) -> Result<String, KeystoreFault> {
        let file = self.key_file(key.kid());
        let pem = key.expose_pkcs8_pem()?;
        let sealed = seal(&[self.sealing.recipient()], pem.as_bytes())?;
        self.store.create_file(&file, &sealed)?;
        Ok(file)
    }
}

/// Seals the root's key to its own code: no unlock opens it.
///
/// # Errors
/// [`KeystoreFault::Operation`].
pub fn seal_root(key: &SecretKey, passphrase: &Passphrase, cost: KdfCost) -> Result<Vec<u8>, KeystoreFault> {
    seal_to_passphrase(passphrase, cost, key.expose_pkcs8_pem()?.as_bytes())
}

impl SignNote for Opened {
    fn sign_note(&self, text: &[u8]) -> Result<[u8; 64], JournalFault> {
        self.journal_key.ed25519_signature(text).ok_or(JournalFault::Unsigned)
    }

    fn public_key(&self) -> [u8; 32] {
        self.journal_key.ed25519_public().unwrap_or([0; 32])
    }
}

struct KeyName {
    kid: String,
    purpose: Purpose,
}

fn load(
    store: &Directory,
    generation: u64,
    sealing: &SealingIdentity,
    name: &KeyName,
    read: impl FnOnce(&[u8]) -> Result<SecretKey, KeystoreFault>,
) -> Result<SecretKey, KeystoreFault> {
    let file = format!("sealed/{generation}/key-{}.age", name.kid);
    let damaged = |what: &str| KeystoreFault::Damaged { file: file.clone(), what: what.to_owned() };
    let sealed = read_sealed(store, &file)?;
    let pem = sealing.open(&sealed).map_err(damaged)?;
    let pem = std::str::from_utf8(&pem).map_err(|_| damaged("it holds no PEM block"))?;
    let (_, document) = SecretDocument::from_pem(pem).map_err(|_| damaged("it holds no PEM block"))?;
    let key = read(document.as_bytes()).map_err(|_| damaged("it holds no sound private key"))?;
    if key.kid() != name.kid {
        return Err(KeystoreFault::WrongKey {
            file: format!("{file} ({})", name.purpose.word()),
            kid: name.kid.clone(),
        });
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

fn check_anchor(seal: &Seal, journal: &Journal) -> Result<(), KeystoreFault> {
    if seal.store_id != journal.genesis().store_id {
        return Err(KeystoreFault::Anchor("the store's id"));
    }
    if seal.journal_key != base64url::encode(&journal.key()) {
        return Err(KeystoreFault::Anchor("the journal key"));
    }
    if seal.genesis != hex(&journal.genesis_hash()) {
        return Err(KeystoreFault::Anchor("the journal's first line"));
    }
    Ok(())
}

fn journal_kid(key: &[u8; 32]) -> Result<String, KeystoreFault> {
    coldsign_verify::PublicKey::ed25519(coldsign_verify::Algorithm::EdDsa, key)
        .map(|key| key.thumbprint())
        .map_err(|_| KeystoreFault::Anchor("the journal key"))
}
