//! `backup …`: one sealed file with everything of a store, and back (backup-v1.md).

mod archive;
mod checked;
mod container;
mod fault;
pub mod outlook;
pub mod record;
pub mod restore;
#[cfg(test)]
mod tests;

pub use archive::ArchiveFault;
pub use checked::{Backup, Comparison, LARGEST};
pub use container::{Header, Manifest, Sealed};
pub use fault::{BackupDenied, NUMBERS_UNKNOWN};

use super::files::{self, Everything};
use super::{Denied, Session, Store};
use crate::journal::{Event, hex, sha256};
use crate::refusal::Refusal;
use crate::storage::{Kind, Outbox};
use container::{Contents, build, file_name};
use record::BackupMade;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How often a name that is taken gets another number.
const ATTEMPTS: u32 = 99;

/// A backup that was made.
pub struct Made {
    /// Where it lies.
    pub path: PathBuf,
    /// As journalled.
    pub made: BackupMade,
    /// How many files of the store are in it.
    pub files: usize,
    /// The newest checkpoint in it.
    pub checkpoint: String,
    /// What lies in the store's folder and is no part of a store.
    pub left_out: Vec<String>,
    /// Publications whose files the store no longer has as they were published.
    pub lacking: Vec<u64>,
    /// Custodians' keys whose files are not those that the journal names.
    pub rewrapped: Vec<String>,
}

/// Makes a backup, reads it back, checks it as a restore would, and records it.
///
/// # Errors
/// [`BackupDenied`], or as the store or the medium refuses; then no file has appeared, unless the
/// journal has it all the same.
pub fn create(session: &mut Session, outbox: &Outbox) -> Result<Made, Refusal> {
    let store = session.store();
    store.refuse_inside(outbox)?;
    let all = checked::whole(store, session.opened())?;
    let (lacking, rewrapped) = (all.lacking.clone(), all.rewrapped.clone());
    let left_out = left_out(store, &all.files)?;
    let contents = contents(session, all)?;
    let (files, size) = (contents.files.len(), contents.size);
    let store_id = contents.store_id.clone();
    let bytes = build(contents)?;
    let file = free_name(outbox, &store_id, size)?;
    let path = outbox.path().join(&file);
    let made = BackupMade { file, sha256: hex(&sha256(&bytes)), bytes: bytes.len() as u64, size };
    outbox.create_file(&made.file, &bytes)?;
    drop(bytes);
    let checkpoint = session.store().journal().note().to_owned();
    let before = session.store().journal().entries().len();
    let recorded = check_written(session, outbox, &path, &made).and_then(|()| session.record(&[made.line()]));
    match recorded {
        Ok(()) => Ok(Made { path, made, files, checkpoint, left_out, lacking, rewrapped }),
        Err(refusal) => {
            // What the journal speaks of stays.
            if !session.may_be_recorded(before) {
                outbox.remove(&made.file);
            }
            Err(refusal)
        }
    }
}

fn check_written(session: &Session, outbox: &Outbox, path: &std::path::Path, made: &BackupMade) -> Result<(), Refusal> {
    let bytes = outbox.read_back(&made.file, LARGEST)?;
    if hex(&sha256(&bytes)) != made.sha256 {
        return Err(BackupDenied::ReadBack(path.to_owned()).into());
    }
    let opened = session.opened();
    let sealed = Sealed::read(path, &bytes)?;
    Backup::open_with(path, &bytes, &sealed, opened.own().twin()?).map(|_| ())
}

fn free_name(outbox: &Outbox, store_id: &str, size: u64) -> Result<String, Refusal> {
    let mut attempt = 1;
    loop {
        let name = file_name(store_id, size, attempt);
        match outbox.refuse_taken(std::slice::from_ref(&name)) {
            Ok(()) => return Ok(name),
            Err(fault) if attempt == ATTEMPTS => return Err(fault.into()),
            Err(_) => attempt += 1,
        }
    }
}

/// Everything of the store, as it is under the lock: each file read once, and those that its journal
/// names.
fn contents(session: &Session, all: Everything) -> Result<Contents, Refusal> {
    let store = session.store();
    let mut files = all.files;
    let mut unlocks = Vec::new();
    let mut recipients = Vec::new();
    for unlock in store.ledger().unlocks.all() {
        let file = files::unlock_file(&unlock.name);
        let bytes = files.get(&file).cloned();
        unlocks.push((unlock.name.clone(), bytes.ok_or(Denied::Damaged { file, what: "it is gone".to_owned() })?));
        recipients.push(unlock.recipient.clone());
    }
    files.insert("journal/entries.jsonl".to_owned(), store.journal().committed()?);
    files.insert("journal/checkpoint".to_owned(), store.journal().note().as_bytes().to_vec());
    Ok(Contents {
        store_id: store.sheet().store_id.clone(),
        size: store.journal().extent().size,
        made: session.now(),
        by: session.opened().by().to_owned(),
        unlocks,
        recipients,
        files,
    })
}

/// What lies in the store's folder and is no part of the store.
fn left_out(store: &Store, taken: &BTreeMap<String, Vec<u8>>) -> Result<Vec<String>, Refusal> {
    let mut left_out = Vec::new();
    for found in store.directory().inventory()? {
        let path = found.path.as_str();
        let hidden = path.split('/').any(|part| part.starts_with('.') || part.ends_with(".partial"));
        let own = |folder: &str| path.starts_with(folder);
        if found.kind == Kind::Folder || hidden || taken.contains_key(path) {
            continue;
        }
        // What was put aside is named by `store check`; an unlock's next file is its file.
        if !own("journal/") && !own("quarantine/") && !path.ends_with(".next.age") {
            left_out.push(found.path);
        }
    }
    Ok(left_out)
}
