//! What takes months in a store's life, with the time as a parameter.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use coldsign::acts::issue::Batch;
use coldsign::acts::keys::{self, Change};
use coldsign::acts::{
    RELEASED, Session, Store, cutover, emergency, init, issue, publications, publish, rotate, status,
};
use coldsign::journal::{self, Event, Journal, JournalFault, Line, SignNote, StoreCreated};
use coldsign::keystore::{KdfCost, KeyState, Passphrase, RecoveryCode, SealGeneration, Transition, UnlockAdded};
use coldsign::refusal::Refusal;
use coldsign::rotation::{Act, Bound};
use coldsign::storage::Directory;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const POLICY: &str = include_str!("scenarios/policy.toml");
const START: u64 = RELEASED + 1_000;
const DAY: u64 = 86_400;
/// m·P + D + L + S of the policy: 30 d + 14 d + 1 d + 60 s.
const DISTRIBUTION: u64 = 45 * DAY + 60;

struct Life {
    folder: tempfile::TempDir,
}

impl Life {
    fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let life = Self { folder };
        init::init(&init::Request {
            path: &life.place(),
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
        life
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn session(&self, now: u64) -> Session {
        self.try_session(now).unwrap()
    }

    fn try_session(&self, now: u64) -> Result<Session, Refusal> {
        Session::open(&self.place(), None, &passphrase(), now)
    }

    fn change(&self, key: &str, transition: Transition, now: u64) -> Result<KeyState, Refusal> {
        let change = Change { key, transition, reason: None, accept_outage: false };
        keys::change(&mut self.session(now), &change).map(|key| key.state)
    }

    fn issue(&self, lifetime: u64, now: u64) -> Result<issue::Issued, Refusal> {
        self.issue_for("api", "reader", lifetime, now).map(|mut issued| issued.remove(0))
    }

    fn issue_for(&self, service: &str, role: &str, lifetime: u64, now: u64) -> Result<Vec<issue::Issued>, Refusal> {
        let batch = Batch {
            service: service.to_owned(),
            roles: vec![role.to_owned()],
            subjects: vec!["ann".to_owned()],
            lifetime: Some(lifetime),
            not_before: None,
            scopes: Vec::new(),
            details: None,
            cnf_jkt: None,
            form: None,
            reason: None,
        };
        issue::issue(&mut self.session(now), &batch)
    }

    fn publish(&self, now: u64) -> u64 {
        publish::publish(&mut self.session(now), false).unwrap().seq
    }

    /// The `jwks.json` for `api` of the newest publication.
    fn published(&self) -> String {
        let store = Store::open(&self.place()).unwrap();
        let newest = publications::find(&store, None).unwrap().made.seq;
        let files = publications::files(&store, newest).unwrap();
        String::from_utf8(files["for-api/jwks.json"].clone()).unwrap()
    }

    fn kid(&self, key: &str) -> String {
        keys::find(&Store::open(&self.place()).unwrap(), key).unwrap().kid.clone()
    }

    fn has_private_half(&self, key: &str) -> bool {
        self.place().join(format!("sealed/1/key-{}.age", self.kid(key))).exists()
    }
}

fn passphrase() -> Passphrase {
    Passphrase::new(Zeroizing::new("correct horse battery staple".to_owned())).unwrap()
}

fn rule<T>(refused: Result<T, Refusal>) -> &'static str {
    refused.err().and_then(|refusal| refusal.reason().rule()).unwrap_or("not refused")
}

#[test]
fn a_key_is_replaced_without_a_valid_token_refused() {
    let life = Life::begin();
    life.publish(START);
    keys::generate(&mut life.session(START + DAY), "default").unwrap();
    let second = START + DAY;
    assert_eq!(rule(life.change("default/2", Transition::Activate, second)), "KEY-UNPUBLISHED");
    assert_eq!(life.publish(second), 2);
    assert!(life.published().contains(&life.kid("default/1")));
    assert!(life.published().contains(&life.kid("default/2")));

    // One stick may be lost: a second publication has to carry it, an interval later at the most.
    assert_eq!(rule(life.change("default/2", Transition::Activate, second + DISTRIBUTION)), "KEY-CARRIED");
    publish::publish(&mut life.session(second + 30 * DAY), true).unwrap();

    // Not one second before the last stick can have arrived.
    let earliest = second + DISTRIBUTION;
    assert_eq!(rule(life.change("default/2", Transition::Activate, earliest - 1)), "KEY-EARLY");
    assert_eq!(rule(life.change("default/1", Transition::Deactivate, earliest - 1)), "KEY-LAST");
    let last = life.issue(30 * DAY, earliest - 1).unwrap();
    assert_eq!(last.key, "default/1");
    assert_eq!(life.change("default/2", Transition::Activate, earliest).unwrap(), KeyState::Active);
    assert_eq!(life.issue(DAY, earliest).unwrap().key, "default/2");

    // The old key verifies until its last token has expired everywhere: exp + skew, no leeway.
    let verify_until = last.expires_at + 60;
    assert!(life.has_private_half("default/1"));
    let state = life.change("default/1", Transition::Deactivate, earliest + DAY).unwrap();
    assert_eq!(state, KeyState::Deactivated { verify_until });
    assert!(!life.has_private_half("default/1"));
    life.publish(verify_until - 1);
    assert!(life.published().contains(&life.kid("default/1")));
    assert_eq!(rule(life.change("default/1", Transition::Destroy, verify_until - 1)), "KEY-NEEDED");

    life.publish(verify_until);
    assert!(!life.published().contains(&life.kid("default/1")));
    let store = Store::open(&life.place()).unwrap();
    let todo = status::summary(&store, verify_until).unwrap().todo;
    assert!(todo.iter().any(|todo| todo.command == "coldsign key destroy default/1"), "{todo:?}");
    assert_eq!(life.change("default/1", Transition::Destroy, verify_until).unwrap(), KeyState::Destroyed);
}

#[test]
fn a_clock_that_goes_back_is_refused_beyond_the_skew() {
    let life = Life::begin();
    life.issue(DAY, START + DAY).unwrap();
    let newest = START + DAY;
    assert_eq!(life.session(newest - 60).now(), newest);
    assert_eq!(rule(life.try_session(newest - 61)), "CLOCK-BEHIND");
    assert_eq!(rule(life.try_session(RELEASED - 1)), "CLOCK-BEFORE-RELEASE");
    assert_eq!(life.session(newest + 1).now(), newest + 1);
}

#[test]
fn an_act_that_ended_between_recording_and_writing_shows_as_unconfirmed() {
    let life = Life::begin();
    // `issue` has recorded the token; nobody writes its file.
    life.issue(DAY, START).unwrap();
    let store = Store::open(&life.place()).unwrap();
    assert_eq!(status::summary(&store, START).unwrap().unconfirmed, 1);
}

#[test]
fn what_a_crash_left_behind_is_removed_by_the_next_act() {
    let life = Life::begin();
    life.publish(START);
    let stray = |file: &str| life.place().join(file);
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
    let life = Life::begin();
    life.publish(START);
    keys::generate(&mut life.session(START), "default").unwrap();
    let file = life.place().join(format!("sealed/1/key-{}.age", life.kid("default/2")));
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
    let life = Life::begin();
    let directory = Directory::open(&life.place()).unwrap();
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
    std::fs::remove_dir_all(life.place().join("journal")).unwrap();
    journal::start(&directory, &created, &events, &forger, START, "admin").unwrap();
    assert!(Store::open(&life.place()).is_ok(), "without a passphrase it can't be told");
    assert_eq!(rule(life.try_session(START)), "STORE-ANCHOR");
}

#[test]
fn a_key_file_of_another_key_is_refused() {
    let life = Life::begin();
    keys::generate(&mut life.session(START), "default").unwrap();
    let file = |key: &str| life.place().join(format!("sealed/1/key-{}.age", life.kid(key)));
    std::fs::copy(file("default/2"), file("default/1")).unwrap();
    assert_eq!(rule(life.issue(DAY, START)), "STORE-DAMAGED");
    assert_eq!(journal_lines(&life.place(), "token.issued"), 0);
}

fn journal_lines(store: &Path, kind: &str) -> usize {
    let text = std::fs::read_to_string(store.join("journal/entries.jsonl")).unwrap();
    text.lines().filter(|line| line.contains(&format!(r#""type":"{kind}""#))).count()
}

#[test]
fn a_key_of_a_single_key_service_is_published_when_it_signs() {
    let life = Life::begin();
    life.publish(START);
    keys::generate(&mut life.session(START), "study").unwrap();
    // Neither the backup nor the rotation of the other keysets is what this is about.
    let todo = |now| {
        let mut todo = status::summary(&Store::open(&life.place()).unwrap(), now).unwrap().todo;
        todo.retain(|todo| !["coldsign backup", "coldsign rotate"].iter().any(|other| todo.command.starts_with(other)));
        todo
    };
    assert!(todo(START).is_empty(), "{:?}", todo(START));
    let change = |accept_outage| {
        let change = Change { key: "study/2", transition: Transition::Activate, reason: None, accept_outage };
        keys::change(&mut life.session(START + DAY), &change).map(|key| key.state)
    };
    assert_eq!(rule(change(false)), "KEY-SINGLE");
    assert_eq!(change(true).unwrap(), KeyState::Active);
    assert!(todo(START + DAY)[0].what.contains("study/2"));
    life.publish(START + DAY);
    assert!(todo(START + DAY).is_empty());
    let store = Store::open(&life.place()).unwrap();
    let env = String::from_utf8(publications::files(&store, 2).unwrap()["for-study/fedn.env"].clone()).unwrap();
    let second = keys::find(&store, "study/2").unwrap().public.to_spki_pem();
    assert!(env.contains(second.lines().nth(1).unwrap()), "{env}");
}

#[test]
fn a_root_key_goes_to_the_stick_and_comes_back_from_a_store_that_could_not_be_made() {
    let temp = tempfile::tempdir().unwrap();
    let stick = temp.path().join("stick");
    std::fs::create_dir(&stick).unwrap();
    let make = |place: &str| {
        init::init(&init::Request {
            path: &temp.path().join(place),
            issuer: "https://tokens.example",
            admin: "admin",
            passphrase: &passphrase(),
            cost: KdfCost::new(10).unwrap(),
            policy: POLICY,
            recovery: &RecoveryCode::generate().unwrap(),
            root_code: &RecoveryCode::generate().unwrap(),
            root_to: Some(&stick),
            now: START,
        })
        .map(drop)
    };
    let on_stick = || std::fs::read_dir(&stick).unwrap().count();
    // A link to nowhere: all is made, but a directory can't be renamed over it.
    std::os::unix::fs::symlink("nowhere", temp.path().join("link")).unwrap();
    assert!(make("link").is_err());
    assert_eq!(on_stick(), 0);
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 2, "something was left behind");

    make("store").unwrap();
    assert_eq!(on_stick(), 1);
    let store = Store::open(&temp.path().join("store")).unwrap();
    assert!(keys::find(&store, "root/1").unwrap().elsewhere);
}

#[test]
fn the_root_key_is_opened_by_no_unlock() {
    let life = Life::begin();
    let session = life.session(START);
    let root = keys::find(session.store(), "root/1").unwrap();
    let refused = session.opened().load(root).map(drop).map_err(Refusal::from);
    assert_eq!(rule(refused), "KEY-NO-PRIVATE");
}

#[test]
fn a_journal_that_can_not_be_written_issues_nothing() {
    let life = Life::begin();
    let mut session = life.session(START);
    // Also root can't write into a directory as if it were a file.
    let entries = life.place().join("journal/entries.jsonl");
    std::fs::remove_file(&entries).unwrap();
    std::fs::create_dir(&entries).unwrap();
    assert_eq!(rule(keys::generate(&mut session, "default").map(drop)), "JOURNAL-NOT-RECORDED");
    let sealed = std::fs::read_dir(life.place().join("sealed/1")).unwrap().count();
    assert_eq!(sealed, 7, "seal, journal, bundle and four token keys: the fifth was taken back");
}

#[test]
fn whoever_comes_by_every_week_is_never_late() {
    let life = Life::begin();
    let mut activated = None;
    for week in 0..30 {
        let now = START + week * 7 * DAY;
        let mut session = life.session(now);
        let overdue = |steps: Vec<coldsign::rotation::Step>| {
            let late = |step: &coldsign::rotation::Step| step.latest.is_some_and(|latest| latest < now);
            steps.into_iter().filter(|step| step.keyset != "study" && step.keyset != "flowkit").find(late)
        };
        assert_eq!(overdue(rotate::due(session.store(), now).unwrap()), None, "week {week}");
        let done = rotate::next(&mut session).unwrap();
        drop(session);
        let signs = life.issue(30 * DAY, now).unwrap().key;
        if signs == "default/2" && activated.is_none() {
            activated = Some(week);
            assert!(done.taken.iter().any(|step| step.act == Act::Deactivate), "{:?}", done.taken);
            assert!(!life.has_private_half("default/1"));
        }
    }
    // 180 days less one publishing interval, and the visit after that.
    assert_eq!(activated, Some(22));
    let store = Store::open(&life.place()).unwrap();
    let state = |key: &str| keys::find(&store, key).unwrap().state.clone();
    assert_eq!(state("default/1"), KeyState::Destroyed);
    assert_eq!(state("default/3"), KeyState::PreActivation);
    // A single-key service is not cut over without its operator.
    assert_eq!(state("study/1"), KeyState::Active);
}

#[test]
fn whoever_comes_far_too_late_catches_up_and_makes_one_standby() {
    let life = Life::begin();
    let late = START + 200 * DAY;
    for now in [late, late + 30 * DAY, late + DISTRIBUTION] {
        rotate::next(&mut life.session(now)).unwrap();
    }
    let store = Store::open(&life.place()).unwrap();
    let state = |key: &str| keys::find(&store, key).map(|key| key.state.clone());
    assert_eq!(state("default/2").unwrap(), KeyState::Active);
    assert_eq!(state("default/3").unwrap(), KeyState::PreActivation);
    assert!(state("default/4").is_err());
}

#[test]
fn an_emergency_replaces_the_key_at_once() {
    let life = Life::begin();
    rotate::next(&mut life.session(START)).unwrap();
    publish::publish(&mut life.session(START + 30 * DAY), true).unwrap();
    let known = START + DISTRIBUTION;
    life.issue(30 * DAY, known - 10 * DAY).unwrap();
    life.issue(DAY, known - 2 * DAY).unwrap();
    let lost = life.issue(30 * DAY, known).unwrap();
    assert_eq!(lost.key, "default/1");

    // Too soon for every verifier to have the standby, and in time.
    let store = Store::open(&life.place()).unwrap();
    let early = emergency::survey(&store, "default", known - 1).unwrap();
    let hit = |survey: &emergency::Survey| survey.hits.iter().find(|hit| hit.service == "api").unwrap().clone();
    assert_eq!(hit(&early).again, Some(known));
    let survey = emergency::survey(&store, "default/1", known).unwrap();
    assert_eq!(hit(&survey).again, Some(known));
    assert_eq!((hit(&survey).tokens, hit(&survey).bound), (2, Bound::UntilReplaced));

    let out = life.folder.path().join("out");
    let mut session = life.session(known);
    let declared = emergency::declare(&mut session, "default", Some("stolen".to_owned())).unwrap();
    assert_eq!(declared.successor.unwrap().name(), "default/2");
    let outbox = coldsign::storage::Outbox::open(&out).unwrap();
    let (reissued, not) = emergency::reissue(&mut session, &declared.survey, &outbox).unwrap();
    assert_eq!((reissued.len(), not.len()), (2, 0));
    assert!(reissued.iter().all(|token| token.key == "default/2"));
    assert!(reissued.iter().any(|token| token.expires_at == lost.expires_at));
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 2);
    drop(session);

    assert!(!life.published().contains(&life.kid("default/1")));
    assert!(life.published().contains(&life.kid("default/2")));
    assert!(!life.has_private_half("default/1"));
    let store = Store::open(&life.place()).unwrap();
    let key = keys::find(&store, "default/1").unwrap();
    assert_eq!((key.state.clone(), key.compromised_at), (KeyState::Compromised, Some(known)));
    assert_eq!(rule(emergency::survey(&store, "default/1", known).map(drop)), "KEY-STATE");
    assert_eq!(rule(life.change("default/1", Transition::Destroy, known)), "KEY-STATE");
    // And again, before a new standby is anywhere: a key is made, and services wait for it.
    let again = emergency::declare(&mut life.session(known + DAY), "default", None).unwrap();
    assert_eq!(again.successor.unwrap().name(), "default/3");
    assert!(hit(&again.survey).again.unwrap() > known + DAY);
    assert_eq!(life.issue(DAY, known + DAY).unwrap().key, "default/3");
}

#[test]
fn a_single_key_service_is_cut_over_by_appointment() {
    let life = Life::begin();
    life.publish(START);
    let old = life.issue_for("study", "admin", 30 * DAY, START).unwrap().remove(0);
    let now = START + DAY;
    let outbox = coldsign::storage::Outbox::open(&life.folder.path().join("out")).unwrap();
    let sheets = cutover::Sheets { operator: |_, service| service.to_owned(), holder: |_| "when".to_owned() };
    let issue = |now, swap_at| {
        let wanted = cutover::Wanted { swap_at, ..cutover::Wanted::default() };
        cutover::issue(&mut life.session(now), "study", &wanted, &outbox, &sheets)
    };
    let earliest = now + 14 * DAY + 60;
    assert_eq!(rule(issue(now, Some(earliest - 1)).map(drop)), "CUTOVER-EARLY");
    assert_eq!(rule(cutover::confirm(&mut life.session(now), "study").map(drop)), "CUTOVER-NONE");
    let overlap = cutover::survey(&Store::open(&life.place()).unwrap(), "api", &cutover::Wanted::default(), now);
    assert_eq!(rule(overlap.map(drop)), "CUTOVER-OVERLAP");

    let set = issue(now, None).unwrap();
    assert_eq!((set.survey.swap.at, set.left.len()), (earliest, 0));
    assert_eq!((set.survey.swap.locked_from, set.survey.swap.locked_until), (earliest - 60, earliest + DAY + 60));
    let replacement = &set.replacements[0];
    assert_eq!((replacement.key.as_str(), replacement.expires_at), ("study/2", old.expires_at));
    let there = |path: &str| outbox.path().join(path).exists();
    assert!(there("holder-ann/study-ann.env") && there("holder-ann/WHEN.txt") && there("operator-study/SWAP.txt"));
    let pem = keys::find(&Store::open(&life.place()).unwrap(), "study/2").unwrap().public.to_spki_pem();
    let env = std::fs::read_to_string(outbox.path().join("operator-study/fedn.env")).unwrap();
    assert!(env.contains(pem.lines().nth(1).unwrap()), "{env}");

    // Both keys until the swap is confirmed; what is published is the key that is installed.
    let both = life.issue_for("study", "admin", DAY, now).unwrap();
    let told: Vec<(&str, &str)> = both.iter().map(|token| (token.key.as_str(), token.file.name.as_str())).collect();
    assert_eq!(told, [("study/1", "study-ann.env"), ("study/2", "after-swap-study-ann.env")]);
    assert_eq!(rule(issue(now, None).map(drop)), "CUTOVER-OPEN");
    assert_eq!(rule(life.change("study/1", Transition::Deactivate, now)), "CUTOVER-OPEN");
    assert_eq!(rule(life.change("study/2", Transition::Destroy, now)), "KEY-NEEDED");
    assert_eq!(rule(cutover::confirm(&mut life.session(earliest - 1), "study").map(drop)), "CUTOVER-EARLY");

    let done = cutover::confirm(&mut life.session(earliest), "study").unwrap();
    assert_eq!((done.signs.as_deref(), done.waiting.len()), (Some("study/2"), 0));
    assert!(done.published.is_some());
    let after = life.issue_for("study", "admin", DAY, earliest).unwrap();
    assert_eq!((after.len(), after[0].key.as_str()), (1, "study/2"));
    assert_eq!(rule(cutover::confirm(&mut life.session(earliest), "study").map(drop)), "CUTOVER-NONE");
    rotate::next(&mut life.session(earliest)).unwrap();
    let store = Store::open(&life.place()).unwrap();
    let ended = &keys::find(&store, "study/1").unwrap().state;
    assert_eq!(*ended, KeyState::Deactivated { verify_until: old.expires_at + 60 });
}
