//! Keys that sign whatever they are given, and their JWKs.

use aws_lc_rs::encoding::{AsBigEndian, EcPublicKeyUncompressedBin};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use curve25519_dalek::EdwardsPoint;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub struct Key {
    pub algorithm: &'static str,
    pub kid: String,
    pub jwk: Value,
    pub private: Private,
}

pub enum Private {
    Ed25519(Ed25519),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// RFC 8032 §5.1.6 in its parts, so that a signature can be made that no honest signer makes.
pub struct Ed25519 {
    scalar: Scalar,
    prefix: [u8; 32],
    public: EdwardsPoint,
    mixed: bool,
}

impl Ed25519 {
    /// `mixed`: a public key with a part of small order, which strict rules allow and which only some signatures fit.
    pub fn new(seed: u8, mixed: bool) -> Self {
        let hash = Sha512::digest([seed; 32]);
        let scalar = Scalar::from_bytes_mod_order(clamp_integer(hash[..32].try_into().unwrap()));
        let torsion = if mixed { EIGHT_TORSION[1] } else { EIGHT_TORSION[0] };
        let public = EdwardsPoint::mul_base(&scalar) + torsion;
        Self { scalar, prefix: hash[32..].try_into().unwrap(), public, mixed }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        for round in 0_u8..64 {
            let nonce = wide(&[&self.prefix, &[round], message]);
            let point = EdwardsPoint::mul_base(&nonce).compress().to_bytes();
            // Without a part of small order any will do; with one, the equation must not see it.
            if !self.mixed || self.challenge(&point, message).as_bytes()[0] & 7 == 0 {
                return self.with_point(&point, &nonce, message);
            }
        }
        vec![0; 64]
    }

    /// A signature whose first half is `nonce`·B and a point of small order.
    pub fn sign_with_torsion(&self, nonce: u64, torsion: usize, message: &[u8]) -> Vec<u8> {
        let nonce = Scalar::from(nonce);
        let point = (EdwardsPoint::mul_base(&nonce) + EIGHT_TORSION[torsion % 8]).compress().to_bytes();
        self.with_point(&point, &nonce, message)
    }

    /// A signature over any 32 bytes taken for the point nonce·B.
    pub fn with_point(&self, point: &[u8; 32], nonce: &Scalar, message: &[u8]) -> Vec<u8> {
        let response = nonce + self.challenge(point, message) * self.scalar;
        [point.as_slice(), response.as_bytes()].concat()
    }

    fn challenge(&self, point: &[u8; 32], message: &[u8]) -> Scalar {
        wide(&[point, self.public.compress().as_bytes(), message])
    }
}

fn wide(parts: &[&[u8]]) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&Sha512::digest(parts.concat()).into())
}

impl Key {
    pub fn ed25519(algorithm: &'static str, seed: u8) -> Self {
        Self::of_ed25519(algorithm, Ed25519::new(seed, false))
    }

    pub fn of_ed25519(algorithm: &'static str, key: Ed25519) -> Self {
        let x = base64url(key.public.compress().as_bytes());
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "alg": algorithm, "use": "sig" });
        let kid = thumbprint(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        Self::named(algorithm, kid, jwk, Private::Ed25519(key))
    }

    pub fn p256() -> Self {
        let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let public: EcPublicKeyUncompressedBin<'_> = pair.public_key().as_be_bytes().unwrap();
        let [x, y] = [&public.as_ref()[1..33], &public.as_ref()[33..]].map(base64url);
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ES256", "use": "sig" });
        let kid = thumbprint(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#));
        Self::named("ES256", kid, jwk, Private::P256(pair))
    }

    pub fn rsa() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let [n, e] = [pair.public_key().modulus(), pair.public_key().exponent()]
            .map(|number| base64url(number.big_endian_without_leading_zero()));
        let kid = thumbprint(&format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#));
        let jwk = json!({ "kty": "RSA", "n": n, "e": e, "alg": "RS256", "use": "sig" });
        Self::named("RS256", kid, jwk, Private::Rsa(pair))
    }

    fn named(algorithm: &'static str, kid: String, mut jwk: Value, private: Private) -> Self {
        jwk["kid"] = kid.as_str().into();
        Self { algorithm, kid, jwk, private }
    }

    /// The same key under another name than its thumbprint.
    pub fn called(mut self, kid: &str) -> Self {
        self.jwk["kid"] = kid.into();
        self.kid = kid.to_owned();
        self
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.private {
            Private::Ed25519(key) => key.sign(message),
            Private::P256(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Private::Rsa(_) => self.sign_rsa(&signature::RSA_PKCS1_SHA256, message),
        }
    }

    pub fn sign_rsa(&self, how: &'static dyn signature::RsaEncoding, message: &[u8]) -> Vec<u8> {
        let Private::Rsa(pair) = &self.private else { return Vec::new() };
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(how, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    }
}

fn thumbprint(members: &str) -> String {
    base64url(Sha256::digest(members))
}
