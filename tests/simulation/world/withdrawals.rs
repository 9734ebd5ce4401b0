//! What is taken back: a subject's tokens, a key in the wrong hands, and what a thief makes of it.

use coldsign::keystore::KeyState;
use coldsign::rotation::{Bound, Withdrawn, exposure};

use super::{Event, Withdrawal, World};
use crate::service::{Kind, Token};
use crate::signer;

impl World<'_> {
    pub(super) fn revoke(&mut self, now: u64) {
        let subject = self.chance.even(12);
        self.cut_offs.push((subject, now));
        let mut uses = Vec::new();
        let ends = self.bundles_end();
        for place in 0..self.tokens.len() {
            let issued = &self.tokens[place];
            if issued.token.subject == subject && issued.token.iat <= now && issued.withdrawn.is_none() {
                let service = &self.services[issued.service];
                let what = Withdrawn::Token(issued.token.exp);
                let bound = exposure(ends, self.timing.skew, service.reader(), service.widest_leeway, what);
                let publication = (service.kind == Kind::Gate).then_some(self.publications.len());
                self.tokens[place].withdrawn = Some(Withdrawal { bound, publication });
                uses.push(place);
            }
        }
        for token in uses {
            let at = self.clock + self.chance.up_to(self.timing.bundle_lifetime + self.timing.skew);
            self.later(at, Event::Use { token });
        }
        self.counts.revocations += 1;
        self.publish(now, false);
        self.issue(now, Some(subject));
    }

    /// The signing key is in the wrong hands.
    pub(super) fn emergency(&mut self, now: u64) {
        let Some(stolen) = self.series.signing().map(|key| key.kid.clone()) else { return };
        self.counts.emergencies += 1;
        let first = self.publications.len();
        let ends = self.bundles_end();
        signer::key(&mut self.series, &stolen).state = KeyState::Compromised;
        for issued in self.tokens.iter_mut().filter(|issued| issued.token.kid == stolen && issued.withdrawn.is_none()) {
            let service = &self.services[issued.service];
            let bound = exposure(ends, self.timing.skew, service.reader(), service.widest_leeway, Withdrawn::Key);
            issued.withdrawn = Some(Withdrawal { bound, publication: Some(first) });
        }
        if self.series.standby().is_none() {
            signer::generate(&mut self.series, now);
        }
        let next = self.series.standby().expect("a standby").kid.clone();
        signer::activate(&mut self.series, &next, now);
        self.publish(now, false);
        let known = self.series.will_be_known(self.rules, &next, now);
        if known > now {
            self.window_until = self.window_until.max(known + self.timing.skew);
        }
        let theft = self.thefts.len();
        self.thefts.push((stolen, ends, first));
        for service in 0..self.services.len() {
            for _ in 0..3 {
                let at = self.clock + self.chance.up_to(self.timing.bundle_lifetime + 2 * self.timing.skew + 60);
                self.later(at, Event::Forge { service, theft });
            }
        }
    }

    /// When the last bundle ends that was signed until now.
    fn bundles_end(&self) -> u64 {
        self.publications.iter().map(|publication| publication.bundle_expiry).max().unwrap_or(0)
    }

    /// The thief makes a token that looks as fresh as any.
    pub(super) fn forge(&mut self, service: usize, theft: usize) -> Result<(), String> {
        let clock = self.reading();
        let (kid, ends, first) = self.thefts[theft].clone();
        let token = Token { kid, subject: 99, iat: clock, nbf: clock, exp: clock + self.timing.longest_lifetime };
        let really = self.real.as_ref().and_then(|real| real.accepts(service, &token, clock));
        self.counts.real += u64::from(really.is_some());
        let service = &self.services[service];
        let publication = &self.publications[service.loaded];
        self.counts.forged += 1;
        let accepted = service.accepts(publication, &token, clock);
        if really.is_some_and(|really| really != accepted.is_ok()) {
            return Err(format!("the real gate said otherwise of a forged token at {clock}: {accepted:?} {token:?}"));
        }
        if accepted.is_err() {
            return Ok(());
        }
        match exposure(ends, self.timing.skew, service.reader(), service.widest_leeway, Withdrawn::Key) {
            Bound::Until(bound) if clock <= bound && service.loaded < first => Ok(()),
            Bound::UntilReplaced if service.loaded < first => Ok(()),
            bound => Err(format!("a forged token was accepted at {clock}, {bound:?}")),
        }
    }
}
