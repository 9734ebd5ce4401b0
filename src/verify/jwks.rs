//! A JSON Web Key Set (RFC 7517 §5): the keys of one service, each found by its `kid`.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use crate::escape::escaped;
use crate::json::{self, JsonError};
use crate::jwk::{self, Foreign, JwkError, LONGEST_KID};
use crate::key::PublicKey;

/// The longest key set read, in bytes.
pub const LONGEST_JWKS: usize = 1024 * 1024;

/// Why a key set was not taken in; nothing of it is used then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwksError {
    /// More than [`LONGEST_JWKS`] bytes.
    #[error("key set is {length} bytes long, over {LONGEST_JWKS}")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// Not strict JSON, or not an object.
    #[error("key set: {0}")]
    Json(#[from] JsonError),
    /// No member `keys`, or not an array.
    #[error("key set has no array \"keys\"")]
    NoKeys,
    /// A key that is none of those to be skipped, and wrong.
    #[error("key {} of the set: {source}", .position + 1)]
    Key {
        /// Its place, from 0.
        position: usize,
        /// What is wrong.
        source: JwkError,
    },
    /// A key without `kid` could never be chosen.
    #[error("key {} of the set has no \"kid\"", .position + 1)]
    MissingKid {
        /// Its place, from 0.
        position: usize,
    },
    /// Two keys under one `kid`, skipped ones included.
    #[error("two keys of the set have the kid \"{}\"", escaped(.kid))]
    DuplicateKid {
        /// The `kid`.
        kid: String,
    },
}

/// One key of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JwksKey {
    /// Its name in the set: opaque, 1 to 64 characters, compared exactly.
    pub kid: String,
    /// The key.
    pub key: PublicKey,
}

/// One key of a set that is of a kind unknown or not meant for verifying.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedKey {
    /// Its name, if it has one.
    pub kid: Option<String>,
    /// Why it was skipped.
    pub why: Foreign,
}

/// Keys by unique `kid`, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Jwks {
    keys: Vec<JwksKey>,
    positions: HashMap<String, usize>,
    skipped: Vec<SkippedKey>,
}

impl Jwks {
    /// Parses a key set strictly. Keys of kinds unknown here are [skipped](Self::skipped); private or
    /// symmetric members, duplicate or missing kids and broken keys refuse the whole set.
    pub fn parse(bytes: &[u8]) -> Result<Self, JwksError> {
        if bytes.len() > LONGEST_JWKS {
            return Err(JwksError::TooLong { length: bytes.len() });
        }
        let set = json::parse_object(bytes)?;
        let Some(Value::Array(items)) = set.get("keys") else { return Err(JwksError::NoKeys) };
        Self::from_items(items)
    }

    /// As [`Self::parse`], over an array parsed already.
    pub(crate) fn from_items(items: &[Value]) -> Result<Self, JwksError> {
        let mut jwks = Self::default();
        let mut skipped_kids = HashSet::new();
        for (position, item) in items.iter().enumerate() {
            let refused = |source| JwksError::Key { position, source };
            let members = item.as_object().ok_or_else(|| refused(JwkError::NotAnObject))?;
            let kid = jwk::kid(members).map_err(refused)?;
            if let Some(kid) = kid.as_ref().filter(|kid| skipped_kids.contains(*kid)) {
                return Err(JwksError::DuplicateKid { kid: kid.clone() });
            }
            match jwk::from_members(members) {
                Ok((key, kid)) => jwks.insert(kid.ok_or(JwksError::MissingKid { position })?, key)?,
                Err(JwkError::Foreign(why)) => {
                    if let Some(kid) = &kid {
                        jwks.refuse_known(kid)?;
                        skipped_kids.insert(kid.clone());
                    }
                    jwks.skipped.push(SkippedKey { kid, why });
                }
                Err(source) => return Err(refused(source)),
            }
        }
        Ok(jwks)
    }

    /// Makes a set of keys that are at hand; kids must be unique and 1 to 64 characters long.
    pub fn new(keys: impl IntoIterator<Item = (String, PublicKey)>) -> Result<Self, JwksError> {
        let mut jwks = Self::default();
        for (position, (kid, key)) in keys.into_iter().enumerate() {
            let characters = kid.chars().count();
            if characters == 0 || characters > LONGEST_KID {
                return Err(JwksError::Key { position, source: JwkError::KidLength { characters } });
            }
            jwks.insert(kid, key)?;
        }
        Ok(jwks)
    }

    /// The keys that can verify, in the order of the file.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &JwksKey> {
        self.keys.iter()
    }

    /// Whether no key of the set can verify anything.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key under exactly this `kid`.
    pub fn get(&self, kid: &str) -> Option<&PublicKey> {
        let position = self.positions.get(kid)?;
        self.keys.get(*position).map(|entry| &entry.key)
    }

    /// The keys left out, and why.
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// The set as JSON, without the skipped keys.
    pub fn to_json(&self) -> Value {
        let keys: Vec<Value> = self.keys.iter().map(|entry| entry.key.to_jwk(&entry.kid)).collect();
        json!({ "keys": keys })
    }

    fn insert(&mut self, kid: String, key: PublicKey) -> Result<(), JwksError> {
        self.refuse_known(&kid)?;
        self.positions.insert(kid.clone(), self.keys.len());
        self.keys.push(JwksKey { kid, key });
        Ok(())
    }

    fn refuse_known(&self, kid: &str) -> Result<(), JwksError> {
        match self.positions.get(kid) {
            None => Ok(()),
            Some(_) => Err(JwksError::DuplicateKid { kid: kid.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Algorithm;
    use proptest::prelude::*;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn parse(set: &Value) -> Result<Jwks, JwksError> {
        Jwks::parse(set.to_string().as_bytes())
    }

    fn ours(kid: &str) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": X, "kid": kid})
    }

    fn unknown(kid: &str) -> Value {
        json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": kid})
    }

    #[test]
    fn unknown_kinds_are_skipped_and_named() {
        let jwks = parse(&json!({"keys": [unknown("b"), ours("a"), {"kty": "NEW"}], "more": 1})).unwrap();
        assert_eq!(jwks.keys().map(|entry| entry.kid.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!(jwks.get("a").unwrap().algorithm(), Algorithm::EdDsa);
        assert!(jwks.get("b").is_none() && jwks.get("A").is_none() && jwks.get("").is_none());
        assert_eq!(
            jwks.skipped(),
            [
                SkippedKey { kid: Some("b".into()), why: Foreign::KeyType("AKP".into()) },
                SkippedKey { kid: None, why: Foreign::KeyType("NEW".into()) },
            ]
        );
        assert_eq!(parse(&jwks.to_json()).unwrap().to_json(), jwks.to_json());
        assert!(parse(&json!({"keys": []})).unwrap().is_empty());
    }

    #[test]
    fn one_wrong_key_refuses_the_set() {
        let duplicate = Err(JwksError::DuplicateKid { kid: "a".into() });
        for set in
            [[ours("a"), ours("a")], [ours("a"), unknown("a")], [unknown("a"), ours("a")], [unknown("a"), unknown("a")]]
        {
            assert_eq!(parse(&json!({ "keys": set })).map(|_| ()), duplicate);
        }
        let mut private = unknown("b");
        private["priv"] = "AA".into();
        let error = parse(&json!({"keys": [ours("a"), private]})).unwrap_err();
        assert_eq!(error, JwksError::Key { position: 1, source: JwkError::PrivateMember { member: "priv" } });
        assert_eq!(error.to_string(), "key 2 of the set: the JWK holds the private member \"priv\"");
        let mut nameless = ours("a");
        nameless.as_object_mut().unwrap().remove("kid");
        assert_eq!(parse(&json!({ "keys": [nameless] })).unwrap_err(), JwksError::MissingKid { position: 0 });
        for set in [json!({}), json!({"keys": {}}), json!({"keys": null})] {
            assert_eq!(parse(&set).unwrap_err(), JwksError::NoKeys);
        }
        assert!(matches!(parse(&json!([ours("a")])), Err(JwksError::Json(JsonError::NotAnObject))));
        assert!(matches!(parse(&json!({"keys": ["a"]})), Err(JwksError::Key { source: JwkError::NotAnObject, .. })));
        let long = vec![b' '; LONGEST_JWKS + 1];
        assert_eq!(Jwks::parse(&long).unwrap_err(), JwksError::TooLong { length: LONGEST_JWKS + 1 });
    }

    #[test]
    fn made_from_keys_at_hand() {
        let (key, _) = PublicKey::from_jwk(ours("a").to_string().as_bytes()).unwrap();
        let jwks = Jwks::new([("a".to_owned(), key.clone()), ("b".to_owned(), key.clone())]).unwrap();
        assert_eq!(jwks.get("b"), Some(&key));
        assert!(Jwks::new([("a".to_owned(), key.clone()), ("a".to_owned(), key.clone())]).is_err());
        assert!(Jwks::new([(String::new(), key.clone())]).is_err());
        assert!(Jwks::new([("k".repeat(65), key)]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Jwks::parse(&bytes);
        }
    }
}
