//! An administrator who still opens the store, and writes into it by hand: files of the right contents,
//! sealed for one more. The journal names other bytes.

use crate::acts::{ACTS, Done};
use crate::forge::{recipients, sealed_to};
use crate::ground::{ADMIN, CAROL, Ground, Loot, Stand};
use crate::judge::run;
use crate::pen::Pages;
use crate::tree::{Node, bytes, put};
use coldsign::keystore::SealingIdentity;
use coldsign::refusal::Refusal;

/// What carol can open of the live store.
fn carols(ground: &Ground) -> Loot {
    Loot::of(&Stand::with(&ground.live).place(), "carol", CAROL)
}

fn done(name: &str, path: &str, sealed: &[u8]) -> Result<Done, Refusal> {
    let ground = Ground::get();
    let stand = Stand::with(&ground.live);
    put(&stand.place(), path, Some(&Node::File(sealed.to_vec())));
    let act = ACTS.iter().find(|act| act.name == name).unwrap();
    run(ground, &stand, act, ("admin", ADMIN), &|_| {})
}

fn damaged(refused: Result<Done, Refusal>, path: &str, act: &str) {
    let Err(refusal) = refused else { panic!("{act} was done with another {path}") };
    assert_eq!(refusal.reason().rule(), Some("STORE-DAMAGED"), "{act}: {refusal}");
    assert!(refusal.to_string().contains(path), "{act}: {refusal}");
}

#[test]
fn the_seal_for_one_more_opens_to_nobody() {
    let ground = Ground::get();
    let carols = carols(ground);
    let path = "sealed/4/seal.age";
    let text = carols.identities[0].open(bytes(&ground.live, path).unwrap()).unwrap();
    let lines = Pages::of(bytes(&ground.live, "journal/entries.jsonl").unwrap()).written();
    let mut for_all = recipients(&lines);
    for_all.push(SealingIdentity::generate().recipient());
    for act in &ACTS {
        damaged(done(act.name, path, &sealed_to(&for_all, &text)), path, act.name);
    }
}

#[test]
fn a_key_that_was_sealed_by_hand_is_not_used() {
    let ground = Ground::get();
    let carols = carols(ground);
    let live = Stand::with(&ground.live);
    let store = live.store();
    let mut tried = 0;
    for (kid, pem) in &carols.keys {
        let path = format!("sealed/4/key-{kid}.age");
        let key = store.ledger().keys.by_kid(kid).unwrap().name();
        let sealed = sealed_to(&[carols.sealing().recipient()], pem.as_bytes());
        let acts: &[&str] = match key.as_str() {
            "default/1" => &["token issue", "publish", "unlock add", "unlock test", "backup create"],
            "bundle/1" => &["publish", "publish --renew", "unlock test"],
            "journal/2" => &["key generate", "status", "unlock test"],
            _ => &["unlock change", "unlock remove", "unlock test", "backup create"],
        };
        for act in acts {
            damaged(done(act, &path, &sealed), &path, act);
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
}
