//! Roots as the journal tells them.

use crate::journal::{Entry, Event, JournalFault};
use serde::{Deserialize, Serialize};

/// A root is complete: it is `roots/root.<root_version>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootMade {
    /// Its number, from 1.
    pub root_version: u64,
    /// SHA-256 of the file, lower-case hex: its fingerprint.
    pub sha256: String,
    /// Its `exp`, in seconds since the epoch.
    pub exp: u64,
}

impl Event for RootMade {
    const TYPE: &'static str = "root.made";
}

/// Every root, oldest first.
#[derive(Debug, Default)]
pub struct Roots {
    made: Vec<RootMade>,
}

impl Roots {
    /// Takes in an entry; `false` where it is not about roots.
    ///
    /// # Errors
    /// [`JournalFault::Malformed`].
    pub fn apply(&mut self, entry: &Entry) -> Result<bool, JournalFault> {
        let Some(made) = entry.event::<RootMade>()? else { return Ok(false) };
        if made.root_version != self.newest().map_or(0, |root| root.root_version) + 1 {
            let what = format!("root {} does not follow the one before", made.root_version);
            return Err(JournalFault::Malformed { line: entry.index + 1, what });
        }
        self.made.push(made);
        Ok(true)
    }

    /// All of them.
    pub fn all(&self) -> &[RootMade] {
        &self.made
    }

    /// The newest.
    pub fn newest(&self) -> Option<&RootMade> {
        self.made.last()
    }
}
