//! Text from outside made safe to show to a person: nothing of it can move the
//! cursor, change the direction of reading, hide, or pile up.

use std::fmt::{self, Write as _};

/// How many characters [`escaped`] shows at most.
pub const DEFAULT_LIMIT: usize = 256;

/// How many combining marks may follow one another unescaped.
const COMBINING_RUN: usize = 2;

/// Shows `text` with whatever could deceive a reader as `\u{..}`, a backslash
/// doubled, and cut after [`DEFAULT_LIMIT`] characters with the full length named.
pub fn escaped(text: &str) -> Escaped<'_> {
    escaped_up_to(text, DEFAULT_LIMIT)
}

/// As [`escaped`], cut after `limit` characters of `text`.
pub fn escaped_up_to(text: &str, limit: usize) -> Escaped<'_> {
    Escaped { text, limit, form: Form::Text }
}

/// One line made of parts that are escaped already: what is still deceptive becomes `\u{..}`,
/// line ends too; backslashes stay as they are, and nothing is cut.
pub fn line(text: &str) -> Escaped<'_> {
    Escaped { text, limit: usize::MAX, form: Form::Line }
}

/// A command to paste: whole and to the letter, unless it could deceive the eye; then as
/// [`escaped`], whole.
pub fn command(text: &str) -> Escaped<'_> {
    let form = if line(text).is_as_it_stands() { Form::Line } else { Form::Text };
    Escaped { text, limit: usize::MAX, form }
}

/// As [`line()`], for a text of several lines: line ends and tabs stay.
pub fn page(text: &str) -> Escaped<'_> {
    Escaped { text, limit: usize::MAX, form: Form::Page }
}

/// Text that escapes itself when displayed; made by [`escaped`].
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a> {
    text: &'a str,
    limit: usize,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Line,
    Page,
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut run, mut shown) = (0, 0);
        let mut characters = self.text.chars();
        while shown < self.limit {
            let Some(character) = characters.next() else { break };
            shown += 1;
            run = if is_combining(character) { run + 1 } else { 0 };
            if character == '\\' && self.form == Form::Text {
                f.write_str("\\\\")?;
            } else if !self.form.keeps(character, characters.as_str())
                && (is_deceptive(character) || run > COMBINING_RUN)
            {
                write!(f, "{}", character.escape_unicode())?;
            } else {
                f.write_char(character)?;
            }
        }
        match characters.count() {
            0 => Ok(()),
            rest => write!(f, "… ({} characters)", self.limit.saturating_add(rest)),
        }
    }
}

impl Escaped<'_> {
    fn is_as_it_stands(&self) -> bool {
        self.to_string() == self.text
    }
}

impl Form {
    fn keeps(self, character: char, rest: &str) -> bool {
        match self {
            Self::Text | Self::Line => false,
            // Two blanks that people type: as wide as blanks are, they deceive nobody in a text.
            Self::Page => {
                matches!(character, '\n' | '\t' | '\u{a0}' | '\u{3000}')
                    || (character == '\r' && rest.starts_with('\n'))
            }
        }
    }
}

/// The first character of a text that [`page`] would not show as it stands, and its line, from 1.
pub fn first_deceptive(text: &str) -> Option<(char, usize)> {
    let (mut run, mut line) = (0, 1);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        run = if is_combining(character) { run + 1 } else { 0 };
        if !Form::Page.keeps(character, characters.as_str()) && (is_deceptive(character) || run > COMBINING_RUN) {
            return Some((character, line));
        }
        line += usize::from(character == '\n');
    }
    None
}

/// Control characters, format characters, everything that looks like nothing or like a plain space
/// without being one (Unicode categories Cc, Cf, Co, Zl, Zp, Zs and Default_Ignorable_Code_Point),
/// non-characters, and what lies beyond every script that Unicode has so far.
///
/// This is the one list: names that people must tell apart are held against it as well.
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || (character.is_whitespace() && character != ' ')
        || u32::from(character) & 0xfffe == 0xfffe
        || matches!(character,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{06dd}' | '\u{070f}' | '\u{08e2}'
            | '\u{0600}'..='\u{0605}' | '\u{0890}'..='\u{0891}'
            | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fff0}'..='\u{fffb}'
            | '\u{fffc}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{13441}'..='\u{13442}' | '\u{16fe4}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d159}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{2fa20}'..='\u{2ffff}' | '\u{33480}'..='\u{10ffff}')
}

/// Marks that draw over the character before them: the general blocks and those
/// of the scripts that pile them up.
fn is_combining(character: char) -> bool {
    matches!(character,
        '\u{0300}'..='\u{036f}' | '\u{0483}'..='\u{0489}' | '\u{0591}'..='\u{05bd}'
        | '\u{05bf}' | '\u{05c1}'..='\u{05c2}' | '\u{05c4}'..='\u{05c5}' | '\u{05c7}'
        | '\u{0610}'..='\u{061a}' | '\u{064b}'..='\u{065f}' | '\u{0670}'
        | '\u{06d6}'..='\u{06dc}' | '\u{06df}'..='\u{06e4}' | '\u{06e7}'..='\u{06e8}'
        | '\u{06ea}'..='\u{06ed}' | '\u{0711}' | '\u{0730}'..='\u{074a}'
        | '\u{07a6}'..='\u{07b0}' | '\u{07eb}'..='\u{07f3}' | '\u{0816}'..='\u{082d}'
        | '\u{0859}'..='\u{085b}' | '\u{0898}'..='\u{089f}' | '\u{08ca}'..='\u{0903}'
        | '\u{093a}'..='\u{093c}' | '\u{093e}'..='\u{094f}' | '\u{0e31}'
        | '\u{0e34}'..='\u{0e3a}' | '\u{0e47}'..='\u{0e4e}' | '\u{0eb1}'
        | '\u{0eb4}'..='\u{0ebc}' | '\u{0ec8}'..='\u{0ece}' | '\u{0f18}'..='\u{0f19}'
        | '\u{0f35}' | '\u{0f37}' | '\u{0f39}' | '\u{0f71}'..='\u{0f84}'
        | '\u{0f86}'..='\u{0f87}' | '\u{0f8d}'..='\u{0fbc}' | '\u{135d}'..='\u{135f}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1cd0}'..='\u{1cf9}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{2cef}'..='\u{2cf1}' | '\u{2de0}'..='\u{2dff}'
        | '\u{302a}'..='\u{302f}' | '\u{3099}'..='\u{309a}' | '\u{a66f}'..='\u{a672}'
        | '\u{a674}'..='\u{a67d}' | '\u{a69e}'..='\u{a69f}' | '\u{a6f0}'..='\u{a6f1}'
        | '\u{a8e0}'..='\u{a8f1}' | '\u{fb1e}' | '\u{fe20}'..='\u{fe2f}'
        | '\u{1d165}'..='\u{1d169}' | '\u{1d16d}'..='\u{1d172}' | '\u{1d17b}'..='\u{1d182}'
        | '\u{1d185}'..='\u{1d18b}' | '\u{1d1aa}'..='\u{1d1ad}' | '\u{1e8d0}'..='\u{1e8d6}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        escaped(text).to_string()
    }

    #[test]
    fn honest_text_stays_as_it_is() {
        for text in ["", "ward7", "Zoë Šťastná", "นามสกุล", "北京", "عربي", "a b-c_d.e@f:g/h?i=j", "🙂"]
        {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn attacks_on_a_terminal_are_escaped() {
        assert_eq!(shown("\x1b[2J"), "\\u{1b}[2J");
        assert_eq!(shown("\x1b]52;c;AA\x07"), "\\u{1b}]52;c;AA\\u{7}");
        assert_eq!(shown("\nOK signed by root"), "\\u{a}OK signed by root");
        assert_eq!(shown("real\rfake"), "real\\u{d}fake");
        assert_eq!(shown("a\\u{8}"), "a\\\\u{8}");
        for character in [
            '\u{0}',
            '\u{7}',
            '\u{8}',
            '\t',
            '\u{7f}',
            '\u{85}',
            '\u{9b}',
            '\u{9d}',
            '\u{a0}',
            '\u{ad}',
            '\u{61c}',
            '\u{200b}',
            '\u{200d}',
            '\u{200e}',
            '\u{2028}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{3000}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{fff9}',
            '\u{e0041}',
            '\u{f0000}',
            '\u{e000}',
            '\u{fffc}',
            '\u{fffe}',
            '\u{1ffff}',
            '\u{2fffe}',
            '\u{50000}',
            '\u{10fffd}',
            '\u{2800}',
            '\u{1d159}',
            '\u{13441}',
        ] {
            assert_eq!(shown(&character.to_string()), character.escape_unicode().to_string());
        }
    }

    #[test]
    fn a_flood_of_combining_marks_is_cut_to_two() {
        let flood = format!("e{}", "\u{301}".repeat(5));
        assert_eq!(shown(&flood), "e\u{301}\u{301}\\u{301}\\u{301}\\u{301}");
        assert_eq!(shown("e\u{301}a\u{301}"), "e\u{301}a\u{301}");
    }

    #[test]
    fn lines_and_pages_keep_what_was_escaped_before() {
        assert_eq!(line("a\\u{1b} b\n\x1bc").to_string(), "a\\u{1b} b\\u{a}\\u{1b}c");
        assert_eq!(page("a\tb\n\u{202e}\\").to_string(), "a\tb\n\\u{202e}\\");
        assert_eq!(first_deceptive("a\tb\n\u{202e}"), Some(('\u{202e}', 2)));
        assert_eq!(page("a\r\nb\rc").to_string(), "a\r\nb\\u{d}c");
        assert_eq!(first_deceptive("Zoë\r\n\te\u{301}\n"), None);
        assert_eq!(first_deceptive("e\u{301}\u{301}\u{301}"), Some(('\u{301}', 1)));
    }

    #[test]
    fn a_command_can_be_pasted_unless_it_deceives() {
        let long = format!(r"cat 'a\b'\''c' {}", "é".repeat(10_000));
        assert_eq!(command(&long).to_string(), long);
        assert_eq!(command(r"a\ \u{1b} \x1b").to_string(), r"a\ \u{1b} \x1b");
        assert_eq!(command("a\\ \\u{1b} \x1b").to_string(), r"a\\ \\u{1b} \u{1b}");
        assert_eq!(command("true\nfalse").to_string(), r"true\u{a}false");
    }

    #[test]
    fn long_text_is_cut_and_measured() {
        let long = "é".repeat(10_000);
        assert_eq!(shown(&long), format!("{}… (10000 characters)", "é".repeat(DEFAULT_LIMIT)));
        assert_eq!(escaped_up_to("abc", 2).to_string(), "ab… (3 characters)");
        assert_eq!(escaped_up_to("abc", 3).to_string(), "abc");
    }

    proptest! {
        #[test]
        fn nothing_deceptive_gets_through(text: String) {
            prop_assert!(!shown(&text).chars().any(is_deceptive));
        }

        #[test]
        fn no_line_or_page_deceives(text: String) {
            prop_assert!(!line(&text).to_string().chars().any(is_deceptive));
            prop_assert!(first_deceptive(&page(&text).to_string()).is_none());
            prop_assert_eq!(first_deceptive(&text).is_none(), page(&text).to_string() == text);
        }

        #[test]
        fn different_texts_look_different(one in "[a\\\\u{}1\u{1}\u{301}]{0,6}", two in "[a\\\\u{}1\u{1}\u{301}]{0,6}") {
            prop_assert_eq!(one == two, shown(&one) == shown(&two));
        }
    }
}
