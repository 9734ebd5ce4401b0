//! What a publication is made of: services with their keys, as the caller's store and policy have them.

use std::fmt;

use coldsign_verify::revocation::Revocations;
use coldsign_verify::{Profile, PublicKey};

use super::fault::PublishFault;

/// How a service reads keys: several at once, or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consumer {
    /// Reads a set of keys and picks by `kid`.
    Overlap,
    /// Holds exactly one key.
    SingleKey,
}

impl Consumer {
    /// The name in policy and in `service.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::SingleKey => "single-key",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Overlap, Self::SingleKey].into_iter().find(|consumer| consumer.name() == name)
    }
}

/// A form in which a service takes keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Export {
    /// `jwks.json`: RFC 7517 §5, all keys that the service installs.
    Jwks,
    /// `key-<thumbprint>.pem`: RFC 7468 §13 `PUBLIC KEY`.
    SpkiPem,
    /// `key-<thumbprint>.pem.b64`: standard base64 of that PEM file, one line.
    SpkiPemBase64,
    /// `key-<thumbprint>.jwks.json`: a JWK Set of that key alone.
    SingleJwks,
    /// `key-<thumbprint>.crt.pem`: an X.509 certificate over the key; and all of them in `certificates.pem`.
    X509,
    /// `fedn.env`: the variables of FEDn's controller and combiner.
    FednEnv,
    /// `flowapi.env`: the variables of FlowAPI.
    FlowapiEnv,
}

impl Export {
    /// Every form there is.
    pub const ALL: [Self; 7] =
        [Self::Jwks, Self::SpkiPem, Self::SpkiPemBase64, Self::SingleJwks, Self::X509, Self::FednEnv, Self::FlowapiEnv];

    /// The name in policy.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Jwks => "jwks",
            Self::SpkiPem => "spki-pem",
            Self::SpkiPemBase64 => "spki-pem-base64",
            Self::SingleJwks => "single-jwks",
            Self::X509 => "x509",
            Self::FednEnv => "fedn-env",
            Self::FlowapiEnv => "flowapi-env",
        }
    }

    /// The form of that name in policy, exact.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|export| export.name() == name)
    }
}

impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One key of a service's keyset that verifiers should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedKey {
    /// What people call it: `default/1`.
    pub name: String,
    /// The `kid` of token headers: the thumbprint, or a libtrust id.
    pub kid: String,
    /// A second `kid` for the same key: tokens that it signed before it came here carry it.
    pub kept_kid: Option<String>,
    /// The public half.
    pub key: PublicKey,
    /// Whether new tokens are signed by it at the time of publishing.
    pub signs_now: bool,
    /// Unix time after which no token of it is valid any more, where that is known.
    pub verify_until: Option<u64>,
}

/// One service: what its tokens look like, its keyset's keys, and the forms in which it takes them.
#[derive(Debug, Clone)]
pub struct ServiceMaterial {
    /// The service's name in policy: lower-case letters, digits, `-` and `_`.
    pub service: String,
    /// The store's issuer; only profiles with `iss` put it into tokens.
    pub issuer: String,
    /// The `aud` its tokens carry, where the profile has one.
    pub audience: Option<String>,
    /// The claim layout.
    pub profile: Profile,
    /// How it reads keys.
    pub consumer: Consumer,
    /// The clock leeway it grants, in seconds.
    pub leeway_seconds: u64,
    /// The longest `exp` − `iat` a token of it can have, in seconds.
    pub longest_validity_seconds: u64,
    /// An exact further claim that every token carries: name and value (FEDn).
    pub custom_claim: Option<(String, String)>,
    /// The names of its roles in policy.
    pub roles: Vec<String>,
    /// Its own keyset's keys: never those of other keysets.
    pub keys: Vec<PublishedKey>,
    /// The forms in which it takes keys.
    pub exports: Vec<Export>,
    /// What is withdrawn, where the service learns of it by a file.
    pub revoked: Option<Revocations>,
}

impl PublishedKey {
    /// Every `kid` under which the key stands in a key set, the one of new tokens first.
    pub(super) fn kids(&self) -> impl Iterator<Item = &str> {
        let kept = self.kept_kid.as_deref().filter(|kept| *kept != self.kid);
        std::iter::once(self.kid.as_str()).chain(kept)
    }
}

impl ServiceMaterial {
    /// The keys that this service installs: all, or for a single-key consumer the one that signs now.
    ///
    /// A single-key service whose only key is paused keeps that key.
    ///
    /// # Errors
    /// When there is no key, or which one a single-key service should hold can't be told.
    pub(super) fn installed(&self) -> Result<Vec<&PublishedKey>, PublishFault> {
        match self.consumer {
            _ if self.keys.is_empty() => Err(PublishFault::NoKeys { service: self.service.clone() }),
            Consumer::Overlap => Ok(self.keys.iter().collect()),
            Consumer::SingleKey => Ok(vec![self.current()?]),
        }
    }

    /// The one key for a file that can hold only one.
    ///
    /// # Errors
    /// As [`Self::installed`].
    pub(super) fn current(&self) -> Result<&PublishedKey, PublishFault> {
        let signing: Vec<_> = self.keys.iter().filter(|key| key.signs_now).collect();
        match (signing.as_slice(), self.keys.as_slice()) {
            ([one], _) => Ok(one),
            ([], [one]) => Ok(one),
            ([], []) => Err(PublishFault::NoKeys { service: self.service.clone() }),
            ([], keys) => Err(PublishFault::NoSigningKey { service: self.service.clone(), keys: names(keys) }),
            (several, _) => Err(PublishFault::SeveralSigningKeys {
                service: self.service.clone(),
                keys: names(several.iter().copied()),
            }),
        }
    }

    /// The `iss` that its tokens carry: FEDn's and FlowKit's have none.
    pub(super) fn issuer_in_tokens(&self) -> Option<&str> {
        match self.profile {
            Profile::Rfc9068 | Profile::Plain => Some(&self.issuer),
            Profile::FlowKit | Profile::Fedn => None,
        }
    }

    /// The `aud` that its tokens carry.
    ///
    /// # Errors
    /// When the profile needs one and there is none, or forbids one and there is.
    pub(super) fn audience_in_tokens(&self) -> Result<Option<&str>, PublishFault> {
        let service = || self.service.clone();
        match (self.profile, self.audience.as_deref()) {
            (Profile::Fedn, Some(_)) => Err(PublishFault::UnwantedAudience { service: service() }),
            (Profile::Rfc9068 | Profile::FlowKit, None) => {
                Err(PublishFault::NoAudience { service: service(), wanted_by: self.profile.name() })
            }
            (_, audience) => Ok(audience),
        }
    }

    /// The file with its keys as a JWK Set: `service.json` is one too, for folders without `jwks.json`.
    pub(super) fn keys_file(&self) -> &'static str {
        if self.exports(Export::Jwks) { "jwks.json" } else { "service.json" }
    }

    pub(super) fn exports(&self, export: Export) -> bool {
        self.exports.contains(&export)
    }
}

fn names<'a>(keys: impl IntoIterator<Item = &'a PublishedKey>) -> Vec<String> {
    keys.into_iter().map(|key| key.name.clone()).collect()
}
