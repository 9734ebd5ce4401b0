//! An administrator who was removed, with everything of her day: her passphrase, her copy of the store,
//! the journal's key and every other key that she could open then.

use crate::acts::{ACTS, Act, Moment};
use crate::changes::{as_now, bertas_journals};
use crate::forge::{recipients, seal_text, sealed_to};
use crate::ground::{ADMIN, BERTA, CAROL, Ground, NOW, Stand, batch, passphrase};
use crate::judge::run;
use crate::pen::{Pages, Pen, Written};
use crate::tree::{Node, Tree, bytes, put};
use coldsign::acts::{Session, Unlocked, issue, keys, unlock};
use coldsign::journal::{hex, sha256};
use coldsign::keystore::SealingIdentity;
use coldsign::refusal::Refusal;
use coldsign_verify::base64url;
use serde_json::json;

fn rule(refusal: &Refusal) -> &'static str {
    refusal.reason().rule().unwrap_or("no rule")
}

/// Her own store, made of the journal of her day: a key of hers for tokens, sealed for all her former
/// colleagues. Signed by the key that she knew.
fn her_store(ground: &Ground, base: &Tree, take_over: bool) -> (Tree, Pen) {
    let berta = &ground.berta;
    let mut files = base.clone();
    let hers = Pages::of(bytes(&berta.files, "journal/entries.jsonl").unwrap());
    let lines = hers.written();
    let mut pages = hers.clone();
    let (token, journal) = (Pen::new(), Pen::new());
    let time = NOW - 6_000;
    let generation = 1 + lines.iter().filter(|line| line.kind == "seal.generation").count();
    let folder = format!("sealed/{generation}");
    let sealing = SealingIdentity::generate();
    let first = std::str::from_utf8(bytes(base, "journal/entries.jsonl").unwrap()).unwrap().lines().next().unwrap();
    let key = if take_over { &journal } else { &berta.journal };
    let mut sealed: Vec<(String, Vec<u8>)> = berta
        .keys
        .iter()
        .filter(|(kid, _)| !take_over || *kid != berta.journal.kid())
        .chain([(token.kid().to_owned(), token.pem())].iter())
        .chain([(journal.kid().to_owned(), journal.pem())].iter().filter(|_| take_over))
        .map(|(kid, pem)| (format!("key-{kid}.age"), sealed_to(&[sealing.recipient()], pem.as_bytes())))
        .collect();
    let seal = seal_text(&sealing, &key.public(), first, &hers.store_id);
    sealed.push(("seal.age".to_owned(), sealed_to(&recipients(&lines), &seal)));
    files.retain(|path, _| !path.starts_with("sealed/"));
    let mut digests = serde_json::Map::new();
    for (name, bytes) in sealed {
        digests.insert(name.clone(), hex(&sha256(&bytes)).into());
        files.insert(format!("{folder}/{name}"), Node::File(bytes));
    }
    let made = |pen: &Pen, keyset: &str, number: u64, purpose: &str, state: &str| {
        Written::new(
            time,
            "key.generated",
            json!({
                "keyset": keyset, "number": number, "purpose": purpose, "kid": pen.kid(), "jwk": pen.jwk(),
                "state": state, "sha256": digests[&format!("key-{}.age", pen.kid())],
            }),
        )
    };
    for unlock in ["admin", "carol"] {
        pages.push(&as_now(base, unlock, time));
    }
    pages.push(&made(&token, "default", 2, "token", "pre-activation"));
    if take_over {
        pages.push(&made(&journal, "journal", 2, "journal", "active"));
        pages.push(&Written::new(time, "key.destroyed", json!({"kid": berta.journal.kid()})));
    }
    pages.push(&Written::new(time, "seal.generation", json!({"generation": generation, "files": digests})));
    let note = if take_over {
        let key = base64url::encode(&journal.public());
        pages.push(&Written::new(time, "journal.rekeyed", json!({"journal_key": key})));
        pages.commit(&[&berta.journal, &journal])
    } else {
        pages.commit(&[&berta.journal])
    };
    files.insert("journal/entries.jsonl".to_owned(), Node::File(pages.bytes()));
    files.insert("journal/checkpoint".to_owned(), Node::File(note.into_bytes()));
    (files, token)
}

/// Everything that she can make of the live store, the files of the others left as they are.
fn attempts(ground: &Ground) -> Vec<(String, Tree)> {
    let mut attempts = Vec::new();
    for (what, entries, note) in bertas_journals(&ground.berta, &ground.live) {
        for sealed in [false, true] {
            let mut files = ground.live.clone();
            files.insert("journal/entries.jsonl".to_owned(), Node::File(entries.clone()));
            files.insert("journal/checkpoint".to_owned(), Node::File(note.clone().into_bytes()));
            if sealed {
                files.retain(|path, _| !path.starts_with("sealed/"));
                files.extend(of(&ground.berta.files, "sealed/"));
            }
            attempts.push((format!("{what}, sealed of her day: {sealed}"), files));
        }
    }
    for take_over in [false, true] {
        attempts
            .push((format!("her own store, key replaced: {take_over}"), her_store(ground, &ground.live, take_over).0));
    }
    attempts
}

fn of<'t>(tree: &'t Tree, folder: &'t str) -> impl Iterator<Item = (String, Node)> + 't {
    tree.iter().filter(move |(path, _)| path.starts_with(folder)).map(|(path, node)| (path.clone(), node.clone()))
}

fn refused(ground: &Ground, files: &Tree, act: &Act, what: &str) {
    let stand = Stand::with(files);
    let ended = run(ground, &stand, act, ("admin", ADMIN), &|_: Moment| {});
    let Err(refusal) = ended else { panic!("{what}: {} was done", act.name) };
    // A journal that her key can sign is read; then it is the anchor that refuses.
    let rules: &[&str] =
        if what.starts_with("her") { &["STORE-ANCHOR", "JOURNAL-DAMAGED"] } else { &["JOURNAL-DAMAGED"] };
    assert!(rules.contains(&rule(&refusal)), "{what}: {}: {refusal} {}", act.name, rule(&refusal));
    assert_eq!(crate::tree::tree(&stand.place()).get("journal/entries.jsonl"), files.get("journal/entries.jsonl"));
}

#[test]
fn what_she_writes_with_the_old_journal_key_deceives_nobody_whose_file_is_up_to_date() {
    let ground = Ground::get();
    for (what, files) in attempts(ground) {
        for act in &ACTS {
            refused(ground, &files, act, &what);
        }
    }
}

#[test]
fn her_own_store_is_a_good_one_but_for_the_anchor() {
    // Else a refusal would say nothing: with the colleague's older file all of it opens.
    let ground = Ground::get();
    for take_over in [false, true] {
        let (files, token) = her_store(ground, &ground.berta.files, take_over);
        let stand = Stand::with(&files);
        let session = Session::open(&stand.place(), Some("admin"), &passphrase(ADMIN), NOW).unwrap();
        let key = session.store().ledger().keys.by_kid(token.kid()).unwrap();
        assert_eq!(session.opened().load(key).unwrap().kid(), token.kid());
        let (files, _) = her_store(ground, &ground.live, take_over);
        let refusal = Unlocked::open(&Stand::with(&files).place(), Some("admin"), &passphrase(ADMIN)).err().unwrap();
        assert_eq!(rule(&refusal), "STORE-ANCHOR", "{refusal}");
        assert!(refusal.to_string().contains("the journal's key"), "{refusal}");
    }
}

#[test]
fn her_generation_in_the_place_of_the_newest_opens_to_nobody() {
    let ground = Ground::get();
    for (unlock, text) in [("admin", ADMIN), ("carol", CAROL)] {
        let stand = Stand::with(&ground.live);
        put(&stand.place(), "sealed/4", None);
        for (path, node) in of(&ground.berta.files, "sealed/3/") {
            put(&stand.place(), &path.replace("sealed/3/", "sealed/4/"), Some(&node));
        }
        for act in &ACTS {
            let Err(refusal) = run(ground, &stand, act, (unlock, text), &|_: Moment| {}) else {
                panic!("{} by {unlock} was done", act.name)
            };
            assert_eq!(rule(&refusal), "STORE-DAMAGED", "{}: {refusal}", act.name);
            assert!(refusal.to_string().contains("sealed/4/seal.age"), "{}: {refusal}", act.name);
        }
    }
}

#[test]
fn her_own_file_opens_nothing_wherever_she_puts_it() {
    let ground = Ground::get();
    let hers = bytes(&ground.berta.files, "unlock/berta.age").unwrap();
    for path in ["unlock/berta.age", "unlock/admin.age", "unlock/carol.age", "unlock/berta.next.age"] {
        let stand = Stand::with(&ground.live);
        put(&stand.place(), path, Some(&Node::File(hers.to_vec())));
        for name in ["berta", "admin", "carol"] {
            assert!(Session::open(&stand.place(), Some(name), &passphrase(BERTA), NOW).is_err(), "{path} as {name}");
        }
    }
}

#[test]
fn a_colleague_whose_file_is_older_is_brought_up_to_date_by_her_next_act() {
    let ground = Ground::get();
    let stand = Stand::with(&ground.live);
    let behind = |stand: &Stand| -> Vec<String> {
        let store = stand.store();
        let key = base64url::encode(&store.journal().key());
        store.ledger().unlocks.behind(&key).map(|unlock| unlock.name.clone()).collect()
    };
    assert_eq!(behind(&stand), ["recovery", "carol"]);
    let mut session = Session::open(&stand.place(), Some("carol"), &passphrase(CAROL), NOW).unwrap();
    keys::generate(&mut session, "default").unwrap();
    drop(session);
    assert_eq!(behind(&stand), ["recovery"]);
    // From now on nothing that the removed one writes deceives carol either.
    let carols = crate::tree::tree(&stand.place());
    for take_over in [false, true] {
        let (files, _) = her_store(ground, &carols, take_over);
        let stand = Stand::with(&files);
        let refusal = Unlocked::open(&stand.place(), Some("carol"), &passphrase(CAROL)).err().unwrap();
        assert!(["STORE-ANCHOR", "STORE-DAMAGED"].contains(&rule(&refusal)), "{refusal}");
    }
}

/// A journal that the removed one's key signs: some beginning of the genuine one, and lines of hers.
fn written_by_her(ground: &Ground, groups: usize, more: &[Written]) -> Tree {
    let hers = Pages::of(bytes(&ground.berta.files, "journal/entries.jsonl").unwrap());
    let lines = hers.written().into_iter().enumerate();
    let ends: Vec<usize> = lines.filter(|(_, line)| line.kind == "checkpoint").map(|(at, _)| at + 1).collect();
    let end = *ends.get(groups).or(ends.last()).unwrap();
    let mut pages = hers.first(end);
    more.iter().for_each(|line| pages.push(line));
    let note = pages.commit(&[&ground.berta.journal]);
    let mut files = ground.berta.files.clone();
    files.insert("journal/entries.jsonl".to_owned(), Node::File(pages.bytes()));
    files.insert("journal/checkpoint".to_owned(), Node::File(note.into_bytes()));
    files
}

fn carols_refusal(files: &Tree) -> (&'static str, String) {
    let stand = Stand::with(files);
    let refusal = Unlocked::open(&stand.place(), Some("carol"), &passphrase(CAROL)).err().expect("it opened");
    (rule(&refusal), refusal.to_string())
}

#[test]
fn a_shorter_history_that_names_an_older_file_is_seen_by_its_floor() {
    let ground = Ground::get();
    let added = |name: &str| {
        let written = Pages::of(bytes(&ground.live, "journal/entries.jsonl").unwrap()).written();
        written.into_iter().find(|line| line.kind == "unlock.added" && line.members["name"] == name).unwrap()
    };
    // The first groups alone: what was recorded before carol came is left out.
    let (found, words) = carols_refusal(&written_by_her(ground, 0, &[added("carol")]));
    assert_eq!(found, "STORE-PUT-BACK", "{words}");
    // As long as the genuine one, with other lines.
    let filler = |number: u64| {
        Written::new(NOW - 8_000, "unlock.added", {
            let mut members = added("berta").members;
            members.insert("name".to_owned(), format!("filler-{number}").into());
            serde_json::Value::Object(members)
        })
    };
    let mut lines: Vec<Written> = (0..60).map(filler).collect();
    lines.push(added("carol"));
    let (found, words) = carols_refusal(&written_by_her(ground, 0, &lines));
    assert_eq!(found, "STORE-ANCHOR", "{words}");
    assert!(words.contains("the beginning of the journal"), "{words}");
}

#[test]
fn a_recipient_that_is_not_the_unlocks_own_is_seen() {
    let ground = Ground::get();
    let hers = ground.berta.identities[0].recipient();
    let carols = Pages::of(bytes(&ground.live, "journal/entries.jsonl").unwrap()).written();
    let carols =
        carols.into_iter().find(|line| line.kind == "unlock.added" && line.members["name"] == "carol").unwrap();
    let mut changed = Written { kind: "unlock.changed".to_owned(), time: NOW - 7_000, ..carols };
    changed.members.insert("recipient".to_owned(), hers.into());
    // Whatever carol sealed anew from then on would open to her.
    let (found, words) = carols_refusal(&written_by_her(ground, usize::MAX, &[changed]));
    assert_eq!(found, "STORE-ANCHOR", "{words}");
    assert!(words.contains("the unlock's entry in the journal"), "{words}");
}

#[test]
fn until_then_her_older_file_vouches_for_the_removed_ones_store_and_the_live_one_names_it() {
    // The limit that `unlock list` and `status` name: it is seen by a checkpoint from outside alone.
    let ground = Ground::get();
    let (mut files, token) = her_store(ground, &ground.live, false);
    files.insert("unlock/carol.age".to_owned(), ground.berta.files["unlock/carol.age"].clone());
    let stand = Stand::with(&files);
    let opened = Unlocked::open(&stand.place(), Some("carol"), &passphrase(CAROL));
    let opened = opened.unwrap_or_else(|refusal| panic!("{refusal}"));
    assert!(opened.store().ledger().keys.by_kid(token.kid()).is_some(), "it is her store");
    // Where anything of the live store is left in it, the next act sees that it was rolled back.
    let refusal = opened.begin(&passphrase(CAROL), NOW).err().unwrap();
    assert_eq!(rule(&refusal), "PUBLICATION-AHEAD", "{refusal}");
}

#[test]
fn an_opener_with_a_new_passphrase_is_deceived_by_no_older_file() {
    let ground = Ground::get();
    let stand = Stand::with(&ground.live);
    let mut session = Session::open(&stand.place(), None, &passphrase(ADMIN), NOW).unwrap();
    let new = passphrase("the admin's new passphrase");
    unlock::change(&mut session, "admin", &new, unlock::Depth::Reseal, Some(&passphrase(ADMIN))).unwrap();
    drop(session);
    // The whole store of her day, with the admin's file of that day, and her key in it.
    let (files, _) = her_store(ground, &ground.berta.files, true);
    let stand = Stand::with(&files);
    let refusal = Unlocked::open(&stand.place(), Some("admin"), &new).err().unwrap();
    assert_eq!(rule(&refusal), "UNLOCK-PASSPHRASE", "{refusal}");
    let mut session = Session::open(&stand.place(), Some("admin"), &passphrase(ADMIN), NOW).unwrap();
    assert!(issue::issue(&mut session, &batch("ann")).is_ok(), "an old passphrase that opens again is the alarm");
}
