//! The one way from a token's text to claims that may be believed.

use std::sync::Arc;

use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::bundle::{self, Bundle};
use crate::claims::{self, Claims};
use crate::expectations::Expectations;
use crate::json;
use crate::jwks::Jwks;
use crate::jws;
use crate::refusal::Refusal;
use crate::revocation::Revocations;
use crate::time::UnixTime;

/// The keys of one service and what it expects. Immutable and cheap to share between
/// threads behind an `Arc`; make a new one when the key set changes.
#[derive(Clone, Debug)]
pub struct Verifier {
    keys: Jwks,
    expectations: Expectations,
    published: Option<Published>,
}

/// What a verifier from a bundle knows beyond keys and expectations.
#[derive(Clone, Debug)]
struct Published {
    service: String,
    made_at: UnixTime,
    expires_at: UnixTime,
    skew: u64,
    revoked: Arc<Revocations>,
}

/// The claims of a token that passed every check at the time given; only
/// [`Verifier::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    claims: Claims,
    kid: String,
    algorithm: Algorithm,
    expires_at: UnixTime,
}

impl Verifier {
    /// Binds a service's own keys to its expectations; keys of other services don't belong here.
    pub fn new(keys: Jwks, expectations: Expectations) -> Self {
        Self { keys, expectations, published: None }
    }

    /// A service's keys, expectations and revocations as a verified bundle has them, until that
    /// bundle expires; `None` where it doesn't have the service.
    ///
    /// # Errors
    /// None that a verified bundle could cause.
    pub fn of_bundle(bundle: &Bundle, service: &str) -> Result<Option<Self>, bundle::Fault> {
        let contents = bundle.contents();
        let Some(expectations) = contents.expectations(service) else { return Ok(None) };
        let published = Published {
            service: service.to_owned(),
            made_at: contents.issued_at,
            expires_at: contents.expires_at,
            skew: contents.skew_seconds,
            revoked: Arc::new(contents.revoked.clone()),
        };
        Ok(Some(Self { keys: contents.jwks(service)?, expectations, published: Some(published) }))
    }

    /// The same verifier with other expectations: a FEDn role, a proof of possession that the caller checks.
    pub fn expecting(mut self, change: impl FnOnce(Expectations) -> Expectations) -> Self {
        self.expectations = change(self.expectations);
        self
    }

    /// Whether it has any key, without which it refuses everything.
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Verifies a compact JWS at the time `now`: its form, header and type; the key under exactly
    /// its `kid`; that the key's algorithm is the header's; the signature; only then claims and times.
    pub fn verify(&self, token: &str, now: UnixTime) -> Result<VerifiedToken, Refusal> {
        self.check_published(now)?;
        let compact = jws::parse(token)?;
        self.check_type(compact.typ())?;
        let kid = compact.kid().ok_or(Refusal::NoKid)?;
        let key = self.keys.get(kid).ok_or_else(|| Refusal::UnknownKey { kid: kid.to_owned() })?;
        // RFC 8725 §3.1: the key decides the algorithm; the header only has to agree.
        if key.algorithm() != compact.algorithm() {
            return Err(Refusal::AlgorithmMismatch { key: key.algorithm(), token: compact.algorithm() });
        }
        key.verify(compact.signing_input(), compact.signature())
            .map_err(|_| Refusal::BadSignature { kid: kid.to_owned() })?;
        let claims = json::parse_object(compact.payload()).map_err(Refusal::ClaimsJson)?;
        let expires_at = claims::check(&claims, &self.expectations, now)?;
        self.check_revoked(kid, &claims)?;
        Ok(VerifiedToken { claims, kid: kid.to_owned(), algorithm: key.algorithm(), expires_at })
    }

    /// The last good bundle serves until it expires. A clock far before its making has gone back,
    /// and would take expired tokens for good ones.
    fn check_published(&self, now: UnixTime) -> Result<(), Refusal> {
        let Some(published) = &self.published else { return Ok(()) };
        if now >= published.expires_at {
            return Err(Refusal::PublicationExpired { expired_at: published.expires_at, now });
        }
        if published.made_at.0 > now.0.saturating_add(published.skew) {
            return Err(Refusal::ClockBehind { made_at: published.made_at, now });
        }
        Ok(())
    }

    fn check_revoked(&self, kid: &str, claims: &Claims) -> Result<(), Refusal> {
        let Some(published) = &self.published else { return Ok(()) };
        match published.revoked.of_token(&published.service, self.expectations.profile, kid, claims) {
            None => Ok(()),
            Some(what) => Err(Refusal::Revoked { what }),
        }
    }

    /// RFC 7515 §4.1.9: media types compare without case, `application/` may be left out.
    fn check_type(&self, found: Option<&str>) -> Result<(), Refusal> {
        const PREFIX: &str = "application/";
        let expected = self.expectations.profile.typ();
        let matches = found.is_some_and(|found| {
            let bare = match found.split_at_checked(PREFIX.len()) {
                Some((prefix, bare)) if prefix.eq_ignore_ascii_case(PREFIX) => bare,
                _ => found,
            };
            bare.eq_ignore_ascii_case(expected)
        });
        if matches { Ok(()) } else { Err(Refusal::Type { expected, found: found.map(str::to_owned) }) }
    }
}

impl VerifiedToken {
    /// Whom the token is about (`sub`); always there but in plain tokens.
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// The token's own identifier (`jti`).
    pub fn jwt_id(&self) -> Option<&str> {
        self.text("jti")
    }

    /// The issuer (`iss`): the one expected, where one was.
    pub fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    /// The words of `scope` (RFC 8693 §4.2); none where the claim is absent.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.text("scope").unwrap_or_default().split(' ').filter(|scope| !scope.is_empty())
    }

    /// All claims, as parsed strictly.
    pub fn claims(&self) -> &serde_json::Map<String, Value> {
        &self.claims
    }

    /// The name of the key that signed it.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm of that key.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The `exp`, leeway not counted: who keeps the token's answer must not do so beyond it.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim).and_then(Value::as_str)
    }
}
