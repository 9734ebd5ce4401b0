//! What an unlock's own file vouches for, and a custodian's: a store that is not the one that they name
//! gets nothing signed. Each refusal has its twin, the same store before the attack.

use std::fs;
use std::path::{Path, PathBuf};

use coldsign::acts::found;
use coldsign::acts::root::{self, Wish};
use coldsign::acts::{RELEASED, Session, Unlocked, init, keys, publish, unlock};
use coldsign::journal::{Event as _, Line};
use coldsign::keystore::{self, Anchor, KdfCost, Passphrase, RecoveryCode, RootAnchor, RsaBits, SecretKey};
use coldsign::refusal::Refusal;
use coldsign_verify::Algorithm;
use coldsign_verify::bundle;
use zeroize::Zeroizing;

use crate::place::PASSPHRASE;

const START: u64 = RELEASED + 1_000;
const POLICY: &str = include_str!("../scenarios/policy.toml");

/// A store, and copies of it from earlier.
struct Desk {
    folder: tempfile::TempDir,
    root_code: Passphrase,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root_code = RecoveryCode::generate().unwrap();
        init::init(&init::Request {
            path: &folder.path().join("store"),
            issuer: "https://tokens.example",
            admin: "admin",
            passphrase: &passphrase(),
            cost: cost(),
            policy: POLICY,
            recovery: &RecoveryCode::generate().unwrap(),
            root_code: &root_code,
            root_to: None,
            now: START,
        })
        .unwrap();
        Self { folder, root_code: root_code.to_passphrase() }
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, name: &str) -> Result<Session, Refusal> {
        Session::open(&self.place(name), Some("admin"), &passphrase(), START)
    }

    fn keep_a_copy(&self, name: &str) {
        copy(&self.place("store"), &self.place(name));
    }

    /// Another bundle key, under root 2.
    fn next_root(&self) {
        let mut session = self.open("store").unwrap();
        let custodian =
            root::open(session.store(), &root::signer(session.store(), None).unwrap().clone(), None, &self.root_code);
        let wish = Wish { bundle_key: true, ..Wish::default() };
        let proposal = root::prepare(&session, &wish).unwrap();
        root::propose(&mut session, &wish, proposal, &custodian.unwrap()).unwrap();
    }

    /// The newest publication, carried out.
    fn published(&self, stick: &str) -> PathBuf {
        let mut session = self.open("store").unwrap();
        let seq = publish::publish(&mut session, true).unwrap().seq;
        fs::create_dir_all(self.place(stick)).unwrap();
        let folder = self.place(stick).join(format!("coldsign-publication-{seq:06}"));
        copy(&self.place("store").join(format!("publications/{seq:06}")), &folder);
        folder
    }
}

fn cost() -> KdfCost {
    KdfCost::new(10).unwrap()
}

fn passphrase() -> Passphrase {
    Passphrase::new(Zeroizing::new(PASSPHRASE.to_owned())).unwrap()
}

fn rule<T>(refused: Result<T, Refusal>) -> &'static str {
    refused.err().and_then(|refusal| refusal.reason().rule()).unwrap_or("not refused")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Puts a file with that anchor in force, as only somebody with passphrase and journal key can.
fn anchored(desk: &Desk, change: impl Fn(Anchor) -> Anchor) {
    let mut session = desk.open("store").unwrap();
    let anchor = change(Anchor::now(session.store().journal()));
    let line: Line = session.opened().rewrap(&passphrase(), cost(), anchor).unwrap().anchored().line();
    session.record(&[line]).unwrap();
}

#[test]
fn an_unlock_that_names_a_later_journal_is_told_that_this_one_was_put_back() {
    let desk = Desk::new();
    anchored(&desk, |anchor| anchor);
    assert_eq!(rule(desk.open("store")), "not refused");
    anchored(&desk, |mut anchor| {
        anchor.floor.size += 100;
        anchor
    });
    assert_eq!(rule(desk.open("store")), "STORE-PUT-BACK");
}

#[test]
fn an_unlock_that_names_another_store_key_or_beginning_opens_nothing() {
    let changes: [fn(Anchor) -> Anchor; 3] = [
        |anchor| Anchor { store_id: "AAAAAAAAAAAAAAAAAAAAAA".to_owned(), ..anchor },
        |anchor| Anchor { journal_key: [7; 32], ..anchor },
        |mut anchor| {
            anchor.floor.root = [7; 32];
            anchor
        },
    ];
    for change in changes {
        let desk = Desk::new();
        anchored(&desk, change);
        assert_eq!(rule(desk.open("store")), "STORE-ANCHOR");
    }
}

#[test]
fn a_store_exchanged_between_its_opening_and_its_lock_is_refused() {
    let desk = Desk::new();
    desk.keep_a_copy("early");
    keys::generate(&mut desk.open("store").unwrap(), "default").unwrap();
    let unlocked = || Unlocked::open(&desk.place("store"), Some("admin"), &passphrase()).unwrap();
    assert_eq!(rule(unlocked().begin(&passphrase(), START)), "not refused");
    let opened = unlocked();
    for file in ["journal/entries.jsonl", "journal/checkpoint"] {
        fs::copy(desk.place("early").join(file), desk.place("store").join(file)).unwrap();
    }
    assert_eq!(rule(opened.begin(&passphrase(), START)), "STORE-EXCHANGED");
}

#[test]
fn a_custodian_signs_for_no_store_but_the_one_that_their_file_names() {
    let desk = Desk::new();
    let session = desk.open("store").unwrap();
    let store = session.store();
    let record = root::signer(store, None).unwrap();
    let file = desk.place("store").join(root::key_file(&record.kid));
    let bytes = fs::read(&file).unwrap();
    let (key, anchor) = keystore::open_root(record, "the file", &bytes, &desk.root_code).unwrap();
    let sealed_for = |anchor: &RootAnchor| {
        fs::write(&file, keystore::seal_root(&key, anchor, &desk.root_code, cost()).unwrap()).unwrap();
        root::open(store, record, None, &desk.root_code)
    };
    // Wrapped anew by its owner: told, not refused.
    assert!(!sealed_for(&anchor).unwrap().as_named);
    let other_id = RootAnchor { store_id: "AAAAAAAAAAAAAAAAAAAAAA".to_owned(), ..anchor.clone() };
    assert_eq!(rule(sealed_for(&other_id)), "ROOT-STORE");
    let other_root = RootAnchor { first_root: "0".repeat(64), ..anchor };
    assert_eq!(rule(sealed_for(&other_root)), "ROOT-STORE");
}

#[test]
fn a_root_that_the_journal_does_not_know_shows_that_the_store_was_put_back() {
    let desk = Desk::new();
    desk.keep_a_copy("early");
    desk.next_root();
    assert_eq!(rule(desk.open("early")), "not refused");
    fs::copy(desk.place("store/roots/root.2.json"), desk.place("early/roots/root.2.json")).unwrap();
    assert_eq!(rule(desk.open("early")), "ROOT-AHEAD");
    // Made up by somebody else, it says nothing and is put aside.
    fs::write(desk.place("store/roots/root.3.json"), "{}").unwrap();
    let session = desk.open("store").unwrap();
    assert_eq!(session.swept().put_aside, ["roots/root.3.json"]);
}

#[test]
fn a_stick_tells_of_a_later_store_even_where_root_and_journal_key_are_new() {
    let desk = Desk::new();
    desk.keep_a_copy("early");
    desk.next_root();
    let new = Passphrase::new(Zeroizing::new("quite another passphrase".to_owned())).unwrap();
    let mut session = desk.open("store").unwrap();
    unlock::change(&mut session, "admin", &new, unlock::Depth::Reseal, None).unwrap();
    publish::publish(&mut session, true).unwrap();
    copy(&desk.place("store/publications/000001"), &desk.place("stick/coldsign-publication-000001"));
    assert_eq!(found::meet(session.store(), &desk.place("stick")).unwrap().known, [1]);
    // The old passphrase vouches for the old store; the stick does not believe it.
    let early = desk.open("early").unwrap();
    assert_eq!(rule(found::meet(early.store(), &desk.place("stick"))), "PUBLICATION-AHEAD");
}

#[test]
fn a_publication_under_a_journal_key_that_was_never_the_store_s_accuses_the_stick() {
    let desk = Desk::new();
    let folder = desk.published("stick");
    let file = folder.join(bundle::FILE_NAME);
    let text = fs::read_to_string(&file).unwrap();
    let contents = bundle::unverified(&text).unwrap();
    let stranger = SecretKey::generate(Algorithm::EdDsa, RsaBits::Two).unwrap();
    let locked = coldsign::acts::Store::open(&desk.place("store")).unwrap();
    assert_eq!(found::meet(&locked, &desk.place("stick")).unwrap().known, [1]);
    // The store's id, an honest beginning, another's signatures.
    let elsewhere = Desk::new();
    let other_key = elsewhere.open("store").unwrap();
    let checkpoint = locked.journal().extent().sign(&contents.store, other_key.opened()).unwrap();
    let forged = bundle::Contents { checkpoint, ..contents };
    let forged = bundle::sign(&forged, &stranger).unwrap();
    fs::write(&file, forged).unwrap();
    assert_eq!(rule(found::meet(&locked, &desk.place("stick"))), "PUBLICATION-OTHER-KEY");
    // Where a passphrase vouches for the store, the stick is the forged one, and the act goes on.
    let session = desk.open("store").unwrap();
    let met = found::meet(session.store(), &desk.place("stick")).unwrap();
    assert_eq!((met.forged.len(), met.known.len()), (1, 0));
}
