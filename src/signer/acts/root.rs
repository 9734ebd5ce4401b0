//! The root of trust: which keys sign bundles, and who may say so.

use super::{Denied, Store};
use crate::publishing::roots::RootMade;
use crate::refusal::{Refusal, Refuse};
use crate::rotation::RootTooShort;
use crate::storage::{Directory, StorageFault};
use coldsign_verify::root::{self, Root, Terms};
use coldsign_verify::{Digest, UnixTime};

/// How long a root is good, in seconds: five years.
pub const LIFETIME: u64 = 5 * 31_556_952;

/// Why the root of trust does not allow an act.
#[derive(Debug, thiserror::Error)]
pub enum RootDenied {
    /// A root that no verifier would accept.
    #[error("the root can't be made: {0}")]
    Form(#[from] root::Fault),
    /// The store was made before there were roots.
    #[error("the store has no root")]
    None,
    /// There is no root of that number.
    #[error("there is no root {0}")]
    Unknown(u64),
    /// A bundle would be good for longer than the root that vouches for it.
    #[error("a bundle made now would be good until {until}, root {root_version} only until {ends}")]
    Ends {
        /// The root.
        root_version: u64,
        /// Its `exp`.
        ends: UnixTime,
        /// The bundle's.
        until: UnixTime,
    },
}

impl Refuse for RootDenied {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::Form(fault) => fault.code(),
            Self::None => "PUBLISH-NO-ROOT",
            Self::Unknown(_) => "ROOT-UNKNOWN",
            Self::Ends { .. } => "ROOT-ENDS",
        })
    }

    fn why(&self) -> Vec<String> {
        match self {
            Self::Form(_) => vec!["nothing was done".to_owned()],
            Self::None => vec!["a root says which key signs bundles, and verifiers pin it".to_owned()],
            Self::Unknown(_) => Vec::new(),
            Self::Ends { .. } => vec!["no verifier would accept it; nothing was published".to_owned()],
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::None | Self::Ends { .. } => Some("coldsign root rotate".to_owned()),
            Self::Unknown(_) => Some("coldsign root show".to_owned()),
            Self::Form(_) => None,
        }
    }
}

/// Every root, from the first to the newest, checked against the journal and each other.
///
/// # Errors
/// [`Denied::Damaged`].
pub fn chain(store: &Store) -> Result<Vec<Root>, Refusal> {
    kept(store.directory(), store.ledger().roots.all())
}

/// A root by its number, or the newest.
///
/// # Errors
/// [`RootDenied::None`] or [`RootDenied::Unknown`].
pub fn find(store: &Store, root_version: Option<u64>) -> Result<Root, Refusal> {
    let mut roots = chain(store)?;
    let Some(wanted) = root_version else { return Ok(roots.pop().ok_or(RootDenied::None)?) };
    let found = roots.into_iter().find(|root| root.root_version() == wanted);
    Ok(found.ok_or(RootDenied::Unknown(wanted))?)
}

/// The newest root, where there is one.
///
/// # Errors
/// As [`chain`].
pub fn newest(store: &Store) -> Result<Option<Root>, Refusal> {
    Ok(chain(store)?.pop())
}

/// The roots of a journal as they lie in a store's directory.
pub(super) fn kept(store: &Directory, made: &[RootMade]) -> Result<Vec<Root>, Refusal> {
    let mut roots: Vec<Root> = Vec::new();
    for record in made {
        let file = file_in_store(record.root_version);
        let damaged = |what: String| Denied::Damaged { file: file.clone(), what };
        let bytes = match store.read(&file, root::LONGEST as u64) {
            Err(StorageFault::Missing(_)) => return Err(damaged("it is gone".to_owned()).into()),
            read => read?,
        };
        if Digest::of(&bytes).to_string() != record.sha256 {
            return Err(damaged("it is not the root that was made".to_owned()).into());
        }
        let read = match roots.last() {
            None => Root::pinned(&bytes, &Digest::of(&bytes)),
            Some(before) => before.successor(&bytes),
        };
        roots.push(read.map_err(|fault| damaged(fault.to_string()))?);
    }
    Ok(roots)
}

/// A root's file in the store.
pub(super) fn file_in_store(root_version: u64) -> String {
    format!("roots/{}", root::file_name(root_version))
}

/// The entry of a root that is complete.
pub(super) fn made(root_version: u64, text: &str, terms: &Terms) -> RootMade {
    RootMade { root_version, sha256: Digest::of(text.as_bytes()).to_string(), exp: terms.expires_at.0 }
}

/// That a bundle would outlive the newest root.
pub(super) fn ends(roots: &[Root], short: &RootTooShort) -> RootDenied {
    let root_version = roots.last().map_or(0, Root::root_version);
    RootDenied::Ends { root_version, ends: UnixTime(short.root_expiry), until: UnixTime(short.needed) }
}
