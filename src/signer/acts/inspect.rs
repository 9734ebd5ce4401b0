//! `token inspect`: what a token says, and what the journal knows of it. Verifies nothing.

use super::Store;
use crate::issuing::flowkit;
use crate::issuing::record::TokenRecord;
use crate::journal::{hex, sha256};
use crate::keystore::KeyRecord;
use coldsign_verify::jws::{Inspection, inspect};
use serde_json::Value;

/// The most that compressed claims may grow to, in bytes.
const LARGEST_USER_CLAIMS: u64 = 1 << 20;

/// What can be said of a token without a key.
pub struct Report {
    /// Its parts, read tolerantly.
    pub inspection: Inspection,
    /// FlowKit's `user_claims` unpacked, or why they can't be.
    pub user_claims: Option<Result<Value, String>>,
    /// SHA-256 of the token, lower-case hex.
    pub sha256: String,
}

/// Reads a token, blanks and a `Bearer` before it set aside. Any bytes will do.
pub fn report(bytes: &[u8]) -> Report {
    let token = bare(bytes);
    let inspection = inspect(token);
    let user_claims =
        inspection.payload.as_ref().ok().and_then(|claims| claims.get("user_claims")).and_then(Value::as_str).map(
            |packed| flowkit::decompress(packed, LARGEST_USER_CLAIMS).map_err(|unreadable| unreadable.to_string()),
        );
    Report { inspection, user_claims, sha256: hex(&sha256(token)) }
}

/// What the journal knows of the token.
pub fn known<'a>(store: &'a Store, report: &Report) -> Option<&'a TokenRecord> {
    store.ledger().tokens.by_sha256(&report.sha256)
}

/// The key that the token names, where that has signed tokens elsewhere that the journal has not.
pub fn foreign_key<'a>(store: &'a Store, report: &Report) -> Option<&'a KeyRecord> {
    let kid = report.inspection.header.as_ref().ok()?.get("kid")?.as_str()?;
    super::foreign::known_as(store, kid).filter(|key| key.foreign.tokens.is_some())
}

/// The token in what a file or a clipboard holds: blanks and line ends around it, `Bearer` and
/// `Authorization:` before it set aside.
pub fn bare(bytes: &[u8]) -> &[u8] {
    let mut token = bytes.trim_ascii();
    for before in [&b"authorization:"[..], b"bearer "] {
        if let Some((start, rest)) = token.split_at_checked(before.len())
            && start.eq_ignore_ascii_case(before)
        {
            token = rest.trim_ascii();
        }
    }
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_line_is_taken_for_its_token() {
        for text in ["a.b.c", " a.b.c\n", "Bearer a.b.c", "Authorization: Bearer a.b.c\r\n", "bearer  a.b.c"] {
            assert_eq!(bare(text.as_bytes()), b"a.b.c", "{text:?}");
        }
    }
}
