//! Fixed claims: typed values from the policy, with one reference and no templates.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};
use toml::de::DeValue;

use super::fault::Rule;
use super::names;
use super::section::{Report, Section, kind};
use crate::issuing::text;

/// The largest integer every JSON reader keeps exact (RFC 8259 §6): 2^53 − 1.
const LARGEST: i64 = (1 << 53) - 1;
/// How deep lists and tables may nest; verifiers read eight levels, two of which are the token's.
const DEEPEST: usize = 5;

/// A claim that every token of a role carries.
#[derive(Debug, Clone)]
pub struct FixedClaim {
    /// The claim's name.
    pub name: String,
    /// Its value.
    pub value: ClaimValue,
    /// The line of the policy, counted from 1.
    pub line: usize,
}

/// A typed value.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimValue {
    /// A string, integer, float or boolean as it stands.
    Literal(Value),
    /// An array.
    List(Vec<ClaimValue>),
    /// An object.
    Table(BTreeMap<String, ClaimValue>),
    /// `{ from = "subject" }`: the token's subject.
    Subject,
}

impl ClaimValue {
    /// The JSON value in a token about `subject`.
    pub fn about(&self, subject: &str) -> Value {
        match self {
            Self::Literal(value) => value.clone(),
            Self::List(items) => Value::Array(items.iter().map(|item| item.about(subject)).collect()),
            Self::Table(members) => Value::Object(
                members.iter().map(|(name, value)| (name.clone(), value.about(subject))).collect::<Map<_, _>>(),
            ),
            Self::Subject => Value::String(subject.to_owned()),
        }
    }
}

impl std::fmt::Display for ClaimValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A reference can't be mistaken for a string: strings are written in quotes.
        match self {
            Self::Literal(value) => write!(f, "{value}"),
            Self::Subject => f.write_str("the subject"),
            Self::List(items) => {
                let words: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", words.join(", "))
            }
            Self::Table(members) => {
                let words: Vec<String> = members.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                write!(f, "{{{}}}", words.join(", "))
            }
        }
    }
}

/// Reads the table `claims`; `taken` are names that the profile fills besides [`names::RESERVED`].
pub(super) fn read(section: &Section<'_>, taken: &[&str], report: &mut Report) -> Vec<FixedClaim> {
    let mut claims = Vec::new();
    for (name, value, line) in section.entries() {
        if names::RESERVED.contains(&name) || taken.contains(&name) {
            report.fault(
                line,
                Rule::ReservedClaim,
                format!("the claim {name} is filled by coldsign and can't be fixed"),
            );
        } else if !names::is_claim(name) {
            report.fault(line, Rule::Claim, format!("{name:?} can't be the name of a claim"));
        } else {
            match value_of(value, 1) {
                Ok(value) => claims.push(FixedClaim { name: name.to_owned(), value, line }),
                Err(fact) => report.fault(line, Rule::Claim, format!("the claim {name} can't be fixed: {fact}")),
            }
        }
    }
    claims
}

/// A string, integer or boolean as JSON.
pub(super) fn scalar(value: &DeValue<'_>) -> Result<Value, String> {
    match value {
        DeValue::String(string) => match text::check(string) {
            Ok(()) => Ok(Value::String(string.to_string())),
            Err(fault) => Err(format!("{string:?} is not a usable text: {fault}")),
        },
        DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
            .ok()
            .filter(|number| (-LARGEST..=LARGEST).contains(number))
            .map(|number| Value::Number(number.into()))
            .ok_or_else(|| format!("{digits} lies outside ±(2^53−1)")),
        DeValue::Boolean(boolean) => Ok(Value::Bool(*boolean)),
        other => Err(format!("{} can't stand here", kind(other))),
    }
}

fn value_of(value: &DeValue<'_>, depth: usize) -> Result<ClaimValue, String> {
    if depth > DEEPEST {
        return Err(format!("it nests deeper than {DEEPEST} levels"));
    }
    match value {
        DeValue::Float(digits) => digits
            .as_str()
            .parse::<f64>()
            .ok()
            .and_then(Number::from_f64)
            .map(|number| ClaimValue::Literal(Value::Number(number)))
            .ok_or_else(|| format!("{digits} is not a JSON number")),
        DeValue::Array(items) => {
            let items: Result<_, _> = items.iter().map(|item| value_of(item.get_ref(), depth + 1)).collect();
            Ok(ClaimValue::List(items?))
        }
        DeValue::Table(table) => match table.get("from") {
            Some(from) if table.len() == 1 => match from.get_ref().as_str() {
                Some("subject") => Ok(ClaimValue::Subject),
                _ => Err("the one reference is { from = \"subject\" }".to_owned()),
            },
            _ => {
                let mut members = BTreeMap::new();
                for (name, value) in table.iter() {
                    let name = name.get_ref().as_ref();
                    if !names::is_claim(name) {
                        return Err(format!("{name:?} can't be the name of a member"));
                    }
                    members.insert(name.to_owned(), value_of(value.get_ref(), depth + 1)?);
                }
                Ok(ClaimValue::Table(members))
            }
        },
        other => scalar(other).map(ClaimValue::Literal),
    }
}
