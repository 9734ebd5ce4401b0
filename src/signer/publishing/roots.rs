//! Roots as the journal tells them.

use crate::journal::{Entry, Event, JournalFault, member};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A root is complete: it is `roots/root.<root_version>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootMade {
    /// Its number, from 1.
    #[serde(deserialize_with = "member::number")]
    pub root_version: u64,
    /// SHA-256 of the file, lower-case hex: its fingerprint.
    #[serde(deserialize_with = "member::digest")]
    pub sha256: String,
    /// Its `exp`, in seconds since the epoch.
    #[serde(deserialize_with = "member::number")]
    pub exp: u64,
}

impl Event for RootMade {
    const TYPE: &'static str = "root.made";
}

/// A root waits for signatures: it is `roots/draft-<sha256>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootDrafted {
    /// Its number.
    #[serde(deserialize_with = "member::number")]
    pub root_version: u64,
    /// SHA-256 of the file as it is signed so far, lower-case hex.
    #[serde(deserialize_with = "member::digest")]
    pub sha256: String,
    /// Thumbprints of those that have signed.
    #[serde(deserialize_with = "member::thumbprint")]
    pub signed: Vec<String>,
}

impl Event for RootDrafted {
    const TYPE: &'static str = "root.drafted";
}

/// A root that waited was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootDiscarded {
    /// Its number.
    #[serde(deserialize_with = "member::number")]
    pub root_version: u64,
}

impl Event for RootDiscarded {
    const TYPE: &'static str = "root.discarded";
}

/// Every root, oldest first.
#[derive(Debug, Default)]
pub struct Roots {
    made: Vec<RootMade>,
    draft: Option<RootDrafted>,
    /// Digests of drafts that a root, another draft or a withdrawal has ended.
    ended: BTreeSet<String>,
}

impl Roots {
    /// Takes in an entry; `false` where it is not about roots.
    ///
    /// # Errors
    /// [`JournalFault::Malformed`].
    pub fn apply(&mut self, entry: &Entry) -> Result<bool, JournalFault> {
        let next = self.newest().map_or(0, |root| root.root_version).saturating_add(1);
        let follows = |root_version: u64| {
            if root_version == next {
                return Ok(());
            }
            let what = format!("root {root_version} does not follow the one before");
            Err(JournalFault::Malformed { line: entry.index + 1, what })
        };
        if let Some(made) = entry.event::<RootMade>()? {
            follows(made.root_version)?;
            self.made.push(made);
            self.end_draft();
        } else if let Some(draft) = entry.event::<RootDrafted>()? {
            follows(draft.root_version)?;
            self.end_draft();
            self.ended.remove(&draft.sha256);
            self.draft = Some(draft);
        } else if let Some(discarded) = entry.event::<RootDiscarded>()? {
            follows(discarded.root_version)?;
            self.end_draft();
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// All of them.
    pub fn all(&self) -> &[RootMade] {
        &self.made
    }

    /// The one that waits for signatures.
    pub fn draft(&self) -> Option<&RootDrafted> {
        self.draft.as_ref()
    }

    /// Whether a draft with this SHA-256 waited once and waits no more.
    pub fn has_ended(&self, sha256: &str) -> bool {
        self.ended.contains(sha256)
    }

    fn end_draft(&mut self) {
        self.ended.extend(self.draft.take().map(|draft| draft.sha256));
    }

    /// The newest.
    pub fn newest(&self) -> Option<&RootMade> {
        self.made.last()
    }
}
