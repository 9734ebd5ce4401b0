//! The root of trust: which keys may sign the next root, and which sign bundles.
//!
//! A JWS in its general JSON form (RFC 7515 §7.2.1), so that several custodians can sign one
//! root, each with a key of their own; renewed by the rules of TUF §5.3. Normative page:
//! `docs/formats/root-v1.md`. Reads no clock and holds no private key.

mod file;
mod terms;

use crate::digest::Digest;
use crate::escape::escaped;
use crate::json::JsonError;
use crate::jwk::JwkError;
use crate::jws::{Malformed, SignFailure};
use crate::key::PublicKey;
use crate::members::MemberFault;
use crate::time::UnixTime;

pub use file::{Unverified, add_signature, parse, sign};
pub use terms::Terms;

/// The `typ` of each signature's header.
pub const TYP: &str = "coldsign-root+json";

/// The longest root file read, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// The most keys of a role, and the most signatures of a file.
pub const MOST_KEYS: usize = 32;

/// The name of a root's file: `root.3.json`.
pub fn file_name(root_version: u64) -> String {
    format!("root.{root_version}.json")
}

/// Why a root was not made or not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// More than [`LONGEST`] bytes.
    #[error("the root is {length} bytes long, over {LONGEST}")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// Not strict JSON.
    #[error("the root is no strict JSON: {0}")]
    Json(#[from] JsonError),
    /// Not a JWS as this format has it.
    #[error("the root is no JWS in general form: {0}")]
    Form(MemberFault),
    /// A signature's header is not the one of this format.
    #[error("the root's signature {}: {source}", .position + 1)]
    Header {
        /// Its place, from 0.
        position: usize,
        /// What is wrong.
        source: Malformed,
    },
    /// A signature's `typ` is another: what was signed is no root.
    #[error("the root's signature {} is over {}, not {TYP}", .position + 1, .found.as_deref().map_or_else(|| "no type".into(), |typ| escaped(typ).to_string()))]
    Type {
        /// Its place, from 0.
        position: usize,
        /// Its `typ`, if any.
        found: Option<String>,
    },
    /// A format or version that this reader doesn't know.
    #[error("the root is {} version {version}, not coldsign-root version 1", escaped(.format))]
    Version {
        /// Its `format`.
        format: String,
        /// Its `version`.
        version: u64,
    },
    /// A member that is missing, unknown or wrong.
    #[error("the root is malformed: {0}")]
    Member(#[from] MemberFault),
    /// One of its keys is no public Ed25519 key under its own thumbprint.
    #[error("key {} of the root: {source}", .position + 1)]
    Key {
        /// Its place, from 0.
        position: usize,
        /// What is wrong.
        source: JwkError,
    },
    /// Too few of the keys that must have signed did.
    #[error("{found} of the {of} keys of root {of_version} signed root {root_version}, {threshold} must")]
    Threshold {
        /// The root that was to be accepted.
        root_version: u64,
        /// The root whose custodians had to sign it: the one before, or itself.
        of_version: u64,
        /// How many different keys signed.
        found: usize,
        /// How many had to.
        threshold: usize,
        /// How many there are.
        of: usize,
    },
    /// Not the number after the one that is trusted.
    #[error("root {found} does not follow root {trusted}")]
    Gap {
        /// The trusted root's number.
        trusted: u64,
        /// The other's.
        found: u64,
    },
    /// A root of another store or issuer.
    #[error("the root is of {}, not of {}", escaped(.found), escaped(.expected))]
    Foreign {
        /// Store and issuer trusted.
        expected: String,
        /// Those of the root.
        found: String,
    },
    /// Not the file whose fingerprint was compared.
    #[error("the root's fingerprint is {found}, not {expected}")]
    Fingerprint {
        /// The one given.
        expected: Digest,
        /// The file's.
        found: Digest,
    },
    /// Past its `exp`, and no later root is there.
    #[error("root {root_version} expired at {expired_at}, it is {now}")]
    Expired {
        /// Its number.
        root_version: u64,
        /// Its `exp`.
        expired_at: UnixTime,
        /// The time given.
        now: UnixTime,
    },
    /// Made later than now and the clocks' difference allow.
    #[error("root {root_version} was made at {made_at}, it is {now}")]
    Future {
        /// Its number.
        root_version: u64,
        /// Its `iat`.
        made_at: UnixTime,
        /// The time given.
        now: UnixTime,
    },
    /// A key did not sign.
    #[error(transparent)]
    Sign(#[from] SignFailure),
    /// A signature by a key that has signed already.
    #[error("key {} has signed this root already", escaped(.kid))]
    SignedAlready {
        /// Its name.
        kid: String,
    },
}

impl Fault {
    /// The rule's stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "ROOT-LENGTH",
            Self::Json(_) | Self::Form(_) => "ROOT-FORM",
            Self::Header { .. } => "ROOT-HEADER",
            Self::Type { .. } => "ROOT-TYPE",
            Self::Version { .. } => "ROOT-VERSION",
            Self::Member(_) => "ROOT-MEMBER",
            Self::Key { .. } => "ROOT-KEY",
            Self::Threshold { .. } => "ROOT-THRESHOLD",
            Self::Gap { .. } => "ROOT-GAP",
            Self::Foreign { .. } => "ROOT-FOREIGN",
            Self::Fingerprint { .. } => "ROOT-FINGERPRINT",
            Self::Expired { .. } => "ROOT-EXPIRED",
            Self::Future { .. } => "ROOT-FUTURE",
            Self::Sign(_) => "ROOT-SIGN",
            Self::SignedAlready { .. } => "ROOT-SIGNED-ALREADY",
        }
    }
}

/// A root signed by enough of the keys that had to; only [`Root::pinned`], [`Root::first`] and
/// [`Root::successor`] make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    terms: Terms,
    text: String,
}

impl Root {
    /// The root whose fingerprint a person compared: exactly these bytes, and signed by enough of its own keys.
    pub fn pinned(bytes: &[u8], fingerprint: &Digest) -> Result<Self, Fault> {
        let found = Digest::of(bytes);
        if found != *fingerprint {
            return Err(Fault::Fingerprint { expected: *fingerprint, found });
        }
        Self::first(bytes)
    }

    /// A root that is signed by enough of its own keys. That says nothing about whose it is:
    /// only for what is trusted for another reason, or to be shown.
    pub fn first(bytes: &[u8]) -> Result<Self, Fault> {
        let unverified = parse(bytes)?;
        unverified.check_threshold(unverified.terms())?;
        Ok(Self { terms: unverified.into_terms(), text: text(bytes)? })
    }

    /// The next root: its number is one more, and enough keys of both this root and the next signed it.
    /// Expiry of neither matters here (TUF §5.3.10 checks the last one only: [`Root::check_time`]).
    pub fn successor(&self, bytes: &[u8]) -> Result<Self, Fault> {
        let unverified = parse(bytes)?;
        let next = unverified.terms();
        // TUF §5.3.4: both thresholds, before anything that the next root says is believed.
        unverified.check_threshold(&self.terms)?;
        unverified.check_threshold(next)?;
        if Some(next.root_version) != self.terms.root_version.checked_add(1) {
            return Err(Fault::Gap { trusted: self.terms.root_version, found: next.root_version });
        }
        if (&next.store, &next.issuer) != (&self.terms.store, &self.terms.issuer) {
            return Err(Fault::Foreign { expected: self.terms.whose(), found: next.whose() });
        }
        Ok(Self { terms: unverified.into_terms(), text: text(bytes)? })
    }

    /// Not expired, and not made later than `skew` seconds from now.
    pub fn check_time(&self, now: UnixTime, skew: u64) -> Result<(), Fault> {
        let Terms { root_version, expires_at, issued_at, .. } = self.terms;
        if now >= expires_at {
            return Err(Fault::Expired { root_version, expired_at: expires_at, now });
        }
        if issued_at.0 > now.0.saturating_add(skew) {
            return Err(Fault::Future { root_version, made_at: issued_at, now });
        }
        Ok(())
    }

    /// What it says.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Its number.
    pub fn root_version(&self) -> u64 {
        self.terms.root_version
    }

    /// The file, byte for byte.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What people compare: the SHA-256 of the file, as `sha256sum` prints it.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }

    /// The bundle key under this thumbprint.
    pub fn bundle_key(&self, kid: &str) -> Option<&PublicKey> {
        self.terms.bundle_keys.iter().find(|key| key.thumbprint() == kid)
    }
}

fn text(bytes: &[u8]) -> Result<String, Fault> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Fault::Json(JsonError::NotUtf8))
}

#[cfg(test)]
mod tests;
