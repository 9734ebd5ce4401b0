//! Typed reading of one TOML table: each accessor reports its own faults and remembers the line.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};

use toml::de::{DeTable, DeValue};

use super::duration;
use super::fault::{Fault, Rule};
use crate::issuing::text;

/// For how many faults of a file the name that was meant is looked for.
const MOST_EXPLAINED: usize = 100;

/// Where each field of a section stands; what is absent stands at its section.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    section: usize,
    fields: BTreeMap<String, usize>,
}

impl Lines {
    /// The section's own line, counted from 1.
    pub fn section(&self) -> usize {
        self.section
    }

    /// The field's line, or the section's where a default is in force.
    pub fn of(&self, field: &str) -> usize {
        self.fields.get(field).copied().unwrap_or(self.section)
    }
}

/// The faults found so far, and the places of line ends.
pub(super) struct Report {
    line_ends: Vec<usize>,
    faults: Vec<Fault>,
}

impl Report {
    pub(super) fn over(text: &str) -> Self {
        let line_ends = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at).collect();
        Self { line_ends, faults: Vec::new() }
    }

    pub(super) fn line(&self, span: Range<usize>) -> usize {
        self.line_ends.partition_point(|end| *end < span.start) + 1
    }

    pub(super) fn fault(&mut self, line: usize, rule: Rule, fact: String) {
        self.faults.push(Fault { line, rule, fact, nearest: None });
    }

    pub(super) fn misspelt<'k>(
        &mut self,
        line: usize,
        rule: Rule,
        fact: String,
        name: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let nearest = if self.faults.len() < MOST_EXPLAINED { text::nearest(name, known) } else { None };
        self.faults.push(Fault { line, rule, fact, nearest });
    }

    pub(super) fn into_faults(self) -> Vec<Fault> {
        self.faults
    }
}

/// A table of the file, with its dotted path for messages.
pub(super) struct Section<'d> {
    path: String,
    table: &'d DeTable<'d>,
    lines: Lines,
}

/// A value with its line.
pub(super) type Placed<T> = (T, usize);

impl<'d> Section<'d> {
    pub(super) fn new(path: String, table: &'d DeTable<'d>, line: usize, report: &Report) -> Self {
        let fields = table.keys().map(|key| (key.get_ref().to_string(), report.line(key.span()))).collect();
        Self { path, table, lines: Lines { section: line, fields } }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn line(&self) -> usize {
        self.lines.section
    }

    pub(super) fn line_of(&self, field: &str) -> usize {
        self.lines.of(field)
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.lines.fields.contains_key(field)
    }

    pub(super) fn into_lines(self) -> Lines {
        self.lines
    }

    /// Reports every field that isn't one of `known`.
    pub(super) fn only(&self, known: &[&str], report: &mut Report) {
        for (name, line) in &self.lines.fields {
            if !known.contains(&name.as_str()) {
                let fact = match self.path.as_str() {
                    "" => format!("there is no section or field {name:?}"),
                    path => format!("{path} has no field {name:?}"),
                };
                report.misspelt(*line, Rule::UnknownField, fact, name, known.iter().copied());
            }
        }
    }

    pub(super) fn required(&self, field: &str, report: &mut Report) {
        if !self.has(field) {
            let fact = match self.path.as_str() {
                "" => format!("{field} is missing"),
                path => format!("{path} has no {field}, which it needs"),
            };
            report.fault(self.line(), Rule::Missing, fact);
        }
    }

    pub(super) fn value(&self, field: &str) -> Option<&'d DeValue<'d>> {
        self.table.get(field).map(|value| value.get_ref())
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&'d str, &'d DeValue<'d>, usize)> + '_ {
        self.table.iter().map(|(key, value)| (key.get_ref().as_ref(), value.get_ref(), self.lines.of(key.get_ref())))
    }

    fn of_type<T>(
        &self,
        field: &str,
        wanted: &str,
        cast: impl Fn(&'d DeValue<'d>) -> Option<T>,
        report: &mut Report,
    ) -> Option<T> {
        let value = self.value(field)?;
        let cast = cast(value);
        if cast.is_none() {
            let fact = format!("{} is {}, not {wanted}", self.dotted(field), kind(value));
            report.fault(self.line_of(field), Rule::Type, fact);
        }
        cast
    }

    pub(super) fn dotted(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }

    pub(super) fn string(&self, field: &str, report: &mut Report) -> Option<&'d str> {
        self.of_type(field, "a string", |value| value.as_str(), report)
    }

    /// A text as the format page's §1 has it.
    pub(super) fn text(&self, field: &str, report: &mut Report) -> Option<String> {
        let found = self.string(field, report)?;
        match text::check(found) {
            Ok(()) => Some(found.to_owned()),
            Err(fault) => {
                let fact = format!("{} is not a usable text: {fault}", self.dotted(field));
                report.fault(self.line_of(field), Rule::Text, fact);
                None
            }
        }
    }

    pub(super) fn boolean(&self, field: &str, report: &mut Report) -> Option<bool> {
        self.of_type(field, "true or false", |value| value.as_bool(), report)
    }

    pub(super) fn integer(&self, field: &str, bounds: RangeInclusive<i64>, report: &mut Report) -> Option<i64> {
        let digits = self.of_type(field, "a whole number", |value| value.as_integer(), report)?;
        let number = i64::from_str_radix(digits.as_str(), digits.radix()).ok().filter(|n| bounds.contains(n));
        if number.is_none() {
            let fact = format!("{} is {digits}, outside {} to {}", self.dotted(field), bounds.start(), bounds.end());
            report.fault(self.line_of(field), Rule::Range, fact);
        }
        number
    }

    /// A duration in seconds, at least `least` and at most `most`.
    pub(super) fn duration(&self, field: &str, least: u64, most: u64, report: &mut Report) -> Option<u64> {
        let written = self.string(field, report)?;
        let fact = match duration::parse(written) {
            Ok(seconds) if (least..=most).contains(&seconds) => return Some(seconds),
            Ok(_) => format!("it lies outside {} to {}", duration::words(least), duration::words(most)),
            Err(fault) => fault.to_string(),
        };
        let fact = format!("{} = {written:?} is not usable: {fact}", self.dotted(field));
        report.fault(self.line_of(field), Rule::Duration, fact);
        None
    }

    /// One of the listed values.
    pub(super) fn choice<T: Copy>(&self, field: &str, values: &[(&str, T)], report: &mut Report) -> Option<T> {
        let written = self.string(field, report)?;
        self.choose(field, written, self.line_of(field), values, report)
    }

    /// Several of the listed values, each once.
    pub(super) fn choices<T: Copy>(
        &self,
        field: &str,
        values: &[(&str, T)],
        report: &mut Report,
    ) -> Option<Vec<Placed<T>>> {
        let written = self.strings(field, report)?;
        Some(
            written
                .into_iter()
                .filter_map(|(name, line)| Some((self.choose(field, name, line, values, report)?, line)))
                .collect(),
        )
    }

    fn choose<T: Copy>(
        &self,
        field: &str,
        written: &str,
        line: usize,
        values: &[(&str, T)],
        report: &mut Report,
    ) -> Option<T> {
        let found = values.iter().find(|(name, _)| *name == written).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
            let fact = format!("{} can't be {written:?}, only {}", self.dotted(field), names.join(", "));
            report.misspelt(line, Rule::UnknownValue, fact, written, names.iter().copied());
        }
        found
    }

    /// A list of strings, each once, with their lines.
    pub(super) fn strings(&self, field: &str, report: &mut Report) -> Option<Vec<Placed<&'d str>>> {
        let list = self.of_type(field, "a list", |value| value.as_array(), report)?;
        let mut seen = BTreeSet::new();
        let mut strings = Vec::new();
        for item in list.iter() {
            let line = report.line(item.span());
            match item.get_ref().as_str() {
                None => {
                    let fact = format!("{} holds {}, not strings only", self.dotted(field), kind(item.get_ref()));
                    report.fault(line, Rule::Type, fact);
                }
                Some(string) if !seen.insert(string) => {
                    report.fault(line, Rule::Duplicate, format!("{} holds {string:?} twice", self.dotted(field)));
                }
                Some(string) => strings.push((string, line)),
            }
        }
        Some(strings)
    }

    /// A list of texts, sorted.
    pub(super) fn texts(&self, field: &str, report: &mut Report) -> Vec<String> {
        let mut texts = Vec::new();
        for (string, line) in self.strings(field, report).unwrap_or_default() {
            match text::check(string) {
                Ok(()) => texts.push(string.to_owned()),
                Err(fault) => {
                    let fact = format!("{} holds {string:?}, not a usable text: {fault}", self.dotted(field));
                    report.fault(line, Rule::Text, fact);
                }
            }
        }
        texts.sort();
        texts
    }

    /// A table within this one.
    pub(super) fn section(&self, field: &str, report: &mut Report) -> Option<Section<'d>> {
        let table = self.of_type(field, "a section", |value| value.as_table(), report)?;
        Some(Section::new(self.dotted(field), table, self.line_of(field), report))
    }

    /// The tables within the table `field`, by name.
    pub(super) fn sections(&self, field: &str, report: &mut Report) -> Vec<(&'d str, Section<'d>)> {
        let Some(parent) = self.section(field, report) else { return Vec::new() };
        let names: Vec<&'d str> = parent.entries().map(|(name, _, _)| name).collect();
        names.into_iter().filter_map(|name| Some((name, parent.section(name, report)?))).collect()
    }

    /// The tables of a list, with their lines.
    pub(super) fn tables(&self, field: &str, report: &mut Report) -> Vec<Section<'d>> {
        let Some(list) = self.of_type(field, "a list of tables", |value| value.as_array(), report) else {
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in list.iter() {
            let line = report.line(item.span());
            match item.get_ref().as_table() {
                Some(table) => tables.push(Section::new(self.dotted(field), table, line, report)),
                None => {
                    let fact = format!("{} holds {}, not tables only", self.dotted(field), kind(item.get_ref()));
                    report.fault(line, Rule::Type, fact);
                }
            }
        }
        tables
    }
}

/// A value's type, in words.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}
