//! A store that somebody else made: its journal may hold anything that the format allows.

use std::fs;

use coldsign::acts::{RELEASED, Session, Store, init};
use coldsign::issuing::record::{TokenDelivered, TokenIssued};
use coldsign::journal::{Event as _, hex, sha256};
use coldsign::keystore::{KdfCost, Passphrase, RecoveryCode};
use coldsign::publishing::record::PublicationMade;
use serde_json::json;
use zeroize::Zeroizing;

use crate::display::{assert_clean, hostile};
use crate::place::{PASSPHRASE, POLICY, Place};

const START: u64 = RELEASED + 1_000;

fn passphrase() -> Passphrase {
    Passphrase::new(Zeroizing::new(PASSPHRASE.to_owned())).unwrap()
}

fn issued(text: &str, number: usize) -> TokenIssued {
    let mut claims = serde_json::Map::new();
    claims.insert(text.to_owned(), json!({text: [text]}));
    TokenIssued {
        jti: jti(number),
        service: "api".to_owned(),
        roles: vec!["reader".to_owned()],
        sub: text.chars().take(255).collect(),
        kid: "k".repeat(43),
        policy: hex(&sha256(b"policy")),
        iat: START,
        nbf: START,
        exp: START + 3_600_000_000,
        token_sha256: hex(&sha256(text.trim().as_bytes())),
        claims,
        form: "raw".to_owned(),
        reason: Some(text.to_owned()),
        stands_for: None,
    }
}

fn jti(number: usize) -> String {
    format!("{number:022}")
}

#[test]
fn a_journal_full_of_it() {
    let made = Place::empty();
    init::init(&init::Request {
        path: &made.place(),
        issuer: "https://tokens.example",
        admin: "admin",
        passphrase: &passphrase(),
        cost: KdfCost::new(10).unwrap(),
        policy: POLICY,
        recovery: &RecoveryCode::generate().unwrap(),
        root_code: &RecoveryCode::generate().unwrap(),
        root_to: None,
        now: START,
    })
    .unwrap();
    let mut session = Session::open(&made.place(), None, &passphrase(), START).unwrap();
    let mut lines = Vec::new();
    for (number, text) in hostile().iter().enumerate() {
        lines.push(issued(text, number).line());
        lines.push(TokenDelivered { jtis: vec![jti(number)] }.line());
        let (seq, manifest) = (number as u64 + 1, hex(&sha256(text.as_bytes())));
        lines.push(PublicationMade { seq, manifest, kids: vec!["k".repeat(43)], bundle: None }.line());
    }
    session.record(&lines).unwrap();
    drop(session);
    assert_eq!(Store::open(&made.place()).unwrap().ledger().tokens.all().len(), hostile().len());
    for (number, text) in hostile().iter().enumerate() {
        fs::write(made.path("token"), text.trim()).unwrap();
        let seq = (number + 1).to_string();
        for arguments in [
            &["token", "inspect", "token"][..],
            &["publication", "show", &seq],
            &["publication", "copy", &seq, "--to", "out"],
            &["token", "list"],
            &["status"],
            &["key", "list", "--all"],
            &["publication", "list"],
            &["unlock", "list"],
        ] {
            for json in [&[][..], &["--json"]] {
                let arguments = [arguments, json].concat();
                let output = made.run(&arguments);
                assert!(matches!(output.status.code(), Some(0 | 1)), "{arguments:?}: {output:?}");
                assert_clean(&format!("{arguments:?}"), &output.stdout);
                assert_clean(&format!("{arguments:?}"), &output.stderr);
            }
        }
    }
}

#[test]
fn damage_is_named_harmlessly() {
    let made = Place::with_store();
    let sound = |file: &str| fs::read_to_string(made.path("store").join(file)).unwrap();
    let (sheet, entries) = (sound("store.json"), sound("journal/entries.jsonl"));
    let checkpoint = sound("journal/checkpoint");
    made.done(&["status"]);
    for text in hostile() {
        let quoted = json!(text).to_string();
        for (file, damaged, whole) in [
            ("store.json", json!({"format": &text, &text: &text}).to_string(), &sheet),
            ("store.json", sheet.replacen('{', &format!("{{{quoted}:{quoted},"), 1), &sheet),
            ("store.json", text.clone(), &sheet),
            ("journal/entries.jsonl", entries.replacen("{\"index\":1,", &format!("{{{quoted}:1,"), 1), &entries),
            ("journal/entries.jsonl", entries.replacen("coldsign-journal", &json_inner(&text), 1), &entries),
            ("journal/entries.jsonl", text.clone(), &entries),
            ("journal/checkpoint", text.clone(), &checkpoint),
            ("journal/checkpoint", format!("{text}\n{checkpoint}"), &checkpoint),
        ] {
            fs::write(made.path("store").join(file), damaged).unwrap();
            for arguments in [&["status"][..], &["status", "--json"], &["token", "list"]] {
                let output = made.run(arguments);
                assert_eq!(output.status.code(), Some(1), "{file}: {output:?}");
                assert_clean(file, &output.stdout);
                assert_clean(file, &output.stderr);
            }
            fs::write(made.path("store").join(file), whole).unwrap();
        }
    }
    made.done(&["status"]);
}

/// A text as it stands between the quotes of a JSON string.
fn json_inner(text: &str) -> String {
    json!(text).to_string().trim_matches('"').to_owned()
}
