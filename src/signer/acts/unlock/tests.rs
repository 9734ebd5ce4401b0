//! Wherever a change of the unlocks is stopped, the store opens with exactly the old or exactly the
//! new set. Each state that a kill can leave is put together from copies of the folder.

use super::*;
use crate::acts::{RELEASED, init, keys};
use crate::keystore::{KdfCost, RecoveryCode};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use zeroize::Zeroizing;

const NOW: u64 = RELEASED + 1_000;
const OLD: &str = "correct horse battery staple";
const NEW: &str = "quite another passphrase";
const POLICY: &str = r#"
format = "coldsign-policy"
version = 1
[keysets.default]
algorithm = "EdDSA"
[services.api]
profile = "rfc9068"
keyset = "default"
audience = "https://api.example"
[services.api.roles.reader]
"#;

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
}

/// A folder with stores in it: `old`, as `init` made it, and copies.
struct Trial {
    folder: tempfile::TempDir,
    recovery: RecoveryCode,
}

impl Trial {
    fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let recovery = RecoveryCode::generate().unwrap();
        init::init(&init::Request {
            path: &folder.path().join("old"),
            issuer: "https://tokens.example",
            admin: "admin",
            passphrase: &passphrase(OLD),
            cost: KdfCost::new(10).unwrap(),
            policy: POLICY,
            recovery: &recovery,
            root_code: &RecoveryCode::generate().unwrap(),
            root_to: None,
            now: NOW,
        })
        .unwrap();
        Self { folder, recovery }
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, name: &str, unlock: &str, text: &str) -> Result<Session, Refusal> {
        let passphrase = if unlock == Unlocks::RECOVERY { self.recovery.to_passphrase() } else { passphrase(text) };
        Session::open(&self.place(name), Some(unlock), &passphrase, NOW)
    }

    /// Another store, from this one.
    fn copy(&self, from: &str, to: &str) -> PathBuf {
        let _ = fs::remove_dir_all(self.place(to));
        copy_tree(&self.place(from), &self.place(to));
        self.place(to)
    }

    /// The unlock opens a copy of this store, reaches every key and can go on; or it does not open it.
    fn opens(&self, name: &str, unlock: &str, text: &str) -> bool {
        self.copy(name, "tried");
        let Ok(mut session) = self.open("tried", unlock, text) else { return false };
        let keys = session.store().ledger().keys.all().to_vec();
        session.opened().load_all(&keys).unwrap();
        keys::generate(&mut session, "default").unwrap();
        drop(session);
        // What was left over is gone, whatever it was.
        let sealed = fs::read_dir(self.place("tried/sealed")).unwrap().count();
        assert_eq!(sealed, 1, "a generation that is not in force was left in {name}");
        let staged: Vec<String> =
            files(&self.place("tried")).into_iter().filter(|file| file.contains("next")).collect();
        assert!(staged.is_empty(), "{staged:?} was left in {name}");
        true
    }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in files(from) {
        fs::create_dir_all(to.join(&file).parent().unwrap()).unwrap();
        fs::copy(from.join(&file), to.join(&file)).unwrap();
    }
}

/// Every file below a folder, by its relative path.
fn files(folder: &Path) -> BTreeSet<String> {
    fn walk(folder: &Path, below: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{below}{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{name}/"), found);
            } else {
                found.insert(name);
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(folder, "", &mut found);
    found
}

/// A change of the unlocks: what is made ready, and who opens the store only before or only after.
struct Case {
    name: &'static str,
    stage: fn(&Session) -> Result<Staged, Refusal>,
    only_before: &'static [(&'static str, &'static str)],
    only_after: &'static [(&'static str, &'static str)],
    always: &'static [(&'static str, &'static str)],
}

const CASES: [Case; 4] = [
    Case {
        name: "change",
        stage: |session| Staged::change(session, "admin", &passphrase(NEW), None),
        only_before: &[("admin", OLD)],
        only_after: &[("admin", NEW)],
        always: &[("recovery", "")],
    },
    Case {
        name: "rewrap",
        stage: |session| Staged::rewrap(session, &passphrase(NEW)),
        only_before: &[("admin", OLD)],
        only_after: &[("admin", NEW)],
        always: &[("recovery", "")],
    },
    Case {
        name: "add",
        stage: |session| Staged::add(session, "berta", &passphrase(NEW)),
        only_before: &[],
        only_after: &[("berta", NEW)],
        always: &[("admin", OLD), ("recovery", "")],
    },
    Case {
        name: "remove",
        stage: |session| Staged::remove(session, "recovery", Some(&passphrase(OLD))),
        only_before: &[("recovery", "")],
        only_after: &[],
        always: &[("admin", OLD)],
    },
];

impl Case {
    fn check(&self, trial: &Trial, state: &str, switched: bool, told: &str) {
        for (unlocks, opens) in [(self.only_before, !switched), (self.only_after, switched), (self.always, true)] {
            for (unlock, text) in unlocks {
                let opened = trial.opens(state, unlock, text);
                assert_eq!(opened, opens, "{}, {told}: {unlock} {text:?}", self.name);
            }
        }
    }
}

#[test]
fn wherever_a_change_is_stopped_exactly_one_set_opens_the_store() {
    for case in CASES {
        let trial = Trial::begin();
        // The three points at which everything up to there is durable.
        trial.copy("old", "work");
        let mut session = trial.open("work", "admin", OLD).unwrap();
        let staged = (case.stage)(&session).unwrap();
        trial.copy("work", "staged");
        staged.record(&mut session).unwrap();
        trial.copy("work", "switched");
        session.settle(staged.opened).unwrap();
        drop(session);

        case.check(&trial, "old", false, "before");
        case.check(&trial, "staged", false, "made ready");
        case.check(&trial, "switched", true, "recorded");
        case.check(&trial, "work", true, "settled");
        stopped_while_making_ready(&case, &trial);
        stopped_while_recording(&case, &trial);
        stopped_while_settling(&case, &trial);
    }
}

/// Any part of the new files is there, the last of them perhaps cut short.
fn stopped_while_making_ready(case: &Case, trial: &Trial) {
    let (old, staged) = (files(&trial.place("old")), files(&trial.place("staged")));
    let new: Vec<&String> = staged.difference(&old).collect();
    assert!(!new.is_empty() || case.name == "remove");
    for missing in &new {
        let state = trial.copy("staged", "state");
        fs::remove_file(state.join(missing)).unwrap();
        case.check(trial, "state", false, &format!("{missing} not there yet"));
        let (folder, file) = missing.rsplit_once('/').unwrap();
        fs::write(state.join(folder).join(format!(".{file}.partial")), b"half").unwrap();
        case.check(trial, "state", false, &format!("{missing} half written"));
    }
}

/// Any part of the group is in the journal; whole, it counts without its checkpoint.
fn stopped_while_recording(case: &Case, trial: &Trial) {
    const ENTRIES: &str = "journal/entries.jsonl";
    let before = fs::read(trial.place("staged").join(ENTRIES)).unwrap().len();
    let whole = fs::read(trial.place("switched").join(ENTRIES)).unwrap();
    let last = whole.len() - 1;
    for end in (before + 1..last).step_by(97).chain([last, whole.len()]) {
        let state = trial.copy("staged", "state");
        fs::write(state.join(ENTRIES), &whole[..end]).unwrap();
        case.check(trial, "state", end == whole.len(), &format!("{} bytes recorded", end - before));
    }
}

/// Any part of what was is gone already.
fn stopped_while_settling(case: &Case, trial: &Trial) {
    let (switched, settled) = (files(&trial.place("switched")), files(&trial.place("work")));
    let leaving: Vec<&String> = switched.difference(&settled).collect();
    assert!(!leaving.is_empty());
    for gone in leaving.iter().filter(|file| !file.contains(".next.")) {
        let state = trial.copy("switched", "state");
        fs::remove_file(state.join(gone)).unwrap();
        case.check(trial, "state", true, &format!("{gone} removed"));
    }
    if let Some(next) = leaving.iter().find(|file| file.contains(".next.")) {
        let state = trial.copy("switched", "state");
        fs::rename(state.join(next), state.join(next.replace(".next.", "."))).unwrap();
        case.check(trial, "state", true, "the unlock's file in its place");
    }
}

#[test]
fn a_change_that_can_not_be_finished_says_that_it_counts() {
    let trial = Trial::begin();
    let mut session = trial.open("old", "admin", OLD).unwrap();
    // The checkpoint can't be replaced: a folder has its name.
    let (note, aside) = (trial.place("old/journal/checkpoint"), trial.place("aside"));
    fs::rename(&note, &aside).unwrap();
    fs::create_dir(&note).unwrap();
    let refused = change(&mut session, "admin", &passphrase(NEW), Depth::Reseal, None).unwrap_err();
    assert_eq!(refused.reason().rule(), Some("UNLOCK-UNFINISHED"));
    drop(session);
    fs::remove_dir(&note).unwrap();
    fs::rename(aside, note).unwrap();
    assert!(!trial.opens("old", "admin", OLD));
    assert!(trial.opens("old", "admin", NEW));
}

#[test]
fn a_change_that_can_not_be_made_ready_leaves_nothing() {
    let trial = Trial::begin();
    let before = files(&trial.place("old"));
    let mut session = trial.open("old", "admin", OLD).unwrap();
    // Not the journal's own: that one is open already, and is replaced.
    let kid = session.store().ledger().keys.by_name("default/1").unwrap().kid.clone();
    let key = &format!("sealed/1/key-{kid}.age");
    let kept = fs::read(trial.place("old").join(key)).unwrap();
    fs::write(trial.place("old").join(key), b"damaged").unwrap();
    let refused = change(&mut session, "admin", &passphrase(NEW), Depth::Reseal, None).unwrap_err();
    assert_eq!(refused.reason().rule(), Some("STORE-DAMAGED"));
    assert_eq!(files(&trial.place("old")), before);
    fs::write(trial.place("old").join(key), kept).unwrap();
    drop(session);
    assert!(trial.opens("old", "admin", OLD));
}

#[test]
fn an_old_unlock_s_file_put_back_is_named() {
    let trial = Trial::begin();
    trial.copy("old", "work");
    let mut session = trial.open("work", "admin", OLD).unwrap();
    change(&mut session, "admin", &passphrase(NEW), Depth::RewrapOnly, None).unwrap();
    drop(session);
    // Wrapped again only: the old file still holds the identity, but it is not the journal's.
    fs::copy(trial.place("old/unlock/admin.age"), trial.place("work/unlock/admin.age")).unwrap();
    for text in [OLD, NEW] {
        let refused = trial.open("work", "admin", text).err().unwrap();
        assert_eq!(refused.to_string(), "unlock/admin.age is damaged: it is not the one the journal names");
    }
    assert!(trial.opens("work", "recovery", ""));
}

#[test]
fn what_was_removed_opens_no_generation_after() {
    let trial = Trial::begin();
    trial.copy("old", "work");
    let mut session = trial.open("work", "admin", OLD).unwrap();
    remove(&mut session, "recovery", Some(&passphrase(OLD))).unwrap();
    assert_eq!(session.store().ledger().unlocks.generation(), 2);
    drop(session);
    // The removed unlock's identity, from a copy of the store, against the new seal.
    fs::copy(trial.place("work/sealed/2/seal.age"), trial.place("old/sealed/1/seal.age")).unwrap();
    let refused = trial.open("old", "recovery", "").err().unwrap();
    assert_eq!(refused.to_string(), "sealed/1/seal.age is damaged: it is not the one that the journal names");
    let refused = trial.open("old", "admin", OLD).err().unwrap();
    assert_eq!(refused.to_string(), "sealed/1/seal.age is damaged: it is not the one that the journal names");
}

#[test]
fn what_can_not_be_is_refused() {
    let trial = Trial::begin();
    let rule = |refused: Result<(), Refusal>| refused.unwrap_err().reason().rule().unwrap();
    let mut session = trial.open("old", "admin", OLD).unwrap();
    let before = files(&trial.place("old"));
    assert_eq!(rule(add(&mut session, "admin", &passphrase(NEW))), "UNLOCK-EXISTS");
    assert_eq!(rule(add(&mut session, "recovery", &passphrase(NEW))), "UNLOCK-EXISTS");
    assert_eq!(rule(add(&mut session, "../x", &passphrase(NEW))), "UNLOCK-NAME");
    assert_eq!(rule(change(&mut session, "berta", &passphrase(NEW), Depth::Reseal, None)), "UNLOCK-UNKNOWN");
    assert_eq!(rule(change(&mut session, "admin", &passphrase(OLD), Depth::Reseal, None)), "UNLOCK-SAME");
    assert_eq!(rule(change(&mut session, "recovery", &passphrase(NEW), Depth::RewrapOnly, None)), "UNLOCK-REWRAP");
    assert_eq!(rule(remove(&mut session, "admin", Some(&passphrase(OLD)))), "UNLOCK-OWN");
    assert_eq!(rule(remove(&mut session, "berta", Some(&passphrase(OLD)))), "UNLOCK-UNKNOWN");
    assert_eq!(files(&trial.place("old")), before);
    remove(&mut session, "recovery", Some(&passphrase(OLD))).unwrap();
    assert_eq!(rule(remove(&mut session, "admin", Some(&passphrase(OLD)))), "UNLOCK-LAST");
    assert_eq!(session.store().ledger().unlocks.all().len(), 1);
}

#[test]
fn there_are_only_so_many_unlocks() {
    let trial = Trial::begin();
    let mut session = Session::open(&trial.place("old"), None, &passphrase(OLD), NOW).unwrap();
    let line = |name: &str| {
        let (recipient, sha256) = ("age1x".to_owned(), "0a".repeat(32));
        let journal_key = "k".repeat(43);
        crate::keystore::UnlockAdded { name: name.to_owned(), recipient, kdf_log_n: 10, sha256, journal_key }.line()
    };
    let lines: Vec<Line> = (2..Unlocks::MOST).map(|number| line(&format!("u{number}"))).collect();
    assert!(check_add(session.store(), "more").is_ok());
    session.record(&lines).unwrap();
    let refused = check_add(session.store(), "more").unwrap_err();
    assert_eq!(refused.reason().rule(), Some("UNLOCK-MANY"));
    // Where one is there all the same, the journal can't be read.
    let refused = session.record(&[line("more")]).unwrap_err();
    assert_eq!(refused.reason().rule(), Some("JOURNAL-UNKNOWN-ENTRY"));
}
