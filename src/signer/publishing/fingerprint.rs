//! Fingerprints that people compare: hex in fours.

use coldsign_verify::PublicKey;
use sha2::{Digest, Sha256};

/// A key's fingerprint: SHA-256 of its SPKI DER (RFC 5280 §4.1), lower-case hex in sixteen groups of four.
#[must_use]
pub fn fingerprint(key: &PublicKey) -> String {
    grouped_hex(&Sha256::digest(key.to_spki_der()))
}

/// Bytes as lower-case hex in groups of four digits, one blank between groups.
#[must_use]
pub fn grouped_hex(bytes: &[u8]) -> String {
    bytes.chunks(2).map(hex).collect::<Vec<_>>().join(" ")
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publishing::test_keys;

    #[test]
    fn a_fingerprint_is_sixteen_groups_of_the_spki_digest() {
        let key = test_keys::ed25519(1).public;
        let shown = fingerprint(&key);
        assert_eq!(shown.split(' ').count(), 16);
        assert!(shown.split(' ').all(|group| group.len() == 4));
        assert_eq!(shown.replace(' ', ""), sha256_hex(&key.to_spki_der()));
    }
}
