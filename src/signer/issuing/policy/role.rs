//! Roles: named grants of one service.

use std::collections::BTreeMap;

use coldsign_verify::Profile;

use super::claims::{self, FixedClaim};
use super::details::{self, PermittedDetail};
use super::duration;
use super::fault::Rule;
use super::names;
use super::section::{Lines, Report, Section};
use super::service::{FORMS, TokenForm, only_fedn_has_client_yaml};

/// A role as the policy names it.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Its scopes, sorted.
    pub scopes: Vec<String>,
    /// In seconds, where none is asked for.
    pub default_lifetime: u64,
    /// T: the longest validity, in seconds.
    pub longest_lifetime: u64,
    /// H: the latest `exp`, in seconds after the moment of issue.
    pub longest_horizon: u64,
    /// RFC 7643 `groups`, sorted.
    pub groups: Vec<String>,
    /// RFC 7643 `roles`, sorted.
    pub roles: Vec<String>,
    /// RFC 7643 `entitlements`, sorted.
    pub entitlements: Vec<String>,
    /// `permissions`, sorted.
    pub permissions: Vec<String>,
    /// RFC 9396 authorization details.
    pub details: Vec<PermittedDetail>,
    /// Claims that every token of the role carries, by name.
    pub claims: Vec<FixedClaim>,
    /// The file a holder gets, where the policy says so.
    pub token_form: Option<TokenForm>,
    /// Where its fields stand.
    pub lines: Lines,
}

/// The fields of a role that become claims of the same name.
pub(super) const LISTS: [&str; 4] = ["roles", "groups", "entitlements", "permissions"];

const FIELDS: [&str; 12] = [
    "description",
    "scopes",
    "default_lifetime",
    "longest_lifetime",
    "longest_horizon",
    "groups",
    "roles",
    "entitlements",
    "permissions",
    "details",
    "claims",
    "token_form",
];
const USUAL_DEFAULT: u64 = 12 * 3_600;
const USUAL_LONGEST: u64 = 30 * 86_400;

impl Role {
    /// The list that becomes the claim of that name: `roles`, `groups`, `entitlements`, `permissions`.
    pub fn list(&self, claim: &str) -> &[String] {
        match claim {
            "roles" => &self.roles,
            "groups" => &self.groups,
            "entitlements" => &self.entitlements,
            "permissions" => &self.permissions,
            _ => &[],
        }
    }
}

/// Reads a service's roles; `taken` are claim names that its profile fills.
pub(super) fn read(
    service: &Section<'_>,
    profile: Option<Profile>,
    taken: &[&str],
    report: &mut Report,
) -> BTreeMap<String, Role> {
    let sections = service.sections("roles", report);
    sections.into_iter().map(|(name, section)| (name.to_owned(), role(name, section, profile, taken, report))).collect()
}

fn role(name: &str, section: Section<'_>, profile: Option<Profile>, taken: &[&str], report: &mut Report) -> Role {
    section.only(&FIELDS, report);
    if !names::is_role(name) {
        let fact =
            format!("{name:?} can't name a role: letters, digits and _ . : -, at most 64, a letter or digit in front");
        report.fault(section.line(), Rule::Name, fact);
    }
    let token_form = section.choice("token_form", &FORMS, report);
    if let Some(profile) = profile {
        belongs(&section, profile, report);
        only_fedn_has_client_yaml(&section, profile, token_form, report);
    }
    let [default_lifetime, longest_lifetime, longest_horizon] = lifetimes(&section, report);
    Role {
        name: name.to_owned(),
        description: section.text("description", report),
        scopes: scopes(&section, report),
        default_lifetime,
        longest_lifetime,
        longest_horizon,
        groups: section.texts("groups", report),
        roles: section.texts("roles", report),
        entitlements: section.texts("entitlements", report),
        permissions: section.texts("permissions", report),
        details: details::read(&section, report),
        claims: section.section("claims", report).map(|table| claims::read(&table, taken, report)).unwrap_or_default(),
        token_form,
        lines: section.into_lines(),
    }
}

fn belongs(section: &Section<'_>, profile: Profile, report: &mut Report) {
    let strange: &[&str] = match profile {
        Profile::Rfc9068 => &[],
        Profile::Plain => &["groups", "roles", "entitlements", "permissions", "details"],
        Profile::FlowKit => &["groups", "roles", "entitlements", "permissions", "details", "claims"],
        Profile::Fedn => &["scopes", "groups", "roles", "entitlements", "permissions", "details"],
    };
    for field in strange.iter().filter(|field| section.has(field)) {
        let fact = format!("{} has no place in the profile {}", section.dotted(field), profile);
        report.fault(section.line_of(field), Rule::WrongProfile, fact);
    }
}

fn lifetimes(section: &Section<'_>, report: &mut Report) -> [u64; 3] {
    let default = section.duration("default_lifetime", 1, duration::LONGEST, report);
    let longest = section.duration("longest_lifetime", 1, duration::LONGEST, report);
    let horizon = section.duration("longest_horizon", 1, duration::LONGEST, report);
    let longest = longest.unwrap_or(USUAL_LONGEST);
    if let Some(default) = default
        && default > longest
    {
        let fact = format!(
            "{} ({}) exceeds longest_lifetime ({})",
            section.dotted("default_lifetime"),
            duration::words(default),
            duration::words(longest)
        );
        report.fault(section.line_of("default_lifetime"), Rule::LifetimeOrder, fact);
    }
    if let Some(horizon) = horizon
        && horizon < longest
    {
        let fact = format!(
            "{} ({}) is less than longest_lifetime ({})",
            section.dotted("longest_horizon"),
            duration::words(horizon),
            duration::words(longest)
        );
        report.fault(section.line_of("longest_horizon"), Rule::LifetimeOrder, fact);
    }
    [default.unwrap_or(USUAL_DEFAULT.min(longest)), longest, horizon.unwrap_or(longest)]
}

fn scopes(section: &Section<'_>, report: &mut Report) -> Vec<String> {
    let mut scopes = Vec::new();
    for (scope, line) in section.strings("scopes", report).unwrap_or_default() {
        if names::is_scope(scope) {
            scopes.push(scope.to_owned());
        } else {
            let fact = format!(
                "{} holds {scope:?}, not a scope: printable ASCII without blank, quote and backslash, at most 255",
                section.dotted("scopes")
            );
            report.fault(line, Rule::ScopeSyntax, fact);
        }
    }
    scopes.sort();
    scopes
}
