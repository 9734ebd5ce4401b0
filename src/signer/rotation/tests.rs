//! The schedule of a keyset under the default policy, by date.

use super::*;
use crate::keystore::KeyState;
use crate::refusal::Refuse;
use proptest::prelude::*;

const DAY: u64 = 86_400;
const T0: u64 = 1_800_000_000;

fn timing() -> Timing {
    Timing {
        publish_every: 30 * DAY,
        lost_sticks: 1,
        delivery: 14 * DAY,
        delivery_to_holders: 20 * DAY,
        reload: DAY,
        skew: 60,
        backdate: 60,
        bundle_lifetime: 120 * DAY,
        longest_lifetime: 30 * DAY,
        longest_horizon: 30 * DAY,
        leeway: 0,
        rotate_every: 180 * DAY,
    }
}

fn key(number: u64, state: KeyState, activated_at: Option<u64>) -> Key {
    Key {
        name: format!("k/{number}"),
        number,
        kid: format!("kid{number}"),
        state,
        activated_at,
        activation: activated_at,
        last_expiry: None,
    }
}

fn series(keys: Vec<Key>, publications: Vec<(u64, Vec<String>)>) -> Series {
    Series {
        keyset: "k".to_owned(),
        timing: timing(),
        overlap: true,
        single_key: Vec::new(),
        keys,
        publications,
        verifiers: Vec::new(),
        cutover: None,
    }
}

fn told(steps: &[Step]) -> Vec<(Act, &str, u64, Option<u64>)> {
    let days = |time: u64| (time - T0) / DAY;
    steps.iter().map(|step| (step.act, step.to.as_str(), days(step.earliest), step.latest.map(days))).collect()
}

#[test]
fn a_plan_keeps_a_key_for_the_tokens_that_it_signed_elsewhere() {
    for (overlap, single_key) in [(true, vec![]), (false, vec!["fed".to_owned()])] {
        let first = Key { last_expiry: Some(T0 + 300 * DAY), ..key(1, KeyState::Active, Some(T0)) };
        let published = vec![(T0, vec!["kid1".to_owned()])];
        let series = Series { overlap, single_key, ..series(vec![first], published) };
        let steps = plan(&Table, &series, T0, T0 + 365 * DAY);
        let destroyed = steps.iter().find(|step| (step.act, step.to.as_str()) == (Act::Destroy, "k/1")).unwrap();
        assert_eq!(destroyed.earliest, T0 + 300 * DAY + 60);
    }
}

#[test]
fn a_year_of_the_default_policy() {
    let first = key(1, KeyState::Active, Some(T0));
    let steps = plan(&Table, &series(vec![first], vec![(T0, vec!["kid1".to_owned()])]), T0, T0 + 365 * DAY);
    // 180 d of signing; m·P + D + L + S is 45 d and a minute; a token of full length lasts 30 d.
    assert_eq!(
        told(&steps),
        [
            (Act::Generate, "k/2", 0, Some(134)),
            (Act::Publish, "k/2", 0, Some(134)),
            (Act::Activate, "k/2", 150, Some(180)),
            (Act::Generate, "k/3", 180, Some(314)),
            (Act::Publish, "k/3", 180, Some(314)),
            (Act::Deactivate, "k/1", 180, Some(210)),
            (Act::Destroy, "k/1", 210, None),
            (Act::Activate, "k/3", 330, Some(360)),
            (Act::Generate, "k/4", 360, Some(494)),
            (Act::Publish, "k/4", 360, Some(494)),
            (Act::Deactivate, "k/2", 360, Some(390)),
        ]
    );
    for step in &steps {
        assert!(!step.earliest_why.is_empty() && (step.latest.is_none() || !step.latest_why.is_empty()), "{step:?}");
    }
    let intervals = publishing(&timing(), Some(T0), T0, T0 + 90 * DAY);
    assert_eq!(
        told(&intervals),
        [(Act::Publish, "", 22, Some(30)), (Act::Publish, "", 52, Some(60)), (Act::Publish, "", 82, Some(90))]
    );
}

#[test]
fn a_plan_that_is_far_behind_goes_on_from_now() {
    let keys = vec![key(1, KeyState::Active, Some(T0)), key(2, KeyState::PreActivation, None)];
    let both = vec!["kid1".to_owned(), "kid2".to_owned()];
    let carried = vec![(T0, both.clone()), (T0 + 30 * DAY, both)];
    let now = T0 + 1_000 * DAY;
    let steps = plan(&Table, &series(keys, carried), now, now + 200 * DAY);
    // Only what could have been done by now is late; what follows from it begins now.
    assert_eq!(
        told(&steps)[..6],
        [
            (Act::Activate, "k/2", 150, Some(180)),
            (Act::Generate, "k/3", 1_000, Some(1_134)),
            (Act::Publish, "k/3", 1_000, Some(1_134)),
            (Act::Deactivate, "k/1", 1_000, Some(1_030)),
            (Act::Destroy, "k/1", 1_030, None),
            (Act::Activate, "k/3", 1_150, Some(1_180)),
        ]
    );
    let mut swapped =
        series(vec![key(1, KeyState::Active, Some(T0)), key(2, KeyState::PreActivation, None)], Vec::new());
    (swapped.overlap, swapped.single_key) = (false, vec!["fed".to_owned()]);
    swapped.cutover = Swap::after_issue(&Table, &timing(), "fed", T0 + 100 * DAY, None).ok();
    let steps = plan(&Table, &swapped, now, now + 200 * DAY);
    assert_eq!(told(&steps)[1], (Act::CutoverConfirm, "fed", 120, None));
    assert!(steps[2..].iter().all(|step| step.earliest >= now), "{:?}", told(&steps));
}

#[test]
fn a_cutover_is_planned_backwards_from_the_swap() {
    let mut series = series(vec![key(1, KeyState::Active, Some(T0))], Vec::new());
    (series.overlap, series.single_key) = (false, vec!["fed".to_owned()]);
    let steps = plan(&Table, &series, T0, T0 + 200 * DAY);
    // Holders wait 20 d at the most, longer than the operator: the swap comes 20 d after the issue.
    assert_eq!(
        told(&steps)[..4],
        [
            (Act::Generate, "k/2", 129, Some(159)),
            (Act::CutoverIssue, "fed", 129, Some(159)),
            (Act::Deactivate, "k/1", 180, Some(210)),
            (Act::CutoverSwap, "fed", 180, Some(180)),
        ]
    );
    let issued = T0 + 100 * DAY;
    let swap = Swap::after_issue(&Table, &timing(), "fed", issued, None).unwrap();
    assert_eq!(swap.at, issued + 20 * DAY + 60);
    assert_eq!((swap.locked_from, swap.locked_until), (swap.at - 60, swap.at + DAY + 60));
    let early = Swap::after_issue(&Table, &timing(), "fed", issued, Some(swap.at - 1)).unwrap_err();
    assert_eq!(early, RotationDenied::SwapEarly { service: "fed".to_owned(), allowed_at: swap.at });
    assert_eq!((early.rule(), swap.may_confirm("fed", swap.at - 1).is_err()), (Some("CUTOVER-EARLY"), true));
    assert!(swap.may_confirm("fed", swap.at).is_ok());
}

#[test]
fn only_an_unbroken_run_of_publications_counts() {
    let with = |day: u64, holds: bool| (T0 + day * DAY, if holds { vec!["kid2".to_owned()] } else { Vec::new() });
    let standby = key(2, KeyState::PreActivation, None);
    let known = |publications| series(vec![standby.clone()], publications).known(&Table, "kid2");
    let travel = 15 * DAY + 60;
    assert_eq!(known(vec![]), Known::Never);
    assert_eq!(known(vec![with(0, true), with(10, false)]), Known::Never);
    assert_eq!(known(vec![with(0, true)]), Known::Carried { made: 1, needed: 2 });
    assert_eq!(known(vec![with(0, true), with(30, true)]), Known::From(T0 + 30 * DAY + travel));
    // Two on one day may be lost on one day.
    assert_eq!(known(vec![with(0, true), with(0, true)]), Known::From(T0 + 30 * DAY + travel));
    // One that came later than promised counts from when it came.
    assert_eq!(known(vec![with(0, true), with(50, true)]), Known::From(T0 + 50 * DAY + travel));
    let broken = vec![with(0, true), with(30, false), with(40, true), with(70, true)];
    assert_eq!(known(broken), Known::From(T0 + 70 * DAY + travel));
}

#[test]
fn receipts_of_all_that_must_confirm_make_it_sooner_and_nothing_else_does() {
    let with = |day: u64, holds: bool| (T0 + day * DAY, if holds { vec!["kid2".to_owned()] } else { Vec::new() });
    let keys = vec![key(1, KeyState::Active, Some(T0)), key(2, KeyState::PreActivation, None)];
    let has = |publication, day: u64, loaded| Some(Installed { publication, at: T0 + day * DAY, loaded });
    let known = |publications: &[(u64, Vec<String>)], words: &[Option<Installed>]| {
        let mut series = series(keys.clone(), publications.to_vec());
        series.verifiers = words.iter().map(|has| Verifier { name: "v".to_owned(), has: *has }).collect();
        series.known(&Table, "kid2")
    };
    let two = [with(0, false), with(1, true)];
    assert_eq!(known(&two, &[]), Known::Carried { made: 1, needed: 2 }, "nobody is asked");
    assert_eq!(known(&two, &[has(1, 3, true), None]), Known::Carried { made: 1, needed: 2 }, "one is silent");
    assert_eq!(known(&two, &[has(1, 3, true), has(0, 2, true)]), Known::Carried { made: 1, needed: 2 });
    assert_eq!(known(&two, &[has(1, 3, true), has(1, 2, true)]), Known::From(T0 + 3 * DAY));
    assert_eq!(known(&two, &[has(1, 3, false)]), Known::From(T0 + 4 * DAY + 60), "L and S more");
    assert_eq!(known(&two, &[has(1, 0, true)]), Known::From(T0 + DAY), "not before it was published");
    let undone = [with(0, true), with(5, false), with(6, true)];
    assert_eq!(known(&undone, &[has(0, 1, true)]), Known::Carried { made: 1, needed: 2 }, "undone since");
    assert_eq!(known(&undone, &[has(2, 7, true)]), Known::From(T0 + 7 * DAY));
    assert_eq!(known(&two, &[has(9, 7, true)]), Known::Carried { made: 1, needed: 2 }, "of no publication");
    let old = [with(0, true), with(30, true)];
    assert_eq!(known(&old, &[has(1, 90, true)]), Known::From(T0 + 45 * DAY + 60), "time has done it before");

    let mut signing = series(keys, two.to_vec());
    let without =
        signing.needed_until(&Table, &Key { last_expiry: Some(T0 + 90 * DAY), ..signing.keys[0].clone() }, T0);
    signing.verifiers = vec![Verifier { name: "v".to_owned(), has: has(1, 3, true) }];
    let with = signing.needed_until(&Table, &Key { last_expiry: Some(T0 + 90 * DAY), ..signing.keys[0].clone() }, T0);
    assert_eq!((without, with), (T0 + 90 * DAY + 60, T0 + 90 * DAY + 60), "no receipt shortens a removal");
}

#[test]
fn bounds_are_a_matter_of_the_reader() {
    let (soon, late) = (Withdrawn::Token(T0 + DAY), Withdrawn::Token(T0 + 300 * DAY));
    let bundles = T0 + 120 * DAY + 60;
    let bound = |reader, withdrawn| exposure(T0 + 120 * DAY, 60, reader, 30, withdrawn);
    assert_eq!(bound(Reader::Bundle, soon), Bound::Until(T0 + DAY + 90));
    assert_eq!(bound(Reader::Bundle, late), Bound::Until(bundles));
    assert_eq!(bound(Reader::Bundle, Withdrawn::Key), Bound::Until(bundles));
    assert_eq!(bound(Reader::File, late), Bound::Until(T0 + 300 * DAY + 90));
    assert_eq!(bound(Reader::File, Withdrawn::Key), Bound::UntilReplaced);
}

proptest! {
    /// Whatever the policy: a plan ends, is in order, and asks for nothing that its own rules refuse.
    #[test]
    fn plans_end(
        publish_every in 0..400 * DAY, lost_sticks in 0..13_u64, rotate_every in 0..4_000 * DAY, now in 0..u64::MAX / 2,
        since in 0..u64::MAX / 2, years in 0..30_u64, single: bool,
    ) {
        let mut series = series(vec![key(1, KeyState::Active, Some(since))], vec![]);
        series.timing = Timing { publish_every, lost_sticks, rotate_every, ..timing() };
        if single {
            (series.overlap, series.single_key) = (false, vec!["fed".to_owned()]);
        }
        let until = now + years * 365 * DAY;
        let steps = plan(&Table, &series, now, until);
        prop_assert!(steps.len() < 1_000);
        prop_assert!(steps.is_sorted_by_key(|step| step.earliest));
        prop_assert!(steps.iter().all(|step| step.earliest <= until));
        prop_assert!(publishing(&series.timing, Some(now), now, until).len() <= 400);
    }

    /// However fast things travel: nothing that replaces a key is due before it has signed for P.
    #[test]
    fn a_key_signs_for_an_interval_at_least(
        publish_every in 0..400 * DAY, lost_sticks in 0..13_u64, delivery in 0..30 * DAY, to_holders in 0..30 * DAY,
        reload in 0..2 * DAY, skew in 0..3_600_u64, spare in 0..2 * DAY, standby: bool, single: bool,
    ) {
        let mut keys = vec![key(1, KeyState::Active, Some(T0))];
        keys.extend(standby.then(|| key(2, KeyState::PreActivation, None)));
        let mut series = series(keys, vec![(T0, vec!["kid1".to_owned(), "kid2".to_owned()])]);
        series.timing = Timing { publish_every, lost_sticks, delivery, delivery_to_holders: to_holders, reload, skew, ..timing() };
        series.timing.rotate_every = Table.least_time_of_signing(&series.timing, single) + spare;
        if single {
            (series.overlap, series.single_key) = (false, vec!["fed".to_owned()]);
        }
        let steps = plan(&Table, &series, T0, u64::MAX);
        let replaces = steps.iter().find(|step| matches!(step.act, Act::Activate | Act::CutoverIssue));
        prop_assert!(replaces.is_some_and(|step| step.earliest >= T0 + publish_every), "{steps:?}");
    }
}
