//! Which files belong to a store, and by what each is known.
//!
//! The one list: what is checked, swept, backed up and restored follows it. The journal names each file
//! by its SHA-256, so whoever vouches for the journal vouches for the files.

use super::{Denied, Ledger, Store, StoreSheet, publications, root};
use crate::journal::{hex, sha256};
use crate::keystore::{KeyRecord, Purpose, SealGeneration};
use crate::refusal::Refusal;
use crate::storage::{Directory, StorageFault};
use std::collections::BTreeMap;

/// The largest file of a store but for its journal, in bytes.
pub const LARGEST: u64 = 16 << 20;

/// What a file of the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `store.json`: what the journal's first line says.
    Sheet,
    /// An unlock's own file.
    Unlock,
    /// The seal in force.
    Seal,
    /// A private key that the seal opens.
    Key,
    /// A custodian's private key. Its owner may have wrapped it anew.
    Custodian,
    /// A root that is complete.
    Root,
    /// A root that waits for signatures.
    Draft,
    /// A policy that was applied.
    Policy,
    /// A certificate.
    Certificate,
}

/// A file that the journal names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Below the store.
    pub path: String,
    /// SHA-256, lower-case hex.
    pub sha256: String,
    /// What it is.
    pub kind: Kind,
}

/// Every single file that a store must have, but for the journal's own two, `policy.toml` as it is
/// edited, and publications, which are known by their `SHA256SUMS`.
pub fn named(ledger: &Ledger, sheet: &StoreSheet) -> Vec<Named> {
    let file = |path: String, sha256: &str, kind: Kind| Named { path, sha256: sha256.to_owned(), kind };
    let mut files = vec![file(StoreSheet::FILE.to_owned(), &hex(&sha256(&sheet.to_bytes())), Kind::Sheet)];
    for unlock in ledger.unlocks.all() {
        files.push(file(unlock_file(&unlock.name), &unlock.sha256, Kind::Unlock));
    }
    let folder = sealed_folder(ledger);
    files.push(file(format!("{folder}/{}", SealGeneration::SEAL), ledger.unlocks.seal_sha256(), Kind::Seal));
    for key in ledger.keys.all().iter().filter(|key| key.has_private_half()) {
        files.push(match key.purpose {
            Purpose::Root => file(root::key_file(&key.kid), &key.file_sha256, Kind::Custodian),
            _ => file(format!("{folder}/key-{}.age", key.kid), &key.file_sha256, Kind::Key),
        });
    }
    for made in ledger.roots.all() {
        files.push(file(root::file_in_store(made.root_version), &made.sha256, Kind::Root));
    }
    if let Some(draft) = ledger.roots.draft() {
        files.push(file(root::draft_in_store(&draft.sha256), &draft.sha256, Kind::Draft));
    }
    let mut policies: BTreeMap<String, &str> = BTreeMap::new();
    for policy in ledger.policies.all() {
        policies.insert(policy_file(&policy.applied.sha256), &policy.applied.sha256);
    }
    files.extend(policies.into_iter().map(|(path, sha256)| file(path, sha256, Kind::Policy)));
    for (kid, sha256) in ledger.publications.certificates() {
        files.push(file(certificate_file(kid), sha256, Kind::Certificate));
    }
    files
}

/// An unlock's file.
pub fn unlock_file(name: &str) -> String {
    format!("unlock/{name}.age")
}

/// The folder of the generation in force.
pub fn sealed_folder(ledger: &Ledger) -> String {
    format!("sealed/{}", ledger.unlocks.generation())
}

/// An applied policy's file.
pub fn policy_file(sha256: &str) -> String {
    format!("policies/{sha256}.toml")
}

/// A key's certificate.
pub fn certificate_file(kid: &str) -> String {
    format!("certificates/{kid}.pem")
}

/// Whether a named file is there, whatever is in it; under its unfinished name too.
pub fn is_there(store: &Directory, named: &Named) -> bool {
    !matches!(store.find(&named.path, LARGEST, |_| true), Err(StorageFault::Missing(_)))
        || store.has(&named.path.replace(".age", ".next.age"))
}

/// A named file's bytes: read once, and those that are named. A file that a crash left under its
/// unfinished name is found too.
///
/// # Errors
/// [`Denied::Damaged`] where it is gone or another; as the system refuses.
pub fn read(store: &Directory, named: &Named) -> Result<Vec<u8>, Refusal> {
    read_named(store, &named.path, &named.sha256)
}

/// As [`read`], by path and SHA-256.
///
/// # Errors
/// As [`read`].
pub fn read_named(store: &Directory, path: &str, wanted: &str) -> Result<Vec<u8>, Refusal> {
    let damaged = |what: &str| Denied::Damaged { file: path.to_owned(), what: what.to_owned() };
    let mut places = vec![path.to_owned()];
    if let Some(name) = path.strip_prefix("unlock/").and_then(|name| name.strip_suffix(".age")) {
        places.push(format!("unlock/{name}.next.age"));
    }
    let mut what = "it is gone";
    for place in places {
        match store.find(&place, LARGEST, |bytes| hex(&sha256(bytes)) == wanted) {
            Ok(Some(bytes)) => return Ok(bytes),
            Ok(None) => what = "it is not the one that the journal names",
            Err(StorageFault::Missing(_)) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Err(damaged(what).into())
}

/// A custodian's file: its owner may have wrapped it by another code, so other bytes are only told.
/// `true` where they are those that the journal names.
///
/// # Errors
/// [`Denied::Damaged`] where it is gone; as the system refuses.
pub fn read_custodian(store: &Directory, key: &KeyRecord) -> Result<(Vec<u8>, bool), Refusal> {
    let path = root::key_file(&key.kid);
    match read_named(store, &path, &key.file_sha256) {
        Ok(bytes) => Ok((bytes, true)),
        Err(refusal) if !store.has(&path) => Err(refusal),
        Err(_) => Ok((store.read(&path, LARGEST)?, false)),
    }
}

/// Everything of a store, by path, each file read once and held against the journal.
pub struct Everything {
    /// The files.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Publications whose files are not there as they were published. They are public and have copies
    /// elsewhere.
    pub lacking: Vec<u64>,
    /// Custodians' keys whose files are not those that the journal names.
    pub rewrapped: Vec<String>,
}

/// Reads everything that a store must have, but for its journal.
///
/// # Errors
/// [`Denied::Damaged`] for the first file that is not as the journal names it.
pub fn everything(store: &Store) -> Result<Everything, Refusal> {
    let (directory, ledger) = (store.directory(), store.ledger());
    let mut all = Everything { files: BTreeMap::new(), lacking: Vec::new(), rewrapped: Vec::new() };
    for file in named(ledger, store.sheet()) {
        let bytes = match file.kind {
            Kind::Custodian => {
                let key = ledger.keys.all().iter().find(|key| root::key_file(&key.kid) == file.path);
                let key = key.ok_or_else(|| Denied::NoKey { name: file.path.clone(), nearest: None })?;
                let (bytes, as_named) = read_custodian(directory, key)?;
                if !as_named {
                    all.rewrapped.push(key.name());
                }
                bytes
            }
            _ => read(directory, &file)?,
        };
        all.files.insert(file.path, bytes);
    }
    all.files.insert("policy.toml".to_owned(), store.edited_policy()?.into_bytes());
    for publication in ledger.publications.all() {
        let seq = publication.made.seq;
        match publications::kept(directory, publication) {
            Err(refusal) if refusal.reason().rule() == Some("STORE-DAMAGED") => all.lacking.push(seq),
            read => {
                let folder = format!("publications/{}", publications::folder_in_store(seq));
                all.files.extend(read?.into_iter().map(|(path, bytes)| (format!("{folder}/{path}"), bytes)));
            }
        }
    }
    Ok(all)
}
