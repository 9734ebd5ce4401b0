//! What a cutover hands out: a folder for each holder, one for each operator.

use crate::acts::issue::{self, Issued};
use crate::acts::{Session, publish};
use crate::issuing::delivery::holders_folder;
use crate::issuing::policy::Service;
use crate::keystore::KeyRecord;
use crate::refusal::Refusal;
use crate::storage::{Outbox, StorageFault};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The sheet in a holder's folder.
pub(super) const SHEET: &str = "WHEN.txt";
/// The sheet in an operator's folder.
pub(super) const OPERATORS_SHEET: &str = "SWAP.txt";

/// The folder of a service's operator.
pub(super) fn operators_folder(service: &str) -> String {
    format!("operator-{service}")
}

/// What is in it.
pub(super) fn operators_files(
    session: &mut Session,
    service: &Service,
    next: &KeyRecord,
    sheet: String,
) -> Result<BTreeMap<String, Vec<u8>>, Refusal> {
    let mut files = publish::for_swap(session, service, next)?;
    files.insert(OPERATORS_SHEET.to_owned(), sheet.into_bytes());
    Ok(files)
}

/// A folder a holder, with every replacement that is theirs. One that can't be written keeps nobody else
/// from theirs.
pub(super) fn hand_out(
    session: &mut Session,
    replacements: &mut [Issued],
    sheet: &str,
    outbox: &Outbox,
    again: String,
) -> Result<BTreeSet<String>, Refusal> {
    let mut folders = BTreeSet::new();
    let (mut fault, mut held) = (None, HashSet::new());
    let mut taken: HashMap<(String, String), usize> = HashMap::new();
    for token in replacements.iter() {
        let folder = holders_folder(&token.subject);
        let names = taken.entry((folder.clone(), token.file.name.to_lowercase())).or_insert(0);
        let put = outbox.below(&folder).and_then(|place| {
            if !place.has(SHEET) {
                place.create_file(SHEET, sheet.as_bytes())?;
            }
            let name = free_name(&place, &token.file.name, names);
            place.create_file(&name, token.file.contents.as_bytes())
        });
        match put {
            Ok(()) => drop(folders.insert(folder)),
            Err(failed) => {
                fault.get_or_insert(failed);
                held.insert(token.jti.clone());
            }
        }
    }
    replacements.sort_by_key(|token| held.contains(&token.jti));
    issue::settle(session, replacements, replacements.len() - held.len(), fault, Some(again))?;
    Ok(folders)
}

/// A name that nothing has: neither from this call, which has used so many, nor from an earlier one.
fn free_name(place: &Outbox, plain: &str, used: &mut usize) -> String {
    loop {
        *used += 1;
        let name = if *used > 1 { format!("{used}-{plain}") } else { plain.to_owned() };
        if !place.has(&name) {
            return name;
        }
    }
}

/// Whether a folder is there with that sheet.
///
/// # Errors
/// [`StorageFault::Exists`] where its sheet is of another cutover, or it has none and something else:
/// what is there is old, or somebody else's.
pub(super) fn there(outbox: &Outbox, folder: &str, name: &str, sheet: &str) -> Result<bool, StorageFault> {
    let path = outbox.path().join(folder).join(name);
    // What else has its name is told by whoever puts something into it.
    let there = match outbox.has(folder).then(|| outbox.below(folder)) {
        None | Some(Err(StorageFault::Exists(_))) => return Ok(false),
        Some(there) => there?,
    };
    if !there.has(name) {
        let place = outbox.path().join(folder);
        let names = there.names();
        // What an act left half written is hidden.
        let other = names.is_ok_and(|names| names.iter().any(|name| !name.starts_with('.')));
        return if other { Err(StorageFault::Exists(place)) } else { Ok(false) };
    }
    let same = there.holds_file(name, sheet.as_bytes());
    if same { Ok(true) } else { Err(StorageFault::Exists(path)) }
}
