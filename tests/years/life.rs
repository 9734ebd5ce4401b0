//! A store's life: what is left behind, exchanged or withheld is noticed.

use super::office::{DAY, Office, START, USUAL, rule};
use coldsign::acts::keys;
use coldsign::acts::{RELEASED, Store, status};
use coldsign::journal::{self, Event, Journal, JournalFault, Line, SignNote, StoreCreated};
use coldsign::keystore::{SealGeneration, Transition, UnlockAdded};
use coldsign::refusal::Refusal;
use coldsign::storage::Directory;
use std::path::Path;

#[test]
fn a_clock_that_goes_back_is_refused_beyond_the_skew() {
    let life = Office::new(USUAL);
    life.sign_one(DAY, START + DAY).unwrap();
    let newest = START + DAY;
    assert_eq!(life.session(newest - 60).now(), newest);
    assert_eq!(rule(life.try_session(newest - 61)), "CLOCK-BEHIND");
    assert_eq!(rule(life.try_session(RELEASED - 1)), "CLOCK-BEFORE-RELEASE");
    assert_eq!(life.session(newest + 1).now(), newest + 1);
}

#[test]
fn an_act_that_ended_between_recording_and_writing_shows_as_unconfirmed() {
    let life = Office::new(USUAL);
    // `issue` has recorded the token; nobody writes its file.
    life.sign_one(DAY, START).unwrap();
    let store = life.store();
    assert_eq!(status::summary(&store, START).unwrap().unconfirmed, 1);
}

#[test]
fn what_a_crash_left_behind_is_removed_by_the_next_act() {
    let life = Office::new(USUAL);
    life.publish(START);
    let stray = |file: &str| life.path("store").join(file);
    for file in ["sealed/1/key-AAAA.age", "sealed/1/.key-BBBB.age.partial", ".store.json.partial"] {
        std::fs::create_dir_all(stray(file).parent().unwrap()).unwrap();
        std::fs::write(stray(file), b"x").unwrap();
    }
    std::fs::create_dir(stray("publications/000009")).unwrap();
    std::fs::create_dir(stray("publications/000008.partial")).unwrap();
    drop(life.session(START));
    for file in [
        "sealed/1/key-AAAA.age",
        "sealed/1/.key-BBBB.age.partial",
        ".store.json.partial",
        "publications/000009",
        "publications/000008.partial",
    ] {
        assert!(!stray(file).exists(), "{file}");
    }
    assert!(life.has_private_half("default/1"));
    assert!(stray("publications/000001").exists());
}

#[test]
fn a_private_half_whose_unlinking_failed_is_swept() {
    let life = Office::new(USUAL);
    life.publish(START);
    keys::generate(&mut life.session(START), "default").unwrap();
    let file = life.path("store").join(format!("sealed/1/key-{}.age", life.kid("default/2")));
    let kept = std::fs::read(&file).unwrap();
    life.change("default/2", Transition::Destroy, START).unwrap();
    assert!(!file.exists());
    std::fs::write(&file, kept).unwrap();
    drop(life.session(START));
    assert!(!file.exists());
}

/// Somebody's key, who can write to the disk and has not the journal's.
struct Forger(ed25519_dalek::SigningKey);

impl SignNote for Forger {
    fn sign_note(&self, text: &[u8]) -> Result<[u8; 64], JournalFault> {
        use ed25519_dalek::Signer;
        Ok(self.0.sign(text).to_bytes())
    }

    fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }
}

#[test]
fn a_journal_written_anew_by_somebody_else_is_refused() {
    let life = Office::new(USUAL);
    let directory = Directory::open(&life.path("store")).unwrap();
    let old = Journal::open(&directory).unwrap();
    let forger = Forger(ed25519_dalek::SigningKey::from_bytes(&[7; 32]));
    let journal_key = coldsign_verify::base64url::encode(&forger.public_key());
    let created = StoreCreated { journal_key, ..old.genesis().clone() };
    // Everything that is needed to find and open the files there are.
    let mut events: Vec<Line> = Vec::new();
    for entry in old.entries() {
        events.extend(entry.event::<UnlockAdded>().unwrap().map(|event| event.line()));
        events.extend(entry.event::<SealGeneration>().unwrap().map(|event| event.line()));
    }
    assert_eq!(events.len(), 3);
    std::fs::remove_dir_all(life.path("store").join("journal")).unwrap();
    journal::start(&directory, &created, &events, &forger, START, "admin").unwrap();
    assert!(Store::open(&life.path("store")).is_ok(), "without a passphrase it can't be told");
    assert_eq!(rule(life.try_session(START)), "STORE-ANCHOR");
}

#[test]
fn a_key_file_of_another_key_is_refused() {
    let life = Office::new(USUAL);
    keys::generate(&mut life.session(START), "default").unwrap();
    let file = |key: &str| life.path("store").join(format!("sealed/1/key-{}.age", life.kid(key)));
    std::fs::copy(file("default/2"), file("default/1")).unwrap();
    assert_eq!(rule(life.sign_one(DAY, START)), "STORE-DAMAGED");
    assert_eq!(journal_lines(&life.path("store"), "token.issued"), 0);
}

fn journal_lines(store: &Path, kind: &str) -> usize {
    let text = std::fs::read_to_string(store.join("journal/entries.jsonl")).unwrap();
    text.lines().filter(|line| line.contains(&format!(r#""type":"{kind}""#))).count()
}

#[test]
fn a_root_key_goes_to_the_stick_and_comes_back_from_a_store_that_could_not_be_made() {
    let office = Office::new(USUAL);
    let stick = office.path("stick");
    std::fs::create_dir(&stick).unwrap();
    let make = |place: &str| office.found(place, USUAL, Some(&stick));
    let on_stick = || std::fs::read_dir(&stick).unwrap().count();
    // A link to nowhere: all is made, but a directory can't be renamed over it.
    std::os::unix::fs::symlink("nowhere", office.path("link")).unwrap();
    assert!(make("link").is_err());
    assert_eq!(on_stick(), 0);
    assert_eq!(std::fs::read_dir(office.path("")).unwrap().count(), 3, "something was left behind");

    make("other").unwrap();
    assert_eq!(on_stick(), 1);
    let store = Store::open(&office.path("other")).unwrap();
    assert!(keys::find(&store, "root/1").unwrap().elsewhere);
}

#[test]
fn the_root_key_is_opened_by_no_unlock() {
    let life = Office::new(USUAL);
    let session = life.session(START);
    let root = keys::find(session.store(), "root/1").unwrap();
    let refused = session.opened().load(root).map(drop).map_err(Refusal::from);
    assert_eq!(rule(refused), "KEY-NO-PRIVATE");
}

#[test]
fn a_journal_that_can_not_be_written_issues_nothing() {
    let life = Office::new(USUAL);
    let mut session = life.session(START);
    // Also root can't write into a directory as if it were a file.
    let entries = life.path("store").join("journal/entries.jsonl");
    std::fs::remove_file(&entries).unwrap();
    std::fs::create_dir(&entries).unwrap();
    assert_eq!(rule(keys::generate(&mut session, "default").map(drop)), "JOURNAL-EXCHANGED");
    let sealed = std::fs::read_dir(life.path("store").join("sealed/1")).unwrap().count();
    assert_eq!(sealed, 7, "seal, journal, bundle and four token keys: the fifth was taken back");
}
