//! The claims of a token whose signature held, against what the service expects.

use serde_json::{Map, Value};

use crate::expectations::{Expectations, Profile};
use crate::json;
use crate::refusal::Refusal;
use crate::time::UnixTime;

pub(crate) type Claims = Map<String, Value>;

/// The claims that some rule is about, found in one pass.
#[derive(Default)]
struct Known<'a> {
    iss: Option<&'a Value>,
    sub: Option<&'a Value>,
    aud: Option<&'a Value>,
    exp: Option<&'a Value>,
    nbf: Option<&'a Value>,
    iat: Option<&'a Value>,
    jti: Option<&'a Value>,
    cnf: Option<&'a Value>,
    scope: Option<&'a Value>,
    client_id: Option<&'a Value>,
    role: Option<&'a Value>,
    user_claims: Option<&'a Value>,
    r#type: Option<&'a Value>,
    token_type: Option<&'a Value>,
}

impl<'a> Known<'a> {
    fn of(claims: &'a Claims) -> Self {
        let mut known = Self::default();
        for (name, value) in claims {
            let place = match name.as_str() {
                "iss" => &mut known.iss,
                "sub" => &mut known.sub,
                "aud" => &mut known.aud,
                "exp" => &mut known.exp,
                "nbf" => &mut known.nbf,
                "iat" => &mut known.iat,
                "jti" => &mut known.jti,
                "cnf" => &mut known.cnf,
                "scope" => &mut known.scope,
                "client_id" => &mut known.client_id,
                "role" => &mut known.role,
                "user_claims" => &mut known.user_claims,
                "type" => &mut known.r#type,
                "token_type" => &mut known.token_type,
                _ => continue,
            };
            *place = Some(value);
        }
        known
    }
}

/// Checks everything and returns the time at which the token expires.
pub(crate) fn check(claims: &Claims, expected: &Expectations, now: UnixTime) -> Result<UnixTime, Refusal> {
    let known = Known::of(claims);
    check_identity(&known, expected)?;
    check_profile(&known, expected)?;
    for (name, value) in &expected.claims {
        let found = claims.get(name).ok_or_else(|| Refusal::MissingClaim { claim: name.clone() })?;
        if found != value {
            return Err(Refusal::ClaimValue { claim: name.clone(), expected: value.clone(), found: found.clone() });
        }
    }
    // RFC 7800 §3.1: who accepts such a token must see the proof.
    if known.cnf.is_some() && !expected.possession_enforced {
        return Err(Refusal::ProofOfPossession);
    }
    check_times(&known, expected, now)
}

fn check_identity(known: &Known<'_>, expected: &Expectations) -> Result<(), Refusal> {
    // Strings wherever they stand, whatever the profile (RFC 7519 §4.1, RFC 8693 §4.2 and §4.3).
    let issuer = text("iss", known.iss)?;
    text("sub", known.sub)?;
    text("jti", known.jti)?;
    text("client_id", known.client_id)?;
    text("scope", known.scope)?;
    if let Some(wanted) = &expected.issuer
        && issuer != Some(wanted)
    {
        return Err(Refusal::Issuer { expected: wanted.clone(), found: issuer.map(str::to_owned) });
    }
    match &expected.audience {
        // Our tokens name one audience as a string; an array is never taken apart here.
        Some(wanted) => {
            let audience = text("aud", known.aud)?;
            if audience != Some(wanted) {
                return Err(Refusal::Audience { expected: wanted.clone(), found: audience.map(str::to_owned) });
            }
            Ok(())
        }
        None => forbid("aud", known.aud),
    }
}

fn check_profile(known: &Known<'_>, expected: &Expectations) -> Result<(), Refusal> {
    match expected.profile {
        Profile::Plain => return Ok(()),
        Profile::Rfc9068 => {
            required_text("sub", known.sub)?;
            required_text("client_id", known.client_id)?;
            required_text("jti", known.jti)?;
        }
        Profile::FlowKit => {
            required_text("sub", known.sub)?;
            required_text("jti", known.jti)?;
            required_text("user_claims", known.user_claims)?;
        }
        Profile::Fedn => {
            required_text("sub", known.sub)?;
            required_text("jti", known.jti)?;
            required_text("role", known.role)?;
        }
    }
    if known.iat.is_none() {
        return Err(Refusal::MissingClaim { claim: "iat".into() });
    }
    match expected.profile {
        Profile::Rfc9068 | Profile::Plain => Ok(()),
        // FlowAPI takes a `type` claim for its own library's kind of token.
        Profile::FlowKit => forbid("type", known.r#type),
        Profile::Fedn => {
            // FEDn takes a refresh token for an access token; we never make one.
            forbid("token_type", known.token_type)?;
            let found = required_text("role", known.role)?;
            if let Some(role) = expected.role.as_ref().filter(|role| *role != found) {
                return Err(Refusal::Role { expected: role.clone(), found: found.to_owned() });
            }
            Ok(())
        }
    }
}

fn check_times(known: &Known<'_>, expected: &Expectations, now: UnixTime) -> Result<UnixTime, Refusal> {
    let expires_at = date("exp", known.exp)?.ok_or_else(|| Refusal::MissingClaim { claim: "exp".into() })?;
    let valid_from = date("nbf", known.nbf)?;
    let issued_at = date("iat", known.iat)?;
    // now ≥ exp + leeway, without a sum that could overflow (RFC 7519 §4.1.4: "on or after").
    if now.0.checked_sub(expected.leeway).is_some_and(|earlier| earlier >= expires_at.0) {
        return Err(Refusal::Expired { expired_at: expires_at, now });
    }
    let latest_start = UnixTime(now.0.saturating_add(expected.leeway));
    if let Some(valid_from) = valid_from.filter(|valid_from| *valid_from > latest_start) {
        return Err(Refusal::NotYetValid { valid_from, now });
    }
    if let Some(issued_at) = issued_at.filter(|issued_at| *issued_at > latest_start) {
        return Err(Refusal::IssuedInFuture { issued_at, now });
    }
    if let Some(longest) = expected.longest_validity {
        let issued_at = issued_at.ok_or_else(|| Refusal::MissingClaim { claim: "iat".into() })?;
        if expires_at.0.checked_sub(issued_at.0).is_none_or(|validity| validity > longest) {
            return Err(Refusal::Validity { issued_at, expires_at, longest });
        }
    }
    Ok(expires_at)
}

fn date(claim: &'static str, value: Option<&Value>) -> Result<Option<UnixTime>, Refusal> {
    match value {
        None => Ok(None),
        Some(value) => json::integer(value)
            .map(|seconds| Some(UnixTime(seconds)))
            .ok_or(Refusal::ClaimType { claim, wanted: "an integer from 0 to 2^53 - 1" }),
    }
}

fn required_text<'a>(claim: &'static str, value: Option<&'a Value>) -> Result<&'a str, Refusal> {
    text(claim, value)?.ok_or_else(|| Refusal::MissingClaim { claim: claim.into() })
}

fn text<'a>(claim: &'static str, value: Option<&'a Value>) -> Result<Option<&'a str>, Refusal> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::ClaimType { claim, wanted: "a string" }),
    }
}

fn forbid(claim: &'static str, value: Option<&Value>) -> Result<(), Refusal> {
    if value.is_some() { Err(Refusal::ForbiddenClaim { claim }) } else { Ok(()) }
}
