//! Ways to open the store, as the journal tells them.

use super::{KdfCost, KeystoreFault};
use crate::journal::{Entry, Event, JournalFault, member};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A way to open the store.
#[derive(Debug, Clone)]
pub struct UnlockRecord {
    /// Its name; `recovery` is the recovery code's.
    pub name: String,
    /// The age recipient of its own identity.
    pub recipient: String,
    /// Logarithm of the scrypt work factor.
    pub kdf_log_n: u8,
    /// SHA-256 of its file, lower-case hex.
    pub sha256: String,
    /// The journal key that its file names, base64url.
    pub journal_key: String,
    /// When it was made, in seconds since the epoch.
    pub added_at: u64,
    /// When its passphrase was last changed.
    pub changed_at: Option<u64>,
    /// The unlock that was used to make it or to change it last.
    pub by: String,
}

/// All ways to open the store, and the generation of sealing they open.
#[derive(Debug, Default)]
pub struct Unlocks {
    records: Vec<UnlockRecord>,
    removed: BTreeSet<String>,
    generation: u64,
    sealed: BTreeMap<String, String>,
    cost: Option<u8>,
}

impl Unlocks {
    /// The recovery code's name.
    pub const RECOVERY: &'static str = "recovery";
    /// The most there can be at once: whatever is sealed is sealed for each of them.
    pub const MOST: usize = 100;

    /// Takes in an entry; `false` where it is not about unlocks.
    ///
    /// # Errors
    /// [`JournalFault::Malformed`].
    pub fn apply(&mut self, entry: &Entry) -> Result<bool, JournalFault> {
        let malformed = |what: String| JournalFault::Malformed { line: entry.index + 1, what };
        if let Some(added) = entry.event::<UnlockAdded>()? {
            if self.by_name(&added.name).is_some() {
                return Err(malformed(format!("the unlock {} is there already", added.name)));
            }
            if self.records.len() == Self::MOST {
                return Err(malformed(format!("there are {} unlocks already", Self::MOST)));
            }
            self.cost.get_or_insert(added.kdf_log_n);
            self.removed.remove(&added.name);
            self.records.push(UnlockRecord {
                name: added.name,
                recipient: added.recipient,
                kdf_log_n: added.kdf_log_n,
                sha256: added.sha256,
                journal_key: added.journal_key,
                added_at: entry.time,
                changed_at: None,
                by: entry.by.to_string(),
            });
        } else if let Some(changed) = entry.event::<UnlockChanged>()? {
            let unlock = self.changed(entry, &changed.name)?;
            (unlock.kdf_log_n, unlock.sha256, unlock.journal_key) =
                (changed.kdf_log_n, changed.sha256, changed.journal_key);
            (unlock.changed_at, unlock.by) = (Some(entry.time), entry.by.to_string());
            unlock.recipient = changed.recipient;
        } else if let Some(changed) = entry.event::<UnlockRewrapped>()? {
            let unlock = self.changed(entry, &changed.name)?;
            (unlock.kdf_log_n, unlock.sha256, unlock.journal_key) =
                (changed.kdf_log_n, changed.sha256, changed.journal_key);
            (unlock.changed_at, unlock.by) = (Some(entry.time), entry.by.to_string());
        } else if let Some(anchored) = entry.event::<UnlockAnchored>()? {
            let unlock = self.changed(entry, &anchored.name)?;
            (unlock.kdf_log_n, unlock.sha256, unlock.journal_key) =
                (anchored.kdf_log_n, anchored.sha256, anchored.journal_key);
        } else if let Some(removed) = entry.event::<UnlockRemoved>()? {
            let before = self.records.len();
            self.records.retain(|unlock| unlock.name != removed.name);
            if self.records.len() == before || self.records.is_empty() {
                return Err(malformed(format!("the unlock {} can't have been removed", removed.name)));
            }
            self.removed.insert(removed.name);
        } else if let Some(seal) = entry.event::<SealGeneration>()? {
            if Some(seal.generation) != self.generation.checked_add(1) {
                return Err(malformed(format!("generation {} does not follow {}", seal.generation, self.generation)));
            }
            self.generation = seal.generation;
            self.sealed = seal.files;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// All of them, oldest first.
    pub fn all(&self) -> &[UnlockRecord] {
        &self.records
    }

    /// One by its name.
    ///
    /// # Errors
    /// [`KeystoreFault::NoSuchUnlock`].
    pub fn find(&self, name: &str) -> Result<&UnlockRecord, KeystoreFault> {
        self.by_name(name).ok_or_else(|| KeystoreFault::NoSuchUnlock(name.to_owned()))
    }

    /// The one that opens the store where none is named: the first of a person.
    pub fn usual(&self) -> Option<&str> {
        self.other_than(Self::RECOVERY)
    }

    /// The first of a person that is not the one named, or else the recovery code.
    pub fn other_than(&self, name: &str) -> Option<&str> {
        let mut names = self.records.iter().map(|unlock| unlock.name.as_str()).filter(|other| *other != name);
        names.clone().find(|other| *other != Self::RECOVERY).or_else(|| names.next())
    }

    /// Which folder below `sealed/` is in force.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// SHA-256 of the seal in force, lower-case hex.
    pub fn seal_sha256(&self) -> &str {
        self.sealed.get(SealGeneration::SEAL).map_or("", String::as_str)
    }

    /// Whether an unlock of that name was removed, and none made since.
    pub fn was_removed(&self, name: &str) -> bool {
        self.removed.contains(name)
    }

    /// Unlocks whose own file names another journal key than this one.
    pub fn behind<'a>(&'a self, journal_key: &str) -> impl Iterator<Item = &'a UnlockRecord> {
        self.records.iter().filter(move |unlock| unlock.journal_key != journal_key)
    }

    /// What a try at a passphrase costs, as `init` fixed it.
    ///
    /// # Errors
    /// [`KeystoreFault::Cost`] where the journal's word can't be.
    pub fn cost(&self) -> Result<KdfCost, KeystoreFault> {
        self.cost.map_or(Ok(KdfCost::STANDARD), KdfCost::new)
    }

    fn by_name(&self, name: &str) -> Option<&UnlockRecord> {
        self.records.iter().find(|unlock| unlock.name == name)
    }

    fn changed(&mut self, entry: &Entry, name: &str) -> Result<&mut UnlockRecord, JournalFault> {
        let missing = || JournalFault::Malformed { line: entry.index + 1, what: format!("there is no unlock {name}") };
        self.records.iter_mut().find(|unlock| unlock.name == name).ok_or_else(missing)
    }
}

/// A way to open the store was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnlockAdded {
    /// Its name; `recovery` is the recovery code's.
    #[serde(deserialize_with = "member::unlock")]
    pub name: String,
    /// Its age recipient.
    #[serde(deserialize_with = "member::recipient")]
    pub recipient: String,
    /// Logarithm of the scrypt work factor.
    #[serde(deserialize_with = "member::work_factor")]
    pub kdf_log_n: u8,
    /// SHA-256 of its file, lower-case hex.
    #[serde(deserialize_with = "member::digest")]
    pub sha256: String,
    /// The journal key that its file names, base64url.
    #[serde(deserialize_with = "member::journal_key")]
    pub journal_key: String,
}

impl Event for UnlockAdded {
    const TYPE: &'static str = "unlock.added";
}

/// An unlock has a new passphrase and a new identity.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnlockChanged {
    /// Its name.
    #[serde(deserialize_with = "member::unlock")]
    pub name: String,
    /// Its new age recipient.
    #[serde(deserialize_with = "member::recipient")]
    pub recipient: String,
    /// Logarithm of the scrypt work factor.
    #[serde(deserialize_with = "member::work_factor")]
    pub kdf_log_n: u8,
    /// SHA-256 of its new file, lower-case hex.
    #[serde(deserialize_with = "member::digest")]
    pub sha256: String,
    /// The journal key that its file names, base64url.
    #[serde(deserialize_with = "member::journal_key")]
    pub journal_key: String,
}

impl Event for UnlockChanged {
    const TYPE: &'static str = "unlock.changed";
}

/// An unlock has a new passphrase and its old identity.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnlockRewrapped {
    /// Its name.
    #[serde(deserialize_with = "member::unlock")]
    pub name: String,
    /// Logarithm of the scrypt work factor.
    #[serde(deserialize_with = "member::work_factor")]
    pub kdf_log_n: u8,
    /// SHA-256 of its new file, lower-case hex.
    #[serde(deserialize_with = "member::digest")]
    pub sha256: String,
    /// The journal key that its file names, base64url.
    #[serde(deserialize_with = "member::journal_key")]
    pub journal_key: String,
}

impl Event for UnlockRewrapped {
    const TYPE: &'static str = "unlock.rewrapped";
}

/// An unlock's own file names the journal's present key: nothing else about it has changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnlockAnchored {
    /// Its name.
    #[serde(deserialize_with = "member::unlock")]
    pub name: String,
    /// Logarithm of the scrypt work factor.
    #[serde(deserialize_with = "member::work_factor")]
    pub kdf_log_n: u8,
    /// SHA-256 of its new file, lower-case hex.
    #[serde(deserialize_with = "member::digest")]
    pub sha256: String,
    /// The journal key that its file names, base64url.
    #[serde(deserialize_with = "member::journal_key")]
    pub journal_key: String,
}

impl Event for UnlockAnchored {
    const TYPE: &'static str = "unlock.anchored";
}

/// An unlock opens the store no more.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnlockRemoved {
    /// Its name.
    #[serde(deserialize_with = "member::unlock")]
    pub name: String,
}

impl Event for UnlockRemoved {
    const TYPE: &'static str = "unlock.removed";
}

/// Everything is sealed anew, in another folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealGeneration {
    /// The folder below `sealed/` that is in force from here on.
    #[serde(deserialize_with = "member::number")]
    pub generation: u64,
    /// SHA-256 of each of its files by name, lower-case hex: the seal and every private key.
    #[serde(deserialize_with = "member::digests")]
    pub files: BTreeMap<String, String>,
}

impl SealGeneration {
    /// The seal's name in the folder.
    pub const SEAL: &'static str = "seal.age";
}

impl Event for SealGeneration {
    const TYPE: &'static str = "seal.generation";
}
