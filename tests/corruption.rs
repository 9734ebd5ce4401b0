//! Whatever becomes of a file of the store, it is told by the file's name or makes no difference.
//!
//! Bytes changed, truncations, additions, deletion, every two files exchanged. `cargo test` tries a
//! sample, `just corruption` each place that a file's structure tells apart (`CORRUPTION=all`), and
//! `CORRUPTION=every` each byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what was tried is a report")]

#[path = "corruption/places.rs"]
mod places;

use coldsign::acts::issue::{self, Batch};
use coldsign::acts::{RELEASED, Session, Store, init, keys, policy, publications, publish, root, status, unlock};
use coldsign::keystore::{KdfCost, Passphrase, RecoveryCode, Unlocks};
use coldsign::refusal::Refusal;
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use zeroize::Zeroizing;

const POLICY: &str = include_str!("crash/policy.toml");
const NOW: u64 = RELEASED + 1_000;

type Files = BTreeMap<String, Vec<u8>>;

/// A change to a store's files.
struct Change {
    /// The files it touches: one of them must be named.
    files: Vec<String>,
    what: String,
    now: Vec<(String, Edit)>,
}

/// What becomes of a file.
enum Edit {
    Byte { at: usize, value: u8 },
    Cut(usize),
    Added(Vec<u8>),
    Replaced(Vec<u8>),
    Gone,
}

impl Edit {
    fn of(&self, old: &[u8]) -> Option<Vec<u8>> {
        let mut now = old.to_vec();
        match self {
            Self::Byte { at, value } => now[*at] = *value,
            Self::Cut(length) => now.truncate(*length),
            Self::Added(more) => now.extend(more),
            Self::Replaced(by) => now.clone_from(by),
            Self::Gone => return None,
        }
        Some(now)
    }
}

#[test]
fn every_changed_byte_is_told_or_harmless() {
    corrupt(|name, bytes| places::of(bytes, 6).into_iter().flat_map(|at| changed_at(name, bytes, at)).collect());
}

#[test]
fn every_truncation_and_addition_is_told_or_harmless() {
    corrupt(|name, bytes| {
        let mut changes: Vec<Change> = places::of(bytes, 3)
            .into_iter()
            .map(|length| one(name, format!("cut to {length} bytes"), Edit::Cut(length)))
            .collect();
        let additions = [&b"\n"[..], b"x", b"{}\n", &bytes[..bytes.len().min(1_000)]];
        for more in additions.into_iter().skip(if whole() { 0 } else { name.len() % 4 }).step_by(few()) {
            changes.push(one(name, format!("{} bytes added", more.len()), Edit::Added(more.to_vec())));
        }
        changes
    });
}

#[test]
fn every_deletion_is_told_or_harmless() {
    corrupt(|name, _| vec![one(name, "deleted".to_owned(), Edit::Gone)]);
}

#[test]
fn every_exchange_of_two_files_is_told_or_harmless() {
    let sound = Sound::make();
    let names: Vec<&String> = sound.files.keys().collect();
    let mut changes = Vec::new();
    for (at, a) in names.iter().enumerate() {
        for (by, b) in names.iter().enumerate().skip(at + 1) {
            if sound.files[*a] == sound.files[*b] || (!whole() && (at * 7 + by) % 12 != 0) {
                continue;
            }
            changes.push(Change {
                files: vec![(*a).clone(), (*b).clone()],
                what: "exchanged".to_owned(),
                now: vec![
                    ((*a).clone(), Edit::Replaced(sound.files[*b].clone())),
                    ((*b).clone(), Edit::Replaced(sound.files[*a].clone())),
                ],
            });
        }
    }
    judge(&sound, &changes);
}

fn corrupt(changes: impl Fn(&str, &[u8]) -> Vec<Change>) {
    let sound = Sound::make();
    let changes: Vec<Change> = sound.files.iter().flat_map(|(name, bytes)| changes(name, bytes)).collect();
    judge(&sound, &changes);
}

fn whole() -> bool {
    places::asked() != places::Reach::Sample
}

/// Of a handful of changes a sample tries one.
fn few() -> usize {
    if whole() { 1 } else { 4 }
}

fn one(name: &str, what: String, now: Edit) -> Change {
    Change { files: vec![name.to_owned()], what, now: vec![(name.to_owned(), now)] }
}

/// Eight other values of a byte; one of them in a sample.
fn changed_at(name: &str, bytes: &[u8], at: usize) -> Vec<Change> {
    let old = bytes[at];
    let candidates =
        [old ^ 0x01, old ^ 0x80, old ^ 0x20, 0x00, 0xff, b'\n', b'"', b'0', b' ', b'}', old.wrapping_add(1)];
    let mut values: Vec<u8> = Vec::new();
    for value in candidates {
        if value != old && !values.contains(&value) {
            values.push(value);
        }
    }
    values.truncate(8);
    if !whole() {
        values = vec![values[at % 8]];
    }
    let change = |value: u8| one(name, format!("byte {at}: {old:#04x} became {value:#04x}"), Edit::Byte { at, value });
    values.into_iter().map(change).collect()
}

/// Tries each change on copies of the sound store.
fn judge(sound: &Sound, changes: &[Change]) {
    let queue = Mutex::new(changes.iter());
    let failures = Mutex::new(Vec::new());
    let told = Mutex::new(0_usize);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                let copy = Copy::of(sound);
                while let Some(change) = { queue.lock().unwrap().next() } {
                    match copy.trial(change) {
                        Ok(refused) => *told.lock().unwrap() += usize::from(refused),
                        Err(failure) => failures.lock().unwrap().push(failure),
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    println!("{} changes, {} told, {} failures", changes.len(), told.into_inner().unwrap(), failures.len());
    let shown: Vec<&String> = failures.iter().take(40).collect();
    assert!(failures.is_empty(), "{} of {} failed: {shown:#?}", failures.len(), changes.len());
}

/// What can be learned of a store, and what it lets one do; the same where it is the same.
struct Picture {
    read: Result<String, Refusal>,
    /// `None` where nothing was tried.
    opened: Option<Result<String, Refusal>>,
    recovered: Option<Result<String, Refusal>>,
    root: Option<Result<String, Refusal>>,
}

impl Picture {
    /// `touched`: files that were changed, where only what they can make a difference to is looked at.
    fn of(place: &Path, sound: &Sound, touched: Option<&[String]>) -> Self {
        let store = match Store::open(place) {
            Ok(store) => store,
            // Every act begins with this; no secret is needed to be refused so.
            Err(_) => return Self { read: read(place), opened: None, recovered: None, root: None },
        };
        let touches = |folders: &[&str]| {
            touched.is_none_or(|files| files.iter().any(|file| folders.iter().any(|folder| file.starts_with(folder))))
        };
        let secrets = touches(&["unlock", "sealed", "journal", "store.json"]);
        let root = || root::opened_by(&store, None, &sound.root.to_passphrase()).map(|key| key.kid.clone());
        Self {
            read: read(place),
            opened: Some(open(place, None, &passphrase())),
            recovered: secrets.then(|| open(place, Some("recovery"), &sound.recovery.to_passphrase())),
            root: touches(&["roots", "journal"]).then(root),
        }
    }
}

fn read(place: &Path) -> Result<String, Refusal> {
    let store = Store::open(place)?;
    let summary = status::summary(&store, NOW)?;
    let mut seen = format!("{:?} {} {}", store.sheet(), store.journal().entries().len(), summary.checkpoint);
    let ledger = store.ledger();
    seen += &format!("{:?} {:?} {:?}", ledger.keys.all(), ledger.unlocks.all(), ledger.tokens.all());
    for record in store.ledger().policies.all() {
        seen += &store.policy_text(record)?;
    }
    for record in store.ledger().publications.all() {
        seen += &format!("{:?}", publications::files(&store, record.made.seq)?);
    }
    Ok(seen)
}

/// Everything an act does before it records something.
fn open(place: &Path, unlock: Option<&str>, passphrase: &Passphrase) -> Result<String, Refusal> {
    let session = Session::open(place, unlock, passphrase, NOW)?;
    let mut seen = format!("{:?} {}", session.swept(), session.now());
    for key in session.store().ledger().keys.all().iter().filter(|key| key.has_private_half()) {
        if key.purpose != coldsign::keystore::Purpose::Root {
            seen += session.opened().load(key)?.kid();
        }
    }
    seen += &format!("{}", publish::would_change(session.store(), NOW)?);
    for planned in issue::plan(session.store(), &batch("ann"), NOW)? {
        seen += &format!("{} {:?}", planned.file_name, planned.draft.expires_at);
    }
    Ok(seen)
}

fn batch(subject: &str) -> Batch {
    Batch {
        service: "api".to_owned(),
        roles: vec!["reader".to_owned()],
        subjects: vec![subject.to_owned()],
        ..Batch::default()
    }
}

fn passphrase() -> Passphrase {
    Passphrase::from(Zeroizing::new("correct horse battery staple".to_owned()))
}

/// A store with something of everything in it.
struct Sound {
    folder: tempfile::TempDir,
    files: Files,
    recovery: RecoveryCode,
    root: RecoveryCode,
}

impl Sound {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("store");
        let (recovery, root) = (RecoveryCode::generate().unwrap(), RecoveryCode::generate().unwrap());
        let request = init::Request {
            path: &place,
            issuer: "https://tokens.example",
            admin: "admin",
            passphrase: &Passphrase::from(Zeroizing::new("the first passphrase".to_owned())),
            cost: KdfCost::new(10).unwrap(),
            policy: POLICY,
            recovery: &recovery,
            root_code: &root,
            root_to: None,
            now: NOW - 10,
        };
        let mut session = init::init(&request).unwrap();
        publish::publish(&mut session, false).unwrap();
        let issued = issue::issue(&mut session, &batch("ann")).unwrap();
        issue::confirm(&mut session, &issued, &[]).unwrap();
        keys::generate(&mut session, "default").unwrap();
        let edited = POLICY.replace("[services.api.roles.reader]", "[services.api.roles.reader]\nscopes = [\"read\"]");
        fs::write(place.join("policy.toml"), edited).unwrap();
        let comparison = policy::compare(session.store(), session.now()).unwrap();
        policy::apply(&mut session, &comparison).unwrap();
        publish::publish(&mut session, false).unwrap();
        issue::issue(&mut session, &batch("ben")).unwrap();
        unlock::change(&mut session, "admin", &passphrase(), unlock::Depth::Reseal, None).unwrap();
        drop(session);
        // The other unlock's file names the journal's new key from its next use on.
        drop(Session::open(&place, Some(Unlocks::RECOVERY), &recovery.to_passphrase(), NOW).unwrap());
        let files = files(&place, "");
        assert!(files.len() > 25, "{:?}", files.keys());
        Self { folder, files, recovery, root }
    }
}

/// A copy of the sound store for one thread to change and mend.
struct Copy<'a> {
    sound: &'a Sound,
    folder: tempfile::TempDir,
    picture: Picture,
}

impl<'a> Copy<'a> {
    fn of(sound: &'a Sound) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_tree(&sound.folder.path().join("store"), &folder.path().join("store"));
        let picture = Picture::of(&folder.path().join("store"), sound, None);
        assert!(picture.read.is_ok(), "{:?}", picture.read);
        for part in [&picture.opened, &picture.recovered, &picture.root] {
            assert!(matches!(part, Some(Ok(_))), "{part:?}");
        }
        let copy = Self { sound, folder, picture };
        assert_eq!(files(&copy.place(), ""), copy.sound.files, "looking changes nothing");
        copy
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Whether it was told of.
    fn trial(&self, change: &Change) -> Result<bool, String> {
        let mut expected = self.sound.files.clone();
        for (name, edit) in &change.now {
            match edit.of(&self.sound.files[name]) {
                Some(bytes) => {
                    fs::write(self.place().join(name), &bytes).unwrap();
                    expected.insert(name.clone(), bytes);
                }
                None => {
                    fs::remove_file(self.place().join(name)).unwrap();
                    expected.remove(name);
                }
            }
        }
        let seen = catch_unwind(AssertUnwindSafe(|| Picture::of(&self.place(), self.sound, Some(&change.files))));
        let judged = match seen {
            Err(_) => Err("a panic".to_owned()),
            Ok(seen) => self.judge(change, &seen).and_then(|told| {
                // A look at a store that is refused or sound changes nothing; what was deleted may
                // not come back either, but for the lock.
                let mut found = files(&self.place(), "");
                found.remove("lock");
                expected.remove("lock");
                if found == expected { Ok(told) } else { Err("looking at it changed the store".to_owned()) }
            }),
        };
        for name in files(&self.place(), "").keys().filter(|name| !self.sound.files.contains_key(*name)) {
            fs::remove_file(self.place().join(name)).unwrap();
        }
        for (name, bytes) in &self.sound.files {
            let path = self.place().join(name);
            if fs::read(&path).ok().as_ref() != Some(bytes) {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, bytes).unwrap();
            }
        }
        judged.map_err(|what| format!("{}, {}: {what}", change.files.join(" and "), change.what))
    }

    fn judge(&self, change: &Change, seen: &Picture) -> Result<bool, String> {
        let parts = [
            ("reading", Some(&seen.read), Some(&self.picture.read)),
            ("opening", seen.opened.as_ref(), self.picture.opened.as_ref()),
            ("recovering", seen.recovered.as_ref(), self.picture.recovered.as_ref()),
            ("the root", seen.root.as_ref(), self.picture.root.as_ref()),
        ];
        let mut told = false;
        for (act, now, before) in parts {
            match (now, before) {
                (None, _) => {}
                (Some(Ok(now)), Some(Ok(before))) if now == before => {}
                (Some(Ok(_)), _) => return Err(format!("{act} sees something else")),
                (Some(Err(refusal)), _) => {
                    told = true;
                    let mut words = vec![refusal.to_string()];
                    words.extend(refusal.reason().why());
                    let words = words.join("\n");
                    if !change.files.iter().any(|file| names(&words, file)) {
                        return Err(format!("{act} names no file: {words}"));
                    }
                }
            }
        }
        Ok(told)
    }
}

/// Whether a refusal names the file, or the folder that stands for it.
fn names(words: &str, file: &str) -> bool {
    words.contains(file)
        || match file.split('/').next() {
            // Each of the two is held against the other.
            Some("journal") => words.contains("journal/"),
            Some("publications") => words.contains(&file[.."publications/000001".len()]),
            _ => false,
        }
}

fn files(folder: &Path, prefix: &str) -> Files {
    let mut found = Files::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            found.extend(files(&entry.path(), &format!("{name}/")));
        } else {
            found.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    found
}

fn copy_tree(from: &Path, to: &Path) {
    for (name, bytes) in files(from, "") {
        let path = to.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}
