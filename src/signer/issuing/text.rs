//! Texts that people and services read back: which characters a subject or a policy text may have.

use coldsign_verify::escape;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_public_assigned;

/// The most characters a subject or a policy text may have.
pub const LONGEST: usize = 255;

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    /// No character at all.
    #[error("it is empty")]
    Empty,
    /// More than [`LONGEST`] characters.
    #[error("it has {0} characters, {LONGEST} are allowed")]
    TooLong(usize),
    /// Blank at the beginning or end.
    #[error("it begins or ends with a blank")]
    OuterBlank,
    /// A control, bidirectional, zero-width, private-use or otherwise deceptive character.
    #[error(
        "it has U+{:04X} at position {position}, a character that can't be seen or can't be told from another",
        u32::from(*character)
    )]
    Invisible {
        /// The character.
        character: char,
        /// Counted from 1, in characters.
        position: usize,
    },
    /// Letters that Unicode writes in one way only in its composed form (UAX #15).
    #[error("it is not in Unicode's composed form (NFC): another keyboard would type another name")]
    NotNfc {
        /// The composed form.
        composed: String,
    },
}

/// Accepts a text of 1 to [`LONGEST`] visible characters without outer blanks.
pub fn check(text: &str) -> Result<(), TextFault> {
    if text.is_empty() {
        return Err(TextFault::Empty);
    }
    let length = text.chars().count();
    if length > LONGEST {
        return Err(TextFault::TooLong(length));
    }
    if text.trim() != text {
        return Err(TextFault::OuterBlank);
    }
    match text.chars().zip(1..).find(|(character, _)| escape::is_deceptive(*character)) {
        Some((character, position)) => Err(TextFault::Invisible { character, position }),
        None => Ok(()),
    }
}

/// Accepts what [`check`] accepts, where it is in NFC and Unicode has assigned every character of it.
pub fn check_name(text: &str) -> Result<(), TextFault> {
    check(text)?;
    if let Some((character, position)) = text.chars().zip(1..).find(|(one, _)| !is_public_assigned(*one)) {
        return Err(TextFault::Invisible { character, position });
    }
    let composed: String = text.nfc().collect();
    if composed == text { Ok(()) } else { Err(TextFault::NotNfc { composed }) }
}

/// The longest name that another one is looked for, in bytes: no name is longer, and to compare two
/// takes the product of their lengths.
pub(crate) const LONGEST_MISSPELT: usize = 128;
/// Among how many known names it is looked for.
pub(crate) const MOST_KNOWN: usize = 1_000;

/// The known name nearest to a mistyped one, if any is near enough to be meant. `None` for what is too
/// long to be a name.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    if name.len() > LONGEST_MISSPELT {
        return None;
    }
    let length = name.chars().count();
    let furthest = (length / 3).clamp(1, 4);
    let folded = name.to_lowercase();
    known
        .into_iter()
        .take(MOST_KNOWN)
        .filter(|candidate| candidate.len() <= LONGEST_MISSPELT)
        // Each letter more or less is a step of the distance.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= furthest)
        .map(|candidate| (strsim::damerau_levenshtein(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= furthest && *distance < candidate.len())
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// One argument as a POSIX shell reads it back.
pub(crate) fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._@%+=:,/-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_people_can_read_pass() {
        for text in ["ward7", "Zoë Ångström", "a", "client 3", "user@example.org", &"x".repeat(255)] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn invisible_and_outer_characters_are_refused() {
        assert_eq!(check(""), Err(TextFault::Empty));
        assert_eq!(check(&"x".repeat(256)), Err(TextFault::TooLong(256)));
        assert_eq!(check(" a"), Err(TextFault::OuterBlank));
        assert_eq!(check("a\n"), Err(TextFault::OuterBlank));
        for bad in [
            '\0',
            '\n',
            '\r',
            '\u{1b}',
            '\u{9b}',
            '\u{202e}',
            '\u{2066}',
            '\u{200b}',
            '\u{feff}',
            '\u{2028}',
            '\u{a0}',
            '\u{3000}',
            '\u{2800}',
            '\u{3164}',
            '\u{e000}',
            '\u{f0000}',
            '\u{fdd0}',
            '\u{1fffe}',
            '\u{50000}',
        ] {
            assert_eq!(check(&format!("a{bad}b")), Err(TextFault::Invisible { character: bad, position: 2 }));
        }
    }

    #[test]
    fn a_new_name_is_composed_and_of_assigned_characters() {
        for good in ["ward7", "Zo\u{eb}", "\u{c5}ngstr\u{f6}m", "\u{5317}\u{4eac}", "\u{639}\u{631}\u{628}\u{64a}"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for (other, composed) in [
            ("Zoe\u{308}", "Zo\u{eb}"),
            ("\u{212b}", "\u{c5}"),
            ("\u{2126}", "\u{3a9}"),
            ("e\u{323}\u{302}", "\u{1ec7}"),
        ] {
            assert_eq!(check_name(other), Err(TextFault::NotNfc { composed: composed.into() }));
            assert_eq!(check(other), Ok(()), "as a text it stays");
        }
        let unassigned = Err(TextFault::Invisible { character: '\u{378}', position: 2 });
        assert_eq!((check("a\u{378}"), check_name("a\u{378}")), (Ok(()), unassigned));
    }

    #[test]
    fn nearest_offers_typing_errors_only() {
        let known = ["audience", "keyset", "profile"];
        assert_eq!(nearest("audeince", known).as_deref(), Some("audience"));
        assert_eq!(nearest("PROFILE", known).as_deref(), Some("profile"));
        assert_eq!(nearest("zzz", known), None);
    }

    #[test]
    fn names_are_measured_before_the_nearest_is_looked_for() {
        // The product of the two lengths would be 10^12 steps.
        let long = "a".repeat(1_000_000);
        assert_eq!(nearest(&long, [long.as_str()]), None);
        assert_eq!(nearest("audience", [long.as_str(), "audeince"]).as_deref(), Some("audeince"));
        let many: Vec<String> = (0..100_000).map(|number| format!("{number:0128}")).collect();
        assert_eq!(nearest(&"x".repeat(128), many.iter().map(String::as_str)), None);
    }

    #[test]
    fn a_shell_reads_the_same_word_back() {
        assert_eq!(shell_word("ward7"), "ward7");
        assert_eq!(shell_word("it's $HOME"), "'it'\\''s $HOME'");
    }
}
