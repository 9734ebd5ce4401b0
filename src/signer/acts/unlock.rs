//! `unlock …`: who can open the store.
//!
//! Every change goes the same way (store-v1.md): what is new is made durable beside what is in
//! force and read back, one group of journal entries switches, then what was is removed.

use super::init::check_unlock_name;
use super::{Session, Store, Unlocked};
use crate::journal::{self, Event, Line};
use crate::keystore::{
    self, Anchor, KeyDestroyed, KeyGenerated, KeyRecord, KeystoreFault, NextGeneration, Opened, Passphrase, Purpose,
    Resealed, RsaBits, SealGeneration, SecretKey, UnlockChanged, UnlockRemoved, UnlockRewrapped, Unlocks,
    WrappedUnlock, sealed_name,
};
use crate::refusal::{Refusal, Refuse};
use crate::storage::StorageFault;
use coldsign_verify::Algorithm;
use std::path::Path;

/// The keyset of the journal's own keys.
const JOURNAL: &str = "journal";

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

/// Refuses what can't name an unlock.
///
/// # Errors
/// [`super::Denied::UnlockName`].
pub fn check_name(name: &str) -> Result<(), Refusal> {
    if name == Unlocks::RECOVERY { Ok(()) } else { Ok(check_unlock_name(name)?) }
}

/// Refuses a name that can't be added.
///
/// # Errors
/// [`UnlockDenied::Exists`], [`super::Denied::UnlockName`].
pub fn check_add(store: &Store, name: &str) -> Result<(), Refusal> {
    check_name(name)?;
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

/// Gives an unlock a new passphrase, and the journal a new key (not where it is only wrapped again).
/// `own` is the passphrase of the unlock that opened the store: its file names the new key at once.
///
/// # Errors
/// As [`check_change`]; [`UnlockDenied::Same`]; or as the store refuses.
pub fn change(
    session: &mut Session,
    name: &str,
    passphrase: &Passphrase,
    depth: Depth,
    own: Option<&Passphrase>,
) -> Result<(), Refusal> {
    check_change(session.store(), name, depth, session.opened().by())?;
    let store = session.store();
    let unlocks = &store.ledger().unlocks;
    if keystore::unlock_opens(store.directory(), unlocks.find(name)?, passphrase) {
        return Err(UnlockDenied::Same(name.to_owned()).into());
    }
    let staged = match depth {
        Depth::Reseal => Staged::change(session, name, passphrase, own),
        Depth::RewrapOnly => Staged::rewrap(session, passphrase),
    };
    Staged::or_discard(staged, session, name)?.switch(session)
}

/// Ends a way to open the store, and gives the journal a new key. `own` as in [`change`].
///
/// # Errors
/// As [`check_remove`], or as the store refuses.
pub fn remove(session: &mut Session, name: &str, own: Option<&Passphrase>) -> Result<(), Refusal> {
    check_remove(session.store(), name, session.opened().by())?;
    let staged = Staged::remove(session, name, own);
    Staged::or_discard(staged, session, name)?.switch(session)
}

/// What is durable beside what is in force, and the entries that put it in force.
struct Staged {
    lines: Vec<Line>,
    opened: Option<Opened>,
    /// Whether the journal's key is replaced by the one that `opened` has.
    rekeyed: bool,
}

impl Staged {
    fn add(session: &Session, name: &str, passphrase: &Passphrase) -> Result<Self, Refusal> {
        let anchor = Anchor::now(session.store().journal());
        let new = stage_file(session, name, passphrase, &anchor)?;
        let mut recipients = recipients(session, name);
        recipients.push(new.recipient());
        let next = NextGeneration { recipients, new: vec![&new], journal_key: None };
        Self::resealed(session, vec![new.added().line()], next)
    }

    fn change(
        session: &Session,
        name: &str,
        passphrase: &Passphrase,
        own: Option<&Passphrase>,
    ) -> Result<Self, Refusal> {
        let (journal_key, anchor) = next_journal_key(session)?;
        let new = stage_file(session, name, passphrase, &anchor)?;
        let own = stage_own(session, name, own, &anchor)?;
        let mut recipients = recipients(session, name);
        recipients.push(new.recipient());
        let line = UnlockChanged {
            name: new.name.clone(),
            recipient: new.recipient(),
            kdf_log_n: new.kdf_log_n,
            sha256: new.sha256.clone(),
            journal_key: new.journal_key(),
        };
        let mut lines = vec![line.line()];
        lines.extend(own.iter().map(|own| own.anchored().line()));
        let new = std::iter::once(&new).chain(&own).collect();
        Self::resealed(session, lines, NextGeneration { recipients, new, journal_key: Some(journal_key) })
    }

    fn rewrap(session: &Session, passphrase: &Passphrase) -> Result<Self, Refusal> {
        let store = session.store();
        let cost = store.ledger().unlocks.cost()?;
        let new = session.opened().rewrap(passphrase, cost, Anchor::now(store.journal()))?;
        let journal_key = new.journal_key();
        let line = UnlockRewrapped { name: new.name, kdf_log_n: new.kdf_log_n, sha256: new.sha256, journal_key };
        Ok(Self { lines: vec![line.line()], opened: None, rekeyed: false })
    }

    fn remove(session: &Session, name: &str, own: Option<&Passphrase>) -> Result<Self, Refusal> {
        let (journal_key, anchor) = next_journal_key(session)?;
        let own = stage_own(session, name, own, &anchor)?;
        let mut lines = vec![UnlockRemoved { name: name.to_owned() }.line()];
        lines.extend(own.iter().map(|own| own.anchored().line()));
        let recipients = recipients(session, name);
        let new = own.iter().collect();
        Self::resealed(session, lines, NextGeneration { recipients, new, journal_key: Some(journal_key) })
    }

    fn resealed(session: &Session, mut lines: Vec<Line>, next: NextGeneration<'_>) -> Result<Self, Refusal> {
        let store = session.store();
        let keys = &store.ledger().keys;
        let rekeyed = next.journal_key.is_some();
        let Resealed { generation, files, opened } = session.opened().reseal(store.kept(), next)?;
        if rekeyed {
            let (before, key) = (session.opened().journal_key().kid(), opened.journal_key());
            let made = KeyGenerated {
                keyset: JOURNAL.to_owned(),
                number: keys.next_number(JOURNAL),
                purpose: Purpose::Journal,
                kid: key.kid().to_owned(),
                jwk: key.public().to_jwk(key.kid()),
                state: "active".to_owned(),
                sha256: files.get(&sealed_name(key.kid())).cloned().unwrap_or_default(),
                elsewhere: false,
            };
            lines.extend([made.line(), KeyDestroyed { kid: before.to_owned(), reason: None }.line()]);
        }
        lines.push(SealGeneration { generation, files }.line());
        Ok(Self { lines, opened: Some(opened), rekeyed })
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
        let recorded = match &self.opened {
            Some(next) if self.rekeyed => session.record_rekeyed(&self.lines, next),
            _ => session.record(&self.lines),
        };
        recorded.map_err(|refusal| {
            // Whether the journal has them all the same is for its file to say; so nothing is taken
            // back here: the next act keeps what the journal names and removes the rest.
            if session.may_be_recorded(before) { unfinished(refusal) } else { refusal }
        })
    }
}

/// The journal's next key, and what the unlocks' files that are made with it name.
fn next_journal_key(session: &Session) -> Result<(SecretKey, Anchor), Refusal> {
    let key = SecretKey::generate(Algorithm::EdDsa, RsaBits::Two)?;
    let public = key.ed25519_public().ok_or(KeystoreFault::Operation("reading the journal key"))?;
    Ok((key, Anchor::now(session.store().journal()).under(public)))
}

fn stage_file(
    session: &Session,
    name: &str,
    passphrase: &Passphrase,
    anchor: &Anchor,
) -> Result<WrappedUnlock, Refusal> {
    let store = session.store();
    let cost = store.ledger().unlocks.cost()?;
    Ok(keystore::stage_unlock(store.directory(), name, passphrase, cost, anchor)?)
}

/// The file of the unlock that opened the store, with the new anchor: unless it is the one that is
/// changed, or its passphrase is not at hand.
fn stage_own(
    session: &Session,
    changed: &str,
    own: Option<&Passphrase>,
    anchor: &Anchor,
) -> Result<Option<WrappedUnlock>, Refusal> {
    let opened = session.opened();
    let Some(passphrase) = own.filter(|_| opened.by() != changed) else { return Ok(None) };
    let cost = session.store().ledger().unlocks.cost()?;
    Ok(Some(opened.rewrap(passphrase, cost, anchor.clone())?))
}

/// The recipients of all unlocks but one.
fn recipients(session: &Session, but: &str) -> Vec<String> {
    let unlocks = session.store().ledger().unlocks.all().iter();
    unlocks.filter(|unlock| unlock.name != but).map(|unlock| unlock.recipient.clone()).collect()
}

fn discard(session: &Session, name: &str) {
    for name in [name, session.opened().by()] {
        keystore::discard_unlock(session.store().directory(), name);
    }
    session.opened().discard_resealed();
}

fn unfinished(refusal: Refusal) -> Refusal {
    UnlockDenied::Unfinished(refusal.to_string()).into()
}

/// What status says of unlocks whose own file is not up to date, with the command for the first.
pub(super) fn todo(store: &Store) -> Option<(String, String)> {
    let behind = store.unlocks_behind();
    let first = behind.first()?;
    let what = format!("unlock files out of date, since an unlock was changed or removed: {}", behind.join(", "));
    Some((what, format!("coldsign unlock refresh {first}")))
}

/// Opens the store with an unlock and every private key in it; says which keys. Changes nothing.
///
/// # Errors
/// As opening refuses, or for the first key that can't be reached.
pub fn test(path: &Path, name: &str, passphrase: &Passphrase) -> Result<Vec<KeyRecord>, Refusal> {
    let before = Store::open(path)?;
    // Where nobody can write, nobody else is at work.
    let _lock = match journal::hold(before.directory()) {
        Err(StorageFault::System { source, .. }) if source.kind() == std::io::ErrorKind::ReadOnlyFilesystem => None,
        taken => Some(taken?),
    };
    let unlocked = Unlocked::open(path, Some(name), passphrase)?;
    let reached = unlocked.opened().load_all(unlocked.store().ledger().keys.all())?;
    Ok(reached.into_iter().cloned().collect())
}

#[cfg(test)]
mod tests;
