//! What can go wrong with keys and their sealing.

use crate::refusal::Refuse;
use crate::storage::StorageFault;

/// A key, a seal or an unlock that can't be made, opened or trusted.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreFault {
    /// There is no unlock of that name.
    #[error("this store has no unlock named {0}")]
    NoSuchUnlock(String),
    /// The passphrase does not open the unlock.
    #[error("that is not the passphrase of unlock {0}")]
    WrongPassphrase(String),
    /// The code does not open the root's key.
    #[error("that is not the code of this root key")]
    WrongRootCode(String),
    /// A passphrase that guessing would find.
    #[error("the passphrase is too short: {found} characters, at least {least}")]
    ShortPassphrase {
        /// Characters found.
        found: usize,
        /// Characters wanted.
        least: usize,
    },
    /// Nothing but blanks.
    #[error("the passphrase is nothing but blanks")]
    BlankPassphrase,
    /// A character that another keyboard may not have, or that nobody sees.
    #[error("the passphrase has a character that can't be seen or typed again")]
    PassphraseCharacter,
    /// An age file that is not as this program writes it.
    #[error("{file} is damaged: {what}")]
    Damaged {
        /// The file, below the store.
        file: String,
        /// What does not hold.
        what: String,
    },
    /// The store is not the one that the unlock's own file vouches for.
    #[error("this store is forged: {what} is not the one that the file of unlock {unlock} names")]
    Anchor {
        /// The unlock.
        unlock: String,
        /// What differs.
        what: &'static str,
    },
    /// The journal ends before what the unlock's own file names.
    #[error("an older copy of this store was put back: its journal has {found} lines, unlock {unlock} knows of {size}")]
    PutBack {
        /// The unlock.
        unlock: String,
        /// Lines that it names.
        size: u64,
        /// Lines found.
        found: u64,
    },
    /// The seal speaks of another journal: the store was put together from parts.
    #[error("the seal and the journal do not belong together: {0} differs")]
    Seal(&'static str),
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] crate::journal::JournalFault),
    /// A private key that is not the one its name and the journal promise.
    #[error("{file} holds another key than key {kid}")]
    WrongKey {
        /// The file, below the store.
        file: String,
        /// The kid promised.
        kid: String,
    },
    /// The store has no private half of that key.
    #[error("the private half of key {0} is not in this store")]
    NoPrivateHalf(String),
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random,
    /// A cryptographic operation failed that never should.
    #[error("{0} failed")]
    Operation(&'static str),
    /// A cost that would be too cheap, or would exhaust the machine.
    #[error("a work factor of 2^{0} is outside 2^10 to 2^20")]
    Cost(u8),
    /// A file operation failed.
    #[error(transparent)]
    Storage(#[from] StorageFault),
}

impl Refuse for KeystoreFault {
    fn is_fault(&self) -> bool {
        true
    }

    fn rule(&self) -> Option<&'static str> {
        match self {
            Self::NoSuchUnlock(_) => Some("UNLOCK-UNKNOWN"),
            Self::WrongPassphrase(_) => Some("UNLOCK-PASSPHRASE"),
            Self::WrongRootCode(_) => Some("ROOT-CODE"),
            Self::ShortPassphrase { .. } | Self::BlankPassphrase => Some("UNLOCK-SHORT"),
            Self::PassphraseCharacter => Some("UNLOCK-CHARACTER"),
            Self::Cost(_) => Some("UNLOCK-COST"),
            Self::Damaged { .. } | Self::WrongKey { .. } => Some("STORE-DAMAGED"),
            Self::Anchor { .. } | Self::Seal(_) => Some("STORE-ANCHOR"),
            Self::PutBack { .. } => Some("STORE-PUT-BACK"),
            Self::Journal(fault) => fault.rule(),
            Self::NoPrivateHalf(_) => Some("KEY-NO-PRIVATE"),
            Self::Random | Self::Operation(_) | Self::Storage(_) => None,
        }
    }

    fn why(&self) -> Vec<String> {
        match self {
            Self::NoSuchUnlock(_) => vec!["nothing was opened, nothing was done".to_owned()],
            Self::WrongPassphrase(name) if name == "recovery" => {
                vec!["nothing was opened, nothing was done".to_owned()]
            }
            Self::WrongPassphrase(_) => vec![
                "nothing was opened, nothing was done".to_owned(),
                "the recovery code opens the store as well: add --unlock recovery".to_owned(),
            ],
            Self::Anchor { .. } | Self::Seal(_) => vec![
                "somebody exchanged the journal, the seal or the whole store; nothing was done".to_owned(),
                "keep this store as evidence and read docs/operator/tampered.md".to_owned(),
            ],
            Self::PutBack { .. } => vec![
                "tokens, keys and revocations since that copy are missing here; nothing was done".to_owned(),
                "keep this store as evidence and restore the newest backup to another place".to_owned(),
            ],
            Self::Journal(fault) => fault.why(),
            Self::Damaged { .. } | Self::WrongKey { .. } => {
                vec!["nothing was done; keep this store as it is and go on from the newest backup".to_owned()]
            }
            Self::WrongRootCode(file) => vec![format!("or {file} is another key's, or was changed; nothing was done")],
            Self::ShortPassphrase { .. } | Self::BlankPassphrase => {
                vec!["whoever copies the disk can try passphrases as fast as their machines allow".to_owned()]
            }
            Self::PassphraseCharacter => vec![
                "control characters, zero-width and private ones are not taken (RFC 8265); nothing was done".to_owned(),
            ],
            Self::Storage(fault) => fault.why(),
            _ => Vec::new(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoSuchUnlock(_) => Some("coldsign unlock list".to_owned()),
            Self::WrongRootCode(_) => Some("coldsign root show".to_owned()),
            Self::Anchor { .. } | Self::Seal(_) | Self::PutBack { .. } => {
                Some("coldsign --store NEW-PLACE backup restore FILE".to_owned())
            }
            Self::Journal(fault) => fault.hint(),
            _ => None,
        }
    }
}
