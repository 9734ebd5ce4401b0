use super::*;
use crate::vectors::{Key, MADE, is_published, receipt_1};
use proptest::prelude::*;

const OWN: u8 = 0x0e;

fn rule<T>(accepted: Result<T, Fault>) -> &'static str {
    accepted.map(|_| "accepted").unwrap_or_else(|fault| fault.code())
}

fn signed(contents: &Contents, seed: u8) -> String {
    let key = Key::new(seed);
    sign(contents, &key.public, &key).unwrap()
}

fn with_claims(change: impl FnOnce(&mut Value)) -> String {
    let key = Key::new(OWN);
    let mut claims: Value = serde_json::from_slice(&receipt_1().to_payload(&key.public).unwrap()).unwrap();
    change(&mut claims);
    jws::assemble(&key, TYP, claims.to_string().as_bytes()).unwrap()
}

#[test]
fn the_published_vector_is_made_again() {
    is_published("receipt.1.jwt", signed(&receipt_1(), OWN).as_bytes());
}

#[test]
fn a_verifier_is_introduced_and_then_known() {
    let token = signed(&receipt_1(), OWN);
    let (receipt, key) = Receipt::introduce(&token).unwrap();
    assert_eq!((receipt.contents(), &key), (&receipt_1(), &Key::new(OWN).public));
    assert_eq!(Receipt::verify(&token, &key), Ok(receipt));
    assert_eq!(fingerprint(&key), Digest::of(&key.to_spki_der()));

    assert_eq!(rule(Receipt::verify(&signed(&receipt_1(), 0x0f), &key)), "RECEIPT-KEY");
    let foreign = with_claims(|it| it["key"] = Key::new(0x0f).public.to_jwk("x"));
    assert_eq!(rule(Receipt::verify(&foreign, &key)), "RECEIPT-KEY", "another key within");
    assert_eq!(rule(Receipt::introduce(&foreign)), "RECEIPT-KEY");
    let mixed: Vec<&str> =
        token.split('.').take(1).chain(foreign.split('.').skip(1).take(1)).chain(token.split('.').skip(2)).collect();
    assert_eq!(rule(Receipt::verify(&mixed.join("."), &key)), "RECEIPT-SIGNATURE");
}

#[test]
fn one_put_back_from_an_image_is_told_apart() {
    let key = Key::new(OWN).public;
    let make = |counter, previous, at| {
        let contents = Contents { counter, previous, issued_at: UnixTime(MADE + at), ..receipt_1() };
        Receipt::verify(&signed(&contents, OWN), &key).unwrap()
    };
    let one = make(1, None, 0);
    let two = make(2, Some(one.digest()), 10);
    let three = make(3, Some(two.digest()), 20);
    assert_eq!(rule(two.check_after(1, &one.digest())), "accepted");
    assert_eq!(rule(three.check_after(1, &one.digest())), "accepted", "one that was lost on the way");
    assert_eq!(rule(two.check_after(2, &two.digest())), "RECEIPT-COUNTER", "the same again");
    assert_eq!(rule(one.check_after(3, &three.digest())), "RECEIPT-COUNTER");
    let restored_after_one = make(2, Some(one.digest()), 99);
    assert_eq!(rule(restored_after_one.check_after(3, &three.digest())), "RECEIPT-COUNTER");
    let and_caught_up = make(4, Some(make(3, Some(restored_after_one.digest()), 100).digest()), 101);
    assert_eq!(rule(and_caught_up.check_after(3, &three.digest())), "RECEIPT-FORK");
}

#[test]
fn the_claims_are_held_to_their_members() {
    let key = Key::new(OWN).public;
    let verify = |change: fn(&mut Value)| rule(Receipt::verify(&with_claims(change), &key));
    assert_eq!(verify(|it| it["later"] = 1.into()), "accepted");
    assert_eq!(verify(|it| it["critical"] = json!(["iat", "prev"])), "accepted");
    assert_eq!(verify(|it| drop(it.as_object_mut().unwrap().remove("loaded_at"))), "accepted");
    assert_eq!(verify(|it| it["kids"] = json!({"k": null})), "accepted");
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 13] = [
        (|it| it["version"] = 2.into(), "RECEIPT-VERSION"),
        (|it| it["critical"] = json!(["later"]), "RECEIPT-MEMBER"),
        (|it| it["counter"] = 0.into(), "RECEIPT-MEMBER"),
        (|it| it["counter"] = 2.into(), "RECEIPT-MEMBER"),
        (|it| it["seq"] = "2".into(), "RECEIPT-MEMBER"),
        (|it| it["bundle"] = "x".into(), "RECEIPT-MEMBER"),
        (|it| it["loaded_at"] = Value::Null, "RECEIPT-MEMBER"),
        (|it| it["kids"] = json!({"k": "now"}), "RECEIPT-MEMBER"),
        (|it| drop(it.as_object_mut().unwrap().remove("kids")), "RECEIPT-MEMBER"),
        (|it| it["verifier"] = "".into(), "RECEIPT-MEMBER"),
        (|it| it["verifier"] = "API 1".into(), "RECEIPT-MEMBER"),
        (|it| it["key"]["d"] = "AA".into(), "RECEIPT-OWN-KEY"),
        (|it| it["key"]["alg"] = "Ed25519".into(), "RECEIPT-OWN-KEY"),
    ];
    for (at, (change, expected)) in changes.into_iter().enumerate() {
        assert_eq!(verify(change), expected, "change {at}");
    }
    let typed = |typ, payload: &[u8]| {
        rule(Receipt::verify(&jws::assemble(&Key::new(OWN), typ, payload).unwrap(), &Key::new(OWN).public))
    };
    assert_eq!(typed("JWT", b"{}"), "RECEIPT-TYPE");
    assert_eq!(typed(TYP, b"[]"), "RECEIPT-JSON");
    assert_eq!(rule(Receipt::verify("a.b", &key)), "RECEIPT-FORM");
    assert_eq!(rule(Receipt::verify(&".".repeat(LONGEST + 1), &key)), "RECEIPT-LENGTH");
    assert_eq!(rule(Receipt::introduce(&".".repeat(LONGEST + 1))), "RECEIPT-LENGTH");
    struct Silent;
    impl Sign for Silent {
        fn algorithm(&self) -> Algorithm {
            Algorithm::EdDsa
        }
        fn kid(&self) -> &str {
            "k"
        }
        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignFailure> {
            Ok(Vec::new())
        }
    }
    assert_eq!(rule(sign(&receipt_1(), &key, &Silent)), "RECEIPT-SIGN");
}

proptest! {
    #[test]
    fn no_bytes_panic(text: String, payload: Vec<u8>) {
        let _ = Receipt::introduce(&text);
        let _ = Contents::from_payload(&payload);
    }
}
