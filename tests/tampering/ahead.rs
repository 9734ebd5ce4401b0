//! What this store's own keys signed and its journal does not know: an older copy was put back around it.

use crate::acts::{ACTS, Moment};
use crate::ground::{ADMIN, Ground, Stand};
use crate::judge::run;
use crate::tree::{Tree, put, tree};

/// Files of a later day below a folder.
fn of_later(ground: &Ground, prefix: &str) -> Tree {
    let new = ground.later.iter().filter(|(path, _)| path.starts_with(prefix) && !ground.live.contains_key(*path));
    new.map(|(path, node)| (path.clone(), node.clone())).collect()
}

/// Acts that take the lock refuse, and leave everything where it is.
fn refuse(ground: &Ground, files: &Tree, rule: &str) {
    assert!(!files.is_empty());
    let reading = ["status", "journal verify", "unlock test"];
    for act in ACTS.iter().filter(|act| !reading.contains(&act.name)) {
        let stand = Stand::with(&ground.live);
        files.iter().for_each(|(path, node)| put(&stand.place(), path, Some(node)));
        let before = tree(&stand.place());
        let refusal = run(ground, &stand, act, ("admin", ADMIN), &|_: Moment| {}).err();
        let refusal = refusal.unwrap_or_else(|| panic!("{} was done", act.name));
        assert_eq!(refusal.reason().rule(), Some(rule), "{}: {refusal}", act.name);
        let mut after = tree(&stand.place());
        // The act itself edited it by hand.
        for tree in [&mut after].into_iter().filter(|_| act.name == "policy apply") {
            tree.insert("policy.toml".to_owned(), before["policy.toml"].clone());
        }
        assert_eq!(after, before, "{} moved or removed something", act.name);
    }
}

#[test]
fn a_publication_of_a_later_day_stops_every_act() {
    let ground = Ground::get();
    refuse(ground, &of_later(ground, "publications/"), "PUBLICATION-AHEAD");
}

#[test]
fn a_root_of_a_later_day_stops_every_act() {
    let ground = Ground::get();
    refuse(ground, &of_later(ground, "roots/root."), "ROOT-AHEAD");
}

#[test]
fn nothing_of_a_later_day_is_moved_before_that_is_seen() {
    let ground = Ground::get();
    let mut files = of_later(ground, "publications/");
    for folder in ["policies/", "roots/", "sealed/", "certificates/"] {
        files.extend(of_later(ground, folder));
    }
    files.retain(|path, _| !path.starts_with("roots/root."));
    refuse(ground, &files, "PUBLICATION-AHEAD");
}

#[test]
fn what_no_key_of_the_store_signed_is_put_aside_and_named() {
    let ground = Ground::get();
    let policies = of_later(ground, "policies/");
    let foreign: Tree = ground
        .other
        .iter()
        .filter(|(path, _)| path.starts_with("publications/000001/"))
        .map(|(path, node)| (path.replace("000001", "000009"), node.clone()))
        .collect();
    let stand = Stand::with(&ground.live);
    for (path, node) in policies.iter().chain(&foreign) {
        put(&stand.place(), path, Some(node));
    }
    let act = ACTS.iter().find(|act| act.name == "key generate").unwrap();
    let done = run(ground, &stand, act, ("admin", ADMIN), &|_: Moment| {}).unwrap();
    let expected: Vec<&str> = policies.keys().map(String::as_str).chain(["publications/000009"]).collect();
    assert_eq!(done.told, expected);
    let after = tree(&stand.place());
    assert!(after.keys().any(|path| path.starts_with("quarantine/publications_000009.1/")), "{:?}", after.keys());
    assert!(crate::acts::checked(&stand).iter().any(|told| told.contains("quarantine/publications_000009.1")));
}
