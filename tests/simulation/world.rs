//! One schedule: everything that happens between a signer and its services, in order of true time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use coldsign::keystore::KeyState;
use coldsign::rotation::{Act, Bound, Installed, Out, Rules, Series, Step, Timing, Verifier, plan, publishing};

use crate::chance::Chance;
use crate::counts::Counts;
use crate::cutover::{Later, Single};
use crate::real::Real;
use crate::service::{Kind, Publication, Service, Token};
use crate::signer;
use crate::without::Without;
use policies::{Backup, Restored};

mod policies;
mod publications;
mod tokens;
mod withdrawals;

const DAY: u64 = 86_400;
const START: u64 = 2_000_000_000;
/// More keys than that no bundle holds.
const MOST_KEYS: usize = 1_000;
const MIXED: [Kind; 4] = [Kind::Gate, Kind::File, Kind::Dated, Kind::Gate];
/// All of them can say what they have, and the policy asks them to.
const CONFIRMING: [Kind; 4] = [Kind::Gate; 4];

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Visit,
    /// Somebody comes by just when a key may go.
    Removal,
    Arrive {
        service: usize,
        publication: usize,
    },
    Restart {
        service: usize,
    },
    /// A verifier's word comes back to the signer.
    Receipt {
        service: usize,
        publication: usize,
        installed_at: u64,
        loaded: bool,
    },
    Use {
        token: usize,
    },
    Forge {
        service: usize,
        theft: usize,
    },
    Swap {
        number: u64,
    },
    UseGrant {
        grant: usize,
    },
}

struct Issued {
    token: Token,
    service: usize,
    /// A token for later is not expected to be accepted before its `nbf`.
    for_later: bool,
    /// Whether the signer knows of it.
    journalled: bool,
    /// What its service forgave at the least, ever since.
    leeway: u64,
    /// Until when it may be refused, as printed.
    excused_until: u64,
    withdrawn: Option<Withdrawal>,
}

/// What was printed when something was withdrawn.
#[derive(Debug, Clone, Copy)]
struct Withdrawal {
    bound: Bound,
    /// The first publication that says so, where publications can say it to that service.
    publication: Option<usize>,
}

struct World<'r> {
    rules: &'r Without,
    chance: Chance,
    timing: Timing,
    /// True time; every clock is within half the skew of it.
    clock: u64,
    /// What the journal's newest entry says.
    journal: u64,
    series: Series,
    root_expiry: u64,
    publications: Vec<Publication>,
    cut_offs: Vec<(u64, u64)>,
    /// Keys that left the published set while they could sign.
    taken_out: HashSet<String>,
    /// Stolen keys: which, when that was noticed, the first publication without it.
    thefts: Vec<(String, u64, usize)>,
    window_until: u64,
    services: Vec<Service>,
    tokens: Vec<Issued>,
    backup: Backup,
    restored: Vec<Restored>,
    /// Keys that were made elsewhere, and the tokens that they have signed there.
    imported: HashSet<String>,
    elsewhere: Vec<Out>,
    /// When the time of each key is over, as far as was ever planned.
    planned: HashMap<String, u64>,
    single: Single,
    real: Option<Real>,
    /// By time; of one moment what arrives comes first, then what is used, then what is done.
    events: BinaryHeap<Reverse<(u64, u8, u64, Event)>>,
    order: u64,
    counts: Counts,
}

/// Lives through one schedule; the `Err` is what must not happen.
/// With `real` its gates are trust stores on a disk besides.
pub fn run(seed: u64, rules: &Without, real: bool) -> Result<Counts, String> {
    let mut chance = Chance::seeded(seed);
    let timing = draw(&mut chance, rules);
    let end = START + 2 * timing.rotate_every;
    let single = Single::new(timing, chance.up_to(timing.leeway), START);
    let mut world = World {
        rules,
        chance,
        timing,
        clock: START,
        journal: START,
        series: signer::empty("overlap", timing, false),
        root_expiry: 0,
        publications: Vec::new(),
        cut_offs: Vec::new(),
        taken_out: HashSet::new(),
        thefts: Vec::new(),
        window_until: 0,
        services: Vec::new(),
        tokens: Vec::new(),
        backup: Backup::default(),
        restored: Vec::new(),
        imported: HashSet::new(),
        elsewhere: Vec::new(),
        planned: HashMap::new(),
        single,
        real: real.then(|| Real::new(timing.skew)),
        events: BinaryHeap::new(),
        order: 0,
        counts: Counts::default(),
    };
    world.begin();
    while let Some(Reverse((at, _, _, event))) = world.events.pop() {
        if at > end {
            break;
        }
        world.clock = at;
        world.happens(event).map_err(|finding| format!("{finding}\n{timing:?}"))?;
    }
    world.counts.cutovers = world.single.cutovers();
    world.counts.single_key_emergencies = world.single.emergencies();
    Ok(world.counts)
}

/// A policy that the rules let pass, often a narrow one.
fn draw(chance: &mut Chance, rules: &dyn Rules) -> Timing {
    loop {
        let longest_lifetime = chance.between(3_600, 20 * DAY);
        let skew = chance.up_to(3_600);
        let mut timing = Timing {
            publish_every: chance.between(DAY, 20 * DAY),
            lost_sticks: chance.up_to(2),
            delivery: chance.up_to(15 * DAY),
            delivery_to_holders: chance.up_to(15 * DAY),
            reload: chance.up_to(2 * DAY),
            skew,
            backdate: if chance.one_in(2) { skew } else { chance.up_to(7_200) },
            bundle_lifetime: 0,
            longest_lifetime,
            longest_horizon: longest_lifetime + chance.up_to(longest_lifetime),
            leeway: chance.up_to(600),
            rotate_every: 0,
        };
        let silence = timing.longest_silence();
        timing.bundle_lifetime = silence * chance.between(50, 200) / 100;
        timing.rotate_every = silence * chance.between(30, 300) / 100;
        if timing.backdate >= rules.least_backdate(&timing)
            && timing.bundle_lifetime >= rules.least_bundle_lifetime(&timing)
            && timing.rotate_every >= rules.least_time_of_signing(&timing, true)
        {
            return timing;
        }
    }
}

impl World<'_> {
    fn begin(&mut self) {
        signer::generate(&mut self.series, START);
        let kinds = if self.chance.one_in(3) { CONFIRMING } else { MIXED };
        for (service, kind) in kinds.into_iter().enumerate() {
            let leeway = self.chance.up_to(self.timing.leeway);
            self.services.push(Service::new(service, kind, Timing { leeway, ..self.timing }));
            if kinds == CONFIRMING {
                self.series.verifiers.push(Verifier { name: format!("s{service}"), has: None });
            }
        }
        // Everybody has the first publication from the beginning.
        self.publish(START, false);
        for (service, kind) in kinds.into_iter().enumerate() {
            self.services[service].lost_in_a_row = 0;
            if let Some(real) = self.real.as_mut().filter(|_| kind == Kind::Gate) {
                real.open_gate(service, START);
            }
        }
        self.later(START, Event::Visit);
    }

    fn later(&mut self, at: u64, event: Event) {
        self.order += 1;
        let rank = match event {
            Event::Arrive { .. } => 0,
            Event::Restart { .. } | Event::Swap { .. } => 1,
            Event::Use { .. } | Event::Forge { .. } | Event::UseGrant { .. } => 2,
            Event::Visit | Event::Removal | Event::Receipt { .. } => 3,
        };
        self.events.push(Reverse((at, rank, self.order, event)));
    }

    /// What some clock shows: nobody's is more than half the skew off, so no two are more than S apart.
    fn reading(&mut self) -> u64 {
        let half = self.timing.skew / 2;
        self.clock - half + self.chance.up_to(2 * half)
    }

    fn happens(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Visit => self.visit(),
            Event::Removal => {
                let now = self.reading().max(self.journal);
                self.journal = now;
                self.scheduled(now)?;
                self.publish(now, false);
                Ok(())
            }
            Event::Arrive { service, publication } => {
                let clock = self.reading();
                let brought = &self.publications[publication];
                let (made_at, takes) = (brought.made_at, self.services[service].takes(brought));
                if made_at > clock + self.timing.skew {
                    return Err(format!("a publication of {made_at} came from the future, at {clock}"));
                }
                if let Some(real) = &mut self.real {
                    real.arrive(service, publication, clock);
                }
                let found = &mut self.services[service];
                // `coldsign-gate install` takes nothing older than what is there.
                if publication > found.installed && takes {
                    found.installed = publication;
                    let restart = self.clock + self.chance.up_to(self.timing.reload);
                    self.later(restart, Event::Restart { service });
                    self.says(service, publication, clock, false);
                }
                Ok(())
            }
            Event::Restart { service } => {
                if let Some(real) = &mut self.real {
                    real.restart(service);
                }
                let installed = self.services[service].installed;
                self.services[service].loaded = installed;
                let clock = self.reading();
                self.says(service, installed, clock, true);
                Ok(())
            }
            Event::Receipt { service, publication, installed_at, loaded } => {
                self.take(service, Installed { publication, at: installed_at, loaded });
                Ok(())
            }
            Event::Use { token } => self.use_token(token),
            Event::Forge { service, theft } => self.forge(service, theft),
            Event::Swap { number } => {
                self.single.swap(number);
                Ok(())
            }
            Event::UseGrant { grant } => {
                let (holder, service) = (self.reading(), self.reading());
                self.counts.uses += u64::from(self.single.used(grant, self.clock, holder, service)?);
                Ok(())
            }
        }
    }

    /// A verifier that is asked to signs what it has; the receipt travels like any stick, or gets lost.
    fn says(&mut self, service: usize, publication: usize, installed_at: u64, loaded: bool) {
        if !self.series.verifiers.is_empty() && !self.chance.one_in(4) {
            let comes = self.clock + self.chance.up_to(self.timing.delivery);
            self.later(comes, Event::Receipt { service, publication, installed_at, loaded });
        }
    }

    /// Takes a receipt that is newer than the last one; whoever does may try the standby at once.
    fn take(&mut self, service: usize, has: Installed) {
        let last = &mut self.series.verifiers[service].has;
        if last.is_some_and(|last| (last.publication, last.loaded) >= (has.publication, has.loaded)) {
            return;
        }
        *last = Some(has);
        self.counts.receipts += 1;
        let Some(standby) = self.series.standby().cloned().filter(|_| self.chance.one_in(3)) else { return };
        let now = self.reading().max(self.journal);
        self.journal = now;
        if self.series.may_activate(self.rules, &standby, false, now).is_ok() {
            signer::activate(&mut self.series, &standby.kid, now);
            self.back_up();
            self.counts.rotations += 1;
            self.issue(now, None);
        }
    }

    fn visit(&mut self) -> Result<(), String> {
        // An act never dates itself before the journal's newest entry.
        let now = self.reading().max(self.journal);
        self.journal = now;
        if self.chance.one_in(40) {
            self.restore(now);
        }
        let mut changed = self.scheduled(now)?;
        if self.series.signing().is_none() {
            return Err(format!("at {now} no key signs"));
        }
        // A key that waits is enough: keys without end fit into no bundle.
        let waiting = self.series.keys.iter().filter(|key| key.state == KeyState::PreActivation).count();
        if waiting > 1 {
            return Err(format!("at {now} {waiting} keys wait"));
        }
        if self.publications.last().is_some_and(|publication| publication.kids.len() > MOST_KEYS) {
            return Err(format!("at {now} more than {MOST_KEYS} keys are published"));
        }
        let newest = self.publications.last().map(|publication| publication.made_at);
        if !publishing(&self.timing, newest, now, now).is_empty() {
            self.publish(now, false);
        }
        if self.chance.one_in(8) {
            self.edit(now);
        }
        match self.chance.even(79) {
            0 => self.emergency(now),
            1 => self.revoke(now),
            2 => self.edit_that_hides_the_standby(now),
            // What verifiers have confirmed is undone by that.
            3..=6 if !self.series.verifiers.is_empty() => self.edit_that_hides_the_standby(now),
            3..=19 => changed |= self.meddle(now),
            _ => {}
        }
        for _ in 0..self.chance.even(3) {
            self.issue(now, None);
        }
        if changed && !self.chance.one_in(3) {
            self.publish(now, false);
        }
        let clock = self.clock;
        let chance = &mut self.chance;
        let emergency = chance.even(79) == 0;
        let mut later = self.single.visit(self.rules, clock, now, &mut |most| chance.up_to(most));
        if emergency {
            later.extend(self.single.emergency(self.rules, clock, now, &mut |most| chance.up_to(most)));
        }
        for later in later {
            match later {
                Later::Swap(number, at) => self.later(at, Event::Swap { number }),
                Later::Use(grant, at) => {
                    self.counts.tokens += 1;
                    self.later(at, Event::UseGrant { grant });
                }
            }
        }
        // Somebody comes by within the quarter of the interval that is left for the next publication.
        let pause = self.timing.publish_every / 4 - 2 * self.timing.skew - 60;
        let next = self.clock + 60 + pause / 2 + self.chance.even(pause / 2);
        self.later(next, Event::Visit);
        Ok(())
    }

    /// Does whatever the plan says is due; says whether that was anything.
    fn scheduled(&mut self, now: u64) -> Result<bool, String> {
        let mut changed = false;
        for _ in 0..30 {
            let due = plan(self.rules, &self.series, now, now);
            let mut did = false;
            for step in due.iter().filter(|step| step.is_due(now)) {
                did = if step.act == Act::Publish {
                    self.publish(now, false);
                    true
                } else {
                    self.lasted(step, now)?;
                    signer::take(&mut self.series, self.rules, step, now)
                };
                if did {
                    changed = true;
                    self.back_up();
                    if step.act == Act::Generate && self.chance.one_in(4) {
                        self.import(now);
                    }
                    if let Some(KeyState::Deactivated { verify_until }) = self.state_of(&step.to) {
                        let half = self.timing.skew / 2;
                        self.later(verify_until.saturating_sub(half).max(self.clock), Event::Removal);
                    }
                    self.counts.rotations += u64::from(step.act == Act::Activate);
                    break;
                }
            }
            if !did {
                break;
            }
        }
        Ok(changed)
    }

    /// However often somebody comes by: the plan replaces no key that has signed for less than P.
    fn lasted(&self, step: &Step, now: u64) -> Result<(), String> {
        match self.series.signing().filter(|_| step.act == Act::Activate).and_then(|key| key.activated_at) {
            Some(at) if now < at + self.timing.publish_every => {
                Err(format!("at {now} {} was to replace a key that signs since {at}", step.to))
            }
            _ => Ok(()),
        }
    }

    fn state_of(&self, name: &str) -> Option<KeyState> {
        self.series.keys.iter().find(|key| key.name == name).map(|key| key.state.clone())
    }

    /// What somebody tries who has not looked at the plan: only the rules stop them.
    fn meddle(&mut self, now: u64) -> bool {
        if self.chance.one_in(2) {
            let Some(standby) = self.series.standby().cloned() else { return false };
            let permitted = self.series.may_activate(self.rules, &standby, false, now).is_ok();
            if permitted {
                signer::activate(&mut self.series, &standby.kid, now);
                self.back_up();
                self.counts.rotations += 1;
            }
            return permitted;
        }
        let place = self.chance.even(self.series.keys.len() as u64 - 1) as usize;
        let key = self.series.keys[place].clone();
        let leaves = !matches!(key.state, KeyState::PreActivation | KeyState::Compromised | KeyState::Destroyed)
            && self.series.may_destroy(self.rules, &key, now).is_ok();
        if leaves {
            match key.state {
                KeyState::Active | KeyState::Suspended => drop(self.taken_out.insert(key.kid)),
                _ => self.series.keys[place].state = KeyState::Destroyed,
            }
        }
        leaves
    }
}
