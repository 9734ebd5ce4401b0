//! Rule ids: each that the code can answer with is explained on a page and shown by a test,
//! which names the id or the variant that answers with it.

use std::collections::BTreeMap;

use crate::source::{Literal, Source, Token, is_word, read_all};
use crate::{exactly, none, project_files};

/// Functions whose string literals are rule ids.
const NAMING: [&str; 3] = ["rule", "code", "id"];

/// This guard's own samples prove nothing about the project.
const OWN: &str = "tests/house/";

/// A text that may name rule ids, and where it stands.
type Page<'a> = (&'a str, &'a str);

/// A rule id's first place in the code, and the variants (`Fault::Expired`) that answer with it.
struct Rule {
    place: String,
    variants: Vec<String>,
}

/// Every rule id of the code. Besides what the naming functions return, any literal of the same
/// family counts: `POLICY-X` in a table, where some rule is `POLICY-Y`.
fn rule_ids(sources: &[Source]) -> BTreeMap<String, Rule> {
    let mut families: Vec<&str> = Vec::new();
    for source in sources {
        let bodies = naming_bodies(source);
        let inside = |literal: &&Literal| bodies.iter().any(|body| body.contains(&literal.at));
        let ids = source.literals.iter().filter(inside).filter(|literal| is_rule_id(&literal.text));
        families.extend(ids.filter_map(|literal| literal.text.split('-').next()));
    }
    let mut ids: BTreeMap<String, Rule> = BTreeMap::new();
    for source in sources {
        let tokens = source.tokens();
        for literal in source.literals.iter().filter(|literal| !source.in_tests(literal.at)) {
            let family = literal.text.split('-').next().unwrap_or_default();
            if is_rule_id(&literal.text) && families.contains(&family) {
                let place = || format!("{}:{}", source.path, source.line(literal.at));
                let rule =
                    ids.entry(literal.text.clone()).or_insert_with(|| Rule { place: place(), variants: Vec::new() });
                rule.variants.extend(variants(&tokens, literal.at));
            }
        }
    }
    ids
}

/// The variants of the match arm whose value stands at `at`, with the name of the type that is implemented.
fn variants(tokens: &[Token], at: usize) -> Vec<String> {
    let text = |index: usize| tokens[index].text;
    let before = tokens.partition_point(|token| token.at < at);
    let Some(arrow) = (1..before).rev().find(|index| text(index - 1) == "=" && text(*index) == ">") else {
        return Vec::new();
    };
    let Some(start) = (0..arrow).rev().find(|index| text(*index) == "impl") else {
        return Vec::new();
    };
    let header: Vec<&str> =
        tokens[start..arrow].iter().map(|token| token.text).take_while(|text| *text != "{").collect();
    let subject = header.iter().position(|word| *word == "for").map_or(&header[1..], |at| &header[at + 1..]);
    let Some(owner) = subject.iter().take_while(|word| **word != "<").last() else {
        return Vec::new();
    };

    let mut found = Vec::new();
    let mut depth = 0_usize;
    // Backwards through the arm's patterns, over what they bind, to the end of the arm before.
    for index in (2..arrow - 1).rev() {
        match text(index) {
            "}" | ")" => depth += 1,
            "{" | "(" if depth > 0 => depth -= 1,
            "," | "{" | ">" if depth == 0 => break,
            word if depth == 0 && text(index - 1) == "::" && [owner, "Self"].contains(&text(index - 2)) => {
                found.push(format!("{owner}::{word}"));
            }
            _ => {}
        }
    }
    found
}

/// Upper-case words joined by hyphens: `POLICY-LIFETIME`.
fn is_rule_id(text: &str) -> bool {
    let mut words = text.split('-');
    let first = words.next().is_some_and(|word| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase()));
    let mut more = words.peekable();
    first
        && more.peek().is_some()
        && more.all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
}

fn naming_bodies(source: &Source) -> Vec<std::ops::Range<usize>> {
    let tokens = source.tokens();
    let starts = tokens.windows(3).filter(|three| {
        three[0].text == "fn"
            && NAMING.contains(&three[1].text)
            && three[2].text == "("
            && !source.in_tests(three[0].at)
    });
    starts.map(|three| three[0].at..crate::source::item_end(&source.code, three[2].at)).collect()
}

fn unexplained(ids: &BTreeMap<String, Rule>, pages: &[Page], tests: &[Page]) -> Vec<String> {
    let mut found = Vec::new();
    for (id, Rule { place, variants }) in ids {
        if !pages.iter().any(|(_, text)| names(text, id)) {
            found.push(format!("{place}: no page under docs/ explains {id}"));
        }
        if !tests.iter().any(|(_, text)| std::iter::once(id).chain(variants).any(|name| names(text, name))) {
            found.push(format!("{place}: no test shows {id}"));
        }
    }
    found
}

/// Ids in back-ticks or brackets that look like ours but that no code answers with.
fn stale(ids: &BTreeMap<String, Rule>, pages: &[Page]) -> Vec<String> {
    let families: Vec<&str> = ids.keys().filter_map(|id| id.split('-').next()).collect();
    let mut found = Vec::new();
    for (path, text) in pages {
        for word in text.split(['`', '[', ']']).filter(|word| is_rule_id(word)) {
            if families.iter().any(|family| word.split('-').next() == Some(family)) && !ids.contains_key(word) {
                found.push(format!("{path}: no code answers with {word}"));
            }
        }
    }
    found
}

/// True if the text has the id as a whole: `KEY-STATE-X` doesn't name `KEY-STATE`.
fn names(text: &str, id: &str) -> bool {
    let joins = |byte: Option<&u8>| byte.is_some_and(|byte| is_word(*byte) || *byte == b'-');
    text.match_indices(id).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|before| text.as_bytes().get(before));
        !joins(before) && !joins(text.as_bytes().get(at + id.len()))
    })
}

/// What only tests see of a source: its code and literals there, no comments.
fn shown_by(source: &Source) -> String {
    let literals = source.literals.iter().filter(|literal| source.in_tests(literal.at));
    let code = source.tests.iter().map(|range| &source.code[range.clone()]);
    literals.map(|literal| literal.text.as_str()).chain(code).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_rule_id_has_a_page_and_a_test() {
    let files: Vec<(String, String)> = project_files()
        .into_iter()
        .filter(|path| !path.starts_with(OWN))
        .filter_map(|path| std::fs::read_to_string(crate::root().join(&path)).ok().map(|text| (path, text)))
        .collect();
    let sources = read_all(files.iter().filter(|(path, _)| path.starts_with("src/") && path.ends_with(".rs")).cloned());
    let ids = rule_ids(&sources);
    for member in ["src/signer/", "src/verify/"] {
        assert!(
            ids.values().any(|rule| rule.place.starts_with(member)),
            "no rule id found in {member}: the guard would see nothing"
        );
    }

    let below = |folder: &str| {
        files
            .iter()
            .filter(|(path, _)| path.starts_with(folder))
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect::<Vec<_>>()
    };
    let unit_tests: Vec<String> = sources.iter().map(shown_by).collect();
    let mut tests = below("tests/");
    tests.extend(unit_tests.iter().map(|text| ("src/", text.as_str())));
    let pages = below("docs/");
    let mut offences = unexplained(&ids, &pages, &tests);
    offences.extend(stale(&ids, &pages));
    none(&offences);
}

#[test]
fn a_rule_without_page_or_test_is_seen() {
    let sample = r#"
        impl Refuse for Fault { fn rule(&self) -> Option<&'static str> { Some(match self {
            Self::Early { at } | Self::Late(..) => "POLICY-LIFETIME",
            Fault::Frozen => { "KEY-STATE" }
            Self::Lost { .. } => return Some("KEY-LOST"), _ => "KEY-ODD" }) } }
        const TABLE: [&str; 1] = ["POLICY-SCOPE"]; const CURVE: &str = "P-256"; const HASH: &str = "SHA-256";
        // "POLICY-GHOST"
        #[cfg(test)] mod tests { const SHOWN: &str = "POLICY-LIFETIME"; fn rule() { "POLICY-SAMPLE"; Fault::Lost; /* KEY-ODD */ } }
    "#;
    let source = Source::new("src/signer/x.rs", sample);
    let shown = shown_by(&source);
    let ids = rule_ids(&[source]);
    let all: Vec<(&str, String)> = ids.iter().map(|(id, rule)| (id.as_str(), rule.variants.join(" "))).collect();
    let expected = [
        ("KEY-LOST", "Fault::Lost"),
        ("KEY-ODD", ""),
        ("KEY-STATE", "Fault::Frozen"),
        ("POLICY-LIFETIME", "Fault::Late Fault::Early"),
        ("POLICY-SCOPE", ""),
    ];
    assert_eq!(all, expected.map(|(id, variants)| (id, variants.to_owned())));

    let pages =
        [("docs/p.md", "`POLICY-LIFETIME` `KEY-LOST` KEY-ODD `KEY-STATE-OLD` was AGE-SECRET-KEY-1 `AGE-SECRET`")];
    exactly(
        &unexplained(&ids, &pages, &[("src/", &shown)]),
        &["shows KEY-ODD", "explains KEY-STATE", "shows KEY-STATE", "explains POLICY-SCOPE", "shows POLICY-SCOPE"],
    );
    exactly(&stale(&ids, &pages), &["KEY-STATE-OLD"]);
    let whole = [("docs/p.md", "`POLICY-LIFETIME`, `KEY-STATE`; [POLICY-SCOPE] KEY-LOST, KEY-ODD")];
    none(&unexplained(&ids, &whole, &whole));
    none(&stale(&ids, &whole));
}
