//! What is to be done, from when, until when, and why.

use super::series::known_with_renewals;
use super::{Key, Known, Rules, Series, Timing};
use crate::keystore::KeyState;

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Make the keyset's next key.
    Generate,
    /// Make the next publication and carry it to every service.
    Publish,
    /// Let the standby sign.
    Activate,
    /// End the old key's signing; its private half is destroyed.
    Deactivate,
    /// Let the old key go.
    Destroy,
    /// Issue the replacements of a single-key service, for the swap.
    CutoverIssue,
    /// The operator swaps the key.
    CutoverSwap,
    /// Confirm that the swap was done.
    CutoverConfirm,
}

impl Act {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Publish => "publish",
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
            Self::Destroy => "destroy",
            Self::CutoverIssue => "cutover-issue",
            Self::CutoverSwap => "cutover-swap",
            Self::CutoverConfirm => "cutover-confirm",
        }
    }

    /// Whether it ends a key's signing, by itself or by what follows in the same act.
    pub fn ends_a_key(self) -> bool {
        matches!(self, Self::Activate | Self::Deactivate)
    }
}

/// One step of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub act: Act,
    /// The keyset; empty for a publication, which is everybody's.
    pub keyset: String,
    /// What it is done to: a key (`keyset/number`) or a service.
    pub to: String,
    /// From when on, in seconds since the epoch.
    pub earliest: u64,
    /// Why not before.
    pub earliest_why: &'static str,
    /// By when, where being late breaks something.
    pub latest: Option<u64>,
    /// What being late breaks.
    pub latest_why: &'static str,
}

impl Step {
    /// Whether it is to be done by then.
    pub fn is_due(&self, now: u64) -> bool {
        self.earliest <= now
    }
}

const STANDBY: &str = "each keyset keeps one published key in reserve, so that an emergency needs no waiting";
const STANDBY_LATE: &str = "the successor would not be with every verifier when the old key's time is over";
const CARRY: &str = "it takes m·P + D + L + S from here until every verifier has it";
const KNOWN: &str = "from then on every verifier has it (m·P + D + L + S after its first publication), and the \
                     old key's time is nearly over";
const CONFIRMED: &str =
    "every verifier that must confirm has it, by its receipt, and the old key's time is nearly over";
const LAST_SIGN: &str = "the old key has signed for R: later its tokens of full length would outlive it";
const SUCCEEDED: &str = "its successor signs";
const DEACTIVATE_LATE: &str = "its private half is of no more use, and lies there to be stolen";
const GONE: &str = "its last token has expired everywhere (latest exp + S + leeway)";
const INTERVAL: &str = "three quarters of the publishing interval P are over";
const INTERVAL_LATE: &str = "verifiers count on a publication every P";
const CUTOVER: &str = "the old key's time is nearly over, and replacements need max(D) + S to reach every holder";
const CUTOVER_LATE: &str = "some holder would still wait for a replacement at the swap";
const SWAP: &str = "by then every holder and the operator have what they need (issue + max(D) + S)";
const CONFIRM: &str = "the swap is done; until it is confirmed everything is issued under both keys";

/// The schedule of one keyset until a time, by date. What is overdue stands at the time it was due.
pub fn plan(rules: &dyn Rules, series: &Series, now: u64, until: u64) -> Vec<Step> {
    let mut projection = Projection::of(rules, series, now);
    projection.endings();
    projection.swaps();
    if series.overlap {
        // What comes after an open cutover is planned when it is over.
        if series.cutover.is_none() {
            projection.overlap(until);
        }
    } else if !series.single_key.is_empty() {
        projection.single_key(until);
    }
    let mut steps = projection.steps;
    steps.retain(|step| step.earliest <= until);
    steps.sort_by_key(|step| (step.earliest, step.act));
    steps
}

/// The publications that the interval asks for until a time.
pub fn publishing(timing: &Timing, newest: Option<u64>, now: u64, until: u64) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut last = newest;
    // Far more than a calendar holds: an interval of nothing must not run for ever.
    while steps.len() < 400 {
        let (earliest, latest) = match last {
            Some(at) => (at.saturating_add(timing.publication_due()), at.saturating_add(timing.publish_every)),
            None => (now, now),
        };
        if earliest > until || (timing.publish_every == 0 && last.is_some()) {
            break;
        }
        steps.push(Step {
            act: Act::Publish,
            keyset: String::new(),
            to: String::new(),
            earliest,
            earliest_why: INTERVAL,
            latest: Some(latest),
            latest_why: INTERVAL_LATE,
        });
        last = Some(latest.max(now));
    }
    steps
}

/// A keyset as it will be if every step is done on its last day.
struct Projection<'a> {
    rules: &'a dyn Rules,
    series: &'a Series,
    timing: &'a Timing,
    now: u64,
    next_number: u64,
    steps: Vec<Step>,
}

/// A key that signs, or is to sign, on the way through a projection.
struct Projected {
    name: String,
    held: Vec<u64>,
    confirmed: Option<u64>,
}

impl<'a> Projection<'a> {
    fn of(rules: &'a dyn Rules, series: &'a Series, now: u64) -> Self {
        let next_number = series.keys.iter().map(|key| key.number).max().unwrap_or(0).saturating_add(1);
        Self { rules, series, timing: &series.timing, now, next_number, steps: Vec::new() }
    }

    fn step(&mut self, act: Act, to: &str, earliest: (u64, &'static str), latest: (Option<u64>, &'static str)) {
        self.steps.push(Step {
            act,
            keyset: self.series.keyset.clone(),
            to: to.to_owned(),
            earliest: earliest.0,
            earliest_why: earliest.1,
            latest: latest.0,
            latest_why: latest.1,
        });
    }

    /// What is left to do about keys that sign no more.
    fn endings(&mut self) {
        let signing = self.series.signing().map(|key| key.kid.as_str());
        for key in &self.series.keys {
            match key.state {
                KeyState::Active | KeyState::Suspended
                    if signing.is_some_and(|signing| signing != key.kid) && self.series.cutover.is_none() =>
                {
                    let needed = self.series.needed_until(self.rules, key, self.now);
                    let at = self.series.signing().and_then(|key| key.activated_at).unwrap_or(self.now);
                    self.step(Act::Deactivate, &key.name, (at, SUCCEEDED), (Some(needed), DEACTIVATE_LATE));
                }
                KeyState::Deactivated { verify_until } => {
                    let at = self.series.needed_until(self.rules, key, 0).max(verify_until);
                    self.step(Act::Destroy, &key.name, (at, GONE), (None, ""));
                }
                _ => {}
            }
        }
    }

    fn overlap(&mut self, until: u64) {
        let Some((mut signs, mut since)) = self.begins() else { return };
        let mut standby = self.series.standby().map(|key| self.projected(key));
        let mut cursor = self.now;
        // One turn a key; a plan is for people: more keys than that nobody reads.
        for _ in 0..100 {
            let last_sign = self.rules.last_sign(self.timing, self.timing.planned_end(since));
            let publish_by = last_sign.saturating_sub(self.timing.distribution());
            let mut next = match standby.take() {
                Some(next) => next,
                None => {
                    let next = self.next_key();
                    self.step(
                        Act::Generate,
                        &next.name,
                        (since.max(cursor), STANDBY),
                        (Some(publish_by), STANDBY_LATE),
                    );
                    next
                }
            };
            if next.held.is_empty() {
                let at = since.max(cursor);
                self.step(Act::Publish, &next.name, (at, CARRY), (Some(publish_by), STANDBY_LATE));
                next.held.push(at);
            }
            let by_time = known_with_renewals(self.rules, self.timing, next.held.clone(), self.now);
            let (known, why) = match next.confirmed.filter(|confirmed| *confirmed < by_time) {
                Some(confirmed) => (confirmed, CONFIRMED),
                None => (by_time, KNOWN),
            };
            let from = known.max(last_sign.saturating_sub(self.timing.notice()));
            self.step(Act::Activate, &next.name, (from, why), (Some(last_sign), LAST_SIGN));
            // What is late can still only be done from now on.
            let activated = from.max(last_sign).max(self.now);
            if activated > until || activated <= since {
                return;
            }
            let needed = self.needed(&signs, activated);
            self.step(Act::Deactivate, &signs, (activated, SUCCEEDED), (needed, DEACTIVATE_LATE));
            self.step(Act::Destroy, &signs, (needed.unwrap_or(activated), GONE), (None, ""));
            (signs, since, cursor) = (next.name, activated, activated);
        }
    }

    /// What is left to do about a cutover that is under way, also where the installed key is paused.
    fn swaps(&mut self) {
        let series = self.series;
        let Some(swap) = series.cutover else { return };
        let since = series.newest_activated().and_then(|key| key.activated_at);
        let last_sign = since.map(|since| self.rules.last_sign(self.timing, self.timing.planned_end(since)));
        for service in &series.single_key {
            let latest = last_sign.map(|last_sign| last_sign.max(swap.at));
            self.step(Act::CutoverSwap, service, (swap.at, SWAP), (latest, LAST_SIGN));
            self.step(Act::CutoverConfirm, service, (swap.at, CONFIRM), (None, ""));
        }
    }

    fn single_key(&mut self, until: u64) {
        let series = self.series;
        let Some((mut signs, mut since)) = self.begins() else { return };
        let mut standby = self.series.standby().map(|key| self.projected(key));
        let travel = self.rules.earliest_swap(self.timing, 0);
        if let Some(swap) = series.cutover {
            let next = standby.take().unwrap_or_else(|| self.next_key());
            (signs, since) = (next.name, swap.at.max(self.now));
        }
        for _ in 0..100 {
            let last_sign = self.rules.last_sign(self.timing, self.timing.planned_end(since));
            let issue_by = last_sign.saturating_sub(travel);
            let issue_from = issue_by.saturating_sub(self.timing.notice()).max(since);
            if standby.is_none() {
                let next = self.next_key();
                self.step(Act::Generate, &next.name, (issue_from, CUTOVER), (Some(issue_by), CUTOVER_LATE));
                standby = Some(next);
            }
            // One for all of them.
            if let Some(first) = series.single_key.first() {
                self.step(Act::CutoverIssue, first, (issue_from, CUTOVER), (Some(issue_by), CUTOVER_LATE));
            }
            let swap = self.rules.earliest_swap(self.timing, issue_by.max(self.now));
            for service in &series.single_key {
                self.step(Act::CutoverSwap, service, (swap, SWAP), (Some(last_sign.max(swap)), LAST_SIGN));
                self.step(Act::CutoverConfirm, service, (swap, CONFIRM), (None, ""));
            }
            if swap > until || swap <= since {
                return;
            }
            let needed = self.needed(&signs, swap);
            self.step(Act::Deactivate, &signs, (swap, SUCCEEDED), (needed, DEACTIVATE_LATE));
            self.step(Act::Destroy, &signs, (needed.unwrap_or(swap), GONE), (None, ""));
            let next = standby.take().unwrap_or_else(|| self.next_key());
            (signs, since) = (next.name, swap);
        }
    }

    /// The key that signs and since when. Where none does, that comes first and nothing can be
    /// planned beyond it.
    fn begins(&mut self) -> Option<(String, u64)> {
        if let Some(key) = self.series.signing() {
            return Some((key.name.clone(), key.activated_at.unwrap_or(self.now)));
        }
        match (self.series.newest_activated().map(|key| &key.state), self.series.standby()) {
            (None, _) => {
                let first = self.next_key();
                self.step(
                    Act::Generate,
                    &first.name,
                    (self.now, "no key signs"),
                    (Some(self.now), "no token is issued"),
                );
            }
            (Some(KeyState::Suspended), _) => {}
            (_, Some(standby)) => {
                let from = match self.series.known(self.rules, &standby.kid) {
                    Known::From(at) => at,
                    _ => self.now,
                };
                let name = standby.name.clone();
                self.step(Act::Activate, &name, (from, "no key signs"), (Some(self.now), "no token is issued"));
            }
            (_, None) => {
                let next = self.next_key();
                self.step(
                    Act::Generate,
                    &next.name,
                    (self.now, "no key signs"),
                    (Some(self.now), "no token is issued"),
                );
            }
        }
        None
    }

    /// Until when a key is needed that signs until then. Its tokens from elsewhere may live longer.
    fn needed(&self, name: &str, signs_until: u64) -> Option<u64> {
        let known = self.series.keys.iter().find(|key| key.name == name).and_then(|key| key.last_expiry);
        let own = signs_until.saturating_add(self.timing.longest_horizon);
        self.rules.removal(self.timing, Some(own).max(known))
    }

    fn next_key(&mut self) -> Projected {
        let number = self.next_number;
        self.next_number = number.saturating_add(1);
        Projected { name: format!("{}/{number}", self.series.keyset), held: Vec::new(), confirmed: None }
    }

    fn projected(&self, key: &Key) -> Projected {
        let (held, confirmed) = (self.series.held(self.rules, &key.kid), self.series.confirmed(self.rules, &key.kid));
        Projected { name: key.name.clone(), held, confirmed }
    }
}
