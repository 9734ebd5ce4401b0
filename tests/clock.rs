//! Clocks that were wrong, and pauses, with the time as a parameter.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test: a panic is a failure")]

use coldsign::acts::clock::{self, ClockDenied, Correction};
use coldsign::acts::issue::{self, Batch};
use coldsign::acts::keys::{self, Change};
use coldsign::acts::{RELEASED, Session, Store, init, publish};
use coldsign::journal::ClockCorrected;
use coldsign::keystore::{KdfCost, KeyState, Passphrase, RecoveryCode, Transition};
use coldsign::refusal::Refusal;
use std::path::PathBuf;
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
        let life = Self { folder: tempfile::tempdir().unwrap() };
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

    fn store(&self) -> Store {
        Store::open(&self.place()).unwrap()
    }

    fn session(&self, now: u64) -> Result<Session, Refusal> {
        Session::open(&self.place(), None, &passphrase(), now)
    }

    fn issue(&self, now: u64) -> Result<(), Refusal> {
        let batch = Batch {
            service: "api".to_owned(),
            roles: vec!["reader".to_owned()],
            subjects: vec!["ann".to_owned()],
            lifetime: None,
            not_before: None,
            scopes: Vec::new(),
            details: None,
            cnf_jkt: None,
            form: None,
            reason: None,
        };
        issue::issue(&mut self.session(now)?, &batch).map(|_| ())
    }

    fn correct(&self, now: u64, since: Option<u64>) -> Result<ClockCorrected, Refusal> {
        clock::correct(&self.place(), None, &passphrase(), &Correction { now, since, reason: "the battery" })
    }

    fn newest(&self) -> u64 {
        self.store().journal().newest_time()
    }
}

fn passphrase() -> Passphrase {
    Passphrase::new(Zeroizing::new("correct horse battery staple".to_owned())).unwrap()
}

fn rule<T>(refused: Result<T, Refusal>) -> &'static str {
    refused.err().and_then(|refusal| refusal.reason().rule()).unwrap_or("not refused")
}

#[test]
fn thirty_days_without_an_act_want_a_word() {
    let life = Life::begin();
    let store = life.store();
    let month = START + clock::LONGEST_GAP;
    assert_eq!(clock::check_gap(&store, month - 1, false), Ok(()));
    let refused = clock::check_gap(&store, month, false).unwrap_err();
    assert!(matches!(refused, ClockDenied::Gap { gap, .. } if gap == clock::LONGEST_GAP), "{refused:?}");
    assert_eq!(clock::check_gap(&store, month, true), Ok(()));
    // A clock that is behind is another rule's.
    assert_eq!(clock::check_gap(&store, START - clock::LONGEST_GAP, false), Ok(()));
}

#[test]
fn a_clock_that_was_ahead_no_longer_blocks_once_it_is_corrected() {
    let life = Life::begin();
    life.issue(START + DAY).unwrap();
    let ahead = START + 400 * DAY;
    life.issue(ahead).unwrap();
    publish::publish(&mut life.session(ahead + 60).unwrap(), false).unwrap();
    let now = START + 2 * DAY;
    assert_eq!(rule(life.issue(now)), "CLOCK-BEHIND");

    let store = life.store();
    let span = clock::span(&store, now, None).unwrap();
    assert_eq!((span.tokens.len(), span.publications.len(), span.newest), (1, 1, ahead + 60));
    let corrected = life.correct(now, None).unwrap();
    assert_eq!((corrected.wrong, corrected.right), (ahead + 60, now));
    assert_eq!(corrected.last + 1, store.journal().entries().len() as u64);

    assert_eq!(life.newest(), now);
    life.issue(now + 60).unwrap();
    assert_eq!(rule(life.issue(now - 61)), "CLOCK-BEHIND");
    let store = life.store();
    let first = usize::try_from(corrected.first).unwrap();
    let entry = &store.journal().entries()[first];
    assert_eq!((entry.time, entry.written), (now, ahead));
    // The token keeps what it carries: it is valid then, whatever the journal thinks of the clock.
    let token = &store.ledger().tokens.all()[1];
    assert!(token.issued.nbf >= ahead - 60 && token.at == now);
    assert_eq!(clock::corrections(&store).unwrap().len(), 1);
    assert_eq!(coldsign::acts::journal::verify(&store).unwrap().entries, store.journal().entries());
}

#[test]
fn waiting_times_count_from_the_correction_not_from_the_wrong_clock() {
    let life = Life::begin();
    let ahead = START + 400 * DAY;
    keys::generate(&mut life.session(ahead).unwrap(), "default").unwrap();
    publish::publish(&mut life.session(ahead).unwrap(), false).unwrap();
    let now = START + 2 * DAY;
    life.correct(now, None).unwrap();
    let activate = |at: u64| {
        let change = Change { key: "default/2", transition: Transition::Activate, reason: None, accept_outage: false };
        keys::change(&mut life.session(at)?, &change).map(|key| key.state)
    };
    assert_eq!(rule(activate(now + DISTRIBUTION - 1)), "KEY-CARRIED");
    publish::publish(&mut life.session(now + 30 * DAY).unwrap(), true).unwrap();
    assert_eq!(rule(activate(now + DISTRIBUTION - 1)), "KEY-EARLY");
    assert_eq!(activate(now + DISTRIBUTION).unwrap(), KeyState::Active);
}

#[test]
fn a_clock_that_was_ahead_by_less_than_has_passed_is_corrected_from_where_it_began() {
    let life = Life::begin();
    life.issue(START + 2 * DAY).unwrap();
    let now = START + 5 * DAY;
    assert_eq!(rule(life.correct(now, None)), "CLOCK-NOTHING-WRONG");
    let corrected = life.correct(now, Some(START + 2 * DAY)).unwrap();
    assert_eq!(corrected.wrong, START + 2 * DAY);
    assert_eq!(rule(life.correct(now, Some(now + 1))), "CLOCK-NOTHING-WRONG");
}

#[test]
fn a_correction_leaves_nothing_in_the_future() {
    let life = Life::begin();
    life.issue(START + 100 * DAY).unwrap();
    life.issue(START + 200 * DAY).unwrap();
    let now = START + DAY;
    // From the second on: the first would still lie ahead.
    assert_eq!(rule(life.correct(now, Some(START + 150 * DAY))), "CLOCK-BEHIND");
    assert_eq!(rule(life.correct(RELEASED - 1, None)), "CLOCK-BEFORE-RELEASE");
    life.correct(now, None).unwrap();
    // Wrong a second time: the second correction covers the first, and both hold.
    life.issue(START + 300 * DAY).unwrap();
    life.correct(now + DAY, Some(now)).unwrap();
    assert_eq!(life.newest(), now + DAY);
    assert_eq!(clock::corrections(&life.store()).unwrap().len(), 2);
    life.issue(now + DAY).unwrap();
}
