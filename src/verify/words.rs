//! A digest as 24 words that people can read to each other.
//!
//! The words are those of BIP-39's English list, in BIP-39's own order: a 32-byte digest and the
//! first byte of its SHA-256, eleven bits a word. Any BIP-39 tool turns them back into the digest.

use sha2::{Digest, Sha256};

/// How many words stand for a digest.
pub const COUNT: usize = 24;

const LIST: &str = include_str!("words/english.txt");
const BITS_PER_WORD: usize = 11;

/// The words of a 32-byte digest.
#[must_use]
pub fn of(digest: &[u8; 32]) -> [&'static str; COUNT] {
    let check = Sha256::digest(digest);
    let bits =
        digest.iter().chain(&check).flat_map(|byte| (0..8).rev().map(move |place| usize::from(byte >> place & 1)));
    let bits: Vec<usize> = bits.take(COUNT * BITS_PER_WORD).collect();
    let mut words = [""; COUNT];
    for (word, bits) in words.iter_mut().zip(bits.chunks(BITS_PER_WORD)) {
        let place = bits.iter().fold(0, |sum, bit| sum << 1 | bit);
        *word = LIST.lines().nth(place).unwrap_or_default();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bip_39_s() {
        let digest = Sha256::digest(LIST);
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda");
        assert_eq!(LIST.lines().count(), 1 << BITS_PER_WORD);
    }

    // BIP-39's test vectors for 32 bytes of entropy.
    #[test]
    fn published_vectors() {
        let repeated = |word: &str, last: &str| format!("{} {last}", vec![word; 23].join(" "));
        let eight = "legal winner thank year wave sausage worth useful";
        for (byte, words) in [
            (0x00, repeated("abandon", "art")),
            (0xff, repeated("zoo", "vote")),
            (0x7f, format!("{eight} {eight} legal winner thank year wave sausage worth title")),
        ] {
            assert_eq!(of(&[byte; 32]).join(" "), words);
        }
    }
}
