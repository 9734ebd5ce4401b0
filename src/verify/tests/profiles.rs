//! The four profiles: what each demands, allows and rules out.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod signers;

use coldsign_verify::{Expectations, VerifiedToken, Verifier, jws};
use serde_json::{Value, json};
use signers::{AUDIENCE, ED25519, ISSUER, NOW};

const SERVER: &str = "flowapi.example.org";

fn verify(expectations: Expectations, claims: &Value) -> Result<VerifiedToken, &'static str> {
    let typ = expectations.profile().typ();
    let token = jws::assemble(&*ED25519, typ, claims.to_string().as_bytes()).unwrap();
    Verifier::new(ED25519.jwks(), expectations).verify(&token, NOW).map_err(|refusal| refusal.code())
}

fn rfc9068() -> Expectations {
    Expectations::rfc9068(ISSUER, AUDIENCE)
}

fn base() -> Value {
    json!({"sub": "ward7", "jti": "id", "iat": NOW.0, "nbf": NOW.0, "exp": NOW.0 + 60})
}

fn base_with(more: Value) -> Value {
    let mut claims = base();
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn without(claims: &Value, claim: &str) -> Value {
    let mut claims = claims.clone();
    claims.as_object_mut().unwrap().remove(claim).unwrap();
    claims
}

/// Each of `required` is missed when absent, and refused when it is no string.
fn demands(expectations: &Expectations, good: &Value, required: &[&str]) {
    assert!(verify(expectations.clone(), good).is_ok());
    for claim in required {
        assert_eq!(verify(expectations.clone(), &without(good, claim)), Err("TOKEN-CLAIM-MISSING"), "{claim}");
        for wrong in [json!(null), json!(["a"]), json!({}), json!(true)] {
            let mut claims = good.clone();
            claims[*claim] = wrong;
            assert_eq!(verify(expectations.clone(), &claims), Err("TOKEN-CLAIM-TYPE"), "{claims}");
        }
    }
}

#[test]
fn rfc9068_demands_its_claims() {
    demands(&rfc9068(), &signers::claims(), &["sub", "client_id", "jti", "iat", "exp"]);
    for claim in ["scope", "nbf"] {
        assert!(verify(rfc9068(), &without(&signers::claims(), claim)).is_ok());
        assert_eq!(verify(rfc9068(), &signers::claims_with(claim, json!(["a"]))), Err("TOKEN-CLAIM-TYPE"));
    }
    let without_scope = verify(rfc9068(), &without(&signers::claims(), "scope")).unwrap();
    assert_eq!(without_scope.scopes().count(), 0);
}

#[test]
fn a_token_bound_to_a_key_needs_someone_who_checks() {
    let bound = signers::claims_with("cnf", json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}));
    assert_eq!(verify(rfc9068(), &bound), Err("TOKEN-POSSESSION"));
    assert_eq!(verify(rfc9068(), &signers::claims_with("cnf", json!(null))), Err("TOKEN-POSSESSION"));
    assert!(verify(rfc9068().proof_of_possession_enforced_by_caller(), &bound).is_ok());
}

#[test]
fn further_claims_are_compared_exactly() {
    let expectations = || rfc9068().claim("project", "north").claim("level", 3);
    let mut claims = signers::claims_with("project", json!("north"));
    assert_eq!(verify(expectations(), &claims), Err("TOKEN-CLAIM-MISSING"));
    claims["level"] = json!(3);
    assert!(verify(expectations(), &claims).is_ok());
    for wrong in [json!("3"), json!(3.0), json!([3]), json!(null), json!(4)] {
        claims["level"] = wrong;
        assert_eq!(verify(expectations(), &claims), Err("TOKEN-CLAIM-VALUE"));
    }
}

#[test]
fn flowkit_demands_user_claims_and_rules_out_type() {
    let good = base_with(json!({"aud": SERVER, "user_claims": "H4sIAAAAAAAA"}));
    demands(&Expectations::flowkit(SERVER), &good, &["sub", "jti", "iat", "exp", "user_claims"]);
    let mut claims = good.clone();
    claims["type"] = json!("access");
    assert_eq!(verify(Expectations::flowkit(SERVER), &claims), Err("TOKEN-CLAIM-FORBIDDEN"));
    assert_eq!(verify(Expectations::flowkit("other"), &good), Err("TOKEN-AUDIENCE"));
    assert_eq!(verify(Expectations::flowkit(SERVER), &without(&good, "aud")), Err("TOKEN-AUDIENCE"));
}

#[test]
fn fedn_demands_one_role_and_rules_out_aud() {
    let good = base_with(json!({"role": "client"}));
    demands(&Expectations::fedn(None), &good, &["sub", "jti", "iat", "exp", "role"]);
    assert!(verify(Expectations::fedn(Some("client")), &good).is_ok());
    assert_eq!(verify(Expectations::fedn(Some("admin")), &good), Err("TOKEN-ROLE"));
    assert_eq!(verify(Expectations::fedn(Some("clien")), &good), Err("TOKEN-ROLE"));
    for (claim, value) in [("aud", json!("x")), ("aud", json!(null)), ("token_type", json!("refresh"))] {
        let mut claims = good.clone();
        claims[claim] = value;
        assert_eq!(verify(Expectations::fedn(None), &claims), Err("TOKEN-CLAIM-FORBIDDEN"));
    }
    // In the order of the page, whatever else is wrong.
    let refresh = base_with(json!({"role": "client", "token_type": "refresh"}));
    assert_eq!(verify(Expectations::fedn(Some("admin")), &refresh), Err("TOKEN-CLAIM-FORBIDDEN"));
    let custom = || Expectations::fedn(Some("client")).claim("project", "x");
    assert_eq!(verify(custom(), &good), Err("TOKEN-CLAIM-MISSING"));
    assert!(verify(custom(), &base_with(json!({"role": "client", "project": "x"}))).is_ok());
}

#[test]
fn plain_takes_no_audience_it_was_not_told_of() {
    let open = || Expectations::plain(None, None);
    let bound = || Expectations::plain(Some(ISSUER), Some(SERVER));
    let exp = json!({"exp": NOW.0 + 1});
    assert_eq!(verify(open(), &exp).unwrap().subject(), None);
    assert_eq!(verify(open(), &base_with(json!({"aud": SERVER}))), Err("TOKEN-CLAIM-FORBIDDEN"));
    assert!(verify(open(), &base_with(json!({"iss": "anyone"}))).is_ok());
    assert!(verify(bound(), &base_with(json!({"iss": ISSUER, "aud": SERVER}))).is_ok());
    assert_eq!(verify(bound(), &base_with(json!({"iss": ISSUER}))), Err("TOKEN-AUDIENCE"));
    assert_eq!(verify(bound(), &base_with(json!({"aud": SERVER}))), Err("TOKEN-ISSUER"));
    assert_eq!(verify(open(), &base_with(json!({"sub": 7}))), Err("TOKEN-CLAIM-TYPE"));
    assert_eq!(verify(open(), &without(&base(), "exp")), Err("TOKEN-CLAIM-MISSING"));
    // A cap on validity cannot be judged without iat.
    assert!(verify(open().longest_validity(60), &base()).is_ok());
    assert_eq!(verify(open().longest_validity(60), &exp), Err("TOKEN-CLAIM-MISSING"));
}

#[test]
fn a_token_of_one_profile_is_none_of_another() {
    let token = jws::assemble(&*ED25519, "at+jwt", signers::claims().to_string().as_bytes()).unwrap();
    assert!(Verifier::new(ED25519.jwks(), rfc9068()).verify(&token, NOW).is_ok());
    for other in
        [Expectations::flowkit(AUDIENCE), Expectations::fedn(None), Expectations::plain(Some(ISSUER), Some(AUDIENCE))]
    {
        let refusal = Verifier::new(ED25519.jwks(), other).verify(&token, NOW).unwrap_err();
        assert_eq!(refusal.code(), "TOKEN-TYPE");
    }
}
