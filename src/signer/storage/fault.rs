//! What can go wrong with a file.

use crate::refusal::Refuse;
use coldsign_verify::files::ReadFault;
use std::io;
use std::path::{Path, PathBuf};

/// A file operation that failed, with the file it was about.
#[derive(Debug, thiserror::Error)]
pub enum StorageFault {
    /// The system refused.
    #[error("{} could not be {action}: {source}", path.display())]
    System {
        /// What was tried: `read`, `written`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// Something of that name is there, and nothing is ever overwritten.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// There is no such file.
    #[error("{} is not there", .0.display())]
    Missing(PathBuf),
    /// A directory, device, pipe or socket where a file was expected.
    #[error("{} is not an ordinary file", .0.display())]
    NotAFile(PathBuf),
    /// Larger than anything that belongs here.
    #[error("{} is larger than {cap} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read, in bytes.
        cap: u64,
    },
    /// Text was expected.
    #[error("{} is not UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// It is only held in memory.
    #[error("{} can only be read", .0.display())]
    ReadOnly(PathBuf),
    /// Somebody else has written, moved or replaced it since this act has read it.
    #[error("{} is no longer as this act has read it", .0.display())]
    Exchanged(PathBuf),
    /// Another act holds the store's lock.
    #[error("another coldsign command is at work on {}", .0.display())]
    Busy(PathBuf),
}

impl StorageFault {
    pub(super) fn read(path: &Path, fault: ReadFault) -> Self {
        match fault {
            ReadFault::Missing => Self::Missing(path.to_owned()),
            ReadFault::TooLarge { limit } => Self::TooLarge { path: path.to_owned(), cap: limit },
            ReadFault::System(error) => Self::system("read", path)(error),
            _ => Self::NotAFile(path.to_owned()),
        }
    }

    pub(super) fn system(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::NotFound if action == "read" => Self::Missing(path),
            io::ErrorKind::AlreadyExists => Self::Exists(path),
            _ => Self::System { action, path, source },
        }
    }
}

impl Refuse for StorageFault {
    fn is_fault(&self) -> bool {
        true
    }

    fn why(&self) -> Vec<String> {
        match self {
            Self::Exists(_) => vec!["nothing is overwritten; nothing was written".to_owned()],
            Self::Exchanged(_) => vec!["somebody else wrote, moved or replaced it while this act ran".to_owned()],
            Self::Busy(_) => vec!["one act at a time; nothing was done".to_owned()],
            Self::NotAFile(_) => {
                vec!["pipes, devices and directories are not read here".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}
