//! Edits of the policy, restores and imported keys: what services are told must outlast all of them.

use std::collections::BTreeMap;

use coldsign::keystore::KeyState;
use coldsign::rotation::{Known, Out, Rules, Table, Timing};

use super::{DAY, Issued, World};
use crate::service::{Service, Token, Told};
use crate::signer;
use crate::without::Rule;

/// A backup: how many tokens it has, and what it knows of each key's tokens.
#[derive(Default)]
pub struct Backup {
    tokens: usize,
    last_expiries: BTreeMap<String, Option<u64>>,
}

/// A restore: when, and the services of the policy of that day.
pub struct Restored {
    at: u64,
    services: BTreeMap<usize, Timing>,
}

impl World<'_> {
    /// What a publication made now tells a service; nothing where the policy has it no more and no token needs it.
    pub(super) fn told(&self, service: usize, now: u64) -> Option<Told> {
        let found = &self.services[service];
        let mut out = self.out(service);
        out.retain(|(out, _)| self.rules.stays(&found.timing, out, now));
        if found.left && out.is_empty() {
            return None;
        }
        let reaches: Vec<Out> = out.iter().map(|(out, _)| *out).collect();
        Some(Told {
            leeway: found.timing.leeway,
            reach: self.rules.told_reach(self.rules.longest_reach(&found.timing), &reaches),
            validity: out.iter().map(|out| out.1).fold(self.rules.longest_validity(&found.timing), u64::max),
        })
    }

    /// The tokens of a service that are out as far as the journal knows, each with its exp − max(iat, nbf).
    fn out(&self, service: usize) -> Vec<(Out, u64)> {
        let of_token = |token: &Token| {
            let validity = token.exp - token.iat.max(token.nbf);
            (Out { until: token.exp, validity: token.exp - token.iat }, validity)
        };
        let its = self.tokens.iter().filter(|issued| issued.service == service);
        let journalled = its.filter(|issued| issued.journalled && issued.withdrawn.is_none());
        let mut out: Vec<(Out, u64)> = journalled.map(|issued| of_token(&issued.token)).collect();
        for restored in &self.restored {
            let timing = restored.services.get(&service);
            let lost = timing.and_then(|timing| self.rules.lost(timing, restored.at));
            out.extend(lost.map(|lost| (lost, lost.validity)));
        }
        if !self.rules.lacks(Rule::Elsewhere) {
            out.extend(self.elsewhere.iter().map(|out| (*out, out.validity)));
        }
        out
    }

    /// A new policy: other lifetimes, another backdating, other leeways; a service leaves or comes back.
    pub(super) fn edit(&mut self, now: u64) {
        self.counts.edits += 1;
        let before: Vec<Option<Timing>> =
            self.services.iter().map(|service| (!service.left).then_some(service.timing)).collect();
        if !self.chance.one_in(4) {
            let lifetime = self.chance.between(3_600, 20 * DAY);
            self.timing.longest_lifetime = lifetime;
            self.timing.longest_horizon = lifetime + self.chance.up_to(lifetime);
        }
        if self.chance.one_in(3) {
            self.timing.backdate = self.rules.least_backdate(&self.timing) + self.chance.up_to(3_600);
        }
        // Nobody who must confirm leaves, and one service stays.
        if self.series.verifiers.is_empty() && self.chance.one_in(2) {
            let service = self.chance.between(1, self.services.len() as u64 - 1) as usize;
            let left = !self.services[service].left;
            self.services[service].left = left;
            self.counts.departures += u64::from(left);
            self.counts.returns += u64::from(!left);
        }
        for (service, before) in before.into_iter().enumerate() {
            if self.services[service].left {
                continue;
            }
            let leeway = match self.chance.one_in(4) {
                true => self.chance.up_to(600),
                false => self.services[service].timing.leeway,
            };
            let timing = Timing { leeway, ..self.timing };
            let wider = before.is_none_or(|before| {
                Table.longest_reach(&timing) > Table.longest_reach(&before)
                    || Table.longest_validity(&timing) > Table.longest_validity(&before)
            });
            let publications = self.publications.len();
            self.services[service].promises(timing, wider.then_some(publications));
            // A token that is out is forgiven less from now on, and never more than it was.
            for issued in self.tokens.iter_mut().filter(|issued| issued.service == service) {
                issued.leeway = issued.leeway.min(leeway);
            }
        }
        self.timing.leeway = self.services.iter().map(|service| service.timing.leeway).max().unwrap_or(0);
        self.series.timing = self.timing;
        self.back_up();
        if !self.chance.one_in(3) {
            self.publish(now, false);
        }
    }

    /// Until when a service may refuse a token of its policy, because no publication can be counted on yet that tells
    /// it so: its policy has become wider, or it has come back.
    pub(super) fn wider_until(&self, service: &Service, now: u64) -> u64 {
        let Some(first) = service.widened else { return 0 };
        let mut held: Vec<u64> = self.publications.iter().skip(first).map(|publication| publication.made_at).collect();
        loop {
            match self.rules.known_everywhere(&self.timing, &held) {
                Known::From(at) => return at + self.timing.skew,
                _ => held.push(held.last().map_or(now, |last| (*last).max(now)) + self.timing.publish_every),
            }
        }
    }

    /// As `status` asks for: whenever keys, policy or publications have changed.
    pub(super) fn back_up(&mut self) {
        let keys = self.series.keys.iter();
        self.backup = Backup {
            tokens: self.tokens.len(),
            last_expiries: keys.map(|key| (key.kid.clone(), key.last_expiry)).collect(),
        };
    }

    /// The machine burns; the store comes back as it was at the newest backup. The tokens signed since are out.
    pub(super) fn restore(&mut self, now: u64) {
        let since = self.backup.tokens.min(self.tokens.len());
        for issued in self.tokens.iter_mut().skip(since) {
            issued.journalled = false;
            self.counts.forgotten += 1;
        }
        let told = self.services.iter().enumerate().filter(|(_, service)| !service.left);
        let services: BTreeMap<usize, Timing> = told.map(|(place, service)| (place, service.timing)).collect();
        let lost = services.values().filter_map(|timing| self.rules.lost(timing, now)).map(|lost| lost.until).max();
        for key in &mut self.series.keys {
            key.last_expiry = self.backup.last_expiries.get(&key.kid).copied().flatten();
            if matches!(key.state, KeyState::Active | KeyState::Suspended | KeyState::PreActivation) {
                key.last_expiry = key.last_expiry.max(lost);
            }
        }
        self.restored.push(Restored { at: now, services });
        self.counts.restores += 1;
    }

    /// The newest key was made elsewhere, and has signed tokens there: all that is known of them is how long they live.
    pub(super) fn import(&mut self, now: u64) {
        let Some(kid) = self.series.standby().map(|key| key.kid.clone()) else { return };
        let out = Out { until: now + self.chance.up_to(30 * DAY), validity: 60 + self.chance.up_to(40 * DAY) };
        if !self.rules.lacks(Rule::Elsewhere) {
            signer::key(&mut self.series, &kid).last_expiry = Some(out.until);
        }
        self.elsewhere.push(out);
        self.imported.insert(kid.clone());
        self.back_up();
        self.publish(now, false);
        let excused_until = self.series.will_be_known(self.rules, &kid, now) + self.timing.skew;
        for service in 0..self.services.len() {
            if self.services[service].left {
                continue;
            }
            let iat = now - self.timing.skew - self.chance.up_to(out.validity / 2);
            let exp = out.until.min(iat + out.validity);
            // Of nobody who is ever revoked here.
            let token = Token { kid: kid.clone(), subject: 50, iat, nbf: iat, exp };
            let leeway = self.services[service].timing.leeway;
            let issued =
                Issued { token, service, for_later: false, journalled: false, leeway, excused_until, withdrawn: None };
            self.used_until(issued);
            self.counts.elsewhere += 1;
        }
    }
}
