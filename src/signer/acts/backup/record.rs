//! Backups and epochs as the journal tells them.

use crate::journal::{Entry, Event, JournalFault, member};
use serde::{Deserialize, Serialize};

/// How far the first publication of an epoch leaves behind those that may be lost.
pub const PUBLICATION_GAP: u64 = 1_000;

/// The last number that a publication can have.
pub const LAST_PUBLICATION: u64 = 999_999;

/// A backup was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupMade {
    /// Its file's name.
    #[serde(deserialize_with = "member::file")]
    pub file: String,
    /// SHA-256 of the file, lower-case hex.
    #[serde(deserialize_with = "member::digest")]
    pub sha256: String,
    /// Its length.
    #[serde(deserialize_with = "member::number")]
    pub bytes: u64,
    /// Lines of the journal in it.
    #[serde(deserialize_with = "member::number")]
    pub size: u64,
}

impl Event for BackupMade {
    const TYPE: &'static str = "backup.made";
}

/// A store was restored from a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochStarted {
    /// Its number; a store begins in epoch 1.
    #[serde(deserialize_with = "member::number")]
    pub epoch: u64,
    /// Lines of the restored journal.
    #[serde(deserialize_with = "member::number")]
    pub size: u64,
    /// Head of the tree over them, lower-case hex.
    #[serde(deserialize_with = "member::digest")]
    pub root: String,
    /// SHA-256 of the backup, lower-case hex.
    #[serde(deserialize_with = "member::digest")]
    pub backup: String,
    /// The newest note from outside that was given.
    #[serde(default, deserialize_with = "member::note", skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// How many lines that note proves to be lost.
    #[serde(default, deserialize_with = "member::number", skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    /// The highest publication number seen outside.
    #[serde(default, deserialize_with = "member::number", skip_serializing_if = "Option::is_none")]
    pub published: Option<u64>,
    /// The least number of the next publication.
    #[serde(deserialize_with = "member::number")]
    pub publications_from: u64,
    /// Why, in the operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Event for EpochStarted {
    const TYPE: &'static str = "epoch.started";
}

/// A backup and when it was made.
#[derive(Debug, Clone)]
pub struct BackupRecord {
    /// As journalled.
    pub made: BackupMade,
    /// When, in seconds since the epoch.
    pub at: u64,
    /// By which unlock.
    pub by: String,
}

/// An epoch and when it began.
#[derive(Debug, Clone)]
pub struct EpochRecord {
    /// As journalled.
    pub started: EpochStarted,
    /// When, in seconds since the epoch.
    pub at: u64,
    /// By which unlock.
    pub by: String,
}

/// Every backup and every restore, oldest first.
#[derive(Debug, Default)]
pub struct Backups {
    made: Vec<BackupRecord>,
    epochs: Vec<EpochRecord>,
    keys_changed: Option<u64>,
}

impl Backups {
    /// Takes in an entry; `false` where it is not about backups. It also notes, without claiming
    /// them, entries after which an older backup lacks a key, a root or an unlock.
    ///
    /// # Errors
    /// [`JournalFault::Malformed`].
    pub fn apply(&mut self, entry: &Entry) -> Result<bool, JournalFault> {
        if let Some(made) = entry.event::<BackupMade>()? {
            self.made.push(BackupRecord { made, at: entry.time, by: entry.by.to_string() });
        } else if let Some(started) = entry.event::<EpochStarted>()? {
            self.epochs.push(EpochRecord { started, at: entry.time, by: entry.by.to_string() });
        } else {
            if ["key.", "root.", "unlock."].iter().any(|family| entry.kind.starts_with(family)) {
                self.keys_changed = Some(entry.index);
            }
            return Ok(false);
        }
        Ok(true)
    }

    /// All backups.
    pub fn all(&self) -> &[BackupRecord] {
        &self.made
    }

    /// The newest.
    pub fn newest(&self) -> Option<&BackupRecord> {
        self.made.last()
    }

    /// Whether keys, roots or unlocks changed since the newest backup.
    pub fn keys_changed(&self) -> bool {
        let saved = self.newest().map_or(0, |backup| backup.made.size);
        self.keys_changed.is_some_and(|line| line >= saved)
    }

    /// Whether the store was restored and no backup was made in that epoch.
    pub fn none_since_restore(&self) -> bool {
        let restored = self.epochs.last().map(|epoch| epoch.started.size);
        restored.is_some_and(|size| self.newest().is_none_or(|newest| newest.made.size <= size))
    }

    /// All restores.
    pub fn epochs(&self) -> &[EpochRecord] {
        &self.epochs
    }

    /// The number of the epoch the store is in.
    pub fn epoch(&self) -> u64 {
        self.epochs.last().map_or(1, |epoch| epoch.started.epoch)
    }

    /// The least number the next publication may have.
    pub fn publications_from(&self) -> u64 {
        self.epochs.last().map_or(1, |epoch| epoch.started.publications_from)
    }
}
