//! Another library's word on a key: what we sign with it, jsonwebtoken must accept.

use super::{KeystoreFault, SecretKey};
use coldsign_verify::jws::Sign;
use coldsign_verify::{Algorithm, base64url};
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::Value;

/// Signs a token that grants nothing, and has jsonwebtoken check it against the public JWK.
///
/// # Errors
/// [`KeystoreFault::Operation`] where the two disagree.
pub fn second_opinion(key: &SecretKey) -> Result<(), KeystoreFault> {
    let disagreed = |_| KeystoreFault::Operation("checking a key with a second library");
    let mut jwk = key.public().to_jwk(key.kid());
    let (name, algorithm) = match key.public().algorithm() {
        // jsonwebtoken does not know RFC 9864's name for the same signature.
        Algorithm::EdDsa | Algorithm::Ed25519 => ("EdDSA", jsonwebtoken::Algorithm::EdDSA),
        Algorithm::Es256 => ("ES256", jsonwebtoken::Algorithm::ES256),
        Algorithm::Rs256 => ("RS256", jsonwebtoken::Algorithm::RS256),
    };
    if let Some(members) = jwk.as_object_mut() {
        members.insert("alg".to_owned(), name.into());
    }
    let jwk: jsonwebtoken::jwk::Jwk =
        serde_json::from_value(jwk).map_err(|_| KeystoreFault::Operation("reading a key with a second library"))?;
    let header = format!(r#"{{"alg":"{name}","kid":"{}","typ":"probe+jwt"}}"#, key.kid());
    let input = format!("{}.{}", base64url::encode(header.as_bytes()), base64url::encode(br#"{"purpose":"probe"}"#));
    let signature = key.sign(input.as_bytes()).map_err(|_| KeystoreFault::Operation("signing"))?;
    let token = format!("{input}.{}", base64url::encode(&signature));
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let public = DecodingKey::from_jwk(&jwk).map_err(disagreed)?;
    jsonwebtoken::decode::<Value>(&token, &public, &validation).map_err(disagreed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keystore::RsaBits;

    #[test]
    fn the_second_library_takes_every_algorithm() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Ed25519, Algorithm::Es256, Algorithm::Rs256] {
            second_opinion(&SecretKey::generate(algorithm, RsaBits::Two).unwrap()).unwrap();
        }
    }
}
