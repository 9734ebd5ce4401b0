//! The bundle: a publication's signed heart, in one token.
//!
//! A compact JWS that any JWT library verifies (`typ` jwk-set+jwt, OpenID Federation §5.2.1): the
//! keys of every service, what each service expects, what is withdrawn, and the digest of every
//! file of the publication. Normative page: `docs/formats/bundle-v1.md`. Reads no clock and holds
//! no private key.

mod contents;

use crate::digest::Digest;
use crate::escape::escaped;
use crate::json::JsonError;
use crate::jwks::JwksError;
use crate::jws::{self, Malformed, Sign, SignFailure};
use crate::members::MemberFault;
use crate::root::Root;
use crate::time::UnixTime;

pub use contents::{Contents, Key, Service, is_publication_path};

/// The header's `typ`.
pub const TYP: &str = "jwk-set+jwt";

/// The bundle's file in a publication.
pub const FILE_NAME: &str = "bundle.jwt";

/// The longest bundle read, in bytes.
pub const LONGEST: usize = 16 * 1024 * 1024;

/// How far the number may leap over that of the installed bundle: a forged one near the end of
/// numbers would otherwise shut every honest one out (TUF's fast-forward attack).
pub const LONGEST_LEAP: u64 = 10_000;

/// Why a bundle was not made or not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// More than [`LONGEST`] bytes.
    #[error("the bundle is {length} bytes long, over {LONGEST}")]
    TooLong {
        /// Its length.
        length: u64,
    },
    /// Not a compact JWS.
    #[error("the bundle is no compact JWS: {0}")]
    Form(#[from] Malformed),
    /// Signed as something else.
    #[error("the bundle's type is {}, not {TYP}", .found.as_deref().map_or_else(|| "nothing".into(), |typ| escaped(typ).to_string()))]
    Type {
        /// Its `typ`, if any.
        found: Option<String>,
    },
    /// Signed by a key that the root doesn't name for bundles.
    #[error("the bundle is signed by key {}, which root {root_version} doesn't name for bundles", escaped(.kid))]
    Key {
        /// Its `kid`.
        kid: String,
        /// The trusted root.
        root_version: u64,
    },
    /// The signature does not hold.
    #[error("the bundle's signature does not hold under key {}", escaped(.kid))]
    Signature {
        /// Its `kid`.
        kid: String,
    },
    /// Not strict JSON.
    #[error("the bundle is no strict JSON: {0}")]
    Json(#[from] JsonError),
    /// A version that this reader doesn't know.
    #[error("the bundle is of version {version}, not 1")]
    Version {
        /// Its `version`.
        version: u64,
    },
    /// A member that is missing, wrong, or must be known and isn't.
    #[error("the bundle is malformed: {0}")]
    Member(#[from] MemberFault),
    /// A key that can't be taken in.
    #[error("the bundle's keys: {0}")]
    Keys(#[from] JwksError),
    /// Another issuer or store than the root's.
    #[error("the bundle is of {}, not of {}", escaped(.found), escaped(.expected))]
    Foreign {
        /// The root's issuer and store.
        expected: String,
        /// The bundle's.
        found: String,
    },
    /// Made under a later root than any that is here.
    #[error("the bundle was made under root {wanted}, the newest here is root {newest}")]
    Root {
        /// The root it names.
        wanted: u64,
        /// The trusted root.
        newest: u64,
    },
    /// It would outlive its root.
    #[error("the bundle says it is good until {expires_at}, root {root_version} only until {root_expires_at}")]
    OutlivesRoot {
        /// Its `exp`.
        expires_at: UnixTime,
        /// The trusted root.
        root_version: u64,
        /// That root's `exp`.
        root_expires_at: UnixTime,
    },
    /// Past its `exp`.
    #[error("publication {seq} expired at {expired_at}, it is {now}")]
    Expired {
        /// Its number.
        seq: u64,
        /// Its `exp`.
        expired_at: UnixTime,
        /// The time given.
        now: UnixTime,
    },
    /// Made later than now and the clocks' difference allow.
    #[error("publication {seq} was made at {made_at}, it is {now}")]
    Future {
        /// Its number.
        seq: u64,
        /// Its `iat`.
        made_at: UnixTime,
        /// The time given.
        now: UnixTime,
    },
    /// An older one than is installed.
    #[error("publication {found} is older than the installed {installed}")]
    Rollback {
        /// Its number.
        found: u64,
        /// The installed one's.
        installed: u64,
    },
    /// The installed number on other bytes: two stores, or a store put back and gone on from.
    #[error("this is another publication {seq} than the installed one")]
    SameNumber {
        /// The number of both.
        seq: u64,
    },
    /// Further ahead than [`LONGEST_LEAP`].
    #[error("publication {found} is more than {LONGEST_LEAP} ahead of the installed {installed}")]
    Leap {
        /// Its number.
        found: u64,
        /// The installed one's.
        installed: u64,
    },
    /// The next number, but not made after the installed one.
    #[error("publication {seq} does not follow the installed {installed}: its journal went another way", installed = .seq.saturating_sub(1))]
    Previous {
        /// Its number.
        seq: u64,
    },
    /// The key did not sign.
    #[error(transparent)]
    Sign(#[from] SignFailure),
}

impl Fault {
    /// The rule's stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "BUNDLE-LENGTH",
            Self::Form(_) => "BUNDLE-FORM",
            Self::Type { .. } => "BUNDLE-TYPE",
            Self::Key { .. } => "BUNDLE-KEY",
            Self::Signature { .. } => "BUNDLE-SIGNATURE",
            Self::Json(_) => "BUNDLE-JSON",
            Self::Version { .. } => "BUNDLE-VERSION",
            Self::Member(_) => "BUNDLE-MEMBER",
            Self::Keys(_) => "BUNDLE-KEYS",
            Self::Foreign { .. } => "BUNDLE-FOREIGN",
            Self::Root { .. } => "BUNDLE-ROOT",
            Self::OutlivesRoot { .. } => "BUNDLE-OUTLIVES-ROOT",
            Self::Expired { .. } => "BUNDLE-EXPIRED",
            Self::Future { .. } => "BUNDLE-FUTURE",
            Self::Rollback { .. } => "BUNDLE-ROLLBACK",
            Self::SameNumber { .. } => "BUNDLE-SAME-NUMBER",
            Self::Leap { .. } => "BUNDLE-LEAP",
            Self::Previous { .. } => "BUNDLE-PREVIOUS",
            Self::Sign(_) => "BUNDLE-SIGN",
        }
    }
}

/// A bundle signed by a key that a trusted root names; only [`Bundle::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    contents: Contents,
    signed_by: String,
    text: String,
}

/// Signs a bundle.
///
/// # Errors
/// When no verifier would accept its contents ([`Fault::Member`], [`Fault::Keys`]), or the key
/// doesn't sign. Whether `root` allows it is checked by [`Bundle::verify`] over the result.
pub fn sign(contents: &Contents, signer: &dyn Sign) -> Result<String, Fault> {
    let token = jws::assemble(signer, TYP, &contents.to_payload()?)?;
    if token.len() > LONGEST { Err(Fault::TooLong { length: token.len() as u64 }) } else { Ok(token) }
}

/// What a bundle says, whoever signed it: for comparing and showing, never for verifying tokens.
///
/// # Errors
/// Where it is no bundle: its form, type, or contents.
pub fn unverified(text: &str) -> Result<Contents, Fault> {
    if text.len() > LONGEST {
        return Err(Fault::TooLong { length: text.len() as u64 });
    }
    let compact = jws::parse_of_any_length(text)?;
    if compact.typ() != Some(TYP) {
        return Err(Fault::Type { found: compact.typ().map(str::to_owned) });
    }
    Contents::from_payload(compact.payload())
}

impl Bundle {
    /// Form, type, a key that the root names for bundles, signature, contents; then that it is
    /// that root's store and issuer, made under no later root, and does not outlive it.
    pub fn verify(text: &str, root: &Root) -> Result<Self, Fault> {
        if text.len() > LONGEST {
            return Err(Fault::TooLong { length: text.len() as u64 });
        }
        let compact = jws::parse_of_any_length(text)?;
        if compact.typ() != Some(TYP) {
            return Err(Fault::Type { found: compact.typ().map(str::to_owned) });
        }
        let kid = compact.kid().unwrap_or_default().to_owned();
        let root_version = root.root_version();
        // The root's keys are all EdDSA, so that another `alg` can't be this key's.
        let key = root.bundle_key(&kid).filter(|key| key.algorithm() == compact.algorithm());
        let key = key.ok_or_else(|| Fault::Key { kid: kid.clone(), root_version })?;
        key.verify(compact.signing_input(), compact.signature()).map_err(|_| Fault::Signature { kid: kid.clone() })?;
        let contents = Contents::from_payload(compact.payload())?;
        contents.check_against(root)?;
        Ok(Self { contents, signed_by: kid, text: text.to_owned() })
    }

    /// Not expired, and not made later than the clocks' difference from now.
    pub fn check_time(&self, now: UnixTime) -> Result<(), Fault> {
        let Contents { seq, expires_at, issued_at, skew_seconds, .. } = self.contents;
        if now >= expires_at {
            return Err(Fault::Expired { seq, expired_at: expires_at, now });
        }
        if issued_at.0 > now.0.saturating_add(skew_seconds) {
            return Err(Fault::Future { seq, made_at: issued_at, now });
        }
        Ok(())
    }

    /// That it may take the place of `installed`: its number is higher, by no more than
    /// [`LONGEST_LEAP`], and the very next one names the installed one as `prev`; the same number
    /// only as the same bytes. Order is by number, never by time.
    pub fn check_after(&self, installed: &Self) -> Result<(), Fault> {
        let (found, before) = (self.contents.seq, installed.contents.seq);
        if found < before {
            return Err(Fault::Rollback { found, installed: before });
        }
        if found == before {
            return if self.text == installed.text { Ok(()) } else { Err(Fault::SameNumber { seq: found }) };
        }
        if found - before > LONGEST_LEAP {
            return Err(Fault::Leap { found, installed: before });
        }
        if found - before == 1 && self.contents.previous != Some(installed.digest()) {
            return Err(Fault::Previous { seq: found });
        }
        Ok(())
    }

    /// What it says.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Its number.
    pub fn seq(&self) -> u64 {
        self.contents.seq
    }

    /// The thumbprint of the key that signed it.
    pub fn signed_by(&self) -> &str {
        &self.signed_by
    }

    /// The token, byte for byte.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The SHA-256 of the token: what the next one names as `prev`.
    pub fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }
}

#[cfg(test)]
mod tests;
