//! Publications: what is in one, and how its sticks travel.

use coldsign::keystore::KeyState;
use coldsign::rotation::Rules;

use super::{DAY, Event, World};
use crate::service::Publication;

impl World<'_> {
    pub(super) fn publish(&mut self, now: u64, hide_standby: bool) {
        let holds = |state: &KeyState| match state {
            KeyState::PreActivation => !hide_standby,
            KeyState::Active | KeyState::Suspended => true,
            KeyState::Deactivated { verify_until } => now < *verify_until,
            KeyState::Compromised | KeyState::Destroyed => false,
        };
        let keys = self.series.keys.iter().filter(|key| holds(&key.state) && !self.taken_out.contains(&key.kid));
        let kids: Vec<String> = keys.map(|key| key.kid.clone()).collect();
        let ends = self.ends();
        if self.publications.is_empty() {
            self.root_expiry = now + self.timing.bundle_lifetime + self.chance.up_to(60 * DAY);
        }
        let bundle_expiry = match self.rules.bundle_expiry(&self.timing, now, self.root_expiry) {
            Ok(expiry) => expiry,
            Err(_) => {
                self.root_expiry = now + self.timing.bundle_lifetime + self.chance.up_to(60 * DAY);
                now + self.timing.bundle_lifetime
            }
        };
        self.series.publications.push((now, kids.clone()));
        self.publications.push(Publication {
            made_at: now,
            kids,
            ends,
            bundle_expiry,
            root_expiry: self.root_expiry,
            cut_offs: self.cut_offs.clone(),
            told: (0..self.services.len()).map(|service| self.told(service, now)).collect(),
        });
        self.back_up();
        if let (Some(real), Some(publication)) = (&mut self.real, self.publications.last()) {
            real.publish(publication);
        }
        self.counts.publications += 1;
        let publication = self.publications.len() - 1;
        for service in 0..self.services.len() {
            if self.services[service].lost_in_a_row < self.timing.lost_sticks && self.chance.one_in(3) {
                self.services[service].lost_in_a_row += 1;
                self.counts.lost += 1;
                continue;
            }
            self.services[service].lost_in_a_row = 0;
            let arrives = self.clock + self.chance.up_to(self.timing.delivery);
            self.later(arrives, Event::Arrive { service, publication });
            if self.chance.one_in(8) {
                let old = self.chance.even(publication as u64) as usize;
                let found = self.clock + self.chance.up_to(2 * self.timing.publish_every);
                self.counts.old_sticks += 1;
                self.later(found, Event::Arrive { service, publication: old });
            }
        }
    }

    /// When certificates say that a key's time is over: as planned, and no narrower policy shortens that. An imported
    /// key is needed for its tokens, whatever the plan.
    fn ends(&mut self) -> Vec<(String, u64)> {
        for key in &self.series.keys {
            let Some(at) = key.activated_at else { continue };
            let needed = self.rules.removal(&self.timing, key.last_expiry).filter(|_| self.imported.contains(&key.kid));
            let end = self.timing.planned_end(at).max(needed.unwrap_or(0));
            let planned = self.planned.entry(key.kid.clone()).or_insert(end);
            *planned = end.max(*planned);
        }
        self.planned.iter().map(|(kid, end)| (kid.clone(), *end)).collect()
    }

    /// For one publication the policy has no service that would want a standby.
    pub(super) fn edit_that_hides_the_standby(&mut self, now: u64) {
        let Some(signing) = self.series.signing() else { return };
        let time_left = self.series.last_sign(self.rules, signing).unwrap_or(0).saturating_sub(now);
        let needed = 2 * self.timing.longest_silence() + self.timing.notice();
        // A key with tokens out is published from the day it is taken in.
        let imported = self.series.standby().is_some_and(|standby| self.imported.contains(&standby.kid));
        if !imported && time_left > needed && now > self.window_until {
            self.publish(now, true);
        }
    }
}
