//! What an edit of the policy does to tokens that are out: how many, of which service, and how.

use crate::acts::series::installed;
use crate::acts::{Store, told};
use crate::issuing::Policy;
use crate::issuing::policy::{Consumer, Role, Service};
use crate::issuing::record::TokenRecord;
use crate::refusal::Refusal;
use coldsign_verify::UnixTime;
use std::collections::HashMap;

/// Tokens of a service that are out and that an edit touches in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affected {
    /// The service.
    pub service: String,
    /// What changes: a field of the policy, `service` where it leaves, or `role`.
    pub what: &'static str,
    /// How many tokens.
    pub tokens: usize,
    /// When the last of them expires, in seconds since the epoch.
    pub until: u64,
    /// Whether the service refuses them once it installs the next publication. Else they stay valid.
    pub refused: bool,
    /// A sentence without a full stop.
    pub words: String,
}

/// What applying `edited` does to tokens that are out, by service. Only what differs from what services are told now.
///
/// # Errors
/// As the store refuses.
pub fn affected(store: &Store, edited: &Policy, now: u64) -> Result<Vec<Affected>, Refusal> {
    let told = told::policy(store, now)?;
    let mut issued_under: HashMap<&str, Policy> = HashMap::new();
    let mut affected = Vec::new();
    for old in told.services() {
        let tokens: Vec<&TokenRecord> = told::issued(store, &told, old, now).collect();
        if tokens.is_empty() {
            continue;
        }
        for token in &tokens {
            let sha256 = token.issued.policy.as_str();
            if !issued_under.contains_key(sha256)
                && let Some(record) = store.ledger().policies.by_sha256(sha256)
            {
                issued_under.insert(sha256, Policy::parse(&store.policy_text(record)?)?);
            }
        }
        let tokens: Vec<Out<'_>> = tokens
            .into_iter()
            .map(|token| {
                let policy = issued_under.get(token.issued.policy.as_str());
                let backdate = policy.unwrap_or(&told).timing().backdate;
                Out { token, under: policy.and_then(|policy| policy.service(&old.name)).unwrap_or(old), backdate }
            })
            .collect();
        let mut edit = Edit { store, old, tokens, now, affected: &mut affected };
        match edited.service(&old.name) {
            Some(new) => edit.changes(new),
            None => edit.leaves(edited),
        }
    }
    Ok(affected)
}

/// A token that is out, and its service as the policy of its issue had it.
struct Out<'a> {
    token: &'a TokenRecord,
    under: &'a Service,
    /// b of that policy.
    backdate: u64,
}

/// The edit of one service.
struct Edit<'a> {
    store: &'a Store,
    /// As services are told now.
    old: &'a Service,
    tokens: Vec<Out<'a>>,
    now: u64,
    affected: &'a mut Vec<Affected>,
}

impl Edit<'_> {
    /// Notes the tokens that it touches; `words` is given how many these are, the service, and their end.
    fn note(
        &mut self,
        what: &'static str,
        refused: bool,
        touched: impl Fn(&Out<'_>) -> bool,
        words: impl Fn(&str, &str, UnixTime) -> String,
    ) {
        let touched: Vec<&Out<'_>> = self.tokens.iter().filter(|out| touched(out)).collect();
        let Some(until) = touched.iter().map(|out| out.token.issued.exp).max() else { return };
        let service = self.old.name.clone();
        let many = match touched.len() {
            1 => format!("1 living token of {service}"),
            many => format!("{many} living tokens of {service}"),
        };
        let words = words(&many, &service, UnixTime(until));
        self.affected.push(Affected { service, what, tokens: touched.len(), until, refused, words });
    }

    /// Tokens that the service refuses from the next publication on.
    fn refuses(&mut self, what: &'static str, touched: impl Fn(&Out<'_>) -> bool, how: &str) {
        self.note(what, true, touched, |many, service, _| {
            format!("{many} {how}; {service} will refuse them once it installs the next publication")
        });
    }

    fn leaves(&mut self, edited: &Policy) {
        if self.old.left.is_none() {
            self.note(
                "service",
                false,
                |_| true,
                |many, service, until| {
                    format!("{many} stay valid until {until}: publications hold what {service} needs until then")
                },
            );
        }
        // Nothing but keyset and audience tells the tokens of two services apart.
        let old = self.old;
        let alike = |new: &&Service| old.audience.is_none() || new.audience == old.audience;
        for new in edited.services_of(&old.keyset).filter(alike) {
            self.note(
                "audience",
                false,
                |_| true,
                |_, service, until| {
                    format!(
                        "until {until} {service} accepts tokens of {} too: the same keyset, the same audience",
                        new.name
                    )
                },
            );
        }
    }

    fn changes(&mut self, new: &Service) {
        let old = self.old;
        if old.profile != new.profile {
            self.refuses("profile", |out| out.under.profile != new.profile, "have the old profile");
        }
        if old.audience != new.audience {
            self.refuses("audience", |out| out.under.audience != new.audience, "carry the old audience");
        }
        if old.custom_claim != new.custom_claim && new.custom_claim.is_some() {
            let lacks = |out: &Out<'_>| out.under.custom_claim != new.custom_claim;
            self.refuses("custom_claim", lacks, "lack the new custom claim");
        }
        if old.kid != new.kid {
            self.refuses("kid", |out| out.under.kid != new.kid, "name their key in the old way");
        }
        let (store, keys) = (self.store, &self.store.ledger().keys);
        if old.keyset != new.keyset {
            let keyset = |out: &Out<'_>| keys.by_kid(&out.token.issued.kid).map(|key| key.keyset.as_str());
            let how = format!("are signed by keys of {}", old.keyset);
            self.refuses("keyset", |out| keyset(out) != Some(&new.keyset), &how);
        } else if new.consumer == Consumer::SingleKey && (old.consumer == Consumer::Overlap || old.left.is_some()) {
            let held = installed(store, new).map(|key| key.kid.as_str());
            let other = |out: &Out<'_>| Some(out.token.issued.kid.as_str()) != held;
            self.refuses("consumer", other, "are signed by another key than the one it will hold");
        }
        if new.leeway < old.leeway {
            let seconds = old.leeway - new.leeway;
            self.note(
                "leeway",
                false,
                |_| true,
                |many, service, _| {
                    format!("{many} end up to {seconds} s sooner, where the clock of {service} is ahead")
                },
            );
        }
        for role in old.roles.values() {
            self.role(new, role);
        }
    }

    fn role(&mut self, new: &Service, old: &Role) {
        let name = &old.name;
        let has = |out: &Out<'_>| out.token.issued.roles.contains(name);
        let Some(new) = new.role(name) else {
            self.note("role", false, has, |many, _, until| {
                format!("{many} have the role {name}, which is issued no more; they stay valid until {until}")
            });
            return;
        };
        if new.longest_lifetime < old.longest_lifetime || new.longest_horizon < old.longest_horizon {
            let latest = self.now.saturating_add(new.longest_horizon);
            let longer = |out: &Out<'_>| {
                let issued = &out.token.issued;
                let lifetime = issued.exp.saturating_sub(issued.nbf).saturating_sub(out.backdate);
                has(out) && (lifetime > new.longest_lifetime || issued.exp > latest)
            };
            self.note("longest_lifetime", false, longer, |many, service, until| {
                format!(
                    "{many} live longer than {name} allows now; they stay valid, and {service} is told so until {until}"
                )
            });
        }
        let more = |out: &Out<'_>| has(out) && out.under.role(name).unwrap_or(old).gives_more_than(new);
        if old.gives_more_than(new) {
            self.note("role", false, more, |many, _, until| format!("{many} keep what {name} loses until {until}"));
        }
    }
}
