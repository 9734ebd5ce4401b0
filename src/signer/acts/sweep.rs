//! Finishes what an interrupted act began, and puts aside what no act of this store can have left.
//!
//! Only after an unlock's own file has vouched for the journal. What the journal calls ended is
//! removed; a file or folder under a final name that the journal does not know was put there by
//! somebody: if our own keys signed it, this store is older than it; else it goes to `quarantine/`.

use super::found::{self, FoundDenied};
use super::root::RootDenied;
use super::{Ledger, Store, files, publications, root};
use crate::journal::{hex, sha256};
use crate::keystore::{SealGeneration, settle_unlocks};
use crate::refusal::Refusal;
use crate::storage::Directory;
use coldsign_verify::bundle;

/// The folder of what was put aside.
pub const QUARANTINE: &str = "quarantine";
/// Folders whose files have final names.
const FOLDERS: [&str; 7] = ["", "journal", "policies", "certificates", "publications", "roots", "unlock"];

/// What was done.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Swept {
    /// What an interrupted act had left, and is removed.
    pub removed: Vec<String>,
    /// What nobody knows, and now lies in `quarantine/`.
    pub put_aside: Vec<String>,
}

/// Goes through a store's folders, under its lock.
///
/// # Errors
/// [`FoundDenied::Ahead`], [`RootDenied::Ahead`] where something lies there that this store's keys
/// signed and its journal does not know; as the system refuses.
pub(super) fn sweep(store: &Store) -> Result<Swept, Refusal> {
    let mut swept = Swept::default();
    let (directory, ledger) = (store.directory(), store.ledger());
    // First: where this store was put back, what it lacks stays where it is.
    for path in paths(store)?.iter().filter(|path| is_unknown(ledger, path)) {
        refuse_newer(store, path)?;
    }
    finish(directory, store, &mut swept)?;
    if is_own(directory, "unlock") {
        swept.removed.extend(settle_unlocks(directory, &ledger.unlocks)?);
    }
    for folder in FOLDERS.iter().copied().chain([files::sealed_folder(ledger).as_str(), "sealed"]) {
        if is_own(directory, folder) {
            directory.sweep_partials(folder)?;
        }
    }
    for path in paths(store)? {
        settle(store, &path, &mut swept)?;
    }
    Ok(swept)
}

/// Whether it lies in the store itself: what a link in its place leads to is somebody else's.
fn is_own(directory: &Directory, folder: &str) -> bool {
    let above = folder.rsplit_once('/').is_none_or(|(above, _)| directory.has_folder(above));
    folder.is_empty() || above && directory.has_folder(folder)
}

/// Everything under a final name.
fn paths(store: &Store) -> Result<Vec<String>, Refusal> {
    let sealed = files::sealed_folder(store.ledger());
    let mut paths = Vec::new();
    let folders = ["unlock", "sealed", "policies", "certificates", "publications", "roots", &sealed];
    for folder in folders.into_iter().filter(|folder| is_own(store.directory(), folder)) {
        // No act gives a name that is no UTF-8; and none can be taken by its replacement.
        let names = store.directory().names(folder)?.into_iter();
        let names = names.filter(|name| !name.contains(char::REPLACEMENT_CHARACTER));
        paths.extend(names.map(|name| format!("{folder}/{name}")));
    }
    Ok(paths)
}

/// Gives what the journal names its final name, where a crash came between the two. What has taken
/// that name meanwhile goes aside: what the journal names is never removed for it.
fn finish(directory: &Directory, store: &Store, swept: &mut Swept) -> Result<(), Refusal> {
    let ledger = store.ledger();
    let holds = |path: &str, digest: &str| {
        directory.read(path, files::LARGEST).is_ok_and(|bytes| hex(&sha256(&bytes)) == digest)
    };
    let mut aside = |path: &str| -> Result<(), Refusal> {
        if directory.has(path) {
            directory.put_aside(path, QUARANTINE)?;
            swept.put_aside.push(path.to_owned());
        }
        Ok(())
    };
    let sealed = files::sealed_folder(ledger);
    let unfinished = format!("{sealed}.partial");
    let sealed_in = |folder: &str| holds(&format!("{folder}/{}", SealGeneration::SEAL), ledger.unlocks.seal_sha256());
    if sealed_in(&unfinished) && !sealed_in(&sealed) {
        aside(&sealed)?;
        directory.finish_folder(&sealed)?;
    }
    aside(&unfinished)?;
    for file in files::named(ledger, store.sheet()) {
        let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        let partial = format!("{folder}/.{name}.partial");
        let partial = partial.trim_start_matches('/');
        // A custodian's owner may have wrapped it anew: then its file is another, and right.
        let settled = || match file.kind {
            files::Kind::Custodian => directory.has(&file.path),
            _ => holds(&file.path, &file.sha256),
        };
        if holds(partial, &file.sha256) && !settled() {
            aside(&file.path)?;
            directory.finish(&file.path)?;
        }
    }
    for publication in ledger.publications.all().iter().rev() {
        let folder = format!("publications/{}", publications::folder_in_store(publication.made.seq));
        let unfinished = format!("{folder}.partial");
        if !directory.has(&unfinished) && directory.has(&folder) {
            break;
        }
        let kept = |place: &str| publications::kept_in(directory, publication, place).is_ok();
        if kept(&unfinished) && !kept(&folder) {
            aside(&folder)?;
            directory.finish_folder(&folder)?;
        }
    }
    Ok(())
}

/// What a file or folder is to the journal.
enum Standing {
    /// Named, or of a name that is none of ours.
    Stays,
    /// The journal says that it has ended.
    Ended,
    /// Of a name that only acts of this store give, and the journal does not know it.
    Unknown,
}

fn settle(store: &Store, path: &str, swept: &mut Swept) -> Result<(), Refusal> {
    let directory = store.directory();
    match standing(store.ledger(), path) {
        Standing::Stays => {}
        Standing::Ended if directory.has_folder(path) => {
            directory.remove_folder(path)?;
            swept.removed.push(path.to_owned());
        }
        Standing::Ended => {
            directory.remove_file(path)?;
            swept.removed.push(path.to_owned());
        }
        Standing::Unknown => {
            directory.put_aside(path, QUARANTINE)?;
            swept.put_aside.push(path.to_owned());
        }
    }
    Ok(())
}

/// Whether only acts of a store give such names, so that `store check` calls it unknown too.
pub(super) fn is_unknown(ledger: &Ledger, path: &str) -> bool {
    matches!(standing(ledger, path), Standing::Unknown)
}

/// Whether the journal says that it has ended: the next act removes it.
pub(super) fn has_ended(ledger: &Ledger, path: &str) -> bool {
    matches!(standing(ledger, path), Standing::Ended)
}

fn standing(ledger: &Ledger, path: &str) -> Standing {
    let Some((folder, name)) = path.rsplit_once('/') else { return Standing::Stays };
    let known = |known: bool| if known { Standing::Stays } else { Standing::Unknown };
    let private = |kid: &str| match ledger.keys.by_kid(kid) {
        Some(key) if key.elsewhere => Standing::Unknown,
        Some(key) if key.has_private_half() => Standing::Stays,
        Some(_) => Standing::Ended,
        None => Standing::Unknown,
    };
    let key = || name.strip_prefix("key-").and_then(|name| name.strip_suffix(".age"));
    match folder {
        "unlock" => match name.strip_suffix(".age") {
            None => Standing::Stays,
            Some(name) if ledger.unlocks.was_removed(name) => Standing::Ended,
            Some(name) => known(ledger.unlocks.find(name.strip_suffix(".next").unwrap_or(name)).is_ok()),
        },
        "sealed" => match name.parse::<u64>() {
            Err(_) => Standing::Stays,
            Ok(number) if number < ledger.unlocks.generation() => Standing::Ended,
            Ok(number) => known(number == ledger.unlocks.generation()),
        },
        "policies" => match name.strip_suffix(".toml").filter(|digest| digest.len() == 64) {
            None => Standing::Stays,
            Some(digest) => known(ledger.policies.all().iter().any(|one| one.applied.sha256 == digest)),
        },
        "certificates" => match name.strip_suffix(".pem") {
            None => Standing::Stays,
            Some(kid) => known(ledger.publications.certificate(kid).is_some()),
        },
        "publications" => match name.parse::<u64>() {
            Ok(seq) if name.len() >= 6 => known(ledger.publications.by_seq(seq).is_some()),
            _ => Standing::Stays,
        },
        "roots" => match key() {
            Some(kid) => private(kid),
            None => of_root(ledger, name),
        },
        _ if folder == files::sealed_folder(ledger) => match key() {
            Some(kid) => private(kid),
            None => Standing::Stays,
        },
        _ => Standing::Stays,
    }
}

fn of_root(ledger: &Ledger, name: &str) -> Standing {
    let between = |begin: &str| name.strip_prefix(begin).and_then(|rest| rest.strip_suffix(".json"));
    if let Some(digest) = between("draft-") {
        return match ledger.roots.draft() {
            Some(draft) if draft.sha256 == digest => Standing::Stays,
            _ if ledger.roots.has_ended(digest) => Standing::Ended,
            _ => Standing::Unknown,
        };
    }
    match between("root.").and_then(|number| number.parse::<u64>().ok()) {
        Some(number) if ledger.roots.all().iter().any(|made| made.root_version == number) => Standing::Stays,
        Some(_) => Standing::Unknown,
        None => Standing::Stays,
    }
}

/// What this store's keys signed and its journal does not know was made by a later state of it.
fn refuse_newer(store: &Store, path: &str) -> Result<(), Refusal> {
    let directory = store.directory();
    if path.starts_with("publications/") {
        let Ok(text) = directory.read_text(&format!("{path}/{}", bundle::FILE_NAME), bundle::LONGEST as u64) else {
            return Ok(());
        };
        let folder = directory.path().join(path);
        return match found::accuses(store, &folder, &text)? {
            Some(denied @ (FoundDenied::Ahead { .. } | FoundDenied::Fork { .. })) => Err(denied.into()),
            _ => Ok(()),
        };
    }
    if path.starts_with("roots/root.") {
        let Ok(bytes) = directory.read(path, files::LARGEST) else { return Ok(()) };
        if let Some(next) = root::newest(store)?.and_then(|newest| newest.successor(&bytes).ok()) {
            return Err(RootDenied::Ahead(next.root_version()).into());
        }
    }
    Ok(())
}
