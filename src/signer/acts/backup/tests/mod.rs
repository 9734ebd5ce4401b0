//! Backups and restores over months, with the time as a parameter.

mod epochs;
mod file;

use super::outlook::{Outlook, Witness, outlook};
use super::restore::{Request, Restored, restore};
use super::*;
use crate::acts::{RELEASED, clock, init, keys, publish, status};
use crate::keystore::{KdfCost, Passphrase, RecoveryCode};
use std::fs;
use std::path::Path;
use zeroize::Zeroizing;

const POLICY: &str = r#"
format = "coldsign-policy"
version = 1
[keysets.default]
algorithm = "EdDSA"
[services.api]
profile = "rfc9068"
keyset = "default"
audience = "https://api.example"
export = ["jwks", "x509"]
[services.api.roles.reader]
"#;
const START: u64 = RELEASED + 1_000;
const DAY: u64 = 86_400;

struct Bench {
    folder: tempfile::TempDir,
    recovery: RecoveryCode,
}

impl Bench {
    /// A store with one publication, a certificate, and a root key of its own.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bench = Self { folder, recovery: RecoveryCode::generate().unwrap() };
        init::init(&init::Request {
            path: &bench.path("store"),
            issuer: "https://tokens.example",
            admin: "admin",
            passphrase: &passphrase(),
            cost: KdfCost::new(10).unwrap(),
            policy: POLICY,
            recovery: &bench.recovery,
            root_code: &RecoveryCode::generate().unwrap(),
            root_to: None,
            now: START,
        })
        .unwrap();
        fs::create_dir(bench.path("stick")).unwrap();
        publish::publish(&mut bench.session("store", START), false).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn session(&self, store: &str, now: u64) -> Session {
        Session::open(&self.path(store), None, &passphrase(), now).unwrap()
    }

    fn store(&self, store: &str) -> Store {
        Store::open(&self.path(store)).unwrap()
    }

    fn create(&self, store: &str, now: u64) -> Result<Made, Refusal> {
        create(&mut self.session(store, now), &Outbox::open(&self.path("stick")).unwrap())
    }

    fn backup(&self, store: &str, now: u64) -> PathBuf {
        self.create(store, now).unwrap().path
    }

    fn generate(&self, store: &str, now: u64) {
        keys::generate(&mut self.session(store, now), "default").unwrap();
    }

    fn note(&self, store: &str) -> String {
        self.store(store).journal().note().to_owned()
    }

    fn restore(&self, backup: &Path, to: &str, given: &[String], accept_fork: bool) -> Result<Restored, Refusal> {
        let backup = open(backup).unwrap();
        let outlook = outlook(&backup, &pages(given), None)?;
        self.restore_with(&backup, to, &outlook, accept_fork)
    }

    fn restore_with(&self, backup: &Backup, to: &str, outlook: &Outlook, fork: bool) -> Result<Restored, Refusal> {
        let place = self.path(to);
        restore(&Request {
            backup,
            place: &place,
            outlook,
            accept_fork: fork,
            reason: Some("a test"),
            now: START + 90 * DAY,
        })
    }

    fn publish(&self, store: &str) -> publish::Published {
        publish::publish(&mut self.session(store, START + 90 * DAY), false).unwrap()
    }
}

fn passphrase() -> Passphrase {
    Passphrase::new(Zeroizing::new("correct horse battery staple".to_owned())).unwrap()
}

fn pages(notes: &[String]) -> Vec<Witness> {
    notes.iter().map(|note| Witness::File(PathBuf::from("page"), note.as_bytes().to_vec())).collect()
}

fn open(file: &Path) -> Result<Backup, Refusal> {
    open_bytes(&fs::read(file).unwrap(), "admin", &passphrase())
}

fn open_bytes(bytes: &[u8], unlock: &str, passphrase: &Passphrase) -> Result<Backup, Refusal> {
    let file = Path::new("b.tar");
    Backup::open(file, bytes, &Sealed::read(file, bytes)?, unlock, passphrase)
}

fn rule<T>(refused: Result<T, Refusal>) -> &'static str {
    refused.err().and_then(|refusal| refusal.reason().rule()).unwrap_or("not refused")
}

/// Every file below a folder, by relative path.
fn files_below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            let inside = files_below(&entry.path());
            found.extend(inside.into_iter().map(|(path, bytes)| (format!("{name}/{path}"), bytes)));
        } else {
            found.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    found
}

#[test]
fn status_reminds_of_backups() {
    let bench = Bench::new();
    let due = |now: u64| {
        let store = bench.store("store");
        let todo = status::summary(&store, now).unwrap().todo;
        let backup = todo.into_iter().find(|todo| todo.command.starts_with("coldsign backup create"));
        backup.map(|todo| todo.what).unwrap_or_default()
    };
    assert!(due(START).contains("no backup was made yet"));
    bench.backup("store", START);
    assert_eq!(due(START + 30 * DAY - 1), "");
    assert!(due(START + 30 * DAY).contains("30 days old"));
    bench.generate("store", START + DAY);
    assert!(due(START + DAY).contains("keys, roots or unlocks changed"));
    bench.backup("store", START + DAY);
    assert_eq!(due(START + DAY), "");
}
