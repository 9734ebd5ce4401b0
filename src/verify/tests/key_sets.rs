//! Key sets handed in by others, and every form in which a key travels.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod signers;

use coldsign_verify::jws::Sign as _;
use coldsign_verify::{Algorithm, Jwks, KeyError, PublicKey};
use serde_json::{Value, json};
use signers::{ED25519, Key};

fn parse(keys: &[Value]) -> Result<Jwks, String> {
    Jwks::parse(json!({ "keys": keys }).to_string().as_bytes()).map_err(|error| error.to_string())
}

fn jwk(key: &Key) -> Value {
    key.public().to_jwk(key.kid())
}

#[test]
fn every_form_of_a_key_leads_back_to_it() {
    for key in signers::all() {
        let (public, algorithm) = (key.public(), key.algorithm());
        assert_eq!(PublicKey::from_spki_der(algorithm, &public.to_spki_der()), Ok(public.clone()));
        assert_eq!(PublicKey::from_spki_pem(algorithm, &public.to_spki_pem()), Ok(public.clone()));
        let jwk = jwk(key);
        assert_eq!((&jwk["use"], &jwk["alg"]), (&json!("sig"), &json!(algorithm.name())));
        let read = PublicKey::from_jwk(jwk.to_string().as_bytes()).unwrap();
        assert_eq!(read, (public.clone(), Some(key.kid().to_owned())));
        assert_eq!(read.0.thumbprint(), key.kid());
        assert_eq!(key.kid().len(), 43);
        for other in Algorithm::ALL {
            let as_other = PublicKey::from_spki_der(other, &public.to_spki_der());
            match (other, algorithm) {
                (Algorithm::Ed25519, Algorithm::EdDsa) => assert_ne!(as_other.unwrap(), public),
                (other, algorithm) if other == algorithm => {}
                _ => assert_eq!(as_other, Err(KeyError::Spki { algorithm: other })),
            }
        }
    }
}

#[test]
fn a_set_of_every_algorithm_is_read_in_order() {
    let keys = signers::all();
    let jwks = parse(&keys.iter().map(|key| jwk(key)).collect::<Vec<_>>()).unwrap();
    let kids: Vec<&str> = jwks.keys().map(|entry| entry.kid.as_str()).collect();
    assert_eq!(kids, keys.iter().map(|key| key.kid()).collect::<Vec<_>>());
    assert_eq!(Jwks::parse(jwks.to_json().to_string().as_bytes()).unwrap().to_json(), jwks.to_json());
}

#[test]
fn private_halves_are_refused_whoever_they_belong_to() {
    for key in signers::all() {
        assert!(parse(&[jwk(key)]).is_ok());
        for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
            let mut private = jwk(key);
            private[member] = json!("AQAB");
            let error = parse(&[private]).unwrap_err();
            assert!(error.contains(&format!("private member \"{member}\"")), "{error}");
        }
    }
    let error = parse(&[jwk(&ED25519), json!({"kty": "oct", "kid": "s", "alg": "HS256"})]).unwrap_err();
    assert_eq!(error, "key 2 of the set: the JWK is a symmetric key");
    assert!(parse(&[jwk(&ED25519), json!({"kty": "oct", "kid": "s", "k": "AA"})]).is_err());
}

#[test]
fn duplicates_in_a_set() {
    let good = jwk(&ED25519).to_string();
    assert!(Jwks::parse(format!("{{\"keys\":[{good}]}}").as_bytes()).is_ok());
    let kid_twice = good.replacen('{', "{\"\\u006bid\":\"x\",", 1);
    for text in [
        format!("{{\"keys\":[{good},{good}]}}"),
        format!("{{\"keys\":[],\"keys\":[{good}]}}"),
        format!("{{\"keys\":[{kid_twice}]}}"),
        format!("\u{feff}{{\"keys\":[{good}]}}"),
        format!("{{\"keys\":[{good}]}}x"),
        format!("{{\"keys\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000)),
    ] {
        assert!(Jwks::parse(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn weak_ed25519_keys() {
    let key = |hex: &str| {
        let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
        PublicKey::ed25519(Algorithm::EdDsa, &bytes)
    };
    for small in [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    ] {
        assert_eq!(key(small), Err(KeyError::SmallOrder), "{small}");
    }
    for not_canonical in [
        "0100000000000000000000000000000000000000000000000000000000000080",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "0200000000000000000000000000000000000000000000000000000000000000",
    ] {
        assert_eq!(key(not_canonical), Err(KeyError::NotAPoint { algorithm: Algorithm::EdDsa }), "{not_canonical}");
    }
    assert!(key("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").is_ok());
    let length = |found| Err(KeyError::Length { algorithm: Algorithm::EdDsa, expected: 32, found });
    assert_eq!(PublicKey::ed25519(Algorithm::EdDsa, &[9; 31]), length(31));
    assert_eq!(PublicKey::ed25519(Algorithm::EdDsa, &[9; 33]), length(33));
    assert_eq!(
        PublicKey::ed25519(Algorithm::Es256, &[9; 32]),
        Err(KeyError::NotForEd25519 { algorithm: Algorithm::Es256 })
    );
}

#[cfg(feature = "aws-lc")]
#[test]
fn p256_points_are_on_the_curve_and_uncompressed() {
    let point = signers::ES256.public().to_spki_der().split_off(26);
    assert_eq!(PublicKey::p256(&point).unwrap(), signers::ES256.public());
    let not_a_point = Err(KeyError::NotAPoint { algorithm: Algorithm::Es256 });
    let mut off = point.clone();
    off[64] ^= 1;
    assert_eq!(PublicKey::p256(&off), not_a_point);
    for form in [0x00, 0x02, 0x03, 0x05, 0x06, 0x07] {
        let mut other = point.clone();
        other[0] = form;
        assert_eq!(PublicKey::p256(&other), not_a_point);
    }
    assert_eq!(PublicKey::p256(&[&[4], &[0; 64][..]].concat()), not_a_point);
    assert_eq!(PublicKey::p256(&[&[4], &[0xff; 64][..]].concat()), not_a_point);
    // The compressed form names the same point, but one key has one encoding here.
    let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
    assert!(matches!(PublicKey::p256(&compressed), Err(KeyError::Length { found: 33, .. })));
    assert!(matches!(PublicKey::p256(&[0]), Err(KeyError::Length { found: 1, .. })));
    // A coordinate is always 32 octets, also where its first are zero.
    let mut short = jwk(&signers::ES256);
    short["x"] = json!(coldsign_verify::base64url::encode(&point[2..33]));
    assert!(parse(&[short]).unwrap_err().contains("31 octets"));
}

#[cfg(feature = "aws-lc")]
#[test]
fn rsa_keys_have_honest_numbers() {
    let good = [&[0x80], &[0x55; 254][..], &[1]].concat();
    assert_eq!(good.len() * 8, 2048);
    assert!(PublicKey::rsa(&good, &[1, 0, 1]).is_ok());
    for exponent in
        [&[][..], &[0], &[1], &[3], &[17], &[0xff, 0xff], &[1, 0, 0], &[1, 0, 2], &[0, 1, 0, 1], &[1, 0, 0, 0, 1]]
    {
        assert_eq!(PublicKey::rsa(&good, exponent), Err(KeyError::RsaExponent), "{exponent:?}");
    }
    for exponent in [&[1, 0, 3][..], &[0xff, 0xff, 0xff, 0xff]] {
        assert!(PublicKey::rsa(&good, exponent).is_ok(), "{exponent:?}");
    }
    let rsa = |modulus: &[u8]| PublicKey::rsa(modulus, &[1, 0, 1]);
    assert_eq!(rsa(&[&[0x7f], &good[1..]].concat()), Err(KeyError::RsaBits { bits: 2047 }));
    assert_eq!(rsa(&[0x81; 128]), Err(KeyError::RsaBits { bits: 1024 }));
    assert_eq!(rsa(&[&[1], &[0x55; 512][..]].concat()), Err(KeyError::RsaBits { bits: 4097 }));
    assert!(rsa(&[0xa5; 512]).is_ok());
    assert_eq!(rsa(&[]), Err(KeyError::RsaBits { bits: 0 }));
    assert_eq!(rsa(&[&[0], &good[..]].concat()), Err(KeyError::RsaModulus));
    assert_eq!(rsa(&[&good[..255], &[2]].concat()), Err(KeyError::RsaModulus));
}

#[cfg(not(feature = "aws-lc"))]
#[test]
fn what_is_not_built_in_is_named_and_skipped() {
    let refused = |algorithm| Err(KeyError::NotBuiltIn { algorithm });
    assert_eq!(PublicKey::p256(&[4; 65]), refused(Algorithm::Es256));
    assert_eq!(PublicKey::rsa(&[0xa5; 256], &[1, 0, 1]), refused(Algorithm::Rs256));
    let ec = json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "ec"});
    let rsa = json!({"kty": "RSA", "n": "AA", "e": "AQAB", "kid": "rsa"});
    let jwks = parse(&[ec, jwk(&ED25519), rsa]).unwrap();
    assert_eq!(jwks.keys().len(), 1);
    let why: Vec<String> = jwks.skipped().iter().map(|skipped| skipped.why.to_string()).collect();
    assert_eq!(why, ["ES256 is not built in", "RS256 is not built in"]);
}
