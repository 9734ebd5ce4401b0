//! Tokens: issued to whoever asks, used as early and as late as they may be.

use coldsign::rotation::{Bound, Rules};

use super::{Event, Issued, Withdrawal, World};
use crate::service::Token;
use crate::signer;
use crate::without::Rule;

impl World<'_> {
    pub(super) fn issue(&mut self, now: u64, subject: Option<u64>) {
        let Some(signing) = self.series.signing() else { return };
        let kid = signing.kid.clone();
        let service = self.chance.even(self.services.len() as u64 - 1) as usize;
        // The first one never leaves.
        let service = if self.services[service].left { 0 } else { service };
        let subject = subject.unwrap_or_else(|| self.chance.even(12));
        let cut_off = self.cut_offs.iter().filter(|(cut, _)| *cut == subject).map(|(_, at)| *at).max();
        let iat = self.rules.issued_at(&self.timing, now, cut_off);
        let ahead = self.timing.longest_horizon - self.timing.longest_lifetime;
        let for_later = ahead > 0 && self.chance.one_in(4);
        let start = if for_later { now + self.chance.up_to(ahead) } else { now };
        let nbf = if for_later { start.max(iat) } else { iat };
        let exp = start + 60 + self.chance.up_to(self.timing.longest_lifetime - 60);
        let delivered = !self.chance.one_in(4);
        if delivered || !self.rules.lacks(Rule::Undelivered) {
            let last = &mut signer::key(&mut self.series, &kid).last_expiry;
            *last = Some(last.map_or(exp, |last| last.max(exp)));
        }
        // After a revocation a new token is printed with the seconds until every clock has passed it.
        let cut = iat > now.saturating_sub(self.timing.backdate);
        let excused_until = self.window_until.max(if cut { iat + self.timing.skew } else { 0 });
        let excused_until = excused_until.max(self.wider_until(&self.services[service], now));
        let leeway = self.services[service].timing.leeway;
        let token = Token { kid, subject, iat, nbf, exp };
        let issued = Issued { token, service, for_later, journalled: true, leeway, excused_until, withdrawn: None };
        self.used_until(issued);
    }

    /// A token that somebody has, and uses to its end.
    pub(super) fn used_until(&mut self, issued: Issued) {
        let (exp, leeway) = (issued.token.exp, issued.leeway);
        let place = self.tokens.len();
        self.tokens.push(issued);
        self.counts.tokens += 1;
        let half = self.timing.skew / 2;
        let last = exp + leeway - 1;
        let middle = self.clock + self.chance.even(exp.saturating_sub(self.clock));
        for at in [self.clock, middle, last - half, last + half] {
            self.later(at.max(self.clock), Event::Use { token: place });
        }
    }

    pub(super) fn use_token(&mut self, place: usize) -> Result<(), String> {
        let clock = self.reading();
        let issued = &self.tokens[place];
        let service = &self.services[issued.service];
        let publication = &self.publications[service.loaded];
        let accepted = service.accepts(publication, &issued.token, clock);
        self.counts.uses += 1;
        let really = self.real.as_ref().and_then(|real| real.accepts(issued.service, &issued.token, clock));
        self.counts.real += u64::from(really.is_some());
        let tell = |what: &str| {
            Err(format!(
                "{what} at {} (its clock {clock}) by a {:?} that has publication {} of {}: {accepted:?} {:?}",
                self.clock,
                service.kind,
                service.loaded + 1,
                self.publications.len(),
                issued.token,
            ))
        };
        if really.is_some_and(|really| really != accepted.is_ok()) {
            return tell("the real gate said otherwise");
        }
        let accepted = accepted.and_then(|()| service.within_cap(publication, &issued.token));
        match (issued.withdrawn, accepted.is_ok()) {
            (Some(Withdrawal { bound: Bound::Until(bound), .. }), true) if clock > bound => {
                tell("a withdrawn token was accepted")
            }
            (Some(Withdrawal { publication: Some(first), .. }), true) if service.loaded >= first => {
                tell("a withdrawn token was accepted in spite of a publication")
            }
            (None, false) => {
                let ahead = issued.for_later && clock < issued.token.nbf;
                let told = publication.told[service.place].map_or(u64::MAX, |told| told.leeway);
                let over = clock >= issued.token.exp + issued.leeway.min(told);
                if ahead || over || self.clock <= issued.excused_until {
                    return Ok(());
                }
                tell("a valid token was refused")
            }
            _ => Ok(()),
        }
    }
}
