//! Known attacks on the form and the header of tokens, each beside a well-formed twin that must pass.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod signers;
mod verdict;

use coldsign_verify::jws::Sign as _;
use coldsign_verify::{Expectations, Jwks, PublicKey, UnixTime, Verifier, base64url};
use serde_json::{Value, json};
use signers::{AUDIENCE, ED25519, ISSUER, Key, NOW, claims, claims_with, parts, with_signature};
use verdict::{accepted, code, refused, verifier};

#[test]
fn good_tokens_of_every_algorithm_are_accepted() {
    for key in signers::all() {
        let verified = verifier(key).verify(&key.sign_claims(&claims()), NOW).unwrap();
        assert_eq!(verified.subject(), Some("ward7"));
        assert_eq!(verified.issuer(), Some(ISSUER));
        assert_eq!(verified.jwt_id(), Some("0123456789abcdef"));
        assert_eq!(verified.scopes().collect::<Vec<_>>(), ["data:read", "data:list"]);
        assert_eq!(verified.algorithm(), key.algorithm());
        assert_eq!(verified.expires_at(), UnixTime(NOW.0 + 3_600));
        assert_eq!(Value::Object(verified.claims().clone()), claims());
    }
}

#[test]
fn alg_none_in_any_spelling() {
    let key: &Key = &ED25519;
    accepted(key, &key.sign_header(&key.header()));
    for name in ["none", "None", "nOnE", "NONE", ""] {
        let mut header = key.header();
        header["alg"] = name.into();
        let token = key.sign_header(&header);
        assert_eq!(code(key, &token), "TOKEN-ALGORITHM");
        assert_eq!(code(key, &with_signature(&token, b"")), "TOKEN-ALGORITHM");
    }
    for key in signers::all() {
        let token = key.sign_claims(&claims());
        accepted(key, &token);
        assert_eq!(code(key, &with_signature(&token, b"")), "TOKEN-SIGNATURE");
        assert_eq!(code(key, parts(&token).0.as_str()), "TOKEN-PARTS");
    }
}

#[test]
fn header_alg_differs_from_the_keys() {
    for key in signers::all() {
        accepted(key, &key.sign_header(&key.header()));
        for other in ["EdDSA", "Ed25519", "ES256", "RS256"] {
            if other != key.algorithm().name() {
                let mut header = key.header();
                header["alg"] = other.into();
                let refusal = refused(key, &key.sign_header(&header));
                assert_eq!(refusal.code(), "TOKEN-KEY-ALGORITHM", "{refusal}");
            }
        }
    }
}

#[test]
fn an_unknown_kid_is_the_end_even_with_an_embedded_key() {
    let key: &Key = &ED25519;
    accepted(key, &key.sign_header(&key.header()));
    for kid in [
        "unknown",
        "../../dev/null",
        "/dev/null",
        "https://attacker.example/jwks.json",
        "' OR '1'='1",
        "\u{1b}[2J",
        "0",
    ] {
        let mut header = key.header();
        header["kid"] = kid.into();
        let refusal = refused(key, &key.sign_header(&header));
        assert_eq!(refusal.code(), "TOKEN-KEY-UNKNOWN");
        assert!(!refusal.to_string().contains('\u{1b}'));
        header["jwk"] = key.public().to_jwk(kid);
        assert_eq!(code(key, &key.sign_header(&header)), "TOKEN-HEADER-MEMBER");
    }
    let mut header = key.header();
    header["kid"] = "k".repeat(10_000).into();
    assert_eq!(code(key, &key.sign_header(&header)), "TOKEN-KID-LENGTH");
    header["kid"] = key.kid().to_uppercase().into();
    assert_eq!(code(key, &key.sign_header(&header)), "TOKEN-KEY-UNKNOWN");
    header["kid"] = format!("{} ", key.kid()).into();
    assert_eq!(code(key, &key.sign_header(&header)), "TOKEN-KEY-UNKNOWN");
    header.as_object_mut().unwrap().remove("kid");
    assert_eq!(code(key, &key.sign_header(&header)), "TOKEN-KID-MISSING");
}

#[test]
fn header_members_beyond_alg_kid_typ() {
    let key: &Key = &ED25519;
    accepted(key, &key.sign_header(&key.header()));
    for (name, value) in [
        ("crit", json!(["bork"])),
        ("crit", json!([])),
        ("crit", json!("exp")),
        ("crit", json!(["alg"])),
        ("crit", json!(null)),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("zip", json!("DEF")),
        ("jwk", key.public().to_jwk(key.kid())),
        ("jku", json!("https://attacker.example/jwks.json")),
        ("x5u", json!("https://attacker.example/cert.pem")),
        ("x5c", json!(["MIIB"])),
        ("cty", json!("JWT")),
        ("", json!("")),
    ] {
        let mut header = key.header();
        header[name] = value;
        assert_eq!(code(key, &key.sign_header(&header)), "TOKEN-HEADER-MEMBER", "{header}");
    }
}

#[test]
fn header_members_that_are_no_strings() {
    let key: &Key = &ED25519;
    accepted(key, &key.sign_header(&key.header()));
    for name in ["alg", "kid", "typ"] {
        for value in [json!(null), json!(1), json!([key.header()[name]]), json!({"a": 1}), json!(true)] {
            let mut header = key.header();
            header[name] = value;
            assert_eq!(code(key, &key.sign_header(&header)), "TOKEN-HEADER-TYPE", "{header}");
        }
    }
}

#[test]
fn typ_is_the_profiles() {
    let key: &Key = &ED25519;
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        let mut header = key.header();
        header["typ"] = typ.into();
        accepted(key, &key.sign_header(&header));
    }
    for typ in ["JWT", "", "at+jwt ", "jwt", "text/at+jwt", "application/", "application/application/at+jwt", "at"] {
        let mut header = key.header();
        header["typ"] = typ.into();
        assert_eq!(code(key, &key.sign_header(&header)), "TOKEN-TYPE");
    }
    let mut header = key.header();
    header.as_object_mut().unwrap().remove("typ");
    assert_eq!(code(key, &key.sign_header(&header)), "TOKEN-TYPE");
}

#[test]
fn foreign_serializations() {
    let key: &Key = &ED25519;
    let token = key.sign_claims(&claims());
    accepted(key, &token);
    let fields: Vec<&str> = token.split('.').collect();
    let json = json!({"protected": fields[0], "payload": fields[1], "signature": fields[2]}).to_string();
    assert_eq!(code(key, &json), "TOKEN-CHARACTER");
    assert_eq!(code(key, &json!({"payload": fields[1], "signatures": []}).to_string()), "TOKEN-CHARACTER");
    for header in [
        json!({"alg": "dir", "enc": "A128GCM", "zip": "DEF"}),
        json!({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 1_u64 << 31, "p2s": "AA"}),
        json!({"alg": "dir", "enc": "A128GCM", "cty": "JWT"}),
    ] {
        let header = base64url::encode(header.to_string().as_bytes());
        assert_eq!(code(key, &format!("{header}..AA.{}.AA", fields[1])), "TOKEN-PARTS");
    }
    assert_eq!(code(key, &".".repeat(1_000_000)), "TOKEN-LENGTH");
    assert_eq!(code(key, &".".repeat(10_000)), "TOKEN-PARTS");
    // A token inside a token is just a payload that is no JSON object.
    assert_eq!(code(key, &key.sign_text(&token)), "TOKEN-CLAIMS-JSON");
    assert_eq!(code(key, &format!("Bearer {token}")), "TOKEN-CHARACTER");
    let long = claims_with("x", json!("x".repeat(13_000)));
    assert_eq!(code(key, &key.sign_claims(&long)), "TOKEN-LENGTH");
    accepted(key, &key.sign_claims(&claims_with("x", json!("x".repeat(11_000)))));
}

#[test]
fn a_key_of_another_service_verifies_nothing() {
    let token = ED25519.sign_claims(&claims());
    accepted(&ED25519, &token);
    let none = Verifier::new(Jwks::default(), Expectations::rfc9068(ISSUER, AUDIENCE));
    assert_eq!(none.verify(&token, NOW).unwrap_err().code(), "TOKEN-KEY-UNKNOWN");
    // The right name over another key.
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    let other = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
    let other = PublicKey::ed25519(ED25519.algorithm(), other.as_bytes()).unwrap();
    let jwks = Jwks::new([(ED25519.kid().to_owned(), other)]).unwrap();
    let wrong = Verifier::new(jwks, Expectations::rfc9068(ISSUER, AUDIENCE));
    assert_eq!(wrong.verify(&token, NOW).unwrap_err().code(), "TOKEN-SIGNATURE");
}

#[test]
fn what_is_shown_of_a_refusal_is_harmless() {
    let key: &Key = &ED25519;
    for hostile in
        ["\u{1b}[2J", "\u{202e}gpj", "\r\nOK signed by root", "\u{9b}31m", &"a\u{301}\u{301}\u{301}".repeat(4_000)]
    {
        let mut header = key.header();
        header[hostile] = json!(1);
        for token in [
            key.sign_claims(&claims_with("iss", json!(hostile))),
            key.sign_claims(&claims_with("aud", json!(hostile))),
            key.sign_header(&header),
        ] {
            let shown = refused(key, &token).to_string();
            assert!(shown.chars().count() < 6_000 && !shown.contains(char::is_control), "{shown}");
            assert!(!shown.contains(['\u{202e}', '\u{9b}']), "{shown}");
        }
    }
}

/// A second header or payload in front of or behind the signed one, or the parts in another order.
#[test]
fn parts_exchanged_between_two_good_tokens() {
    let key: &Key = &ED25519;
    let one = key.sign_claims(&claims());
    let two = key.sign_claims(&claims_with("sub", json!("admin")));
    accepted(key, &one);
    accepted(key, &two);
    let (a, b): (Vec<&str>, Vec<&str>) = (one.split('.').collect(), two.split('.').collect());
    for mixed in [[a[0], b[1], a[2]], [a[0], a[1], b[2]], [a[1], a[0], a[2]]] {
        let code = code(key, &mixed.join("."));
        assert!(matches!(code, "TOKEN-SIGNATURE" | "TOKEN-ALGORITHM" | "TOKEN-HEADER-MEMBER"), "{code}");
    }
    for many in [format!("{one}.{}", a[2]), format!("{}.{one}", a[0]), format!("{one}."), format!(".{one}")] {
        assert_eq!(code(key, &many), "TOKEN-PARTS");
    }
}

/// Two tokens that differ in nothing but what a cache might leave out of its key.
#[test]
fn each_byte_of_a_token_counts() {
    let key: &Key = &ED25519;
    let verifier = verifier(key);
    let one = key.sign_claims(&claims());
    let two = key.sign_claims(&claims_with("scope", json!("data:write")));
    let scopes = |token: &str| verifier.verify(token, NOW).unwrap().scopes().map(str::to_owned).collect::<Vec<_>>();
    // The same verifier, asked in turns.
    for _ in 0..3 {
        assert_eq!(scopes(&one), ["data:read", "data:list"]);
        assert_eq!(scopes(&two), ["data:write"]);
        assert!(verifier.verify(&with_signature(&one, &parts(&two).1), NOW).is_err());
    }
}

/// Compressed claims are never unpacked here: a bomb in them is a text like any other.
#[test]
fn compressed_claims_stay_packed() {
    let key: &Key = &ED25519;
    let verify = |claims: &Value| {
        let expectations = Expectations::flowkit(AUDIENCE);
        let token = coldsign_verify::jws::assemble(key, "JWT", claims.to_string().as_bytes()).unwrap();
        Verifier::new(key.jwks(), expectations).verify(&token, NOW).map(|_| ()).map_err(|refusal| refusal.code())
    };
    assert_eq!(verify(&claims_with("user_claims", json!("H4sIAAAAAAAC/6tWKkpVslIqSk1VqgUA2b4fAw0AAAA="))), Ok(()));
    // A gigabyte of zeros, as gzip has its beginning; text all the same.
    assert_eq!(verify(&claims_with("user_claims", json!("H4sIAAAAAAAA/".repeat(800)))), Ok(()));
    assert_eq!(verify(&claims_with("user_claims", json!({"zip": "DEF"}))), Err("TOKEN-CLAIM-TYPE"));
    let zipped = |key: &Key| {
        let mut header = key.header();
        header["zip"] = "DEF".into();
        key.sign_header(&header)
    };
    assert_eq!(code(key, &zipped(key)), "TOKEN-HEADER-MEMBER");
}

/// A key set of keys without `alg` or `use` is read as what the key type says, and as nothing else.
#[test]
fn a_key_without_alg_serves_one_algorithm() {
    for key in signers::all() {
        let mut jwk = key.public().to_jwk(key.kid());
        for member in ["alg", "use"] {
            jwk.as_object_mut().unwrap().remove(member);
        }
        let set = json!({ "keys": [jwk] }).to_string();
        let jwks = Jwks::parse(set.as_bytes()).unwrap();
        let verifier = Verifier::new(jwks, Expectations::rfc9068(ISSUER, AUDIENCE));
        assert!(verifier.verify(&key.sign_claims(&claims()), NOW).is_ok());
        let mut header = key.header();
        header["alg"] = if key.algorithm().name() == "ES256" { "RS256" } else { "ES256" }.into();
        assert_eq!(verifier.verify(&key.sign_header(&header), NOW).unwrap_err().code(), "TOKEN-KEY-ALGORITHM");
    }
}
