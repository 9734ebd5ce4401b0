//! A store put together from parts: every part valid by itself, none in its place.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use coldsign::acts::issue::{self, Batch};
use coldsign::acts::keys::{self, Change};
use coldsign::acts::{RELEASED, Session, init, publish};
use coldsign::keystore::{KdfCost, Passphrase, RecoveryCode, RsaBits, SecretKey, Transition};
use coldsign::refusal::Refusal;
use coldsign_verify::{Algorithm, base64url};
use ed25519::pkcs8::spki::der::pem::LineEnding;
use ed25519::pkcs8::{EncodePrivateKey as _, KeypairBytes, PublicKeyBytes};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::place::PASSPHRASE;

const START: u64 = RELEASED + 1_000;

/// Two keysets of one algorithm, so that their keys could stand in for each other.
const POLICY: &str = r#"
format = "coldsign-policy"
version = 1

[timing]
skew = "0s"
backdate = "0s"

[distribution]
publish_every = "1d"
delivery = "0s"
reload = "0s"
lost_sticks = 0

[keysets.one]
algorithm = "EdDSA"

[keysets.two]
algorithm = "EdDSA"

[services.one]
keyset = "one"
audience = "https://one.example"

[services.one.roles.reader]

[services.two]
keyset = "two"
audience = "https://two.example"

[services.two.roles.reader]
"#;

struct Made {
    folder: tempfile::TempDir,
}

impl Made {
    fn new() -> Self {
        let made = Self { folder: tempfile::tempdir().unwrap() };
        init::init(&init::Request {
            path: &made.place(),
            issuer: "https://tokens.example",
            admin: "admin",
            passphrase: &passphrase(),
            cost: KdfCost::new(10).unwrap(),
            policy: POLICY,
            recovery: &RecoveryCode::generate().unwrap(),
            root_code: &RecoveryCode::generate().unwrap(),
            root_to: None,
            now: START,
        })
        .unwrap();
        made
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn open(&self) -> Result<Session, Refusal> {
        Session::open(&self.place(), None, &passphrase(), START)
    }

    fn issue(&self, service: &str) -> Result<String, Refusal> {
        let batch = Batch {
            service: service.to_owned(),
            roles: vec!["reader".to_owned()],
            subjects: vec!["ann".to_owned()],
            ..Batch::default()
        };
        Ok(issue::issue(&mut self.open()?, &batch)?.remove(0).key)
    }

    /// The sealed file of a key.
    fn key(&self, name: &str) -> PathBuf {
        let session = self.open().unwrap();
        let kid = keys::find(session.store(), name).unwrap().kid.clone();
        self.place().join(format!("sealed/1/key-{kid}.age"))
    }

    fn change(&self, key: &str, transition: Transition) {
        let change = Change { key, transition, reason: None, accept_outage: false };
        keys::change(&mut self.open().unwrap(), &change).unwrap();
    }

    /// Seals any text where a key should be, as whoever knows the passphrase could.
    fn seal(&self, file: &Path, text: &str) {
        let identity = self.unsealed("unlock/admin.age", &passphrase_identity());
        let identity = age::x25519::Identity::from_str(identity.lines().last().unwrap()).unwrap();
        let seal: Value = serde_json::from_str(&self.unsealed("sealed/1/seal.age", &identity)).unwrap();
        let sealing = age::x25519::Identity::from_str(seal["sealing_identity"].as_str().unwrap()).unwrap();
        fs::write(file, age::encrypt(&sealing.to_public(), text.as_bytes()).unwrap()).unwrap();
    }

    fn unsealed(&self, file: &str, identity: &impl age::Identity) -> String {
        let sealed = fs::read(self.place().join(file)).unwrap();
        String::from_utf8(age::decrypt(identity, &sealed).unwrap()).unwrap()
    }

    /// Every file of it, to see that a refusal changed none.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.place()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path)
                } else {
                    files.insert(path.clone(), fs::read(path).unwrap()).unwrap_or_default();
                }
            }
        }
        files
    }
}

fn passphrase() -> Passphrase {
    Passphrase::new(Zeroizing::new(PASSPHRASE.to_owned())).unwrap()
}

fn passphrase_identity() -> age::scrypt::Identity {
    age::scrypt::Identity::new(age::secrecy::SecretString::from(PASSPHRASE.to_owned()))
}

fn rule<T>(refused: Result<T, Refusal>) -> &'static str {
    refused.err().and_then(|refusal| refusal.reason().rule()).unwrap_or("not refused")
}

#[test]
fn another_key_of_the_same_store_in_a_key_s_place() {
    let made = Made::new();
    assert_eq!(made.issue("one").unwrap(), "one/1");
    let (one, two) = (made.key("one/1"), made.key("two/1"));
    let (first, second) = (fs::read(&one).unwrap(), fs::read(&two).unwrap());
    fs::write(&one, &second).unwrap();
    fs::write(&two, &first).unwrap();
    let before = made.files();
    assert_eq!(rule(made.issue("one")), "STORE-DAMAGED");
    assert_eq!(rule(made.issue("two")), "STORE-DAMAGED");
    assert!(made.files() == before, "a refusal left something behind");
    fs::write(&one, &first).unwrap();
    fs::write(&two, &second).unwrap();
    assert_eq!(made.issue("one").unwrap(), "one/1");
    assert_eq!(made.issue("two").unwrap(), "two/1");
}

#[test]
fn a_key_of_another_store_in_a_key_s_place() {
    let (made, other) = (Made::new(), Made::new());
    let (ours, theirs) = (made.key("one/1"), other.key("one/1"));
    let good = fs::read(&ours).unwrap();
    fs::copy(theirs, &ours).unwrap();
    assert_eq!(rule(made.issue("one")), "STORE-DAMAGED");
    fs::write(&ours, good).unwrap();
    assert_eq!(made.issue("one").unwrap(), "one/1");
}

#[test]
fn seals_journals_and_unlocks_of_another_store() {
    let (made, other) = (Made::new(), Made::new());
    let parts = |parts: &[&str]| {
        let kept: Vec<PathBuf> = parts.iter().map(|part| made.place().join(part)).collect();
        for (part, place) in parts.iter().zip(&kept) {
            fs::rename(place, made.folder.path().join(part.replace('/', "+"))).unwrap();
            copy(&other.place().join(part), place);
        }
        let refused = rule(made.issue("one"));
        for (part, place) in parts.iter().zip(&kept) {
            if place.is_dir() {
                fs::remove_dir_all(place).unwrap()
            } else {
                fs::remove_file(place).unwrap()
            }
            fs::rename(made.folder.path().join(part.replace('/', "+")), place).unwrap();
        }
        assert_eq!(made.issue("one").unwrap(), "one/1", "the twin after {parts:?}");
        refused
    };
    assert_eq!(parts(&["unlock"]), "STORE-DAMAGED");
    assert_eq!(parts(&["sealed/1/seal.age"]), "STORE-DAMAGED");
    assert_eq!(parts(&["sealed"]), "STORE-DAMAGED");
    assert_eq!(parts(&["unlock", "sealed"]), "STORE-DAMAGED");
    assert_eq!(parts(&["journal"]), "STORE-DAMAGED");
    assert_eq!(parts(&["journal", "store.json"]), "STORE-DAMAGED");
    assert_eq!(parts(&["store.json"]), "STORE-DAMAGED");
    assert_eq!(parts(&["policies", "policy.toml"]), "not refused", "the same text is the same policy");
}

#[test]
fn an_old_key_brought_back() {
    let made = Made::new();
    publish::publish(&mut made.open().unwrap(), false).unwrap();
    keys::generate(&mut made.open().unwrap(), "one").unwrap();
    publish::publish(&mut made.open().unwrap(), false).unwrap();
    let old = made.key("one/1");
    let kept = fs::read(&old).unwrap();
    made.change("one/2", Transition::Activate);
    made.change("one/1", Transition::Deactivate);
    assert!(!old.exists(), "its private half is destroyed");
    fs::write(&old, &kept).unwrap();
    assert_eq!(made.issue("one").unwrap(), "one/2", "the old key signs nothing");
    assert!(!old.exists(), "what came back is swept away");
    // Under the name of the key that signs now it is another key.
    let new = made.key("one/2");
    let good = fs::read(&new).unwrap();
    fs::write(&new, &kept).unwrap();
    assert_eq!(rule(made.issue("one")), "STORE-DAMAGED");
    fs::write(&new, good).unwrap();
    assert_eq!(made.issue("one").unwrap(), "one/2");
}

#[test]
fn a_public_key_that_is_not_the_seed_s() {
    let made = Made::new();
    let file = made.key("one/1");
    let kid = file.file_stem().unwrap().to_str().unwrap().strip_prefix("key-").unwrap().to_owned();
    let good = fs::read(&file).unwrap();
    let (seed, public) = {
        let session = made.open().unwrap();
        let record = keys::find(session.store(), "one/1").unwrap().clone();
        let secret = session.opened().load(&record).unwrap();
        assert_eq!(secret.kid(), kid);
        (seed_of(&secret.expose_pkcs8_pem().unwrap()), raw_public(&secret))
    };
    let stranger = SecretKey::generate(Algorithm::EdDsa, RsaBits::Two).unwrap();
    let pair = |secret_key, public_key| {
        let pair = KeypairBytes { secret_key, public_key: Some(PublicKeyBytes(public_key)) };
        pair.to_pkcs8_pem(LineEnding::LF).unwrap()
    };
    let strangers = seed_of(&stranger.expose_pkcs8_pem().unwrap());
    // Even the same key once more: the journal names the file.
    for (wrong, what) in [
        (pair(seed, public), "the same key, sealed by somebody else"),
        (pair(strangers, public), "another seed behind the promised public key"),
        (pair(seed, raw_public(&stranger)), "the right seed under another public key"),
        (stranger.expose_pkcs8_pem().unwrap(), "another key altogether"),
        (Zeroizing::new("-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n".to_owned()), "no key"),
    ] {
        made.seal(&file, &wrong);
        assert_eq!(rule(made.issue("one")), "STORE-DAMAGED", "{what}");
    }
    fs::write(&file, good).unwrap();
    assert_eq!(made.issue("one").unwrap(), "one/1");
    // The same on the way in.
    let import = |text: &str| keys::import(&mut made.open().unwrap(), "one", text, Default::default()).map(|_| ());
    assert_eq!(rule(import(&pair(strangers, public))), "IMPORT-UNSOUND");
    let jwk = |d: [u8; 32], x: [u8; 32]| {
        let (d, x) = (base64url::encode(&d), base64url::encode(&x));
        format!(r#"{{"kty":"OKP","crv":"Ed25519","d":"{d}","x":"{x}"}}"#)
    };
    assert_eq!(rule(import(&jwk(strangers, public))), "IMPORT-UNSOUND");
    assert_eq!(rule(import(&jwk(seed, public))), "KEY-KNOWN");
    assert!(import(&jwk(strangers, raw_public(&stranger))).is_ok());
}

fn seed_of(pem: &str) -> [u8; 32] {
    use ed25519::pkcs8::DecodePrivateKey as _;
    KeypairBytes::from_pkcs8_pem(pem).unwrap().secret_key
}

fn raw_public(key: &SecretKey) -> [u8; 32] {
    base64url::decode(&key.ed25519_base64url()).unwrap().try_into().unwrap()
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}
