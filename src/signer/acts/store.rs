//! A store for reading.

use super::{Denied, Ledger, StoreSheet, files};
use crate::issuing::Policy;
use crate::issuing::record::PolicyRecord;
use crate::journal::{Entry, Journal, Line, hex, sha256};
use crate::keystore::{Kept, Opened, Unlocks};
use crate::refusal::Refusal;
use crate::storage::{Directory, Lock, Outbox, StorageFault, holds_file, lies_in};
use coldsign_verify::base64url;
use std::path::Path;

/// The largest policy there can be, in bytes.
const LARGEST_POLICY: u64 = 1 << 20;
/// Where no policy says otherwise: how far the clock may be behind the journal, in seconds.
const USUAL_SKEW: u64 = 60;

/// A store, read and checked.
///
/// Whoever can write its files can make up everything in it, until the file of an unlock, which only
/// its passphrase can make, has vouched for its journal: [`Store::is_vouched`].
pub struct Store {
    directory: Directory,
    sheet: StoreSheet,
    pub(super) journal: Journal,
    ledger: Ledger,
    vouched: bool,
}

impl Store {
    /// Reads the store in that place.
    ///
    /// # Errors
    /// Where there is none, where it is of another version, or where anything acknowledged does
    /// not hold.
    pub fn open(path: &Path) -> Result<Self, Refusal> {
        let directory = match Directory::open(path) {
            Err(StorageFault::Missing(_)) => return Err(Denied::NoStore(path.to_owned()).into()),
            opened => opened?,
        };
        Self::read(directory)
    }

    /// As [`Store::open`], with its journal read from the file that is held, and appended to it.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub(super) fn open_held(path: &Path, lock: &Lock) -> Result<Self, Refusal> {
        Self::read(Directory::open(path)?.holding(lock))
    }

    /// Reads a store in a directory, which may be held in memory.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn read(directory: Directory) -> Result<Self, Refusal> {
        let sheet = StoreSheet::read(&directory)?;
        let journal = Journal::open(&directory)?;
        for (what, ours, journals) in [
            ("store_id", &sheet.store_id, &journal.genesis().store_id),
            ("issuer", &sheet.issuer, &journal.genesis().issuer),
        ] {
            if ours != journals {
                return Err(Denied::Damaged {
                    file: StoreSheet::FILE.to_owned(),
                    what: format!("its {what} is not the journal's"),
                }
                .into());
            }
        }
        let mut ledger = Ledger::default();
        ledger.apply(journal.entries())?;
        Ok(Self { directory, sheet, journal, ledger, vouched: false })
    }

    /// Refuses a place for products that lies in the store.
    ///
    /// # Errors
    /// [`Denied::InStore`].
    pub fn refuse_inside(&self, outbox: &Outbox) -> Result<(), Denied> {
        Self::refuse_within(self.directory.path(), outbox.path())
    }

    /// Refuses a file or folder that would lie in a store's place, whether the store can be read or
    /// is yet to be made.
    ///
    /// # Errors
    /// [`Denied::InStore`].
    pub fn refuse_within(place: &Path, product: &Path) -> Result<(), Denied> {
        if lies_in(product, place) {
            return Err(Denied::InStore(product.to_owned()));
        }
        Ok(())
    }

    /// Whether a store is in that place, whatever its state.
    pub fn is_at(path: &Path) -> bool {
        holds_file(path, StoreSheet::FILE)
    }

    /// Its directory.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// What it is.
    pub fn sheet(&self) -> &StoreSheet {
        &self.sheet
    }

    /// Its journal.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Its state.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What its unlocks open.
    pub fn kept(&self) -> Kept<'_> {
        Kept {
            directory: &self.directory,
            journal: &self.journal,
            unlocks: &self.ledger.unlocks,
            keys: &self.ledger.keys,
        }
    }

    /// Whether an unlock's own file has vouched for it: else it is only what the files say.
    pub fn is_vouched(&self) -> bool {
        self.vouched
    }

    /// The store as vouched for: it was held against the anchor of the unlock that opened it.
    pub(super) fn vouched_by(mut self, _opened: &Opened) -> Self {
        self.vouched = true;
        self
    }

    /// Records events, signed by an opened unlock.
    pub(super) fn record(&mut self, events: &[Line], signer: &Opened, now: u64) -> Result<(), Refusal> {
        let committed = self.journal.commit(events, signer, now, signer.by()).map(<[Entry]>::to_vec);
        self.take_in(committed?)
    }

    /// Records events with which the journal gets the key of `next`.
    pub(super) fn record_rekeyed(
        &mut self,
        events: &[Line],
        signer: &Opened,
        next: &Opened,
        now: u64,
    ) -> Result<(), Refusal> {
        let committed = self.journal.commit_rekeyed(events, signer, next, now, signer.by()).map(<[Entry]>::to_vec);
        self.take_in(committed?)
    }

    fn take_in(&mut self, entries: Vec<Entry>) -> Result<(), Refusal> {
        Ok(self.ledger.apply(&entries)?)
    }

    /// Unlocks whose own file names a journal key that was replaced since: whoever knows that key can still
    /// deceive who opens with them. The next act that opens with one brings its file up to date.
    pub fn unlocks_behind(&self) -> Vec<&str> {
        let key = base64url::encode(&self.journal.key());
        self.ledger.unlocks.behind(&key).map(|unlock| unlock.name.as_str()).collect()
    }

    /// The unlock to open it with: the one named, or the first person's.
    ///
    /// # Errors
    /// [`crate::keystore::KeystoreFault::NoSuchUnlock`].
    pub fn unlock_name(&self, named: Option<&str>) -> Result<String, Refusal> {
        let unlocks = &self.ledger.unlocks;
        let name = named.or_else(|| unlocks.usual()).unwrap_or(Unlocks::RECOVERY);
        Ok(unlocks.find(name)?.name.clone())
    }

    /// The policy in force and its record.
    ///
    /// # Errors
    /// [`Denied::NoPolicy`], or [`Denied::Damaged`] where its kept text is not what was applied.
    pub fn policy(&self) -> Result<(Policy, &PolicyRecord), Refusal> {
        let record = self.ledger.policies.newest().ok_or(Denied::NoPolicy)?;
        let text = self.policy_text(record)?;
        Ok((Policy::parse(&text)?, record))
    }

    /// The text of a policy that was applied once, checked against the journal.
    ///
    /// # Errors
    /// [`Denied::Damaged`].
    pub fn policy_text(&self, record: &PolicyRecord) -> Result<String, Refusal> {
        let file = files::policy_file(&record.applied.sha256);
        let bytes = files::read_named(&self.directory, &file, &record.applied.sha256)?;
        let text = String::from_utf8(bytes);
        Ok(text.map_err(|_| Denied::Damaged { file, what: "it is not UTF-8 text".to_owned() })?)
    }

    /// `policy.toml` as it is edited now.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn edited_policy(&self) -> Result<String, Refusal> {
        match self.directory.read_text("policy.toml", LARGEST_POLICY) {
            Err(StorageFault::Missing(path)) => Err(Denied::PolicyGone(path).into()),
            read => Ok(read?),
        }
    }

    /// Whether `policy.toml` is what was applied last.
    ///
    /// # Errors
    /// As the system refuses.
    pub fn policy_is_applied(&self) -> Result<bool, Refusal> {
        let edited = match self.directory.read("policy.toml", LARGEST_POLICY) {
            Err(StorageFault::Missing(_)) => return Ok(false),
            read => hex(&sha256(&read?)),
        };
        let newest = self.ledger.policies.newest();
        Ok(newest.is_some_and(|policy| policy.applied.sha256 == edited))
    }

    /// How far the clock may be behind the journal, in seconds.
    pub fn skew(&self) -> u64 {
        self.policy().map_or(USUAL_SKEW, |(policy, _)| policy.timing().skew)
    }
}
