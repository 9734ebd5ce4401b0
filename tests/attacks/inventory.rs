//! Every file of a store, with the place in the code that checks it before it is used.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use coldsign::acts::files;
use coldsign::acts::root::{self, Wish};
use coldsign::acts::{RELEASED, Session, Store, check, init, keys, policy, publish, unlock};
use coldsign::keystore::{KdfCost, Passphrase, RecoveryCode, RsaBits, SecretKey};
use coldsign_verify::Algorithm;
use zeroize::Zeroizing;

use crate::place::PASSPHRASE;

const START: u64 = RELEASED + 1_000;
const POLICY: &str = r#"
format = "coldsign-policy"
version = 1
[keysets.default]
algorithm = "EdDSA"
[keysets.registry]
algorithm = "ES256"
[services.api]
keyset = "default"
audience = "https://api.example"
[services.api.roles.reader]
[services.registry]
keyset = "registry"
audience = "https://registry.example"
export = ["x509"]
[services.registry.roles.reader]
"#;

/// Where each kind of file is held against what the journal says, before it is used.
const PLACES: [(&str, &str, &str); 12] = [
    ("Sheet", "src/signer/acts/store.rs", "read"),
    ("Unlock", "src/signer/keystore/wrapped.rs", "open_unlock"),
    ("Seal", "src/signer/keystore/generation.rs", "open"),
    ("Key", "src/signer/keystore/generation.rs", "read_key"),
    ("Custodian", "src/signer/acts/files.rs", "read_custodian"),
    ("Root", "src/signer/acts/root.rs", "kept"),
    ("Draft", "src/signer/acts/root/change.rs", "waiting"),
    ("Policy", "src/signer/acts/store.rs", "policy_text"),
    ("Certificate", "src/signer/acts/publish.rs", "certificates"),
    ("publication", "src/signer/acts/publications.rs", "kept"),
    ("journal", "src/signer/journal/log.rs", "open"),
    ("edited by hand", "src/signer/acts/policy.rs", "compare"),
];

/// A store that has a file of every kind.
fn full(place: &Path) {
    let (recovery, code) = (RecoveryCode::generate().unwrap(), RecoveryCode::generate().unwrap());
    init::init(&init::Request {
        path: place,
        issuer: "https://tokens.example",
        admin: "admin",
        passphrase: &passphrase(PASSPHRASE),
        cost: KdfCost::new(10).unwrap(),
        policy: POLICY,
        recovery: &recovery,
        root_code: &code,
        root_to: None,
        now: START,
    })
    .unwrap();
    let mut session = Session::open(place, Some("admin"), &passphrase(PASSPHRASE), START).unwrap();
    unlock::add(&mut session, "berta", &passphrase("a passphrase of berta")).unwrap();
    publish::publish(&mut session, false).unwrap();
    let key = SecretKey::generate(Algorithm::EdDsa, RsaBits::Two).unwrap();
    keys::import(&mut session, "default", &key.expose_pkcs8_pem().unwrap(), Default::default()).unwrap();
    fs::write(place.join("policy.toml"), format!("{POLICY}\n# edited\n")).unwrap();
    let edited = policy::compare(session.store(), START).unwrap();
    policy::apply(&mut session, &edited).unwrap();
    publish::publish(&mut session, true).unwrap();
    // Root 2 by two custodians, then a root 3 that waits for the second.
    let second = RecoveryCode::generate().unwrap();
    propose(&mut session, &Wish { add: Some(&second), threshold: Some(2), ..Wish::default() }, &code);
    propose(&mut session, &Wish::default(), &code);
    assert!(root::waiting(session.store()).unwrap().is_some(), "no root waits");
}

fn propose(session: &mut Session, wish: &Wish<'_>, code: &RecoveryCode) {
    let record = root::signer(session.store(), Some("root/1")).unwrap().clone();
    let custodian = root::open(session.store(), &record, None, &code.to_passphrase()).unwrap();
    let proposal = root::prepare(session, wish).unwrap();
    root::propose(session, wish, proposal, &custodian).unwrap();
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
}

fn walk(folder: &Path, below: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), &format!("{name}/"), found);
        } else {
            found.insert(name);
        }
    }
}

/// What each file of the store is, by its path.
fn kinds(store: &Store) -> BTreeMap<String, String> {
    let named = files::named(store.ledger(), store.sheet()).into_iter();
    let mut kinds: BTreeMap<String, String> = named.map(|file| (file.path, format!("{:?}", file.kind))).collect();
    for file in ["journal/entries.jsonl", "journal/checkpoint"] {
        kinds.insert(file.to_owned(), "journal".to_owned());
    }
    kinds.insert("policy.toml".to_owned(), "edited by hand".to_owned());
    for path in files::everything(store).unwrap().files.into_keys() {
        let published = path.starts_with("publications/").then(|| "publication".to_owned());
        kinds.extend(published.map(|kind| (path, kind)));
    }
    kinds
}

#[test]
fn every_file_of_a_full_store_has_a_place_that_checks_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("store");
    full(&place);
    let kinds = kinds(&Store::open(&place).unwrap());
    let mut on_disk = BTreeSet::new();
    walk(&place, "", &mut on_disk);
    let listed: BTreeSet<String> = kinds.keys().cloned().collect();
    assert_eq!(on_disk, listed, "a file that the list does not have, or that is not there");
    let present: BTreeSet<&str> = kinds.values().map(String::as_str).collect();
    assert_eq!(present, PLACES.iter().map(|(kind, ..)| *kind).collect(), "a kind without a place, or without a file");
    for (kind, source, function) in PLACES {
        let text = fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(source)).unwrap();
        assert!(
            text.contains(&format!("fn {function}(")) || text.contains(&format!("fn {function}<")),
            "{kind}: {source} has no {function}"
        );
    }
}

#[test]
fn a_changed_byte_of_any_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("store");
    full(&place);
    let sound = check::check(&place).unwrap();
    assert!(sound.faults.is_empty(), "{:?}", sound.faults);
    for (path, kind) in kinds(&Store::open(&place).unwrap()) {
        let file = place.join(&path);
        let bytes = fs::read(&file).unwrap();
        let mut changed = bytes.clone();
        let at = changed.len() / 2;
        changed[at] ^= 1;
        fs::write(&file, changed).unwrap();
        let report = check::check(&place).unwrap();
        let told = report.faults.iter().map(|fault| fault.file.as_str());
        let told = told.chain(report.notes.iter().map(String::as_str));
        let folder = path.splitn(3, '/').take(2).collect::<Vec<_>>().join("/");
        let told = told.filter(|told| told.contains(&path) || told.contains(&folder)).count();
        assert!(told > 0, "{kind} {path}: store check does not tell it: {report:?}");
        // What is copied into a backup is refused, or named.
        let everything = Store::open(&place).and_then(|store| files::everything(&store));
        match (kind.as_str(), &everything) {
            ("publication", Ok(all)) => assert_eq!(all.lacking.len(), 1, "{path}"),
            ("Custodian", Ok(all)) => assert_eq!(all.rewrapped.len(), 1, "{path}"),
            ("edited by hand", _) | (_, Err(_)) => {}
            (_, Ok(_)) => panic!("{kind} {path}: a backup would take it"),
        }
        fs::write(&file, bytes).unwrap();
    }
}
