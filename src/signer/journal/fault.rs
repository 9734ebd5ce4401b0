//! What can be wrong with a journal.

use crate::refusal::Refuse;
use crate::storage::StorageFault;

/// A journal that can't be read, trusted or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalFault {
    /// Something acknowledged is no longer as it was written.
    #[error("journal/{file} is damaged at line {line}: {what}")]
    Damaged {
        /// `entries.jsonl` or `checkpoint`.
        file: &'static str,
        /// Its line, from 1.
        line: u64,
        /// What does not hold.
        what: String,
    },
    /// The journal ends before what was acknowledged.
    #[error("journal/entries.jsonl has {found} whole lines, its checkpoint speaks of {promised}")]
    Short {
        /// Whole lines found.
        found: u64,
        /// Lines there must be.
        promised: u64,
    },
    /// An entry's members are not those of its type.
    #[error("journal/entries.jsonl line {line} can't be read: {what}")]
    Malformed {
        /// Its line, from 1.
        line: u64,
        /// What does not fit.
        what: String,
    },
    /// An entry of a type this version does not know.
    #[error("journal/entries.jsonl line {line} has the unknown type {kind}")]
    UnknownType {
        /// Its line, from 1.
        line: u64,
        /// Its type.
        kind: String,
    },
    /// A format or version this program does not write.
    #[error("the journal is of format {format} version {version}; this coldsign reads version 1")]
    Version {
        /// The format found.
        format: String,
        /// The version found.
        version: u64,
    },
    /// The checkpoint could not be signed.
    #[error("the journal's checkpoint could not be signed")]
    Unsigned,
    /// An entry that no reader would take.
    #[error("an entry would have {0} bytes; the journal takes 1 MiB a line")]
    TooLong(usize),
    /// An entry that would count as damage: it names a member of the envelope again, or is no strict JSON.
    #[error("an entry could not be read back: {0}")]
    Unreadable(String),
    /// The group could not be appended.
    #[error("{0}")]
    NotRecorded(StorageFault),
    /// The journal is not as this act has read it or left it.
    #[error("{0}")]
    Exchanged(StorageFault),
    /// The group is durable, but the checkpoint file could not be replaced.
    #[error("the act is recorded, but not finished: {0}")]
    Unfinished(StorageFault),
    /// A file operation failed.
    #[error(transparent)]
    Storage(#[from] StorageFault),
}

impl Refuse for JournalFault {
    fn is_fault(&self) -> bool {
        true
    }

    fn rule(&self) -> Option<&'static str> {
        match self {
            Self::Damaged { .. } | Self::Short { .. } => Some("JOURNAL-DAMAGED"),
            Self::Malformed { .. } | Self::UnknownType { .. } => Some("JOURNAL-UNKNOWN-ENTRY"),
            Self::Version { .. } => Some("JOURNAL-VERSION"),
            Self::NotRecorded(_) | Self::TooLong(_) | Self::Unreadable(_) => Some("JOURNAL-NOT-RECORDED"),
            Self::Exchanged(_) => Some("JOURNAL-EXCHANGED"),
            Self::Unfinished(_) => Some("JOURNAL-UNFINISHED"),
            Self::Unsigned | Self::Storage(_) => None,
        }
    }

    fn why(&self) -> Vec<String> {
        match self {
            Self::Damaged { .. } | Self::Short { .. } => vec![
                "something already acknowledged has changed or gone; nothing is guessed or mended".to_owned(),
                "nothing was done; keep this store as it is and go on from the newest backup".to_owned(),
            ],
            Self::UnknownType { .. } | Self::Version { .. } | Self::Malformed { .. } => {
                vec!["it may be from a newer coldsign; nothing was done".to_owned()]
            }
            Self::Unsigned => vec!["nothing was recorded".to_owned()],
            Self::NotRecorded(_) | Self::TooLong(_) | Self::Unreadable(_) => {
                vec!["nothing was recorded, so nothing was issued, published or changed".to_owned()]
            }
            Self::Exchanged(_) => vec![
                "somebody else wrote, moved or replaced the journal while this act ran".to_owned(),
                "nothing is handed out; look at the journal before you repeat the act".to_owned(),
            ],
            Self::Unfinished(_) => vec![
                "what was recorded counts, and the next act finishes it: don't repeat it before you have looked"
                    .to_owned(),
                "what was to be written outside the store may be missing (a token: `coldsign token list`)".to_owned(),
            ],
            Self::Storage(fault) => fault.why(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Exchanged(_) => Some("coldsign journal verify".to_owned()),
            Self::Unfinished(_) => Some("coldsign status".to_owned()),
            _ => None,
        }
    }
}
