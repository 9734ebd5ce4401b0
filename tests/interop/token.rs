//! A compact JWS as text, and twins of it with one thing changed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// A token in compact form.
#[derive(Clone, Debug)]
pub struct Token {
    header: String,
    payload: String,
    signature: String,
}

impl Token {
    /// Takes a token apart; panics unless it has three parts.
    pub fn new(text: &str) -> Self {
        let mut parts = text.split('.').map(str::to_owned);
        let mut part = || parts.next().expect("three parts");
        let token = Self { header: part(), payload: part(), signature: part() };
        assert!(parts.next().is_none(), "three parts");
        token
    }

    /// The compact form.
    pub fn text(&self) -> String {
        format!("{}.{}", self.signing_input(), self.signature)
    }

    /// What is signed (RFC 7515 §5.1).
    pub fn signing_input(&self) -> String {
        format!("{}.{}", self.header, self.payload)
    }

    /// The signature's bytes.
    pub fn signature(&self) -> Vec<u8> {
        decoded(&self.signature)
    }

    /// The header, unverified.
    pub fn header(&self) -> Value {
        serde_json::from_slice(&decoded(&self.header)).expect("header")
    }

    /// The claims, unverified.
    pub fn claims(&self) -> Value {
        serde_json::from_slice(&decoded(&self.payload)).expect("claims")
    }

    /// The same with the last digit of `exp` changed: still live, still well-formed.
    pub fn with_payload_byte_changed(&self) -> Self {
        let mut payload = decoded(&self.payload);
        let exp = self.claims()["exp"].as_u64().expect("exp").to_string();
        let at = find(&payload, exp.as_bytes()) + exp.len() - 1;
        payload[at] = if payload[at] == b'0' { b'1' } else { payload[at] - 1 };
        Self { payload: URL_SAFE_NO_PAD.encode(payload), ..self.clone() }
    }

    /// The same with one bit in the middle of the signature changed.
    pub fn with_signature_byte_changed(&self) -> Self {
        let mut signature = self.signature();
        let middle = signature.len() / 2;
        signature[middle] ^= 1;
        Self { signature: URL_SAFE_NO_PAD.encode(signature), ..self.clone() }
    }

    /// The same with another `alg` in its header.
    pub fn with_algorithm(&self, algorithm: &str) -> Self {
        let mut header = self.header();
        header["alg"] = algorithm.into();
        Self { header: URL_SAFE_NO_PAD.encode(header.to_string()), ..self.clone() }
    }

    /// The same with `alg: none` and no signature.
    pub fn unsigned(&self) -> Self {
        Self { signature: String::new(), ..self.with_algorithm("none") }
    }

    /// Waits until the token has expired for a verifier without leeway.
    pub fn wait_until_expired(&self) {
        let end = Duration::from_secs(self.claims()["exp"].as_u64().expect("exp") + 2);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("clock");
        let left = end.saturating_sub(now);
        assert!(left < Duration::from_secs(10), "not a short-lived token");
        std::thread::sleep(left);
    }
}

fn decoded(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).expect("base64url")
}

fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).expect("bytes to change")
}
