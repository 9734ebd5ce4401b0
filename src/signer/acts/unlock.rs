//! `unlock …`: who can open the store.
//!
//! Every change goes the same way (store-v1.md): what is new is made durable beside what is in
//! force and read back, one group of journal entries switches, then what was is removed.

use super::init::check_unlock_name;
use super::{Session, Store};
use crate::journal::{Event, Line};
use crate::keystore::{
    self, KeyRecord, Opened, Passphrase, Resealed, SealGeneration, UnlockChanged, UnlockRemoved, UnlockRewrapped,
    Unlocks, WrappedUnlock,
};
use crate::refusal::{Refusal, Refuse};
use crate::storage::{Lock, StorageFault};
use std::path::Path;

/// Why the ways to open the store stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum UnlockDenied {
    /// There is one of that name.
    #[error("there is an unlock {0} already")]
    Exists(String),
    /// Everything is sealed for each of them.
    #[error("there are {0} unlocks already, as many as there can be")]
    TooMany(usize),
    /// Nothing would open the store any more.
    #[error("{0} is the only unlock: without it nothing opens this store")]
    Last(String),
    /// Removed by itself: nobody would have shown that another one works.
    #[error("unlock {name} can't be removed by itself")]
    Own {
        /// The unlock.
        name: String,
        /// Another one.
        other: String,
    },
    /// Only its own identity can be wrapped again.
    #[error("the identity of unlock {0} can only be wrapped again by itself")]
    RewrapOther(String),
    /// The new passphrase is the old one.
    #[error("the new passphrase of unlock {0} is its old one")]
    Same(String),
    /// In force, or it may be, but not all of it could be done.
    #[error("the unlocks are changed, but the act could not be finished: {0}")]
    Unfinished(String),
}

impl Refuse for UnlockDenied {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::Exists(_) => "UNLOCK-EXISTS",
            Self::TooMany(_) => "UNLOCK-MANY",
            Self::Last(_) => "UNLOCK-LAST",
            Self::Own { .. } => "UNLOCK-OWN",
            Self::RewrapOther(_) => "UNLOCK-REWRAP",
            Self::Same(_) => "UNLOCK-SAME",
            Self::Unfinished(_) => "UNLOCK-UNFINISHED",
        })
    }

    fn why(&self) -> Vec<String> {
        let nothing = "nothing was done".to_owned();
        match self {
            Self::Own { .. } => {
                vec!["another one has to open the store first, which shows that it can".to_owned(), nothing]
            }
            Self::Same(_) => vec!["whoever knows it would know the new one".to_owned(), nothing],
            Self::RewrapOther(_) => {
                vec!["without --rewrap-only everything is sealed anew, by any unlock".to_owned(), nothing]
            }
            Self::Unfinished(_) => vec![
                "the new set of unlocks opens the store from now on; the next act finishes the rest".to_owned(),
                "what the old set opens may still be on the disk".to_owned(),
            ],
            Self::Exists(_) | Self::TooMany(_) | Self::Last(_) => vec![nothing],
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Exists(name) => format!("coldsign unlock change {name}"),
            Self::TooMany(_) => "coldsign unlock list".to_owned(),
            Self::Last(_) => "coldsign unlock add NAME".to_owned(),
            Self::Own { name, other } => format!("coldsign --unlock {other} unlock remove {name}"),
            Self::RewrapOther(name) => format!("coldsign --unlock {name} unlock change {name} --rewrap-only"),
            Self::Unfinished(_) => "coldsign unlock list".to_owned(),
            Self::Same(_) => return None,
        })
    }
}

/// How a passphrase is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// A new identity, and everything sealed anew.
    Reseal,
    /// The unlock's own identity, wrapped again: who has a copy of the old file still has it.
    RewrapOnly,
}

/// Refuses a name that can't be added, before anybody is asked for anything.
///
/// # Errors
/// [`UnlockDenied::Exists`], [`super::Denied::UnlockName`].
pub fn check_add(store: &Store, name: &str) -> Result<(), Refusal> {
    if name != Unlocks::RECOVERY {
        check_unlock_name(name)?;
    }
    match store.ledger().unlocks.find(name) {
        Ok(_) => Err(UnlockDenied::Exists(name.to_owned()).into()),
        Err(_) if store.ledger().unlocks.all().len() >= Unlocks::MOST => {
            Err(UnlockDenied::TooMany(Unlocks::MOST).into())
        }
        Err(_) => Ok(()),
    }
}

/// Refuses a change that can't be, before anybody is asked for anything; `by` opens the store.
///
/// # Errors
/// [`crate::keystore::KeystoreFault::NoSuchUnlock`], [`UnlockDenied::RewrapOther`].
pub fn check_change(store: &Store, name: &str, depth: Depth, by: &str) -> Result<(), Refusal> {
    store.ledger().unlocks.find(name)?;
    if depth == Depth::RewrapOnly && by != name {
        return Err(UnlockDenied::RewrapOther(name.to_owned()).into());
    }
    Ok(())
}

/// Refuses a removal that can't be, before anybody is asked for anything; `by` opens the store.
///
/// # Errors
/// [`crate::keystore::KeystoreFault::NoSuchUnlock`], [`UnlockDenied::Last`], [`UnlockDenied::Own`].
pub fn check_remove(store: &Store, name: &str, by: &str) -> Result<(), Refusal> {
    let unlocks = &store.ledger().unlocks;
    unlocks.find(name)?;
    match unlocks.other_than(name) {
        None => Err(UnlockDenied::Last(name.to_owned()).into()),
        Some(other) if by == name => Err(UnlockDenied::Own { name: name.to_owned(), other: other.to_owned() }.into()),
        Some(_) => Ok(()),
    }
}

/// Makes another way to open the store.
///
/// # Errors
/// As [`check_add`], or as the store refuses.
pub fn add(session: &mut Session, name: &str, passphrase: &Passphrase) -> Result<(), Refusal> {
    check_add(session.store(), name)?;
    let staged = Staged::add(session, name, passphrase);
    Staged::or_discard(staged, session, name)?.switch(session)
}

/// Gives an unlock a new passphrase.
///
/// # Errors
/// As [`check_change`]; [`UnlockDenied::Same`]; or as the store refuses.
pub fn change(session: &mut Session, name: &str, passphrase: &Passphrase, depth: Depth) -> Result<(), Refusal> {
    check_change(session.store(), name, depth, session.opened().by())?;
    let store = session.store();
    let unlocks = &store.ledger().unlocks;
    if keystore::unlock_opens(store.directory(), unlocks.find(name)?, passphrase) {
        return Err(UnlockDenied::Same(name.to_owned()).into());
    }
    let staged = match depth {
        Depth::Reseal => Staged::change(session, name, passphrase),
        Depth::RewrapOnly => Staged::rewrap(session, passphrase),
    };
    Staged::or_discard(staged, session, name)?.switch(session)
}

/// Ends a way to open the store.
///
/// # Errors
/// As [`check_remove`], or as the store refuses.
pub fn remove(session: &mut Session, name: &str) -> Result<(), Refusal> {
    check_remove(session.store(), name, session.opened().by())?;
    let staged = Staged::remove(session, name);
    Staged::or_discard(staged, session, name)?.switch(session)
}

/// What is durable beside what is in force, and the entries that put it in force.
struct Staged {
    lines: Vec<Line>,
    opened: Option<Opened>,
}

impl Staged {
    fn add(session: &Session, name: &str, passphrase: &Passphrase) -> Result<Self, Refusal> {
        let new = stage_file(session, name, passphrase)?;
        let mut recipients = recipients(session, name);
        recipients.push(new.recipient());
        Self::resealed(session, new.added().line(), &recipients, Some(&new))
    }

    fn change(session: &Session, name: &str, passphrase: &Passphrase) -> Result<Self, Refusal> {
        let new = stage_file(session, name, passphrase)?;
        let mut recipients = recipients(session, name);
        recipients.push(new.recipient());
        let line = UnlockChanged {
            name: new.name.clone(),
            recipient: new.recipient(),
            kdf_log_n: new.kdf_log_n,
            sha256: new.sha256.clone(),
        };
        Self::resealed(session, line.line(), &recipients, Some(&new))
    }

    fn rewrap(session: &Session, passphrase: &Passphrase) -> Result<Self, Refusal> {
        let cost = session.store().ledger().unlocks.cost()?;
        let new = session.opened().rewrap(passphrase, cost)?;
        let line = UnlockRewrapped { name: new.name, kdf_log_n: new.kdf_log_n, sha256: new.sha256 };
        Ok(Self { lines: vec![line.line()], opened: None })
    }

    fn remove(session: &Session, name: &str) -> Result<Self, Refusal> {
        let line = UnlockRemoved { name: name.to_owned() }.line();
        Self::resealed(session, line, &recipients(session, name), None)
    }

    fn resealed(
        session: &Session,
        line: Line,
        recipients: &[String],
        new: Option<&WrappedUnlock>,
    ) -> Result<Self, Refusal> {
        let store = session.store();
        let Resealed { generation, sha256, opened } =
            session.opened().reseal(store.journal(), store.ledger().keys.all(), recipients, new)?;
        let lines = vec![line, SealGeneration { generation, sha256 }.line()];
        Ok(Self { lines, opened: Some(opened) })
    }

    /// What could not be made durable whole is taken back.
    fn or_discard(staged: Result<Self, Refusal>, session: &Session, name: &str) -> Result<Self, Refusal> {
        staged.inspect_err(|_| discard(session, name))
    }

    /// The switch, and what comes after it.
    fn switch(self, session: &mut Session) -> Result<(), Refusal> {
        self.record(session)?;
        session.settle(self.opened).map_err(unfinished)
    }

    fn record(&self, session: &mut Session) -> Result<(), Refusal> {
        let before = session.store().journal().entries().len();
        session.record(&self.lines).map_err(|refusal| {
            // Whether the journal has them all the same is for its file to say; so nothing is taken
            // back here: the next act keeps what the journal names and removes the rest.
            if session.may_be_recorded(before) { unfinished(refusal) } else { refusal }
        })
    }
}

fn stage_file(session: &Session, name: &str, passphrase: &Passphrase) -> Result<WrappedUnlock, Refusal> {
    let store = session.store();
    let cost = store.ledger().unlocks.cost()?;
    Ok(keystore::stage_unlock(store.directory(), name, passphrase, cost)?)
}

/// The recipients of all unlocks but one.
fn recipients(session: &Session, but: &str) -> Vec<String> {
    let unlocks = session.store().ledger().unlocks.all().iter();
    unlocks.filter(|unlock| unlock.name != but).map(|unlock| unlock.recipient.clone()).collect()
}

fn discard(session: &Session, name: &str) {
    keystore::discard_unlock(session.store().directory(), name);
    session.opened().discard_resealed();
}

fn unfinished(refusal: Refusal) -> Refusal {
    UnlockDenied::Unfinished(refusal.to_string()).into()
}

/// Opens the store with an unlock and every private key in it; says which keys. Changes nothing.
///
/// # Errors
/// As opening refuses, or for the first key that can't be reached.
pub fn test(path: &Path, name: &str, passphrase: &Passphrase) -> Result<Vec<KeyRecord>, Refusal> {
    let before = Store::open(path)?;
    // Where nobody can write, nobody else is at work.
    let _lock = match Lock::take(before.directory()) {
        Err(StorageFault::System { source, .. }) if source.kind() == std::io::ErrorKind::ReadOnlyFilesystem => None,
        taken => Some(taken?),
    };
    let store = Store::open(path)?;
    let unlocks = &store.ledger().unlocks;
    let opened = Opened::open(store.directory(), store.journal(), unlocks, name, passphrase)?;
    let reached = opened.load_all(store.ledger().keys.all())?;
    Ok(reached.into_iter().cloned().collect())
}

#[cfg(test)]
mod tests;
