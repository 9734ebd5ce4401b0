//! Why a publication could not be made.

use coldsign_verify::Algorithm;

use super::material::Export;
use crate::refusal::Refuse;

/// A refusal to build a publication; nothing was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishFault {
    /// Publications are numbered from 1.
    #[error("publication number {seq} is outside 1 to 999999")]
    Number {
        /// The number asked for.
        seq: u64,
    },
    /// A time that no calendar has.
    #[error("time {seconds} is outside the years that a publication can name")]
    Date {
        /// Unix seconds.
        seconds: u64,
    },
    /// The name would not be safe as a folder on a FAT stick.
    #[error(
        "service name {service:?} can't be a folder name: lower-case letters, digits, `-` and `_` only, 64 at most"
    )]
    ServiceName {
        /// The name.
        service: String,
    },
    /// Two services of one name would share a folder.
    #[error("service {service} is there twice")]
    DuplicateService {
        /// The name.
        service: String,
    },
    /// A service without keys would refuse every token, or worse, go on with keys of yesterday.
    #[error("service {service} has no key to publish")]
    NoKeys {
        /// The service.
        service: String,
    },
    /// One `kid` must name one key, and one key stands once.
    #[error("service {service} has key {kid} twice")]
    DuplicateKey {
        /// The service.
        service: String,
        /// The `kid`, or the thumbprint of the key that stands there twice.
        kid: String,
    },
    /// A keyset has one algorithm, so a service has one.
    #[error("service {service} has keys for {first} and {second}: a keyset has one algorithm")]
    MixedAlgorithms {
        /// The service.
        service: String,
        /// The first key's algorithm.
        first: Algorithm,
        /// Another key's algorithm.
        second: Algorithm,
    },
    /// Several keys, none of which signs.
    #[error("service {service} reads one key, but none of {} signs now", keys.join(", "))]
    NoSigningKey {
        /// The service.
        service: String,
        /// The names of the published keys.
        keys: Vec<String>,
    },
    /// More than one key signs, and the service can hold one.
    #[error("service {service} reads one key, but {} sign now", keys.join(" and "))]
    SeveralSigningKeys {
        /// The service.
        service: String,
        /// The names of the keys that sign.
        keys: Vec<String>,
    },
    /// The service's software does not know the algorithm.
    #[error("service {service} can't be given {export}: what reads it does not know {algorithm}")]
    ExportAlgorithm {
        /// The service.
        service: String,
        /// The form asked for.
        export: Export,
        /// The keyset's algorithm.
        algorithm: Algorithm,
    },
    /// The profile or the export needs an audience.
    #[error("service {service} has no audience, which {wanted_by} needs")]
    NoAudience {
        /// The service.
        service: String,
        /// The profile or export that needs it.
        wanted_by: &'static str,
    },
    /// The profile forbids an audience.
    #[error("service {service} has an audience, but tokens of profile fedn carry none")]
    UnwantedAudience {
        /// The service.
        service: String,
    },
    /// A value that the readers of env files don't all read alike.
    #[error("service {service}: {variable} can't hold {value:?}: letters, digits and . _ : / @ % + , = - only")]
    EnvironmentValue {
        /// The service.
        service: String,
        /// The variable.
        variable: &'static str,
        /// The value.
        value: String,
    },
    /// The service wants a certificate and the caller has none for that key.
    #[error("service {service} takes certificates, but there is none over key {key}")]
    NoCertificate {
        /// The service.
        service: String,
        /// The key's name.
        key: String,
    },
    /// The certificate is not one `CERTIFICATE` block over that key.
    #[error("service {service}: the certificate kept for key {key} is not over that key")]
    ForeignCertificate {
        /// The service.
        service: String,
        /// The key's name.
        key: String,
    },
    /// Nothing says which keys sign bundles.
    #[error("the store has no root")]
    NoRoot,
    /// A bundle that no verifier would accept.
    #[error("the bundle can't be made: {0}")]
    Bundle(#[from] coldsign_verify::bundle::Fault),
}

impl Refuse for PublishFault {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::Number { .. } => "PUBLISH-NUMBER",
            Self::Date { .. } => "PUBLISH-DATE",
            Self::ServiceName { .. } => "PUBLISH-SERVICE-NAME",
            Self::DuplicateService { .. } => "PUBLISH-DUPLICATE-SERVICE",
            Self::NoKeys { .. } => "PUBLISH-NO-KEYS",
            Self::DuplicateKey { .. } => "PUBLISH-DUPLICATE-KEY",
            Self::MixedAlgorithms { .. } => "PUBLISH-MIXED-ALGORITHMS",
            Self::NoSigningKey { .. } => "PUBLISH-NO-SIGNING-KEY",
            Self::SeveralSigningKeys { .. } => "PUBLISH-SEVERAL-KEYS",
            Self::ExportAlgorithm { .. } => "PUBLISH-EXPORT-ALGORITHM",
            Self::NoAudience { .. } | Self::UnwantedAudience { .. } => "PUBLISH-AUDIENCE",
            Self::EnvironmentValue { .. } => "PUBLISH-ENV-VALUE",
            Self::NoCertificate { .. } => "PUBLISH-NO-CERTIFICATE",
            Self::ForeignCertificate { .. } => "PUBLISH-FOREIGN-CERTIFICATE",
            Self::NoRoot => "PUBLISH-NO-ROOT",
            Self::Bundle(_) => "PUBLISH-BUNDLE",
        })
    }

    fn why(&self) -> Vec<String> {
        let reason = match self {
            Self::NoSigningKey { .. } | Self::SeveralSigningKeys { .. } => {
                "which key such a service should hold can't be told, and the wrong one locks every holder out"
            }
            Self::ExportAlgorithm { export: Export::FlowapiEnv, .. } => "FlowAPI takes RS256 and nothing else",
            Self::ExportAlgorithm { .. } => "FEDn takes RS256, ES256 and EdDSA; it does not know the name Ed25519",
            Self::EnvironmentValue { .. } => {
                "shells, compose, systemd and docker read quotes and special characters each in their own way"
            }
            Self::NoRoot => "a root says which key signs bundles, and verifiers pin it",
            _ => return vec!["nothing was published".to_owned()],
        };
        vec![reason.to_owned(), "nothing was published".to_owned()]
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoKeys { .. } => Some("coldsign key list".to_owned()),
            Self::NoRoot => Some("coldsign root rotate".to_owned()),
            Self::NoSigningKey { keys, .. } => keys.first().map(|key| format!("coldsign key activate {key}")),
            Self::SeveralSigningKeys { keys, .. } => keys.first().map(|key| format!("coldsign key suspend {key}")),
            Self::NoAudience { .. } | Self::UnwantedAudience { .. } | Self::ExportAlgorithm { .. } => {
                Some("coldsign policy check".to_owned())
            }
            _ => None,
        }
    }
}
