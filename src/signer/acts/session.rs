//! A store that a passphrase has opened, and a session for changing it.
//!
//! First the passphrase: whatever is planned, shown and asked rests on a journal that the unlock's own
//! file vouches for. Then the lock: what was added meanwhile is known, and can be shown.

use super::clock::act_time;
use super::sweep::{Swept, sweep};
use super::{ClockDenied, Denied, Store};
use crate::journal::{self, Entry, Event, Journal, JournalFault, Line};
use crate::keystore::{Anchor, NewKey, Opened, OwnUnlock, Passphrase, settle_unlocks};
use crate::refusal::Refusal;
use crate::storage::{Directory, Lock};
use coldsign_verify::base64url;
use std::path::{Path, PathBuf};

/// A store that an unlock has opened and vouches for, without its lock.
pub struct Unlocked {
    path: PathBuf,
    store: Store,
    opened: Opened,
}

/// A store under its lock, with its secrets opened and the time fixed.
pub struct Session {
    store: Store,
    opened: Opened,
    now: u64,
    swept: Swept,
    meanwhile: Vec<Entry>,
    _lock: Lock,
}

impl Unlocked {
    /// Reads a store, opens it with one unlock and holds it against what that unlock's file vouches for.
    ///
    /// # Errors
    /// As [`Store::open`] and [`Opened::open`].
    pub fn open(path: &Path, unlock: Option<&str>, passphrase: &Passphrase) -> Result<Self, Refusal> {
        Self::with(path, |store| {
            let unlock = store.unlock_name(unlock)?;
            Ok(Opened::open(store.kept(), &unlock, passphrase)?)
        })
    }

    fn with(path: &Path, open: impl FnOnce(&Store) -> Result<Opened, Refusal>) -> Result<Self, Refusal> {
        let store = Store::open(path)?;
        let opened = open(&store)?;
        // Now the keys are in memory too.
        crate::storage::lock_memory();
        Ok(Self { path: path.to_owned(), store: store.vouched_by(&opened), opened })
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The same, without the secrets.
    pub fn into_store(self) -> Store {
        self.store
    }

    /// Its secrets.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Takes the lock for an act at this time, by the machine's clock. The passphrase brings the
    /// unlock's file up to date where the journal's key was replaced since.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn begin(self, passphrase: &Passphrase, now: u64) -> Result<Session, Refusal> {
        self.begin_at(Some(passphrase), |store| act_time(now, store.journal().newest_time(), store.skew()))
    }

    pub(super) fn begin_at(
        self,
        passphrase: Option<&Passphrase>,
        clock: impl FnOnce(&Store) -> Result<u64, ClockDenied>,
    ) -> Result<Session, Refusal> {
        let lock = journal::hold(&Directory::open(&self.path)?)?;
        self.locked(lock, passphrase, clock)
    }

    fn locked(
        self,
        lock: Lock,
        passphrase: Option<&Passphrase>,
        clock: impl FnOnce(&Store) -> Result<u64, ClockDenied>,
    ) -> Result<Session, Refusal> {
        let before = self.store.journal();
        let planned = before.entries().len();
        // What is staged by the opened keys is finished by the session: one directory for both.
        let store = Store::read(self.store.directory().holding(&lock))?;
        let (was, is) = (before.extent(), store.journal().extent());
        let goes_on = if was == is { true } else { store.journal().root_of_first(was.size)? == Some(was.root) };
        let unlock = |store: &Store| store.ledger().unlocks.find(self.opened.by()).map(|unlock| unlock.sha256.clone());
        if !goes_on {
            return Err(Denied::Exchanged(self.path).into());
        }
        if unlock(&store)? != unlock(&self.store)? {
            return Err(Denied::UnlockChanged(self.opened.by().to_owned()).into());
        }
        let opened = if was == is { self.opened } else { Opened::open_with(store.kept(), self.opened.own().twin()?)? };
        let mut store = store.vouched_by(&opened);
        let now = clock(&store)?;
        store.journal.roll_forward()?;
        let swept = sweep(&store)?;
        let meanwhile = store.journal().entries().get(planned..).unwrap_or_default().to_vec();
        let mut session = Session { store, opened, now, swept, meanwhile, _lock: lock };
        if let Some(passphrase) = passphrase {
            session.bring_up_to_date(passphrase)?;
        }
        Ok(session)
    }
}

impl Session {
    /// Opens a store with one unlock, takes its lock, checks the clock, and finishes what a crash left.
    ///
    /// # Errors
    /// As [`Unlocked::open`] and [`Unlocked::begin`]: where another act is at work, where the clock is
    /// wrong, or where the store is not the one that was opened.
    pub fn open(path: &Path, unlock: Option<&str>, passphrase: &Passphrase, now: u64) -> Result<Self, Refusal> {
        Unlocked::open(path, unlock, passphrase)?.begin(passphrase, now)
    }

    /// As [`Session::open`], with the lock that was taken, an unlock's own file opened before, and a
    /// time against which the journal's newest one is not held.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub(super) fn open_with(path: &Path, lock: Lock, own: OwnUnlock, now: u64) -> Result<Self, Refusal> {
        let unlocked = Unlocked::with(path, |store| Ok(Opened::open_with(store.kept(), own)?))?;
        unlocked.locked(lock, None, |store| Ok(now.max(store.journal().newest_time())))
    }

    pub(super) fn of_new_store(store: Store, opened: Opened, now: u64, lock: Lock) -> Self {
        let store = store.vouched_by(&opened);
        Self { store, opened, now, swept: Swept::default(), meanwhile: Vec::new(), _lock: lock }
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

    /// What an interrupted act had left, and what nobody knows.
    pub fn swept(&self) -> &Swept {
        &self.swept
    }

    /// What other acts recorded between the store's opening and its lock: whatever was planned before
    /// may have changed.
    pub fn meanwhile(&self) -> &[Entry] {
        &self.meanwhile
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
        !Journal::open(self.store.directory()).is_ok_and(|journal| journal.entries().len() == before)
    }

    /// Removes what an act has ended: files of keys and roots, and a generation that was replaced.
    pub(super) fn sweep(&mut self) -> Result<(), Refusal> {
        sweep(&self.store).map(drop)
    }

    /// After a switch of generations: goes on with what is in force now, and removes what was.
    pub(super) fn settle(&mut self, resealed: Option<Opened>) -> Result<(), Refusal> {
        if let Some(opened) = resealed {
            self.opened = opened;
        }
        settle_unlocks(self.store.directory(), &self.store.ledger().unlocks)?;
        self.sweep()
    }

    /// Records events: durable under a signed checkpoint when this returns, and the files that they
    /// name under their final names.
    ///
    /// # Errors
    /// As the journal refuses; then nothing counts as recorded, but for
    /// [`crate::journal::JournalFault::Unfinished`].
    pub fn record(&mut self, events: &[Line]) -> Result<(), Refusal> {
        let recorded = self.store.record(events, &self.opened, self.now);
        self.finish(recorded)
    }

    /// As [`Session::record`], with the key of `next` as the journal's from now on.
    pub(super) fn record_rekeyed(&mut self, events: &[Line], next: &Opened) -> Result<(), Refusal> {
        let recorded = self.store.record_rekeyed(events, &self.opened, next, self.now);
        self.finish(recorded)
    }

    fn finish(&self, recorded: Result<(), Refusal>) -> Result<(), Refusal> {
        let directory = self.store.directory();
        recorded.inspect_err(|_| directory.forget_staged())?;
        directory.finish_staged().map_err(|fault| JournalFault::Unfinished(fault).into())
    }

    /// The unlock's own file names the journal's present key from now on: what somebody knew of an
    /// older one deceives nobody who opens with it.
    fn bring_up_to_date(&mut self, passphrase: &Passphrase) -> Result<(), Refusal> {
        let unlocks = &self.store.ledger().unlocks;
        let present = base64url::encode(&self.store.journal().key());
        if unlocks.find(self.opened.by())?.journal_key == present {
            return Ok(());
        }
        let anchor = Anchor::now(self.store.journal());
        let new = self.opened.rewrap(passphrase, unlocks.cost()?, anchor)?;
        self.record(&[new.anchored().line()])?;
        settle_unlocks(self.store.directory(), &self.store.ledger().unlocks)?;
        Ok(())
    }
}
