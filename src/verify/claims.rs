//! The claims of a token whose signature held, against what the service expects.

use serde_json::{Map, Value};

use crate::expectations::{Expectations, Profile};
use crate::json;
use crate::refusal::Refusal;
use crate::time::UnixTime;

pub(crate) type Claims = Map<String, Value>;

/// Strings wherever they stand, whatever the profile (RFC 7519 §4.1, RFC 8693 §4.2 and §4.3).
const STRINGS: [&str; 5] = ["iss", "sub", "jti", "client_id", "scope"];

/// Checks everything and returns the time at which the token expires.
pub(crate) fn check(claims: &Claims, expected: &Expectations, now: UnixTime) -> Result<UnixTime, Refusal> {
    check_identity(claims, expected)?;
    check_profile(claims, expected)?;
    for (name, value) in &expected.claims {
        let found = claims.get(name).ok_or_else(|| Refusal::MissingClaim { claim: name.clone() })?;
        if found != value {
            return Err(Refusal::ClaimValue { claim: name.clone(), expected: value.clone(), found: found.clone() });
        }
    }
    // RFC 7800 §3.1: who accepts such a token must see the proof.
    if claims.contains_key("cnf") && !expected.possession_enforced {
        return Err(Refusal::ProofOfPossession);
    }
    check_times(claims, expected, now)
}

fn check_identity(claims: &Claims, expected: &Expectations) -> Result<(), Refusal> {
    for claim in STRINGS {
        text(claims, claim)?;
    }
    if let Some(issuer) = &expected.issuer {
        let found = text(claims, "iss")?;
        if found != Some(issuer) {
            return Err(Refusal::Issuer { expected: issuer.clone(), found: found.map(str::to_owned) });
        }
    }
    match &expected.audience {
        // Our tokens name one audience as a string; an array is never taken apart here.
        Some(audience) => {
            let found = text(claims, "aud")?;
            if found != Some(audience) {
                return Err(Refusal::Audience { expected: audience.clone(), found: found.map(str::to_owned) });
            }
            Ok(())
        }
        None => forbid(claims, "aud"),
    }
}

fn check_profile(claims: &Claims, expected: &Expectations) -> Result<(), Refusal> {
    let required: &[&'static str] = match expected.profile {
        Profile::Rfc9068 => &["sub", "client_id", "jti"],
        Profile::FlowKit => &["sub", "jti", "user_claims"],
        Profile::Fedn => &["sub", "jti", "role"],
        Profile::Plain => &[],
    };
    for claim in required {
        required_text(claims, claim)?;
    }
    if expected.profile != Profile::Plain && !claims.contains_key("iat") {
        return Err(Refusal::MissingClaim { claim: "iat".into() });
    }
    match expected.profile {
        Profile::Rfc9068 | Profile::Plain => Ok(()),
        // FlowAPI takes a `type` claim for its own library's kind of token.
        Profile::FlowKit => forbid(claims, "type"),
        Profile::Fedn => {
            let found = required_text(claims, "role")?;
            if let Some(role) = expected.role.as_ref().filter(|role| *role != found) {
                return Err(Refusal::Role { expected: role.clone(), found: found.to_owned() });
            }
            // FEDn takes a refresh token for an access token; we never make one.
            forbid(claims, "token_type")
        }
    }
}

fn check_times(claims: &Claims, expected: &Expectations, now: UnixTime) -> Result<UnixTime, Refusal> {
    let expires_at = date(claims, "exp")?.ok_or_else(|| Refusal::MissingClaim { claim: "exp".into() })?;
    let valid_from = date(claims, "nbf")?;
    let issued_at = date(claims, "iat")?;
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

fn date(claims: &Claims, claim: &'static str) -> Result<Option<UnixTime>, Refusal> {
    match claims.get(claim) {
        None => Ok(None),
        Some(value) => json::integer(value)
            .map(|seconds| Some(UnixTime(seconds)))
            .ok_or(Refusal::ClaimType { claim, wanted: "an integer from 0 to 2^53 - 1" }),
    }
}

fn required_text<'a>(claims: &'a Claims, claim: &'static str) -> Result<&'a str, Refusal> {
    text(claims, claim)?.ok_or_else(|| Refusal::MissingClaim { claim: claim.into() })
}

fn text<'a>(claims: &'a Claims, claim: &'static str) -> Result<Option<&'a str>, Refusal> {
    match claims.get(claim) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::ClaimType { claim, wanted: "a string" }),
    }
}

fn forbid(claims: &Claims, claim: &'static str) -> Result<(), Refusal> {
    if claims.contains_key(claim) { Err(Refusal::ForbiddenClaim { claim }) } else { Ok(()) }
}
