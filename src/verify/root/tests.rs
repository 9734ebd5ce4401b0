use super::*;
use crate::vectors::{Key, MADE, is_published, publics, root_1, root_2, signed, terms_1, terms_2};
use crate::{base64url, jws};
use proptest::prelude::*;
use serde_json::{Value, json};

fn rule<T>(accepted: Result<T, Fault>) -> &'static str {
    accepted.map(|_| "accepted").unwrap_or_else(|fault| fault.code())
}

/// The file's JSON changed by hand.
fn changed(file: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(file).unwrap();
    change(&mut value);
    value.to_string().into_bytes()
}

/// A well-signed root whose payload was changed by hand.
fn with_payload(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut payload: Value = serde_json::from_slice(&terms_1().to_payload().unwrap()).unwrap();
    change(&mut payload);
    resigned(payload.to_string().as_bytes(), TYP, 1)
}

fn resigned(payload: &[u8], typ: &str, seed: u8) -> Vec<u8> {
    let token = jws::assemble(&Key::new(seed), typ, payload).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let signature = json!({"protected": parts[0], "signature": parts[2]});
    json!({"payload": parts[1], "signatures": [signature]}).to_string().into_bytes()
}

#[test]
fn the_published_vectors_are_made_again() {
    is_published("root.1.json", root_1().text().as_bytes());
    is_published("root.2.json", root_2().text().as_bytes());
}

#[test]
fn a_root_is_pinned_by_its_fingerprint_and_followed() {
    let one = root_1();
    let pinned = Root::pinned(one.text().as_bytes(), &one.fingerprint()).unwrap();
    assert_eq!(pinned, one);
    assert_eq!(rule(Root::pinned(one.text().as_bytes(), &root_2().fingerprint())), "ROOT-FINGERPRINT");
    let two = pinned.successor(root_2().text().as_bytes()).unwrap();
    assert_eq!((two.root_version(), two.terms()), (2, &terms_2()));
    assert!(two.bundle_key(&Key::new(0x0b).public.thumbprint()).is_some());
    assert!(two.bundle_key(&Key::new(0x0a).public.thumbprint()).is_none());
    assert!(two.bundle_key(&Key::new(0x01).public.thumbprint()).is_none(), "a root key signs no bundles");
}

#[test]
fn the_next_root_needs_the_threshold_of_both() {
    let (one, two) = (root_1(), root_2());
    let by = |seeds: &[u8]| rule(one.successor(&signed(&terms_2(), seeds)));
    assert_eq!(by(&[1, 2]), "accepted");
    assert_eq!(by(&[1, 2, 3]), "accepted");
    assert_eq!(by(&[1, 2, 9]), "accepted", "a stranger's signature changes nothing");
    assert_eq!(by(&[]), "ROOT-THRESHOLD");
    assert_eq!(by(&[1]), "ROOT-THRESHOLD", "of its own");
    assert_eq!(by(&[2, 3]), "ROOT-THRESHOLD", "of the old");
    assert_eq!(by(&[9]), "ROOT-THRESHOLD");

    let third = Terms { root_version: 3, root_keys: publics(&[4, 5]), ..terms_2() };
    let by = |seeds: &[u8]| rule(two.successor(&signed(&third, seeds)));
    assert_eq!(by(&[1, 3, 4, 5]), "accepted");
    assert_eq!(by(&[1, 4, 5]), "ROOT-THRESHOLD", "one of the two old custodians");
    assert_eq!(by(&[1, 3, 4]), "ROOT-THRESHOLD", "one of the two new ones");
}

#[test]
fn no_key_counts_twice() {
    let twice = |file: &[u8]| {
        changed(file, |file| {
            let first = file["signatures"][0].clone();
            file["signatures"].as_array_mut().unwrap().push(first);
        })
    };
    let alone = signed(&terms_2(), &[1]);
    assert_eq!(rule(root_1().successor(&twice(&alone))), "ROOT-THRESHOLD");
    assert_eq!(rule(root_1().successor(&twice(&signed(&terms_2(), &[1, 2])))), "accepted");
    // Under another name the same key is nobody: its name must be its thumbprint.
    let renamed = with_payload(|payload| payload["keys"][0]["kid"] = "other".into());
    assert_eq!(rule(Root::first(&renamed)), "ROOT-KEY");
    let two_names = with_payload(|payload| {
        let first = payload["keys"][0].clone();
        payload["keys"].as_array_mut().unwrap().push(first);
    });
    assert_eq!(rule(Root::first(&two_names)), "ROOT-MEMBER");
    let kid_twice = with_payload(|payload| {
        let first = payload["roles"]["root"]["kids"][0].clone();
        payload["roles"]["root"]["kids"].as_array_mut().unwrap().push(first);
    });
    assert_eq!(rule(Root::first(&kid_twice)), "ROOT-MEMBER");
    let add = |file: &[u8], seed| add_signature(file, &Key::new(seed));
    assert_eq!(rule(add(&alone, 1)), "ROOT-SIGNED-ALREADY");
    assert_eq!(add(&alone, 2).unwrap().into_bytes(), signed(&terms_2(), &[2, 1]));
}

#[test]
fn no_number_is_skipped_and_none_comes_back() {
    let number = |root_version| signed(&Terms { root_version, ..terms_2() }, &[1, 2]);
    for wrong in [1, 3, 4, 9_007_199_254_740_991] {
        assert_eq!(rule(root_1().successor(&number(wrong))), "ROOT-GAP", "{wrong}");
    }
    assert_eq!(rule(root_1().successor(&number(2))), "accepted");
    assert_eq!(rule(root_2().successor(&number(1))), "ROOT-GAP");
}

#[test]
fn a_root_of_another_store_or_issuer_does_not_follow() {
    for terms in
        [Terms { store: "other".into(), ..terms_2() }, Terms { issuer: "https://x.example".into(), ..terms_2() }]
    {
        assert_eq!(rule(root_1().successor(&signed(&terms, &[1, 2]))), "ROOT-FOREIGN");
    }
}

#[test]
fn only_the_last_one_is_asked_for_its_time() {
    let (one, two) = (root_1(), root_2());
    let (end, begin) = (one.terms().expires_at, one.terms().issued_at);
    assert_eq!(rule(one.check_time(UnixTime(end.0 - 1), 60)), "accepted");
    assert_eq!(rule(one.check_time(end, 60)), "ROOT-EXPIRED");
    assert_eq!(rule(one.check_time(UnixTime(begin.0 - 60), 60)), "accepted");
    assert_eq!(rule(one.check_time(UnixTime(begin.0 - 61), 60)), "ROOT-FUTURE");
    assert_eq!(rule(two.check_time(end, 60)), "accepted");
}

#[test]
fn the_file_has_one_form() {
    let good = signed(&terms_1(), &[1]);
    assert_eq!(rule(parse(&changed(&good, |_| ()))), "accepted");
    for (change, expected) in [
        (json!({"header": {"kid": "x"}}), "ROOT-FORM"),
        (json!({"signatures": {}}), "ROOT-FORM"),
        (json!({"signatures": ["x"]}), "ROOT-FORM"),
        (json!({"signatures": vec![json!({}); 33]}), "ROOT-FORM"),
        (json!({"signatures": [{"protected": "e30", "signature": "AA", "header": {}}]}), "ROOT-FORM"),
        (json!({"signatures": [{"protected": "e30", "signature": "AA"}]}), "ROOT-HEADER"),
        (json!({"payload": "e30="}), "ROOT-FORM"),
        (json!({"payload": 1}), "ROOT-FORM"),
        (json!({"payload": "e30", "signatures": []}), "ROOT-MEMBER"),
    ] {
        let file = changed(&good, |file| {
            for (name, value) in change.as_object().unwrap() {
                file[name] = value.clone();
            }
        });
        assert_eq!(rule(parse(&file)), expected, "{change}");
    }
    for (header, expected) in [
        (json!({"alg": "EdDSA", "kid": "k", "typ": TYP, "crit": ["x"]}), "ROOT-HEADER"),
        (json!({"alg": "none", "kid": "k", "typ": TYP}), "ROOT-HEADER"),
        (json!({"alg": "ES256", "kid": "k", "typ": TYP}), "ROOT-HEADER"),
        (json!({"alg": "EdDSA", "typ": TYP}), "ROOT-HEADER"),
        (json!({"alg": "EdDSA", "kid": "k", "typ": "jwk-set+jwt"}), "ROOT-TYPE"),
        (json!({"alg": "EdDSA", "kid": "k"}), "ROOT-TYPE"),
    ] {
        let file = changed(&good, |file| {
            file["signatures"][0]["protected"] = base64url::encode(header.to_string().as_bytes()).into();
        });
        assert_eq!(rule(parse(&file)), expected, "{header}");
    }
    assert_eq!(rule(parse(b"{\"payload\":\"\",\"payload\":\"\",\"signatures\":[]}")), "ROOT-FORM");
    assert_eq!(rule(parse(&vec![b' '; LONGEST + 1])), "ROOT-LENGTH");
    // Signed by the right key, but as something else: a bundle's payload is no root.
    let payload = terms_1().to_payload().unwrap();
    assert_eq!(rule(Root::first(&resigned(&payload, "jwk-set+jwt", 1))), "ROOT-TYPE");
    assert_eq!(rule(Root::first(&resigned(&payload, TYP, 1))), "accepted");
}

#[test]
fn the_payload_is_held_to_its_members() {
    assert_eq!(rule(Root::first(&with_payload(|_| ()))), "accepted");
    assert_eq!(rule(Root::first(&with_payload(|payload| payload["later"] = 1.into()))), "accepted");
    assert_eq!(rule(Root::first(&with_payload(|payload| payload["critical"] = json!(["exp", "roles"])))), "accepted");
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 21] = [
        (|it| it["format"] = "tuf".into(), "ROOT-VERSION"),
        (|it| it["version"] = 2.into(), "ROOT-VERSION"),
        (|it| it["critical"] = json!(["later"]), "ROOT-MEMBER"),
        (|it| it["critical"] = json!("later"), "ROOT-MEMBER"),
        (|it| it["critical"] = json!(["exp", "later"]), "ROOT-MEMBER"),
        (|it| it["critical"] = json!(["critical"]), "ROOT-MEMBER"),
        (|it| it["root_version"] = 0.into(), "ROOT-MEMBER"),
        (|it| it["exp"] = it["iat"].clone(), "ROOT-MEMBER"),
        (|it| it["store"] = "".into(), "ROOT-MEMBER"),
        (|it| it["roles"]["root"]["threshold"] = 0.into(), "ROOT-MEMBER"),
        (|it| it["roles"]["root"]["threshold"] = 2.into(), "ROOT-MEMBER"),
        (|it| it["roles"]["bundle"]["threshold"] = 2.into(), "ROOT-MEMBER"),
        (|it| it["roles"]["root"]["kids"] = it["roles"]["bundle"]["kids"].clone(), "ROOT-MEMBER"),
        (|it| it["roles"]["root"]["kids"] = json!(["x"]), "ROOT-MEMBER"),
        (|it| it["roles"]["targets"] = json!({"kids": [], "threshold": 1}), "ROOT-MEMBER"),
        (|it| it["keys"][0]["d"] = "AA".into(), "ROOT-KEY"),
        (|it| it["keys"][0]["alg"] = "Ed25519".into(), "ROOT-KEY"),
        (|it| drop(it["keys"][0].as_object_mut().unwrap().remove("alg")), "ROOT-KEY"),
        (|it| drop(it["keys"][0].as_object_mut().unwrap().remove("use")), "ROOT-KEY"),
        (|it| it["roles"]["root"]["kids"] = json!([it["keys"][0]["kid"], it["keys"][0]["kid"]]), "ROOT-MEMBER"),
        (|it| it["keys"][0]["x"] = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into(), "ROOT-KEY"),
    ];
    for (at, (change, expected)) in changes.into_iter().enumerate() {
        assert_eq!(rule(Root::first(&with_payload(change))), expected, "change {at}");
    }
}

#[test]
fn what_no_reader_would_accept_is_not_signed() {
    let sign = |terms: Terms| rule(super::sign(&terms, &[&Key::new(1)]));
    assert_eq!(sign(terms_1()), "accepted");
    for terms in [
        Terms { threshold: 2, ..terms_1() },
        Terms { threshold: 0, ..terms_1() },
        Terms { root_keys: vec![], ..terms_1() },
        Terms { bundle_keys: vec![], ..terms_1() },
        Terms { bundle_keys: publics(&[1]), ..terms_1() },
        Terms { root_keys: publics(&[1, 1]), ..terms_1() },
        Terms { expires_at: UnixTime(MADE), ..terms_1() },
        Terms { issued_at: UnixTime(u64::MAX), ..terms_1() },
        Terms { root_version: 0, ..terms_1() },
    ] {
        assert_eq!(sign(terms.clone()), "ROOT-MEMBER", "{terms:?}");
    }
    struct Broken;
    impl jws::Sign for Broken {
        fn algorithm(&self) -> crate::Algorithm {
            crate::Algorithm::EdDsa
        }
        fn kid(&self) -> &str {
            "k"
        }
        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignFailure> {
            Ok(Vec::new())
        }
    }
    assert_eq!(rule(super::sign(&terms_1(), &[&Broken])), "ROOT-SIGN");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, payload: Vec<u8>) {
        let _ = Root::first(&bytes);
        let _ = Root::first(&resigned(&payload, TYP, 1));
    }

    #[test]
    fn no_flipped_bit_is_accepted(at in 0..4_000_usize, bit in 0..8_u8) {
        let mut file = signed(&terms_2(), &[1, 2]);
        let at = at % (file.len() - 1);
        file[at] ^= 1 << bit;
        prop_assert!(root_1().successor(&file).is_err(), "{}", at);
    }
}
