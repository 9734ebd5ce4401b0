//! One JSON Web Key (RFC 7517 §4) taken in: public halves of known kinds only.

use std::fmt;

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::escape::escaped;
use crate::json::{self, JsonError};
use crate::key::{KeyError, PublicKey};

/// The longest `kid` accepted, in characters.
pub const LONGEST_KID: usize = 64;

/// The most operations that `key_ops` may name: RFC 7517 §4.3 has eight.
pub const MOST_OPERATIONS: usize = 16;

/// Members that hold private or symmetric material: `d` and RSA's factors (RFC 7518 §6),
/// `k` (RFC 7518 §6.4), `priv` (RFC 9964).
const PRIVATE_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// Why a JWK was not taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// Not strict JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Not a JSON object.
    #[error("a JWK is a JSON object")]
    NotAnObject,
    /// It holds private or symmetric material, which must never be where public keys are.
    #[error("the JWK holds the private member \"{member}\"")]
    PrivateMember {
        /// Its name.
        member: &'static str,
    },
    /// It is a symmetric key (`kty: oct`).
    #[error("the JWK is a symmetric key")]
    Symmetric,
    /// A member that the kind of key needs is absent.
    #[error("the JWK lacks \"{member}\"")]
    MissingMember {
        /// Its name.
        member: &'static str,
    },
    /// A member is not of the type that RFC 7517 gives it (`null` never stands for absent).
    #[error("the JWK's \"{member}\" is not {wanted}")]
    MemberType {
        /// Its name.
        member: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// `key_ops` names an operation twice (RFC 7517 §4.3).
    #[error("the JWK's \"key_ops\" names an operation twice")]
    RepeatedOperation,
    /// `key_ops` names more operations than there are.
    #[error("the JWK's \"key_ops\" names {found} operations, {MOST_OPERATIONS} at the most are read")]
    Operations {
        /// How many.
        found: usize,
    },
    /// The `kid` is empty or longer than [`LONGEST_KID`] characters.
    #[error("the JWK's \"kid\" has {characters} characters, not 1 to {LONGEST_KID}")]
    KidLength {
        /// Its length.
        characters: usize,
    },
    /// `alg`, `kty` and `crv` do not belong together, or the curve is unknown.
    #[error("kty {} with crv {} is no key for {algorithm}", escaped(.key_type), escaped(.curve))]
    Mismatch {
        /// The `kty`.
        key_type: String,
        /// The `crv`, or `none`.
        curve: String,
        /// What it claims, or would have, to serve.
        algorithm: String,
    },
    /// A coordinate has the wrong length (RFC 7518 §6.2.1.2: always 32 octets for P-256).
    #[error("the JWK's \"{member}\" is {found} octets long, not {expected}")]
    CoordinateLength {
        /// Its name.
        member: &'static str,
        /// Octets wanted.
        expected: usize,
        /// Octets found.
        found: usize,
    },
    /// The key itself is refused.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// By its own word a key of another kind or purpose; a set skips it.
    #[error("not a key to verify with here: {0}")]
    Foreign(Foreign),
}

/// Why a key of a set is none of ours although nothing is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Foreign {
    /// Its `kty` is not OKP, EC or RSA.
    KeyType(String),
    /// Its `alg` is not an [`Algorithm`].
    Algorithm(String),
    /// Its `use` is not `sig`.
    Use(String),
    /// Its `key_ops` lacks `verify`.
    Operations,
    /// This build lacks its algorithm (feature `aws-lc`).
    NotBuiltIn(Algorithm),
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyType(key_type) => write!(f, "kty {}", escaped(key_type)),
            Self::Algorithm(name) => write!(f, "alg {}", escaped(name)),
            Self::Use(purpose) => write!(f, "use {}", escaped(purpose)),
            Self::Operations => f.write_str("key_ops without verify"),
            Self::NotBuiltIn(algorithm) => write!(f, "{algorithm} is not built in"),
        }
    }
}

impl PublicKey {
    /// Reads one public JWK and its `kid`; without `alg` an Ed25519 key is taken for `EdDSA`,
    /// P-256 for `ES256`, RSA for `RS256`. Unknown members are ignored (RFC 7517 §4),
    /// private ones refused.
    pub fn from_jwk(json: &[u8]) -> Result<(Self, Option<String>), JwkError> {
        match json::parse(json)? {
            Value::Object(members) => from_members(&members),
            _ => Err(JwkError::NotAnObject),
        }
    }
}

/// As [`PublicKey::from_jwk`], over members parsed already.
pub(crate) fn from_members(jwk: &Map<String, Value>) -> Result<(PublicKey, Option<String>), JwkError> {
    if let Some(member) = PRIVATE_MEMBERS.into_iter().find(|member| jwk.contains_key(*member)) {
        return Err(JwkError::PrivateMember { member });
    }
    let kid = kid(jwk)?;
    let key_type = required(jwk, "kty")?;
    if key_type == "oct" {
        return Err(JwkError::Symmetric);
    }
    let named = algorithm(jwk, key_type)?;
    check_purpose(jwk)?;
    let curve = text(jwk, "crv")?;
    let serves = match (key_type, curve, named) {
        ("OKP", Some("Ed25519"), None) => Algorithm::EdDsa,
        ("OKP", Some("Ed25519"), Some(named @ (Algorithm::EdDsa | Algorithm::Ed25519))) => named,
        ("EC", Some("P-256"), None | Some(Algorithm::Es256)) => Algorithm::Es256,
        ("RSA", None, None | Some(Algorithm::Rs256)) => Algorithm::Rs256,
        _ => {
            return Err(JwkError::Mismatch {
                key_type: key_type.to_owned(),
                curve: curve.unwrap_or("none").to_owned(),
                algorithm: named.map_or("a known algorithm", Algorithm::name).to_owned(),
            });
        }
    };
    if !serves.is_built_in() {
        return Err(JwkError::Foreign(Foreign::NotBuiltIn(serves)));
    }
    let key = match serves {
        Algorithm::EdDsa | Algorithm::Ed25519 => PublicKey::ed25519(serves, &octets(jwk, "x")?)?,
        Algorithm::Es256 => PublicKey::p256(&[&[0x04], &*coordinate(jwk, "x")?, &*coordinate(jwk, "y")?].concat())?,
        Algorithm::Rs256 => PublicKey::rsa(&octets(jwk, "n")?, &octets(jwk, "e")?)?,
    };
    Ok((key, kid))
}

/// The `kid`, if there is one; checked also on keys that are then skipped.
pub(crate) fn kid(jwk: &Map<String, Value>) -> Result<Option<String>, JwkError> {
    let Some(kid) = text(jwk, "kid")? else { return Ok(None) };
    let characters = kid.chars().count();
    if characters == 0 || characters > LONGEST_KID {
        return Err(JwkError::KidLength { characters });
    }
    Ok(Some(kid.to_owned()))
}

fn algorithm(jwk: &Map<String, Value>, key_type: &str) -> Result<Option<Algorithm>, JwkError> {
    if !matches!(key_type, "OKP" | "EC" | "RSA") {
        return Err(JwkError::Foreign(Foreign::KeyType(key_type.to_owned())));
    }
    match text(jwk, "alg")?.map(|name| name.parse().map_err(|_| name)) {
        None => Ok(None),
        Some(Ok(algorithm)) => Ok(Some(algorithm)),
        Some(Err(name)) => Err(JwkError::Foreign(Foreign::Algorithm(name.to_owned()))),
    }
}

/// RFC 7517 §4.2 and §4.3: a key meant for something else verifies nothing.
fn check_purpose(jwk: &Map<String, Value>) -> Result<(), JwkError> {
    if let Some(purpose) = text(jwk, "use")?.filter(|purpose| *purpose != "sig") {
        return Err(JwkError::Foreign(Foreign::Use(purpose.to_owned())));
    }
    let Some(operations) = jwk.get("key_ops") else { return Ok(()) };
    let wrong = JwkError::MemberType { member: "key_ops", wanted: "an array of strings" };
    let Value::Array(operations) = operations else { return Err(wrong) };
    if operations.len() > MOST_OPERATIONS {
        return Err(JwkError::Operations { found: operations.len() });
    }
    let mut seen: Vec<&str> = Vec::new();
    for operation in operations {
        let Some(operation) = operation.as_str() else { return Err(wrong) };
        if seen.contains(&operation) {
            return Err(JwkError::RepeatedOperation);
        }
        seen.push(operation);
    }
    if seen.contains(&"verify") { Ok(()) } else { Err(JwkError::Foreign(Foreign::Operations)) }
}

fn coordinate(jwk: &Map<String, Value>, member: &'static str) -> Result<Vec<u8>, JwkError> {
    let octets = octets(jwk, member)?;
    match octets.len() {
        32 => Ok(octets),
        found => Err(JwkError::CoordinateLength { member, expected: 32, found }),
    }
}

fn octets(jwk: &Map<String, Value>, member: &'static str) -> Result<Vec<u8>, JwkError> {
    base64url::decode(required(jwk, member)?)
        .map_err(|_| JwkError::MemberType { member, wanted: "canonical unpadded base64url" })
}

fn required<'a>(jwk: &'a Map<String, Value>, member: &'static str) -> Result<&'a str, JwkError> {
    text(jwk, member)?.ok_or(JwkError::MissingMember { member })
}

fn text<'a>(jwk: &'a Map<String, Value>, member: &'static str) -> Result<Option<&'a str>, JwkError> {
    match jwk.get(member) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(JwkError::MemberType { member, wanted: "a string" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn take(jwk: Value) -> Result<(PublicKey, Option<String>), JwkError> {
        PublicKey::from_jwk(jwk.to_string().as_bytes())
    }

    fn with(member: &str, value: Value) -> Value {
        let mut jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "k", "alg": "EdDSA", "use": "sig"});
        jwk[member] = value;
        jwk
    }

    #[test]
    fn rfc_8037_key_and_its_thumbprint() {
        let (key, kid) = take(json!({"kty": "OKP", "crv": "Ed25519", "x": X})).unwrap();
        assert_eq!((key.algorithm(), kid), (Algorithm::EdDsa, None));
        assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let (named, kid) = take(with("alg", "Ed25519".into())).unwrap();
        assert_eq!((named.algorithm(), kid.as_deref()), (Algorithm::Ed25519, Some("k")));
        assert_eq!(named.thumbprint(), key.thumbprint());
        assert_ne!(named, key);
        assert_eq!(take(named.to_jwk("other")).unwrap(), (named, Some("other".into())));
    }

    #[test]
    fn private_and_symmetric_members_are_refused() {
        for member in PRIVATE_MEMBERS {
            assert_eq!(take(with(member, "AQAB".into())), Err(JwkError::PrivateMember { member }));
            assert_eq!(take(with(member, Value::Null)), Err(JwkError::PrivateMember { member }));
        }
        assert_eq!(take(json!({"kty": "oct"})), Err(JwkError::Symmetric));
        assert_eq!(take(json!({"kty": "AKP", "priv": "AA"})), Err(JwkError::PrivateMember { member: "priv" }));
    }

    #[test]
    fn members_have_their_types() {
        for member in ["kty", "crv", "x", "kid", "alg", "use"] {
            for value in [Value::Null, json!(1), json!(["sig"]), json!({})] {
                let error = take(with(member, value)).unwrap_err();
                assert!(matches!(error, JwkError::MemberType { wanted: "a string", .. }), "{member}: {error}");
            }
        }
        for value in [Value::Null, json!("verify"), json!([1])] {
            assert!(matches!(take(with("key_ops", value)), Err(JwkError::MemberType { member: "key_ops", .. })));
        }
        assert_eq!(take(with("key_ops", json!(["verify", "verify"]))), Err(JwkError::RepeatedOperation));
        assert!(take(with("key_ops", json!(["verify"]))).is_ok());
        assert_eq!(take(with("kid", "".into())), Err(JwkError::KidLength { characters: 0 }));
        assert_eq!(take(with("kid", "k".repeat(65).into())), Err(JwkError::KidLength { characters: 65 }));
        assert!(take(with("kid", "é".repeat(64).into())).is_ok());
    }

    #[test]
    fn keys_of_another_kind_say_so() {
        let foreign = |jwk| match take(jwk) {
            Err(JwkError::Foreign(foreign)) => foreign,
            other => panic!("{other:?}"),
        };
        assert_eq!(foreign(json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"})), Foreign::KeyType("AKP".into()));
        // Nothing else is looked at: what it means is for those who know that kind.
        assert_eq!(foreign(json!({"kty": "AKP", "alg": 7})), Foreign::KeyType("AKP".into()));
        assert_eq!(foreign(with("alg", "ES512".into())), Foreign::Algorithm("ES512".into()));
        assert_eq!(foreign(with("use", "enc".into())), Foreign::Use("enc".into()));
        assert_eq!(foreign(with("key_ops", json!(["sign"]))), Foreign::Operations);
    }

    #[test]
    fn broken_keys_of_our_kind_are_refused() {
        for jwk in [
            with("crv", "Ed448".into()),
            with("crv", "X25519".into()),
            with("kty", "EC".into()),
            with("kty", "RSA".into()),
            with("alg", "ES256".into()),
            json!({"kty": "EC", "crv": "secp256k1", "x": X, "y": X}),
            json!({"kty": "RSA", "crv": "P-256", "n": X, "e": "AQAB"}),
        ] {
            assert!(matches!(take(jwk.clone()), Err(JwkError::Mismatch { .. })), "{jwk}");
        }
        assert!(matches!(take(with("x", format!("{X}=").into())), Err(JwkError::MemberType { .. })));
        assert!(matches!(take(with("x", "AQAB".into())), Err(JwkError::Key(KeyError::Length { found: 3, .. }))));
        let zero = base64url::encode(&[0; 32]);
        assert_eq!(take(with("x", zero.into())), Err(JwkError::Key(KeyError::SmallOrder)));
        assert_eq!(take(json!({"kty": "OKP", "crv": "Ed25519"})), Err(JwkError::MissingMember { member: "x" }));
        assert_eq!(take(json!([])), Err(JwkError::NotAnObject));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = PublicKey::from_jwk(&bytes);
        }

        #[test]
        fn no_members_panic(
            kty in "OKP|EC|RSA|oct|AKP", crv in "Ed25519|P-256|P-384", x in "[A-Za-z0-9_-]{0,60}", y in "[A-Za-z0-9_-]{43}",
        ) {
            let _ = take(json!({"kty": kty, "crv": crv, "x": x, "y": y, "n": x, "e": y}));
            let _ = take(json!({"kty": kty, "x": x, "y": y, "n": x, "e": y}));
        }
    }
}
