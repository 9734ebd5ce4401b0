//! `backup restore`: a store from a backup, in a new epoch.

use super::checked::Backup;
use super::fault::BackupDenied;
use super::outlook::Outlook;
use super::record::{EpochStarted, LAST_PUBLICATION, PUBLICATION_GAP};
use crate::acts::{ClockDenied, RELEASED, Session, Store, files, init};
use crate::journal::{self, Event, hex};
use crate::keystore;
use crate::refusal::Refusal;
use crate::storage::Directory;
use std::path::{Path, PathBuf};

/// What a restore is to do.
pub struct Request<'a> {
    /// From what.
    pub backup: &'a Backup,
    /// Where to; nothing but an empty directory may be there.
    pub place: &'a Path,
    /// What is known from outside.
    pub outlook: &'a Outlook,
    /// Whether known losses are taken.
    pub accept_fork: bool,
    /// Why, in the operator's words.
    pub reason: Option<&'a str>,
    /// Seconds since the epoch.
    pub now: u64,
}

/// What a restore did.
pub struct Restored {
    /// The store.
    pub store: Store,
    /// As journalled.
    pub epoch: EpochStarted,
    /// By how many seconds the clock is behind the journal, where that is more than acts go by.
    pub behind: Option<u64>,
    /// What killed restores had left beside the place, and this one removed.
    pub swept: Vec<PathBuf>,
}

/// Restores a store beside its place, starts a new epoch in its journal, and renames it: it appears
/// whole or not at all. A clock behind the journal is no obstacle: whether it is wrong now, or was
/// when the backup was made, is settled in the restored store, whose acts are refused until then.
///
/// # Errors
/// [`BackupDenied::Fork`], [`crate::acts::Denied`], or as the clock or the system refuses; then
/// nothing has appeared.
pub fn restore(request: &Request<'_>) -> Result<Restored, Refusal> {
    init::check_place(request.place)?;
    if request.now < RELEASED {
        return Err(ClockDenied::BeforeRelease { now: request.now }.into());
    }
    let outlook = request.outlook;
    if (outlook.lost > 0 || outlook.unknown_publication.is_some()) && !request.accept_fork {
        return Err(BackupDenied::Fork {
            lost: outlook.lost,
            published: outlook.unknown_publication,
            publications_unknown: outlook.publications_unknown(),
        }
        .into());
    }
    let epoch = epoch(request)?;
    let swept = Directory::sweep_beside(request.place)?;
    let mark = hex(&*keystore::random::<6>()?);
    let (directory, lock) = Directory::create_beside(request.place, &mark)?;
    // Held until it has its name, or nothing is left of it.
    let _lock = lock;
    match fill(&directory, request, &epoch).and_then(|session| Ok((directory.rename_to(request.place)?, session))) {
        Ok((directory, _session)) => {
            let store = Store::read(directory)?;
            let behind = store.journal().newest_time().saturating_sub(request.now);
            let behind = (behind > store.skew()).then_some(behind);
            Ok(Restored { store, epoch, behind, swept })
        }
        Err(refusal) => {
            directory.discard();
            Err(refusal)
        }
    }
}

/// Writes the store's files, each durable, and records the epoch. The session that comes back holds
/// the lock until the store has its name.
fn fill(directory: &Directory, request: &Request<'_>, epoch: &EpochStarted) -> Result<Session, Refusal> {
    let backup = request.backup;
    // By the journal's digests: what the archive holds besides is not restored.
    let mut files = files::everything(backup.store())?.files;
    files.insert("journal/entries.jsonl".to_owned(), backup.store().journal().committed()?);
    files.insert("journal/checkpoint".to_owned(), backup.store().journal().note().as_bytes().to_vec());
    for (path, bytes) in &files {
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut folder = directory.clone();
        for part in folders.split('/').filter(|part| !part.is_empty()) {
            folder = folder.below(part)?;
        }
        folder.create_file(name, bytes)?;
    }
    // The backup's journal ends before the entry that tells of it: its own time counts too.
    let now = request.now.max(backup.manifest.made);
    let lock = journal::hold(directory)?;
    let mut session = Session::open_with(directory.path(), lock, backup.own.twin()?, now)?;
    session.record(&[epoch.line()])?;
    super::checked::whole(session.store(), session.opened())?;
    Ok(session)
}

fn epoch(request: &Request<'_>) -> Result<EpochStarted, BackupDenied> {
    let (backup, outlook) = (request.backup, request.outlook);
    let ledger = backup.store().ledger();
    let extent = backup.store().journal().extent();
    let newest = ledger.publications.newest().map_or(0, |newest| newest.made.seq);
    let before = ledger.backups.epochs().last().map_or(0, |epoch| epoch.started.publications_from);
    let used = newest.max(before).max(outlook.lost_publication).max(outlook.published.unwrap_or(0));
    // Whoever makes up a backup may write any number into it.
    let publications_from = used.checked_add(PUBLICATION_GAP).filter(|from| *from <= LAST_PUBLICATION);
    Ok(EpochStarted {
        epoch: ledger.backups.epoch().max(outlook.lost_epoch).saturating_add(1),
        size: extent.size,
        root: hex(&extent.root),
        backup: backup.sha256.clone(),
        checkpoint: outlook.seen.as_ref().map(|(note, _)| note.clone()),
        lost: outlook.seen.as_ref().map(|_| outlook.lost),
        published: outlook.published,
        publications_from: publications_from.ok_or(BackupDenied::Numbers { used })?,
        reason: request.reason.map(str::to_owned),
    })
}
