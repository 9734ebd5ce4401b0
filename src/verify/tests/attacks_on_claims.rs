//! Known attacks on the claims of tokens that are signed well, each beside a twin that must pass.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod signers;
mod verdict;

use coldsign_verify::{Expectations, UnixTime, Verifier};
use serde_json::{Value, json};
use signers::{AUDIENCE, ED25519, ISSUER, Key, NOW, claims, claims_with, parts, with_signature};
use verdict::{accepted, code};

#[test]
fn duplicate_members() {
    let key: &Key = &ED25519;
    let good = claims().to_string();
    accepted(key, &key.sign_text(&good));
    for extra in [
        r#""sub":"admin""#,
        r#""exp":9007199254740991"#,
        r#""aud":"https://api.example.org""#,
        r#""\u0065xp":9007199254740991"#,
        r#""su\u0062":"admin""#,
        r#""x":{"a":[{"b":1,"\u0062":2}]}"#,
    ] {
        for text in [good.replacen('{', &format!("{{{extra},"), 1), good.replacen('}', &format!(",{extra}}}"), 1)] {
            assert_eq!(code(key, &key.sign_text(&text)), "TOKEN-CLAIMS-JSON", "{text}");
        }
    }
    let header = key.header().to_string().replacen('{', r#"{"alg":"none","#, 1);
    let token = key.sign_parts(header.as_bytes(), good.as_bytes());
    assert_eq!(code(key, &token), "TOKEN-HEADER-JSON");
}

#[test]
fn claims_that_are_not_one_strict_json_object() {
    let key: &Key = &ED25519;
    let good = claims().to_string();
    accepted(key, &key.sign_text(&format!(" {good}\n")));
    let deep = good.replacen('{', &format!("{{\"x\":{}{},", "[".repeat(2_000), "]".repeat(2_000)), 1);
    let deeper = good.replacen('{', &format!("{{\"x\":{},", "[".repeat(10_000)), 1);
    for text in [
        "",
        "[]",
        "\"a\"",
        "null",
        "{",
        &format!("\u{feff}{good}"),
        &format!("{good}{good}"),
        &format!("{good}\0"),
        &deep,
        &deeper,
    ] {
        assert_eq!(code(key, &key.sign_text(text)), "TOKEN-CLAIMS-JSON");
    }
    let latin1 = key.sign_parts(key.header().to_string().as_bytes(), b"{\"sub\":\"Zo\xeb\"}");
    assert_eq!(code(key, &latin1), "TOKEN-CLAIMS-JSON");
}

#[test]
fn dates_are_integers() {
    let key: &Key = &ED25519;
    let later = NOW.0 + 3_600;
    for (claim, good) in [("exp", later), ("exp", (1 << 53) - 1), ("nbf", NOW.0), ("nbf", 0), ("iat", NOW.0)] {
        accepted(key, &key.sign_claims(&claims_with(claim, json!(good))));
    }
    for claim in ["exp", "nbf", "iat"] {
        for wrong in [
            json!(later.to_string()),
            json!(null),
            json!(true),
            json!([later]),
            json!({}),
            json!(1.5),
            json!(1e9),
            json!(-1),
            json!(1_u64 << 53),
            json!(1_u64 << 63),
            json!(u64::MAX),
        ] {
            let token = key.sign_claims(&claims_with(claim, wrong.clone()));
            assert_eq!(code(key, &token), "TOKEN-CLAIM-TYPE", "{claim} {wrong}");
        }
        for wrong in ["1e10", "1800003600.0", "-0", "18446744073709551617"] {
            let text = claims_with(claim, json!("HERE")).to_string().replace("\"HERE\"", wrong);
            assert_eq!(code(key, &key.sign_text(&text)), "TOKEN-CLAIM-TYPE", "{claim} {wrong}");
        }
    }
}

#[test]
fn times_are_kept_to_the_second() {
    let key: &Key = &ED25519;
    let at = |claims: &Value, leeway, now| {
        Verifier::new(key.jwks(), Expectations::rfc9068(ISSUER, AUDIENCE).leeway(leeway))
            .verify(&key.sign_claims(claims), UnixTime(now))
            .map(|_| ())
            .map_err(|refusal| refusal.code())
    };
    let (from, to) = (NOW.0 - 60, NOW.0 + 3_600);
    assert_eq!(at(&claims(), 0, from), Ok(()));
    assert_eq!(at(&claims(), 0, from - 1), Err("TOKEN-NOT-YET-VALID"));
    assert_eq!(at(&claims(), 0, to - 1), Ok(()));
    assert_eq!(at(&claims(), 0, to), Err("TOKEN-EXPIRED"));
    assert_eq!(at(&claims(), 30, from - 30), Ok(()));
    assert_eq!(at(&claims(), 30, from - 31), Err("TOKEN-NOT-YET-VALID"));
    assert_eq!(at(&claims(), 30, to + 29), Ok(()));
    assert_eq!(at(&claims(), 30, to + 30), Err("TOKEN-EXPIRED"));
    assert_eq!(at(&claims_with("nbf", None), 0, from - 1), Err("TOKEN-ISSUED-IN-FUTURE"));
    assert_eq!(at(&claims_with("nbf", None), 0, from), Ok(()));
    assert_eq!(at(&claims_with("exp", None), 0, from), Err("TOKEN-CLAIM-MISSING"));
    // No sum overflows, whatever the leeway and the time.
    assert_eq!(at(&claims(), u64::MAX, 0), Ok(()));
    assert_eq!(at(&claims(), u64::MAX, 30), Ok(()));
    assert_eq!(at(&claims(), u64::MAX, u64::MAX), Ok(()));
    assert_eq!(at(&claims(), 0, u64::MAX), Err("TOKEN-EXPIRED"));
    assert_eq!(at(&claims_with("exp", json!(0)), 0, from), Err("TOKEN-EXPIRED"));
}

#[test]
fn validity_is_capped() {
    let key: &Key = &ED25519;
    let at_most = |claims: &Value, longest| {
        Verifier::new(key.jwks(), Expectations::rfc9068(ISSUER, AUDIENCE).longest_validity(longest).leeway(60))
            .verify(&key.sign_claims(claims), NOW)
            .map(|_| ())
            .map_err(|refusal| refusal.code())
    };
    assert_eq!(at_most(&claims(), 3_660), Ok(()));
    assert_eq!(at_most(&claims(), 3_659), Err("TOKEN-VALIDITY"));
    let mut backwards = claims_with("iat", json!(NOW.0 + 30));
    backwards["exp"] = json!(NOW.0);
    assert_eq!(at_most(&backwards, 3_660), Err("TOKEN-VALIDITY"));
}

#[test]
fn issuer_and_audience_are_exact_strings() {
    let key: &Key = &ED25519;
    accepted(key, &key.sign_claims(&claims()));
    for (claim, good, expected) in [("iss", ISSUER, "TOKEN-ISSUER"), ("aud", AUDIENCE, "TOKEN-AUDIENCE")] {
        for wrong in [
            String::new(),
            good[..good.len() - 1].to_owned(),
            format!("{good}/"),
            format!("{good}.attacker.example"),
            good.to_uppercase(),
            format!(" {good}"),
        ] {
            assert_eq!(code(key, &key.sign_claims(&claims_with(claim, json!(wrong)))), expected);
        }
        for wrong in [json!([]), json!([good]), json!([good, "other"]), json!(null), json!({good: 1}), json!(1)] {
            assert_eq!(code(key, &key.sign_claims(&claims_with(claim, wrong))), "TOKEN-CLAIM-TYPE");
        }
        assert_eq!(code(key, &key.sign_claims(&claims_with(claim, None))), expected);
    }
}

#[test]
fn a_bad_signature_outranks_every_claim() {
    for key in signers::all() {
        let expired = claims_with("exp", json!(1));
        accepted(key, &key.sign_claims(&claims()));
        assert_eq!(code(key, &key.sign_claims(&expired)), "TOKEN-EXPIRED");
        for token in [
            key.sign_claims(&expired),
            key.sign_claims(&claims_with("aud", json!(["other"]))),
            key.sign_text("{\"exp\":1,\"exp\":2}"),
            key.sign_text("not JSON"),
        ] {
            let mut signature = parts(&token).1;
            signature[10] ^= 1;
            assert_eq!(code(key, &with_signature(&token, &signature)), "TOKEN-SIGNATURE");
        }
    }
}
