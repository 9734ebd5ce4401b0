//! The threat model names tests for each of its claims, and all of them are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../../docs/auditor/threat-model.md");
/// What a row says where no test could fail for it.
const NONE: &str = "none: ";

/// Each Rust source below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// `file::test` for each test of the project, and the name of each scenario.
fn all_tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("tests"), &mut files);
    let mut tests = BTreeSet::new();
    for file in files {
        let module = file.file_stem().unwrap().to_str().unwrap();
        for rest in fs::read_to_string(&file).unwrap().split("#[test]").skip(1) {
            let Some((_, rest)) = rest.split_once("fn ") else { continue };
            tests.insert(format!("{module}::{}", rest.split('(').next().unwrap()));
        }
    }
    for case in fs::read_dir(root.join("tests/scenarios/cases")).unwrap() {
        tests.insert(case.unwrap().file_name().into_string().unwrap());
    }
    tests
}

/// The rows of tables whose last column is `tests`.
fn claims(page: &str) -> Vec<&str> {
    let mut claims = Vec::new();
    let mut of_tests = false;
    for line in page.lines() {
        of_tests = line.starts_with('|') && (of_tests || line.ends_with("| tests |"));
        if of_tests && !line.ends_with("| tests |") && !line.starts_with("| ---") {
            claims.push(line);
        }
    }
    claims
}

/// What is wrong with a row.
fn fault(row: &str, tests: &BTreeSet<String>) -> Option<String> {
    let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
    let named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
    if named.is_empty() && !cell.starts_with(NONE) {
        return Some(format!("no test: {row}"));
    }
    let gone = named.iter().find(|name| !tests.contains(**name))?;
    Some(format!("{gone} is no test: {row}"))
}

#[test]
fn each_claim_of_the_threat_model_names_a_test_that_is_there() {
    let (claims, tests) = (claims(PAGE), all_tests());
    assert!(claims.len() > 20, "the page has lost its rows: {}", claims.len());
    let faults: Vec<String> = claims.iter().filter_map(|row| fault(row, &tests)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_claim_without_a_test_is_seen() {
    let page = "| a | tests |\n| --- | --- |\n| b | `x::y` |\n| c | `z::gone` |\n| d | nothing |\n| e | none: why |\n\n| f | g |\n";
    let tests = BTreeSet::from(["x::y".to_owned()]);
    let faults: Vec<String> = claims(page).iter().filter_map(|row| fault(row, &tests)).collect();
    assert_eq!(faults.len(), 2, "{faults:?}");
}
