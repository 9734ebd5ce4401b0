//! A public key for one algorithm, checked when it is made and kept ready to verify.

#[cfg(feature = "aws-lc")]
mod p256;
#[cfg(feature = "aws-lc")]
mod roca;
#[cfg(feature = "aws-lc")]
mod rsa;
mod spki;

use std::fmt;

use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::algorithm::Algorithm;
use crate::base64url;

/// The smallest RSA modulus accepted, in bits (RFC 7518 §3.3).
pub const SMALLEST_RSA_BITS: usize = 2048;
/// The largest RSA modulus accepted, in bits.
pub const LARGEST_RSA_BITS: usize = 4096;

/// Why bytes are not a public key that this crate trusts to verify anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// This build lacks the algorithm: enable the feature `aws-lc`.
    #[error("{algorithm} is not built in (feature aws-lc of coldsign-verify)")]
    NotBuiltIn {
        /// The key's algorithm.
        algorithm: Algorithm,
    },
    /// An Ed25519 key asked to serve another algorithm.
    #[error("an Ed25519 key cannot serve {algorithm}")]
    NotForEd25519 {
        /// The algorithm asked for.
        algorithm: Algorithm,
    },
    /// The raw key has the wrong number of bytes.
    #[error("a raw {algorithm} key has {expected} bytes, not {found}")]
    Length {
        /// The key's algorithm.
        algorithm: Algorithm,
        /// Bytes wanted.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// The bytes are not a point of the curve in its one canonical encoding.
    #[error("not the canonical encoding of a point on the curve of {algorithm}")]
    NotAPoint {
        /// The key's algorithm.
        algorithm: Algorithm,
    },
    /// An Ed25519 point of small order, under which many signatures hold for any message.
    #[error("Ed25519 key has small order")]
    SmallOrder,
    /// The modulus is shorter than 2048 or longer than 4096 bits.
    #[error("RSA modulus has {bits} bits, not {SMALLEST_RSA_BITS} to {LARGEST_RSA_BITS}")]
    RsaBits {
        /// Its length in bits.
        bits: usize,
    },
    /// The modulus is even or has leading zeros.
    #[error("RSA modulus is even or has leading zeros")]
    RsaModulus,
    /// The exponent is even, below 65537, over 32 bits or has leading zeros.
    #[error("RSA exponent is not an odd number of 65537 or more in at most 32 bits")]
    RsaExponent,
    /// The modulus bears the mark of a key generator whose keys can be factored (CVE-2017-15361).
    #[error("RSA modulus comes from a broken key generator (ROCA, CVE-2017-15361)")]
    Roca,
    /// The cryptographic library refused the key.
    #[error("{algorithm} key is not valid")]
    Invalid {
        /// The key's algorithm.
        algorithm: Algorithm,
    },
    /// Not a DER SubjectPublicKeyInfo for the algorithm (RFC 5280 §4.1.2.7).
    #[error("not a SubjectPublicKeyInfo of an {algorithm} key")]
    Spki {
        /// The algorithm asked for.
        algorithm: Algorithm,
    },
    /// Not one PEM block labelled `PUBLIC KEY` (RFC 7468 §13).
    #[error("not a PEM file with one block \"PUBLIC KEY\"")]
    Pem,
}

/// The signature does not hold; nothing more is said about why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signature does not hold")]
pub struct BadSignature;

/// One public key for one algorithm, parsed once and kept expanded.
#[derive(Clone)]
pub struct PublicKey {
    algorithm: Algorithm,
    material: Material,
}

#[derive(Clone)]
enum Material {
    Ed25519(VerifyingKey),
    #[cfg(feature = "aws-lc")]
    P256(p256::Key),
    #[cfg(feature = "aws-lc")]
    Rsa(rsa::Key),
}

impl PublicKey {
    /// Takes the 32 bytes of an Ed25519 key (RFC 8032 §5.1.5) for [`Algorithm::EdDsa`] or
    /// [`Algorithm::Ed25519`]; refuses points off the curve, of small order or not canonical.
    pub fn ed25519(algorithm: Algorithm, raw: &[u8]) -> Result<Self, KeyError> {
        if !matches!(algorithm, Algorithm::EdDsa | Algorithm::Ed25519) {
            return Err(KeyError::NotForEd25519 { algorithm });
        }
        let bytes: &[u8; 32] =
            raw.try_into().map_err(|_| KeyError::Length { algorithm, expected: 32, found: raw.len() })?;
        // Decoding reduces y modulo p in silence: one key must have one encoding, or its kid is not its own.
        let key = VerifyingKey::from_bytes(bytes)
            .ok()
            .filter(|key| key.to_edwards().compress().to_bytes() == *bytes)
            .ok_or(KeyError::NotAPoint { algorithm })?;
        if key.is_weak() {
            return Err(KeyError::SmallOrder);
        }
        Ok(Self { algorithm, material: Material::Ed25519(key) })
    }

    /// Takes a P-256 point as SEC 1 has it uncompressed: 0x04, x, y, 65 bytes (for ES256).
    #[cfg(feature = "aws-lc")]
    pub fn p256(sec1_uncompressed: &[u8]) -> Result<Self, KeyError> {
        let key = p256::Key::new(sec1_uncompressed)?;
        Ok(Self { algorithm: Algorithm::Es256, material: Material::P256(key) })
    }

    /// Not in this build: always [`KeyError::NotBuiltIn`].
    #[cfg(not(feature = "aws-lc"))]
    pub fn p256(_sec1_uncompressed: &[u8]) -> Result<Self, KeyError> {
        Err(KeyError::NotBuiltIn { algorithm: Algorithm::Es256 })
    }

    /// Takes an RSA key for RS256 as two big-endian numbers without leading zeros:
    /// a modulus of 2048 to 4096 bits and an odd exponent of 65537 or more.
    #[cfg(feature = "aws-lc")]
    pub fn rsa(modulus_be: &[u8], exponent_be: &[u8]) -> Result<Self, KeyError> {
        let key = rsa::Key::new(modulus_be, exponent_be)?;
        Ok(Self { algorithm: Algorithm::Rs256, material: Material::Rsa(key) })
    }

    /// Not in this build: always [`KeyError::NotBuiltIn`].
    #[cfg(not(feature = "aws-lc"))]
    pub fn rsa(_modulus_be: &[u8], _exponent_be: &[u8]) -> Result<Self, KeyError> {
        Err(KeyError::NotBuiltIn { algorithm: Algorithm::Rs256 })
    }

    /// Reads a DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) as a key of `algorithm`.
    pub fn from_spki_der(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        let refused = || KeyError::Spki { algorithm };
        match algorithm {
            Algorithm::EdDsa | Algorithm::Ed25519 => {
                Self::ed25519(algorithm, spki::ed25519_key(der).ok_or_else(refused)?)
            }
            Algorithm::Es256 => Self::p256(spki::p256_point(der).ok_or_else(refused)?),
            Algorithm::Rs256 => {
                let (modulus, exponent) = spki::rsa_numbers(der).ok_or_else(refused)?;
                Self::rsa(modulus, exponent)
            }
        }
    }

    /// Reads one PEM block `PUBLIC KEY` (RFC 7468 §13) as a key of `algorithm`.
    pub fn from_spki_pem(algorithm: Algorithm, pem: &str) -> Result<Self, KeyError> {
        Self::from_spki_der(algorithm, &spki::from_pem(pem).ok_or(KeyError::Pem)?)
    }

    /// The one algorithm this key serves.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The RFC 7638 thumbprint: SHA-256 over the required members, as base64url, 43 characters.
    /// It does not depend on [`Self::algorithm`]'s name.
    pub fn thumbprint(&self) -> String {
        // Names in lexicographic order, no whitespace; base64url needs no escaping (RFC 7638 §3.3).
        let canonical = match &self.material {
            Material::Ed25519(key) => {
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url::encode(key.as_bytes()))
            }
            #[cfg(feature = "aws-lc")]
            Material::P256(key) => format!(
                r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#,
                base64url::encode(key.x()),
                base64url::encode(key.y())
            ),
            #[cfg(feature = "aws-lc")]
            Material::Rsa(key) => format!(
                r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
                base64url::encode(key.exponent()),
                base64url::encode(key.modulus())
            ),
        };
        base64url::encode(&Sha256::digest(canonical))
    }

    /// The key as a JWK (RFC 7517 §4) with `kid`, `alg` and `use: "sig"`.
    pub fn to_jwk(&self, kid: &str) -> Value {
        let mut jwk = match &self.material {
            Material::Ed25519(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64url::encode(key.as_bytes())})
            }
            #[cfg(feature = "aws-lc")]
            Material::P256(key) => json!({
                "kty": "EC", "crv": "P-256", "x": base64url::encode(key.x()), "y": base64url::encode(key.y()),
            }),
            #[cfg(feature = "aws-lc")]
            Material::Rsa(key) => json!({
                "kty": "RSA", "n": base64url::encode(key.modulus()), "e": base64url::encode(key.exponent()),
            }),
        };
        if let Value::Object(members) = &mut jwk {
            members.insert("kid".into(), kid.into());
            members.insert("alg".into(), self.algorithm.name().into());
            members.insert("use".into(), "sig".into());
        }
        jwk
    }

    /// The key as a DER SubjectPublicKeyInfo.
    pub fn to_spki_der(&self) -> Vec<u8> {
        match &self.material {
            Material::Ed25519(key) => spki::of_ed25519(key.as_bytes()),
            #[cfg(feature = "aws-lc")]
            Material::P256(key) => spki::of_p256(key.point()),
            #[cfg(feature = "aws-lc")]
            Material::Rsa(key) => spki::of_rsa(key.modulus(), key.exponent()),
        }
    }

    /// The key as a PEM block `PUBLIC KEY`, lines of 64 characters, ending in a newline.
    pub fn to_spki_pem(&self) -> String {
        spki::to_pem(&self.to_spki_der())
    }

    /// Verifies `signature` over `message`: Ed25519 strictly (no small-order or non-canonical part,
    /// s below the group order), ES256 over exactly 64 bytes r‖s, RS256 as PKCS#1 v1.5.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        match &self.material {
            Material::Ed25519(key) => {
                let signature = Signature::from_slice(signature).map_err(|_| BadSignature)?;
                key.verify_strict(message, &signature).map_err(|_| BadSignature)
            }
            #[cfg(feature = "aws-lc")]
            Material::P256(key) => key.verify(message, signature),
            #[cfg(feature = "aws-lc")]
            Material::Rsa(key) => key.verify(message, signature),
        }
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm
            && match (&self.material, &other.material) {
                (Material::Ed25519(one), Material::Ed25519(two)) => one.as_bytes() == two.as_bytes(),
                #[cfg(feature = "aws-lc")]
                (Material::P256(one), Material::P256(two)) => one.point() == two.point(),
                #[cfg(feature = "aws-lc")]
                (Material::Rsa(one), Material::Rsa(two)) => {
                    one.modulus() == two.modulus() && one.exponent() == two.exponent()
                }
                #[cfg(feature = "aws-lc")]
                _ => false,
            }
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("algorithm", &self.algorithm)
            .field("thumbprint", &self.thumbprint())
            .finish_non_exhaustive()
    }
}
