//! Private keys that were made elsewhere: PKCS#8 PEM and private JWKs.

use super::weak::{self, Weakness};
use super::{RsaBits, SecretKey};
use crate::refusal::Refuse;
use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RsaKeyPair};
use coldsign_verify::{Algorithm, base64url, json};
use ed25519::pkcs8::SecretDocument;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::{Zeroize, Zeroizing};

/// In what form a key came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImportSource {
    /// A PEM block `PRIVATE KEY`.
    Pkcs8,
    /// A private JWK (RFC 7517, RFC 8037).
    Jwk,
}

/// Why a file is not taken as a private key.
#[derive(Debug, thiserror::Error)]
pub enum ImportFault {
    /// Neither a PEM block nor a JSON object.
    #[error("the file holds neither a PEM block PRIVATE KEY nor a private JWK")]
    Form,
    /// A PEM block of another kind.
    #[error("the file holds a PEM block {label:?}, not PRIVATE KEY")]
    Label {
        /// The block's label.
        label: String,
    },
    /// A key that is not for this keyset's algorithm, or does not hold together.
    #[error("the file holds no sound private key for {0}")]
    Unsound(Algorithm),
    /// A JWK member that is missing or wrong.
    #[error("the JWK's {member} {what}")]
    Member {
        /// Its name.
        member: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// An RSA key of a size or exponent that is not kept.
    #[error("the RSA key has {bits} bits; keys of 2048, 3072 or 4096 bits are taken")]
    RsaSize {
        /// Its modulus, in bits.
        bits: usize,
    },
    /// A key that others have, or can compute.
    #[error(transparent)]
    Weak(#[from] Weakness),
}

impl Refuse for ImportFault {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::Form | Self::Label { .. } => "IMPORT-FORM",
            Self::Unsound(_) | Self::Member { .. } => "IMPORT-UNSOUND",
            Self::RsaSize { .. } => "IMPORT-RSA-SIZE",
            Self::Weak(Weakness::Printed(_)) => "IMPORT-PRINTED",
            Self::Weak(_) => "IMPORT-WEAK",
        })
    }

    fn why(&self) -> Vec<String> {
        let mut why = vec!["no key was taken".to_owned()];
        if matches!(self, Self::Unsound(_)) {
            why.push("the public half is derived from the private one, and must be the one named".to_owned());
            why.push("RSA keys need 2048, 3072 or 4096 bits and the exponent 65537".to_owned());
        }
        if matches!(self, Self::Weak(_)) {
            why.push("tokens signed with it prove nothing: stop using it everywhere, and make a new key".to_owned());
        }
        why
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Label { label } if label.contains("PRIVATE KEY") => {
                Some("openssl pkcs8 -topk8 -nocrypt -in OLD.pem -out NEW.pem".to_owned())
            }
            Self::Weak(_) => Some("coldsign help key generate".to_owned()),
            _ => None,
        }
    }
}

/// Reads a private key for `algorithm`. Its public half is derived anew; where the file names one
/// too, they must agree.
///
/// # Errors
/// [`ImportFault`]; the text is never in it.
pub fn import(algorithm: Algorithm, text: &str) -> Result<(SecretKey, ImportSource), ImportFault> {
    let (key, source) = if text.trim_start().starts_with('{') {
        (from_jwk(algorithm, text)?, ImportSource::Jwk)
    } else {
        (from_pem(algorithm, text)?, ImportSource::Pkcs8)
    };
    if algorithm == Algorithm::Rs256 {
        let bits = key.rsa_bits();
        if RsaBits::from_bits(bits as u64).is_none() {
            return Err(ImportFault::RsaSize { bits });
        }
    }
    weak::of_public(key.kid())?;
    Ok((key, source))
}

/// The `kid` that a private JWK names itself by, if the text is one that has any.
pub fn named_kid(text: &str) -> Option<String> {
    match json::parse(text.as_bytes()) {
        Ok(Value::Object(members)) => PrivateJwk(members).text("kid").map(str::to_owned),
        _ => None,
    }
}

fn from_pem(algorithm: Algorithm, text: &str) -> Result<SecretKey, ImportFault> {
    let Some(start) = text.find("-----BEGIN ") else {
        return Err(ImportFault::Form);
    };
    let block = text.get(start..).unwrap_or_default();
    let label = block
        .strip_prefix("-----BEGIN ")
        .and_then(|rest| rest.split_once("-----"))
        .map(|(label, _)| label)
        .ok_or(ImportFault::Form)?;
    if label != "PRIVATE KEY" {
        return Err(ImportFault::Label { label: label.chars().take(40).collect() });
    }
    let (_, document) = SecretDocument::from_pem(block.trim_end()).map_err(|_| ImportFault::Unsound(algorithm))?;
    weak::of_pkcs8(algorithm, document.as_bytes())?;
    SecretKey::from_pkcs8(algorithm, document.as_bytes()).map_err(|_| ImportFault::Unsound(algorithm))
}

fn from_jwk(algorithm: Algorithm, text: &str) -> Result<SecretKey, ImportFault> {
    let Ok(Value::Object(members)) = json::parse(text.as_bytes()) else {
        return Err(ImportFault::Form);
    };
    let mut jwk = PrivateJwk(members);
    jwk.check_alg(algorithm)?;
    jwk.check_use()?;
    let unsound = || ImportFault::Unsound(algorithm);
    let key = match algorithm {
        Algorithm::EdDsa | Algorithm::Ed25519 => {
            jwk.expect("kty", "OKP")?;
            jwk.expect("crv", "Ed25519")?;
            let mut seed = Zeroizing::new([0; 32]);
            let d = jwk.bytes("d", "must be 32 bytes")?;
            if d.len() != seed.len() {
                return Err(ImportFault::Member { member: "d", what: "must be 32 bytes" });
            }
            seed.copy_from_slice(&d);
            weak::of_seed(&*seed)?;
            SecretKey::from_seed(algorithm, &seed)
        }
        Algorithm::Es256 => {
            jwk.expect("kty", "EC")?;
            jwk.expect("crv", "P-256")?;
            let d = jwk.bytes("d", "is missing or no base64url")?;
            weak::of_scalar(&d)?;
            let mut point = vec![4];
            point.extend_from_slice(&jwk.bytes("x", "is missing or no base64url")?);
            point.extend_from_slice(&jwk.bytes("y", "is missing or no base64url")?);
            let pair = EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, &d, &point);
            SecretKey::from_es256(pair.map_err(|_| unsound())?)
        }
        Algorithm::Rs256 => {
            jwk.expect("kty", "RSA")?;
            let missing = "is missing (all of n, e, d, p, q, dp, dq, qi are needed)";
            let private = |name| jwk.bytes(name, missing);
            weak::of_rsa(&private("n")?, &private("e")?, &private("p")?, &private("q")?)?;
            let pair = RsaKeyPair::from_components(&KeyPairComponents {
                public_key: PublicKeyComponents { n: private("n")?, e: private("e")? },
                d: private("d")?,
                p: private("p")?,
                q: private("q")?,
                dP: private("dp")?,
                dQ: private("dq")?,
                qInv: private("qi")?,
            });
            SecretKey::from_rs256(pair.map_err(|_| unsound())?)
        }
    };
    let key = key.map_err(|_| unsound())?;
    jwk.check_public(&key)?;
    Ok(key)
}

/// A private JWK's members; texts are wiped when dropped.
struct PrivateJwk(Map<String, Value>);

impl PrivateJwk {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    fn expect(&self, member: &'static str, wanted: &'static str) -> Result<(), ImportFault> {
        if self.text(member) == Some(wanted) {
            Ok(())
        } else {
            Err(ImportFault::Member { member, what: "does not fit the keyset's algorithm" })
        }
    }

    fn check_alg(&self, algorithm: Algorithm) -> Result<(), ImportFault> {
        match self.text("alg") {
            Some(alg) if alg != algorithm.to_string() => {
                Err(ImportFault::Member { member: "alg", what: "is not the keyset's algorithm" })
            }
            _ => Ok(()),
        }
    }

    /// A key that is marked for something else is not ours to sign with (RFC 7517 §4.2, §4.3).
    fn check_use(&self) -> Result<(), ImportFault> {
        let signs = |operations: &Value| {
            operations.as_array().is_some_and(|operations| operations.iter().any(|operation| operation == "sign"))
        };
        if self.0.get("use").is_some_and(|use_| use_ != "sig") {
            return Err(ImportFault::Member { member: "use", what: "is not sig" });
        }
        if self.0.get("key_ops").is_some_and(|operations| !signs(operations)) {
            return Err(ImportFault::Member { member: "key_ops", what: "does not hold sign" });
        }
        Ok(())
    }

    fn bytes(&self, member: &'static str, what: &'static str) -> Result<Zeroizing<Vec<u8>>, ImportFault> {
        self.text(member)
            .and_then(|text| base64url::decode(text).ok())
            .map(Zeroizing::new)
            .ok_or(ImportFault::Member { member, what })
    }

    /// The public members must be those of the derived public key.
    fn check_public(&mut self, key: &SecretKey) -> Result<(), ImportFault> {
        let derived = key.public().to_jwk(key.kid());
        for member in ["x", "y", "n", "e"] {
            if let Some(named) = self.0.get(member)
                && derived.get(member) != Some(named)
            {
                return Err(ImportFault::Unsound(key.public().algorithm()));
            }
        }
        Ok(())
    }
}

impl Drop for PrivateJwk {
    fn drop(&mut self) {
        for (_, value) in self.0.iter_mut() {
            if let Value::String(text) = value {
                text.zeroize();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(algorithm: Algorithm, text: &str) -> &'static str {
        match import(algorithm, text) {
            Ok(_) => "",
            Err(fault) => fault.rule().unwrap(),
        }
    }

    #[test]
    fn a_pkcs8_file_comes_back_as_the_same_key() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
            let key = SecretKey::generate(algorithm, RsaBits::Two).unwrap();
            let pem = key.expose_pkcs8_pem().unwrap();
            let (again, source) = import(algorithm, &pem).unwrap();
            assert_eq!(again.kid(), key.kid());
            assert_eq!(source, ImportSource::Pkcs8);
            for other in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
                if other != algorithm {
                    assert_eq!(rule(other, &pem), "IMPORT-UNSOUND");
                }
            }
        }
    }

    // SHA-256 of "a key of these tests" as the seed.
    const OURS: &str = r#"{"kty":"OKP","crv":"Ed25519",
        "d":"PA49-He1hCMrSfFhEW-o4VcTHbTJTMpWme4TrRfC3Hs",
        "x":"Ge_BvuEqdqVSBk5DSVpuJoKPwEX8Gy3htfrwikxpeRc"}"#;

    #[test]
    fn a_jwk_is_taken_only_if_its_halves_belong_together() {
        let (key, source) = import(Algorithm::EdDsa, OURS).unwrap();
        assert_eq!(key.kid(), "wdVzqFx1gPelYvX-j49FXksrZWji0en787apbaSJfVY");
        assert_eq!(source, ImportSource::Jwk);
        let mismatched = OURS.replace("Ge_Bvu", "Be_Bvu");
        assert_eq!(rule(Algorithm::EdDsa, &mismatched), "IMPORT-UNSOUND");
        assert_eq!(rule(Algorithm::Es256, OURS), "IMPORT-UNSOUND");
        let encrypting = OURS.replace(r#""kty""#, r#""use":"enc","kty""#);
        assert_eq!(rule(Algorithm::EdDsa, &encrypting), "IMPORT-UNSOUND");
        let verifying = OURS.replace(r#""kty""#, r#""key_ops":["verify"],"kty""#);
        assert_eq!(rule(Algorithm::EdDsa, &verifying), "IMPORT-UNSOUND");
        let short = OURS.replace("PA49-He1", "PA49");
        assert_eq!(rule(Algorithm::EdDsa, &short), "IMPORT-UNSOUND");
    }

    #[test]
    fn other_forms_are_named_not_guessed() {
        let sec1 = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n";
        assert_eq!(rule(Algorithm::Es256, sec1), "IMPORT-FORM");
        assert_eq!(rule(Algorithm::Es256, "hello"), "IMPORT-FORM");
        assert_eq!(rule(Algorithm::Es256, ""), "IMPORT-FORM");
    }
}
