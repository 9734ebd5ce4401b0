//! Whether two publications differ in anything but their number and date.

use std::collections::{BTreeMap, BTreeSet};

use super::fingerprint::sha256_hex;
use super::{bundle, distribution, page};

/// What a publication says, its number and date left out: each file's digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Substance(BTreeMap<String, String>);

impl Substance {
    /// The substance of a publication's files, paths relative to its folder.
    #[must_use]
    pub fn of(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let mut substance = Self::of_files(files);
        if let Some(said) = bundle::substance_in(files) {
            substance.add_bundle(&said);
        }
        substance
    }

    /// The substance of files whose bundle is not signed yet, and of what that says.
    pub(super) fn with_bundle(files: &BTreeMap<String, Vec<u8>>, said: Vec<u8>) -> Self {
        let mut substance = Self::of_files(files);
        substance.add_bundle(&said);
        substance
    }

    fn add_bundle(&mut self, said: &[u8]) {
        self.0.insert(coldsign_verify::bundle::FILE_NAME.to_owned(), sha256_hex(said));
    }

    fn of_files(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let digest = |(path, bytes): (&String, &Vec<u8>)| {
            let dated = path.ends_with(page::NAME) || path == distribution::NAME;
            let bytes = if dated { page::without_edition(bytes) } else { bytes.clone() };
            (path.clone(), sha256_hex(&bytes))
        };
        Self(files.iter().filter(|(path, _)| !bundle::is_apart(path)).map(digest).collect())
    }
}

/// One file that a newer publication has otherwise than an older one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Only the newer one has it.
    Added(String),
    /// Only the older one has it.
    Removed(String),
    /// Both have it, with other bytes.
    Changed(String),
}

/// What changed from one publication to the next, sorted by kind and path; empty if only number or date did.
#[must_use]
pub fn difference(old: &Substance, new: &Substance) -> Vec<Change> {
    let paths: BTreeSet<_> = old.0.keys().chain(new.0.keys()).collect();
    let change = |path: &String| match (old.0.get(path), new.0.get(path)) {
        (None, _) => Some(Change::Added(path.clone())),
        (_, None) => Some(Change::Removed(path.clone())),
        (Some(before), Some(after)) => (before != after).then(|| Change::Changed(path.clone())),
    };
    let mut changes: Vec<_> = paths.into_iter().filter_map(change).collect();
    changes.sort();
    changes
}
