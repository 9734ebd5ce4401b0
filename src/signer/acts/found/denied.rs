//! Why a folder found outside is not a publication of this store, or shows that the store is not what it was.

use crate::acts::{path_word, shell_word};
use crate::refusal::Refuse;
use std::path::{Path, PathBuf};

/// The most differences that are named.
const MOST: usize = 20;

/// What a folder found outside is, where it is not one of the store's publications as it was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoundDenied {
    /// Something else.
    #[error("{} is no publication", folder.display())]
    None {
        /// As given.
        folder: PathBuf,
        /// The last publication in it, if any.
        inner: Option<PathBuf>,
    },
    /// Files are missing; those that are there are as listed.
    #[error("the publication in {} is incomplete", folder.display())]
    Incomplete {
        /// As given.
        folder: PathBuf,
        /// What is missing.
        what: Vec<String>,
    },
    /// Files differ, or there are others.
    #[error("the publication in {} was changed", folder.display())]
    Changed {
        /// As given.
        folder: PathBuf,
        /// How.
        what: Vec<String>,
    },
    /// Under the name of another.
    #[error("the publication in {} is not the one it is named after: it is {own}", folder.display())]
    Name {
        /// As given.
        folder: PathBuf,
        /// The name it was made with.
        own: String,
    },
    /// Not this store's.
    #[error("the publication in {} is not this store's: {what}", folder.display())]
    Foreign {
        /// As given.
        folder: PathBuf,
        /// What shows it.
        what: String,
    },
    /// With this store's id, under a journal key that is none of its own.
    #[error("the publication in {} has this store's id under another journal key: {what}", folder.display())]
    OtherKey {
        /// As given.
        folder: PathBuf,
        /// What shows it.
        what: String,
        /// Whether an unlock vouches for this store: then the publication is the forged one.
        authenticated: bool,
    },
    /// Of the branch that a restore has ended.
    #[error("publication {seq} in {} is of the branch that a restore left behind", folder.display())]
    LeftBehind {
        /// As given.
        folder: PathBuf,
        /// Its number.
        seq: u64,
    },
    /// The store lacks what it had when that publication was made.
    #[error(
        "this store was rolled back: publication {seq} in {} was made by it after {size} journal lines; there are {covered}, and none is its own",
        folder.display()
    )]
    Ahead {
        /// Where that publication lies.
        folder: PathBuf,
        /// Its number.
        seq: u64,
        /// The fewest lines that the journal had.
        size: u64,
        /// The lines it has.
        covered: u64,
    },
    /// The store went another way than the one that made the publication.
    #[error("this store was forked: publication {seq} in {} was made with its keys, but not by it: {what}", folder.display())]
    Fork {
        /// Where that publication lies.
        folder: PathBuf,
        /// Its number.
        seq: u64,
        /// What shows it.
        what: String,
    },
}

impl FoundDenied {
    fn folder(&self) -> &Path {
        match self {
            Self::None { folder, .. }
            | Self::Incomplete { folder, .. }
            | Self::Changed { folder, .. }
            | Self::Name { folder, .. }
            | Self::Foreign { folder, .. }
            | Self::OtherKey { folder, .. }
            | Self::LeftBehind { folder, .. }
            | Self::Ahead { folder, .. }
            | Self::Fork { folder, .. } => folder,
        }
    }
}

impl Refuse for FoundDenied {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::None { .. } => "PUBLICATION-NONE",
            Self::Incomplete { .. } => "PUBLICATION-INCOMPLETE",
            Self::Changed { .. } => "PUBLICATION-CHANGED",
            Self::Name { .. } => "PUBLICATION-NAME",
            Self::Foreign { .. } => "PUBLICATION-FOREIGN",
            Self::OtherKey { .. } => "PUBLICATION-OTHER-KEY",
            Self::LeftBehind { .. } => "PUBLICATION-LEFT-BEHIND",
            Self::Ahead { .. } => "PUBLICATION-AHEAD",
            Self::Fork { .. } => "PUBLICATION-FORK",
        })
    }

    fn why(&self) -> Vec<String> {
        let lines = |text: &[&str]| text.iter().map(ToString::to_string).collect();
        match self {
            Self::None { .. } => lines(&["a publication has SHA256SUMS and bundle.jwt in it"]),
            Self::Incomplete { what, .. } | Self::Changed { what, .. } => {
                let mut why: Vec<String> = what.iter().take(MOST).cloned().collect();
                if let Some(more @ 1..) = what.len().checked_sub(MOST) {
                    why.push(format!("and {more} more"));
                }
                why.push("no service should install from it".to_owned());
                why
            }
            Self::Name { .. } => {
                lines(&["somebody renamed it: whoever carries it would bring another than they think"])
            }
            Self::Foreign { .. } => lines(&["no service that pinned this store's root would install it"]),
            Self::OtherKey { authenticated: true, .. } => lines(&[
                "your passphrase vouches for this store, so somebody forged that publication",
                "no service should install it; keep the stick as evidence",
            ]),
            Self::OtherKey { authenticated: false, .. } => lines(&[
                "either that publication or this store is forged; without a passphrase nobody can say which",
                "nothing was copied",
            ]),
            Self::LeftBehind { .. } => {
                lines(&["it was published after the backup and is unknown here; a newer one takes its place"])
            }
            Self::Ahead { .. } => lines(&[
                "an older copy was put back, or the end of its journal was cut off: tokens, keys and revocations \
                 since then are unknown here",
                "a publication made now would take numbers that services have seen; nothing was published or copied",
                "go on from the store that made it, or from the newest backup (backup restore --checkpoint takes \
                 that folder)",
            ]),
            Self::Fork { .. } => lines(&[
                "two stores with one set of keys went on from one copy: neither knows what the other signed",
                "nothing was published or copied; find the other store, and decide which one goes on",
            ]),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::None { inner: Some(inner), .. } => Some(format!("coldsign publication check {}", path_word(inner))),
            Self::None { .. } | Self::Incomplete { .. } | Self::Changed { .. } | Self::Name { .. } => {
                Some("coldsign publication list".to_owned())
            }
            Self::Ahead { .. } | Self::Fork { .. } => {
                Some(format!("coldsign journal verify --against {}", shell_word(self.folder())))
            }
            Self::OtherKey { authenticated: false, .. } => Some("coldsign unlock test NAME".to_owned()),
            Self::Foreign { .. } | Self::LeftBehind { .. } | Self::OtherKey { .. } => None,
        }
    }
}
