//! A SHA-256 digest as it stands in files and on paper.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::words;

/// A SHA-256 digest (FIPS 180-4); written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// Neither 64 lower-case hex digits nor, where words are taken, 24 words with their checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 digest")]
pub struct NotADigest;

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest as [words] to read aloud.
    pub fn words(&self) -> [&'static str; words::COUNT] {
        words::of(&self.0)
    }

    /// Reads what a person typed from paper: hex in either case, with blanks or `:` between
    /// groups, or the 24 words, in either case.
    pub fn from_paper(text: &str) -> Result<Self, NotADigest> {
        let bare: String = text.chars().filter(|c| !c.is_ascii_whitespace() && *c != ':').collect();
        match bare.to_ascii_lowercase().parse() {
            Ok(digest) => Ok(digest),
            Err(NotADigest) => words::digest(text).map(Self).ok_or(NotADigest),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        if text.len() != 64 {
            return Err(NotADigest);
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = pair.iter().try_fold(0, |sum, digit| Some(sum << 4 | nibble(*digit)?)).ok_or(NotADigest)?;
        }
        Ok(Self(digest))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hex_is_lower_case_and_whole() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_string(), empty);
        assert_eq!(empty.parse(), Ok(Digest::of(b"")));
        for wrong in [&empty[1..], &empty.to_uppercase(), &empty.replace('e', "g"), "", &"é".repeat(32)] {
            assert_eq!(wrong.parse::<Digest>(), Err(NotADigest));
        }
    }

    proptest! {
        #[test]
        fn paper_gives_back_what_was_printed(bytes: [u8; 32]) {
            let digest = Digest(bytes);
            let hex = digest.to_string();
            let groups: Vec<&str> = (0..16).map(|group| &hex[group * 4..][..4]).collect();
            for text in [hex.clone(), hex.to_uppercase(), groups.join(" "), groups.join(":"), digest.words().join(" "),
                format!("  {}\n", digest.words().join("\n").to_uppercase())] {
                prop_assert_eq!(Digest::from_paper(&text), Ok(digest), "{}", text);
            }
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = Digest::from_paper(&text);
        }
    }
}
