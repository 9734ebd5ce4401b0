//! Durations as a policy writes them (`docs/formats/policy-v1.md` §1): `"12h"`, `"1h30m"`, `"2w"`.

/// The longest duration a policy may name, in seconds: ten years of 365 days.
pub const LONGEST: u64 = 3650 * 86_400;

const UNITS: [(char, u64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Why a duration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationFault {
    /// Not of the grammar.
    #[error("it is written like 12h, 30d, 1h30m or 90s, in whole numbers")]
    Grammar,
    /// More than [`LONGEST`].
    #[error("it is longer than ten years")]
    TooLong,
}

/// Reads a duration: seconds.
pub fn parse(text: &str) -> Result<u64, DurationFault> {
    let mut total = 0_u64;
    let mut number: Option<u64> = None;
    let mut units = UNITS.iter();
    for character in text.chars() {
        if let Some(digit) = character.to_digit(10) {
            let next = number.unwrap_or(0).checked_mul(10).and_then(|n| n.checked_add(u64::from(digit)));
            number = Some(next.ok_or(DurationFault::TooLong)?);
            continue;
        }
        // The iterator goes on from the last unit: units fall and none comes twice.
        let (_, seconds) = units.find(|(unit, _)| *unit == character).ok_or(DurationFault::Grammar)?;
        let part = number.take().ok_or(DurationFault::Grammar)?.checked_mul(*seconds);
        total = part.and_then(|part| total.checked_add(part)).ok_or(DurationFault::TooLong)?;
    }
    if text.is_empty() || number.is_some() {
        return Err(DurationFault::Grammar);
    }
    if total > LONGEST { Err(DurationFault::TooLong) } else { Ok(total) }
}

/// A number of seconds as [`parse`] reads it back; weeks are written as days.
pub fn words(seconds: u64) -> String {
    let mut rest = seconds;
    let mut words = String::new();
    for (unit, size) in UNITS.iter().skip(1) {
        if rest >= *size {
            words.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if words.is_empty() { "0s".to_owned() } else { words }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_of_the_grammar() {
        for (text, seconds) in [
            ("90s", 90),
            ("12h", 43_200),
            ("30d", 2_592_000),
            ("1h30m", 5_400),
            ("2w", 1_209_600),
            ("0s", 0),
            ("3650d", LONGEST),
        ] {
            assert_eq!(parse(text), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in ["", "12", "h", "1.5h", "-1h", "+1h", " 1h", "1h ", "1h1h", "1m1h", "1H", "1y", "1 h", "1h30", "٣h"]
        {
            assert_eq!(parse(text), Err(DurationFault::Grammar), "{text}");
        }
        for text in ["3651d", "3650d1s", "99999999999999999999s", "18446744073709551615w"] {
            assert_eq!(parse(text), Err(DurationFault::TooLong), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(seconds in 0..=LONGEST) {
            prop_assert_eq!(parse(&words(seconds)), Ok(seconds));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = parse(&text);
        }
    }
}
