//! The signer's floors: each uses only those below it. `bin` is the program's own crate on top
//! and reaches the rest as `coldsign::…`.

use crate::paths::{module_of, named};
use crate::source::Source;
use crate::{exactly, none, sources_in};

const SIGNER: &str = "src/signer";

/// Each floor of the library and what it may name besides itself and `refusal`.
const FLOORS: [(&str, &[&str]); 8] = [
    ("acts", &["issuing", "publishing", "rotation", "keystore", "journal", "storage"]),
    ("issuing", &["rotation", "keystore", "journal", "storage"]),
    ("publishing", &["rotation", "keystore", "journal", "storage"]),
    ("rotation", &["keystore", "journal"]),
    ("keystore", &["journal", "storage"]),
    ("journal", &["storage"]),
    ("storage", &[]),
    ("refusal", &[]),
];

/// Names that say nothing about what lives there.
const NO_ROOMS: [&str; 7] = ["utils", "util", "common", "helpers", "manager", "misc", "shared"];

/// Files longer than this ask to be cut along a noun.
const LONGEST: usize = 450;

/// Files allowed to be longer, each with its reason.
const LONGER: [(&str, &str); 0] = [];

/// The room a signer file belongs to: its first folder or file name; `main.rs` belongs to `bin`.
pub fn room(path: &str) -> &str {
    let inside = path.strip_prefix(SIGNER).unwrap_or(path).trim_start_matches('/');
    match inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs") {
        "main" => "bin",
        room => room,
    }
}

fn offences(sources: &[Source]) -> Vec<String> {
    sources.iter().flat_map(of_one).collect()
}

fn of_one(source: &Source) -> Vec<String> {
    let room = room(&source.path);
    if room == "bin" {
        return Vec::new();
    }
    let below = match FLOORS.iter().find(|(name, _)| *name == room) {
        Some((_, below)) => *below,
        None if room == "lib" => &FLOORS.map(|(name, _)| name)[..],
        None => return vec![format!("{}: {room} is no floor of the signer", source.path)],
    };
    let mut found = Vec::new();
    for path in named(source, &module_of(&source.path, SIGNER)) {
        let place = || format!("{}:{}", source.path, source.line(path.at));
        match path.segments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["crate", named, ..] if named != room && named != "refusal" && !below.contains(&named) => {
                found.push(format!("{}: {room} may not use {}", place(), path.segments.join("::")));
            }
            ["coldsign", ..] => found.push(format!("{}: only bin reaches the library from outside", place())),
            _ => {}
        }
    }
    if room == "lib" && source.tokens().windows(2).any(|two| two[0].text == "mod" && two[1].text == "bin") {
        found.push(format!("{}: bin belongs to the program, not to the library", source.path));
    }
    found.sort();
    found.dedup();
    found
}

fn badly_named<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<String> {
    paths
        .filter(|path| path.trim_end_matches(".rs").split('/').any(|part| NO_ROOMS.contains(&part)))
        .map(|path| format!("{path}: its name doesn't say what lives there"))
        .collect()
}

fn too_long<'a>(files: impl Iterator<Item = (&'a str, usize)>, allowed: &[(&str, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, lines) in files {
        match (lines > LONGEST, allowed.iter().any(|(allowed, _)| *allowed == path)) {
            (true, false) => found.push(format!("{path}: {lines} lines; cut it along a noun")),
            (false, true) => found.push(format!("{path}: {lines} lines; take it off the list of longer files")),
            _ => {}
        }
    }
    found
}

#[test]
fn each_floor_uses_only_those_below() {
    none(&offences(&sources_in(SIGNER)));
}

#[test]
fn a_floor_that_looks_up_is_seen() {
    let sample = |path: &str, text: &str| offences(&[Source::new(path, text)]);
    exactly(
        &sample("src/signer/storage/mod.rs", "use crate::journal::Journal;"),
        &["storage may not use crate::journal::Journal"],
    );
    exactly(
        &sample("src/signer/journal/entries.rs", "use crate::{storage, keystore::{Kid}};"),
        &["crate::keystore::Kid"],
    );
    exactly(&sample("src/signer/journal/entries.rs", "fn f() { super::super::acts::go() }"), &["crate::acts::go"]);
    exactly(&sample("src/signer/issuing/mod.rs", "use crate::publishing::Jwks;"), &["issuing may not use"]);
    exactly(&sample("src/signer/publishing.rs", "fn f(p: crate::issuing::Policy) {}"), &["publishing may not use"]);
    exactly(&sample("src/signer/rotation/plan.rs", "use crate::issuing::Policy;"), &["rotation may not use"]);
    exactly(&sample("src/signer/acts/issue.rs", "use crate as all; fn f() { all::bin::go() }"), &["crate::bin::go"]);
    exactly(&sample("src/signer/acts/issue.rs", "use crate::*;"), &["crate::*"]);
    exactly(&sample("src/signer/acts/issue.rs", "use coldsign::acts;"), &["from outside"]);
    exactly(&sample("src/signer/utils/mod.rs", ""), &["utils is no floor"]);
    exactly(&sample("src/signer/lib.rs", "pub mod acts; mod bin;"), &["bin belongs to the program"]);
    none(&sample(
        "src/signer/acts/issue.rs",
        "//! crate::bin\nuse crate::{issuing, publishing, keystore, journal, storage, refusal}; const X: &str = \"crate::bin\";",
    ));
    none(&sample("src/signer/bin/issue.rs", "use coldsign::{acts, journal::Entry}; use crate::bin::print;"));
}

#[test]
fn every_room_has_a_name_and_a_size() {
    let sources = sources_in("src/");
    none(&badly_named(sources.iter().map(|source| source.path.as_str())));
    none(&too_long(sources.iter().map(|source| (source.path.as_str(), source.code.lines().count())), &LONGER));
}

#[test]
fn an_overgrown_or_nameless_room_is_seen() {
    exactly(&badly_named(["src/signer/acts/helpers.rs", "src/gate/main.rs"].into_iter()), &["helpers.rs"]);
    let files = [("src/a.rs", LONGEST + 1), ("src/b.rs", LONGEST), ("src/c.rs", LONGEST + 1), ("src/d.rs", 3)];
    let allowed = [("src/c.rs", "a table"), ("src/d.rs", "was a table")];
    exactly(&too_long(files.into_iter(), &allowed), &["src/a.rs", "src/d.rs"]);
}
