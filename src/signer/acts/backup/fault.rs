//! Why a backup can't be made, trusted or restored.

use super::archive::ArchiveFault;
use crate::refusal::Refuse;
use std::path::PathBuf;

/// A refusal about a backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupDenied {
    /// Something else.
    #[error("{} is no backup of coldsign", .0.display())]
    NoBackup(PathBuf),
    /// From another coldsign.
    #[error("the backup is of version {0}; this coldsign reads version 1")]
    Version(u64),
    /// Not as it was written.
    #[error("the backup {} is damaged: {what}", file.display())]
    Damaged {
        /// The backup.
        file: PathBuf,
        /// What does not hold.
        what: String,
    },
    /// No such unlock in it.
    #[error("the backup has no unlock named {name}; it has {}", has.join(", "))]
    NoUnlock {
        /// As given.
        name: String,
        /// Those of its day.
        has: Vec<String>,
    },
    /// The archive can't hold it.
    #[error("the backup can't be written: {0}")]
    Unwritable(#[from] ArchiveFault),
    /// What was read back is not what was written.
    #[error("{}, read back, is not what was written", .0.display())]
    ReadBack(PathBuf),
    /// A file without a checkpoint in it.
    #[error("{} holds no checkpoint of a journal", .0.display())]
    NoCheckpoint(PathBuf),
    /// A checkpoint that this journal's key never signed.
    #[error("the checkpoint in {} is not this store's: {what}", file.display())]
    ForeignCheckpoint {
        /// Where it was read.
        file: PathBuf,
        /// What does not hold.
        what: String,
    },
    /// A journal that does not go on from the backup's.
    #[error("the journal in {} does not go on from the backup's: {what}", file.display())]
    OtherJournal {
        /// Where it was read.
        file: PathBuf,
        /// What does not hold.
        what: String,
    },
    /// Not a journal fingerprint.
    #[error("{text:?} is no journal fingerprint: {what}")]
    NoFingerprint {
        /// As given.
        text: String,
        /// What is wrong.
        what: &'static str,
    },
    /// No checkpoint of the backup has that fingerprint.
    #[error("no checkpoint in the backup has the fingerprint {0}")]
    UnknownFingerprint(String),
    /// Two histories: what was seen is not in the backup's past.
    #[error("the checkpoint of {size} lines in {} is not in the backup's past", file.display())]
    OtherHistory {
        /// Where it was read.
        file: PathBuf,
        /// Lines it covers.
        size: u64,
    },
    /// The backup's journal is not in the store's past.
    #[error("the backup's journal of {0} lines is not the beginning of this store's journal")]
    NotThisPast(u64),
    /// The store's journal ends before the backup's.
    #[error("the backup's journal has {backup} lines, this store's only {store}")]
    StoreBehind {
        /// Lines in the backup.
        backup: u64,
        /// Lines in the store.
        store: u64,
    },
    /// No numbers are left for publications.
    #[error("publication numbers up to {used} are taken: too few are left up to 999999")]
    Numbers {
        /// The highest one taken.
        used: u64,
    },
    /// The backup is older than what was seen outside.
    #[error("the backup is older than what was seen outside: {}", lost_words(*lost, *published))]
    Fork {
        /// Lines that a checkpoint proves to be lost.
        lost: u64,
        /// A publication number seen outside that it does not know.
        published: Option<u64>,
        /// Whether nothing says what was published meanwhile.
        publications_unknown: bool,
    },
}

/// Why a checkpoint alone is not enough where something is lost.
pub const NUMBERS_UNKNOWN: &str = "a checkpoint doesn't say what was published, nor whether that store was itself restored: \
     name the highest publication number that a service or stick shows with --published N";

fn lost_words(lost: u64, published: Option<u64>) -> String {
    match (lost, published) {
        (0, Some(seq)) => format!("publication {seq} was made after it"),
        (lost, None) => format!("at least {lost} journal lines are lost"),
        (lost, Some(seq)) => format!("at least {lost} journal lines are lost, and publication {seq} was made after it"),
    }
}

impl Refuse for BackupDenied {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoBackup(_) => "BACKUP-FORMAT",
            Self::Version(_) => "BACKUP-VERSION",
            Self::Damaged { .. } => "BACKUP-DAMAGED",
            Self::NoUnlock { .. } => "BACKUP-UNLOCK",
            Self::Unwritable(_) => "BACKUP-SIZE",
            Self::ReadBack(_) => "BACKUP-READ-BACK",
            Self::NoCheckpoint(_) | Self::ForeignCheckpoint { .. } | Self::NoFingerprint { .. } => "BACKUP-CHECKPOINT",
            Self::OtherHistory { .. } | Self::OtherJournal { .. } | Self::NotThisPast(_) => "BACKUP-HISTORY",
            Self::Numbers { .. } => "BACKUP-NUMBERS",
            Self::StoreBehind { .. } => "BACKUP-AHEAD",
            Self::Fork { .. } | Self::UnknownFingerprint(_) => "BACKUP-FORK",
        })
    }

    fn why(&self) -> Vec<String> {
        let lines = |text: &[&str]| text.iter().map(ToString::to_string).collect();
        match self {
            Self::NoBackup(_) | Self::Version(_) => lines(&["nothing was opened, nothing was done"]),
            Self::Damaged { .. } => lines(&["nothing was taken from it; try another copy, or an older backup"]),
            Self::NoUnlock { .. } => lines(&["a backup opens with the unlocks of the day it was made"]),
            Self::Unwritable(_) => lines(&["nothing was written"]),
            Self::ReadBack(_) => lines(&["the medium is bad or full; the file was removed, nothing was recorded"]),
            Self::NoCheckpoint(_) => lines(&[
                "it takes a copy of journal/checkpoint or journal/entries.jsonl, a publication's folder or its \
                 bundle.jwt, or a page with such a note typed in",
                "of a publication without a bundle say the number: --published N; nothing was restored",
            ]),
            Self::NoFingerprint { .. } => lines(&[
                "`coldsign status` shows one: 16 of its hex digits or more are needed, blanks don't count",
                "nothing was restored",
            ]),
            Self::ForeignCheckpoint { .. } => {
                lines(&["it is of another store, or was made up, or the backup was; nothing was restored"])
            }
            Self::OtherJournal { .. } => {
                lines(&["it is of another store, older than the backup, or was changed; nothing was restored"])
            }
            Self::UnknownFingerprint(_) => lines(&[
                "it is mistyped, of another store, or was noted after this backup: then what came after is lost",
                "nothing was restored; look for a newer backup, or take the loss: --no-checkpoint instead of --fingerprint",
            ]),
            Self::OtherHistory { .. } => lines(&[
                "the store went another way than this backup: it was restored or exchanged in between",
                "nothing was restored; take a backup made after that checkpoint",
            ]),
            Self::Numbers { .. } => lines(&[
                "a store in use never gets there: the backup, or the journal given with it, was made up",
                "nothing was restored",
            ]),
            Self::NotThisPast(_) => {
                lines(&["one of the two was restored from an older backup since, or exchanged; nothing was changed"])
            }
            Self::StoreBehind { .. } => {
                lines(&["acts that were recorded are gone from this store: it was rolled back; nothing was changed"])
            }
            Self::Fork { publications_unknown, .. } => {
                let mut why = lines(&[
                    "tokens, publications, keys and revocations made since are unknown to it and stay valid outside",
                ]);
                if *publications_unknown {
                    why.push(NUMBERS_UNKNOWN.to_owned());
                }
                why.push("nothing was restored; look for a newer backup, or say --accept-fork".to_owned());
                why
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoBackup(_) => Some("coldsign backup list".to_owned()),
            Self::StoreBehind { .. } => Some("coldsign backup restore --help".to_owned()),
            _ => None,
        }
    }
}
