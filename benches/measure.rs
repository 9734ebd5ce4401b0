//! Two ways of doing something, timed in turns so that a machine's moods meet both alike.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::say;

/// Turns taken by each side; the median of their ratios is what counts.
const TURNS: usize = 31;
/// How long one turn of the floor is to last.
const TURN: Duration = Duration::from_millis(20);

/// Times `ours` against `floor` and prints both and their ratio, with the aim beside it.
pub fn against<A, B>(name: &str, aim: Option<f64>, mut ours: impl FnMut() -> A, mut floor: impl FnMut() -> B) {
    let times = times_for(&mut floor);
    let mut turns: Vec<(f64, f64)> = Vec::with_capacity(TURNS);
    for turn in 0..TURNS {
        // Who comes second finds warmer caches: take turns at that too.
        let (a, b) = if turn % 2 == 0 {
            let a = timed(times, &mut ours);
            (a, timed(times, &mut floor))
        } else {
            let b = timed(times, &mut floor);
            (timed(times, &mut ours), b)
        };
        turns.push((a, b));
    }
    let ours = median(turns.iter().map(|turn| turn.0));
    let floor = median(turns.iter().map(|turn| turn.1));
    let ratio = median(turns.iter().map(|turn| turn.0 / turn.1));
    line(name, ours, floor, ratio, aim);
}

/// Prints one comparison.
pub fn line(name: &str, ours: f64, floor: f64, ratio: f64, aim: Option<f64>) {
    let aim = match aim {
        Some(aim) if ratio <= aim => format!("aim {aim:.2}: kept"),
        Some(aim) => format!("aim {aim:.2}: MISSED"),
        None => String::new(),
    };
    say(&format!("  {name:<44} {:>10} over {:>10}  = {ratio:>6.3}  {aim}", unit(ours), unit(floor)));
}

/// Seconds that one call takes.
pub fn once<A>(work: impl FnOnce() -> A) -> (A, f64) {
    let began = Instant::now();
    let made = black_box(work());
    (made, began.elapsed().as_secs_f64())
}

/// The middle of some figures.
pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Seconds in the unit that reads best.
pub fn unit(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.2} µs", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

fn timed<A>(times: u32, work: &mut impl FnMut() -> A) -> f64 {
    let began = Instant::now();
    for _ in 0..times {
        black_box(work());
    }
    began.elapsed().as_secs_f64() / f64::from(times)
}

fn times_for<A>(work: &mut impl FnMut() -> A) -> u32 {
    let one = timed(3, work).max(1e-9);
    ((TURN.as_secs_f64() / one) as u32).clamp(1, 1_000_000)
}
