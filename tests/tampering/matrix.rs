//! Every file × whatever is put in its place × every act, at every moment.

use crate::acts::{ACTS, Act, MOMENTS, Moment};
use crate::changes::{Change, all};
use crate::ground::{ADMIN, Ground};
use crate::judge::{Ended, Outcome, sound, trial};
use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A trial that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many trials a sample has.
const SAMPLE: usize = 500;

fn whole() -> bool {
    std::env::var("TAMPERING").is_ok_and(|asked| asked == "all")
}

struct Case {
    change: Change,
    moment: Moment,
    act: usize,
}

#[test]
fn whatever_becomes_of_a_file_every_act_refuses_it_or_is_as_on_the_sound_store() {
    let changes = all();
    let mut cases = Vec::new();
    for (at, change) in changes.iter().enumerate() {
        for (number, moment) in MOMENTS.into_iter().enumerate() {
            for act in 0..ACTS.len() {
                cases.push(((at * 31 + number * 17 + act * 7) % 97, Case { change: change.clone(), moment, act }));
            }
        }
    }
    let cases = sample(cases);
    judge(cases);
}

#[test]
fn two_files_changed_at_once_are_no_better() {
    let changes = all();
    let mut cases = Vec::new();
    let step = if whole() { 7 } else { 151 };
    for (count, at) in (0..changes.len() * changes.len()).step_by(step * 13 + 1).enumerate() {
        let (one, two) = (&changes[at / changes.len()], &changes[at % changes.len()]);
        if one.paths().any(|path| two.touches(path)) || two.paths().any(|path| one.touches(path)) {
            continue;
        }
        let case = Case { change: one.and(two), moment: MOMENTS[count % 3], act: (count * 5) % ACTS.len() };
        cases.push(case);
    }
    judge(cases);
}

/// All of them, or some: each change and each act among them.
fn sample(cases: Vec<(usize, Case)>) -> Vec<Case> {
    if whole() {
        return cases.into_iter().map(|(_, case)| case).collect();
    }
    let step = (cases.len() / SAMPLE).max(1) | 1;
    cases.into_iter().step_by(step).map(|(_, case)| case).collect()
}

/// Whether an act reads what an administrator may edit.
fn is_meant(change: &Change, act: &Act) -> bool {
    act.name == "policy apply" && change.touches("policy.toml")
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
                if is_meant(&case.change, act) {
                    let _ = send.send((String::new(), Ok(Ended::Harmless)));
                    continue;
                }
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
