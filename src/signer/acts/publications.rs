//! `publication …`: what was published, and copies of it. Needs no passphrase.

use super::{Denied, Store, found};
use crate::journal::{hex, sha256};
use crate::publishing::record::PublicationRecord;
use crate::publishing::{Change, Substance, difference, folder_name};
use crate::refusal::Refusal;
use crate::storage::{Directory, Outbox};
use std::collections::BTreeMap;

const LARGEST: u64 = 4 << 20;

/// A publication by its number, or the newest.
///
/// # Errors
/// [`Denied::NoPublication`] or [`Denied::NeverPublished`].
pub fn find(store: &Store, seq: Option<u64>) -> Result<&PublicationRecord, Denied> {
    let publications = &store.ledger().publications;
    match seq {
        Some(seq) => publications.by_seq(seq).ok_or(Denied::NoPublication(seq)),
        None => publications.newest().ok_or(Denied::NeverPublished),
    }
}

/// A publication's files as the store keeps them, checked against the journal.
///
/// # Errors
/// [`Denied::Damaged`] where they are not those that were published.
pub fn files(store: &Store, seq: u64) -> Result<BTreeMap<String, Vec<u8>>, Refusal> {
    kept(store.directory(), find(store, Some(seq))?)
}

/// A publication's files as they lie in a store's directory, under their unfinished name too, checked
/// against its entry.
pub(super) fn kept(store: &Directory, record: &PublicationRecord) -> Result<BTreeMap<String, Vec<u8>>, Refusal> {
    let folder = format!("publications/{}", folder_in_store(record.made.seq));
    kept_in(store, record, &folder)
        .or_else(|refusal| kept_in(store, record, &format!("{folder}.partial")).map_err(|_| refusal))
}

/// As [`kept`], in that one place.
pub(super) fn kept_in(
    store: &Directory,
    record: &PublicationRecord,
    place: &str,
) -> Result<BTreeMap<String, Vec<u8>>, Refusal> {
    let files = store.read_folder(place, LARGEST)?;
    let damaged = |what: String| Denied::Damaged { file: place.to_owned(), what };
    let sums = files.get("SHA256SUMS").map(|sums| hex(&sha256(sums)));
    if sums.as_deref() != Some(record.made.manifest.as_str()) {
        return Err(damaged("its SHA256SUMS is not the one that was published".to_owned()).into());
    }
    crate::publishing::verify_folder(&files).map_err(|differences| {
        let first = differences.first().map(ToString::to_string);
        damaged(first.unwrap_or_default())
    })?;
    Ok(files)
}

/// What changed from one publication to another.
///
/// # Errors
/// [`Denied::NoPublication`], [`Denied::Damaged`].
pub fn diff(store: &Store, from: u64, to: u64) -> Result<Vec<Change>, Refusal> {
    Ok(difference(&Substance::of(&files(store, from)?), &Substance::of(&files(store, to)?)))
}

/// Copies a publication out, checked, as it left the first time. One that is there already with the
/// same bytes is left alone (`false`).
///
/// # Errors
/// [`super::found::FoundDenied`] where what lies there accuses this store; as the store or the medium refuses; nothing appears by halves.
pub fn copy(store: &Store, seq: u64, outbox: &Outbox) -> Result<bool, Refusal> {
    found::meet(store, outbox.path())?;
    let files = files(store, seq)?;
    let name = folder_name(seq);
    if outbox.holds_folder(&name, &files, LARGEST) {
        return Ok(false);
    }
    outbox.create_folder(&name, &files)?;
    Ok(true)
}

/// The name of a publication's folder in the store.
pub(super) fn folder_in_store(seq: u64) -> String {
    format!("{seq:06}")
}
