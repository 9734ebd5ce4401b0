//! Each member of each entry, one by one: what no store writes, no store reads and none records.

use crate::acts::backup::record::{BackupMade, EpochStarted};
use crate::acts::verifiers::record::{ReceiptTaken, VerifierAdded, VerifierRemoved};
use crate::issuing::record::{PolicyApplied, TokenDelivered, TokenIssued, TokenUndelivered};
use crate::issuing::revoked::RevocationMade;
use crate::journal::{ClockCorrected, Event, JournalRekeyed, StoreCreated};
use crate::keystore::{
    Deactivated, KeyActivated, KeyCompromised, KeyDestroyed, KeyGenerated, KeyImported, KeyResumed, KeySuspended,
    SealGeneration, UnlockAdded, UnlockAnchored, UnlockChanged, UnlockRemoved, UnlockRewrapped,
};
use crate::publishing::record::{CertificateMade, PublicationMade};
use crate::publishing::roots::{RootDiscarded, RootDrafted, RootMade};
use crate::rotation::record::{CutoverConfirmed, CutoverIssued};
use serde_json::{Value, json};

/// Members that a reader takes whatever they hold: they are shown escaped and lead nowhere. The values of
/// the others are known words, or judged when the entry is folded.
const FREE: [&str; 9] = ["reason", "claims", "sub", "jwk", "format", "kept_kid", "state", "checkpoint", "note"];

fn hostile(sound: &Value) -> Vec<Value> {
    let number = |number: u64| json!(number);
    let long = "a".repeat(10_000);
    match sound {
        Value::Number(_) => vec![number(1 << 53), number(u64::MAX), json!(-1), json!(1.5), json!("1")],
        Value::String(_) => ["", "../x", "\u{1b}[2J", "a\nb", "\u{202e}x", &long].map(|text| json!(text)).to_vec(),
        Value::Array(_) => vec![json!(["../x"]), json!(["\u{1b}[2J"]), json!([long]), json!([""])],
        Value::Object(_) => vec![json!({"k": 1_u64 << 53}), json!({"k".repeat(65): 1}), json!({"": 1})],
        _ => Vec::new(),
    }
}

fn judge<E: Event>(sound: &Value) {
    let read = |value: &Value| serde_json::from_str::<E>(&value.to_string()).map(drop);
    read(sound).unwrap_or_else(|error| panic!("{}: {error}", E::TYPE));
    for (name, value) in sound.as_object().unwrap() {
        let known = ["purpose", "what", "source", "elsewhere"].contains(&name.as_str());
        if FREE.contains(&name.as_str()) || (E::TYPE == "revocation.made" && name == "name") || known {
            continue;
        }
        // An issuer may be any graphic ASCII: it is in no path.
        for bad in hostile(value).into_iter().filter(|bad| name != "issuer" || bad != "../x") {
            let mut changed = sound.clone();
            changed[name] = bad.clone();
            let shown: String = bad.to_string().chars().take(40).collect();
            assert!(read(&changed).is_err(), "{}: {name} = {shown}", E::TYPE);
        }
    }
}

#[test]
fn numbers_and_names_are_held_to_their_bounds_in_every_entry() {
    let (kid, sha256, jti) = ("k".repeat(43), "0a".repeat(32), "j".repeat(22));
    let key = json!({"keyset": "api", "number": 1, "purpose": "token", "kid": kid, "jwk": {}, "state": "active", "sha256": sha256});
    let imported = {
        let mut key = key.clone();
        key["source"] = json!("jwk");
        key["tokens_until"] = json!(5);
        key["tokens_longest"] = json!(6);
        key["kept_kid"] = json!("old");
        key
    };
    let changed = json!({"kid": kid, "reason": "\u{1b}"});
    let unlock = json!({"name": "anna", "recipient": "age1abc", "kdf_log_n": 18, "sha256": sha256, "journal_key": kid});
    let root = json!({"root_version": 1, "sha256": sha256, "exp": 5});
    judge::<StoreCreated>(&json!({
        "format": "coldsign-journal", "version": 1, "store_id": jti, "issuer": "https://a.example", "journal_key": kid,
    }));
    judge::<ClockCorrected>(&json!({"first": 1, "last": 2, "wrong": 3, "right": 4, "reason": ""}));
    judge::<KeyGenerated>(&key);
    judge::<KeyImported>(&imported);
    judge::<KeyActivated>(&changed);
    judge::<KeySuspended>(&changed);
    judge::<KeyResumed>(&changed);
    judge::<KeyCompromised>(&changed);
    judge::<KeyDestroyed>(&changed);
    judge::<Deactivated>(&json!({"kid": kid, "verify_until": 7}));
    judge::<UnlockAdded>(&unlock);
    judge::<UnlockChanged>(&unlock);
    let wrapped = json!({"name": "recovery", "kdf_log_n": 18, "sha256": sha256, "journal_key": kid});
    judge::<UnlockRewrapped>(&wrapped);
    judge::<UnlockAnchored>(&wrapped);
    judge::<JournalRekeyed>(&json!({"journal_key": kid}));
    judge::<UnlockRemoved>(&json!({"name": "anna"}));
    judge::<SealGeneration>(&json!({"generation": 1, "files": {"seal.age": sha256}}));
    judge::<PolicyApplied>(&json!({"sha256": sha256, "bytes": 1}));
    judge::<TokenIssued>(&json!({
        "jti": jti, "service": "api", "roles": ["reader"], "sub": "ann", "kid": kid, "policy": sha256, "iat": 1, "nbf": 1,
        "exp": 2, "token_sha256": sha256, "claims": {}, "form": "client.yaml", "stands_for": jti,
    }));
    judge::<TokenDelivered>(&json!({"jtis": [jti]}));
    judge::<TokenUndelivered>(&json!({"jtis": [jti]}));
    judge::<RevocationMade>(&json!({"number": 1, "what": "subject", "name": "ann", "cut_off": 5}));
    judge::<PublicationMade>(&json!({
        "seq": 1, "manifest": sha256, "kids": [kid], "bundle": {"sha256": sha256, "exp": 5},
    }));
    judge::<CertificateMade>(&json!({"kid": kid, "sha256": sha256}));
    judge::<RootMade>(&root);
    judge::<RootDrafted>(&json!({"root_version": 1, "sha256": sha256, "signed": [kid]}));
    judge::<RootDiscarded>(&json!({"root_version": 1}));
    judge::<CutoverIssued>(&json!({"keyset": "api", "kid": kid, "swap_at": 5, "services": ["api"]}));
    judge::<CutoverConfirmed>(&json!({"kid": kid, "service": "api"}));
    judge::<VerifierAdded>(&json!({"verifier": "api-1", "kid": kid, "jwk": {}}));
    judge::<VerifierRemoved>(&json!({"verifier": "api-1", "reason": ""}));
    judge::<ReceiptTaken>(&json!({
        "verifier": "api-1", "counter": 2, "sha256": sha256, "previous": sha256, "root_version": 1, "seq": 1,
        "installed_at": 5, "loaded_at": 6, "clock": 7, "used": {"kid": 5},
    }));
    judge::<BackupMade>(&json!({"file": "coldsign-backup-1.tar", "sha256": sha256, "bytes": 5, "size": 6}));
    judge::<EpochStarted>(&json!({
        "epoch": 2, "size": 5, "root": sha256, "backup": sha256, "lost": 1, "published": 2, "publications_from": 3,
    }));
}
