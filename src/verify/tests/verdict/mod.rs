//! What a verifier of RFC 9068 tokens says of a token.
#![allow(dead_code, reason = "each test crate uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use coldsign_verify::jws::Sign as _;
use coldsign_verify::{Expectations, Refusal, Verifier};

use super::signers::{AUDIENCE, ISSUER, Key, NOW};

pub fn verifier(key: &Key) -> Verifier {
    Verifier::new(key.jwks(), Expectations::rfc9068(ISSUER, AUDIENCE))
}

pub fn accepted(key: &Key, token: &str) {
    let verified = verifier(key).verify(token, NOW).unwrap();
    assert_eq!(verified.kid(), key.kid());
}

pub fn refused(key: &Key, token: &str) -> Refusal {
    match verifier(key).verify(token, NOW) {
        Err(refusal) => {
            assert_eq!(refusal.outward(), "invalid_token");
            refusal
        }
        Ok(_) => panic!("accepted: {token}"),
    }
}

pub fn code(key: &Key, token: &str) -> &'static str {
    refused(key, token).code()
}
