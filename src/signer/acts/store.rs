//! A store for reading, and a session for changing it.

use super::clock::act_time;
use super::{ClockDenied, Denied, Ledger, StoreSheet};
use crate::issuing::Policy;
use crate::issuing::record::PolicyRecord;
use crate::journal::{self, Entry, Journal, Line, hex, sha256};
use crate::keystore::{NewKey, Opened, Passphrase, SealingIdentity, Unlocks, settle_unlocks};
use crate::refusal::Refusal;
use crate::storage::{Directory, Lock, Outbox, StorageFault, holds_file, lies_in};
use std::path::Path;

/// The largest policy there can be, in bytes.
const LARGEST_POLICY: u64 = 1 << 20;
/// Where no policy says otherwise: how far the clock may be behind the journal, in seconds.
const USUAL_SKEW: u64 = 60;

/// A store, read and checked, secrets untouched.
pub struct Store {
    directory: Directory,
    sheet: StoreSheet,
    journal: Journal,
    ledger: Ledger,
}

/// A store under its lock, with its secrets opened and the time fixed.
pub struct Session {
    store: Store,
    opened: Opened,
    now: u64,
    swept: Vec<String>,
    _lock: Lock,
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
        Ok(Self { directory, sheet, journal, ledger })
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
        let file = format!("policies/{}.toml", record.applied.sha256);
        let text = self.kept_text(&file, LARGEST_POLICY)?;
        if hex(&sha256(text.as_bytes())) != record.applied.sha256 {
            return Err(Denied::Damaged { file, what: "its text is not what was applied".to_owned() }.into());
        }
        Ok(text)
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

    /// A file the journal speaks of, as text: one that is not there is damage.
    pub(super) fn kept_text(&self, file: &str, cap: u64) -> Result<String, Refusal> {
        match self.directory.read_text(file, cap) {
            Err(StorageFault::Missing(_)) => {
                Err(Denied::Damaged { file: file.to_owned(), what: "it is gone".to_owned() }.into())
            }
            read => Ok(read?),
        }
    }

    /// How far the clock may be behind the journal, in seconds.
    pub fn skew(&self) -> u64 {
        self.policy().map_or(USUAL_SKEW, |(policy, _)| policy.timing().skew)
    }
}

impl Session {
    /// Takes the lock, reads the store anew, opens its secrets with one unlock, checks the anchor
    /// and the clock, and removes what crashes left behind.
    ///
    /// # Errors
    /// As those refuse.
    pub fn open(path: &Path, unlock: Option<&str>, passphrase: &Passphrase, now: u64) -> Result<Self, Refusal> {
        Self::open_at(path, unlock, passphrase, |store| act_time(now, store.journal.newest_time(), store.skew()))
    }

    /// As [`Session::open`], at the time that `clock` finds for the store.
    pub(super) fn open_at(
        path: &Path,
        unlock: Option<&str>,
        passphrase: &Passphrase,
        clock: impl FnOnce(&Store) -> Result<u64, ClockDenied>,
    ) -> Result<Self, Refusal> {
        let lock = journal::hold(&Directory::open(path)?)?;
        Self::begin(path, lock, clock, |store| {
            let unlock = store.unlock_name(unlock)?;
            Ok(Opened::open(&store.directory, &store.journal, &store.ledger.unlocks, &unlock, passphrase)?)
        })
    }

    /// As [`Session::open`], with the lock that was taken, an unlock's identity instead of its
    /// passphrase, and a time that no later one of the journal's is held against.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub(super) fn open_with(
        path: &Path,
        lock: Lock,
        unlock: &str,
        identity: SealingIdentity,
        now: u64,
    ) -> Result<Self, Refusal> {
        let clock = |store: &Store| Ok(now.max(store.journal.newest_time()));
        Self::begin(path, lock, clock, |store| {
            Ok(Opened::open_with(&store.directory, &store.journal, &store.ledger.unlocks, unlock, identity)?)
        })
    }

    fn begin(
        path: &Path,
        lock: Lock,
        clock: impl FnOnce(&Store) -> Result<u64, ClockDenied>,
        open: impl FnOnce(&Store) -> Result<Opened, Refusal>,
    ) -> Result<Self, Refusal> {
        let mut store = Store::open_held(path, &lock)?;
        let now = clock(&store)?;
        let opened = open(&store)?;
        // Now the keys are in memory too.
        crate::storage::lock_memory();
        store.journal.roll_forward()?;
        let swept = sweep(&store, &opened)?;
        Ok(Self { store, opened, now, swept, _lock: lock })
    }

    pub(super) fn of_new_store(store: Store, opened: Opened, now: u64, lock: Lock) -> Self {
        Self { store, opened, now, swept: Vec::new(), _lock: lock }
    }

    /// The store as it stands after what was recorded last.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Its secrets.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// The time of this act, in seconds since the epoch.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Files that a crashed act had left behind and this one removed.
    pub fn swept(&self) -> &[String] {
        &self.swept
    }

    /// Takes back a key whose entry could not be recorded. Where the journal has it all the same (its
    /// checkpoint file failed last), the key stays.
    pub(super) fn discard_if_unknown(&self, new: &NewKey) {
        if self.store.journal.mentions(new.key.kid()) {
            return;
        }
        self.opened.discard(new);
    }

    /// Whether the journal's file has more entries than that, or can't be read now, whatever was said
    /// of recording them: an act whose checkpoint file could not be replaced may count all the same.
    pub(super) fn may_be_recorded(&self, before: usize) -> bool {
        !Journal::open(&self.store.directory).is_ok_and(|journal| journal.entries().len() == before)
    }

    /// Removes what an act has ended: files of keys and roots that no entry speaks of any more.
    pub(super) fn sweep(&mut self) -> Result<(), Refusal> {
        self.opened.sweep(self.store.ledger.keys.all())?;
        sweep_roots(&self.store).map(drop)
    }

    /// After a switch of generations: goes on with what is in force now, and removes what was.
    pub(super) fn settle(&mut self, resealed: Option<Opened>) -> Result<(), Refusal> {
        if let Some(opened) = resealed {
            self.opened = opened;
        }
        settle_unlocks(&self.store.directory, &self.store.ledger.unlocks)?;
        self.opened.sweep(self.store.ledger.keys.all())?;
        Ok(())
    }

    /// Records events: durable under a signed checkpoint when this returns.
    ///
    /// # Errors
    /// As the journal refuses; then nothing counts as recorded, but for
    /// [`crate::journal::JournalFault::Unfinished`].
    pub fn record(&mut self, events: &[Line]) -> Result<(), Refusal> {
        let entries: &[Entry] = self.store.journal.commit(events, &self.opened, self.now, self.opened.by())?;
        Ok(self.store.ledger.apply(entries)?)
    }
}

/// Finishes what crashed acts began: key files of destroyed keys, blobs no entry names.
fn sweep(store: &Store, opened: &Opened) -> Result<Vec<String>, Refusal> {
    let mut swept = settle_unlocks(&store.directory, &store.ledger.unlocks)?;
    swept.extend(opened.sweep(store.ledger.keys.all())?);
    for below in ["", "journal", "policies", "certificates", "publications", "roots"] {
        store.directory.sweep_partials(below)?;
    }
    // Only what this program itself can have left there: anything else is not ours to remove.
    let newest = store.ledger.publications.newest().map_or(0, |newest| newest.made.seq);
    for name in store.directory.names("publications")? {
        let ours = name.len() == 6 && name.parse::<u64>().is_ok_and(|seq| seq > newest);
        if ours && store.directory.has_folder(&format!("publications/{name}")) {
            store.directory.remove_folder(&format!("publications/{name}"))?;
            swept.push(format!("publications/{name}"));
        }
    }
    for name in store.directory.names("policies")? {
        let Some(digest) = name.strip_suffix(".toml").filter(|digest| digest.len() == 64) else { continue };
        if !store.ledger.policies.all().iter().any(|one| one.applied.sha256 == digest) {
            store.directory.remove_file(&format!("policies/{name}"))?;
            swept.push(format!("policies/{name}"));
        }
    }
    for name in store.directory.names("certificates")? {
        let Some(kid) = name.strip_suffix(".pem") else { continue };
        let orphan = store.ledger.keys.by_kid(kid).is_some() && store.ledger.publications.certificate(kid).is_none();
        if orphan {
            store.directory.remove_file(&format!("certificates/{name}"))?;
            swept.push(format!("certificates/{name}"));
        }
    }
    swept.extend(sweep_roots(store)?);
    Ok(swept)
}

/// Roots and custodians' keys that no entry speaks of.
fn sweep_roots(store: &Store) -> Result<Vec<String>, Refusal> {
    let known = super::root::known_files(store);
    let mut swept = Vec::new();
    for name in store.directory.names("roots")? {
        let file = format!("roots/{name}");
        if super::root::is_ours(&name) && !known.contains(&file) {
            store.directory.remove_file(&file)?;
            swept.push(file);
        }
    }
    Ok(swept)
}
