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

use super::{Denied, Session, Store};
use crate::journal::{Event, hex, sha256};
use crate::refusal::Refusal;
use crate::storage::Outbox;
use container::{Contents, build, file_name};
use record::BackupMade;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How often a name that is taken gets another number.
const ATTEMPTS: u32 = 99;
/// The largest single file of a store but for its journal.
const LARGEST_FILE: u64 = 16 << 20;
/// Folders of a store that are taken whole.
const FOLDERS: [&str; 4] = ["policies", "roots", "certificates", "publications"];

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
}

/// Makes a backup, reads it back, checks it as a restore would, and records it.
///
/// # Errors
/// [`BackupDenied`], or as the store or the medium refuses; then no file has appeared, unless the
/// journal has it all the same.
pub fn create(session: &mut Session, outbox: &Outbox) -> Result<Made, Refusal> {
    let store = session.store();
    store.refuse_inside(outbox)?;
    let lacking = checked::whole(store, session.opened())?;
    let (contents, left_out) = contents(session)?;
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
        Ok(()) => Ok(Made { path, made, files, checkpoint, left_out, lacking }),
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
    Backup::open_with(path, &bytes, &sealed, opened.by(), opened.identity().twin()?).map(|_| ())
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

/// Everything of the store, as it is under the lock, and what else lies in its folder.
fn contents(session: &Session) -> Result<(Contents, Vec<String>), Refusal> {
    let store = session.store();
    let directory = store.directory();
    let mut files = BTreeMap::new();
    let mut left_out = Vec::new();
    for name in directory.names("")? {
        match name.as_str() {
            "store.json" | "policy.toml" => {
                files.insert(name.clone(), directory.read(&name, LARGEST_FILE)?);
            }
            folder if FOLDERS.contains(&folder) => {
                for (path, bytes) in directory.read_folder(folder, LARGEST_FILE)? {
                    let path = format!("{folder}/{path}");
                    match archive::is_path(&path) {
                        true => drop(files.insert(path, bytes)),
                        false => left_out.push(path),
                    }
                }
            }
            "unlock" | "sealed" | "journal" => {}
            other if other.starts_with('.') => {}
            _ => left_out.push(name),
        }
    }
    let sealed = format!("sealed/{}", store.ledger().unlocks.generation());
    for name in directory.names(&sealed)?.into_iter().filter(|name| !name.starts_with('.')) {
        let path = format!("{sealed}/{name}");
        let bytes = directory.read(&path, LARGEST_FILE)?;
        files.insert(path, bytes);
    }
    files.insert("journal/entries.jsonl".to_owned(), store.journal().committed()?);
    files.insert("journal/checkpoint".to_owned(), store.journal().note().as_bytes().to_vec());
    let (unlocks, recipients) = unlocks(store)?;
    files.extend(unlocks.iter().map(|(name, file)| (format!("unlock/{name}.age"), file.clone())));
    let contents = Contents {
        store_id: store.sheet().store_id.clone(),
        size: store.journal().extent().size,
        made: session.now(),
        by: session.opened().by().to_owned(),
        unlocks,
        recipients,
        files,
    };
    Ok((contents, left_out))
}

/// Names and files of unlocks.
type UnlockFiles = Vec<(String, Vec<u8>)>;

fn unlocks(store: &Store) -> Result<(UnlockFiles, Vec<String>), Refusal> {
    let mut files = Vec::new();
    let mut recipients = Vec::new();
    for unlock in store.ledger().unlocks.all() {
        let file = format!("unlock/{}.age", unlock.name);
        if !store.directory().has(&file) {
            return Err(Denied::Damaged { file, what: "it is not there".to_owned() }.into());
        }
        files.push((unlock.name.clone(), store.directory().read(&file, LARGEST_FILE)?));
        recipients.push(unlock.recipient.clone());
    }
    Ok((files, recipients))
}
