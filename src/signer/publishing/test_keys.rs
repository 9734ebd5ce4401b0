//! Keys for this floor's tests: made when a test runs, never kept.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use coldsign_verify::jws::{Sign, SignFailure};
use coldsign_verify::{Algorithm, Profile, PublicKey};
use ed25519_dalek::{Signer, SigningKey};

use super::material::{Consumer, Export, PublishedKey, ServiceMaterial};

/// A key pair of one algorithm.
pub(super) struct TestKey {
    pub(super) public: PublicKey,
    kid: String,
    secret: Secret,
}

enum Secret {
    Ed25519(Box<SigningKey>),
    P256(&'static EcdsaKeyPair),
    Rsa(&'static RsaKeyPair),
}

/// An Ed25519 key; the same for the same seed.
pub(super) fn ed25519(seed: u8) -> TestKey {
    let secret = SigningKey::from_bytes(&[seed; 32]);
    let public = PublicKey::ed25519(Algorithm::EdDsa, secret.verifying_key().as_bytes()).unwrap();
    TestKey { kid: public.thumbprint(), public, secret: Secret::Ed25519(Box::new(secret)) }
}

/// The one P-256 key of this run.
pub(super) fn p256() -> TestKey {
    static KEY: LazyLock<EcdsaKeyPair> =
        LazyLock::new(|| EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap());
    let public = PublicKey::p256(KEY.public_key().as_ref()).unwrap();
    TestKey { kid: public.thumbprint(), public, secret: Secret::P256(&KEY) }
}

/// The one RSA key of this run.
pub(super) fn rsa() -> TestKey {
    static KEY: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
    let der: PublicKeyX509Der<'_> = KEY.public_key().as_der().unwrap();
    let public = PublicKey::from_spki_der(Algorithm::Rs256, der.as_ref()).unwrap();
    TestKey { kid: public.thumbprint(), public, secret: Secret::Rsa(&KEY) }
}

impl TestKey {
    /// As published under that name.
    pub(super) fn published(&self, name: &str, signs_now: bool) -> PublishedKey {
        PublishedKey {
            name: name.to_owned(),
            kid: self.kid.clone(),
            kept_kid: None,
            key: self.public.clone(),
            signs_now,
            verify_until: None,
        }
    }
}

impl Sign for TestKey {
    fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }

    fn kid(&self) -> &str {
        &self.kid
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignFailure> {
        let random = SystemRandom::new();
        Ok(match &self.secret {
            Secret::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Secret::P256(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Secret::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
        })
    }
}

/// An RFC 9068 service that reads several keys: `api/1` verifies, `api/2` signs.
pub(super) fn api() -> ServiceMaterial {
    ServiceMaterial {
        service: "api".to_owned(),
        issuer: "https://signer.example.org".to_owned(),
        audience: Some("https://api.example.org".to_owned()),
        profile: Profile::Rfc9068,
        consumer: Consumer::Overlap,
        leeway_seconds: 0,
        longest_validity_seconds: 2_592_060,
        custom_claim: None,
        roles: vec!["reader".to_owned()],
        keys: vec![ed25519(1).published("api/1", false), ed25519(2).published("api/2", true)],
        exports: vec![Export::Jwks],
        revoked: None,
    }
}

/// A FEDn service with one key.
pub(super) fn fedn() -> ServiceMaterial {
    ServiceMaterial {
        service: "fed".to_owned(),
        audience: None,
        profile: Profile::Fedn,
        consumer: Consumer::SingleKey,
        custom_claim: Some(("project".to_owned(), "ward7".to_owned())),
        keys: vec![ed25519(3).published("fed/1", true)],
        exports: vec![Export::FednEnv],
        ..api()
    }
}

/// A FlowAPI with one key.
pub(super) fn flowapi() -> ServiceMaterial {
    ServiceMaterial {
        service: "flow".to_owned(),
        audience: Some("flowapi.example.org".to_owned()),
        profile: Profile::FlowKit,
        consumer: Consumer::SingleKey,
        keys: vec![rsa().published("flow/1", true)],
        exports: vec![Export::FlowapiEnv],
        ..api()
    }
}

/// A container registry that reads certificates.
pub(super) fn registry() -> ServiceMaterial {
    ServiceMaterial {
        service: "registry".to_owned(),
        profile: Profile::Plain,
        keys: vec![PublishedKey { kid: super::libtrust_kid(&p256().public), ..p256().published("registry/1", true) }],
        exports: vec![Export::X509],
        ..api()
    }
}
