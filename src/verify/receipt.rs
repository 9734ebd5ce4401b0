//! The receipt: a verifier's signed word on what it has installed and loaded.
//!
//! A compact JWS by a key that signs receipts only. Its counter rises with each and each names the
//! one before, so that a verifier put back from an image, or running twice, is told apart.
//! Normative page: `docs/formats/receipt-v1.md`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::algorithm::Algorithm;
use crate::digest::Digest;
use crate::escape::escaped;
use crate::json::{self, JsonError};
use crate::jwk::{self, JwkError};
use crate::jws::{self, Malformed, Sign, SignFailure};
use crate::key::PublicKey;
use crate::members::{MemberFault, Members};
use crate::time::UnixTime;

/// The header's `typ`.
pub const TYP: &str = "coldsign-receipt+jwt";

/// The longest receipt read, in bytes.
pub const LONGEST: usize = 1024 * 1024;

const VERSION: u64 = 1;

/// What a verifier says of itself. All times are by its own clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The store's id, from the installed bundle.
    pub store: String,
    /// The verifier's name, given when it pinned its root.
    pub verifier: String,
    /// Higher in each receipt of this verifier, from 1.
    pub counter: u64,
    /// The SHA-256 of its receipt before; absent in the first alone.
    pub previous: Option<Digest>,
    /// The trusted root's number.
    pub root_version: u64,
    /// The installed publication.
    pub seq: u64,
    /// The SHA-256 of its bundle.
    pub bundle: Digest,
    /// When it was installed.
    pub installed_at: UnixTime,
    /// When the service took it into memory, where that is known.
    pub loaded_at: Option<UnixTime>,
    /// Every key of the bundle, by `kid`, and when a token of it was last accepted, where that is known.
    pub kids: BTreeMap<String, Option<UnixTime>>,
    /// The verifier's clock when it signed.
    pub issued_at: UnixTime,
}

/// Why a receipt was not made or not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// More than [`LONGEST`] bytes.
    #[error("the receipt is {length} bytes long, over {LONGEST}")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// Not a compact JWS.
    #[error("the receipt is no compact JWS: {0}")]
    Form(#[from] Malformed),
    /// Signed as something else.
    #[error("the receipt's type is {}, not {TYP}", .found.as_deref().map_or_else(|| "nothing".into(), |typ| escaped(typ).to_string()))]
    Type {
        /// Its `typ`, if any.
        found: Option<String>,
    },
    /// Signed by another key than the verifier's.
    #[error("the receipt is signed by key {}, not {}", escaped(.found), escaped(.expected))]
    Key {
        /// The enrolled key's thumbprint.
        expected: String,
        /// The receipt's `kid`.
        found: String,
    },
    /// The signature does not hold.
    #[error("the receipt's signature does not hold under key {}", escaped(.kid))]
    Signature {
        /// Its `kid`.
        kid: String,
    },
    /// Not strict JSON.
    #[error("the receipt is no strict JSON: {0}")]
    Json(#[from] JsonError),
    /// A version that this reader doesn't know.
    #[error("the receipt is of version {version}, not 1")]
    Version {
        /// Its `version`.
        version: u64,
    },
    /// A member that is missing, wrong, or must be known and isn't.
    #[error("the receipt is malformed: {0}")]
    Member(#[from] MemberFault),
    /// The key in it is no public Ed25519 key.
    #[error("the receipt's own key: {0}")]
    OwnKey(JwkError),
    /// Not later than the last one known: an old receipt, or a verifier put back from an image.
    #[error("the receipt's counter is {found}, that of the last one known {last}")]
    Counter {
        /// Its counter.
        found: u64,
        /// The last one's.
        last: u64,
    },
    /// The next counter, but not made after the last one known: two verifiers use one key.
    #[error("receipt {counter} does not follow the last one known: two verifiers use one key")]
    Fork {
        /// Its counter.
        counter: u64,
    },
    /// The key did not sign.
    #[error(transparent)]
    Sign(#[from] SignFailure),
}

impl Fault {
    /// The rule's stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "RECEIPT-LENGTH",
            Self::Form(_) => "RECEIPT-FORM",
            Self::Type { .. } => "RECEIPT-TYPE",
            Self::Key { .. } => "RECEIPT-KEY",
            Self::Signature { .. } => "RECEIPT-SIGNATURE",
            Self::Json(_) => "RECEIPT-JSON",
            Self::Version { .. } => "RECEIPT-VERSION",
            Self::Member(_) => "RECEIPT-MEMBER",
            Self::OwnKey(_) => "RECEIPT-OWN-KEY",
            Self::Counter { .. } => "RECEIPT-COUNTER",
            Self::Fork { .. } => "RECEIPT-FORK",
            Self::Sign(_) => "RECEIPT-SIGN",
        }
    }
}

/// A receipt whose signature held; only [`Receipt::verify`] and [`Receipt::introduce`] make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    contents: Contents,
    digest: Digest,
}

/// Signs a receipt with the verifier's own key, `key` being its public half.
///
/// # Errors
/// When the key is not Ed25519, doesn't sign, or no reader would accept the contents.
pub fn sign(contents: &Contents, key: &PublicKey, signer: &dyn Sign) -> Result<String, Fault> {
    let token = jws::assemble(signer, TYP, &contents.to_payload(key)?)?;
    Receipt::verify(&token, key)?;
    Ok(token)
}

impl Receipt {
    /// A receipt of the verifier whose key is enrolled.
    pub fn verify(token: &str, key: &PublicKey) -> Result<Self, Fault> {
        if token.len() > LONGEST {
            return Err(Fault::TooLong { length: token.len() });
        }
        let compact = jws::parse_of_any_length(token)?;
        if compact.typ() != Some(TYP) {
            return Err(Fault::Type { found: compact.typ().map(str::to_owned) });
        }
        let kid = compact.kid().unwrap_or_default().to_owned();
        let expected = key.thumbprint();
        if kid != expected || compact.algorithm() != key.algorithm() {
            return Err(Fault::Key { expected, found: kid });
        }
        key.verify(compact.signing_input(), compact.signature()).map_err(|_| Fault::Signature { kid })?;
        let (contents, own) = Contents::from_payload(compact.payload())?;
        if own != *key {
            return Err(Fault::Key { expected, found: own.thumbprint() });
        }
        Ok(Self { contents, digest: Digest::of(token.as_bytes()) })
    }

    /// A receipt of a verifier not known yet, and the key in it. That it is that verifier's key only a
    /// person can tell, by comparing [its fingerprint](fingerprint) on paper.
    pub fn introduce(token: &str) -> Result<(Self, PublicKey), Fault> {
        if token.len() > LONGEST {
            return Err(Fault::TooLong { length: token.len() });
        }
        let (_, key) = Contents::from_payload(jws::parse_of_any_length(token)?.payload())?;
        Ok((Self::verify(token, &key)?, key))
    }

    /// That it was made after the last one known of the same verifier.
    pub fn check_after(&self, last_counter: u64, last: &Digest) -> Result<(), Fault> {
        let found = self.contents.counter;
        match found.checked_sub(last_counter) {
            None | Some(0) => Err(Fault::Counter { found, last: last_counter }),
            Some(1) if self.contents.previous != Some(*last) => Err(Fault::Fork { counter: found }),
            Some(_) => Ok(()),
        }
    }

    /// What it says.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Its SHA-256: what the next one names as `prev`.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// What people compare of a receipt key: the SHA-256 of its SubjectPublicKeyInfo.
pub fn fingerprint(key: &PublicKey) -> Digest {
    Digest::of(&key.to_spki_der())
}

/// Whether a verifier can have that name: `[a-z0-9][a-z0-9._-]*`, at most 64 bytes.
pub fn is_verifier_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= 64
        && name.bytes().next().is_some_and(plain)
        && name.bytes().all(|byte| plain(byte) || b"._-".contains(&byte))
}

impl Contents {
    fn to_payload(&self, key: &PublicKey) -> Result<Vec<u8>, Fault> {
        let mut members = Map::new();
        let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
        let kids: Map<String, Value> =
            self.kids.iter().map(|(kid, used)| (kid.clone(), used.map(|used| used.0).into())).collect();
        put("bundle", self.bundle.to_string().into());
        put("counter", self.counter.into());
        put("iat", self.issued_at.0.into());
        put("installed_at", self.installed_at.0.into());
        put("key", key.to_jwk(&key.thumbprint()));
        put("kids", kids.into());
        if let Some(loaded_at) = self.loaded_at {
            put("loaded_at", loaded_at.0.into());
        }
        if let Some(previous) = self.previous {
            put("prev", previous.to_string().into());
        }
        put("root_version", self.root_version.into());
        put("seq", self.seq.into());
        put("store", self.store.as_str().into());
        put("verifier", self.verifier.as_str().into());
        put("version", VERSION.into());
        let payload = json!(members).to_string().into_bytes();
        Self::from_payload(&payload)?;
        Ok(payload)
    }

    fn from_payload(payload: &[u8]) -> Result<(Self, PublicKey), Fault> {
        let mut members = Members::of(json::parse_object(payload)?);
        let version = members.integer("version", 0)?;
        if version != VERSION {
            return Err(Fault::Version { version });
        }
        let used = |value: &Value| match value {
            Value::Null => Some(None),
            value => json::integer(value).map(|at| Some(UnixTime(at))),
        };
        let key = members.object("key")?;
        let (key, _) = jwk::from_members(key.rest()).map_err(Fault::OwnKey)?;
        if key.algorithm() != Algorithm::EdDsa {
            return Err(Fault::OwnKey(JwkError::MemberType { member: "alg", wanted: "EdDSA" }));
        }
        let contents = Self {
            store: members.text("store")?,
            verifier: verifier_name(&mut members)?,
            counter: members.integer("counter", 1)?,
            previous: members.optional_digest("prev")?,
            root_version: members.integer("root_version", 1)?,
            seq: members.integer("seq", 1)?,
            bundle: members.digest("bundle")?,
            installed_at: members.time("installed_at")?,
            loaded_at: members.optional_time("loaded_at")?,
            kids: members.table("kids", "neither a time nor null", used)?,
            issued_at: members.time("iat")?,
        };
        if contents.previous.is_some() != (contents.counter > 1) {
            return Err(members.fault("prev", "missing, or there in the first receipt").into());
        }
        members.end_unless_critical()?;
        Ok((contents, key))
    }
}

/// Names that no verifier can have are refused wherever they come from.
fn verifier_name(members: &mut Members) -> Result<String, MemberFault> {
    let name = members.text("verifier")?;
    if is_verifier_name(&name) { Ok(name) } else { Err(members.fault("verifier", "no name of a verifier")) }
}

#[cfg(test)]
mod tests;
