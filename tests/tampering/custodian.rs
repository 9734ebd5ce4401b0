//! A custodian's file in the place of its like. Its owner may have wrapped it anew, so other bytes alone
//! are no reason to refuse it: what it says of its store is.

use crate::acts::ACTS;
use crate::ground::{ADMIN, Ground, Stand};
use crate::judge::run;
use crate::tree::{Node, bytes, put};
use coldsign::acts::root;
use coldsign::keystore::{KdfCost, RootAnchor, open_root, seal_root};

/// The second custodian's file with another anchor, and what `root sign` makes of it.
fn signed_with(change: impl Fn(&mut RootAnchor)) -> Result<Vec<String>, &'static str> {
    let ground = Ground::get();
    let stand = Stand::with(&ground.live);
    let code = ground.root_codes[1].to_passphrase();
    let store = stand.store();
    let key = root::opened_by(&store, None, &code).unwrap();
    let path = root::key_file(&key.kid);
    let (secret, mut anchor) = open_root(key, &path, bytes(&ground.live, &path).unwrap(), &code).unwrap();
    change(&mut anchor);
    let sealed = seal_root(&secret, &anchor, &code, KdfCost::new(10).unwrap()).unwrap();
    put(&stand.place(), &path, Some(&Node::File(sealed)));
    let sign = ACTS.iter().find(|act| act.name == "root sign").unwrap();
    let done = run(ground, &stand, sign, ("admin", ADMIN), &|_| {});
    done.map(|done| done.told).map_err(|refusal| refusal.reason().rule().unwrap())
}

#[test]
fn a_file_that_was_wrapped_anew_signs_and_is_named() {
    assert_eq!(signed_with(|_| {}), Ok(vec!["rewrapped".to_owned()]));
}

#[test]
fn a_file_of_another_store_signs_nothing() {
    assert_eq!(signed_with(|anchor| anchor.store_id = "AAAAAAAAAAAAAAAAAAAAAA".to_owned()), Err("ROOT-STORE"));
    assert_eq!(signed_with(|anchor| anchor.first_root = "0".repeat(64)), Err("ROOT-STORE"));
}
