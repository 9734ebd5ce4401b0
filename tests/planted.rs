//! What lies in a store under names that only its acts give, after a crash or planted: no act and no
//! repair removes what the journal names for it, and none is stopped by it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use coldsign::acts::unlock::Depth;
use coldsign::acts::{RELEASED, Session, Unlocked, check, init, journal, publish, unlock};
use coldsign::keystore::{KdfCost, Passphrase, RecoveryCode};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const POLICY: &str = include_str!("crash/policy.toml");
const ADMIN: &str = "correct horse battery staple";
const NOW: u64 = RELEASED + 10_000;

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
}

fn found(place: &Path) {
    let request = init::Request {
        path: place,
        issuer: "https://tokens.example",
        admin: "admin",
        passphrase: &passphrase(ADMIN),
        cost: KdfCost::new(10).unwrap(),
        policy: POLICY,
        recovery: &RecoveryCode::generate().unwrap(),
        root_code: &RecoveryCode::generate().unwrap(),
        root_to: None,
        now: NOW - 9_000,
    };
    init::init(&request).unwrap();
}

fn store() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("store");
    found(&place);
    (folder, place)
}

fn open(place: &Path, now: u64) -> Session {
    Session::open(place, None, &passphrase(ADMIN), now).unwrap()
}

/// A crash between the switch to a new generation and its folder's name.
fn resealed() -> (tempfile::TempDir, PathBuf) {
    let (folder, place) = store();
    unlock::add(&mut open(&place, NOW), "berta", &passphrase("bertas very own passphrase")).unwrap();
    fs::rename(place.join("sealed/2"), place.join("sealed/2.partial")).unwrap();
    (folder, place)
}

/// A crash between the entry of a publication and its folder's name.
fn published() -> (tempfile::TempDir, PathBuf) {
    let (folder, place) = store();
    publish::publish(&mut open(&place, NOW), false).unwrap();
    fs::rename(place.join("publications/000001"), place.join("publications/000001.partial")).unwrap();
    (folder, place)
}

#[test]
fn a_repair_after_a_crash_removes_nothing_that_is_in_force() {
    for (made, file) in [(resealed as fn() -> _, "sealed/2/seal.age"), (published, "publications/000001/SHA256SUMS")] {
        let (_folder, place): (tempfile::TempDir, PathBuf) = made();
        let (report, mended) = check::repair(&place).unwrap();
        assert!(report.faults.is_empty() && mended.is_empty(), "{report:?} {mended:?}");
        drop(open(&place, NOW + 1));
        assert!(place.join(file).exists(), "{file}");
        assert!(check::check(&place).unwrap().notes.is_empty());
    }
}

#[test]
fn what_has_taken_the_name_of_what_is_in_force_goes_aside() {
    for (made, name, file) in
        [(resealed as fn() -> _, "sealed/2", "seal.age"), (published, "publications/000001", "SHA256SUMS")]
    {
        let (_folder, place): (tempfile::TempDir, PathBuf) = made();
        fs::create_dir(place.join(name)).unwrap();
        assert!(check::repair(&place).unwrap().1.iter().all(|fault| fault.file == name), "only its mode");
        assert_eq!(open(&place, NOW + 1).swept().put_aside, [name]);
        assert!(place.join(name).join(file).exists());
        drop(open(&place, NOW + 2));
    }
}

#[test]
fn a_file_that_is_planted_under_an_act_is_not_taken_for_its_folder() {
    let (_folder, place) = store();
    let mut session = open(&place, NOW);
    fs::write(place.join("sealed/.2.partial"), b"junk").unwrap();
    let new = passphrase("another very long one");
    unlock::change(&mut session, "admin", &new, Depth::Reseal, None).unwrap();
    drop(session);
    drop(Session::open(&place, None, &new, NOW + 1).unwrap());
}

#[test]
fn no_name_that_is_planted_stops_an_act_or_a_check() {
    let long = "k".repeat(251);
    let (certificate, unlock) = (format!("certificates/{long}.pem"), format!("unlock/{long}.age"));
    let files: [&[u8]; 6] =
        [b"unlock/\xff.age", b"unlock/\xff.next.age", b"\xff", certificate.as_bytes(), unlock.as_bytes(), b"sealed/9"];
    let folders: [&[u8]; 6] = [
        b"unlock/x.next.age",
        b"unlock/admin.next.age",
        b"unlock/.x.partial",
        b"journal/.checkpoint.partial",
        b"policies/.x.toml.partial",
        b"unlock/eve.age",
    ];
    for (at, name) in files.iter().chain(&folders).enumerate() {
        let (_folder, place) = store();
        let path = place.join(OsStr::from_bytes(name));
        if at < files.len() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, b"x").unwrap();
        } else {
            fs::create_dir_all(path.join("in")).unwrap();
        }
        check::check(&place).unwrap();
        for now in [NOW, NOW + 1] {
            publish::publish(&mut open(&place, now), true).unwrap();
        }
    }
}

#[test]
fn what_is_audited_is_the_journal_that_the_passphrase_vouched_for() {
    let (folder, place) = store();
    let other = folder.path().join("other");
    found(&other);
    let opened = || Unlocked::open(&place, None, &passphrase(ADMIN)).unwrap().into_store();
    let grown = opened();
    publish::publish(&mut open(&place, NOW), false).unwrap();
    assert!(journal::verify(&grown).is_ok(), "another act went on from it");
    let exchanged = opened();
    for file in ["journal/entries.jsonl", "journal/checkpoint"] {
        fs::copy(other.join(file), place.join(file)).unwrap();
    }
    let refusal = journal::verify(&exchanged).err().unwrap();
    assert_eq!(refusal.reason().rule(), Some("JOURNAL-EXCHANGED"));
}

#[test]
fn nothing_is_swept_where_a_link_leads() {
    for name in ["certificates", "policies", "publications", "roots", "sealed", "unlock"] {
        let (folder, place) = store();
        let (inside, outside) = (place.join(name), folder.path().join("outside"));
        if inside.exists() {
            fs::rename(&inside, &outside).unwrap();
        }
        fs::create_dir_all(outside.join("work.partial")).unwrap();
        for file in [".download.partial", "mine.pem", "mine.age", "mine.next.age", "work.partial/thesis"] {
            fs::write(outside.join(file), b"x").unwrap();
        }
        let count = || fs::read_dir(&outside).unwrap().count();
        let before = count();
        symlink(&outside, &inside).unwrap();
        drop(open(&place, NOW));
        assert_eq!(count(), before, "{name}");
    }
}
