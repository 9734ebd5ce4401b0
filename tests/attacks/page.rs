//! The page of attacks names every test there is, and none that isn't.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Files all of whose tests stand on the page; of others only what it names has to be there.
const WHOLE: [&str; 11] = [
    "src/verify/trust/tests/exchanged.rs",
    "src/verify/trust/tests/sticks.rs",
    "src/verify/tests/attacks.rs",
    "src/verify/tests/attacks_on_claims.rs",
    "src/verify/tests/attacks_on_signatures.rs",
    "tests/attacks/anchor.rs",
    "tests/attacks/display.rs",
    "tests/attacks/display_of_journals.rs",
    "tests/attacks/exchanged.rs",
    "tests/attacks/files.rs",
    "tests/attacks/store.rs",
];
const PARTS: [&str; 6] = [
    "src/verify/tests/key_sets.rs",
    "src/verify/tests/vectors.rs",
    "src/signer/keystore/mod.rs",
    "tests/years/receipts.rs",
    "tests/years/revocation.rs",
    "tests/years/trust.rs",
];

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// `file::test` for each test of a source.
fn tests_in(path: &str) -> BTreeSet<String> {
    let file = Path::new(path);
    // A folder's `mod.rs` goes by the folder's name.
    let named = if file.ends_with("mod.rs") { file.parent().unwrap() } else { file };
    let module = named.file_stem().unwrap().to_str().unwrap();
    let source = text(path);
    let after = source.split("#[test]").skip(1);
    after
        .map(|rest| rest.split_once("fn ").unwrap().1.split_once('(').unwrap().0)
        .map(|name| format!("{module}::{name}"))
        .collect()
}

/// What stands between back-ticks on a page and looks like a test.
fn named_on(page: &str) -> BTreeSet<String> {
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let code = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    code.filter(|word| word.contains("::")).map(str::to_owned).collect()
}

#[test]
fn every_attack_stands_on_the_page_and_is_there() {
    let named = named_on(&text("docs/auditor/attacks.md"));
    let whole: BTreeSet<String> = WHOLE.iter().flat_map(|path| tests_in(path)).collect();
    let parts: BTreeSet<String> = PARTS.iter().flat_map(|path| tests_in(path)).collect();
    assert!(whole.len() > 30, "the tests are not found: {whole:?}");
    let missing: Vec<_> = whole.difference(&named).collect();
    assert!(missing.is_empty(), "not on the page: {missing:?}");
    let gone: Vec<_> = named.iter().filter(|name| !whole.contains(*name) && !parts.contains(*name)).collect();
    assert!(gone.is_empty(), "on the page, but no test: {gone:?}");
}
