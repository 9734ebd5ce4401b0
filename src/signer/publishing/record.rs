//! Publications and certificates as the journal tells them.

use crate::journal::{Entry, Event, JournalFault, member};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A publication was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicationMade {
    /// Its number, from 1.
    #[serde(deserialize_with = "member::number")]
    pub seq: u64,
    /// SHA-256 of its `SHA256SUMS`, lower-case hex.
    #[serde(deserialize_with = "member::digest")]
    pub manifest: String,
    /// RFC 7638 thumbprints of the keys in it.
    #[serde(deserialize_with = "member::thumbprint")]
    pub kids: Vec<String>,
    /// Its bundle; publications of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<BundleMade>,
}

/// A publication's bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleMade {
    /// SHA-256 of `bundle.jwt`, lower-case hex.
    #[serde(deserialize_with = "member::digest")]
    pub sha256: String,
    /// Its `exp`, in seconds since the epoch.
    #[serde(deserialize_with = "member::number")]
    pub exp: u64,
}

impl Event for PublicationMade {
    const TYPE: &'static str = "publication.made";
}

/// A certificate over a token key was made; it is `certificates/<kid>.pem`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateMade {
    /// The key: RFC 7638 thumbprint.
    #[serde(deserialize_with = "member::thumbprint")]
    pub kid: String,
    /// SHA-256 of the PEM file, lower-case hex.
    #[serde(deserialize_with = "member::digest")]
    pub sha256: String,
}

impl Event for CertificateMade {
    const TYPE: &'static str = "certificate.made";
}

/// A publication and when it was made.
#[derive(Debug, Clone)]
pub struct PublicationRecord {
    /// As journalled.
    pub made: PublicationMade,
    /// The entry's place in the journal.
    pub index: u64,
    /// When, in seconds since the epoch.
    pub at: u64,
    /// By which unlock.
    pub by: String,
}

/// Every publication, oldest first, and every certificate.
#[derive(Debug, Default)]
pub struct Publications {
    records: Vec<PublicationRecord>,
    first_published: HashMap<String, u64>,
    certificates: HashMap<String, String>,
}

impl Publications {
    /// Takes in an entry; `false` where it is not about publications.
    ///
    /// # Errors
    /// [`JournalFault::Malformed`].
    pub fn apply(&mut self, entry: &Entry) -> Result<bool, JournalFault> {
        if let Some(made) = entry.event::<PublicationMade>()? {
            // They are called by their numbers, in the order of their making; a restore leaves some out.
            if self.newest().map_or(0, |newest| newest.made.seq) >= made.seq {
                let what = format!("publication {} does not come after the one before", made.seq);
                return Err(JournalFault::Malformed { line: entry.index + 1, what });
            }
            for kid in &made.kids {
                self.first_published.entry(kid.clone()).or_insert(entry.time);
            }
            self.records.push(PublicationRecord { made, index: entry.index, at: entry.time, by: entry.by.to_string() });
        } else if let Some(made) = entry.event::<CertificateMade>()? {
            self.certificates.insert(made.kid, made.sha256);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// All of them.
    pub fn all(&self) -> &[PublicationRecord] {
        &self.records
    }

    /// The newest.
    pub fn newest(&self) -> Option<&PublicationRecord> {
        self.records.last()
    }

    /// One by its number.
    pub fn by_seq(&self, seq: u64) -> Option<&PublicationRecord> {
        let place = self.records.partition_point(|publication| publication.made.seq < seq);
        self.records.get(place).filter(|publication| publication.made.seq == seq)
    }

    /// When a key was first published, in seconds since the epoch.
    pub fn first_published(&self, kid: &str) -> Option<u64> {
        self.first_published.get(kid).copied()
    }

    /// Every certificate: its key's kid, and SHA-256 of its PEM file.
    pub fn certificates(&self) -> impl Iterator<Item = (&str, &str)> {
        self.certificates.iter().map(|(kid, sha256)| (kid.as_str(), sha256.as_str()))
    }

    /// SHA-256 of a key's certificate, where one was made.
    pub fn certificate(&self, kid: &str) -> Option<&str> {
        self.certificates.get(kid).map(String::as_str)
    }
}
