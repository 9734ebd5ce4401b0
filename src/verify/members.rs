//! The members of a signed JSON object, taken one by one, each with its type.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::escape::escaped;
use crate::json;
use crate::time::UnixTime;

/// A member is absent, of another type, out of its bounds, or unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its \"{}\" is {}", escaped(.member), escaped(.what))]
pub struct MemberFault {
    /// Its name, with those of the objects around it: `roles.root.threshold`.
    pub member: String,
    /// What is wrong with it.
    pub what: String,
}

impl MemberFault {
    pub(crate) fn new(member: impl Into<String>, what: impl Into<String>) -> Self {
        Self { member: member.into(), what: what.into() }
    }
}

/// What is left of an object while its members are taken.
pub(crate) struct Members {
    around: String,
    rest: Map<String, Value>,
    /// Every name that the reader asked for: what this version knows.
    known: BTreeSet<String>,
}

impl Members {
    pub(crate) fn of(rest: Map<String, Value>) -> Self {
        Self { around: String::new(), rest, known: BTreeSet::new() }
    }

    /// A member's name as faults tell it.
    pub(crate) fn name(&self, member: &str) -> String {
        format!("{}{member}", self.around)
    }

    pub(crate) fn fault(&self, member: &str, what: &str) -> MemberFault {
        MemberFault::new(self.name(member), what)
    }

    /// What has not been taken yet.
    pub(crate) fn rest(&self) -> &Map<String, Value> {
        &self.rest
    }

    pub(crate) fn has(&mut self, member: &str) -> bool {
        self.known.insert(member.to_owned());
        self.rest.contains_key(member)
    }

    fn take(&mut self, member: &str) -> Result<Value, MemberFault> {
        self.known.insert(member.to_owned());
        self.rest.remove(member).ok_or_else(|| self.fault(member, "missing"))
    }

    /// A string that is not empty.
    pub(crate) fn text(&mut self, member: &str) -> Result<String, MemberFault> {
        match self.take(member)? {
            Value::String(text) if !text.is_empty() => Ok(text),
            _ => Err(self.fault(member, "not a string that says something")),
        }
    }

    pub(crate) fn optional_text(&mut self, member: &str) -> Result<Option<String>, MemberFault> {
        if self.has(member) { self.text(member).map(Some) } else { Ok(None) }
    }

    /// An integer from `least` to 2^53 − 1.
    pub(crate) fn integer(&mut self, member: &str, least: u64) -> Result<u64, MemberFault> {
        let value = self.take(member)?;
        json::integer(&value)
            .filter(|number| *number >= least)
            .ok_or_else(|| self.fault(member, &format!("not an integer from {least} to 2^53 - 1")))
    }

    pub(crate) fn time(&mut self, member: &str) -> Result<UnixTime, MemberFault> {
        self.integer(member, 0).map(UnixTime)
    }

    pub(crate) fn optional_time(&mut self, member: &str) -> Result<Option<UnixTime>, MemberFault> {
        if self.has(member) { self.time(member).map(Some) } else { Ok(None) }
    }

    pub(crate) fn digest(&mut self, member: &str) -> Result<Digest, MemberFault> {
        let text = self.text(member)?;
        text.parse().map_err(|_| self.fault(member, "not a SHA-256 digest in lower-case hex"))
    }

    pub(crate) fn optional_digest(&mut self, member: &str) -> Result<Option<Digest>, MemberFault> {
        if self.has(member) { self.digest(member).map(Some) } else { Ok(None) }
    }

    /// An array's elements, at most `most`.
    pub(crate) fn array(&mut self, member: &str, most: usize) -> Result<Vec<Value>, MemberFault> {
        match self.take(member)? {
            Value::Array(items) if items.len() <= most => Ok(items),
            Value::Array(_) => Err(self.fault(member, &format!("an array of more than {most}"))),
            _ => Err(self.fault(member, "not an array")),
        }
    }

    /// An array of distinct strings that say something.
    pub(crate) fn texts(&mut self, member: &str, most: usize) -> Result<Vec<String>, MemberFault> {
        let (mut texts, mut seen) = (Vec::new(), HashSet::new());
        for item in self.array(member, most)? {
            match item {
                Value::String(text) if !text.is_empty() && seen.insert(text.clone()) => texts.push(text),
                _ => return Err(self.fault(member, "not an array of different strings")),
            }
        }
        Ok(texts)
    }

    pub(crate) fn object(&mut self, member: &str) -> Result<Self, MemberFault> {
        match self.take(member)? {
            Value::Object(rest) => Ok(Self { around: self.name(&format!("{member}.")), ..Self::of(rest) }),
            _ => Err(self.fault(member, "not an object")),
        }
    }

    /// An object of values of one kind; empty where the member is absent.
    pub(crate) fn optional_table<T>(
        &mut self,
        member: &str,
        wanted: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<BTreeMap<String, T>, MemberFault> {
        if self.has(member) { self.table(member, wanted, read) } else { Ok(BTreeMap::new()) }
    }

    /// An object of values of one kind, which has to be there.
    pub(crate) fn table<T>(
        &mut self,
        member: &str,
        wanted: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<BTreeMap<String, T>, MemberFault> {
        let inner = self.object(member)?;
        let mut table = BTreeMap::new();
        for (name, value) in &inner.rest {
            let value = read(value).ok_or_else(|| inner.fault(name, wanted))?;
            if name.is_empty() {
                return Err(self.fault(member, "an object with a nameless member"));
            }
            table.insert(name.clone(), value);
        }
        Ok(table)
    }

    /// The names of members not taken yet.
    pub(crate) fn names(&self) -> Vec<String> {
        self.rest.keys().cloned().collect()
    }

    /// Nothing may be left.
    pub(crate) fn end(self) -> Result<(), MemberFault> {
        match self.rest.keys().next() {
            None => Ok(()),
            Some(name) => Err(self.fault(name, "unknown")),
        }
    }

    /// What is left is ignored, unless `critical` names it: a later version's member that
    /// readers must know, or refuse.
    pub(crate) fn end_unless_critical(mut self) -> Result<(), MemberFault> {
        let known = std::mem::take(&mut self.known);
        let critical = if self.has("critical") { self.texts("critical", 100)? } else { Vec::new() };
        match critical.into_iter().find(|name| !known.contains(name)) {
            None => Ok(()),
            Some(name) => Err(self.fault(&name, "one that this version doesn't know and must")),
        }
    }
}
