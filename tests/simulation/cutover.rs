//! A service that holds one key, its holders, and its cutovers.

use coldsign::keystore::KeyState;
use coldsign::rotation::{Act, Rules, Series, Swap, Timing, plan};

use crate::service::{Token, within_time};
use crate::signer;
use crate::without::Without;

/// What somebody was promised, and the tokens that stand for it.
pub struct Grant {
    /// Until when.
    expiry: u64,
    /// From when on its holder has it, in true time.
    delivered: u64,
    token: Token,
    /// The token from the swap on, when it is there, and the swap.
    next: Option<(Token, u64, u64)>,
}

pub struct Single {
    pub series: Series,
    /// The key that is installed, and its number.
    loaded: (String, u64),
    leeway: u64,
    grants: Vec<Grant>,
    /// Every window that was printed.
    windows: Vec<(u64, u64)>,
    cutovers: u64,
    emergencies: u64,
}

/// Something that happens later.
pub enum Later {
    /// The operator installs the key of that number.
    Swap(u64, u64),
    Use(usize, u64),
}

/// A draw between two times.
pub type Draw<'a> = &'a mut dyn FnMut(u64) -> u64;

impl Single {
    pub fn new(timing: Timing, leeway: u64, now: u64) -> Self {
        let mut series = signer::empty("single", timing, true);
        signer::generate(&mut series, now);
        let loaded = (series.keys[0].kid.clone(), series.keys[0].number);
        Self { series, loaded, leeway, grants: Vec::new(), windows: Vec::new(), cutovers: 0, emergencies: 0 }
    }

    pub fn cutovers(&self) -> u64 {
        self.cutovers
    }

    pub fn emergencies(&self) -> u64 {
        self.emergencies
    }

    /// What an operator does on a visit; what follows from it later.
    pub fn visit(&mut self, rules: &Without, clock: u64, now: u64, up_to: Draw<'_>) -> Vec<Later> {
        let mut later = Vec::new();
        for _ in 0..20 {
            let due = plan(rules, &self.series, now, now);
            let mut did = false;
            for step in due.iter().filter(|step| step.is_due(now)) {
                did = match step.act {
                    Act::CutoverIssue if self.series.cutover.is_none() && self.series.standby().is_some() => {
                        self.issue(rules, clock, now, up_to, &mut later);
                        true
                    }
                    Act::CutoverConfirm => self.confirm(now),
                    _ => signer::take(&mut self.series, rules, step, now),
                };
                if did {
                    break;
                }
            }
            if !did {
                break;
            }
        }
        if up_to(1) == 1 {
            self.grant(rules, clock, now, up_to, &mut later);
        }
        later
    }

    fn issue(&mut self, rules: &Without, clock: u64, now: u64, up_to: Draw<'_>, later: &mut Vec<Later>) {
        let timing = self.series.timing;
        let earliest = rules.earliest_swap(&timing, now);
        let wanted = Some(earliest + up_to(86_400));
        let swap = Swap::after_issue(rules, &timing, "one", now, wanted).expect("not early");
        self.windows.push((swap.locked_from, swap.locked_until));
        let next_kid = self.series.standby().expect("a standby").kid.clone();
        for grant in self.grants.iter_mut().filter(|grant| grant.expiry + timing.leeway + timing.skew > now) {
            if let Some((token, delivered, _)) = grant.next.take() {
                grant.delivered = grant.delivered.max(delivered);
                grant.token = token;
            }
            // A replacement of the usual length, or as long as what it replaces.
            let exp = rules.replacement_expiry(now + timing.longest_lifetime.min(3_600), grant.token.exp);
            let iat = rules.issued_at(&timing, now, None);
            let token = Token { kid: next_kid.clone(), iat, nbf: iat, exp, ..grant.token.clone() };
            grant.next = Some((token, clock + up_to(timing.delivery_to_holders), swap.at));
        }
        let arrives = clock + up_to(timing.delivery);
        let operators_clock = swap.at - timing.skew / 2 + up_to(timing.skew / 2 * 2);
        let number = self.series.standby().expect("a standby").number;
        later.push(Later::Swap(number, arrives.max(operators_clock) + up_to(timing.reload)));
        self.series.cutover = Some(swap);
        self.cutovers += 1;
    }

    /// The operator has installed a key and restarted the service. What an emergency overtook is not
    /// installed any more.
    pub fn swap(&mut self, number: u64) {
        let key = self.series.keys.iter().find(|key| key.number == number).expect("a key of the series");
        if number > self.loaded.1 {
            self.loaded = (key.kid.clone(), number);
        }
    }

    /// The installed key is in the wrong hands: the next one signs at once, and the operator and every
    /// holder get what they need as fast as it travels.
    pub fn emergency(&mut self, rules: &Without, clock: u64, now: u64, up_to: Draw<'_>) -> Option<Later> {
        let timing = self.series.timing;
        let stolen = self.series.signing()?.kid.clone();
        self.emergencies += 1;
        signer::key(&mut self.series, &stolen).state = KeyState::Compromised;
        if self.series.standby().is_none() {
            signer::generate(&mut self.series, now);
        }
        let next = self.series.standby().expect("a standby").clone();
        signer::activate(&mut self.series, &next.kid, now);
        self.series.cutover = None;
        for grant in self.grants.iter_mut().filter(|grant| grant.expiry + timing.leeway + timing.skew > now) {
            match &mut grant.next {
                // A cutover was under way: the next token is good as soon as the key is installed.
                Some((token, _, swap)) if token.kid == next.kid => *swap = now,
                _ => {
                    let iat = rules.issued_at(&timing, now, None);
                    let token =
                        Token { kid: next.kid.clone(), iat, nbf: iat, exp: grant.expiry, ..grant.token.clone() };
                    grant.next = Some((token, clock + up_to(timing.delivery_to_holders), now));
                }
            }
        }
        let latest = timing.delivery.max(timing.delivery_to_holders) + timing.reload + timing.skew;
        self.windows.push((clock, clock + latest));
        Some(Later::Swap(next.number, clock + up_to(timing.delivery) + up_to(timing.reload)))
    }

    fn confirm(&mut self, now: u64) -> bool {
        let installed = self.series.standby().is_some_and(|standby| standby.number == self.loaded.1);
        let Some(swap) = self.series.cutover.filter(|_| installed) else { return false };
        if swap.may_confirm("one", now).is_err() {
            return false;
        }
        let kid = self.loaded.0.clone();
        signer::activate(&mut self.series, &kid, now);
        self.series.cutover = None;
        true
    }

    fn grant(&mut self, rules: &Without, clock: u64, now: u64, up_to: Draw<'_>, later: &mut Vec<Later>) {
        let timing = self.series.timing;
        let Some(signing) = self.series.signing() else { return };
        let iat = rules.issued_at(&timing, now, None);
        let exp = now + 60 + up_to(timing.longest_lifetime - 60);
        let token = Token { kid: signing.kid.clone(), subject: 0, iat, nbf: iat, exp };
        let delivered = clock + up_to(timing.delivery_to_holders);
        let next = self.series.cutover.filter(|swap| rules.covers_both(true) && swap.issued_at <= now).map(|swap| {
            let next_kid = self.series.standby().expect("a standby").kid.clone();
            (Token { kid: next_kid, ..token.clone() }, delivered, swap.at)
        });
        let kid = signing.kid.clone();
        let last = &mut signer::key(&mut self.series, &kid).last_expiry;
        *last = Some(last.map_or(exp, |last| last.max(exp)));
        let place = self.grants.len();
        self.grants.push(Grant { expiry: exp, delivered, token, next });
        if delivered < exp {
            later.push(Later::Use(place, delivered));
            for _ in 0..3 {
                later.push(Later::Use(place, delivered + up_to(exp - delivered)));
            }
        }
    }

    /// A holder uses a grant; an `Err` is a valid grant that was refused outside every window.
    pub fn used(&self, place: usize, clock: u64, holder: u64, service: u64) -> Result<bool, String> {
        let grant = &self.grants[place];
        if service >= grant.expiry + self.leeway {
            return Ok(false);
        }
        let next = grant.next.as_ref().filter(|(_, delivered, swap)| *delivered <= clock && holder >= *swap);
        let token = next.map_or(&grant.token, |(token, _, _)| token);
        let refused = if token.kid == self.loaded.0 {
            within_time(token, self.leeway, service).err()
        } else {
            Some("it has another key installed")
        };
        let printed = self.windows.iter().any(|(from, until)| (*from..=*until).contains(&clock));
        match refused {
            Some(why) if !printed => {
                Err(format!("a valid grant was refused at {clock}: {why} ({}, windows {:?})", token.kid, self.windows))
            }
            _ => Ok(true),
        }
    }
}
