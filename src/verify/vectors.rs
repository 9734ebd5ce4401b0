//! For tests: keys that everybody knows, and the documents of `keys/vectors/trust-v1` made with them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ed25519_dalek::{Signer as _, SigningKey};

use crate::algorithm::Algorithm;
use crate::digest::Digest;
use crate::expectations::Profile;
use crate::jws::{Sign, SignFailure};
use crate::key::PublicKey;
use crate::revocation::Revocations;
use crate::time::UnixTime;
use crate::{bundle, receipt, root};

/// When the first vector was made: 2027-01-15T08:00:00Z.
pub const MADE: u64 = 1_800_000_000;
pub const DAY: u64 = 86_400;
pub const ISSUER: &str = "https://tokens.example.org";
pub const STORE: &str = "vectors";

/// An Ed25519 key whose seed is one byte, repeated.
pub struct Key {
    key: SigningKey,
    pub public: PublicKey,
    kid: String,
}

impl Key {
    pub fn new(seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let public = PublicKey::ed25519(Algorithm::EdDsa, key.verifying_key().as_bytes()).unwrap();
        Self { kid: public.thumbprint(), key, public }
    }
}

impl Sign for Key {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDsa
    }
    fn kid(&self) -> &str {
        &self.kid
    }
    fn sign(&self, signing_input: &[u8]) -> Result<Vec<u8>, SignFailure> {
        Ok(self.key.sign(signing_input).to_bytes().to_vec())
    }
}

pub fn publics(seeds: &[u8]) -> Vec<PublicKey> {
    seeds.iter().map(|seed| Key::new(*seed).public).collect()
}

/// Signed by the keys of these seeds.
pub fn signed(terms: &root::Terms, seeds: &[u8]) -> Vec<u8> {
    let keys: Vec<Key> = seeds.iter().map(|seed| Key::new(*seed)).collect();
    let signers: Vec<&dyn Sign> = keys.iter().map(|key| key as &dyn Sign).collect();
    root::sign(terms, &signers).unwrap().into_bytes()
}

pub fn terms_1() -> root::Terms {
    root::Terms {
        store: STORE.into(),
        issuer: ISSUER.into(),
        root_version: 1,
        issued_at: UnixTime(MADE),
        expires_at: UnixTime(MADE + 400 * DAY),
        root_keys: publics(&[1]),
        threshold: 1,
        bundle_keys: publics(&[0x0a]),
    }
}

pub fn terms_2() -> root::Terms {
    root::Terms {
        root_version: 2,
        issued_at: UnixTime(MADE + DAY),
        expires_at: UnixTime(MADE + 800 * DAY),
        root_keys: publics(&[1, 2, 3]),
        threshold: 2,
        bundle_keys: publics(&[0x0b]),
        ..terms_1()
    }
}

pub fn root_1() -> root::Root {
    root::Root::first(&signed(&terms_1(), &[1])).unwrap()
}

pub fn root_2() -> root::Root {
    root_1().successor(&signed(&terms_2(), &[1, 2])).unwrap()
}

pub fn contents_1() -> bundle::Contents {
    let key = Key::new(7);
    let api = bundle::Service {
        profile: Profile::Rfc9068,
        audience: Some("https://api.example.org".into()),
        leeway_seconds: 0,
        longest_validity_seconds: 30 * DAY + 60,
        claims: BTreeMap::new(),
    };
    let fed = bundle::Service {
        profile: Profile::Fedn,
        audience: None,
        claims: BTreeMap::from([("project".into(), "ward7".into())]),
        ..api.clone()
    };
    bundle::Contents {
        issuer: ISSUER.into(),
        store: STORE.into(),
        seq: 1,
        previous: None,
        root_version: 1,
        issued_at: UnixTime(MADE),
        expires_at: UnixTime(MADE + 120 * DAY),
        skew_seconds: 60,
        services: BTreeMap::from([("api".into(), api), ("fed".into(), fed)]),
        keys: vec![bundle::Key {
            kid: key.kid.clone(),
            key: key.public,
            services: BTreeSet::from(["api".into(), "fed".into()]),
        }],
        revoked: Revocations::default(),
        files: BTreeMap::from([("for-api/jwks.json".into(), Digest::of(b"{}\n"))]),
        checkpoint: "coldsign/journal/vectors\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n".into(),
    }
}

pub fn contents_2() -> bundle::Contents {
    let cut = |name: &str, at| BTreeMap::from([(name.to_owned(), UnixTime(at))]);
    bundle::Contents {
        seq: 2,
        previous: Some(Digest::of(bundle(&contents_1(), 0x0a).as_bytes())),
        root_version: 2,
        issued_at: UnixTime(MADE + DAY),
        expires_at: UnixTime(MADE + 121 * DAY),
        revoked: Revocations {
            roles: cut("fed/client", MADE + 100),
            subjects: cut("ward8", MADE + 200),
            tokens: cut("7d5b6c1e", MADE + 43_200),
            ..Revocations::default()
        },
        ..contents_1()
    }
}

pub fn bundle(contents: &bundle::Contents, seed: u8) -> String {
    bundle::sign(contents, &Key::new(seed)).unwrap()
}

pub fn receipt_1() -> receipt::Contents {
    let contents = contents_2();
    receipt::Contents {
        store: STORE.into(),
        verifier: "api-1".into(),
        counter: 1,
        previous: None,
        root_version: 2,
        seq: 2,
        bundle: Digest::of(bundle(&contents, 0x0b).as_bytes()),
        installed_at: UnixTime(MADE + 2 * DAY),
        loaded_at: Some(UnixTime(MADE + 2 * DAY + 5)),
        kids: contents.keys.iter().map(|key| (key.kid.clone(), Some(UnixTime(MADE + 2 * DAY + 9)))).collect(),
        issued_at: UnixTime(MADE + 3 * DAY),
    }
}

/// The published bytes of a vector are exactly these.
pub fn is_published(name: &str, bytes: &[u8]) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../keys/vectors/trust-v1");
    let published = std::fs::read(folder.join(name)).unwrap_or_default();
    assert!(published == bytes, "{name} is not what the tests make: {}", String::from_utf8_lossy(bytes));
}
