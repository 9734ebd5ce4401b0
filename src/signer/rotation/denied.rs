//! What the arithmetic forbids.

use crate::refusal::Refuse;
use coldsign_verify::UnixTime;

/// Why a key may not change its state at that time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RotationDenied {
    /// The newest publication does not hold it.
    #[error("{key} is not published: no verifier can be counted on to know it")]
    Unpublished {
        /// Keyset and number.
        key: String,
    },
    /// Too few publications hold it.
    #[error("{key} is in {made} of the {needed} publications that it takes where sticks get lost")]
    Carried {
        /// Keyset and number.
        key: String,
        /// How many hold it, the newest among them.
        made: u64,
        /// m + 1.
        needed: u64,
    },
    /// Verifiers may not have it yet.
    #[error("{key} can't sign before {}", UnixTime(*.allowed_at))]
    Early {
        /// Keyset and number.
        key: String,
        /// Seconds since the epoch.
        allowed_at: u64,
    },
    /// No other key could sign.
    #[error("{key} is the key that {keyset} signs with")]
    Last {
        /// Keyset and number.
        key: String,
        /// Its keyset.
        keyset: String,
    },
    /// Verifiers still need it.
    #[error("{key} verifies tokens until {}", UnixTime(*.until))]
    Needed {
        /// Keyset and number.
        key: String,
        /// Seconds since the epoch.
        until: u64,
    },
    /// A service of its keyset reads one key only.
    #[error("{key} can't take over unnoticed: {service} reads one key only")]
    SingleKey {
        /// Keyset and number.
        key: String,
        /// The service.
        service: String,
    },
    /// Some holder may not have the replacement yet.
    #[error("{service} can't be swapped before {}", UnixTime(*.allowed_at))]
    SwapEarly {
        /// The service.
        service: String,
        /// Seconds since the epoch.
        allowed_at: u64,
    },
    /// Everything is issued under both keys until the swap is confirmed.
    #[error("the cutover of {service} is under way")]
    CutoverOpen {
        /// The service.
        service: String,
    },
    /// Some holder would be left with nothing.
    #[error("{without} of the tokens that {service} and its keyset swap have no replacement that got out")]
    NotServed {
        /// The service.
        service: String,
        /// How many.
        without: usize,
    },
    /// There is no next key that services with several keys know.
    #[error("{service} can't be cut over: {keyset} has no next key yet that its other services know")]
    NoStandby {
        /// The service.
        service: String,
        /// The keyset.
        keyset: String,
    },
    /// Its services are cut over to another key.
    #[error("{service} can't come to or leave {keyset} while its services are cut over to another key")]
    CutoverServices {
        /// The service.
        service: String,
        /// The keyset.
        keyset: String,
        /// A service whose cutover is under way.
        under_way: String,
    },
    /// There is nothing to confirm.
    #[error("no cutover of {service} is under way")]
    NoCutover {
        /// The service.
        service: String,
    },
    /// Nobody of that name is to be given a replacement.
    #[error("{subject} has no live token that {service} swaps")]
    NoReplacement {
        /// The service.
        service: String,
        /// The subject.
        subject: String,
    },
    /// It holds several keys.
    #[error("{service} holds several keys at once: it needs no cutover")]
    NoCutoverNeeded {
        /// The service.
        service: String,
    },
}

impl Refuse for RotationDenied {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unpublished { .. } => "KEY-UNPUBLISHED",
            Self::Carried { .. } => "KEY-CARRIED",
            Self::Early { .. } => "KEY-EARLY",
            Self::Last { .. } => "KEY-LAST",
            Self::Needed { .. } => "KEY-NEEDED",
            Self::SingleKey { .. } => "KEY-SINGLE",
            Self::SwapEarly { .. } => "CUTOVER-EARLY",
            Self::CutoverOpen { .. } => "CUTOVER-OPEN",
            Self::NotServed { .. } => "CUTOVER-MISSING",
            Self::NoStandby { .. } => "CUTOVER-STANDBY",
            Self::CutoverServices { .. } => "CUTOVER-SERVICES",
            Self::NoCutover { .. } => "CUTOVER-NONE",
            Self::NoReplacement { .. } => "CUTOVER-SUBJECT",
            Self::NoCutoverNeeded { .. } => "CUTOVER-OVERLAP",
        })
    }

    fn why(&self) -> Vec<String> {
        let mut why: Vec<String> = match self {
            Self::Unpublished { .. } => vec!["its tokens would be refused everywhere".to_owned()],
            Self::Carried { .. } => vec![
                "every stick that carried it may be lost: a service without it would refuse its tokens".to_owned(),
                "publish at the usual interval, and carry each publication to every service".to_owned(),
            ],
            Self::Early { .. } => vec![
                "until then a verifier may still wait for the stick that carries it, and would refuse its tokens"
                    .to_owned(),
            ],
            Self::Last { .. } => vec![
                "without it no token of the keyset could be issued or renewed".to_owned(),
                "deactivating destroys the private half: it can't be undone".to_owned(),
            ],
            Self::Needed { .. } => vec!["valid tokens would be refused from one moment to the next".to_owned()],
            Self::SingleKey { .. } => vec![
                "from the moment its operator installs the new key, every token signed until now is refused \
                 there; until then, every new one"
                    .to_owned(),
            ],
            Self::SwapEarly { .. } => {
                vec!["until then a holder may still wait for the replacement, and would be locked out".to_owned()]
            }
            Self::CutoverOpen { .. } => {
                vec![
                    "until its operator has installed the new key, its tokens need both keys".to_owned(),
                    "if a folder got lost, --again hands out another".to_owned(),
                ]
            }
            Self::NotServed { .. } => vec![
                "once every swap is confirmed nothing more is made for their holders".to_owned(),
                "what the policy gives no more can't be replaced: revoke it; --accept-outage confirms all the same"
                    .to_owned(),
            ],
            Self::NoStandby { .. } => vec!["they would refuse its tokens from the swap on".to_owned()],
            Self::CutoverServices { .. } => {
                vec![
                    "its tokens would need replacements that nobody gets, or its swap could not be confirmed"
                        .to_owned(),
                ]
            }
            Self::NoCutover { .. } => Vec::new(),
            Self::NoReplacement { .. } => {
                vec!["only live tokens of the key that is installed are replaced".to_owned()]
            }
            Self::NoCutoverNeeded { .. } => vec!["its keys are replaced without anybody noticing".to_owned()],
        };
        why.push("nothing was changed".to_owned());
        why
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unpublished { .. } => Some("coldsign publish --to .".to_owned()),
            Self::Carried { .. } => Some("coldsign publish --renew --to .".to_owned()),
            Self::Last { keyset, .. } => Some(format!("coldsign key generate {keyset}")),
            Self::SingleKey { service, .. } => Some(format!("coldsign rotate cutover plan {service}")),
            Self::NotServed { service, .. } => Some(format!("coldsign rotate cutover issue {service} --to .")),
            Self::CutoverOpen { service }
            | Self::CutoverServices { under_way: service, .. }
            | Self::NoCutover { service } => Some(format!("coldsign rotate cutover plan {service}")),
            Self::NoReplacement { service, .. } => Some(format!("coldsign token list --service {service}")),
            Self::NoCutoverNeeded { .. } | Self::NoStandby { .. } => Some("coldsign rotate next --to .".to_owned()),
            Self::SwapEarly { service, .. } => Some(format!("coldsign rotate cutover plan {service}")),
            Self::Early { key, .. } | Self::Needed { key, .. } => {
                key.split_once('/').map(|(keyset, _)| format!("coldsign rotate plan --keyset {keyset}"))
            }
        }
    }
}
