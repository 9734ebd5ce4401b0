//! A directory that is only in memory: what came out of an archive, for reading.

use super::StorageFault;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Files by relative path, `/` between parts.
#[derive(Debug)]
pub(super) struct Held(pub BTreeMap<String, Vec<u8>>);

impl Held {
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name) || self.has_folder(name)
    }

    pub fn has_folder(&self, name: &str) -> bool {
        let below = format!("{name}/");
        self.0.range(below.clone()..).next().is_some_and(|(path, _)| path.starts_with(&below))
    }

    pub fn names(&self, below: &str) -> Vec<String> {
        let below = if below.is_empty() { String::new() } else { format!("{below}/") };
        // Only what lies there is looked at: an archive may have as many folders as files.
        let inside = self.0.range(below.clone()..).map_while(|(path, _)| path.strip_prefix(&below));
        let names: BTreeSet<&str> = inside.filter_map(|path| path.split('/').next()).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    pub fn read(&self, name: &str, cap: u64, shown: &Path) -> Result<Vec<u8>, StorageFault> {
        match self.0.get(name) {
            Some(bytes) if bytes.len() as u64 > cap => Err(StorageFault::TooLarge { path: shown.join(name), cap }),
            Some(bytes) => Ok(bytes.clone()),
            None => Err(StorageFault::Missing(shown.join(name))),
        }
    }
}
