//! Why a token was refused: facts for the log, one bare answer for the outside.

use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::escape::escaped;
use crate::json::JsonError;
use crate::jws::Malformed;
use crate::revocation::Revoked;
use crate::time::UnixTime;

/// The first rule that a token broke, in the order in which rules are checked. Variants from
/// [`Self::ClaimsJson`] on are about a token whose signature held.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The installed bundle is past its end: every token is refused until a newer one is installed.
    #[error("what is installed expired at {expired_at}, it is {now}")]
    PublicationExpired {
        /// The bundle's `exp`.
        expired_at: UnixTime,
        /// The time given.
        now: UnixTime,
    },
    /// The time given lies before the installed bundle was made: the clock went back.
    #[error("what is installed was made at {made_at}, and the clock says {now}")]
    ClockBehind {
        /// The bundle's `iat`.
        made_at: UnixTime,
        /// The time given.
        now: UnixTime,
    },
    /// Not a compact JWS as accepted here.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The header's `typ` is absent or not the profile's.
    #[error("token's type is {}, not {expected}", shown(.found))]
    Type {
        /// The profile's `typ`.
        expected: &'static str,
        /// The token's, if any.
        found: Option<String>,
    },
    /// The header names no key.
    #[error("token names no key")]
    NoKid,
    /// No key of the set has the token's `kid`; no other key is tried.
    #[error("no key \"{}\" in the key set", escaped(.kid))]
    UnknownKey {
        /// The token's `kid`.
        kid: String,
    },
    /// The header's `alg` is not the key's: the key decides (RFC 8725 §3.1).
    #[error("token says {token}, its key is for {key}")]
    AlgorithmMismatch {
        /// The key's algorithm.
        key: Algorithm,
        /// The token's.
        token: Algorithm,
    },
    /// The signature does not hold; nothing of the claims was looked at.
    #[error("signature does not hold under key \"{}\"", escaped(.kid))]
    BadSignature {
        /// The key's name.
        kid: String,
    },
    /// The claims are not a strict JSON object.
    #[error("token's claims: {0}")]
    ClaimsJson(JsonError),
    /// A claim that the profile demands is absent.
    #[error("claim \"{}\" is missing", escaped(.claim))]
    MissingClaim {
        /// Its name.
        claim: String,
    },
    /// A claim that the profile or the expectations rule out is present.
    #[error("claim \"{claim}\" is not allowed here")]
    ForbiddenClaim {
        /// Its name.
        claim: &'static str,
    },
    /// A claim has the wrong type; a date is an integer from 0 to 2^53 − 1.
    #[error("claim \"{claim}\" is not {wanted}")]
    ClaimType {
        /// Its name.
        claim: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// Another issuer.
    #[error("token was issued by {}, not {}", shown(.found), escaped(.expected))]
    Issuer {
        /// The issuer expected.
        expected: String,
        /// The token's, if any.
        found: Option<String>,
    },
    /// Another audience.
    #[error("token is for {}, not {}", shown(.found), escaped(.expected))]
    Audience {
        /// The audience expected.
        expected: String,
        /// The token's, if any.
        found: Option<String>,
    },
    /// Another role (FEDn).
    #[error("token's role is {}, not {}", escaped(.found), escaped(.expected))]
    Role {
        /// The role expected.
        expected: String,
        /// The token's.
        found: String,
    },
    /// A claim demanded by [`Expectations::claim`](crate::Expectations::claim) has another value.
    #[error("claim \"{}\" is {}, not {}", escaped(.claim), escaped(&.found.to_string()), escaped(&.expected.to_string()))]
    ClaimValue {
        /// Its name.
        claim: String,
        /// The value expected.
        expected: Value,
        /// The token's.
        found: Value,
    },
    /// Bound to a key by `cnf`, and the caller did not say that it checks possession.
    #[error("token demands a proof of possession that nobody checks here")]
    ProofOfPossession,
    /// Past `exp` and leeway.
    #[error("token expired at {expired_at}, it is {now}")]
    Expired {
        /// The `exp`.
        expired_at: UnixTime,
        /// The time given.
        now: UnixTime,
    },
    /// Before `nbf` less leeway.
    #[error("token is valid from {valid_from}, it is {now}")]
    NotYetValid {
        /// The `nbf`.
        valid_from: UnixTime,
        /// The time given.
        now: UnixTime,
    },
    /// Before `iat` less leeway.
    #[error("token was issued at {issued_at}, it is {now}")]
    IssuedInFuture {
        /// The `iat`.
        issued_at: UnixTime,
        /// The time given.
        now: UnixTime,
    },
    /// More between `iat` and `exp` than allowed, or `exp` not after `iat`.
    #[error("token is valid from {issued_at} to {expires_at}, which is not within {longest} s")]
    Validity {
        /// The `iat`.
        issued_at: UnixTime,
        /// The `exp`.
        expires_at: UnixTime,
        /// The most seconds allowed.
        longest: u64,
    },
    /// Withdrawn before it expired.
    #[error("token is revoked: {what}")]
    Revoked {
        /// By what.
        what: Revoked,
    },
}

impl Refusal {
    /// The rule's stable name, upper-case with hyphens.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PublicationExpired { .. } => "TRUST-EXPIRED",
            Self::ClockBehind { .. } => "TRUST-CLOCK",
            Self::Malformed(malformed) => malformed.code(),
            Self::Type { .. } => "TOKEN-TYPE",
            Self::NoKid => "TOKEN-KID-MISSING",
            Self::UnknownKey { .. } => "TOKEN-KEY-UNKNOWN",
            Self::AlgorithmMismatch { .. } => "TOKEN-KEY-ALGORITHM",
            Self::BadSignature { .. } => "TOKEN-SIGNATURE",
            Self::ClaimsJson(_) => "TOKEN-CLAIMS-JSON",
            Self::MissingClaim { .. } => "TOKEN-CLAIM-MISSING",
            Self::ForbiddenClaim { .. } => "TOKEN-CLAIM-FORBIDDEN",
            Self::ClaimType { .. } => "TOKEN-CLAIM-TYPE",
            Self::Issuer { .. } => "TOKEN-ISSUER",
            Self::Audience { .. } => "TOKEN-AUDIENCE",
            Self::Role { .. } => "TOKEN-ROLE",
            Self::ClaimValue { .. } => "TOKEN-CLAIM-VALUE",
            Self::ProofOfPossession => "TOKEN-POSSESSION",
            Self::Expired { .. } => "TOKEN-EXPIRED",
            Self::NotYetValid { .. } => "TOKEN-NOT-YET-VALID",
            Self::IssuedInFuture { .. } => "TOKEN-ISSUED-IN-FUTURE",
            Self::Validity { .. } => "TOKEN-VALIDITY",
            Self::Revoked { .. } => "TOKEN-REVOKED",
        }
    }

    /// The one answer for whoever sent the token, whatever was wrong with it:
    /// RFC 6750 §3.1's error code, to go with status 401.
    pub fn outward(&self) -> &'static str {
        "invalid_token"
    }
}

fn shown(text: &Option<String>) -> String {
    text.as_deref().map_or_else(|| "nothing".to_owned(), |text| escaped(text).to_string())
}
