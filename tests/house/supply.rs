//! Other people's code: a row on the auditor's page for each direct dependency, a list of the build
//! scripts that may run, and no silence about advisories that were not checked.

use std::collections::BTreeSet;
use std::process::Command;

use crate::manifests::table;
use crate::{exactly, none, root, text_of};

const PAGE: &str = "docs/auditor/dependencies.md";

/// The manifests of everything that the signer, the verifier and the gate are built from.
const MANIFESTS: [&str; 4] = ["Cargo.toml", "src/confine/Cargo.toml", "src/gate/Cargo.toml", "src/verify/Cargo.toml"];

/// The crates that a manifest's `[dependencies]` name, our own left out.
fn direct(manifest: &str) -> BTreeSet<String> {
    let names = table(manifest, "dependencies")
        .into_iter()
        .map(|line| line.split(['.', '=', ' ']).next().unwrap_or_default().to_owned());
    names.filter(|name| !name.starts_with("coldsign")).collect()
}

/// The crates that have a row with all of its four columns.
fn rows(page: &str) -> BTreeSet<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let whole = rows.filter(|row| {
        let cells: Vec<&str> = row.trim_end_matches('|').split(" | ").map(str::trim).collect();
        cells.len() == 4 && cells.iter().all(|cell| !cell.is_empty())
    });
    whole.filter_map(|row| row.split('`').next()).map(str::to_owned).collect()
}

fn unexplained(direct: &BTreeSet<String>, rows: &BTreeSet<String>) -> Vec<String> {
    let lacking = direct.difference(rows).map(|name| format!("{PAGE} has no whole row for {name}"));
    let stale = rows.difference(direct).map(|name| format!("{PAGE} has a row for {name}, which nothing here needs"));
    lacking.chain(stale).collect()
}

/// The crates that may have a build script.
fn allowed_scripts(deny: &str) -> BTreeSet<String> {
    let listed = table(deny, "bans.build").into_iter().filter_map(|line| line.strip_prefix("{ crate = \""));
    listed.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

/// The crates of the whole workspace that have one.
fn scripts() -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--locked", "--all-features", "--format-version", "1"])
        .current_dir(root())
        .output();
    let output = output.expect("cargo can be run");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let scripted = packages.iter().filter(|package| {
        let targets = package["targets"].as_array().into_iter().flatten();
        targets.flat_map(|target| target["kind"].as_array().into_iter().flatten()).any(|kind| kind == "custom-build")
    });
    scripted.filter_map(|package| package["name"].as_str()).map(str::to_owned).collect()
}

#[test]
fn each_direct_dependency_has_its_row() {
    let direct: BTreeSet<String> = MANIFESTS.iter().flat_map(|manifest| direct(&text_of(manifest))).collect();
    assert!(direct.len() > 20, "{direct:?}");
    none(&unexplained(&direct, &rows(&text_of(PAGE))));
}

#[test]
fn a_dependency_without_a_row_is_seen() {
    let direct = direct(
        "[dependencies]\nage.workspace = true # why\nlibc = { version = \"1\" }\ncoldsign-verify.workspace = true\n[lints]\nx = 1\n",
    );
    assert_eq!(direct.iter().map(String::as_str).collect::<Vec<_>>(), ["age", "libc"]);
    let rows =
        rows("| crate | why |\n| `age` | seals | Jack | files |\n| `libc` | numbers | |\n| `gone` | a | b | c |\n");
    exactly(&unexplained(&direct, &rows), &["no whole row for libc", "a row for gone"]);
}

#[test]
fn the_build_scripts_that_run_are_those_that_are_listed() {
    let deny = text_of("deny.toml");
    assert!(table(&deny, "advisories").contains(&"yanked = \"deny\""), "deny.toml lets withdrawn versions in");
    assert_eq!(scripts(), allowed_scripts(&deny), "left: crates with a build script; right: deny.toml's list");
}

#[test]
fn what_was_not_checked_is_said_last() {
    let run = text_of(".ci/run");
    let start = run.find("verdict() {").expect("the end of .ci/run is a function");
    let end = start + run[start..].find("\n}\n").expect("its end") + 3;
    let said = |unchecked: &str| {
        let script = format!("set -euo pipefail\n{unchecked}\n{}verdict", &run[start..end]);
        let output = Command::new("bash").args(["-c", &script]).output().expect("bash");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(
        said("unchecked=('advisories: no data base')")
            .last()
            .is_some_and(|last| last == "NOT CHECKED: advisories: no data base")
    );
    assert!(said("unchecked=()").last().is_some_and(|last| last.starts_with("ALL GOOD")));
    assert!(run.trim_end().ends_with("\nverdict"), "nothing comes after it");
    let without = run.split("advisory-dbs").nth(1).and_then(|rest| rest.split("else").nth(1)).unwrap_or_default();
    assert!(without.trim_start().starts_with("unchecked+="), "without a data base nothing is noted: {without}");
}
