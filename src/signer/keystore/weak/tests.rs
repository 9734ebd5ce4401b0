use super::super::{ImportFault, RsaBits, SecretKey, import};
use super::*;
use crate::refusal::Refuse;
use coldsign_verify::base64url;
use proptest::prelude::*;
use serde_json::{Value, json};

fn found(algorithm: Algorithm, text: &str) -> Result<(), String> {
    match import(algorithm, text) {
        Ok(_) => Ok(()),
        Err(fault @ ImportFault::Weak(_)) => {
            assert!(["IMPORT-WEAK", "IMPORT-PRINTED"].contains(&fault.rule().unwrap()));
            Err(fault.to_string())
        }
        Err(other) => panic!("{other}"),
    }
}

/// The same key as PKCS#8, as OpenSSL would write it.
fn pkcs8(jwk: &str) -> String {
    let jwk: Value = serde_json::from_str(jwk).unwrap();
    let number = |name: &str| {
        let mut bytes = base64url::decode(jwk[name].as_str().unwrap()).unwrap();
        if bytes[0] > 0x7f {
            bytes.insert(0, 0);
        }
        tagged(2, &bytes)
    };
    let mut inner = tagged(2, &[0]);
    ["n", "e", "d", "p", "q", "dp", "dq", "qi"].into_iter().for_each(|name| inner.extend(number(name)));
    // rsaEncryption, NULL.
    let algorithm = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
    let whole = [&tagged(2, &[0])[..], algorithm, &tagged(4, &tagged(0x30, &inner))].concat();
    pem(&tagged(0x30, &whole))
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = match length {
        0..=127 => vec![tag, length as u8],
        128..=255 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [head, content.to_vec()].concat()
}

fn pem(der: &[u8]) -> String {
    use base64::Engine;
    let base64 = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

#[test]
fn rsa_keys_that_can_be_computed_are_refused_by_name_in_both_forms() {
    for (jwk, word) in [
        (include_str!("one-prime.json"), "the same number"),
        (include_str!("close.json"), "too close together"),
        (include_str!("close-in-ratio.json"), "too close together"),
        (include_str!("no-prime.json"), "not both prime"),
        (include_str!("round.json"), "not random"),
        (include_str!("exponent-3.json"), "public exponent"),
        (include_str!("roca.json"), "ROCA"),
    ] {
        for text in [jwk.to_owned(), pkcs8(jwk)] {
            let said = found(Algorithm::Rs256, &text).unwrap_err();
            assert!(said.contains(word), "{said}");
        }
    }
}

fn ed25519_jwk(seed: &[u8; 32]) -> String {
    let public = ed25519_dalek::SigningKey::from_bytes(seed).verifying_key();
    let (d, x) = (base64url::encode(seed), base64url::encode(public.as_bytes()));
    json!({"kty": "OKP", "crv": "Ed25519", "d": d, "x": x}).to_string()
}

#[test]
fn seeds_that_nobody_drew_are_refused() {
    let counted: Vec<u8> = (0..32).collect();
    let halves = [[1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 17, 19, 23, 29, 31, 200]; 2].concat();
    let mut padded = [0; 32];
    padded[20..].copy_from_slice(b"\x01\xf3\x9a\x77\x20\x55\x81\x99\xde\x13\x40\x8a");
    for (seed, word) in [
        (&[0; 32][..], "are 0"),
        (&[0xff; 32], "are 255"),
        (&[7; 32], "one byte, repeated"),
        (&counted, "count up"),
        (&halves, "repeats itself"),
        (&padded, "in a row"),
        (b"correct horse battery staple 123", "is text"),
        (b"0123456789abcdef0f1e2d3c4b5a6978", "is text"),
    ] {
        let seed: [u8; 32] = seed.try_into().unwrap();
        let said = found(Algorithm::EdDsa, &ed25519_jwk(&seed)).unwrap_err();
        assert!(said.contains(word), "{said}");
        let head = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
        assert_eq!(found(Algorithm::EdDsa, &pem(&[&head[..], &seed].concat())).unwrap_err(), said);
    }
}

#[test]
fn extreme_numbers_of_p_256_are_refused() {
    let mut small = [0; 32];
    small[8..].copy_from_slice(&[0x5a; 24]);
    let mut one = [0; 32];
    one[31] = 1;
    let last = difference(&P256_ORDER, &one);
    let near = difference(&P256_ORDER, &small);
    assert_eq!(of_scalar(&[0; 32]), Err(Weakness::Small));
    assert_eq!(of_scalar(&one), Err(Weakness::Small));
    assert_eq!(of_scalar(&[9]), Err(Weakness::Small));
    assert_eq!(of_scalar(&small), Err(Weakness::Small));
    assert_eq!(of_scalar(&last), Err(Weakness::Largest));
    assert_eq!(of_scalar(&near), Err(Weakness::Largest));
    assert_eq!(of_scalar(&[0x11; 32]), Err(Weakness::Pattern("it is one byte, repeated")));
}

// The private number one: its point is the generator.
#[test]
fn the_generator_is_nobodys_key() {
    let (x, y) = ("axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY", "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU");
    let mut one = [0; 32];
    one[31] = 1;
    let jwk = json!({"kty": "EC", "crv": "P-256", "d": base64url::encode(&one), "x": x, "y": y}).to_string();
    assert!(found(Algorithm::Es256, &jwk).unwrap_err().contains("small number"));
    let head =
        b"\x30\x41\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    let inner = [&b"\x04\x27\x30\x25\x02\x01\x01\x04\x20"[..], &one].concat();
    assert!(found(Algorithm::Es256, &pem(&[&head[..], &inner].concat())).unwrap_err().contains("small number"));
}

#[test]
fn keys_printed_in_standards_are_refused_with_their_place() {
    for (algorithm, jwk, place) in [
        // RFC 8037 appendix A.1.
        (
            Algorithm::EdDsa,
            json!({"kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
                   "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
            "RFC 8037",
        ),
        // RFC 7515 appendix A.3.
        (
            Algorithm::Es256,
            json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                   "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                   "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}),
            "RFC 7515",
        ),
    ] {
        let said = found(algorithm, &jwk.to_string()).unwrap_err();
        assert!(said.contains(place) && said.contains("printed"), "{said}");
    }
    assert_eq!(ImportFault::Weak(Weakness::Printed("x")).rule(), Some("IMPORT-PRINTED"));
}

#[test]
fn keys_that_were_drawn_pass() {
    for (algorithm, times) in [(Algorithm::EdDsa, 50), (Algorithm::Es256, 20), (Algorithm::Rs256, 2)] {
        for _ in 0..times {
            let key = SecretKey::generate(algorithm, RsaBits::Two).unwrap();
            assert_eq!(found(algorithm, &key.expose_pkcs8_pem().unwrap()), Ok(()));
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, more: Vec<u8>) {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
            let _ = of_pkcs8(algorithm, &bytes);
        }
        let _ = (of_scalar(&bytes), of_seed(&bytes), of_rsa(&bytes, &more, &bytes, &more));
        prop_assert_eq!(scalar(&bytes).is_some() && bytes.is_empty(), false);
    }
}
