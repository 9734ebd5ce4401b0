//! What a root says, apart from who signed it.

use serde_json::{Map, Value, json};

use super::{Fault, MOST_KEYS};
use crate::jwk::{self, JwkError};
use crate::key::PublicKey;
use crate::members::{MemberFault, Members};
use crate::time::UnixTime;

const FORMAT: &str = "coldsign-root";
const VERSION: u64 = 1;

/// A root's content. All keys are Ed25519 (`EdDSA`), which every build can verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The store's id.
    pub store: String,
    /// The issuer of that store's bundles and tokens.
    pub issuer: String,
    /// Its number, from 1; each root's is one more than that of the one before.
    pub root_version: u64,
    /// When it was made.
    pub issued_at: UnixTime,
    /// From when on nothing new is installed under it.
    pub expires_at: UnixTime,
    /// The custodians' keys: those that sign this root and the next.
    pub root_keys: Vec<PublicKey>,
    /// How many different root keys must sign.
    pub threshold: usize,
    /// The keys that sign bundles, each by itself.
    pub bundle_keys: Vec<PublicKey>,
}

impl Terms {
    /// The payload to sign.
    ///
    /// # Errors
    /// When no reader would accept it: [`Fault::Member`] or [`Fault::Key`].
    pub fn to_payload(&self) -> Result<Vec<u8>, Fault> {
        let kids = |keys: &[PublicKey]| keys.iter().map(PublicKey::thumbprint).collect::<Vec<_>>();
        let keys: Vec<Value> =
            self.root_keys.iter().chain(&self.bundle_keys).map(|key| key.to_jwk(&key.thumbprint())).collect();
        let payload = json!({
            "exp": self.expires_at.0,
            "format": FORMAT,
            "iat": self.issued_at.0,
            "issuer": self.issuer,
            "keys": keys,
            "roles": {
                "bundle": { "kids": kids(&self.bundle_keys), "threshold": 1 },
                "root": { "kids": kids(&self.root_keys), "threshold": self.threshold },
            },
            "root_version": self.root_version,
            "store": self.store,
            "version": VERSION,
        });
        let payload = payload.to_string().into_bytes();
        let read = Self::from_payload(&payload)?;
        // What can't be read back as it was meant is never signed.
        if read == *self { Ok(payload) } else { Err(MemberFault::new("keys", "not what would be read back").into()) }
    }

    /// Reads a payload strictly.
    ///
    /// # Errors
    /// As for any root file.
    pub fn from_payload(payload: &[u8]) -> Result<Self, Fault> {
        let mut members = Members::of(crate::json::parse_object(payload)?);
        let (format, version) = (members.text("format")?, members.integer("version", 0)?);
        if (format.as_str(), version) != (FORMAT, VERSION) {
            return Err(Fault::Version { format, version });
        }
        let keys = read_keys(&members.array("keys", 2 * MOST_KEYS)?)?;
        let mut roles = members.object("roles")?;
        let (root_keys, threshold) = role(&mut roles, "root", &keys)?;
        let (bundle_keys, one) = role(&mut roles, "bundle", &keys)?;
        if one != 1 {
            return Err(roles.fault("bundle.threshold", "not 1: a bundle has one signature").into());
        }
        roles.end()?;
        // One key, one purpose; and no key without any.
        if let Some(both) = root_keys.iter().find(|key| bundle_keys.contains(key)) {
            return Err(MemberFault::new("roles", format!("such that {} has both", both.thumbprint())).into());
        }
        if root_keys.len() + bundle_keys.len() != keys.len() {
            return Err(members.fault("keys", "an array with a key that has no role").into());
        }
        let terms = Self {
            store: members.text("store")?,
            issuer: members.text("issuer")?,
            root_version: members.integer("root_version", 1)?,
            issued_at: members.time("iat")?,
            expires_at: members.time("exp")?,
            root_keys,
            threshold,
            bundle_keys,
        };
        if terms.expires_at <= terms.issued_at {
            return Err(members.fault("exp", "not after its \"iat\"").into());
        }
        members.end_unless_critical()?;
        Ok(terms)
    }

    /// Store and issuer, for people.
    pub(super) fn whose(&self) -> String {
        format!("{} ({})", self.issuer, self.store)
    }
}

fn read_keys(items: &[Value]) -> Result<Vec<PublicKey>, Fault> {
    let mut keys = Vec::new();
    for (position, item) in items.iter().enumerate() {
        let key = read_key(item.as_object()).map_err(|source| Fault::Key { position, source })?;
        if keys.contains(&key) {
            return Err(MemberFault::new("keys", "an array with a key that stands twice").into());
        }
        keys.push(key);
    }
    Ok(keys)
}

fn read_key(jwk: Option<&Map<String, Value>>) -> Result<PublicKey, JwkError> {
    let jwk = jwk.ok_or(JwkError::NotAnObject)?;
    let (key, kid) = jwk::from_members(jwk)?;
    // A root says for each key what it is for, and nothing is guessed.
    for (member, wanted) in [("alg", "EdDSA"), ("use", "sig")] {
        if jwk.get(member).and_then(Value::as_str) != Some(wanted) {
            return Err(JwkError::MemberType { member, wanted });
        }
    }
    // A name that is free could be given to two keys, or one key two names.
    match kid {
        Some(kid) if kid == key.thumbprint() => Ok(key),
        _ => Err(JwkError::MemberType { member: "kid", wanted: "the key's thumbprint" }),
    }
}

fn role(roles: &mut Members, name: &str, keys: &[PublicKey]) -> Result<(Vec<PublicKey>, usize), Fault> {
    let mut role = roles.object(name)?;
    let kids = role.texts("kids", MOST_KEYS)?;
    let threshold = role.integer("threshold", 1)?;
    let mut found = Vec::new();
    for kid in &kids {
        let key = keys.iter().find(|key| key.thumbprint() == *kid);
        found.push(key.cloned().ok_or_else(|| role.fault("kids", "an array with a name that is no key's"))?);
    }
    let threshold = usize::try_from(threshold)
        .ok()
        .filter(|threshold| *threshold <= found.len())
        .ok_or_else(|| role.fault("threshold", "more than it has keys"))?;
    role.end()?;
    Ok((found, threshold))
}
