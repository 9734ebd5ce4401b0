//! A store's secrets, opened.

use super::generation::{self, Generation, SealedFor, journal_kid};
use super::record::sealed_name;
use super::wrapped::{open_unlock, stage_own};
use super::{
    Anchor, KdfCost, KeyRecord, Keys, KeystoreFault, OwnUnlock, Passphrase, Purpose, SealGeneration, SecretKey,
    Unlocks, WrappedUnlock,
};
use crate::journal::{Journal, JournalFault, SignNote};
use crate::storage::Directory;
use std::collections::BTreeMap;

/// A new key with the file that will hold it.
pub struct NewKey {
    /// The key.
    pub key: SecretKey,
    /// SHA-256 of its file, lower-case hex: the journal must name it with the key.
    pub sha256: String,
    file: String,
}

/// A store's files and what its journal says of ways to open it.
#[derive(Clone, Copy)]
pub struct Kept<'a> {
    /// Its files.
    pub directory: &'a Directory,
    /// Its journal.
    pub journal: &'a Journal,
    /// Ways to open it.
    pub unlocks: &'a Unlocks,
    /// Its keys.
    pub keys: &'a Keys,
}

/// The store's secrets, opened by one unlock and checked against the journal.
pub struct Opened {
    store: Directory,
    own: OwnUnlock,
    generation: Generation,
    journal_key: SecretKey,
}

/// What the next generation is to be.
pub struct NextGeneration<'a> {
    /// Recipients of all unlocks that shall open it.
    pub recipients: Vec<String>,
    /// Unlocks with new files.
    pub new: Vec<&'a WrappedUnlock>,
    /// The journal's next key, where it is replaced.
    pub journal_key: Option<SecretKey>,
}

/// Everything sealed anew into a folder that is not in force yet, read back and opened.
pub struct Resealed {
    /// The generation's number.
    pub generation: u64,
    /// SHA-256 of each of its files by name, lower-case hex.
    pub files: BTreeMap<String, String>,
    /// What an unlock of the new set opens.
    pub opened: Opened,
}

/// Makes the first generation of a new store, and opens it by its first unlock. Returns the digests of
/// the seal and of the journal key's file by their names.
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
) -> Result<(Opened, BTreeMap<String, String>), KeystoreFault> {
    let public = journal_key.ed25519_public().ok_or(KeystoreFault::Operation("reading the journal key"))?;
    let sealed_for = SealedFor { journal_key: public, store_id: store_id.to_owned(), genesis: *genesis };
    let (generation, seal) = Generation::create(store, 1, &sealed_for, recipients)?;
    let key = generation.write_key(&journal_key)?;
    let files = BTreeMap::from([(SealGeneration::SEAL.to_owned(), seal), (sealed_name(journal_key.kid()), key)]);
    Ok((Opened { store: store.clone(), own: by.into_own(), generation, journal_key }, files))
}

impl Opened {
    /// Opens a store with one unlock's passphrase, and holds the store against what that unlock's own
    /// file vouches for.
    ///
    /// # Errors
    /// [`KeystoreFault::WrongPassphrase`]; as [`Opened::open_with`].
    pub fn open(kept: Kept<'_>, unlock: &str, passphrase: &Passphrase) -> Result<Self, KeystoreFault> {
        let own = open_unlock(kept.directory, kept.unlocks.find(unlock)?, passphrase)?;
        Self::open_with(kept, own)
    }

    /// As [`Opened::open`], with the unlock's own file opened before.
    ///
    /// # Errors
    /// [`KeystoreFault::Anchor`] or [`KeystoreFault::PutBack`] where the store is not the one that the
    /// file names; [`KeystoreFault::Damaged`] where a file is not the one that the journal names.
    pub fn open_with(kept: Kept<'_>, own: OwnUnlock) -> Result<Self, KeystoreFault> {
        own.check(kept.journal, kept.unlocks.find(own.name())?)?;
        let sealed_for = SealedFor::of(kept.journal);
        let kid = journal_kid(&sealed_for.journal_key)?;
        let record = kept.keys.by_kid(&kid).filter(|key| key.purpose == Purpose::Journal);
        let key_sha256 = &record.ok_or(KeystoreFault::Seal("the journal key"))?.file_sha256;
        let (number, seal) = (kept.unlocks.generation(), kept.unlocks.seal_sha256());
        Self::by_identity(kept.directory, number, (seal, key_sha256), &sealed_for, own)
    }

    fn by_identity(
        store: &Directory,
        generation: u64,
        (seal_sha256, key_sha256): (&str, &str),
        sealed_for: &SealedFor,
        own: OwnUnlock,
    ) -> Result<Self, KeystoreFault> {
        let generation = Generation::open(store, generation, seal_sha256, sealed_for, own.identity())?;
        let journal_key = generation.journal_key(&sealed_for.journal_key, key_sha256)?;
        Ok(Self { store: store.clone(), own, generation, journal_key })
    }

    /// The unlock that was used.
    pub fn by(&self) -> &str {
        self.own.name()
    }

    /// That unlock's own file, opened: its identity opens what is sealed to its recipient, such as a
    /// backup.
    pub fn own(&self) -> &OwnUnlock {
        &self.own
    }

    /// The journal key's public half and kid.
    pub fn journal_key(&self) -> &SecretKey {
        &self.journal_key
    }

    /// Seals a new private key into the store, durably. It counts as the store's only once the
    /// journal names it, and gets its final name then; until then the next act removes it.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn keep(&self, key: SecretKey) -> Result<NewKey, KeystoreFault> {
        let sha256 = self.generation.stage_key(&key)?;
        let file = self.generation.key_file(key.kid());
        Ok(NewKey { key, sha256, file })
    }

    /// Takes back a key that the journal never named.
    pub fn discard(&self, new: &NewKey) {
        self.store.discard_staged(&new.file);
    }

    /// The private half of a key. It is derived anew and must be the one the journal names.
    ///
    /// # Errors
    /// [`KeystoreFault::NoPrivateHalf`], [`KeystoreFault::WrongKey`], [`KeystoreFault::Damaged`].
    pub fn load(&self, record: &KeyRecord) -> Result<SecretKey, KeystoreFault> {
        if !sealed_here(record) {
            return Err(KeystoreFault::NoPrivateHalf(record.name()));
        }
        self.generation.read_key(&record.kid, record.purpose, record.public.algorithm(), &record.file_sha256)
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

    /// Wraps the identity of the unlock that was used by a passphrase, beside the file in force, with
    /// another anchor.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn rewrap(
        &self,
        passphrase: &Passphrase,
        cost: KdfCost,
        anchor: Anchor,
    ) -> Result<WrappedUnlock, KeystoreFault> {
        let own = OwnUnlock { anchor, ..self.own.twin()? };
        stage_own(&self.store, own, passphrase, cost)
    }

    /// Seals everything to a new identity into the next generation's folder; then reads all of it back
    /// from there, by each unlock with a new file and by the one that was used. In force once the
    /// journal says so; until then the next act removes it.
    ///
    /// # Errors
    /// As the system refuses, or where a private key can't be opened.
    pub fn reseal(&self, kept: Kept<'_>, next: NextGeneration<'_>) -> Result<Resealed, KeystoreFault> {
        let mut sealed_for = SealedFor::of(kept.journal);
        if let Some(key) = &next.journal_key {
            sealed_for.journal_key = key.ed25519_public().ok_or(KeystoreFault::Operation("reading the journal key"))?;
        }
        let number =
            self.generation.number().checked_add(1).ok_or(KeystoreFault::Operation("counting the generations"))?;
        let (generation, seal) = Generation::create(&self.store, number, &sealed_for, &next.recipients)?;
        let mut files = BTreeMap::from([(SealGeneration::SEAL.to_owned(), seal.clone())]);
        let replaced = next.journal_key.is_some();
        let kept_on = |key: &&KeyRecord| sealed_here(key) && !(replaced && key.purpose == Purpose::Journal);
        // One private key in memory at a time.
        for key in kept.keys.all().iter().filter(kept_on) {
            files.insert(sealed_name(&key.kid), generation.write_key(&self.load(key)?)?);
        }
        if let Some(key) = &next.journal_key {
            files.insert(sealed_name(key.kid()), generation.write_key(key)?);
        }
        drop(generation);
        let kid = journal_kid(&sealed_for.journal_key)?;
        let journal = files.get(&sealed_name(&kid)).ok_or(KeystoreFault::Seal("the journal key"))?;
        let open = |own: OwnUnlock| Self::by_identity(&self.store, number, (&seal, journal), &sealed_for, own);
        let mut own = &self.own;
        for new in next.new {
            open(new.own().twin()?)?;
            if new.name == self.by() {
                own = new.own();
            }
        }
        let opened = open(own.twin()?)?;
        for key in kept.keys.all().iter().filter(kept_on) {
            let sha256 = files.get(&sealed_name(&key.kid)).map_or("", String::as_str);
            opened.generation.read_key(&key.kid, key.purpose, key.public.algorithm(), sha256)?;
        }
        Ok(Resealed { generation: number, files, opened })
    }

    /// Removes a next generation that the journal never put in force.
    pub fn discard_resealed(&self) {
        self.store.discard_staged(&generation::folder(self.generation.number().saturating_add(1)));
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
