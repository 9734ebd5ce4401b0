//! The crate `jsonwebtoken` accepts our tokens with our `jwks.json` and refuses each twin.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test: a panic is a failure")]

use coldsign_interop::{Specimens, Token, Twin};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

#[test]
fn jsonwebtoken_accepts_ours_and_refuses_twins() {
    let specimens = Specimens::new();
    // It doesn't know the name Ed25519.
    for (name, algorithm) in [("EdDSA", Algorithm::EdDSA), ("ES256", Algorithm::ES256), ("RS256", Algorithm::RS256)] {
        let service = Service::new(&specimens.configuration(name), algorithm);
        let good = specimens.good(name);
        assert_eq!(service.claims(good).unwrap(), good.claims(), "{name}");
        for (twin, token) in specimens.twins(name) {
            let refusal = service.claims(&token).expect_err(&format!("{name} {twin:?}"));
            assert!(is_for(&refusal, twin), "{name} {twin:?}: {refusal:?}");
        }
    }
}

struct Service {
    keys: JwkSet,
    validation: Validation,
}

#[derive(Debug)]
enum Refusal {
    NoSuchKey,
    By(ErrorKind),
}

impl Service {
    fn new(configuration: &Value, algorithm: Algorithm) -> Self {
        let text = |name: &str| configuration[name].as_str().unwrap();
        let mut validation = Validation::new(algorithm);
        validation.leeway = 0;
        validation.validate_nbf = true;
        validation.set_issuer(&[text("issuer")]);
        validation.set_audience(&[text("audience")]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        let keys = serde_json::from_slice(&std::fs::read(text("keys")).unwrap()).unwrap();
        Self { keys, validation }
    }

    fn claims(&self, token: &Token) -> Result<Value, Refusal> {
        let by = |error: jsonwebtoken::errors::Error| Refusal::By(error.into_kind());
        let header = decode_header(token.text()).map_err(by)?;
        let key = header.kid.and_then(|kid| self.keys.find(&kid)).ok_or(Refusal::NoSuchKey)?;
        let key = DecodingKey::from_jwk(key).unwrap();
        decode(token.text(), &key, &self.validation).map(|token| token.claims).map_err(by)
    }
}

fn is_for(refusal: &Refusal, twin: Twin) -> bool {
    match twin {
        Twin::PayloadByte | Twin::SignatureByte => matches!(refusal, Refusal::By(ErrorKind::InvalidSignature)),
        Twin::OtherAlgorithm => matches!(refusal, Refusal::By(ErrorKind::InvalidAlgorithm)),
        // It can't even name the algorithm.
        Twin::Unsigned => matches!(refusal, Refusal::By(ErrorKind::Json(_))),
        Twin::OtherAudience => matches!(refusal, Refusal::By(ErrorKind::InvalidAudience)),
        Twin::Expired => matches!(refusal, Refusal::By(ErrorKind::ExpiredSignature)),
        Twin::ForeignKey => matches!(refusal, Refusal::NoSuchKey),
    }
}
