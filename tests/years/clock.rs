//! Clocks that were wrong, and pauses, with the time as a parameter.

use super::office::{DAY, DISTRIBUTION, Office, START, USUAL, passphrase, rule};
use coldsign::acts::clock::{self, ClockDenied, Correction};
use coldsign::acts::{RELEASED, keys, publish};
use coldsign::journal::ClockCorrected;
use coldsign::keystore::{KeyState, Transition};
use coldsign::refusal::Refusal;

fn correct(life: &Office, now: u64, since: Option<u64>) -> Result<ClockCorrected, Refusal> {
    let unlocked = coldsign::acts::Unlocked::open(&life.path("store"), None, &passphrase())?;
    clock::correct(unlocked, &passphrase(), &Correction { now, since, reason: "the battery" })
}

fn newest(life: &Office) -> u64 {
    life.store().journal().newest_time()
}

#[test]
fn thirty_days_without_an_act_want_a_word() {
    let life = Office::new(USUAL);
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
    let life = Office::new(USUAL);
    life.sign_one(DAY, START + DAY).unwrap();
    let ahead = START + 400 * DAY;
    life.sign_one(DAY, ahead).unwrap();
    publish::publish(&mut life.session(ahead + 60), false).unwrap();
    let now = START + 2 * DAY;
    assert_eq!(rule(life.sign_one(DAY, now)), "CLOCK-BEHIND");

    let store = life.store();
    let span = clock::span(&store, now, None).unwrap();
    assert_eq!((span.tokens.len(), span.publications.len(), span.newest), (1, 1, ahead + 60));
    let corrected = correct(&life, now, None).unwrap();
    assert_eq!((corrected.wrong, corrected.right), (ahead + 60, now));
    assert_eq!(corrected.last + 1, store.journal().entries().len() as u64);

    assert_eq!(newest(&life), now);
    life.sign_one(DAY, now + 60).unwrap();
    assert_eq!(rule(life.sign_one(DAY, now - 61)), "CLOCK-BEHIND");
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
    let life = Office::new(USUAL);
    let ahead = START + 400 * DAY;
    keys::generate(&mut life.session(ahead), "default").unwrap();
    publish::publish(&mut life.session(ahead), false).unwrap();
    let now = START + 2 * DAY;
    correct(&life, now, None).unwrap();
    let activate = |at: u64| life.change("default/2", Transition::Activate, at);
    assert_eq!(rule(activate(now + DISTRIBUTION - 1)), "KEY-CARRIED");
    publish::publish(&mut life.session(now + 30 * DAY), true).unwrap();
    assert_eq!(rule(activate(now + DISTRIBUTION - 1)), "KEY-EARLY");
    assert_eq!(activate(now + DISTRIBUTION).unwrap(), KeyState::Active);
}

#[test]
fn a_clock_that_was_ahead_by_less_than_has_passed_is_corrected_from_where_it_began() {
    let life = Office::new(USUAL);
    life.sign_one(DAY, START + 2 * DAY).unwrap();
    let now = START + 5 * DAY;
    assert_eq!(rule(correct(&life, now, None)), "CLOCK-NOTHING-WRONG");
    let corrected = correct(&life, now, Some(START + 2 * DAY)).unwrap();
    assert_eq!(corrected.wrong, START + 2 * DAY);
    assert_eq!(rule(correct(&life, now, Some(now + 1))), "CLOCK-NOTHING-WRONG");
}

#[test]
fn a_correction_leaves_nothing_in_the_future() {
    let life = Office::new(USUAL);
    life.sign_one(DAY, START + 100 * DAY).unwrap();
    life.sign_one(DAY, START + 200 * DAY).unwrap();
    let now = START + DAY;
    // From the second on: the first would still lie ahead.
    assert_eq!(rule(correct(&life, now, Some(START + 150 * DAY))), "CLOCK-BEHIND");
    assert_eq!(rule(correct(&life, RELEASED - 1, None)), "CLOCK-BEFORE-RELEASE");
    correct(&life, now, None).unwrap();
    // Wrong a second time: the second correction covers the first, and both hold.
    life.sign_one(DAY, START + 300 * DAY).unwrap();
    correct(&life, now + DAY, Some(now)).unwrap();
    assert_eq!(newest(&life), now + DAY);
    assert_eq!(clock::corrections(&life.store()).unwrap().len(), 2);
    life.sign_one(DAY, now + DAY).unwrap();
}
