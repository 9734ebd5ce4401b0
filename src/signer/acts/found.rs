//! Publications that lie outside the store, on a stick or anywhere: whose they are, and what they say of this store.

mod denied;

pub use denied::FoundDenied;

use super::backup::record::EpochRecord;
use super::journal::REPLACED;
use super::{Store, root};
use crate::journal::{Checkpoint, hex, sha256};
use crate::publishing::{Difference, folder_name, verify_folder};
use crate::refusal::Refusal;
use crate::storage::{Directory, StorageFault, holds_file, names_in, read_file};
use coldsign_verify::Digest;
use coldsign_verify::bundle::{self, Bundle};
use coldsign_verify::root::Root;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The largest file of a publication that is read, in bytes: a bundle.
const LARGEST: u64 = bundle::LONGEST as u64;
/// How the folders of publications are called.
const PREFIX: &str = "coldsign-publication-";

/// A folder that is a publication of this store, whole and as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its number.
    pub seq: u64,
    /// The newest publication's number.
    pub newest: u64,
}

/// What the publications on a medium are to a store that none of them accuses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Met {
    /// Numbers of this store's own.
    pub known: Vec<u64>,
    /// Numbers of the branch that a restore left behind.
    pub left_behind: Vec<u64>,
    /// Folders that say nothing of this store, with the reason.
    pub unread: Vec<(String, String)>,
    /// Folders with this store's id under a journal key that was never this store's: forged.
    pub forged: Vec<(String, String)>,
}

/// What a bundle is to a store.
enum Standing {
    Known(u64),
    LeftBehind(u64),
    /// It says nothing of this store, for that reason.
    Foreign(String),
    /// It has this store's id, and its checkpoint is by a key that is none of this journal's.
    OtherKey(String),
    /// The store is not what it was when that bundle was made.
    Accuses(FoundDenied),
}

/// Checks a folder against itself, this store's roots and its journal.
///
/// # Errors
/// [`FoundDenied`], each reason its own; or as the medium or the store refuses.
pub fn check(store: &Store, folder: &Path) -> Result<Found, Refusal> {
    let place = || folder.to_owned();
    let files = match Directory::open(folder)?.read_folder(".", LARGEST) {
        Err(fault @ (StorageFault::NotAFile(_) | StorageFault::TooLarge { .. })) => {
            return Err(FoundDenied::Changed { folder: place(), what: vec![fault.to_string()] }.into());
        }
        read => read?.into_iter().map(|(path, bytes)| (path.trim_start_matches("./").to_owned(), bytes)),
    };
    let files: BTreeMap<String, Vec<u8>> = files.collect();
    if !files.contains_key("SHA256SUMS") && !files.contains_key(bundle::FILE_NAME) {
        let inner = names_in(folder).into_iter().filter(|name| is_publication_name(name)).max();
        return Err(FoundDenied::None { folder: place(), inner: inner.map(|name| folder.join(name)) }.into());
    }
    check_whole(folder, &files)?;
    let sums = files.get("SHA256SUMS").map(|sums| hex(&sha256(sums))).unwrap_or_default();
    let publications = &store.ledger().publications;
    let seq = match publications.all().iter().find(|record| record.made.manifest == sums) {
        Some(record) => {
            look(store, folder, &files)?;
            record.made.seq
        }
        None => return Err(stranger(store, folder, &files)?.into()),
    };
    let own = folder_name(seq);
    let named = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if is_publication_name(&named) && named != own {
        return Err(FoundDenied::Name { folder: place(), own }.into());
    }
    Ok(Found { seq, newest: publications.newest().map_or(seq, |newest| newest.made.seq) })
}

/// A folder that the journal knows can still have been made by somebody who wrote both: its checkpoint
/// must be of this journal's keys too.
fn look(store: &Store, folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<(), Refusal> {
    let Some(text) = files.get(bundle::FILE_NAME) else { return Ok(()) };
    match standing(store, &root::chain(store)?, folder, &String::from_utf8_lossy(text))? {
        Standing::OtherKey(what) => {
            let folder = folder.to_owned();
            Err(FoundDenied::OtherKey { folder, what, authenticated: store.is_vouched() }.into())
        }
        Standing::Accuses(denied) => Err(denied.into()),
        Standing::Known(_) | Standing::LeftBehind(_) | Standing::Foreign(_) => Ok(()),
    }
}

/// Refuses a medium with a publication that this store made and can't have made as it is now: its
/// bundle's checkpoint must be the beginning of this store's journal, its number this store's.
///
/// # Errors
/// [`FoundDenied::Ahead`] or [`FoundDenied::Fork`]; or as the store refuses.
pub fn meet(store: &Store, medium: &Path) -> Result<Met, Refusal> {
    let mut met = Met::default();
    let mut roots = None;
    for name in names_in(medium).into_iter().filter(|name| is_publication_name(name)) {
        let folder = medium.join(&name);
        let text = match read_file(&folder.join(bundle::FILE_NAME), LARGEST) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            // Publications of earlier versions have none.
            Err(StorageFault::Missing(_)) => continue,
            Err(fault) => {
                met.unread.push((name, fault.to_string()));
                continue;
            }
        };
        let roots = match &roots {
            Some(roots) => roots,
            None => roots.insert(root::chain(store)?),
        };
        match standing(store, roots, &folder, &text)? {
            Standing::Known(seq) => met.known.push(seq),
            Standing::LeftBehind(seq) => met.left_behind.push(seq),
            Standing::Foreign(what) => met.unread.push((name, what)),
            Standing::OtherKey(what) if store.is_vouched() => met.forged.push((name, what)),
            Standing::OtherKey(what) => {
                return Err(FoundDenied::OtherKey { folder, what, authenticated: false }.into());
            }
            Standing::Accuses(denied) => return Err(denied.into()),
        }
    }
    Ok(met)
}

/// A checkpoint that came in a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundled {
    /// The note.
    pub note: String,
    /// The publication's number, where a root of the chain vouches for it.
    pub seq: Option<u64>,
}

/// The file that holds the checkpoint: a publication's folder stands for its bundle.
pub fn checkpoint_file(path: &Path) -> PathBuf {
    if holds_file(path, bundle::FILE_NAME) { path.join(bundle::FILE_NAME) } else { path.to_owned() }
}

/// The checkpoint of a bundle, or `None` where the text is none. A root of the chain that the bundle
/// names must vouch for it; of a later root only the checkpoint's own signature can tell.
///
/// # Errors
/// What is wrong with the bundle.
pub fn bundled(text: &str, roots: &[Root]) -> Option<Result<Bundled, String>> {
    let text = text.trim_end();
    // No note and no journal begins like the header of a JWS.
    if !text.starts_with("ey") {
        return None;
    }
    let said = bundle::unverified(text).map_err(|fault| fault.to_string());
    Some(said.and_then(|said| {
        let root = roots.iter().find(|root| root.root_version() == said.root_version);
        if let Some(root) = root {
            Bundle::verify(text, root).map_err(|fault| fault.to_string())?;
        }
        Ok(Bundled { note: said.checkpoint, seq: root.map(|_| said.seq) })
    }))
}

fn is_publication_name(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Refuses files that are not those of the folder's own `SHA256SUMS`.
fn check_whole(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<(), FoundDenied> {
    let Err(mut differences) = verify_folder(files) else { return Ok(()) };
    if !files.contains_key("SHA256SUMS") {
        // Everything else would be told to be too much.
        differences.retain(|difference| *difference == Difference::NoManifest);
    }
    let lacks = |difference: &Difference| matches!(difference, Difference::Missing { .. } | Difference::NoManifest);
    let incomplete = differences.iter().all(lacks);
    let what = differences.iter().map(ToString::to_string).collect();
    let folder = folder.to_owned();
    Err(if incomplete { FoundDenied::Incomplete { folder, what } } else { FoundDenied::Changed { folder, what } })
}

/// Why a whole folder whose `SHA256SUMS` the journal does not know is none of the store's publications.
fn stranger(store: &Store, folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<FoundDenied, Refusal> {
    let place = || folder.to_owned();
    let Some(text) = files.get(bundle::FILE_NAME) else {
        let what = "it has no bundle, and the journal does not know it".to_owned();
        return Ok(FoundDenied::Foreign { folder: place(), what });
    };
    Ok(match standing(store, &root::chain(store)?, folder, &String::from_utf8_lossy(text))? {
        Standing::Known(seq) => {
            let what = format!("its bundle is that of publication {seq}, its other files are not");
            FoundDenied::Changed { folder: place(), what: vec![what] }
        }
        Standing::LeftBehind(seq) => FoundDenied::LeftBehind { folder: place(), seq },
        Standing::Foreign(what) => FoundDenied::Foreign { folder: place(), what },
        Standing::OtherKey(what) => FoundDenied::OtherKey { folder: place(), what, authenticated: store.is_vouched() },
        Standing::Accuses(denied) => denied,
    })
}

/// What a bundle says against this store, if it says anything.
///
/// # Errors
/// As the store refuses.
pub(super) fn accuses(store: &Store, folder: &Path, text: &str) -> Result<Option<FoundDenied>, Refusal> {
    Ok(match standing(store, &root::chain(store)?, folder, text)? {
        Standing::Accuses(denied) => Some(denied),
        _ => None,
    })
}

/// The root of that number, if it came with the publication and follows from the store's own newest
/// root: the custodians made it in a later state of this store.
fn later_root(roots: &[Root], folder: &Path, wanted: u64) -> Option<Root> {
    let mut newest: Option<Root> = None;
    loop {
        let before = newest.as_ref().or(roots.last())?;
        if before.root_version() >= wanted {
            return newest;
        }
        let file = folder.join(format!("root.{}.json", before.root_version() + 1));
        newest = Some(before.successor(&read_file(&file, LARGEST).ok()?).ok()?);
    }
}

fn standing(store: &Store, roots: &[Root], folder: &Path, text: &str) -> Result<Standing, Refusal> {
    let foreign = |what: String| Ok(Standing::Foreign(what));
    let said = match bundle::unverified(text) {
        Ok(said) => said,
        Err(fault) => return foreign(fault.to_string()),
    };
    let (seq, folder) = (said.seq, folder.to_owned());
    let publications = &store.ledger().publications;
    let record = publications.by_seq(seq);
    let recorded = record.and_then(|record| record.made.bundle.as_ref());
    let known = recorded.is_some_and(|made| made.sha256 == Digest::of(text.as_bytes()).to_string());
    if said.store != store.sheet().store_id {
        return foreign("it is of another store".to_owned());
    }
    let journal = store.journal();
    let later = later_root(roots, &folder, said.root_version);
    let root = roots.iter().find(|root| root.root_version() == said.root_version).or(later.as_ref());
    let vouched = root.map(|root| Bundle::verify(text, root).map_err(|fault| fault.to_string()));
    // The journal key's word alone accuses: the root that the bundle names may be lost here.
    let (seen, in_its_time) = match (journal.keys().verify(&said.checkpoint), &vouched) {
        (Ok(by), _) => (by.checkpoint, by.in_its_time),
        // Our bundle key signed it, a journal key of ours that this journal does not know signed its
        // checkpoint: the unlocks were changed in a later state of this store.
        (Err(_), Some(Ok(_))) => match Checkpoint::unverified(&said.checkpoint, &said.store) {
            Ok(seen) => (seen, true),
            Err(what) => return foreign(format!("its checkpoint: {what}")),
        },
        (Err(what), _) => return Ok(Standing::OtherKey(format!("its checkpoint: {what}"))),
    };
    // Made after the restore, it is of an old store that somebody goes on with.
    let left = |epoch: &&EpochRecord| {
        let began = epoch.at.saturating_add(store.skew());
        seq < epoch.started.publications_from && seen.size >= epoch.started.size && said.issued_at.0 <= began
    };
    if record.is_none() && store.ledger().backups.epochs().iter().any(|epoch| left(&epoch)) {
        return Ok(Standing::LeftBehind(seq));
    }
    if !in_its_time {
        return Ok(Standing::OtherKey(format!("its checkpoint: {REPLACED}")));
    }
    let (size, covered) = (seen.size, journal.extent().size);
    match journal.root_of_first(size)? {
        None => return Ok(Standing::Accuses(FoundDenied::Ahead { folder, seq, size, covered })),
        Some(root) if root != seen.root => {
            let what = format!("its journal's first {size} lines are not this one's");
            return Ok(Standing::Accuses(FoundDenied::Fork { folder, seq, what }));
        }
        Some(_) => {}
    }
    if known {
        return Ok(Standing::Known(seq));
    }
    match vouched {
        None => return foreign(format!("it names root {}, which this store never made", said.root_version)),
        Some(Err(what)) => return foreign(what),
        Some(Ok(_)) => {}
    }
    // Its checkpoint is from before its own entry: that entry is what this journal lacks.
    Ok(Standing::Accuses(if publications.newest().is_none_or(|newest| newest.made.seq < seq) {
        FoundDenied::Ahead { folder, seq, size: size.saturating_add(1), covered }
    } else {
        FoundDenied::Fork { folder, seq, what: format!("this store's publication {seq} is another, or was never made") }
    }))
}
