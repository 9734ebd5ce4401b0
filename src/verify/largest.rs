//! Inputs of the largest size that is taken, or a good part of it, each of the shape that costs most: judged
//! to the end in a time that grows with their size and not with its square. Nothing here looks at a
//! clock; a test that does not end is red.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::bundle::{self, Bundle};
use crate::jwk::JwkError;
use crate::jwks::{Jwks, JwksError, LONGEST_JWKS};
use crate::jws;
use crate::receipt::{self, Receipt};
use crate::revocation::Revocations;
use crate::root::{self, Root};
use crate::time::UnixTime;
use crate::vectors::{self, Key, contents_1, receipt_1, root_1, terms_1};
use crate::{Expectations, UnixTime as Time, Verifier};

const UNDER_1: u8 = 0x0a;

/// As many short strings as fit into so many bytes of JSON.
fn strings(bytes: usize) -> Vec<String> {
    (0..bytes / 9).map(|number| format!("{number:06}")).collect()
}

#[test]
fn a_key_s_operations_are_counted_before_they_are_compared() {
    let (key, operations) = (Key::new(1), strings(LONGEST_JWKS - 1_000));
    let mut jwk = key.public.to_jwk("k");
    jwk["key_ops"] = json!(operations);
    let set = json!({ "keys": [jwk] }).to_string();
    let found = operations.len();
    let refused = JwksError::Key { position: 0, source: JwkError::Operations { found } };
    assert_eq!(Jwks::parse(set.as_bytes()).unwrap_err(), refused);

    let mut claims: Value = serde_json::from_str(&format!("{{\"version\":1,\"key\":{jwk}}}")).unwrap();
    claims["kids"] = json!({});
    let token = jws::assemble(&key, receipt::TYP, claims.to_string().as_bytes()).unwrap();
    assert!(token.len() > receipt::LONGEST || Receipt::introduce(&token).is_err());
}

#[test]
fn a_set_of_as_many_keys_as_fit() {
    let key = Key::new(1).public;
    let of = |number: usize| key.to_jwk(&format!("{number:06}"));
    let number = LONGEST_JWKS / (of(0).to_string().len() + 1) - 1;
    let set = json!({ "keys": (0..number).map(of).collect::<Vec<_>>() }).to_string();
    assert_eq!(Jwks::parse(set.as_bytes()).unwrap().keys().len(), number);
}

#[test]
fn a_bundle_in_which_every_key_serves_every_service() {
    let mut contents = contents_1();
    let service = contents.services.values().next().unwrap().clone();
    contents.services = (0..1_000).map(|number| (format!("s{number}"), service.clone())).collect();
    let all: BTreeSet<String> = contents.services.keys().cloned().collect();
    let one = contents.keys[0].clone();
    let key = |number: usize| bundle::Key { kid: format!("k{number}"), services: all.clone(), ..one.clone() };
    contents.keys = (0..500).map(key).collect();
    contents.revoked = Revocations::default();
    let token = vectors::bundle(&contents, UNDER_1);
    assert!(token.len() > bundle::LONGEST / 4);
    let bundle = Bundle::verify(&token, &root_1()).unwrap();
    assert_eq!(bundle.contents().jwks("s7").unwrap().keys().len(), 500);
}

#[test]
fn a_bundle_with_as_many_services_files_and_revocations_as_fit() {
    let mut contents = contents_1();
    let service = contents.services.values().next().unwrap().clone();
    contents.services.extend((0..15_000).map(|number| (format!("s{number}"), service.clone())));
    let digest = *contents.files.values().next().unwrap();
    contents.files.extend((0..15_000).map(|number| (format!("services/s{number}/service.json"), digest)));
    contents.revoked.tokens = (0..30_000).map(|number| (format!("{number:022}"), UnixTime(2_000_000_000))).collect();
    let token = vectors::bundle(&contents, UNDER_1);
    assert!(token.len() > bundle::LONGEST / 4 && token.len() <= bundle::LONGEST, "{}", token.len());
    assert_eq!(Bundle::verify(&token, &root_1()).unwrap().contents(), &contents);
}

#[test]
fn a_receipt_with_as_many_keys_as_fit() {
    let key = Key::new(0x0e);
    let kids: BTreeMap<String, Option<UnixTime>> =
        (0..14_800).map(|number| (format!("{number:043}"), Some(UnixTime(1)))).collect();
    let token = receipt::sign(&receipt::Contents { kids, ..receipt_1() }, &key.public, &key).unwrap();
    assert!(token.len() > receipt::LONGEST * 8 / 10, "{}", token.len());
    Receipt::verify(&token, &key.public).unwrap();
}

#[test]
fn a_root_of_as_many_custodians_as_may_be_all_of_whom_sign() {
    let keys: Vec<Key> = (0..root::MOST_KEYS as u8).map(|seed| Key::new(0x40 + seed)).collect();
    let root_keys: Vec<_> = keys.iter().map(|key| key.public.clone()).collect();
    let terms = root::Terms { threshold: root_keys.len(), root_keys, ..terms_1() };
    let signers: Vec<&dyn jws::Sign> = keys.iter().map(|key| key as &dyn jws::Sign).collect();
    let text = root::sign(&terms, &signers).unwrap();
    assert!(text.len() <= root::LONGEST);
    assert_eq!(Root::first(text.as_bytes()).unwrap().terms(), &terms);

    // More are refused before any of them is tried.
    let mut file: Value = serde_json::from_str(&text).unwrap();
    let one = file["signatures"][0].clone();
    file["signatures"] = json!(vec![one; root::MOST_KEYS + 1]);
    let refused = Root::first(file.to_string().as_bytes()).unwrap_err();
    assert_eq!((refused.code(), refused.to_string().contains("more than 32")), ("ROOT-FORM", true));
}

#[test]
fn a_token_of_as_many_claims_as_fit() {
    let key = Key::new(7);
    let mut claims = json!({"iss": "i", "sub": "s", "exp": 2_000_000_000, "iat": 1_800_000_000});
    for name in strings(9_500) {
        claims[name] = json!(1);
    }
    let token = jws::assemble(&key, "JWT", claims.to_string().as_bytes()).unwrap();
    assert!(token.len() > jws::LONGEST_TOKEN * 7 / 10 && token.len() <= jws::LONGEST_TOKEN, "{}", token.len());
    let keys = Jwks::new([(key.public.thumbprint(), key.public.clone())]).unwrap();
    let verifier = Verifier::new(keys, Expectations::plain(None, None));
    let _ = verifier.verify(&token, Time(1_900_000_000));
}
