//! Keys that are replaced in time, too late, at an appointment, and at once.

use super::office::{DAY, DISTRIBUTION, Office, START, USUAL, rule};
use coldsign::acts::keys::{self, Change};
use coldsign::acts::{cutover, emergency, publications, publish, rotate, status};
use coldsign::keystore::{KeyState, Transition};
use coldsign::rotation::{Act, Bound};

#[test]
fn a_key_is_replaced_without_a_valid_token_refused() {
    let life = Office::new(USUAL);
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
    let last = life.sign_one(30 * DAY, earliest - 1).unwrap();
    assert_eq!(last.key, "default/1");
    assert_eq!(life.change("default/2", Transition::Activate, earliest).unwrap(), KeyState::Active);
    assert_eq!(life.sign_one(DAY, earliest).unwrap().key, "default/2");

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
    let store = life.store();
    let todo = status::summary(&store, verify_until).unwrap().todo;
    assert!(todo.iter().any(|todo| todo.command == "coldsign key destroy default/1"), "{todo:?}");
    assert_eq!(life.change("default/1", Transition::Destroy, verify_until).unwrap(), KeyState::Destroyed);
}

#[test]
fn a_key_of_a_single_key_service_is_published_when_it_signs() {
    let life = Office::new(USUAL);
    life.publish(START);
    keys::generate(&mut life.session(START), "study").unwrap();
    // Neither the backup nor the rotation of the other keysets is what this is about.
    let todo = |now| {
        let mut todo = status::summary(&life.store(), now).unwrap().todo;
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
    let store = life.store();
    let env = String::from_utf8(publications::files(&store, 2).unwrap()["for-study/fedn.env"].clone()).unwrap();
    let second = keys::find(&store, "study/2").unwrap().public.to_spki_pem();
    assert!(env.contains(second.lines().nth(1).unwrap()), "{env}");
}

#[test]
fn whoever_comes_by_every_week_is_never_late() {
    let life = Office::new(USUAL);
    let mut activated = None;
    for week in 0..30 {
        let now = START + week * 7 * DAY;
        let mut session = life.session(now);
        let overdue = |steps: Vec<coldsign::rotation::Step>| {
            let late = |step: &coldsign::rotation::Step| step.latest.is_some_and(|latest| latest < now);
            steps.into_iter().filter(|step| step.keyset != "study" && step.keyset != "flowkit").find(late)
        };
        assert_eq!(overdue(rotate::due(session.store(), now).unwrap()), None, "week {week}");
        let done = rotate::next(&mut session, true).unwrap();
        drop(session);
        let signs = life.sign_one(30 * DAY, now).unwrap().key;
        if signs == "default/2" && activated.is_none() {
            activated = Some(week);
            assert!(done.taken.iter().any(|step| step.act == Act::Deactivate), "{:?}", done.taken);
            assert!(!life.has_private_half("default/1"));
        }
    }
    // 180 days less one publishing interval, and the visit after that.
    assert_eq!(activated, Some(22));
    let store = life.store();
    let state = |key: &str| keys::find(&store, key).unwrap().state.clone();
    assert_eq!(state("default/1"), KeyState::Destroyed);
    assert_eq!(state("default/3"), KeyState::PreActivation);
    // A single-key service is not cut over without its operator.
    assert_eq!(state("study/1"), KeyState::Active);
}

#[test]
fn whoever_comes_far_too_late_catches_up_and_makes_one_standby() {
    let life = Office::new(USUAL);
    let late = START + 200 * DAY;
    for now in [late, late + 30 * DAY, late + DISTRIBUTION] {
        rotate::next(&mut life.session(now), true).unwrap();
    }
    let store = life.store();
    let state = |key: &str| keys::find(&store, key).map(|key| key.state.clone());
    assert_eq!(state("default/2").unwrap(), KeyState::Active);
    assert_eq!(state("default/3").unwrap(), KeyState::PreActivation);
    assert!(state("default/4").is_err());
}

#[test]
fn an_emergency_replaces_the_key_at_once() {
    let life = Office::new(USUAL);
    rotate::next(&mut life.session(START), true).unwrap();
    publish::publish(&mut life.session(START + 30 * DAY), true).unwrap();
    let known = START + DISTRIBUTION;
    life.sign_one(30 * DAY, known - 10 * DAY).unwrap();
    life.sign_one(DAY, known - 2 * DAY).unwrap();
    let lost = life.sign_one(30 * DAY, known).unwrap();
    assert_eq!(lost.key, "default/1");

    // Too soon for every verifier to have the standby, and in time.
    let store = life.store();
    let early = emergency::survey(&store, "default", known - 1).unwrap();
    let hit = |survey: &emergency::Survey| survey.hits.iter().find(|hit| hit.service == "api").unwrap().clone();
    assert_eq!(hit(&early).again, Some(known));
    let survey = emergency::survey(&store, "default/1", known).unwrap();
    assert_eq!(hit(&survey).again, Some(known));
    assert_eq!((hit(&survey).tokens, hit(&survey).bound), (2, Bound::UntilReplaced));

    let out = life.path("out");
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
    let store = life.store();
    let key = keys::find(&store, "default/1").unwrap();
    assert_eq!((key.state.clone(), key.compromised_at), (KeyState::Compromised, Some(known)));
    assert_eq!(rule(emergency::survey(&store, "default/1", known).map(drop)), "KEY-STATE");
    assert_eq!(rule(life.change("default/1", Transition::Destroy, known)), "KEY-STATE");
    // And again, before a new standby is anywhere: a key is made, and services wait for it.
    let again = emergency::declare(&mut life.session(known + DAY), "default", None).unwrap();
    assert_eq!(again.successor.unwrap().name(), "default/3");
    assert!(hit(&again.survey).again.unwrap() > known + DAY);
    assert_eq!(life.sign_one(DAY, known + DAY).unwrap().key, "default/3");
}

#[test]
fn a_single_key_service_is_cut_over_by_appointment() {
    let life = Office::new(USUAL);
    life.publish(START);
    let old = life.sign("study/admin", "ann", Some(30 * DAY), START).unwrap().remove(0);
    let now = START + DAY;
    let outbox = coldsign::storage::Outbox::open(&life.path("out")).unwrap();
    let sheets = cutover::Sheets { operator: |_, service| service.to_owned(), holder: |_| "when".to_owned() };
    let issue = |now, swap_at| {
        let wanted = cutover::Wanted { swap_at, ..cutover::Wanted::default() };
        cutover::issue(&mut life.session(now), "study", &wanted, &outbox, &sheets)
    };
    let earliest = now + 14 * DAY + 60;
    assert_eq!(rule(issue(now, Some(earliest - 1)).map(drop)), "CUTOVER-EARLY");
    assert_eq!(rule(cutover::confirm(&mut life.session(now), "study", false).map(drop)), "CUTOVER-NONE");
    let overlap = cutover::survey(&life.store(), "api", &cutover::Wanted::default(), now);
    assert_eq!(rule(overlap.map(drop)), "CUTOVER-OVERLAP");

    let set = issue(now, None).unwrap();
    assert_eq!((set.survey.swap.at, set.left.len()), (earliest, 0));
    assert_eq!((set.survey.swap.locked_from, set.survey.swap.locked_until), (earliest - 60, earliest + DAY + 60));
    let replacement = &set.replacements[0];
    assert_eq!((replacement.key.as_str(), replacement.expires_at), ("study/2", old.expires_at));
    let there = |path: &str| outbox.path().join(path).exists();
    assert!(there("holder-ann/study-ann.env") && there("holder-ann/WHEN.txt") && there("operator-study/SWAP.txt"));
    let pem = keys::find(&life.store(), "study/2").unwrap().public.to_spki_pem();
    let env = std::fs::read_to_string(outbox.path().join("operator-study/fedn.env")).unwrap();
    assert!(env.contains(pem.lines().nth(1).unwrap()), "{env}");

    // Both keys until the swap is confirmed; what is published is the key that is installed.
    let both = life.issue("study/admin", "ann", Some(DAY), now);
    let told: Vec<(&str, &str)> = both.iter().map(|token| (token.key.as_str(), token.file.name.as_str())).collect();
    assert_eq!(told, [("study/1", "study-ann.env"), ("study/2", "after-swap-study-ann.env")]);
    assert_eq!(rule(issue(now, None).map(drop)), "CUTOVER-OPEN");
    assert_eq!(rule(life.change("study/1", Transition::Deactivate, now)), "CUTOVER-OPEN");
    assert_eq!(rule(life.change("study/2", Transition::Destroy, now)), "KEY-NEEDED");
    assert_eq!(rule(cutover::confirm(&mut life.session(earliest - 1), "study", false).map(drop)), "CUTOVER-EARLY");

    let done = cutover::confirm(&mut life.session(earliest), "study", false).unwrap();
    assert_eq!((done.signs.as_deref(), done.waiting.len()), (Some("study/2"), 0));
    assert!(done.published.is_some());
    let after = life.sign("study/admin", "ann", Some(DAY), earliest).unwrap();
    assert_eq!((after.len(), after[0].key.as_str()), (1, "study/2"));
    assert_eq!(rule(cutover::confirm(&mut life.session(earliest), "study", false).map(drop)), "CUTOVER-NONE");
    rotate::next(&mut life.session(earliest), true).unwrap();
    let store = life.store();
    let ended = &keys::find(&store, "study/1").unwrap().state;
    assert_eq!(*ended, KeyState::Deactivated { verify_until: old.expires_at + 60 });
}
