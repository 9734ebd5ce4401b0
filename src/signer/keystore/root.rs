//! The root's private keys: each under a code of its own, apart from all others.
//!
//! A custodian's opened file names the store and its first root besides the key: nobody without the
//! code can make such a file, so a custodian signs nothing for a store that was put in its place.

use super::generation::key_of;
use super::seal::{open_with_passphrase, seal_to_passphrase};
use super::{KdfCost, KeyRecord, KeystoreFault, Passphrase, SecretKey};
use zeroize::Zeroizing;

/// The first line of a custodian's opened file.
const PURPOSE: &str = "coldsign root key, version 1";
const BEGIN: &str = "-----BEGIN ";

/// The store that a custodian's file vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootAnchor {
    /// The store's id.
    pub store_id: String,
    /// SHA-256 of root 1, lower-case hex: its fingerprint, which verifiers pin.
    pub first_root: String,
}

impl RootAnchor {
    fn lines(&self) -> String {
        format!("{PURPOSE}\nstore: {}\nroot 1: {}\n", self.store_id, self.first_root)
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.split('\n').skip(1);
        let store_id = lines.next()?.strip_prefix("store: ")?.to_owned();
        let first_root = lines.next()?.strip_prefix("root 1: ")?.to_owned();
        let anchor = Self { store_id, first_root };
        (anchor.lines() == text).then_some(anchor)
    }
}

/// Seals a custodian's key to its own code: no unlock opens it. Its plaintext is a PEM block with lines
/// before it, as RFC 7468 §2 allows them.
///
/// # Errors
/// [`KeystoreFault::Operation`].
pub fn seal_root(
    key: &SecretKey,
    anchor: &RootAnchor,
    code: &Passphrase,
    cost: KdfCost,
) -> Result<Vec<u8>, KeystoreFault> {
    let pem = key.expose_pkcs8_pem()?;
    let mut text = Zeroizing::new(String::with_capacity(pem.len() + 256));
    text.push_str(&anchor.lines());
    text.push_str(&pem);
    seal_to_passphrase(code, cost, text.as_bytes())
}

/// Opens a custodian's key with its code; `file` names the bytes in errors. With it the store that the
/// file vouches for.
///
/// # Errors
/// [`KeystoreFault::WrongRootCode`], [`KeystoreFault::WrongKey`], [`KeystoreFault::Damaged`].
pub fn open_root(
    record: &KeyRecord,
    file: &str,
    sealed: &[u8],
    code: &Passphrase,
) -> Result<(SecretKey, RootAnchor), KeystoreFault> {
    let damaged = |what: &str| KeystoreFault::Damaged { file: file.to_owned(), what: what.to_owned() };
    let bytes = open_with_passphrase(code, sealed)
        .map_err(damaged)?
        .ok_or_else(|| KeystoreFault::WrongRootCode(file.to_owned()))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged("it holds no PEM block"))?;
    let (lines, pem) = text.split_at_checked(text.find(BEGIN).unwrap_or(0)).unwrap_or(("", text));
    let anchor = RootAnchor::read(lines).ok_or_else(|| damaged("it does not say which store it is for"))?;
    let key = key_of(file, pem.as_bytes(), &record.kid, record.purpose, record.public.algorithm())?;
    Ok((key, anchor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use coldsign_verify::base64url;

    #[test]
    fn the_format_page_shows_the_same_lines() {
        let anchor = RootAnchor { store_id: base64url::encode(&[0; 16]), first_root: "09".repeat(32) };
        let page = include_str!("../../../docs/formats/store-v1.md");
        assert!(page.contains(&format!("```\n{}-----BEGIN PRIVATE KEY-----\n…\n```", anchor.lines())));
        assert_eq!(RootAnchor::read(&anchor.lines()), Some(anchor));
    }

    #[test]
    fn another_writing_is_refused() {
        let anchor = RootAnchor { store_id: "a".to_owned(), first_root: "b".to_owned() };
        for (what, to) in [("version 1", "version 2"), ("root 1", "root 2"), ("b\n", "b\nmore\n")] {
            assert_eq!(RootAnchor::read(&anchor.lines().replace(what, to)), None, "{what}");
        }
    }
}
