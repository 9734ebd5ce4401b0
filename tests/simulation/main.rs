//! Rotation under the worst that the policy's promises allow, decided by the program's own rules.
//!
//! A schedule is a world with an operator, publications that travel, services of every kind,
//! holders and thieves, all of them as late, as skewed and as unlucky as the drawn policy permits.
//! No valid token may be refused outside a printed window; nothing withdrawn may be accepted
//! beyond a printed bound. With any one rule taken out, some schedule must show it.
//!
//! `SCHEDULES=100000 cargo test --release --test simulation` (`just simulate`) looks longer;
//! `SEED=N` repeats one schedule.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod chance;
mod counts;
mod cutover;
mod real;
mod service;
mod signer;
mod without;
mod world;

use counts::Counts;
use std::sync::atomic::{AtomicU64, Ordering};
use without::{ALL, Rule, Without};
use world::run;

/// Of how many schedules one is lived through with real gates too.
const REAL: u64 = 10;
/// How many schedules may pass unharmed before a missing rule counts as unseen.
const PATIENCE: u64 = 2_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// Says which schedule it was, where something in it panics.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("SEED={}", self.0);
        }
    }
}

#[test]
fn no_schedule_refuses_a_valid_token_or_accepts_a_withdrawn_one() {
    if let Some(seed) = number("SEED") {
        println!("{:?}", run(seed, &Without(None), true).unwrap_or_else(|finding| panic!("{finding}")));
        return;
    }
    let schedules = number("SCHEDULES").unwrap_or(200);
    let next = AtomicU64::new(0);
    let worker = || {
        let mut total = Counts::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= schedules {
                return Ok(total);
            }
            let _named = Named(seed);
            match run(seed, &Without(None), seed.is_multiple_of(REAL)) {
                Ok(counts) => total += counts,
                Err(finding) => {
                    // One finding is enough: the others need not go on for an hour.
                    next.store(schedules, Ordering::Relaxed);
                    return Err(format!("SEED={seed}: {finding}"));
                }
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let totals: Vec<Result<Counts, String>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        running.into_iter().map(|worker| worker.join().expect("a worker")).collect()
    });
    let mut total = Counts::default();
    for counts in totals {
        total += counts.unwrap_or_else(|finding| panic!("{finding}"));
    }
    println!("{schedules} schedules: {total:?}");
    assert!(total.real >= schedules, "real gates were asked {} times", total.real);
    // A world in which nothing happens proves nothing.
    for (what, count) in total.all() {
        assert!(count >= schedules / 20, "{what}: {count} in {schedules} schedules");
    }
}

#[test]
fn each_rule_taken_out_is_missed() {
    let unseen: Vec<Rule> = ALL
        .into_iter()
        .filter(|rule| {
            let seen = (0..PATIENCE).find_map(|seed| Some((seed, run(seed, &Without(Some(*rule)), false).err()?)));
            match &seen {
                Some((seed, finding)) => println!("without {rule:?}, schedule {seed}: {finding}"),
                None => println!("without {rule:?}: nothing"),
            }
            seen.is_none()
        })
        .collect();
    assert!(unseen.is_empty(), "nothing misses {unseen:?}");
}
