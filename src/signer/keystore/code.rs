//! Codes for paper: the recovery code and the root code.

use super::{KeystoreFault, Passphrase, random};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const SYMBOLS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const SECRET: usize = 26;
const CHECK: usize = 2;
const GROUP: usize = 4;

/// 130 random bits and a check of ten, as seven groups of four symbols (store-v1.md).
pub struct RecoveryCode(Zeroizing<String>);

/// Why a text is not such a code.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeFault {
    /// Too few or too many symbols.
    #[error("a code has 28 letters and digits, this has {0}")]
    Length(usize),
    /// A symbol that no code holds.
    #[error("{0:?} is not a letter or digit of a code")]
    Symbol(char),
    /// The check does not fit: something was misread.
    #[error("the code has a slip in it: its last two letters do not fit the others")]
    Check,
}

impl RecoveryCode {
    /// A new one.
    ///
    /// # Errors
    /// [`KeystoreFault::Random`].
    pub fn generate() -> Result<Self, KeystoreFault> {
        let bytes = random::<SECRET>()?;
        let mut symbols = Zeroizing::new(String::with_capacity(SECRET + CHECK));
        // 256 is a multiple of 32: every symbol is as likely as any other.
        for byte in bytes.iter() {
            symbols.push(symbol(*byte));
        }
        let check = check_of(&symbols);
        symbols.push_str(&check);
        Ok(Self(symbols))
    }

    /// Reads a code as people write it.
    ///
    /// # Errors
    /// [`CodeFault`].
    pub fn read(text: &str) -> Result<Self, CodeFault> {
        let mut symbols = Zeroizing::new(String::with_capacity(SECRET + CHECK));
        for given in text.chars() {
            let upper = match given.to_ascii_uppercase() {
                '-' | ' ' | '\t' | '\n' | '\r' => continue,
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            if !upper.is_ascii() || !SYMBOLS.contains(&(upper as u8)) {
                return Err(CodeFault::Symbol(given));
            }
            // Longer than any code: count on, keep no more of it.
            if symbols.len() <= SECRET + CHECK {
                symbols.push(upper);
            }
        }
        if symbols.len() != SECRET + CHECK {
            return Err(CodeFault::Length(symbols.len()));
        }
        let (secret, check) = symbols.split_at(SECRET);
        if check_of(secret) != check {
            return Err(CodeFault::Check);
        }
        Ok(Self(symbols))
    }

    /// In groups of four, for paper and for the eye.
    pub fn expose_for_paper(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(SECRET + CHECK + 6));
        for (place, symbol) in self.0.chars().enumerate() {
            if place > 0 && place % GROUP == 0 {
                text.push('-');
            }
            text.push(symbol);
        }
        text
    }

    /// As the passphrase of an age file.
    pub fn to_passphrase(&self) -> Passphrase {
        Passphrase::from(Zeroizing::new(self.0.as_str().to_owned()))
    }

    /// Whether two codes are the same, in time that does not depend on where they differ.
    pub fn is(&self, other: &Self) -> bool {
        let differing = self.0.bytes().zip(other.0.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
        self.0.len() == other.0.len() && differing == 0
    }
}

fn symbol(byte: u8) -> char {
    SYMBOLS.get(usize::from(byte % 32)).map_or('0', |symbol| char::from(*symbol))
}

fn check_of(secret: &str) -> String {
    let digest = Sha256::new().chain_update(b"coldsign-code-v1\0").chain_update(secret).finalize();
    let first = digest[0] >> 3;
    let second = (digest[0] & 7) << 2 | digest[1] >> 6;
    [symbol(first), symbol(second)].iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_page_s_vector() {
        let zeros = "0".repeat(SECRET);
        let check = check_of(&zeros);
        let page = include_str!("../../../docs/formats/store-v1.md");
        let code = RecoveryCode::read(&format!("{zeros}{check}")).unwrap();
        assert!(page.contains(code.expose_for_paper().as_str()), "{}", code.expose_for_paper().as_str());
    }

    #[test]
    fn a_code_survives_being_written_down_badly() {
        let code = RecoveryCode::generate().unwrap();
        let paper = code.expose_for_paper();
        let sloppy = paper.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        assert!(RecoveryCode::read(&sloppy).is_ok_and(|read| read.is(&code)));
    }

    #[test]
    fn a_slip_of_one_letter_is_found_nearly_always() {
        let code = RecoveryCode::generate().unwrap();
        let mut found = 0;
        for at in 0..SECRET + CHECK {
            let mut symbols: Vec<char> = code.0.chars().collect();
            symbols[at] = if symbols[at] == 'Z' { 'Y' } else { 'Z' };
            let slipped: String = symbols.into_iter().collect();
            match RecoveryCode::read(&slipped) {
                Err(CodeFault::Check) => found += 1,
                Err(other) => panic!("{other}"),
                Ok(read) => assert!(!read.is(&code)),
            }
        }
        assert!(found >= SECRET, "{found}");
    }

    #[test]
    fn lengths_and_strange_symbols_are_named() {
        let length = |text: &str| RecoveryCode::read(text).err();
        assert_eq!(length("ABCD"), Some(CodeFault::Length(4)));
        assert_eq!(length("AB?D"), Some(CodeFault::Symbol('?')));
        assert_eq!(length("ABUD"), Some(CodeFault::Symbol('U')));
        assert_eq!(length("é"), Some(CodeFault::Symbol('é')));
        assert_eq!(length(&"A".repeat(9000)), Some(CodeFault::Length(29)));
    }
}
