//! Services: who accepts the tokens, and how it reads keys.

use std::collections::BTreeMap;
use std::fmt;

use coldsign_verify::Profile;

use super::fault::Rule;
use super::names;
use super::role::{self, Role};
use super::section::{Lines, Report, Section};

/// A service as the policy names it.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The claim layout of its tokens.
    pub profile: Profile,
    /// The keyset that signs them.
    pub keyset: String,
    /// The `aud` claim.
    pub audience: Option<String>,
    /// How many keys it holds.
    pub consumer: Consumer,
    /// Whether a revocation reaches it.
    pub sees_revocations: bool,
    /// The verifiers that must confirm a publication; empty where time alone decides.
    pub confirmed_by: Vec<String>,
    /// How much clock difference it forgives, in seconds.
    pub leeway: u64,
    /// The longest token it is given.
    pub max_token_bytes: usize,
    /// The `client_id` claim, where it isn't the subject.
    pub client_id: Option<String>,
    /// The file a holder gets, where the policy says so.
    pub token_form: Option<TokenForm>,
    /// How its keys are named.
    pub kid: KidForm,
    /// What a publication holds for it; never empty.
    pub export: Vec<Export>,
    /// FEDn's `FEDN_JWT_CUSTOM_CLAIM_KEY` and `_VALUE`.
    pub custom_claim: Option<CustomClaim>,
    /// Where FEDn's clients find the network.
    pub discover_host: Option<String>,
    /// The port there.
    pub discover_port: Option<u16>,
    /// Its roles, by name.
    pub roles: BTreeMap<String, Role>,
    /// Where its fields stand.
    pub lines: Lines,
    /// Whether it is in the policy no more, and told on for the sake of its tokens.
    pub left: Option<Left>,
}

/// When a service left the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// The place in the journal of the first policy without it.
    pub index: u64,
    /// When that was applied, in seconds since the epoch.
    pub at: u64,
    /// b of the last policy that had it.
    pub backdate: u64,
}

/// How a service holds keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consumer {
    /// Several at once: the old and the new during a rotation.
    Overlap,
    /// One: a rotation is a cutover.
    SingleKey,
}

/// The file a holder gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenForm {
    /// The token alone.
    Raw,
    /// An `Authorization` header.
    Header,
    /// Environment variables.
    Dotenv,
    /// What `fedn client start --init` reads.
    ClientYaml,
}

/// How a service names keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KidForm {
    /// RFC 7638.
    Thumbprint,
    /// A container registry's: base32 of the SHA-256 of the SPKI, in fours.
    Libtrust,
}

/// A kind of public material for a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Export {
    /// One JWKS with every key to be accepted.
    Jwks,
    /// A PEM file a key.
    SpkiPem,
    /// The same in base64, on one line.
    SpkiPemBase64,
    /// A JWKS a key.
    SingleJwks,
    /// A certificate a key.
    X509,
    /// The variables FEDn reads.
    FednEnv,
    /// The variables FlowAPI reads.
    FlowapiEnv,
}

/// A claim that FEDn compares with its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomClaim {
    /// Its name.
    pub name: String,
    /// Its value, a string.
    pub value: String,
}

const PROFILES: [(&str, Profile); 4] =
    [("rfc9068", Profile::Rfc9068), ("flowkit", Profile::FlowKit), ("fedn", Profile::Fedn), ("plain", Profile::Plain)];
const CONSUMERS: [(&str, Consumer); 2] = [("overlap", Consumer::Overlap), ("single-key", Consumer::SingleKey)];
const KIDS: [(&str, KidForm); 2] = [("thumbprint", KidForm::Thumbprint), ("libtrust", KidForm::Libtrust)];
const EXPORTS: [(&str, Export); 7] = [
    ("jwks", Export::Jwks),
    ("spki-pem", Export::SpkiPem),
    ("spki-pem-base64", Export::SpkiPemBase64),
    ("single-jwks", Export::SingleJwks),
    ("x509", Export::X509),
    ("fedn-env", Export::FednEnv),
    ("flowapi-env", Export::FlowapiEnv),
];
pub(super) const FORMS: [(&str, TokenForm); 4] = [
    ("raw", TokenForm::Raw),
    ("header", TokenForm::Header),
    ("dotenv", TokenForm::Dotenv),
    ("client.yaml", TokenForm::ClientYaml),
];

const FIELDS: [&str; 16] = [
    "profile",
    "keyset",
    "audience",
    "consumer",
    "sees_revocations",
    "confirmed_by",
    "leeway",
    "max_token_bytes",
    "client_id",
    "token_form",
    "kid",
    "export",
    "custom_claim",
    "discover_host",
    "discover_port",
    "roles",
];

impl Service {
    /// The most that `leeway` may be, in seconds.
    pub const LONGEST_LEEWAY: u64 = 600;

    /// The role of that name.
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.get(name)
    }

    /// H of the service: the latest `exp` of any role, in seconds after the moment of issue.
    pub fn longest_horizon(&self) -> u64 {
        self.roles.values().map(|role| role.longest_horizon).max().unwrap_or(0)
    }

    /// T of the service: the longest validity of any role, in seconds.
    pub fn longest_lifetime(&self) -> u64 {
        self.roles.values().map(|role| role.longest_lifetime).max().unwrap_or(0)
    }

    /// The file a holder of the role gets.
    pub fn form_of(&self, role: &Role) -> TokenForm {
        role.token_form.or(self.token_form).unwrap_or(match self.profile {
            Profile::Fedn if role.name == "client" => TokenForm::ClientYaml,
            Profile::Fedn => TokenForm::Dotenv,
            Profile::FlowKit => TokenForm::Raw,
            _ => TokenForm::Header,
        })
    }
}

impl TokenForm {
    /// Its name in the policy and on the command line.
    pub fn name(self) -> &'static str {
        name_of(&FORMS, self)
    }

    /// The form of that name.
    pub fn named(name: &str) -> Option<Self> {
        FORMS.iter().find(|(known, _)| *known == name).map(|(_, form)| *form)
    }
}

macro_rules! shown_by_name {
    ($($kind:ty: $names:ident),*) => {$(
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(name_of(&$names, *self))
            }
        }
    )*};
}
shown_by_name!(Consumer: CONSUMERS, TokenForm: FORMS, KidForm: KIDS, Export: EXPORTS);

fn name_of<T: PartialEq + Copy>(names: &[(&'static str, T)], value: T) -> &'static str {
    names.iter().find(|(_, known)| *known == value).map_or("unknown", |(name, _)| name)
}

pub(super) fn read(root: &Section<'_>, report: &mut Report) -> BTreeMap<String, Service> {
    let sections = root.sections("services", report);
    sections
        .into_iter()
        .filter_map(|(name, section)| Some((name.to_owned(), service(name, section, report)?)))
        .collect()
}

/// `None` where something without which nothing else can be checked is missing.
fn service(name: &str, section: Section<'_>, report: &mut Report) -> Option<Service> {
    section.only(&FIELDS, report);
    if !names::is_plain(name) {
        let fact = format!("{name:?} can't name a service: a-z, 0-9 and -, at most 64, no - in front");
        report.fault(section.line(), Rule::Name, fact);
    }
    let profile = profile(&section, report);
    section.required("keyset", report);
    let custom_claim = custom_claim(&section, report);
    let taken: Vec<&str> = match profile {
        Some(Profile::Rfc9068) => role::LISTS.to_vec(),
        _ => custom_claim.iter().map(|claim| claim.name.as_str()).collect(),
    };
    let roles = role::read(&section, profile, &taken, report);
    let keyset = section.string("keyset", report);
    let audience = section.text("audience", report);
    let consumer = section.choice("consumer", &CONSUMERS, report);
    let kid = section.choice("kid", &KIDS, report).unwrap_or(KidForm::Thumbprint);
    let token_form = section.choice("token_form", &FORMS, report);
    let sees_revocations = section.boolean("sees_revocations", report).unwrap_or(false);
    let confirmed_by = names::verifiers(&section, "confirmed_by", report);
    let leeway = section.duration("leeway", 0, Service::LONGEST_LEEWAY, report).unwrap_or(0);
    let max_token_bytes = section.integer("max_token_bytes", 512..=16_384, report);
    let client_id = section.text("client_id", report);
    let discover_host = discover_host(&section, report);
    let discover_port = section.integer("discover_port", 1..=65_535, report).and_then(|port| u16::try_from(port).ok());
    let profile = profile?;
    let consumer = consumer.unwrap_or(match profile {
        Profile::FlowKit | Profile::Fedn => Consumer::SingleKey,
        _ => Consumer::Overlap,
    });
    only_fedn_has_client_yaml(&section, profile, token_form, report);
    let default_bytes = match profile {
        Profile::Fedn => 8_192,
        Profile::FlowKit => 14_336,
        _ => 4_096,
    };
    Some(Service {
        name: name.to_owned(),
        export: exports(&section, profile, consumer, kid, report),
        profile,
        keyset: keyset?.to_owned(),
        audience,
        consumer,
        sees_revocations,
        confirmed_by,
        leeway,
        max_token_bytes: max_token_bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(default_bytes),
        client_id,
        token_form,
        kid,
        custom_claim,
        discover_host,
        discover_port,
        roles,
        lines: section.into_lines(),
        left: None,
    })
}

/// The profile, `None` if it is unknown; reports fields that it doesn't have and needs.
fn profile(section: &Section<'_>, report: &mut Report) -> Option<Profile> {
    let profile = match section.has("profile") {
        true => section.choice("profile", &PROFILES, report)?,
        false => Profile::Rfc9068,
    };
    belongs(section, profile, report);
    if matches!(profile, Profile::Rfc9068 | Profile::FlowKit) {
        section.required("audience", report);
    }
    Some(profile)
}

fn belongs(section: &Section<'_>, profile: Profile, report: &mut Report) {
    for (field, profiles) in [
        ("audience", &[Profile::Rfc9068, Profile::FlowKit, Profile::Plain][..]),
        ("client_id", &[Profile::Rfc9068]),
        ("kid", &[Profile::Plain]),
        ("custom_claim", &[Profile::Fedn]),
        ("discover_host", &[Profile::Fedn]),
        ("discover_port", &[Profile::Fedn]),
    ] {
        let harmless = field == "kid" && section.value("kid").and_then(|v| v.as_str()) == Some("thumbprint");
        if section.has(field) && !profiles.contains(&profile) && !harmless {
            let fact = format!("{} has no place in the profile {}", section.dotted(field), profile);
            report.fault(section.line_of(field), Rule::WrongProfile, fact);
        }
    }
}

fn custom_claim(section: &Section<'_>, report: &mut Report) -> Option<CustomClaim> {
    let table = section.section("custom_claim", report)?;
    table.only(&["name", "value"], report);
    table.required("name", report);
    table.required("value", report);
    let name = table.text("name", report);
    let value = table.text("value", report);
    let name = name?;
    if names::RESERVED.contains(&name.as_str()) {
        let fact = format!("the claim {name} is filled by coldsign and can't be fixed");
        report.fault(table.line_of("name"), Rule::ReservedClaim, fact);
    } else if !names::is_claim(&name) {
        report.fault(table.line_of("name"), Rule::Claim, format!("{name:?} can't be the name of a claim"));
    }
    let value = value?;
    // FEDn reads it from an environment file, where not every reader takes quotes and dollars alike.
    for (field, text) in [("name", &name), ("value", &value)] {
        if text.is_empty() || !text.chars().all(|c| c.is_ascii_alphanumeric() || "._:/@%+,=-".contains(c)) {
            let fact = format!("{text:?} can't stand in an environment file: letters, digits and ._:/@%+,=- only");
            report.fault(table.line_of(field), Rule::Text, fact);
        }
    }
    Some(CustomClaim { name, value })
}

fn discover_host(section: &Section<'_>, report: &mut Report) -> Option<String> {
    let host = section.text("discover_host", report)?;
    if !host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/[]%".contains(&b)) {
        let fact = format!("{} is {host:?}, not a host or an address", section.dotted("discover_host"));
        report.fault(section.line_of("discover_host"), Rule::Text, fact);
    }
    Some(host)
}

pub(super) fn only_fedn_has_client_yaml(
    section: &Section<'_>,
    profile: Profile,
    form: Option<TokenForm>,
    report: &mut Report,
) {
    if form == Some(TokenForm::ClientYaml) && profile != Profile::Fedn {
        let fact =
            format!("{} is client.yaml, which has no place in the profile {}", section.dotted("token_form"), profile);
        report.fault(section.line_of("token_form"), Rule::WrongProfile, fact);
    }
}

fn exports(
    section: &Section<'_>,
    profile: Profile,
    consumer: Consumer,
    kid: KidForm,
    report: &mut Report,
) -> Vec<Export> {
    let usual = match (profile, kid, consumer) {
        (Profile::Fedn, _, _) => vec![Export::FednEnv, Export::SpkiPem],
        (Profile::FlowKit, _, _) => vec![Export::FlowapiEnv, Export::SpkiPem],
        (_, KidForm::Libtrust, _) => vec![Export::X509],
        (Profile::Plain, _, Consumer::SingleKey) => vec![Export::SingleJwks],
        _ => vec![Export::Jwks],
    };
    let written = section.choices("export", &EXPORTS, report);
    if written.as_ref().is_some_and(Vec::is_empty)
        && section.value("export").and_then(|v| v.as_array()).is_some_and(|a| a.is_empty())
    {
        let fact = format!("{} is empty: a service that gets no key accepts no token", section.dotted("export"));
        report.fault(section.line_of("export"), Rule::Missing, fact);
    }
    let implied = || usual.iter().map(|export| (*export, section.line_of("consumer"))).collect();
    let placed = written.unwrap_or_else(implied);
    for (export, line) in &placed {
        let home = match export {
            Export::FednEnv => Some(Profile::Fedn),
            Export::FlowapiEnv => Some(Profile::FlowKit),
            _ => None,
        };
        let one_key = home.is_some() || *export == Export::SingleJwks;
        if home.is_some_and(|home| home != profile) {
            let fact = format!("the export {export} has no place in the profile {}", profile);
            report.fault(*line, Rule::WrongProfile, fact);
        } else if one_key && consumer == Consumer::Overlap {
            let fact = format!("the export {export} holds one key, and {} is an overlap consumer", section.path());
            report.fault(*line, Rule::Consumer, fact);
        }
    }
    placed.into_iter().map(|(export, _)| export).collect()
}
