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

/// The 32-byte digest that these 24 words stand for, in either case, blanks between them;
/// `None` where a word is not in the list or the checksum doesn't fit: a word was read wrong.
#[must_use]
pub fn digest(text: &str) -> Option<[u8; 32]> {
    let mut bits = Vec::with_capacity(COUNT * BITS_PER_WORD);
    for word in text.split_ascii_whitespace() {
        let place = LIST.lines().position(|known| known.eq_ignore_ascii_case(word))?;
        if bits.len() == COUNT * BITS_PER_WORD {
            return None;
        }
        bits.extend((0..BITS_PER_WORD).rev().map(|at| place >> at & 1 == 1));
    }
    let mut digest = [0; 32];
    let (bytes, _) = bits.split_at_checked(digest.len() * 8)?;
    for (byte, bits) in digest.iter_mut().zip(bytes.chunks(8)) {
        *byte = bits.iter().fold(0, |sum, bit| sum << 1 | u8::from(*bit));
    }
    let same =
        of(&digest).iter().zip(text.split_ascii_whitespace()).all(|(ours, word)| ours.eq_ignore_ascii_case(word));
    (bits.len() == COUNT * BITS_PER_WORD && same).then_some(digest)
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

    #[test]
    fn words_are_read_back_and_a_slip_is_noticed() {
        let words = of(&[7; 32]);
        assert_eq!(digest(&words.join("  ")), Some([7; 32]));
        let mut swapped = words;
        swapped.swap(0, 1);
        let more = format!("{} abandon", words.join(" "));
        for wrong in ["", "abandon", &swapped.join(" "), &words[1..].join(" "), &more, &more.replace("abandon", "x")] {
            assert_eq!(digest(wrong), None, "{wrong}");
        }
    }
}
