//! A store's secrets, opened.

use super::generation::{Anchor, Generation};
use super::wrapped::{open_unlock, stage_identity};
use super::{
    KdfCost, KeyRecord, KeystoreFault, Passphrase, Purpose, SealingIdentity, SecretKey, Unlocks, WrappedUnlock,
};
use crate::journal::{Journal, JournalFault, SignNote};
use crate::storage::Directory;

/// A new key with the file that will hold it.
pub struct NewKey {
    /// The key.
    pub key: SecretKey,
    file: String,
}

/// The store's secrets, opened by one unlock and checked against the journal.
pub struct Opened {
    store: Directory,
    by: String,
    own: SealingIdentity,
    generation: Generation,
    journal_key: SecretKey,
}

/// Everything sealed anew into a folder that is not in force yet, read back and opened.
pub struct Resealed {
    /// The generation's number.
    pub generation: u64,
    /// SHA-256 of its seal, lower-case hex.
    pub sha256: String,
    /// What an unlock of the new set opens.
    pub opened: Opened,
}

/// Makes the first generation of a new store, and opens it by its first unlock. Returns the seal's
/// SHA-256 too.
///
/// # Errors
/// As the system refuses.
pub fn create_seal(
    store: &Directory,
    by: WrappedUnlock,
    journal_key: SecretKey,
    store_id: &str,
    genesis: &[u8; 32],
    recipients: &[String],
) -> Result<(Opened, String), KeystoreFault> {
    let public = journal_key.ed25519_public().ok_or(KeystoreFault::Operation("reading the journal key"))?;
    let anchor = Anchor { journal_key: public, store_id: store_id.to_owned(), genesis: *genesis };
    let (generation, sha256) = Generation::create(store, 1, &anchor, recipients)?;
    generation.write_key(&journal_key)?;
    let opened = Opened { store: store.clone(), by: by.name, own: by.identity, generation, journal_key };
    Ok((opened, sha256))
}

impl Opened {
    /// Opens a store with one unlock's passphrase, and checks the anchor: what the seal says of
    /// journal key, store and genesis must be what the journal says.
    ///
    /// # Errors
    /// [`KeystoreFault::WrongPassphrase`], [`KeystoreFault::Anchor`], [`KeystoreFault::Damaged`].
    pub fn open(
        store: &Directory,
        journal: &Journal,
        unlocks: &Unlocks,
        unlock: &str,
        passphrase: &Passphrase,
    ) -> Result<Self, KeystoreFault> {
        let own = open_unlock(store, unlocks.find(unlock)?, passphrase)?;
        Self::open_with(store, journal, unlocks, unlock, own)
    }

    /// As [`Opened::open`], with the unlock's identity instead of its passphrase.
    ///
    /// # Errors
    /// [`KeystoreFault::Anchor`], [`KeystoreFault::Damaged`].
    pub fn open_with(
        store: &Directory,
        journal: &Journal,
        unlocks: &Unlocks,
        unlock: &str,
        own: SealingIdentity,
    ) -> Result<Self, KeystoreFault> {
        Self::by_identity(store, unlocks.generation(), &Anchor::of(journal), unlock, own)
    }

    fn by_identity(
        store: &Directory,
        generation: u64,
        anchor: &Anchor,
        unlock: &str,
        own: SealingIdentity,
    ) -> Result<Self, KeystoreFault> {
        let generation = Generation::open(store, generation, anchor, &own)?;
        let journal_key = generation.journal_key(anchor)?;
        Ok(Self { store: store.clone(), by: unlock.to_owned(), own, generation, journal_key })
    }

    /// The unlock that was used.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// That unlock's own identity: opens what is sealed to its recipient, such as a backup.
    pub fn identity(&self) -> &SealingIdentity {
        &self.own
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
        let file = self.generation.write_key(&key)?;
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
        if !sealed_here(record) {
            return Err(KeystoreFault::NoPrivateHalf(record.name()));
        }
        self.generation.read_key(&record.kid, record.purpose, record.public.algorithm())
    }

    /// Opens every private key that an unlock opens; says which.
    ///
    /// # Errors
    /// As [`Opened::load`], for the first that can't be.
    pub fn load_all<'k>(&self, keys: &'k [KeyRecord]) -> Result<Vec<&'k KeyRecord>, KeystoreFault> {
        let kept: Vec<&KeyRecord> = keys.iter().filter(|key| sealed_here(key)).collect();
        for key in &kept {
            self.load(key)?;
        }
        Ok(kept)
    }

    /// Destroys the private half of a key: its file is unlinked and the directory synchronised.
    ///
    /// # Errors
    /// As the system refuses; the next act tries again.
    pub fn destroy(&self, kid: &str) -> Result<(), KeystoreFault> {
        Ok(self.store.remove_file(&self.generation.key_file(kid))?)
    }

    /// Wraps the identity of the unlock that was used by another passphrase, beside the file in force.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn rewrap(&self, passphrase: &Passphrase, cost: KdfCost) -> Result<WrappedUnlock, KeystoreFault> {
        stage_identity(&self.store, &self.by, self.own.twin()?, passphrase, cost)
    }

    /// Seals everything to a new identity, for the unlocks with these recipients, into the next
    /// generation's folder; then reads all of it back from there, by the unlock that is `new` among
    /// them and by the one that was used. In force once the journal says so; until then the next act
    /// removes it.
    ///
    /// # Errors
    /// As the system refuses, or where a private key can't be opened.
    pub fn reseal(
        &self,
        journal: &Journal,
        keys: &[KeyRecord],
        recipients: &[String],
        new: Option<&WrappedUnlock>,
    ) -> Result<Resealed, KeystoreFault> {
        let anchor = Anchor::of(journal);
        let number = self.generation.number() + 1;
        let (next, sha256) = Generation::create(&self.store, number, &anchor, recipients)?;
        // One private key in memory at a time.
        for key in keys.iter().filter(|key| sealed_here(key)) {
            next.write_key(&self.load(key)?)?;
        }
        drop(next);
        let mut own = &self.own;
        if let Some(new) = new {
            Self::by_identity(&self.store, number, &anchor, &new.name, new.identity.twin()?)?;
            if new.name == self.by {
                own = &new.identity;
            }
        }
        let opened = Self::by_identity(&self.store, number, &anchor, &self.by, own.twin()?)?;
        opened.load_all(keys)?;
        Ok(Resealed { generation: number, sha256, opened })
    }

    /// Removes a next generation that the journal never put in force.
    pub fn discard_resealed(&self) {
        let _ = self.store.remove_folder(&format!("sealed/{}", self.generation.number() + 1));
    }

    /// Removes key files that no journal entry names or whose key is destroyed, and generations that
    /// are not in force.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn sweep(&self, keys: &[KeyRecord]) -> Result<Vec<String>, KeystoreFault> {
        let folder = self.generation.folder();
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
        for name in self.store.names("sealed")? {
            if name.parse::<u64>().is_ok_and(|number| number != self.generation.number()) {
                self.store.remove_folder(&format!("sealed/{name}"))?;
                swept.push(format!("sealed/{name}"));
            }
        }
        Ok(swept)
    }
}

impl SignNote for Opened {
    fn sign_note(&self, text: &[u8]) -> Result<[u8; 64], JournalFault> {
        self.journal_key.ed25519_signature(text).ok_or(JournalFault::Unsigned)
    }

    fn public_key(&self) -> [u8; 32] {
        self.journal_key.ed25519_public().unwrap_or([0; 32])
    }
}

/// Whether unlocks open a key: the root's lies apart.
fn sealed_here(key: &KeyRecord) -> bool {
    key.has_private_half() && key.purpose != Purpose::Root
}
