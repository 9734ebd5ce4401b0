//! A backup opened and checked: a store to read, without a byte written.

use super::container::{Manifest, Sealed};
use super::fault::BackupDenied;
use crate::acts::files::{self, Everything};
use crate::acts::{Store, root};
use crate::journal::{hex, sha256};
use crate::keystore::{Opened, OwnUnlock, Passphrase};
use crate::refusal::Refusal;
use crate::storage::Directory;
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
    pub(super) own: OwnUnlock,
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
        let own = sealed.own(unlock, passphrase)?;
        Self::open_with(file, bytes, sealed, own)
    }

    pub(super) fn open_with(file: &Path, bytes: &[u8], sealed: &Sealed<'_>, own: OwnUnlock) -> Result<Self, Refusal> {
        let unpacked = sealed.unpack(own.identity())?;
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
        let opened = Opened::open_with(store.kept(), own.twin()?).map_err(|fault| inside(fault.into()))?;
        let store = store.vouched_by(&opened);
        let Everything { lacking, .. } = whole(&store, &opened).map_err(inside)?;
        Ok(Self {
            file: file.to_owned(),
            sha256: hex(&sha256(bytes)),
            bytes: bytes.len() as u64,
            manifest: unpacked.manifest,
            own,
            lacking,
            store,
        })
    }

    /// The store in it, for reading.
    pub fn store(&self) -> &Store {
        &self.store
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

/// Reads whatever a store's journal names, each file held against it, and opens every private key.
/// Publications are public and have copies elsewhere: those that are not there as they were published
/// are only told.
///
/// # Errors
/// With the first file that is not as promised.
pub(super) fn whole(store: &Store, opened: &Opened) -> Result<Everything, Refusal> {
    opened.load_all(store.ledger().keys.all())?;
    let all = files::everything(store)?;
    root::chain(store)?;
    root::waiting(store)?;
    Ok(all)
}
