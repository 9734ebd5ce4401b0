//! RFC 9396 authorization details: what a role permits, and whether a request fits into it.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};
use toml::de::DeValue;

use super::claims::scalar;
use super::fault::Rule;
use super::names;
use super::section::{Report, Section};
use crate::issuing::text;

/// One permitted object of `authorization_details`.
#[derive(Debug, Clone)]
pub struct PermittedDetail {
    /// Its `type`.
    pub kind: String,
    /// What each other member may be.
    pub members: BTreeMap<String, MemberRule>,
    /// The line of the policy, counted from 1.
    pub line: usize,
}

/// What a member may be.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberRule {
    /// Exactly this string, integer or boolean.
    Exactly(Value),
    /// A non-empty array of some of these.
    PartOf(Vec<Value>),
    /// `{ from = "request" }`: any text, chosen when the token is issued.
    Chosen,
}

impl PermittedDetail {
    /// The object as the policy has it, or the name of a member that has to be chosen.
    pub fn whole(&self) -> Result<Value, &str> {
        let mut object = Map::new();
        object.insert("type".to_owned(), Value::String(self.kind.clone()));
        for (name, rule) in &self.members {
            let value = match rule {
                MemberRule::Exactly(value) => value.clone(),
                MemberRule::PartOf(values) => Value::Array(values.clone()),
                MemberRule::Chosen => return Err(name),
            };
            object.insert(name.clone(), value);
        }
        Ok(Value::Object(object))
    }

    /// Whether a requested object grants nothing that this entry doesn't.
    pub fn permits(&self, requested: &Map<String, Value>) -> bool {
        // An absent member could mean "all" (RFC 9396 §2): the member names must be the same.
        requested.get("type").and_then(Value::as_str) == Some(self.kind.as_str())
            && requested.len() == self.members.len() + 1
            && self.members.iter().all(|(name, rule)| requested.get(name).is_some_and(|value| rule.permits(value)))
    }
}

impl MemberRule {
    fn permits(&self, requested: &Value) -> bool {
        match self {
            Self::Exactly(value) => value == requested,
            Self::PartOf(values) => requested
                .as_array()
                .is_some_and(|items| !items.is_empty() && items.iter().all(|item| values.contains(item))),
            Self::Chosen => requested.as_str().is_some_and(|chosen| text::check(chosen).is_ok()),
        }
    }
}

impl fmt::Display for PermittedDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        for (name, rule) in &self.members {
            match rule {
                MemberRule::Exactly(value) => write!(f, " {name} {value}")?,
                MemberRule::PartOf(values) => write!(f, " {name} {}", Value::Array(values.clone()))?,
                MemberRule::Chosen => write!(f, " {name} of one's choice")?,
            }
        }
        Ok(())
    }
}

/// Reads the list `details`.
pub(super) fn read(role: &Section<'_>, report: &mut Report) -> Vec<PermittedDetail> {
    let mut details = Vec::new();
    for entry in role.tables("details", report) {
        match detail(&entry) {
            Ok(detail) => details.push(detail),
            Err(fact) => report.fault(entry.line(), Rule::DetailSyntax, format!("{}: {fact}", entry.path())),
        }
    }
    details
}

fn detail(entry: &Section<'_>) -> Result<PermittedDetail, String> {
    let mut kind = None;
    let mut members = BTreeMap::new();
    for (name, value, _) in entry.entries() {
        if name == "type" {
            kind = scalar(value)?.as_str().map(str::to_owned);
        } else if names::is_claim(name) {
            let rule = member(value).map_err(|fact| format!("member {name}: {fact}"))?;
            members.insert(name.to_owned(), rule);
        } else {
            return Err(format!("{name:?} can't be the name of a member"));
        }
    }
    let kind = kind.ok_or("each entry needs a type, a string (RFC 9396 §2)")?;
    Ok(PermittedDetail { kind, members, line: entry.line() })
}

fn member(value: &DeValue<'_>) -> Result<MemberRule, String> {
    match value {
        DeValue::Array(items) if items.is_empty() => Err("an empty list permits nothing".to_owned()),
        DeValue::Array(items) => {
            let values: Result<_, _> = items.iter().map(|item| scalar(item.get_ref())).collect();
            Ok(MemberRule::PartOf(values?))
        }
        DeValue::Table(table) => match table.get("from").and_then(|from| from.get_ref().as_str()) {
            Some("request") if table.len() == 1 => Ok(MemberRule::Chosen),
            _ => Err("the one table here is { from = \"request\" }".to_owned()),
        },
        other => scalar(other).map(MemberRule::Exactly),
    }
}
