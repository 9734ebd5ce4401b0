//! Drafts: the claims of one token, why each is there, before anything is signed.

use std::borrow::Cow;

use coldsign_verify::{Profile, UnixTime};
use serde_json::{Map, Value};

use super::denied::{Asked, Denied};
use super::policy::{Policy, Role, Service};
use super::profiles;
use super::text::{self, TextFault};
use crate::rotation::{Rules, Table};

/// The largest time a token may hold: 2^53 − 1, exact in every JSON reader (RFC 8259 §6).
const LATEST: u64 = (1 << 53) - 1;

/// What an operator asks for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The service.
    pub service: String,
    /// Its roles; at least one.
    pub roles: Vec<String>,
    /// Whom the token is about.
    pub subject: String,
    /// In seconds; the role's default without.
    pub lifetime: Option<u64>,
    /// When it begins to be valid; at once without.
    pub not_before: Option<UnixTime>,
    /// Only these of the roles' scopes; all of them if empty.
    pub scopes: Vec<String>,
    /// An RFC 9396 array of objects that the roles permit; what the roles have without.
    pub details: Option<Value>,
    /// The newest cut-off that touches the token: its `iat` lies after it.
    pub cut_off: Option<UnixTime>,
    /// The RFC 9449 thumbprint of the key that the holder has to prove.
    pub cnf_jkt: Option<String>,
    /// Whether a token about the subject is out: what stands for it is about the same text, whatever
    /// that is.
    pub known_subject: bool,
}

/// A token's claims, ready to be signed.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The header's `typ`.
    pub typ: &'static str,
    /// What was asked for: service, roles, subject.
    pub asked: Asked,
    /// The service's profile.
    pub profile: Profile,
    /// The keyset that has to sign it.
    pub keyset: String,
    /// Its id.
    pub jti: String,
    /// The claims, in the order emitted.
    pub claims: Vec<(String, Value)>,
    /// The same as the JSON text to be signed.
    pub claims_json: Vec<u8>,
    /// Why each claim is there, in the same order.
    pub reasons: Vec<Reason>,
    /// `iat`.
    pub issued_at: UnixTime,
    /// `nbf`.
    pub not_before: UnixTime,
    /// `exp`.
    pub expires_at: UnixTime,
    /// Claims that roles and policy alone don't determine; `user_claims` uncompressed.
    pub undetermined: Map<String, Value>,
    /// The longest token the service takes, and where the policy says so.
    pub max_token_bytes: (usize, usize),
}

/// Why a claim is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The claim.
    pub claim: String,
    /// What it stands for, and the line of the policy where one allows it.
    pub why: Cow<'static, str>,
}

impl Draft {
    /// The claims as a JSON object.
    pub fn claims_map(&self) -> Map<String, Value> {
        self.claims.iter().cloned().collect()
    }

    /// Whether these are exactly the claims drafted.
    pub fn is_of(&self, claims: &Map<String, Value>) -> bool {
        let drafted = |name: &String| self.claims.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        claims.len() == self.claims.len() && claims.iter().all(|(name, value)| drafted(name) == Some(value))
    }
}

/// Drafts the token that `request` asks for, or says which rule forbids it.
///
/// `issuer` is the store's; `now` is the moment of issue; `jti` is unique and random.
pub fn draft(policy: &Policy, issuer: &str, request: &Request, now: UnixTime, jti: &str) -> Result<Draft, Denied> {
    let asked = Asked::from(request);
    check_subject(&asked, request.known_subject)?;
    let (service, roles) = find(policy, &asked)?;
    let grant = Grant {
        service,
        roles: &roles,
        request,
        asked: &asked,
        issuer,
        jti,
        times: times(policy, (service, &roles), request, &asked, now)?,
    };
    let mut claims = Claims::default();
    profiles::lay_out(&grant, &mut claims)?;
    Ok(claims.into_draft(&grant))
}

/// Accepts a new subject as the format page's §6 has it; of a known one only that there is any.
fn check_subject(asked: &Asked, known: bool) -> Result<(), Denied> {
    let fault = match text::check_name(&asked.subject) {
        Ok(()) => return Ok(()),
        Err(TextFault::Invisible { .. } | TextFault::NotNfc { .. }) if known => return Ok(()),
        Err(fault) => fault,
    };
    Err(Denied::Subject { asked: asked.clone().into(), fault })
}

/// What is granted, all names resolved.
pub(super) struct Grant<'a> {
    pub(super) service: &'a Service,
    pub(super) roles: &'a [&'a Role],
    pub(super) request: &'a Request,
    pub(super) asked: &'a Asked,
    pub(super) issuer: &'a str,
    pub(super) jti: &'a str,
    pub(super) times: Times,
}

/// A token's times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) issued_at: u64,
    pub(super) not_before: u64,
    pub(super) expires_at: u64,
}

pub(super) fn find<'p>(policy: &'p Policy, asked: &Asked) -> Result<(&'p Service, Vec<&'p Role>), Denied> {
    let Some(service) = policy.service(&asked.service) else {
        let known: Vec<String> = policy.services().map(|service| service.name.clone()).collect();
        let nearest = text::nearest(&asked.service, known.iter().map(String::as_str));
        return Err(Denied::ServiceUnknown { asked: asked.clone().into(), nearest, known });
    };
    let count = |fact| Err(Denied::RoleCount { asked: asked.clone().into(), fact });
    let mut roles: Vec<&Role> = Vec::new();
    for name in &asked.roles {
        let Some(role) = service.role(name) else {
            let known: Vec<String> = service.roles.keys().cloned().collect();
            let nearest = text::nearest(name, known.iter().map(String::as_str));
            let line = service.lines.section();
            return Err(Denied::RoleUnknown { asked: asked.clone().into(), role: name.clone(), nearest, known, line });
        };
        if roles.iter().any(|known| known.name == role.name) {
            return count("a role is named twice");
        }
        roles.push(role);
    }
    match (roles.len(), service.profile) {
        (0, _) => count("no role is named"),
        (2.., Profile::Fedn) => count("FEDn compares one role, so a token has one"),
        _ => Ok((service, roles)),
    }
}

fn times(
    policy: &Policy,
    (service, roles): (&Service, &[&Role]),
    request: &Request,
    asked: &Asked,
    now: UnixTime,
) -> Result<Times, Denied> {
    let out_of_range = || Denied::Time { asked: asked.clone().into() };
    let strictest =
        |field: fn(&Role) -> u64| roles.iter().min_by_key(|role| field(role)).copied().ok_or_else(out_of_range);
    let lifetime = match request.lifetime {
        Some(lifetime) => lifetime,
        None => strictest(|role| role.default_lifetime)?.default_lifetime,
    };
    let bound = strictest(|role| role.longest_lifetime)?;
    if lifetime == 0 {
        return Err(Denied::NoLifetime { asked: asked.clone().into() });
    }
    if lifetime > bound.longest_lifetime {
        return Err(Denied::Lifetime {
            asked: asked.clone().into(),
            lifetime,
            longest: bound.longest_lifetime,
            role: bound.name.clone(),
            line: bound.lines.of("longest_lifetime"),
        });
    }
    if now.0 < policy.timing().backdate {
        return Err(out_of_range());
    }
    let issued_at = Table.issued_at(&policy.rotation(&service.keyset), now.0, request.cut_off.map(|time| time.0));
    let start = request.not_before.map_or(now.0, |time| time.0);
    let not_before = request.not_before.map_or(issued_at, |time| time.0);
    let expires_at = start.checked_add(lifetime).filter(|end| *end <= LATEST).ok_or_else(out_of_range)?;
    if not_before < issued_at || expires_at <= now.0 {
        return Err(Denied::NotBefore {
            asked: asked.clone().into(),
            not_before: UnixTime(not_before),
            earliest: UnixTime(issued_at.max(now.0.saturating_sub(lifetime))),
        });
    }
    let bound = strictest(|role| role.longest_horizon)?;
    let ahead = expires_at.saturating_sub(now.0);
    if ahead > bound.longest_horizon {
        return Err(Denied::Horizon {
            asked: asked.clone().into(),
            expires_at: UnixTime(expires_at),
            ahead,
            horizon: bound.longest_horizon,
            line: bound.lines.of("longest_horizon"),
        });
    }
    Ok(Times { issued_at, not_before, expires_at })
}

/// Claims in the making, in the order they are put.
#[derive(Default)]
pub(super) struct Claims {
    claims: Vec<(String, Value)>,
    reasons: Vec<Reason>,
    undetermined: Map<String, Value>,
}

impl Claims {
    /// A claim that roles and policy determine.
    pub(super) fn put(&mut self, claim: &str, value: Value, why: impl Into<Cow<'static, str>>) {
        self.reasons.push(Reason { claim: claim.to_owned(), why: why.into() });
        self.claims.push((claim.to_owned(), value));
    }

    /// A claim that the request or the moment determines.
    pub(super) fn put_free(&mut self, claim: &str, value: Value, why: impl Into<Cow<'static, str>>) {
        self.undetermined.insert(claim.to_owned(), value.clone());
        self.put(claim, value, why);
    }

    /// What a reader needs to know of a claim that can't be read as it stands.
    pub(super) fn remember(&mut self, claim: &str, value: Value) {
        self.undetermined.insert(claim.to_owned(), value);
    }

    pub(super) fn into_draft(self, grant: &Grant<'_>) -> Draft {
        let service = grant.service;
        Draft {
            typ: service.profile.typ(),
            asked: grant.asked.clone(),
            profile: service.profile,
            keyset: service.keyset.clone(),
            jti: grant.jti.to_owned(),
            claims_json: object(&self.claims).into_bytes(),
            claims: self.claims,
            reasons: self.reasons,
            issued_at: UnixTime(grant.times.issued_at),
            not_before: UnixTime(grant.times.not_before),
            expires_at: UnixTime(grant.times.expires_at),
            undetermined: self.undetermined,
            max_token_bytes: (service.max_token_bytes, service.lines.of("max_token_bytes")),
        }
    }
}

/// A JSON object whose members keep their order.
fn object(members: &[(String, Value)]) -> String {
    let mut text = String::with_capacity(512);
    for (name, value) in members {
        text.push(if text.is_empty() { '{' } else { ',' });
        push_string(&mut text, name);
        text.push(':');
        match value {
            Value::String(string) => push_string(&mut text, string),
            other => text.push_str(&other.to_string()),
        }
    }
    text.push_str(if text.is_empty() { "{}" } else { "}" });
    text
}

/// A JSON string; most have nothing to escape and need no formatting.
fn push_string(text: &mut String, string: &str) {
    if string.bytes().any(|byte| matches!(byte, 0..0x20 | b'"' | b'\\')) {
        text.push_str(&Value::from(string).to_string());
    } else {
        text.push('"');
        text.push_str(string);
        text.push('"');
    }
}

/// One member of a JSON object.
pub(super) fn member(name: &str, value: &Value) -> String {
    format!("{}:{value}", Value::String(name.to_owned()))
}

#[cfg(test)]
mod tests;
