//! What a service expects of the tokens it accepts.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

/// A layout of claims; each fixes which claims must, may and must not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// RFC 9068: `typ` at+jwt; iss, aud, sub, client_id, iat, jti, exp.
    Rfc9068,
    /// FlowKit's FlowAPI: aud, sub, iat, jti, exp and `user_claims`; never `type`.
    FlowKit,
    /// FEDn: a `role` string, sub, iat, jti, exp; never `aud`, never a refresh token.
    Fedn,
    /// `typ` JWT with exp; iss and aud as configured.
    Plain,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 4] = [Self::Rfc9068, Self::FlowKit, Self::Fedn, Self::Plain];

    /// Its name in policies and published descriptions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rfc9068 => "rfc9068",
            Self::FlowKit => "flowkit",
            Self::Fedn => "fedn",
            Self::Plain => "plain",
        }
    }

    /// The header's `typ`.
    pub fn typ(self) -> &'static str {
        match self {
            Self::Rfc9068 => "at+jwt",
            Self::FlowKit | Self::Fedn | Self::Plain => "JWT",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is none of [`Profile::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a profile (rfc9068, flowkit, fedn, plain)")]
pub struct UnknownProfile;

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        Self::ALL.into_iter().find(|profile| profile.name() == name).ok_or(UnknownProfile)
    }
}

/// A profile with what it leaves open. Leeway is 0 and validity unlimited until said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectations {
    pub(crate) profile: Profile,
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) leeway: u64,
    pub(crate) longest_validity: Option<u64>,
    pub(crate) possession_enforced: bool,
    pub(crate) claims: Vec<(String, Value)>,
}

impl Expectations {
    /// RFC 9068 tokens of exactly this issuer for exactly this audience. The `aud` is one string,
    /// as coldsign issues it: an array is refused, whatever it holds.
    pub fn rfc9068(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self { issuer: Some(issuer.into()), audience: Some(audience.into()), ..Self::of(Profile::Rfc9068) }
    }

    /// FlowKit tokens for the server with exactly this identifier.
    pub fn flowkit(audience: impl Into<String>) -> Self {
        Self { audience: Some(audience.into()), ..Self::of(Profile::FlowKit) }
    }

    /// FEDn tokens of exactly this role, or of any when the caller checks it.
    pub fn fedn(role: Option<&str>) -> Self {
        Self { role: role.map(str::to_owned), ..Self::of(Profile::Fedn) }
    }

    /// Plain JWTs. Without `issuer` any is accepted; without `audience` a token that has one
    /// is refused, since it names somebody else (RFC 7519 §4.1.3).
    pub fn plain(issuer: Option<&str>, audience: Option<&str>) -> Self {
        Self { issuer: issuer.map(str::to_owned), audience: audience.map(str::to_owned), ..Self::of(Profile::Plain) }
    }

    /// Seconds by which clocks may differ: exp counts so much later, nbf and iat earlier.
    pub fn leeway(mut self, seconds: u64) -> Self {
        self.leeway = seconds;
        self
    }

    /// The most seconds that may lie between iat (then required) and exp.
    pub fn longest_validity(mut self, seconds: u64) -> Self {
        self.longest_validity = Some(seconds);
        self
    }

    /// Accepts tokens bound to a key by `cnf` (RFC 7800). Only for callers that then check the
    /// proof of possession themselves: without this such a token is refused.
    pub fn proof_of_possession_enforced_by_caller(mut self) -> Self {
        self.possession_enforced = true;
        self
    }

    /// Demands one further claim with exactly this value.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.push((name.into(), value.into()));
        self
    }

    /// Demands exactly this `role` (FEDn); other profiles have none to compare.
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.role = Some(role.into());
        self
    }

    /// The layout expected.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    fn of(profile: Profile) -> Self {
        Self {
            profile,
            issuer: None,
            audience: None,
            role: None,
            leeway: 0,
            longest_validity: None,
            possession_enforced: false,
            claims: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_names_round_trip() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        assert_eq!("FEDn".parse::<Profile>(), Err(UnknownProfile));
    }
}
