//! Private keys in memory.

use super::{KeystoreFault, random};
use crate::storage::keep_in_memory;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use coldsign_verify::jws::{Sign, SignFailure};
use coldsign_verify::{Algorithm, PublicKey, base64url};
use ed25519::pkcs8::spki::der::pem::LineEnding;
use ed25519::pkcs8::{EncodePrivateKey, KeypairBytes, PrivateKeyInfoRef, SecretDocument};
use ed25519_dalek::{Signer, SigningKey};
use zeroize::Zeroizing;

/// Sizes of RSA keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RsaBits {
    /// 2048: what every service takes.
    Two,
    /// 3072.
    Three,
    /// 4096.
    Four,
}

impl RsaBits {
    /// As a policy says; 2048 where it says nothing.
    pub fn of_policy(bits: Option<u32>) -> Self {
        bits.and_then(|bits| Self::from_bits(bits.into())).unwrap_or(Self::Two)
    }

    /// From the number of bits.
    pub fn from_bits(bits: u64) -> Option<Self> {
        match bits {
            2048 => Some(Self::Two),
            3072 => Some(Self::Three),
            4096 => Some(Self::Four),
            _ => None,
        }
    }
}

/// One private key with its public half and kid. aws-lc wipes its keys when it frees them,
/// ed25519-dalek when it drops them.
pub struct SecretKey {
    half: Half,
    public: PublicKey,
    kid: String,
}

enum Half {
    // Boxed: moving a key would leave copies of it on the stack.
    Ed25519(Box<SigningKey>),
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
}

impl SecretKey {
    /// A new key; `bits` counts for RS256 only.
    ///
    /// # Errors
    /// [`KeystoreFault::Random`] or [`KeystoreFault::Operation`].
    pub fn generate(algorithm: Algorithm, bits: RsaBits) -> Result<Self, KeystoreFault> {
        let failed = || KeystoreFault::Operation("making a key");
        let half = match algorithm {
            Algorithm::EdDsa | Algorithm::Ed25519 => Half::Ed25519(Box::new(SigningKey::from_bytes(&*random::<32>()?))),
            Algorithm::Es256 => {
                Half::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| failed())?)
            }
            Algorithm::Rs256 => {
                let size = match bits {
                    RsaBits::Two => KeySize::Rsa2048,
                    RsaBits::Three => KeySize::Rsa3072,
                    RsaBits::Four => KeySize::Rsa4096,
                };
                Half::Rs256(RsaKeyPair::generate(size).map_err(|_| failed())?)
            }
        };
        Self::with_half(algorithm, half)
    }

    /// From PKCS#8 (RFC 5958) DER; the public half is derived from the private one.
    ///
    /// # Errors
    /// [`KeystoreFault::Operation`] where it is no sound key for that algorithm.
    pub fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeystoreFault> {
        let failed = || KeystoreFault::Operation("reading a private key");
        let half = match algorithm {
            Algorithm::EdDsa | Algorithm::Ed25519 => {
                let info = PrivateKeyInfoRef::try_from(der).map_err(|_| failed())?;
                let pair = KeypairBytes::try_from(info).map_err(|_| failed())?;
                let key = Box::new(SigningKey::from_bytes(&pair.secret_key));
                let named = pair.public_key.as_ref().map(ed25519::pkcs8::PublicKeyBytes::as_ref);
                if named.is_some_and(|named| named != key.verifying_key().as_bytes()) {
                    return Err(failed());
                }
                Half::Ed25519(key)
            }
            Algorithm::Es256 => {
                Half::Es256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map_err(|_| failed())?)
            }
            Algorithm::Rs256 => Half::Rs256(RsaKeyPair::from_pkcs8(der).map_err(|_| failed())?),
        };
        Self::with_half(algorithm, half)
    }

    pub(super) fn from_seed(algorithm: Algorithm, seed: &Zeroizing<[u8; 32]>) -> Result<Self, KeystoreFault> {
        Self::with_half(algorithm, Half::Ed25519(Box::new(SigningKey::from_bytes(seed))))
    }

    pub(super) fn from_es256(pair: EcdsaKeyPair) -> Result<Self, KeystoreFault> {
        Self::with_half(Algorithm::Es256, Half::Es256(pair))
    }

    pub(super) fn from_rs256(pair: RsaKeyPair) -> Result<Self, KeystoreFault> {
        Self::with_half(Algorithm::Rs256, Half::Rs256(pair))
    }

    fn with_half(algorithm: Algorithm, half: Half) -> Result<Self, KeystoreFault> {
        let public = match &half {
            Half::Ed25519(key) => {
                keep_in_memory(&**key);
                PublicKey::ed25519(algorithm, key.verifying_key().as_bytes())
            }
            Half::Es256(pair) => PublicKey::p256(pair.public_key().as_ref()),
            Half::Rs256(pair) => {
                let public = pair.public_key();
                PublicKey::rsa(
                    public.modulus().big_endian_without_leading_zero(),
                    public.exponent().big_endian_without_leading_zero(),
                )
            }
        };
        let public = public.map_err(|_| KeystoreFault::Operation("deriving a public key"))?;
        let kid = public.thumbprint();
        Ok(Self { half, public, kid })
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// A PEM block `PRIVATE KEY`: PKCS#8 version 1, which OpenSSL 3.0 reads.
    ///
    /// # Errors
    /// [`KeystoreFault::Operation`].
    pub fn expose_pkcs8_pem(&self) -> Result<Zeroizing<String>, KeystoreFault> {
        let failed = || KeystoreFault::Operation("writing a private key");
        let pem = |der: &[u8]| {
            SecretDocument::try_from(der)
                .map_err(|_| failed())?
                .to_pem("PRIVATE KEY", LineEnding::LF)
                .map_err(|_| failed())
        };
        match &self.half {
            Half::Ed25519(key) => {
                let pair = KeypairBytes { secret_key: key.to_bytes(), public_key: None };
                pair.to_pkcs8_pem(LineEnding::LF).map_err(|_| failed())
            }
            Half::Es256(pair) => pem(pair.to_pkcs8v1().map_err(|_| failed())?.as_ref()),
            Half::Rs256(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| failed())?;
                pem(der.as_ref())
            }
        }
    }

    /// Signs under another kid than the thumbprint (a container registry wants its own).
    pub fn signing_as<'a>(&'a self, kid: &'a str) -> SigningAs<'a> {
        SigningAs { key: self, kid }
    }

    fn refused(&self) -> SignFailure {
        SignFailure::Key { kid: self.kid.clone(), reason: "the library refused".to_owned() }
    }

    /// An Ed25519 public key's 32 bytes in base64url; empty for other keys.
    pub fn ed25519_base64url(&self) -> String {
        self.ed25519_public().map(|key| base64url::encode(&key)).unwrap_or_default()
    }

    pub(super) fn rsa_bits(&self) -> usize {
        match &self.half {
            Half::Rs256(pair) => {
                let public = pair.public_key();
                let modulus = public.modulus();
                let bytes = modulus.big_endian_without_leading_zero();
                let unused = bytes.first().map_or(0, |first| first.leading_zeros() as usize);
                (bytes.len() * 8).saturating_sub(unused)
            }
            _ => 0,
        }
    }

    /// The 32 bytes of an Ed25519 public key.
    pub fn ed25519_public(&self) -> Option<[u8; 32]> {
        match &self.half {
            Half::Ed25519(key) => Some(key.verifying_key().to_bytes()),
            _ => None,
        }
    }

    pub(super) fn ed25519_signature(&self, message: &[u8]) -> Option<[u8; 64]> {
        match &self.half {
            Half::Ed25519(key) => Some(key.sign(message).to_bytes()),
            _ => None,
        }
    }
}

impl Sign for SecretKey {
    fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }

    fn kid(&self) -> &str {
        &self.kid
    }

    fn sign(&self, signing_input: &[u8]) -> Result<Vec<u8>, SignFailure> {
        match &self.half {
            Half::Ed25519(key) => Ok(key.sign(signing_input).to_bytes().to_vec()),
            Half::Es256(pair) => pair
                .sign(&SystemRandom::new(), signing_input)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| self.refused()),
            Half::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signing_input, &mut signature)
                    .map_err(|_| self.refused())?;
                Ok(signature)
            }
        }
    }
}

/// A key that signs under a kid of the service's choosing.
pub struct SigningAs<'a> {
    key: &'a SecretKey,
    kid: &'a str,
}

impl Sign for SigningAs<'_> {
    fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    fn kid(&self) -> &str {
        self.kid
    }

    fn sign(&self, signing_input: &[u8]) -> Result<Vec<u8>, SignFailure> {
        self.key.sign(signing_input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_signs_and_survives_its_sealing_form() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Ed25519, Algorithm::Es256, Algorithm::Rs256] {
            let key = SecretKey::generate(algorithm, RsaBits::Two).unwrap();
            let pem = key.expose_pkcs8_pem().unwrap();
            let (label, der) = SecretDocument::from_pem(&pem).unwrap();
            assert_eq!(label, "PRIVATE KEY");
            let again = SecretKey::from_pkcs8(algorithm, der.as_bytes()).unwrap();
            assert_eq!(again.kid(), key.kid());
            let signature = again.sign(b"message").unwrap();
            key.public().verify(b"message", &signature).unwrap();
            assert!(key.public().verify(b"massage", &signature).is_err());
        }
    }

    #[test]
    fn keys_differ() {
        let key = || SecretKey::generate(Algorithm::EdDsa, RsaBits::Two).unwrap();
        assert_ne!(key().kid(), key().kid());
    }
}
