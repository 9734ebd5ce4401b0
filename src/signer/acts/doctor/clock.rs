//! The machine's clock: plausible, kept by a clock of its own, or set from a network.

use super::{Finding, System};
use crate::acts::RELEASED;

/// How far system and hardware clock may be apart, in seconds.
const APART: u64 = 60;
/// Files that time services leave while they run or after they have set the clock.
const TIME_SERVICES: [&str; 5] = [
    "run/systemd/timesync/synchronized",
    "run/chrony/chronyd.pid",
    "run/chronyd.pid",
    "run/ntpd.pid",
    "run/openntpd.pid",
];

const WHY_EARLY: &str = "tokens would carry wrong dates: no act is done before the clock is right";
const WHY_NO_HARDWARE: &str = "without one the time is lost whenever the machine is switched off";
const WHY_APART: &str = "the next start takes the time from the hardware clock";
const WHY_SERVICE: &str = "a time service asks a network; an isolated machine's clock is set by hand";

pub(super) fn findings(system: &System<'_>, now: u64) -> Vec<Finding> {
    vec![clock(now), hardware(system, now), service(system)]
}

fn clock(now: u64) -> Finding {
    if now < RELEASED {
        return Finding::bad("clock", "it shows a time before this coldsign was made", WHY_EARLY).try_this("date -u");
    }
    Finding::ok("clock", "not before this coldsign was made; compare it with a watch: date -u")
}

fn hardware(system: &System<'_>, now: u64) -> Finding {
    let Some(shown) = system.line("sys/class/rtc/rtc0/since_epoch").and_then(|text| text.parse::<u64>().ok()) else {
        return Finding::look("hardware-clock", "none was found", WHY_NO_HARDWARE).try_this("date -u");
    };
    let apart = shown.abs_diff(now);
    if apart <= APART {
        return Finding::ok("hardware-clock", "it agrees with the system's");
    }
    Finding::look("hardware-clock", format!("{apart} seconds apart from the system's"), WHY_APART)
        .try_this("hwclock --systohc --utc")
}

fn service(system: &System<'_>) -> Finding {
    match TIME_SERVICES.iter().find(|file| system.has(file)) {
        Some(file) => Finding::look("time-service", format!("one is at work: there is /{file}"), WHY_SERVICE)
            .try_this("timedatectl set-ntp false"),
        None => Finding::ok("time-service", "none is at work"),
    }
}
