use super::*;
use crate::vectors::{self, DAY, Key, MADE, contents_1, contents_2, is_published, root_1, root_2, signed, terms_1};
use crate::{Expectations, Profile, root};
use proptest::prelude::*;
use serde_json::{Value, json};

const UNDER_1: u8 = 0x0a;
const UNDER_2: u8 = 0x0b;

fn rule<T>(accepted: Result<T, Fault>) -> &'static str {
    accepted.map(|_| "accepted").unwrap_or_else(|fault| fault.code())
}

fn made(contents: &Contents) -> Bundle {
    Bundle::verify(&vectors::bundle(contents, UNDER_1), &root_1()).unwrap()
}

/// Well signed, its claims changed by hand.
fn with_claims(change: impl FnOnce(&mut Value)) -> Result<Bundle, Fault> {
    let mut claims: Value = serde_json::from_slice(&contents_1().to_payload().unwrap()).unwrap();
    change(&mut claims);
    let token = jws::assemble(&Key::new(UNDER_1), TYP, claims.to_string().as_bytes()).unwrap();
    Bundle::verify(&token, &root_1())
}

#[test]
fn the_published_vectors_are_made_again() {
    is_published("bundle.1.jwt", vectors::bundle(&contents_1(), UNDER_1).as_bytes());
    is_published("bundle.2.jwt", vectors::bundle(&contents_2(), UNDER_2).as_bytes());
}

#[test]
fn a_bundle_is_read_back_as_it_was_meant() {
    let bundle = Bundle::verify(&vectors::bundle(&contents_2(), UNDER_2), &root_2()).unwrap();
    assert_eq!(bundle.contents(), &contents_2());
    assert_eq!(bundle.signed_by(), Key::new(UNDER_2).public.thumbprint());
    let fed = bundle.contents().expectations("fed").unwrap();
    assert_eq!(fed, Expectations::fedn(None).longest_validity(30 * DAY + 60).claim("project", "ward7"));
    assert_eq!(bundle.contents().jwks("fed").unwrap().keys().len(), 1);
    assert!(bundle.contents().jwks("other").unwrap().is_empty());
    assert!(bundle.contents().expectations("other").is_none());
}

#[test]
fn only_a_bundle_key_of_the_root_signs_bundles() {
    let by = |seed, root: &Root| rule(Bundle::verify(&vectors::bundle(&contents_1(), seed), root));
    assert_eq!(by(UNDER_1, &root_1()), "accepted");
    assert_eq!(by(UNDER_1, &root_2()), "BUNDLE-KEY", "root 2 names another");
    assert_eq!(by(UNDER_2, &root_1()), "BUNDLE-KEY");
    assert_eq!(by(1, &root_1()), "BUNDLE-KEY", "a custodian's key");
    assert_eq!(by(7, &root_1()), "BUNDLE-KEY", "a token key");
    let payload = contents_1().to_payload().unwrap();
    let typed = |typ| rule(Bundle::verify(&jws::assemble(&Key::new(UNDER_1), typ, &payload).unwrap(), &root_1()));
    assert_eq!(typed(TYP), "accepted");
    for typ in ["JWT", "at+jwt", root::TYP, "application/jwk-set+jwt"] {
        assert_eq!(typed(typ), "BUNDLE-TYPE", "{typ}");
    }
}

#[test]
fn a_changed_truncated_or_endless_bundle_is_refused() {
    let good = vectors::bundle(&contents_1(), UNDER_1);
    let verify = |text: &str| rule(Bundle::verify(text, &root_1()));
    assert_eq!(verify(&good), "accepted");
    let other = vectors::bundle(&Contents { seq: 2, previous: Some(Digest::of(b"")), ..contents_1() }, UNDER_1);
    let mixed: Vec<&str> = good.split('.').take(2).chain(other.split('.').skip(2)).collect();
    assert_eq!(verify(&mixed.join(".")), "BUNDLE-SIGNATURE");
    for cut in [0, 1, good.len() / 2, good.len() - 1] {
        assert!(["BUNDLE-FORM", "BUNDLE-SIGNATURE"].contains(&verify(&good[..cut])), "{cut}");
    }
    assert_eq!(verify(&format!("{good}\n")), "BUNDLE-FORM");
    assert_eq!(verify(&".".repeat(LONGEST + 1)), "BUNDLE-LENGTH");
}

#[test]
fn it_belongs_to_its_root() {
    type Change = fn(&mut Contents);
    let changes: [(Change, &str); 7] = [
        (|_| (), "accepted"),
        (|it| it.issuer = "https://x.example".into(), "BUNDLE-FOREIGN"),
        (|it| it.issuer.push('/'), "BUNDLE-FOREIGN"),
        (|it| it.store = "other".into(), "BUNDLE-FOREIGN"),
        (|it| it.root_version = 2, "BUNDLE-ROOT"),
        (|it| it.expires_at = terms_1().expires_at, "accepted"),
        (|it| it.expires_at = UnixTime(terms_1().expires_at.0 + 1), "BUNDLE-OUTLIVES-ROOT"),
    ];
    for (at, (change, expected)) in changes.into_iter().enumerate() {
        let mut contents = contents_1();
        change(&mut contents);
        assert_eq!(rule(Bundle::verify(&vectors::bundle(&contents, UNDER_1), &root_1())), expected, "change {at}");
    }
    // A later root that still names the key: bundles made before it stay good.
    let terms = root::Terms { root_version: 2, ..terms_1() };
    let two = root_1().successor(&signed(&terms, &[1])).unwrap();
    assert_eq!(rule(Bundle::verify(&vectors::bundle(&contents_1(), UNDER_1), &two)), "accepted");
}

#[test]
fn it_is_good_from_its_making_to_its_end() {
    let bundle = made(&contents_1());
    let at = |now| rule(bundle.check_time(UnixTime(now)));
    assert_eq!(at(MADE - 60), "accepted", "clocks differ by S");
    assert_eq!(at(MADE - 61), "BUNDLE-FUTURE");
    assert_eq!(at(MADE + 120 * DAY - 1), "accepted");
    assert_eq!(at(MADE + 120 * DAY), "BUNDLE-EXPIRED");
    assert_eq!(at(u64::MAX), "BUNDLE-EXPIRED");
}

#[test]
fn bundles_are_ordered_by_number_alone() {
    let after = |contents: &Contents, installed: &Bundle| rule(made(contents).check_after(installed));
    let numbered = |seq, previous| Contents { seq, previous: Some(previous), ..contents_1() };
    let zero = Digest::of(b"");
    let ten = made(&numbered(10, zero));
    assert_eq!(after(&numbered(11, ten.digest()), &ten), "accepted");
    assert_eq!(after(&numbered(11, zero), &ten), "BUNDLE-PREVIOUS");
    assert_eq!(after(&numbered(12, zero), &ten), "accepted", "gaps are fine, and then prev is not asked");
    assert_eq!(after(&numbered(10_010, zero), &ten), "accepted");
    assert_eq!(after(&numbered(10_011, zero), &ten), "BUNDLE-LEAP");
    assert_eq!(after(&numbered(9_007_199_254_740_991, zero), &ten), "BUNDLE-LEAP");
    assert_eq!(after(&numbered(9, zero), &ten), "BUNDLE-ROLLBACK");
    assert_eq!(after(&contents_1(), &ten), "BUNDLE-ROLLBACK");
    assert_eq!(after(&numbered(10, zero), &ten), "accepted", "the same bytes");
    let other = Contents { expires_at: UnixTime(MADE + DAY), ..numbered(10, zero) };
    assert_eq!(after(&other, &ten), "BUNDLE-SAME-NUMBER");
    let earlier = Contents { issued_at: UnixTime(MADE - DAY), ..numbered(12, zero) };
    assert_eq!(after(&earlier, &ten), "accepted", "a signer whose clock was put right");
    let later = Contents { issued_at: UnixTime(MADE + DAY), ..numbered(9, zero) };
    assert_eq!(after(&later, &ten), "BUNDLE-ROLLBACK");
}

#[test]
fn the_claims_are_held_to_their_members() {
    assert_eq!(rule(with_claims(|_| ())), "accepted");
    assert_eq!(rule(with_claims(|it| it["status_lists"] = json!({}))), "accepted");
    assert_eq!(rule(with_claims(|it| it["critical"] = json!(["revoked", "prev"]))), "accepted");
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 33] = [
        (|it| it["version"] = 2.into(), "BUNDLE-VERSION"),
        (|it| it["critical"] = json!(["status_lists"]), "BUNDLE-MEMBER"),
        (|it| it["sub"] = "https://x.example".into(), "BUNDLE-MEMBER"),
        (|it| it["seq"] = 0.into(), "BUNDLE-MEMBER"),
        (|it| it["seq"] = json!(1.0), "BUNDLE-MEMBER"),
        (|it| it["seq"] = 2.into(), "BUNDLE-MEMBER"),
        (|it| it["prev"] = "00".repeat(32).into(), "BUNDLE-MEMBER"),
        (|it| it["exp"] = it["iat"].clone(), "BUNDLE-MEMBER"),
        (|it| it["exp"] = Value::Null, "BUNDLE-MEMBER"),
        (|it| it["exp"] = "2000000000".into(), "BUNDLE-MEMBER"),
        (|it| it["skew_seconds"] = 86_401.into(), "BUNDLE-MEMBER"),
        (|it| it["checkpoint"] = "".into(), "BUNDLE-MEMBER"),
        (|it| it["files"] = json!({"../../etc/passwd": "00".repeat(32)}), "BUNDLE-MEMBER"),
        (|it| it["files"] = json!({"/etc/passwd": "00".repeat(32)}), "BUNDLE-MEMBER"),
        (|it| it["files"] = json!({"for-api/.x": "00".repeat(32)}), "BUNDLE-MEMBER"),
        (|it| it["files"] = json!({"SHA256SUMS": "00".repeat(32)}), "BUNDLE-MEMBER"),
        (|it| it["files"] = json!({"bundle.jwt": "00".repeat(32)}), "BUNDLE-MEMBER"),
        (|it| it["files"] = json!({"a": "00"}), "BUNDLE-MEMBER"),
        (|it| drop(it.as_object_mut().unwrap().remove("files")), "BUNDLE-MEMBER"),
        (|it| it["services"]["../x"] = it["services"]["api"].clone(), "BUNDLE-MEMBER"),
        (|it| it["services"]["api"]["profile"] = "saml".into(), "BUNDLE-MEMBER"),
        (|it| it["services"]["api"]["later"] = 1.into(), "BUNDLE-MEMBER"),
        (|it| it["services"]["fed"]["audience"] = "x".into(), "BUNDLE-MEMBER"),
        (|it| drop(it["services"]["api"].as_object_mut().unwrap().remove("audience")), "BUNDLE-MEMBER"),
        (|it| drop(it["services"].as_object_mut().unwrap().remove("api")), "BUNDLE-MEMBER"),
        (|it| it["keys"][0]["services"] = json!([]), "BUNDLE-MEMBER"),
        (|it| it["keys"][0]["services"] = json!("api"), "BUNDLE-MEMBER"),
        (|it| it["keys"][0]["d"] = "AA".into(), "BUNDLE-KEYS"),
        (|it| it["keys"] = json!([it["keys"][0], it["keys"][0]]), "BUNDLE-KEYS"),
        (|it| it["revoked"] = Value::Null, "BUNDLE-MEMBER"),
        (|it| it["revoked"]["later"] = json!({}), "BUNDLE-MEMBER"),
        (|it| it["revoked"]["roles"] = json!({"api/reader": 1}), "BUNDLE-MEMBER"),
        (|it| it["revoked"]["roles"] = json!({"gone/client": 1}), "BUNDLE-MEMBER"),
    ];
    for (at, (change, expected)) in changes.into_iter().enumerate() {
        assert_eq!(rule(with_claims(change)), expected, "change {at}");
    }
    let token = jws::assemble(&Key::new(UNDER_1), TYP, br#"{"version":1,"version":1}"#).unwrap();
    assert_eq!(rule(Bundle::verify(&token, &root_1())), "BUNDLE-JSON");
    assert_eq!(rule(with_claims(|it| it["revoked"]["roles"] = json!({"fed/client": 1}))), "accepted");
    let unknown = |it: &mut Value| it["keys"] = json!([it["keys"][0], {"kty": "AKP", "kid": "z", "alg": "ML-DSA-44"}]);
    assert_eq!(rule(with_claims(unknown)), "accepted", "kinds of keys unknown here are skipped");
}

#[test]
fn what_no_verifier_would_accept_is_not_signed() {
    let sign = |contents: Contents| rule(super::sign(&contents, &Key::new(UNDER_1)));
    assert_eq!(sign(contents_1()), "accepted");
    let mut nobodys = contents_1();
    nobodys.keys[0].services.clear();
    let mut strange = contents_1();
    strange.services.insert("UPPER".into(), strange.services["api"].clone());
    for contents in [Contents { previous: Some(Digest::of(b"")), ..contents_1() }, nobodys, strange] {
        assert_eq!(sign(contents), "BUNDLE-MEMBER");
    }
    let mut twice = contents_1();
    twice.keys.push(twice.keys[0].clone());
    assert_eq!(sign(twice), "BUNDLE-KEYS");
    struct Broken;
    impl Sign for Broken {
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
    assert_eq!(rule(super::sign(&contents_1(), &Broken)), "BUNDLE-SIGN");
}

#[test]
fn an_rfc_9068_service_expects_issuer_and_audience() {
    let contents = contents_1();
    let expected = Expectations::rfc9068(&contents.issuer, "https://api.example.org").longest_validity(30 * DAY + 60);
    assert_eq!(contents.expectations("api"), Some(expected));
    let mut plain = contents;
    plain.services.insert(
        "api".into(),
        Service { profile: Profile::Plain, audience: None, leeway_seconds: 5, ..plain.services["api"].clone() },
    );
    let expected = Expectations::plain(Some(&plain.issuer), None).leeway(5).longest_validity(30 * DAY + 60);
    assert_eq!(plain.expectations("api"), Some(expected));
}

proptest! {
    #[test]
    fn no_bytes_panic(text: String, payload: Vec<u8>) {
        let _ = Bundle::verify(&text, &root_1());
        let _ = Contents::from_payload(&payload);
    }

    #[test]
    fn no_flipped_bit_is_accepted(at: usize, bit in 0..7_u8) {
        let mut text = vectors::bundle(&contents_1(), UNDER_1).into_bytes();
        let at = at % text.len();
        text[at] ^= 1 << bit;
        prop_assert!(Bundle::verify(&String::from_utf8(text).unwrap(), &root_1()).is_err());
    }

    #[test]
    fn whatever_the_strings_it_is_read_back(issuer in "\\PC{1,20}", claim in "\\PC{1,20}", value: String, note in "\\PC{1,40}") {
        let mut contents = Contents { issuer, checkpoint: note, ..contents_1() };
        contents.services.get_mut("fed").unwrap().claims.insert(claim, value);
        let payload = contents.to_payload().unwrap();
        prop_assert_eq!(Contents::from_payload(&payload).unwrap(), contents);
    }
}
