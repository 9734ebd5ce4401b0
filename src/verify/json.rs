//! Strict JSON (RFC 8259 narrowed by RFC 7515 §4 and RFC 8725 §2.4): duplicate members are
//! refused at every depth, also when one is spelled with escapes; nothing may follow the value.
//!
//! The parser is our own because serde_json's keeps the last of two equal members in silence,
//! and because its number handling changes with features that any crate in a build may enable.

mod build;
mod parser;

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::escape::escaped;
use build::{Check, Tree};
use parser::Parser;

/// How deep arrays and objects may nest where nothing else is said.
pub const DEFAULT_DEPTH: usize = 8;

/// The largest integer a date may have, 2^53 − 1 (RFC 8259 §6: interoperable integers).
pub const LARGEST_INTEGER: u64 = (1 << 53) - 1;

/// No caller may ask for more: the parser recurses.
const DEEPEST: usize = 64;

/// Why bytes are not JSON as accepted here; positions are byte offsets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Not UTF-8 (RFC 8259 §8.1).
    #[error("JSON is not UTF-8")]
    NotUtf8,
    /// Begins with U+FEFF (RFC 8259 §8.1).
    #[error("JSON begins with a byte order mark")]
    ByteOrderMark,
    /// Not the grammar of RFC 8259.
    #[error("JSON is malformed at byte {at}")]
    Syntax {
        /// Where.
        at: usize,
    },
    /// A second value or other bytes after the value.
    #[error("JSON ends at byte {at}, but more follows")]
    Trailing {
        /// Where the value ends.
        at: usize,
    },
    /// A member name that stands twice in one object.
    #[error("JSON member \"{}\" stands twice in one object", escaped(.name))]
    Duplicate {
        /// The name, its escapes resolved.
        name: String,
    },
    /// Nested deeper than allowed.
    #[error("JSON nests deeper than {limit}")]
    TooDeep {
        /// The limit in force.
        limit: usize,
    },
    /// A number beyond the range of a double.
    #[error("JSON number at byte {at} is out of range")]
    NumberRange {
        /// Where the number begins.
        at: usize,
    },
    /// A value where an object is wanted.
    #[error("JSON is not an object")]
    NotAnObject,
}

/// Parses one value of at most [`DEFAULT_DEPTH`] nested arrays and objects.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    parse_to_depth(DEFAULT_DEPTH, bytes)
}

/// Parses one value of at most `depth` (itself at most 64) nested arrays and objects.
pub fn parse_to_depth(depth: usize, bytes: &[u8]) -> Result<Value, JsonError> {
    Parser::new(text(bytes)?, depth.min(DEEPEST)).document::<Tree>()
}

/// Parses one object, as [`parse`].
pub fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, JsonError> {
    match parse(bytes)? {
        Value::Object(members) => Ok(members),
        _ => Err(JsonError::NotAnObject),
    }
}

/// One member of an object, its value checked and left as text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member<'a> {
    /// The name, its escapes resolved.
    pub name: Cow<'a, str>,
    /// Name and value as they were written.
    pub text: &'a str,
    /// The value as it was written.
    pub value: &'a str,
}

impl<'a> Member<'a> {
    /// The value where it is a string, its escapes resolved.
    pub fn string(&self) -> Option<Cow<'a, str>> {
        let inner = self.value.strip_prefix('"')?.strip_suffix('"')?;
        if !inner.contains('\\') {
            return Some(Cow::Borrowed(inner));
        }
        match parse(self.value.as_bytes()) {
            Ok(Value::String(string)) => Some(Cow::Owned(string)),
            _ => None,
        }
    }
}

/// The members of one object in their order. Refuses exactly what [`parse_object`] refuses and builds
/// no values: for who reads many lines and looks into few.
pub fn members(bytes: &[u8]) -> Result<Vec<Member<'_>>, JsonError> {
    Parser::new(text(bytes)?, DEFAULT_DEPTH).members::<Check>()
}

fn text(bytes: &[u8]) -> Result<&str, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::NotUtf8)?;
    if text.starts_with('\u{feff}') { Err(JsonError::ByteOrderMark) } else { Ok(text) }
}

/// The value as an integer in 0..=2^53−1 that was written as one: not `1.0`, `1e3` or `-0`.
pub fn integer(value: &Value) -> Option<u64> {
    value.as_u64().filter(|number| *number <= LARGEST_INTEGER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn duplicates_are_found_however_they_are_spelled() {
        for text in [
            r#"{"exp":1,"exp":2}"#,
            r#"{"exp":1,"exp":1}"#,
            r#"{"exp":1,"\u0065xp":2}"#,
            r#"{"a":[{"b":{"exp":1,"e\u0078p":2}}]}"#,
            r#"{"\ud83d\ude42":1,"🙂":2}"#,
            r#"{"":1,"":2}"#,
        ] {
            assert!(matches!(parse(text.as_bytes()), Err(JsonError::Duplicate { .. })), "{text}");
        }
        assert!(parse(br#"{"exp":1,"Exp":2,"a":{"exp":1},"b":[{"exp":1},{"exp":1}]}"#).is_ok());
    }

    #[test]
    fn what_is_not_strict_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "{\"a\" 1}",
            "[1 2]",
            "01",
            "-",
            "+1",
            ".5",
            "1.",
            "1e",
            "1e+",
            "0x1",
            "NaN",
            "Infinity",
            "tru",
            "nul",
            "\"",
            "\"\\\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud800\\u0041\"",
            "\"a\nb\"",
            "\"a\u{1}b\"",
            "[1]]",
            "{} {}",
            "{}x",
            "// a\n1",
            "1 /* */",
            "[",
            "[[",
            "\u{a0}1",
            "nullnull",
            "\u{b}1",
            "--1",
            "-a",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert_eq!(parse(b"\xef\xbb\xbf{}"), Err(JsonError::ByteOrderMark));
        assert_eq!(parse(b"\"\xff\""), Err(JsonError::NotUtf8));
        assert_eq!(parse(b"\"\xed\xa0\x80\""), Err(JsonError::NotUtf8));
        assert_eq!(parse(b"{}\0"), Err(JsonError::Trailing { at: 2 }));
        assert_eq!(parse(b"1e400"), Err(JsonError::NumberRange { at: 0 }));
        assert_eq!(parse_object(b"[]"), Err(JsonError::NotAnObject));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(8).as_bytes()).is_ok());
        assert_eq!(parse(nested(9).as_bytes()), Err(JsonError::TooDeep { limit: 8 }));
        assert_eq!(parse(nested(10_000).as_bytes()), Err(JsonError::TooDeep { limit: 8 }));
        assert_eq!(parse("{\"a\":".repeat(10_000).as_bytes()), Err(JsonError::TooDeep { limit: 8 }));
        assert_eq!(parse_to_depth(usize::MAX, nested(10_000).as_bytes()), Err(JsonError::TooDeep { limit: 64 }));
        assert!(parse_to_depth(0, b"1").is_ok());
        assert!(parse_to_depth(0, b"[]").is_err());
    }

    #[test]
    fn only_written_integers_are_integers() {
        for (text, expected) in [
            ("0", Some(0)),
            ("9007199254740991", Some(LARGEST_INTEGER)),
            ("9007199254740992", None),
            ("9223372036854775808", None),
            ("18446744073709551616", None),
            ("-0", None),
            ("-1", None),
            ("1.0", None),
            ("1e3", None),
            ("1E3", None),
            ("\"1\"", None),
            ("true", None),
            ("null", None),
            ("[1]", None),
        ] {
            assert_eq!(integer(&parse(text.as_bytes()).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn escapes_are_resolved() {
        assert_eq!(
            parse(br#""\"\\\/\b\f\n\r\t\u0041\u00e9\uD83D\uDE42\u0000""#).unwrap(),
            json!("\"\\/\u{8}\u{c}\n\r\tAé🙂\0")
        );
    }

    /// Both ways of reading find the same, or the same fault.
    fn agree(text: &[u8]) {
        let found = members(text).map(|members| {
            members
                .into_iter()
                .map(|member| {
                    let alone = parse_object(format!("{{{}}}", member.text).as_bytes()).unwrap();
                    assert_eq!(alone.keys().collect::<Vec<_>>(), [member.name.as_ref()]);
                    let value = parse(member.value.as_bytes()).unwrap();
                    assert_eq!(member.string().as_deref(), value.as_str());
                    (member.name.into_owned(), value)
                })
                .collect::<Map<_, _>>()
        });
        assert_eq!(found, parse_object(text));
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(7, 64, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                prop::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// serde_json rounds some doubles by an ulp, so numbers count as equal when close.
    fn alike(one: &Value, two: &Value) -> bool {
        match (one, two) {
            (Value::Array(one), Value::Array(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| alike(one, two))
            }
            (Value::Object(one), Value::Object(two)) => {
                one.len() == two.len() && one.iter().all(|(name, one)| two.get(name).is_some_and(|two| alike(one, two)))
            }
            (Value::Number(one), Value::Number(two)) if one.is_f64() && two.is_f64() => {
                let (one, two) = (one.as_f64().unwrap(), two.as_f64().unwrap());
                (one - two).abs() <= one.abs() * 1e-15
            }
            (one, two) => one == two,
        }
    }

    proptest! {
        #[test]
        fn round_trip(value in values()) {
            prop_assert_eq!(parse(value.to_string().as_bytes()), Ok(value.clone()));
            prop_assert_eq!(parse(serde_json::to_string_pretty(&value).unwrap().as_bytes()), Ok(value));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
            let _ = members(&bytes);
        }

        #[test]
        fn members_are_what_parsing_finds(value in values()) {
            agree(value.to_string().as_bytes());
            agree(serde_json::to_string_pretty(&value).unwrap().as_bytes());
        }

        #[test]
        fn members_are_as_strict_as_parsing(text in r#"\{?"a":[\[\]{}:,"\\0-9eE+.\-truefalsn u\n]{0,24}\}?"#) {
            agree(text.as_bytes());
        }

        #[test]
        fn no_name_stands_twice_among_many(count in 0_usize..80, twice: prop::sample::Index) {
            let mut names: Vec<String> = (0..count).map(|number| format!("\"n{number}\":{number}")).collect();
            agree(format!("{{{}}}", names.join(",")).as_bytes());
            if count > 0 {
                names.push(names[twice.index(count)].clone());
                let text = format!("{{{}}}", names.join(","));
                agree(text.as_bytes());
                agree(format!("{{\"inner\":{text}}}").as_bytes());
                prop_assert!(members(text.as_bytes()).is_err());
            }
        }

        #[test]
        fn agrees_with_serde_json_but_is_stricter(text in r#"[\[\]{}:,"\\0-9eE+.\-truefalsn u\n]{0,24}"#) {
            match (parse(text.as_bytes()), serde_json::from_str::<Value>(&text)) {
                (Ok(ours), Ok(theirs)) => prop_assert!(alike(&ours, &theirs), "{ours} {theirs}"),
                (Ok(ours), Err(error)) => prop_assert!(false, "{ours}: {error}"),
                (Err(JsonError::Duplicate { .. } | JsonError::TooDeep { .. }), Ok(_)) | (Err(_), Err(_)) => {}
                (Err(error), Ok(theirs)) => prop_assert!(false, "{error}: {theirs}"),
            }
        }

        #[test]
        fn a_duplicate_is_found_at_every_depth(
            name: String,
            path in prop::collection::vec(any::<bool>(), 0..7),
            escape: bool,
            between in values(),
        ) {
            let plain = Value::from(name.clone()).to_string();
            let other = if escape {
                let units: String = name.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
                format!("\"{units}\"")
            } else {
                plain.clone()
            };
            let mut text = format!("{{{plain}:1,\"{name}x\":2,{other}:3}}", name = "between");
            if let Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null = between {
                text = format!("{{{plain}:{between},{other}:3}}");
            }
            for in_object in path {
                text = if in_object { format!("{{\"a\":0,\"b\":{text}}}") } else { format!("[0,{text}]") };
            }
            prop_assert_eq!(parse(text.as_bytes()), Err(JsonError::Duplicate { name }));
        }
    }
}
