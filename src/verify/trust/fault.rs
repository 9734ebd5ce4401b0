//! Why a trust store was not made, read or changed.

use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::escape::escaped;
use crate::files::LockFault;
use crate::{bundle, receipt, root};

/// A refusal; the store is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing has been pinned there.
    #[error("no trust store in {}", .directory.display())]
    Missing {
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// Pinned already, to something else.
    #[error("the trust store is pinned already: verifier {}, root {pinned}", escaped(.verifier))]
    Pinned {
        /// The fingerprint that was compared.
        pinned: Digest,
        /// The verifier's name.
        verifier: String,
    },
    /// A name that would not be safe everywhere.
    #[error("{:?} is no verifier's name: a-z, 0-9, then also . _ -, at most 64", .name)]
    Name {
        /// The name.
        name: String,
    },
    /// Another process is changing the store, or has since it was read.
    #[error("another process is changing the trust store")]
    Busy,
    /// No lock: another process holds it, or it is none of this program's.
    #[error("the trust store can't be changed now: {0}")]
    Lock(#[from] LockFault),
    /// A name that leads somewhere else than when the change began.
    #[error("{} was exchanged while the trust store was changed", .path.display())]
    Exchanged {
        /// The file or directory.
        path: PathBuf,
    },
    /// A file that is not what was written.
    #[error("{} is damaged: {what}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The system refused.
    #[error("{} could not be {action}: {source}", .path.display())]
    System {
        /// `read`, `written`…
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Nothing is installed yet.
    #[error("nothing is installed yet")]
    Empty,
    /// Services may still read other files than those of the installed bundle.
    #[error("{} may still have other files than those of publication {seq}", escaped(.directory))]
    ExportDue {
        /// The export directory.
        directory: String,
        /// The service whose files are exported there; `None` for the whole publication.
        service: Option<String>,
        /// The installed publication.
        seq: u64,
    },
    /// Nothing was ever exported there.
    #[error("nothing is exported to {}", escaped(.directory))]
    ExportUnknown {
        /// The one asked for.
        directory: String,
        /// Those that are known.
        known: Vec<String>,
    },
    /// The installed bundle doesn't have the service.
    #[error("publication has no service {}", escaped(.service))]
    Service {
        /// The one asked for.
        service: String,
        /// Those it has.
        known: Vec<String>,
    },
    /// None of the service's keys can verify here.
    #[error("service {} has no key that this build can verify with", escaped(.service))]
    NoKeys {
        /// The service.
        service: String,
    },
    /// A file that must be in the publication is not.
    #[error("the publication has no {}", escaped(.path))]
    FileMissing {
        /// Within the publication.
        path: String,
    },
    /// A file that is not the one the bundle names.
    #[error("{} is not the file that the bundle names", escaped(.path))]
    Changed {
        /// Within the publication.
        path: String,
    },
    /// A link, device, pipe or folder where a file must be, or a link for a folder.
    #[error("{} is no ordinary file in an ordinary folder", escaped(.path))]
    NotAFile {
        /// Within the publication.
        path: String,
    },
    /// More than is ever read.
    #[error("{} is larger than {limit} bytes", escaped(.path))]
    TooLarge {
        /// Within the publication.
        path: String,
        /// The limit.
        limit: u64,
    },
    /// A root that can't be trusted.
    #[error(transparent)]
    Root(#[from] root::Fault),
    /// A bundle that can't be installed.
    #[error(transparent)]
    Bundle(#[from] bundle::Fault),
    /// A receipt that can't be made.
    #[error(transparent)]
    Receipt(#[from] receipt::Fault),
}

impl Fault {
    /// The rule's stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "TRUST-MISSING",
            Self::Pinned { .. } => "TRUST-PINNED",
            Self::Name { .. } => "TRUST-NAME",
            Self::Busy | Self::Lock(LockFault::Held(_)) => "TRUST-BUSY",
            Self::Lock(LockFault::Foreign(_)) => "TRUST-LOCK",
            Self::Exchanged { .. } => "TRUST-EXCHANGED",
            Self::Damaged { .. } => "TRUST-DAMAGED",
            Self::System { .. } | Self::Lock(LockFault::System { .. }) => "TRUST-SYSTEM",
            Self::Empty => "TRUST-EMPTY",
            Self::ExportDue { .. } => "TRUST-EXPORT-DUE",
            Self::ExportUnknown { .. } => "TRUST-EXPORT-UNKNOWN",
            Self::Service { .. } => "TRUST-SERVICE",
            Self::NoKeys { .. } => "TRUST-NO-KEYS",
            Self::FileMissing { .. } => "PUBLICATION-MISSING",
            Self::Changed { .. } => "PUBLICATION-CHANGED",
            Self::NotAFile { .. } => "PUBLICATION-NOT-A-FILE",
            Self::TooLarge { .. } => "PUBLICATION-TOO-LARGE",
            Self::Root(fault) => fault.code(),
            Self::Bundle(fault) => fault.code(),
            Self::Receipt(fault) => fault.code(),
        }
    }

    pub(super) fn system(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::System { action, path, source }
    }
}
