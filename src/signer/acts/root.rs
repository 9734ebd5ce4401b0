//! The root of trust: which keys sign bundles, and who may say so.

mod change;
mod custodian;
mod difference;

use super::{Denied, Store, files};
use crate::publishing::roots::RootMade;
use crate::refusal::{Refusal, Refuse};
use crate::rotation::RootTooShort;
use crate::storage::Directory;
use coldsign_verify::root::{self, Root, Terms};
use coldsign_verify::{Digest, UnixTime};

pub use change::{Progress, Proposal, Waiting, Wish, check, discard, must_wait, prepare, propose, sign, waiting};
pub use custodian::{Custodian, LARGEST_KEY, custodians, key_file, may_sign, open, opened_by, signer};
pub use difference::{Difference, KeyChange, NamedKey};

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
    /// The custodian's file was made for another store.
    #[error("the file of {key} names another store: {what} differs")]
    OtherStore {
        /// The custodian's key.
        key: String,
        /// What differs.
        what: &'static str,
    },
    /// The store's own folder has a root that its journal does not know.
    #[error("this store was rolled back: root {0} was made by its custodians, and its journal does not know it")]
    Ahead(u64),
    /// A root waits for signatures already.
    #[error("root {0} waits for signatures")]
    Waiting(u64),
    /// No root waits for signatures.
    #[error("no root waits for signatures")]
    NothingWaits,
    /// Not the root that was looked at before.
    #[error("the payload of the root that waits has the SHA-256 {found}, not {wanted}")]
    Draft {
        /// The digest given.
        wanted: String,
        /// The payload's.
        found: Digest,
    },
    /// The root that waits is another than the one that was shown.
    #[error("the root that waits is not the one that was shown")]
    OtherDraft,
    /// Not a custodian who could sign or leave now.
    #[error("{name} is no custodian that can do that now")]
    NoCustodian {
        /// As given.
        name: String,
        /// Those who can.
        may: Vec<String>,
    },
    /// Several custodians could sign.
    #[error("several custodians can sign: {}", may.join(", "))]
    Which {
        /// Those.
        may: Vec<String>,
    },
    /// The custodian's key is not in the store.
    #[error("the key {0} is kept elsewhere")]
    Elsewhere(String),
    /// A threshold that can't be reached, or none.
    #[error("{threshold} of {custodians} custodians can't be demanded")]
    Threshold {
        /// As wished.
        threshold: usize,
        /// How many there would be.
        custodians: usize,
    },
    /// More custodians than a root may have.
    #[error("a root has {0} custodians at the most")]
    TooMany(usize),
    /// Good for less time than each bundle that it vouches for.
    #[error("a root good for {lifetime} s can't vouch for a bundle: each is good for {needed} s")]
    Short {
        /// As wished, in seconds.
        lifetime: u64,
        /// The policy's `bundle_lifetime`, in seconds.
        needed: u64,
    },
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
            Self::Waiting(_) => "ROOT-WAITING",
            Self::NothingWaits => "ROOT-NOTHING-WAITS",
            Self::OtherStore { .. } => "ROOT-STORE",
            Self::Ahead(_) => "ROOT-AHEAD",
            Self::Draft { .. } | Self::OtherDraft => "ROOT-DRAFT",
            Self::NoCustodian { .. } => "ROOT-NO-CUSTODIAN",
            Self::Which { .. } => "ROOT-WHICH",
            Self::Elsewhere(_) => "ROOT-ELSEWHERE",
            Self::Threshold { .. } | Self::TooMany(_) => "ROOT-CUSTODIANS",
            Self::Ends { .. } | Self::Short { .. } => "ROOT-ENDS",
        })
    }

    fn why(&self) -> Vec<String> {
        match self {
            Self::Form(_) => vec!["nothing was done".to_owned()],
            Self::None => vec!["a root says which key signs bundles, and verifiers pin it".to_owned()],
            Self::Unknown(_) | Self::NothingWaits => Vec::new(),
            Self::OtherStore { .. } => vec![
                "somebody exchanged the store, or it is another store's file; nothing was signed".to_owned(),
                "compare the fingerprint of root 1 with the one on your recovery sheet".to_owned(),
            ],
            Self::Ahead(_) => vec![
                "an older copy of the store was put back: keys and revocations since then are missing here".to_owned(),
                "nothing was done; keep this store as evidence and restore the newest backup to another place"
                    .to_owned(),
            ],
            Self::Waiting(_) => vec!["it is signed or taken back first; nothing was done".to_owned()],
            Self::Draft { .. } | Self::OtherDraft => {
                vec!["sign only what you have seen: ask who proposed it; nothing was signed".to_owned()]
            }
            Self::NoCustodian { may, .. } => {
                vec![format!("those who can: {}", may.join(", ")), "nothing was done".to_owned()]
            }
            Self::Which { .. } => vec!["say whose code it is with --by; nothing was done".to_owned()],
            Self::Elsewhere(_) => vec![
                "name its file with --root-file: coldsign-root-key-….age, on the stick it was made on".to_owned(),
                "nothing was done".to_owned(),
            ],
            Self::Threshold { .. } | Self::TooMany(_) => {
                vec!["as many must sign as there are, at the most, and at least one; nothing was done".to_owned()]
            }
            Self::Ends { .. } => vec!["no verifier would accept it; nothing was published".to_owned()],
            Self::Short { .. } => vec!["nothing could be published under it; nothing was done".to_owned()],
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::None | Self::Ends { .. } => Some("coldsign root rotate".to_owned()),
            Self::Unknown(_)
            | Self::NothingWaits
            | Self::Draft { .. }
            | Self::OtherDraft
            | Self::NoCustodian { .. }
            | Self::Which { .. }
            | Self::Threshold { .. } => Some("coldsign root show".to_owned()),
            Self::OtherStore { .. } => Some("coldsign root show 1".to_owned()),
            Self::Ahead(_) => Some("coldsign --store NEW-PLACE backup restore FILE".to_owned()),
            Self::Waiting(_) => Some("coldsign root sign".to_owned()),
            Self::Short { .. } => Some("coldsign policy show".to_owned()),
            Self::Form(_) | Self::Elsewhere(_) | Self::TooMany(_) => None,
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
        let bytes = files::read_named(store, &file, &record.sha256)?;
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

/// The file of a root that waits for signatures.
pub(super) fn draft_in_store(sha256: &str) -> String {
    format!("roots/draft-{sha256}.json")
}
