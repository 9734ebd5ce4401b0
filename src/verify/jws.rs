//! JSON Web Signatures in their compact form (RFC 7515 §7.1): assembled over a [`Sign`] that
//! holds the key elsewhere, parsed strictly, or [inspected](inspect) for showing.

mod compact;
mod inspection;

use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::escape::escaped;
use crate::jwk::LONGEST_KID;

pub(crate) use compact::parse_of_any_length;
pub use compact::{Compact, LONGEST_TOKEN, Malformed, parse};
pub use inspection::{Inspection, LONGEST_INSPECTED, PartFault, inspect};

/// A private key that signs, wherever it lives; this crate never sees it.
pub trait Sign {
    /// The one algorithm of the key.
    fn algorithm(&self) -> Algorithm;

    /// The key's name, 1 to 64 characters, as verifiers know it.
    fn kid(&self) -> &str;

    /// Signs the bytes as they are; the result has the JOSE form (64 bytes r‖s for ES256).
    fn sign(&self, signing_input: &[u8]) -> Result<Vec<u8>, SignFailure>;
}

/// Why no token was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignFailure {
    /// The key refused or could not sign.
    #[error("key {} did not sign: {reason}", escaped(.kid))]
    Key {
        /// Its name.
        kid: String,
        /// What it said.
        reason: String,
    },
    /// The key's name is empty or too long for any verifier.
    #[error("kid has {characters} characters, not 1 to {LONGEST_KID}")]
    KidLength {
        /// Its length.
        characters: usize,
    },
    /// The signature cannot be one of its algorithm.
    #[error("{algorithm} signature of {found} bytes")]
    SignatureLength {
        /// The key's algorithm.
        algorithm: Algorithm,
        /// Bytes the key returned.
        found: usize,
    },
}

/// Signs `claims_json`, as it is, into a compact JWS whose header is exactly
/// `{"alg":…,"kid":…,"typ":…}` in that order.
pub fn assemble(signer: &dyn Sign, typ: &str, claims_json: &[u8]) -> Result<String, SignFailure> {
    let (algorithm, kid) = (signer.algorithm(), signer.kid());
    let characters = kid.chars().count();
    if characters == 0 || characters > LONGEST_KID {
        return Err(SignFailure::KidLength { characters });
    }
    let header = format!(r#"{{"alg":"{algorithm}","kid":{},"typ":{}}}"#, Value::from(kid), Value::from(typ));
    // Room for the largest signature (RSA, 4096 bits), so that nothing moves.
    let mut token = String::with_capacity((header.len() + claims_json.len() + 512) / 3 * 4 + 16);
    base64url::encode_onto(&mut token, header.as_bytes());
    token.push('.');
    base64url::encode_onto(&mut token, claims_json);
    let signature = signer.sign(token.as_bytes())?;
    let plausible = match algorithm {
        Algorithm::EdDsa | Algorithm::Ed25519 | Algorithm::Es256 => signature.len() == 64,
        Algorithm::Rs256 => (256..=512).contains(&signature.len()),
    };
    if !plausible {
        return Err(SignFailure::SignatureLength { algorithm, found: signature.len() });
    }
    token.push('.');
    base64url::encode_onto(&mut token, &signature);
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Fixed {
        kid: String,
        signature: Vec<u8>,
    }

    impl Sign for Fixed {
        fn algorithm(&self) -> Algorithm {
            Algorithm::EdDsa
        }
        fn kid(&self) -> &str {
            &self.kid
        }
        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignFailure> {
            Ok(self.signature.clone())
        }
    }

    #[test]
    fn the_header_has_three_members_in_order() {
        let signer = Fixed { kid: "a\"b".into(), signature: vec![1; 64] };
        let token = assemble(&signer, "at+jwt", b"{}").unwrap();
        let header = base64url::decode(token.split('.').next().unwrap()).unwrap();
        assert_eq!(header, br#"{"alg":"EdDSA","kid":"a\"b","typ":"at+jwt"}"#);
    }

    #[test]
    fn an_impossible_name_or_signature_makes_no_token() {
        let make = |kid: &str, length| assemble(&Fixed { kid: kid.into(), signature: vec![1; length] }, "JWT", b"{}");
        assert_eq!(make("", 64), Err(SignFailure::KidLength { characters: 0 }));
        assert_eq!(make(&"k".repeat(65), 64), Err(SignFailure::KidLength { characters: 65 }));
        assert_eq!(make("k", 63), Err(SignFailure::SignatureLength { algorithm: Algorithm::EdDsa, found: 63 }));
        assert!(make("k", 64).is_ok());
    }

    proptest! {
        #[test]
        fn round_trip(kid in "\\PC{1,64}", typ: String, claims in prop::collection::vec(any::<u8>(), 0..2000)) {
            prop_assume!(kid.chars().count() <= 64);
            let token = assemble(&Fixed { kid: kid.clone(), signature: vec![9; 64] }, &typ, &claims).unwrap();
            let compact = parse(&token).unwrap();
            prop_assert_eq!(compact.algorithm(), Algorithm::EdDsa);
            prop_assert_eq!(compact.kid(), Some(kid.as_str()));
            prop_assert_eq!(compact.typ(), Some(typ.as_str()));
            prop_assert_eq!(compact.payload(), claims.as_slice());
            prop_assert_eq!(compact.signature(), [9; 64]);
            prop_assert!(token.as_bytes().starts_with(compact.signing_input()));
        }
    }
}
