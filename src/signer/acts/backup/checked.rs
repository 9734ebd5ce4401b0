//! A backup opened and checked: a store to read, without a byte written.

use super::container::{Manifest, Sealed};
use super::fault::BackupDenied;
use crate::acts::{Denied, Store, publications, publish};
use crate::journal::{hex, sha256};
use crate::keystore::{Opened, Passphrase, Purpose, SealingIdentity};
use crate::refusal::Refusal;
use crate::storage::Directory;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The largest backup that is read, in bytes.
pub const LARGEST: u64 = 16 << 30;

/// A backup whose every byte and every promise holds.
pub struct Backup {
    /// Where it lies.
    pub file: PathBuf,
    /// SHA-256 of its file, lower-case hex.
    pub sha256: String,
    /// Its file's length.
    pub bytes: u64,
    /// What it says it is.
    pub manifest: Manifest,
    pub(super) by: String,
    pub(super) identity: SealingIdentity,
    /// Publications whose files are not in it as they were published.
    pub lacking: Vec<u64>,
    store: Store,
}

/// How a backup stands to a store.
#[derive(Debug, PartialEq, Eq)]
pub enum Comparison {
    /// They are of different stores.
    OtherStore,
    /// Its journal is the beginning of the store's.
    Past {
        /// Lines the store has more.
        behind: u64,
        /// Whether the store's journal names this very file.
        listed: bool,
    },
}

impl Backup {
    /// Opens a backup with one unlock of its day.
    ///
    /// # Errors
    /// [`crate::keystore::KeystoreFault::WrongPassphrase`], [`BackupDenied`].
    pub fn open(
        file: &Path,
        bytes: &[u8],
        sealed: &Sealed<'_>,
        unlock: &str,
        passphrase: &Passphrase,
    ) -> Result<Self, Refusal> {
        let identity = sealed.identity(unlock, passphrase)?;
        Self::open_with(file, bytes, sealed, unlock, identity)
    }

    pub(super) fn open_with(
        file: &Path,
        bytes: &[u8],
        sealed: &Sealed<'_>,
        unlock: &str,
        identity: SealingIdentity,
    ) -> Result<Self, Refusal> {
        let unpacked = sealed.unpack(&identity)?;
        let held = Directory::held(file, unpacked.files);
        let damaged = |what: String| BackupDenied::Damaged { file: file.to_owned(), what };
        let inside = |refusal: Refusal| damaged(format!("the store in it does not hold: {refusal}"));
        let store = Store::read(held).map_err(inside)?;
        if store.sheet().store_id != unpacked.manifest.store_id
            || store.journal().extent().size != unpacked.manifest.size
            || store.journal().torn_bytes() != 0
        {
            return Err(damaged("the store in it is not the one it names".to_owned()).into());
        }
        let unlocks = &store.ledger().unlocks;
        let opened = Opened::open_with(store.directory(), store.journal(), unlocks, unlock, identity.twin()?);
        let lacking = whole(&store, &opened.map_err(|fault| inside(fault.into()))?).map_err(inside)?;
        Ok(Self {
            file: file.to_owned(),
            sha256: hex(&sha256(bytes)),
            bytes: bytes.len() as u64,
            manifest: unpacked.manifest,
            by: unlock.to_owned(),
            identity,
            lacking,
            store,
        })
    }

    /// The store in it, for reading.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// One of the store's files.
    ///
    /// # Errors
    /// Where there is none of that path.
    pub(super) fn file_of_store(&self, path: &str) -> Result<Vec<u8>, Refusal> {
        Ok(self.store.directory().read(path, LARGEST)?)
    }

    /// Holds it against a store: its journal must be the beginning of that store's.
    ///
    /// # Errors
    /// [`BackupDenied::NotThisPast`], [`BackupDenied::StoreBehind`].
    pub fn compare(&self, store: &Store) -> Result<Comparison, Refusal> {
        if store.sheet().store_id != self.manifest.store_id {
            return Ok(Comparison::OtherStore);
        }
        let (ours, theirs) = (self.store.journal().extent(), store.journal().extent());
        match store.journal().root_of_first(ours.size)? {
            None => Err(BackupDenied::StoreBehind { backup: ours.size, store: theirs.size }.into()),
            Some(root) if root != ours.root => Err(BackupDenied::NotThisPast(ours.size).into()),
            Some(_) => Ok(Comparison::Past {
                behind: theirs.size - ours.size,
                listed: store.ledger().backups.all().iter().any(|backup| backup.made.sha256 == self.sha256),
            }),
        }
    }
}

/// Checks that a store has whatever its journal promises: private keys that open and are their own,
/// unlocks, policies, certificates. Publications are public and have copies elsewhere: the numbers
/// of those that are not there as they were published come back.
///
/// # Errors
/// With the first file that is not as promised.
pub(super) fn whole(store: &Store, opened: &Opened) -> Result<Vec<u64>, Refusal> {
    let damaged = |file: String, what: &str| Denied::Damaged { file, what: what.to_owned() };
    let ledger = store.ledger();
    for key in ledger.keys.all().iter().filter(|key| key.has_private_half()) {
        let root = format!("roots/key-{}.age", key.kid);
        match key.purpose {
            Purpose::Root if store.directory().has(&root) => {}
            Purpose::Root => return Err(damaged(root, "it is not there").into()),
            _ => drop(opened.load(key)?),
        }
    }
    let seal = format!("sealed/{}/seal.age", ledger.unlocks.generation());
    let unlocks = ledger.unlocks.all().iter().map(|unlock| (format!("unlock/{}.age", unlock.name), &*unlock.sha256));
    for (file, sha256_of_it) in unlocks.chain([(seal, ledger.unlocks.seal_sha256())]) {
        if !store.directory().has(&file) {
            return Err(damaged(file, "it is not there").into());
        }
        if hex(&sha256(&store.directory().read(&file, super::LARGEST_FILE)?)) != sha256_of_it {
            return Err(damaged(file, "it is not the one that the journal names").into());
        }
    }
    let named = ledger.unlocks.find(opened.by())?;
    if opened.identity().recipient() != named.recipient {
        return Err(damaged(format!("unlock/{}.age", named.name), "it is not the one that the journal names").into());
    }
    // One may be applied again and again; its text is read once.
    let mut read = BTreeSet::new();
    for policy in ledger.policies.all().iter().filter(|policy| read.insert(&policy.applied.sha256)) {
        store.policy_text(policy)?;
    }
    store.edited_policy()?;
    for (kid, sha256) in ledger.publications.certificates() {
        publish::kept_certificate(store, &format!("{kid}.pem"), sha256)?;
    }
    let mut lacking = Vec::new();
    super::super::root::chain(store)?;
    super::super::root::waiting(store)?;
    for publication in ledger.publications.all() {
        match publications::kept(store.directory(), publication) {
            Err(refusal) if refusal.reason().rule() == Some("STORE-DAMAGED") => lacking.push(publication.made.seq),
            read => drop(read?),
        }
    }
    Ok(lacking)
}
