//! Keys made anew in every run, and tokens that no honest signer would make.
#![allow(dead_code, reason = "each test crate uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::LazyLock;

#[cfg(feature = "aws-lc")]
use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256},
};
use coldsign_verify::jws::{self, Sign, SignFailure};
use coldsign_verify::{Algorithm, Jwks, PublicKey, UnixTime, base64url};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

pub const NOW: UnixTime = UnixTime(1_800_000_000);
pub const ISSUER: &str = "https://tokens.example.org";
pub const AUDIENCE: &str = "https://api.example.org";

pub static ED25519: LazyLock<Key> = LazyLock::new(|| {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    Key::new(Algorithm::EdDsa, Private::Ed25519(SigningKey::from_bytes(&seed)))
});

#[cfg(feature = "aws-lc")]
pub static ES256: LazyLock<Key> = LazyLock::new(|| {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    Key::new(Algorithm::Es256, Private::P256(pair))
});

#[cfg(feature = "aws-lc")]
pub static RS256: LazyLock<Key> =
    LazyLock::new(|| Key::new(Algorithm::Rs256, Private::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())));

/// One key of each algorithm that is built in.
pub fn all() -> Vec<&'static Key> {
    vec![
        &ED25519,
        #[cfg(feature = "aws-lc")]
        &ES256,
        #[cfg(feature = "aws-lc")]
        &RS256,
    ]
}

pub struct Key {
    algorithm: Algorithm,
    kid: String,
    private: Private,
}

enum Private {
    Ed25519(SigningKey),
    #[cfg(feature = "aws-lc")]
    P256(EcdsaKeyPair),
    #[cfg(feature = "aws-lc")]
    Rsa(RsaKeyPair),
}

impl Key {
    fn new(algorithm: Algorithm, private: Private) -> Self {
        let mut key = Self { algorithm, kid: String::new(), private };
        key.kid = key.public().thumbprint();
        key
    }

    pub fn public(&self) -> PublicKey {
        match &self.private {
            Private::Ed25519(key) => PublicKey::ed25519(self.algorithm, key.verifying_key().as_bytes()).unwrap(),
            #[cfg(feature = "aws-lc")]
            Private::P256(pair) => PublicKey::p256(pair.public_key().as_ref()).unwrap(),
            #[cfg(feature = "aws-lc")]
            Private::Rsa(pair) => {
                let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
                PublicKey::from_spki_der(self.algorithm, spki.as_ref()).unwrap()
            }
        }
    }

    /// The set that holds this key alone.
    pub fn jwks(&self) -> Jwks {
        Jwks::new([(self.kid.clone(), self.public())]).unwrap()
    }

    /// Signs any header and payload, however wrong.
    pub fn sign_parts(&self, header: &[u8], payload: &[u8]) -> String {
        let input = format!("{}.{}", base64url::encode(header), base64url::encode(payload));
        let signature = self.sign(input.as_bytes()).unwrap();
        format!("{input}.{}", base64url::encode(&signature))
    }

    /// Signs any header over good claims.
    pub fn sign_header(&self, header: &Value) -> String {
        self.sign_parts(header.to_string().as_bytes(), claims().to_string().as_bytes())
    }

    /// Signs any claims under a good header.
    pub fn sign_claims(&self, claims: &Value) -> String {
        jws::assemble(self, "at+jwt", claims.to_string().as_bytes()).unwrap()
    }

    /// Signs a payload that need not be JSON under a good header.
    pub fn sign_text(&self, payload: &str) -> String {
        jws::assemble(self, "at+jwt", payload.as_bytes()).unwrap()
    }

    /// The header that this key's tokens have.
    pub fn header(&self) -> Value {
        json!({"alg": self.algorithm.name(), "kid": self.kid, "typ": "at+jwt"})
    }
}

impl Sign for Key {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn kid(&self) -> &str {
        &self.kid
    }

    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, SignFailure> {
        Ok(match &self.private {
            Private::Ed25519(key) => key.sign(input).to_bytes().to_vec(),
            #[cfg(feature = "aws-lc")]
            Private::P256(pair) => pair.sign(&SystemRandom::new(), input).unwrap().as_ref().to_vec(),
            #[cfg(feature = "aws-lc")]
            Private::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature).unwrap();
                signature
            }
        })
    }
}

/// Claims that the RFC 9068 profile accepts at [`NOW`].
pub fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ward7",
        "client_id": "ward7",
        "scope": "data:read data:list",
        "jti": "0123456789abcdef",
        "iat": NOW.0 - 60,
        "nbf": NOW.0 - 60,
        "exp": NOW.0 + 3_600,
    })
}

/// The same with one claim set, or removed by [`None`].
pub fn claims_with(claim: &str, value: impl Into<Option<Value>>) -> Value {
    let mut claims = claims();
    match value.into() {
        Some(value) => claims[claim] = value,
        None => {
            claims.as_object_mut().unwrap().remove(claim);
        }
    }
    claims
}

/// A token taken apart, to be put together wrongly.
pub fn parts(token: &str) -> (String, Vec<u8>) {
    let (input, signature) = token.rsplit_once('.').unwrap();
    (input.to_owned(), base64url::decode(signature).unwrap())
}

/// The token with another signature.
pub fn with_signature(token: &str, signature: &[u8]) -> String {
    format!("{}.{}", parts(token).0, base64url::encode(signature))
}
