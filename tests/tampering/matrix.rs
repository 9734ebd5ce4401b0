//! Every file × whatever is put in its place × every act, at every moment.

use crate::acts::{ACTS, MOMENTS, Moment};
use crate::changes::{Change, all};
use crate::ground::{ADMIN, Ground};
use crate::judge::{Outcome, sound, trial};
use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A trial that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many trials a sample has, and how many of two changes at once.
const SAMPLE: usize = 280;
const PAIRS: usize = 60;

/// How many trials of so many: `TAMPERING=all`, or a number; a sample where nothing is said.
fn asked(of: usize, sample: usize) -> usize {
    match std::env::var("TAMPERING") {
        Ok(all) if all == "all" => of,
        Ok(number) => number.parse().expect("TAMPERING is all or a number"),
        Err(_) => sample,
    }
}

struct Case {
    change: Change,
    moment: Moment,
    act: usize,
}

#[test]
fn whatever_becomes_of_a_file_every_act_refuses_it_or_is_as_on_the_sound_store() {
    let changes = all();
    let of = changes.len() * MOMENTS.len() * ACTS.len();
    let trials = asked(of, SAMPLE.max(changes.len() / 3));
    let case = |number: usize| Case {
        change: changes[number / (MOMENTS.len() * ACTS.len())].clone(),
        moment: MOMENTS[number / ACTS.len() % MOMENTS.len()],
        act: number % ACTS.len(),
    };
    judge(spread(of, trials).map(case).collect());
}

#[test]
fn two_files_changed_at_once_are_no_better() {
    let changes = all();
    let of = changes.len() * changes.len();
    let trials = asked(of / 16, PAIRS);
    let mut cases = Vec::new();
    for (count, at) in spread(of, trials).enumerate() {
        let (one, two) = (&changes[at / changes.len()], &changes[at % changes.len()]);
        if one.paths().any(|path| two.touches(path)) || two.paths().any(|path| one.touches(path)) {
            continue;
        }
        cases.push(Case { change: one.and(two), moment: MOMENTS[count % 3], act: (count * 5) % ACTS.len() });
    }
    judge(cases);
}

/// So many numbers below another, evenly; no two steps meet the same acts.
fn spread(below: usize, count: usize) -> impl Iterator<Item = usize> {
    let count = count.clamp(1, below);
    (0..count).map(move |number| {
        let slot = below / count;
        number * slot + (number * 7) % slot.max(1)
    })
}

fn judge(cases: Vec<Case>) {
    let ground = Ground::get();
    let operator = ("admin", ADMIN);
    let expected: Vec<Outcome> = ACTS.iter().map(|act| sound(ground, act, operator)).collect();
    let expected = Arc::new(expected);
    let count = cases.len();
    let queue = Arc::new(Mutex::new(cases.into_iter()));
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    let workers = thread::available_parallelism().map_or(2, usize::from);
    let (send, receive) = channel();
    for _ in 0..workers {
        let (send, queue, expected) = (send.clone(), Arc::clone(&queue), Arc::clone(&expected));
        thread::spawn(move || {
            while let Some(case) = { queue.lock().unwrap().next() } {
                let act = &ACTS[case.act];
                let name = format!("{} | {:?} | {}", case.change.what, case.moment, act.name);
                let (inner, answer) = channel();
                let expected = Arc::clone(&expected);
                let worker = thread::spawn(move || {
                    let act = &ACTS[case.act];
                    let ended = trial(ground, &case.change, case.moment, act, operator, &expected[case.act]);
                    let _ = inner.send(ended);
                });
                let ended = match answer.recv_timeout(PATIENCE) {
                    Ok(ended) => ended,
                    Err(RecvTimeoutError::Timeout) => Err("it hangs".to_owned()),
                    Err(RecvTimeoutError::Disconnected) => Err(format!("a panic: {:?}", worker.join().is_err())),
                };
                let _ = send.send((name, ended));
            }
        });
    }
    drop(send);
    for (name, ended) in receive {
        match ended {
            Ok(ended) => *ends.entry(format!("{ended:?}")).or_default() += 1,
            Err(what) => failures.push(format!("{name}\n      {}", what.chars().take(600).collect::<String>())),
        }
    }
    println!("{count} trials: {ends:?}, {} failures", failures.len());
    failures.sort();
    let shown = failures.iter().take(60).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} of {count} failed:\n{shown}", failures.len());
}
