//! What `publish` makes is what a verifier installs: the signer's publications before a real trust store.

use super::office::{DAY, Office, START, accepts, install, passphrase};
use coldsign::acts::{Session, keys, publish, root};
use coldsign::keystore::{RsaBits, SecretKey};
use coldsign::publishing::folder_name;
use coldsign_verify::receipt::Receipt;
use coldsign_verify::trust::TrustStore;
use coldsign_verify::{Algorithm, Digest, UnixTime};
use std::fs;
use std::path::{Path, PathBuf};

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
fn token(office: &Office, grant: &str, now: u64) -> String {
    office.issue(grant, "ann", None, now)[0].token.to_string()
}

/// The next root, by the one custodian there is.
fn next_root(office: &Office, bundle_key: bool, now: u64) {
    let mut session = office.session(now);
    let record = root::signer(session.store(), None).unwrap();
    let by = root::open(session.store(), record, None, &office.root_code.to_passphrase()).unwrap();
    let wish = root::Wish { bundle_key, ..root::Wish::default() };
    let proposal = root::prepare(&session, &wish).unwrap();
    assert!(root::propose(&mut session, &wish, proposal, &by).unwrap().complete);
}

#[test]
fn the_published_vector_installs_for_ever() {
    const MADE: u64 = 1_795_398_796;
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys/vectors/publication-v1");
    let folder = vectors.join("coldsign-publication-000002");
    let text = |path: PathBuf| fs::read_to_string(path).unwrap();
    let page = text(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formats/publication-v1.md"));
    let (_, fingerprint) = page.split_once("`root.1.json` is ").unwrap();
    let fingerprint = Digest::from_paper(fingerprint.split_once('.').unwrap().0).unwrap();
    let root = text(folder.join("root.1.json"));
    let temp = tempfile::tempdir().unwrap();
    let mut trust = TrustStore::pin(&temp.path().join("trust"), "api-1", root.as_bytes(), &fingerprint).unwrap();
    assert_eq!(install(&mut trust, &folder, MADE), Ok(2));
    assert_eq!(accepts(&trust, "api", text(vectors.join("ben.jwt")).trim(), MADE), Ok(()));
    assert_eq!(accepts(&trust, "api", text(vectors.join("ann.jwt")).trim(), MADE), Err("TOKEN-REVOKED"));
    let manifest = text(folder.join("SHA256SUMS"));
    let listed: Vec<(&str, &str)> = manifest.lines().map(|line| line.split_once("  ").unwrap()).collect();
    assert_eq!(listed.len(), 11);
    for (digest, path) in listed {
        assert_eq!(Digest::of(&fs::read(folder.join(path)).unwrap()).to_string(), digest, "{path}");
    }
}

#[test]
fn what_is_published_is_installed_and_verifies_tokens() {
    let office = Office::new(POLICY);
    let (api, study) = (token(&office, "api/reader", START), token(&office, "study/client", START));
    let first = office.carry(START, false);
    let mut trust = office.pin("trust");
    assert_eq!(install(&mut trust, &first, START), Ok(1));
    assert_eq!(accepts(&trust, "api", &api, START + 60), Ok(()));
    assert_eq!(accepts(&trust, "study", &study, START + 60), Ok(()));
    assert!(accepts(&trust, "study", &api, START + 60).is_err());

    keys::generate(&mut office.session(START + DAY), "default").unwrap();
    let second = office.carry(START + DAY, false);
    let third = office.carry(START + 2 * DAY, true);
    assert_eq!(install(&mut trust, &second, START + 2 * DAY), Ok(2));
    assert_eq!(trust.bundle().unwrap().contents().jwks("api").unwrap().keys().count(), 2);
    assert_eq!(install(&mut trust, &first, START + 2 * DAY), Err("BUNDLE-ROLLBACK"));
    assert_eq!(install(&mut trust, &third, START + 2 * DAY), Ok(3), "prev is the bundle before");
    assert_eq!(install(&mut trust, &third, START + 123 * DAY), Err("BUNDLE-EXPIRED"));
}

#[test]
fn a_verifier_pinned_to_the_first_root_follows_to_the_newest() {
    let office = Office::new(POLICY);
    let first = office.carry(START, false);
    let mut trust = office.pin("trust");
    assert_eq!(install(&mut trust, &first, START), Ok(1));
    let mut late =
        TrustStore::pin(&office.path("late"), "api-2", &fs::read(first.join("root.1.json")).unwrap(), &trust.pinned())
            .unwrap();
    // Each change of the root reaches it with the next publication.
    for (number, bundle_key) in [(2, false), (3, true), (4, false), (5, true)] {
        let now = START + number * DAY;
        let token = token(&office, "api/reader", now - 60);
        next_root(&office, bundle_key, now);
        let folder = office.carry(now, false);
        assert!((1..=number).all(|number| folder.join(format!("root.{number}.json")).exists()));
        assert_eq!(install(&mut trust, &folder, now), Ok(number));
        assert_eq!(trust.root().root_version(), number);
        assert_eq!(accepts(&trust, "api", &token, now), Ok(()), "no service notices");
    }
    // All at once for the one that comes late; and nothing signed with an ended bundle key any more.
    let newest = office.path("stick").join(folder_name(5));
    assert_eq!(install(&mut late, &newest, START + 6 * DAY), Ok(5));
    assert_eq!(late.root().fingerprint(), trust.root().fingerprint());
    assert_eq!(install(&mut late, &first, START + 6 * DAY), Err("BUNDLE-KEY"));

    // Without one of the roots between there is no way.
    fs::remove_file(newest.join("root.3.json")).unwrap();
    let root = fs::read(first.join("root.1.json")).unwrap();
    let mut other = TrustStore::pin(&office.path("other"), "api-3", &root, &trust.pinned()).unwrap();
    assert_eq!(install(&mut other, &newest, START + 6 * DAY), Err("PUBLICATION-MISSING"));
}

#[test]
fn a_verifier_that_slept_through_ten_publications_catches_up() {
    let office = Office::new(POLICY);
    let first = office.carry(START, false);
    let mut trust = office.pin("trust");
    assert_eq!(install(&mut trust, &first, START), Ok(1));
    let mut newest = first;
    for number in 2..=12 {
        let now = START + number * 20 * DAY;
        if number % 4 == 0 {
            next_root(&office, number % 8 == 0, now);
        }
        newest = office.carry(now, true);
    }
    let now = START + 245 * DAY;
    assert!(trust.bundle().unwrap().contents().expires_at.0 < now, "what it slept on has expired");
    assert_eq!(install(&mut trust, &newest, now), Ok(12));
    assert_eq!(trust.root().root_version(), 4);
    let token = token(&office, "api/reader", now);
    assert_eq!(accepts(&trust, "api", &token, now), Ok(()));
}

#[test]
fn a_verifier_put_back_from_an_image_is_told_apart() {
    let office = Office::new(POLICY);
    let first = office.carry(START, false);
    let mut trust = office.pin("trust");
    assert_eq!(install(&mut trust, &first, START), Ok(1));
    let key = SecretKey::generate(Algorithm::EdDsa, RsaBits::Two).unwrap();
    let receipt = |trust: &mut TrustStore, now: u64| {
        trust.note_loaded(UnixTime(now)).unwrap();
        Receipt::verify(&trust.receipt(key.public(), &key, UnixTime(now)).unwrap(), key.public()).unwrap()
    };
    let one = receipt(&mut trust, START);
    let image = fs::read(office.path("trust/trust.json")).unwrap();
    next_root(&office, true, START + DAY);
    let second = office.carry(START + DAY, false);
    assert_eq!(install(&mut trust, &second, START + DAY), Ok(2));
    let two = receipt(&mut trust, START + DAY);
    two.check_after(one.contents().counter, &one.digest()).unwrap();

    // The machine burns, and comes back as it was the day before.
    drop(trust);
    fs::write(office.path("trust/trust.json"), image).unwrap();
    let mut trust = TrustStore::open(&office.path("trust")).unwrap();
    assert_eq!((trust.root().root_version(), trust.bundle().unwrap().seq()), (1, 1));
    let back = receipt(&mut trust, START + 2 * DAY);
    assert_eq!(back.contents().counter, two.contents().counter, "it counts again from where it was");
    assert!(back.check_after(two.contents().counter, &two.digest()).is_err());
    // It installs again what it had.
    assert_eq!(install(&mut trust, &second, START + 2 * DAY), Ok(2));
    assert_eq!(trust.root().root_version(), 2);
}

#[test]
fn a_byte_changed_anywhere_on_the_stick_is_refused() {
    let office = Office::new(POLICY);
    let folder = office.carry(START, false);
    let mut trust = office.pin("trust");
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
    let office = Office::new(POLICY);
    let last = START + root::LIFETIME - 120 * DAY;
    let mut session = office.session(last);
    assert_eq!(publish::publish(&mut session, true).unwrap().seq, 1);
    drop(session);
    let refused = publish::publish(&mut office.session(last + 1), true).map(drop).unwrap_err();
    assert_eq!(refused.reason().rule(), Some("ROOT-ENDS"));
    assert_eq!(refused.reason().hint().as_deref(), Some("coldsign root rotate"));
}

#[test]
fn a_bundle_that_ends_too_soon_is_followed_by_another_though_nothing_changed() {
    let office = Office::new(POLICY);
    let publish = |now| publish::publish(&mut office.session(now), false).unwrap();
    let first = publish(START);
    let mut trust = office.pin("trust");
    // 120 d of life less (1 + 1) × 30 d + 14 d + 1 d + 60 s of silence.
    let due = START + 120 * DAY - 75 * DAY - 60;
    assert_eq!((publish(due).new, publish(due + 1).seq), (false, first.seq + 1));
    let again = publish(due + 2);
    assert_eq!((again.new, again.seq), (false, first.seq + 1), "once is enough");
    let folder = office.carry(due + 3, false);
    assert_eq!(install(&mut trust, &folder, START + 120 * DAY), Ok(2), "the first would be over");
}

#[test]
fn the_same_state_and_time_give_the_same_bytes() {
    let office = Office::new(POLICY);
    let place = office.path("twin");
    copy_tree(&office.path("store"), &place);
    let folder = office.carry(START + 5, false);
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
