//! The signature algorithms this crate verifies, under their JOSE `alg` names.

use std::fmt;
use std::str::FromStr;

/// A JOSE signature algorithm; a key belongs to exactly one (RFC 8725 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// `EdDSA` over Ed25519 (RFC 8037 §3.1); Ed448 is not meant by it here.
    EdDsa,
    /// `Ed25519`, the fully specified name of the same signature (RFC 9864 §2.2).
    Ed25519,
    /// `ES256`: ECDSA over P-256 with SHA-256, r and s as 32 bytes each (RFC 7518 §3.4).
    Es256,
    /// `RS256`: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3).
    Rs256,
}

impl Algorithm {
    /// Every algorithm known, whether built in or not.
    pub const ALL: [Self; 4] = [Self::EdDsa, Self::Ed25519, Self::Es256, Self::Rs256];

    /// The `alg` value.
    pub fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Ed25519 => "Ed25519",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// Whether this build can verify it: ES256 and RS256 need the feature `aws-lc`.
    pub fn is_built_in(self) -> bool {
        match self {
            Self::EdDsa | Self::Ed25519 => true,
            Self::Es256 | Self::Rs256 => cfg!(feature = "aws-lc"),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is none of [`Algorithm::ALL`], compared case-sensitively (RFC 7515 §4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an algorithm known here (EdDSA, Ed25519, ES256, RS256)")]
pub struct UnknownAlgorithm;

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name).ok_or(UnknownAlgorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_only_exactly() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
            assert!(algorithm.name().to_lowercase().parse::<Algorithm>().is_err());
        }
        for name in ["", "none", "HS256", "eddsa", "ES256 ", "es256", "RS512"] {
            assert_eq!(name.parse::<Algorithm>(), Err(UnknownAlgorithm));
        }
    }
}
