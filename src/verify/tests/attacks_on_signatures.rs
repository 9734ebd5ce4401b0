//! Known attacks on signatures, each beside a well-formed twin that must pass.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod signers;
mod verdict;

use coldsign_verify::base64url;
use coldsign_verify::jws::{self, Sign as _};
use proptest::prelude::*;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use signers::{ED25519, Key, NOW, claims, parts, with_signature};
use verdict::{accepted, code, verifier};

#[test]
fn hmac_keyed_with_public_material() {
    for key in signers::all() {
        accepted(key, &key.sign_claims(&claims()));
        let public = key.public();
        let pem = public.to_spki_pem();
        let jwk = public.to_jwk(key.kid());
        // What follows the headers of a SubjectPublicKeyInfo: the bare Ed25519 key, the bare P-256 point.
        let bare = |header: usize| public.to_spki_der().split_off(header);
        let secrets: [Vec<u8>; 10] = [
            pem.clone().into_bytes(),
            pem.trim().as_bytes().to_vec(),
            format!("  \n{pem}").into_bytes(),
            public.to_spki_der(),
            bare(12),
            bare(26),
            jwk.to_string().into_bytes(),
            format!("\t {jwk}").into_bytes(),
            json!({ "keys": [jwk] }).to_string().into_bytes(),
            Vec::new(),
        ];
        for secret in secrets {
            for alg in ["HS256", key.algorithm().name()] {
                let mut header = key.header();
                header["alg"] = alg.into();
                let input = format!(
                    "{}.{}",
                    base64url::encode(header.to_string().as_bytes()),
                    base64url::encode(claims().to_string().as_bytes())
                );
                let token = format!("{input}.{}", base64url::encode(&hmac_sha256(&secret, input.as_bytes())));
                let expected = if alg == "HS256" { "TOKEN-ALGORITHM" } else { "TOKEN-SIGNATURE" };
                assert_eq!(code(key, &token), expected);
            }
        }
    }
}

#[test]
fn base64_that_is_not_canonical() {
    for key in signers::all() {
        let token = key.sign_claims(&claims());
        accepted(key, &token);
        for wrong in [
            format!("{token}="),
            format!("{token}=="),
            format!("{token} "),
            format!("{token}\n"),
            format!("\t{token}"),
            token.replacen('.', "=.", 1),
            token.replacen('e', "%65", 1),
            token.replacen('e', "é", 1),
        ] {
            assert_eq!(code(key, &wrong), "TOKEN-CHARACTER");
        }
    }
    // 64 bytes leave four unused bits in the last character: each other value of them is refused.
    let token = ED25519.sign_claims(&claims());
    let last = token.chars().last().unwrap();
    let others = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).filter(|other| *other != last);
    for other in others {
        let wrong = format!("{}{other}", &token[..token.len() - 1]);
        assert!(matches!(code(&ED25519, &wrong), "TOKEN-BASE64URL" | "TOKEN-SIGNATURE"));
    }
}

#[test]
fn ed25519_signatures_have_one_form() {
    let key: &Key = &ED25519;
    let token = key.sign_claims(&claims());
    accepted(key, &token);
    let signature = parts(&token).1;
    // s + L verifies wherever s is not checked against the group order L.
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut malleable = signature.clone();
    let mut carry = 0;
    for (byte, order) in malleable[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    let mut small_order_r = [0; 64];
    small_order_r[0] = 1;
    for wrong in [&malleable[..], &small_order_r, &[0; 64], &signature[..63], &[signature.as_slice(), &[0]].concat()] {
        assert_eq!(code(key, &with_signature(&token, wrong)), "TOKEN-SIGNATURE");
    }
}

#[cfg(feature = "aws-lc")]
#[test]
fn es256_signatures_are_two_numbers_in_range() {
    const N: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let key: &Key = &signers::ES256;
    let token = key.sign_claims(&claims());
    accepted(key, &token);
    let signature = parts(&token).1;
    let (r, s) = signature.split_at(32);
    let number = |number: &[u8]| {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let sign: &[u8] = if number[zeros] >= 0x80 { &[0] } else { &[] };
        [&[2, (32 - zeros + sign.len()) as u8], sign, &number[zeros..]].concat()
    };
    let body = [number(r), number(s)].concat();
    let der = [&[0x30, body.len() as u8], body.as_slice()].concat();
    for wrong in [
        vec![0; 64],
        [&[0; 32], s].concat(),
        [r, &[0; 32]].concat(),
        [&N, s].concat(),
        [r, &N].concat(),
        [&N[..], &N].concat(),
        vec![0xff; 64],
        [&[0], r, &[0], s].concat(),
        [r, s, &[0]].concat(),
        [&[0], r, s].concat(),
        signature[..63].to_vec(),
        [s, r].concat(),
        der,
    ] {
        assert_eq!(code(key, &with_signature(&token, &wrong)), "TOKEN-SIGNATURE");
    }
}

#[cfg(feature = "aws-lc")]
#[test]
fn rs256_signatures_are_as_long_as_the_modulus() {
    let key: &Key = &signers::RS256;
    let token = key.sign_claims(&claims());
    accepted(key, &token);
    let signature = parts(&token).1;
    for wrong in [vec![0; 256], vec![0xff; 256], [&[0], &signature[..]].concat(), signature[1..].to_vec(), {
        let mut one = vec![0; 256];
        one[255] = 1;
        one
    }] {
        assert_eq!(code(key, &with_signature(&token, &wrong)), "TOKEN-SIGNATURE");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_token_with_one_byte_changed_is_refused(position: prop::sample::Index, byte in 0_u8..128, which: prop::sample::Index) {
        let keys = signers::all();
        let key = keys[which.index(keys.len())];
        let mut token = key.sign_claims(&claims()).into_bytes();
        let position = position.index(token.len());
        prop_assume!(token[position] != byte);
        token[position] = byte;
        let token = String::from_utf8(token).unwrap();
        prop_assert!(verifier(key).verify(&token, NOW).is_err());
        let _ = jws::inspect(token.as_bytes());
    }

    #[test]
    fn no_claims_panic(payload: Vec<u8>) {
        let token = ED25519.sign_parts(ED25519.header().to_string().as_bytes(), &payload);
        prop_assert!(verifier(&ED25519).verify(&token, NOW).is_err());
    }
}

fn hmac_sha256(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    if secret.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(secret));
    } else {
        block[..secret.len()].copy_from_slice(secret);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().to_vec()
}
