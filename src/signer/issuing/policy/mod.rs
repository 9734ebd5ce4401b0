//! `policy.toml`: what may be signed (normative page: `docs/formats/policy-v1.md`).
//!
//! A [`Policy`] exists only as the result of [`Policy::parse`]: whoever holds one holds a file
//! without a fault.

mod claims;
mod details;
mod diff;
pub mod duration;
mod fault;
mod keyset;
#[cfg(test)]
mod largest;
mod names;
mod role;
mod rules;
mod section;
mod service;
mod starter;

use std::collections::BTreeMap;

use coldsign_verify::escape::first_deceptive;
use toml::de::DeTable;

use crate::rotation::{self, Rules, Table};

pub use claims::{ClaimValue, FixedClaim};
pub use details::{MemberRule, PermittedDetail};
pub use diff::{Change, Effect, diff};
pub use fault::{Fault, PolicyFaults, Rule};
pub use keyset::Keyset;
pub use names::RESERVED;
pub use role::Role;
pub use section::Lines;
pub use service::{Consumer, CustomClaim, Export, KidForm, Left, Service, TokenForm};
pub use starter::{StarterKeyset, StarterKind, StarterPlan, StarterService, starter};

use section::{Report, Section};

/// The largest policy file, in bytes.
pub const LARGEST: usize = 1 << 20;

/// A policy without a fault.
#[derive(Debug, Clone)]
pub struct Policy {
    timing: Timing,
    distribution: Distribution,
    keysets: BTreeMap<String, Keyset>,
    services: BTreeMap<String, Service>,
}

/// Clock bounds, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// S: the largest difference between our clock and a verifier's.
    pub skew: u64,
    /// b: how far `iat` and `nbf` lie before the moment of issue.
    pub backdate: u64,
}

/// How public material travels, durations in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Distribution {
    /// P: the longest interval between two publications.
    pub publish_every: u64,
    /// D: publish done to file on the last machine.
    pub delivery: u64,
    /// L: file to the process's memory.
    pub reload: u64,
    /// m: sticks that may get lost in a row.
    pub lost_sticks: u64,
    /// D for what goes to the holders of tokens.
    pub delivery_to_holders: u64,
    /// B: how long a bundle is valid.
    pub bundle_lifetime: u64,
}

impl Default for Distribution {
    fn default() -> Self {
        Self {
            publish_every: 30 * 86_400,
            delivery: 14 * 86_400,
            reload: 86_400,
            lost_sticks: 1,
            delivery_to_holders: 14 * 86_400,
            bundle_lifetime: 120 * 86_400,
        }
    }
}

impl Policy {
    /// Reads a policy file; reports all its faults at once.
    pub fn parse(text: &str) -> Result<Self, PolicyFaults> {
        let mut report = Report::over(text);
        let policy = read(text, &mut report);
        match (policy, PolicyFaults::of(report.into_faults())) {
            (_, Some(faults)) => Err(faults),
            (policy, None) => Ok(policy),
        }
    }

    /// The same with further services: those that left it, and are told on.
    #[must_use]
    pub fn with(mut self, left: Vec<Service>) -> Self {
        self.services.extend(left.into_iter().map(|service| (service.name.clone(), service)));
        self
    }

    /// Clock bounds.
    pub fn timing(&self) -> Timing {
        self.timing
    }

    /// How public material travels.
    pub fn distribution(&self) -> Distribution {
        self.distribution
    }

    /// What rotation counts with for a keyset.
    pub fn rotation(&self, keyset: &str) -> rotation::Timing {
        self.rotation_with(self.keyset(keyset), self.services_of(keyset))
    }

    /// The same over a keyset and its services, which are at hand.
    fn rotation_with<'p>(
        &self,
        keyset: Option<&Keyset>,
        services: impl Iterator<Item = &'p Service>,
    ) -> rotation::Timing {
        let none = rotation::Timing {
            rotate_every: keyset.map_or(keyset::USUAL_ROTATION, |keyset| keyset.rotate_every),
            ..counted(self.timing, self.distribution)
        };
        services.fold(none, |timing, service| {
            // What left gets no tokens, but those that it has must end before their key does.
            let gets = |longest: u64| if service.left.is_none() { longest } else { 0 };
            rotation::Timing {
                longest_lifetime: timing.longest_lifetime.max(gets(service.longest_lifetime())),
                longest_horizon: timing.longest_horizon.max(gets(service.longest_horizon())),
                leeway: timing.leeway.max(service.leeway),
                ..timing
            }
        })
    }

    /// The keysets, by name.
    pub fn keysets(&self) -> impl Iterator<Item = &Keyset> {
        self.keysets.values()
    }

    /// The keyset of that name.
    pub fn keyset(&self, name: &str) -> Option<&Keyset> {
        self.keysets.get(name)
    }

    /// The services, by name.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.values()
    }

    /// The service of that name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.get(name)
    }

    /// The services whose tokens the keyset signs, by name.
    pub fn services_of<'p>(&'p self, keyset: &'p str) -> impl Iterator<Item = &'p Service> {
        self.services.values().filter(move |service| service.keyset == keyset)
    }
}

fn read(text: &str, report: &mut Report) -> Policy {
    let mut policy = Policy {
        timing: Timing { skew: 60, backdate: 60 },
        distribution: Distribution::default(),
        keysets: BTreeMap::new(),
        services: BTreeMap::new(),
    };
    if text.len() > LARGEST {
        report.fault(1, Rule::Syntax, format!("the file has {} bytes, {LARGEST} are allowed", text.len()));
        return policy;
    }
    // Comments too: whoever reads the file must see what stands in it.
    if let Some((character, line)) = first_deceptive(text) {
        let fact = format!("the character U+{:04X} would not be seen as it is", u32::from(character));
        report.fault(line, Rule::Text, fact);
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // A half-read file would show faults that aren't there: syntax first.
        for error in errors {
            let line = report.line(error.span().unwrap_or_default());
            report.fault(line, Rule::Syntax, format!("not TOML: {}", error.message().replace('\n', ", ")));
        }
        return policy;
    }
    let root = Section::new(String::new(), document.get_ref(), 1, report);
    root.only(&["format", "version", "timing", "distribution", "keysets", "services"], report);
    format(&root, report);
    timing(&root, &mut policy.timing, report);
    distribution(&root, policy.timing, &mut policy.distribution, report);
    let (keysets, unread) = keyset::read(&root, report);
    policy.keysets = keysets;
    policy.services = service::read(&root, report);
    rules::check(&policy, &unread, report);
    policy
}

fn format(root: &Section<'_>, report: &mut Report) {
    for field in ["format", "version"] {
        if !root.has(field) {
            report.fault(
                1,
                Rule::Format,
                format!("{field} is missing: a policy begins with format = \"coldsign-policy\" and version = 1"),
            );
        }
    }
    if let Some(format) = root.string("format", report)
        && format != "coldsign-policy"
    {
        report.fault(root.line_of("format"), Rule::Format, format!("format is {format:?}, not \"coldsign-policy\""));
    }
    if let Some(version) = root.integer("version", i64::MIN..=i64::MAX, report)
        && version != 1
    {
        let fact = format!("version is {version}, and this coldsign knows version 1 only");
        report.fault(root.line_of("version"), Rule::Format, fact);
    }
}

fn timing(root: &Section<'_>, timing: &mut Timing, report: &mut Report) {
    let Some(section) = root.section("timing", report) else { return };
    section.only(&["skew", "backdate"], report);
    timing.skew = section.duration("skew", 0, 3_600, report).unwrap_or(timing.skew);
    timing.backdate = section.duration("backdate", 0, 3_600, report).unwrap_or(timing.backdate);
    let counted = counted(*timing, Distribution::default());
    if timing.backdate < Table.least_backdate(&counted) {
        let field = if section.has("backdate") { "backdate" } else { "skew" };
        let fact = format!(
            "backdate ({}) is less than skew ({}): a verifier whose clock is behind would refuse a fresh token",
            duration::words(timing.backdate),
            duration::words(timing.skew)
        );
        report.fault(section.line_of(field), Rule::Backdate, fact);
    }
}

fn distribution(root: &Section<'_>, timing: Timing, distribution: &mut Distribution, report: &mut Report) {
    let Some(section) = root.section("distribution", report) else { return };
    const FIELDS: [&str; 6] =
        ["publish_every", "delivery", "delivery_to_holders", "reload", "lost_sticks", "bundle_lifetime"];
    section.only(&FIELDS, report);
    let put = |field: &str, place: &mut u64, report: &mut Report| {
        *place = section.duration(field, 0, duration::LONGEST, report).unwrap_or(*place);
    };
    put("publish_every", &mut distribution.publish_every, report);
    put("delivery", &mut distribution.delivery, report);
    put("reload", &mut distribution.reload, report);
    // Where nothing else is said, holders wait as long as services.
    distribution.delivery_to_holders = distribution.delivery;
    put("delivery_to_holders", &mut distribution.delivery_to_holders, report);
    put("bundle_lifetime", &mut distribution.bundle_lifetime, report);
    if let Some(sticks) = section.integer("lost_sticks", 0..=12, report) {
        distribution.lost_sticks = sticks.unsigned_abs();
    }
    let least = Table.least_bundle_lifetime(&counted(timing, *distribution));
    if distribution.bundle_lifetime < least {
        let fact = format!(
            "bundle_lifetime ({}) is less than (1 + lost_sticks) × publish_every + delivery + reload + skew ({}): \
             healthy verifiers would be left without a bundle",
            duration::words(distribution.bundle_lifetime),
            duration::words(least)
        );
        let fields = ["bundle_lifetime", "publish_every", "lost_sticks", "delivery"];
        let field = fields.into_iter().find(|field| section.has(field)).unwrap_or("reload");
        report.fault(section.line_of(field), Rule::BundleLifetime, fact);
    }
}

/// What rotation counts with, as far as it is the same for all keysets.
fn counted(timing: Timing, distribution: Distribution) -> rotation::Timing {
    rotation::Timing {
        publish_every: distribution.publish_every,
        lost_sticks: distribution.lost_sticks,
        delivery: distribution.delivery,
        delivery_to_holders: distribution.delivery_to_holders,
        reload: distribution.reload,
        skew: timing.skew,
        backdate: timing.backdate,
        bundle_lifetime: distribution.bundle_lifetime,
        longest_lifetime: 0,
        longest_horizon: 0,
        leeway: 0,
        rotate_every: keyset::USUAL_ROTATION,
    }
}

#[cfg(test)]
mod tests;
