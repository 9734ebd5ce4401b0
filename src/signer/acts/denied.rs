//! Refusals of whole acts.

use crate::refusal::Refuse;
use crate::storage::is_vacant;
use coldsign_verify::UnixTime;
use std::path::PathBuf;

/// The longest name that is compared with others, in bytes: a subject has 255 characters.
const LONGEST_COMPARED: usize = 1_020;
/// With how many others.
const MOST_COMPARED: usize = 10_000;

/// Why an act as a whole can't be done.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// There is no store in that place.
    #[error("there is no store at {}", .0.display())]
    NoStore(PathBuf),
    /// The store is of another version.
    #[error("the store is of version {0}; this coldsign reads version 1")]
    StoreVersion(u64),
    /// A file of the store is not as this program writes it.
    #[error("{file} is damaged: {what}")]
    Damaged {
        /// The file, below the store.
        file: String,
        /// What does not hold.
        what: String,
    },
    /// Between its opening and its lock the store became another one.
    #[error("the store at {} was exchanged while this act was under way", .0.display())]
    Exchanged(PathBuf),
    /// The unlock in use was changed meanwhile.
    #[error("unlock {0} was changed while this act was under way")]
    UnlockChanged(String),
    /// A store is there already.
    #[error("there is a store at {} already", .0.display())]
    StoreExists(PathBuf),
    /// The directory is there and is not empty.
    #[error("{} is there already and is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// The store would lie where a clean-up deletes it.
    #[error("{} lies in the git work tree {}", store.display(), tree.display())]
    InGitWorkTree {
        /// Where the store was to be.
        store: PathBuf,
        /// The work tree's root.
        tree: PathBuf,
    },
    /// Not an issuer.
    #[error("\"{issuer}\" can't be an issuer: {what}")]
    Issuer {
        /// As given.
        issuer: String,
        /// What is wrong.
        what: &'static str,
    },
    /// Not a name for an unlock.
    #[error("\"{0}\" can't name an unlock")]
    UnlockName(String),
    /// No policy is in force.
    #[error("no policy is in force")]
    NoPolicy,
    /// No policy was in force yet.
    #[error("no policy was in force then: the first was applied at {}", UnixTime(*.first))]
    NoPolicyYet {
        /// When the first was applied, in seconds since the epoch.
        first: u64,
    },
    /// `policy.toml` was edited and not applied.
    #[error("policy.toml was changed and not applied")]
    PolicyUnapplied,
    /// The policy in force has no such keyset.
    #[error("the policy in force has no keyset {name}")]
    NoKeyset {
        /// As given.
        name: String,
        /// The nearest that it has.
        nearest: Option<String>,
    },
    /// There is no such key.
    #[error("there is no key {name}")]
    NoKey {
        /// As given.
        name: String,
        /// The nearest there is.
        nearest: Option<String>,
    },
    /// No key of the keyset signs.
    #[error("no key of keyset {keyset} is signing")]
    NoSigningKey {
        /// The keyset.
        keyset: String,
        /// A paused key of it.
        paused: Option<String>,
    },
    /// The public key serves already.
    #[error("that key is here already: it is {0}")]
    KeyKnown(String),
    /// A keyset's algorithm would change under its keys.
    #[error("keyset {keyset} has keys for {has}: its algorithm can't become {wanted}")]
    KeysetAlgorithm {
        /// The keyset.
        keyset: String,
        /// Its keys' algorithm.
        has: String,
        /// The edited policy's.
        wanted: String,
    },
    /// A keyset that still has signing or verifying keys was removed.
    #[error("keyset {0} is gone from policy.toml while it has keys")]
    KeysetGone(String),
    /// The service has no such token form or material.
    #[error("the policy in force has no service {name}")]
    NoService {
        /// As given.
        name: String,
        /// The nearest that it has.
        nearest: Option<String>,
    },
    /// A service can't be published.
    #[error("service {service} has no key to publish")]
    NothingToPublish {
        /// The service.
        service: String,
        /// Its keyset.
        keyset: String,
    },
    /// A certificate can't be made any more.
    #[error("key {key} has no certificate, and its private half is gone")]
    NoCertificate {
        /// Keyset and number.
        key: String,
    },
    /// No such publication.
    #[error("there is no publication {0}")]
    NoPublication(u64),
    /// Nothing was ever published.
    #[error("nothing was published yet")]
    NeverPublished,
    /// A fresh token did not pass our own verifier.
    #[error("a token for {subject} did not pass its check: {what}")]
    SelfCheck {
        /// Its subject.
        subject: String,
        /// The verifier's word.
        what: String,
    },
    /// More subjects than one act takes.
    #[error("{found} subjects at once; {most} are taken")]
    BatchTooLarge {
        /// Subjects named.
        found: usize,
        /// Subjects taken.
        most: usize,
    },
    /// `policy.toml` is not there.
    #[error("{} is gone", .0.display())]
    PolicyGone(PathBuf),
    /// What goes out would lie in the store.
    #[error("{} lies in the store", .0.display())]
    InStore(PathBuf),
    /// Two subjects are the same.
    #[error("subject {0} is named twice")]
    SubjectTwice(String),
}

impl Refuse for Denied {
    fn rule(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoStore(_) => "STORE-NONE",
            Self::StoreVersion(_) => "STORE-VERSION",
            Self::Damaged { .. } => "STORE-DAMAGED",
            Self::Exchanged(_) | Self::UnlockChanged(_) => "STORE-EXCHANGED",
            Self::StoreExists(_) | Self::NotEmpty(_) => "INIT-EXISTS",
            Self::InGitWorkTree { .. } => "INIT-GIT",
            Self::Issuer { .. } => "INIT-ISSUER",
            Self::UnlockName(_) => "UNLOCK-NAME",
            Self::NoPolicy | Self::NoPolicyYet { .. } => "POLICY-NONE",
            Self::PolicyUnapplied => "POLICY-UNAPPLIED",
            Self::NoKeyset { .. } => "KEYSET-UNKNOWN",
            Self::NoKey { .. } => "KEY-UNKNOWN",
            Self::NoSigningKey { .. } => "KEY-NONE-SIGNING",
            Self::KeyKnown(_) => "KEY-KNOWN",
            Self::KeysetAlgorithm { .. } => "KEYSET-ALGORITHM",
            Self::KeysetGone(_) => "KEYSET-GONE",
            Self::NoService { .. } => "SERVICE-UNKNOWN",
            Self::NothingToPublish { .. } => "PUBLISH-NO-KEY",
            Self::NoCertificate { .. } => "PUBLISH-NO-CERTIFICATE",
            Self::NoPublication(_) | Self::NeverPublished => "PUBLICATION-UNKNOWN",
            Self::SelfCheck { .. } => "TOKEN-SELF-CHECK",
            Self::BatchTooLarge { .. } => "TOKEN-BATCH",
            Self::PolicyGone(_) => "POLICY-GONE",
            Self::InStore(_) => "OUTPUT-IN-STORE",
            Self::SubjectTwice(_) => "TOKEN-SUBJECT-TWICE",
        })
    }

    fn why(&self) -> Vec<String> {
        let line = |text: &str| vec![text.to_owned()];
        match self {
            Self::Damaged { .. } => line("nothing was done; keep this store as it is and go on from the newest backup"),
            Self::Exchanged(_) => line("its journal is not the one that you opened; nothing was done"),
            Self::UnlockChanged(_) => line("open the store with the new passphrase; nothing was done"),
            Self::StoreVersion(_) => line("it is from another coldsign; nothing was done"),
            Self::StoreExists(_) => line("its keys would be lost; nothing was written"),
            Self::NotEmpty(_) => line("a store needs a directory of its own; nothing was written"),
            Self::InGitWorkTree { .. } => {
                line("a clean-up of the work tree would delete the keys; nothing was written")
            }
            Self::UnlockName(_) => line("a name has a-z, 0-9 and -, 32 characters at the most"),
            Self::PolicyUnapplied => {
                line("no token is issued under a policy that nobody has applied; nothing was signed")
            }
            Self::NoSigningKey { .. } => line("nothing was signed or written"),
            Self::BatchTooLarge { .. } => line("nothing was signed or written; issue them in several acts"),
            Self::PolicyGone(_) => line("the one in force is kept in the store: it can be put back"),
            Self::InStore(_) => line("only coldsign writes there; nothing was done"),
            Self::KeyKnown(_) => line("no public key may serve two keysets or purposes; nothing was taken"),
            Self::KeysetAlgorithm { .. } | Self::KeysetGone(_) => {
                line("verifiers hold its keys; give the new series a name of its own")
            }
            Self::SelfCheck { .. } => line("no service would take it; nothing was recorded or written"),
            _ => Vec::new(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            // Nothing can be made where a file or something else's folder is.
            Self::NoStore(path) if !is_vacant(path) => "coldsign --store DIR status".to_owned(),
            Self::NoStore(path) => format!("coldsign --store {} init", path_word(path)),
            Self::Exchanged(_) => "coldsign journal verify".to_owned(),
            Self::UnlockChanged(_) => "coldsign unlock list".to_owned(),
            Self::PolicyUnapplied => "coldsign policy diff".to_owned(),
            Self::PolicyGone(path) => format!("coldsign policy show > {}", path_word(path)),
            Self::NoKeyset { nearest: Some(nearest), .. } => format!("coldsign key list {nearest}"),
            Self::NoKeyset { .. } => "coldsign policy show".to_owned(),
            Self::NoKey { nearest: Some(nearest), .. } => format!("coldsign key show {nearest}"),
            Self::NoKey { .. } => "coldsign key list".to_owned(),
            Self::NoSigningKey { paused: Some(paused), .. } => format!("coldsign key resume {paused}"),
            Self::NoSigningKey { keyset, .. } => format!("coldsign key generate {keyset}"),
            Self::NothingToPublish { keyset, .. } => format!("coldsign key generate {keyset}"),
            Self::NoPublication(_) => "coldsign publication list".to_owned(),
            Self::NeverPublished => "coldsign publish --to .".to_owned(),
            _ => return None,
        })
    }
}

/// A path as a word that a shell takes for one.
pub fn shell_word(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// A path as a word that neither a shell nor a command takes for anything else.
pub fn path_word(path: &std::path::Path) -> String {
    if path.display().to_string().starts_with('-') {
        return shell_word(&std::path::Path::new(".").join(path));
    }
    shell_word(path)
}

/// The nearest of some names, where one is near enough to have been meant. Names are measured first: to
/// compare two takes the product of their lengths.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    if given.len() > LONGEST_COMPARED {
        return None;
    }
    known
        .into_iter()
        .filter(|name| name.len() <= LONGEST_COMPARED)
        .take(MOST_COMPARED)
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn names_are_measured_before_the_nearest_is_looked_for() {
        let long = "a".repeat(1_000_000);
        assert_eq!(nearest(&long, [long.as_str()]), None);
        assert_eq!(nearest("reader", [long.as_str(), "raeder"]).as_deref(), Some("raeder"));
    }
}
