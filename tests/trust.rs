//! What `publish` makes is what a verifier installs: the signer's publications before a real trust store.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use coldsign::acts::issue::{self, Batch};
use coldsign::acts::{RELEASED, Session, init, keys, publications, publish, root};
use coldsign::keystore::{KdfCost, Passphrase, RecoveryCode};
use coldsign::publishing::folder_name;
use coldsign::storage::Outbox;
use coldsign_verify::trust::{Publication, TrustStore};
use coldsign_verify::{Digest, UnixTime};
use std::fs;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const DAY: u64 = 86_400;
const START: u64 = RELEASED + DAY;
const POLICY: &str = r#"format = "coldsign-policy"
version = 1
[keysets.default]
algorithm = "EdDSA"
[keysets.study]
algorithm = "ES256"
[services.api]
profile = "rfc9068"
keyset = "default"
audience = "https://api.example"
[services.api.roles.reader]
[services.study]
profile = "fedn"
keyset = "study"
[services.study.roles.client]
"#;

/// A signer, a stick and a verifier's machine.
struct World {
    folder: tempfile::TempDir,
    root_code: RecoveryCode,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = Self { folder, root_code: RecoveryCode::generate().unwrap() };
        init::init(&init::Request {
            path: &world.path("store"),
            issuer: "https://tokens.example",
            admin: "admin",
            passphrase: &passphrase(),
            cost: KdfCost::new(10).unwrap(),
            policy: POLICY,
            recovery: &RecoveryCode::generate().unwrap(),
            root_code: &world.root_code,
            root_to: None,
            now: START,
        })
        .unwrap();
        fs::create_dir(world.path("stick")).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn session(&self, now: u64) -> Session {
        Session::open(&self.path("store"), None, &passphrase(), now).unwrap()
    }

    /// Publishes, copies to the stick, and names the folder there.
    fn publish(&self, now: u64, renew: bool) -> PathBuf {
        let mut session = self.session(now);
        let published = publish::publish(&mut session, renew).unwrap();
        let outbox = Outbox::open(&self.path("stick")).unwrap();
        publications::copy(session.store(), published.seq, &outbox).unwrap();
        self.path("stick").join(folder_name(published.seq))
    }

    fn pin(&self) -> TrustStore {
        let session = self.session(START);
        let root = root::chain(session.store()).unwrap().remove(0);
        TrustStore::pin(&self.path("trust"), "api-1", root.text().as_bytes(), &root.fingerprint()).unwrap()
    }

    fn token(&self, service: &str, role: &str, now: u64) -> String {
        let batch = Batch {
            service: service.to_owned(),
            roles: vec![role.to_owned()],
            subjects: vec!["ann".to_owned()],
            lifetime: None,
            not_before: None,
            scopes: Vec::new(),
            details: None,
            cnf_jkt: None,
            form: None,
            reason: None,
        };
        let mut session = self.session(now);
        let issued = issue::issue(&mut session, &batch).unwrap();
        issue::confirm(&mut session, &issued, &[]).unwrap();
        issued[0].token.to_string()
    }
}

fn passphrase() -> Passphrase {
    Passphrase::from(Zeroizing::new("correct horse battery staple".to_owned()))
}

/// Installs, or names the rule that refused.
fn install(trust: &mut TrustStore, folder: &Path, now: u64) -> Result<u64, &'static str> {
    let publication = Publication::at(folder);
    let accepted = trust.examine(&publication, UnixTime(now)).map_err(|fault| fault.code())?;
    trust.install(&accepted, UnixTime(now)).map_err(|fault| fault.code())?;
    Ok(accepted.bundle().seq())
}

fn accepts(trust: &TrustStore, service: &str, token: &str, now: u64) -> Result<(), &'static str> {
    let verifier = trust.verifier(service).unwrap();
    verifier.verify(token, UnixTime(now)).map(|_| ()).map_err(|refusal| refusal.code())
}

#[test]
fn what_is_published_is_installed_and_verifies_tokens() {
    let world = World::new();
    let (api, study) = (world.token("api", "reader", START), world.token("study", "client", START));
    let first = world.publish(START, false);
    let mut trust = world.pin();
    assert_eq!(install(&mut trust, &first, START), Ok(1));
    assert_eq!(accepts(&trust, "api", &api, START + 60), Ok(()));
    assert_eq!(accepts(&trust, "study", &study, START + 60), Ok(()));
    assert!(accepts(&trust, "study", &api, START + 60).is_err());

    keys::generate(&mut world.session(START + DAY), "default").unwrap();
    let second = world.publish(START + DAY, false);
    let third = world.publish(START + 2 * DAY, true);
    assert_eq!(install(&mut trust, &second, START + 2 * DAY), Ok(2));
    assert_eq!(trust.bundle().unwrap().contents().jwks("api").unwrap().keys().count(), 2);
    assert_eq!(install(&mut trust, &first, START + 2 * DAY), Err("BUNDLE-ROLLBACK"));
    assert_eq!(install(&mut trust, &third, START + 2 * DAY), Ok(3), "prev is the bundle before");
    assert_eq!(install(&mut trust, &third, START + 123 * DAY), Err("BUNDLE-EXPIRED"));
}

#[test]
fn a_byte_changed_anywhere_on_the_stick_is_refused() {
    let world = World::new();
    let folder = world.publish(START, false);
    let mut trust = world.pin();
    for path in ["bundle.jwt", "for-api/jwks.json", "for-study/fedn.env", "for-api/START-HERE.html"] {
        let file = folder.join(path);
        let sound = fs::read(&file).unwrap();
        for at in [0, sound.len() / 2, sound.len() - 1] {
            let mut changed = sound.clone();
            changed[at] ^= 1;
            fs::write(&file, changed).unwrap();
            assert!(install(&mut trust, &folder, START).is_err(), "{path} at {at}");
        }
        fs::write(&file, sound).unwrap();
    }
    assert_eq!(install(&mut trust, &folder, START), Ok(1), "as it was");
}

#[test]
fn no_bundle_outlives_its_root() {
    let world = World::new();
    let last = START + root::LIFETIME - 120 * DAY;
    let mut session = world.session(last);
    assert_eq!(publish::publish(&mut session, true).unwrap().seq, 1);
    drop(session);
    let refused = publish::publish(&mut world.session(last + 1), true).map(drop).unwrap_err();
    assert_eq!(refused.reason().rule(), Some("ROOT-ENDS"));
    assert_eq!(refused.reason().hint().as_deref(), Some("coldsign root rotate"));
}

#[test]
fn a_bundle_that_ends_too_soon_is_followed_by_another_though_nothing_changed() {
    let world = World::new();
    let publish = |now| publish::publish(&mut world.session(now), false).unwrap();
    let first = publish(START);
    let mut trust = world.pin();
    // 120 d of life less (1 + 1) × 30 d + 14 d + 1 d + 60 s of silence.
    let due = START + 120 * DAY - 75 * DAY - 60;
    assert_eq!((publish(due).new, publish(due + 1).seq), (false, first.seq + 1));
    let again = publish(due + 2);
    assert_eq!((again.new, again.seq), (false, first.seq + 1), "once is enough");
    let folder = world.publish(due + 3, false);
    assert_eq!(install(&mut trust, &folder, START + 120 * DAY), Ok(2), "the first would be over");
}

#[test]
fn the_same_state_and_time_give_the_same_bytes() {
    let world = World::new();
    let place = world.path("twin");
    copy_tree(&world.path("store"), &place);
    let folder = world.publish(START + 5, false);
    let mut session = Session::open(&place, None, &passphrase(), START + 5).unwrap();
    publish::publish(&mut session, false).unwrap();
    for file in ["bundle.jwt", "SHA256SUMS", "root.1.json", "distribution.html"] {
        let twin = fs::read(place.join("publications/000001").join(file)).unwrap();
        assert_eq!(Digest::of(&twin), Digest::of(&fs::read(folder.join(file)).unwrap()), "{file}");
    }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
