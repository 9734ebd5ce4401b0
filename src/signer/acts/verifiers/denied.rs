//! Why a verifier is not enrolled, or a receipt not believed.

use crate::refusal::Refuse;
use coldsign_verify::escape::escaped;
use coldsign_verify::receipt::{self, is_verifier_name};
use coldsign_verify::{Digest, UnixTime};

/// Why a verifier can't be enrolled or found.
#[derive(Debug, thiserror::Error)]
pub enum VerifierDenied {
    /// Not a name for a verifier.
    #[error("\"{0}\" can't name a verifier")]
    Name(String),
    /// A verifier of that name counts already.
    #[error("{0} is enrolled already")]
    Known(String),
    /// No key could be read.
    #[error("the file has no receipt key: {0}")]
    Key(String),
    /// The key signs already: another verifier's receipts, or tokens, bundles, checkpoints.
    #[error("that key is here already: it is {owner}")]
    KeyKnown {
        /// Whose.
        owner: String,
    },
    /// What was read out is no fingerprint.
    #[error("what was given is no fingerprint")]
    FingerprintForm,
    /// What was read out is another key's.
    #[error("the key's fingerprint is {found}, not the one that was read out")]
    Fingerprint {
        /// The key's.
        found: Digest,
    },
    /// There is no such verifier.
    #[error("there is no verifier {name}")]
    Unknown {
        /// As given.
        name: String,
        /// The nearest there is.
        nearest: Option<String>,
    },
}

impl Refuse for VerifierDenied {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::Name(_) => "VERIFIER-NAME",
            Self::Known(_) => "VERIFIER-KNOWN",
            Self::Key(_) => "VERIFIER-KEY",
            Self::KeyKnown { .. } => "VERIFIER-KEY-KNOWN",
            Self::FingerprintForm | Self::Fingerprint { .. } => "VERIFIER-FINGERPRINT",
            Self::Unknown { .. } => "VERIFIER-UNKNOWN",
        })
    }

    fn why(&self) -> Vec<String> {
        let line = match self {
            Self::Name(_) => "a name has a-z, 0-9 and ._-, begins with a letter or digit, 64 characters at the most",
            Self::Known(_) => "one set up anew has a new key: remove it first; nothing was changed",
            Self::Key(_) => "give one of its receipts, or its public key as JWK or PEM; nothing was changed",
            Self::KeyKnown { .. } => "one process, one key, and a receipt key signs nothing else; nothing was changed",
            Self::FingerprintForm => "it is 64 hex digits, or 24 words; nothing was changed",
            Self::Fingerprint { .. } => {
                "either it was misread, or this is not that machine's key: ask again there; nothing was changed"
            }
            Self::Unknown { .. } => "nothing was changed",
        };
        vec![line.to_owned()]
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Known(name) => format!("coldsign verifier remove {name}"),
            Self::Fingerprint { .. } | Self::FingerprintForm => "coldsign-gate receipt --fingerprint".to_owned(),
            Self::Unknown { .. } | Self::KeyKnown { .. } => "coldsign verifier list".to_owned(),
            Self::Name(_) | Self::Key(_) => return None,
        })
    }
}

/// Why a receipt is not believed.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptDenied {
    /// No receipt, or not signed by its verifier's key.
    #[error(transparent)]
    Form(#[from] receipt::Fault),
    /// A file longer than any receipt.
    #[error("the file is longer than a receipt can be ({} bytes)", receipt::LONGEST)]
    Length,
    /// Bytes that are no text.
    #[error("the file is no receipt: it is no text")]
    NotText,
    /// Of another store's verifier.
    #[error("the receipt is for store {}, not this one", escaped(.found))]
    Store {
        /// The store that it names.
        found: String,
    },
    /// Of a verifier that is not enrolled.
    #[error("the receipt is of {}, which is not enrolled", escaped(.name))]
    Verifier {
        /// As it names itself.
        name: String,
        /// The nearest that is enrolled.
        nearest: Option<String>,
    },
    /// The very receipt that was taken before.
    #[error("receipt {counter} of {verifier} was taken already, at {}", UnixTime(*.at))]
    Replay {
        /// Whose.
        verifier: String,
        /// Its number.
        counter: u64,
        /// When, in seconds since the epoch.
        at: u64,
    },
    /// An older one, which came too late.
    #[error("receipt {counter} of {verifier} is older than receipt {last}, which was taken already")]
    Late {
        /// Whose.
        verifier: String,
        /// Its number.
        counter: u64,
        /// That of the last one taken.
        last: u64,
    },
    /// One that does not go on from those taken before: its machine forgot them, or there are two.
    #[error("receipt {counter} of {verifier} does not go on from receipt {last}, which was taken before")]
    Fork {
        /// Whose.
        verifier: String,
        /// Its number.
        counter: u64,
        /// That of the last one taken.
        last: u64,
    },
    /// Of a publication that this store never made.
    #[error("{verifier} has installed publication {seq}, which this store never made")]
    Publication {
        /// Whose.
        verifier: String,
        /// The publication.
        seq: u64,
    },
    /// Of a publication that is another here.
    #[error("{verifier} has installed another publication {seq} than this store made")]
    Bundle {
        /// Whose.
        verifier: String,
        /// The publication.
        seq: u64,
    },
    /// Signed in the future.
    #[error("{verifier} signed at {}, which is ahead of this machine's clock by more than {skew} s", UnixTime(*.clock))]
    Clock {
        /// Whose.
        verifier: String,
        /// What its clock showed, in seconds since the epoch.
        clock: u64,
        /// S, in seconds.
        skew: u64,
    },
}

impl Refuse for ReceiptDenied {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::Form(fault) => fault.code(),
            Self::Length => "RECEIPT-LENGTH",
            Self::NotText => "RECEIPT-FORM",
            Self::Store { .. } => "RECEIPT-STORE",
            Self::Verifier { .. } => "RECEIPT-VERIFIER",
            Self::Replay { .. } | Self::Late { .. } => "RECEIPT-COUNTER",
            Self::Fork { .. } => "RECEIPT-FORK",
            Self::Publication { .. } => "RECEIPT-PUBLICATION",
            Self::Bundle { .. } => "RECEIPT-BUNDLE",
            Self::Clock { .. } => "RECEIPT-CLOCK",
        })
    }

    fn why(&self) -> Vec<String> {
        let mut why: Vec<String> = match self {
            Self::Form(receipt::Fault::Key { .. }) => {
                vec!["another machine uses its name, or it was set up anew and has to be enrolled again".to_owned()]
            }
            Self::Form(_) | Self::Length | Self::NotText => vec!["take it from the stick again".to_owned()],
            Self::Store { .. } => Vec::new(),
            Self::Verifier { .. } => {
                vec!["enrol it once, by the fingerprint that is read to you from that machine".to_owned()]
            }
            Self::Replay { .. } | Self::Late { .. } => vec!["make a new one on that machine".to_owned()],
            Self::Fork { .. } => vec![
                "the machine was put back from an image, or two machines use one trust store".to_owned(),
                "what it confirmed may be gone there: remove it, pin anew on that machine, enrol it again".to_owned(),
            ],
            Self::Publication { .. } | Self::Bundle { .. } => vec![
                "a publication lost in a restore, a copy of this store that went on by itself, or a stolen bundle key"
                    .to_owned(),
                "find out which before anything else is published".to_owned(),
            ],
            Self::Clock { .. } => vec!["one of the two clocks is wrong: compare both with a third".to_owned()],
        };
        why.push("nothing was recorded of it".to_owned());
        why
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Verifier { nearest: None, name } if is_verifier_name(name) => {
                format!("coldsign verifier add {name} RECEIPT --fingerprint '…'")
            }
            Self::Verifier { .. } | Self::Form(receipt::Fault::Key { .. }) => "coldsign verifier list".to_owned(),
            Self::Fork { verifier, .. } => format!("coldsign verifier remove {verifier}"),
            Self::Replay { .. } | Self::Late { .. } => "coldsign-gate receipt --to .".to_owned(),
            Self::Publication { .. } | Self::Bundle { .. } => "coldsign publication list".to_owned(),
            Self::Clock { .. } => "coldsign clock show".to_owned(),
            Self::Form(_) | Self::Length | Self::NotText | Self::Store { .. } => return None,
        })
    }
}
