//! Passphrases made alike on every keyboard: the profile OpaqueString of RFC 8265 §4.2.

use coldsign_verify::escape;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_public_assigned;
use zeroize::Zeroizing;

/// A passphrase as OpaqueString has it: blanks of every width as U+0020, then NFC. `None` where it is
/// empty, or has a character that the profile forbids: control characters, those drawn as nothing,
/// private use, and what Unicode has not assigned.
pub(super) fn opaque(text: &str) -> Option<Zeroizing<String>> {
    // Room for the worst that NFC does (UAX #15: three times), so that no copy is left behind.
    let mut prepared = Zeroizing::new(String::with_capacity(text.len().saturating_mul(3)));
    let blank = |character: char| if is_blank(character) { ' ' } else { character };
    prepared.extend(text.chars().map(blank).nfc());
    let allowed = |character: char| !escape::is_deceptive(character) && is_public_assigned(character);
    (!prepared.is_empty() && prepared.chars().all(allowed)).then_some(prepared)
}

/// Unicode's category Zs.
fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prepared(text: &str) -> Option<String> {
        opaque(text).map(|text| text.as_str().to_owned())
    }

    // RFC 8265 §4.3, tables 5 and 6.
    #[test]
    fn the_examples_of_the_standard() {
        for (text, expected) in [
            ("correct horse battery staple", "correct horse battery staple"),
            ("Correct Horse Battery Staple", "Correct Horse Battery Staple"),
            ("\u{3c0}\u{df}\u{e5}", "\u{3c0}\u{df}\u{e5}"),
            ("Jack of \u{2666}s", "Jack of \u{2666}s"),
            ("foo\u{1680}bar", "foo bar"),
        ] {
            assert_eq!(prepared(text).as_deref(), Some(expected));
        }
        assert_eq!(prepared(""), None);
        assert_eq!(prepared("my cat is a \u{9}by"), None);
    }

    #[test]
    fn two_keyboards_type_one_passphrase() {
        assert_eq!(prepared("Zoe\u{308} \u{e5}"), prepared("Zo\u{eb}\u{a0}a\u{30a}"));
        assert_ne!(prepared("zoe"), prepared("Zoe"), "case stays");
        assert_eq!(prepared("  a "), Some("  a ".to_owned()), "blanks stay");
    }

    #[test]
    fn what_nobody_can_see_or_type_again_is_refused() {
        for bad in ["a\u{0}b", "a\u{7f}", "a\u{200d}b", "a\u{ad}b", "a\u{e000}", "a\u{fffe}", "a\u{378}", "a\nb"] {
            assert_eq!(prepared(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn preparing_twice_changes_nothing(text: String) {
            if let Some(once) = opaque(&text) {
                prop_assert_eq!(opaque(&once), Some(once.clone()));
            }
        }
    }
}
