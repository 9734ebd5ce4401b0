//! The specimens for JOSE libraries and proxies: for each algorithm a good token and its tampered twins.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::appliance::{Appliance, Publication};
use crate::token::Token;
use crate::trial::{Trial, Verdict};

/// The algorithms of `policies/libraries.toml`; the service of each is its name in lower case.
pub const ALGORITHMS: [&str; 4] = ["EdDSA", "Ed25519", "ES256", "RS256"];

/// How a twin differs from the good token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Twin {
    /// One byte of the claims.
    PayloadByte,
    /// One bit of the signature.
    SignatureByte,
    /// The header names another asymmetric algorithm.
    OtherAlgorithm,
    /// `alg: none`, signature removed.
    Unsigned,
    /// Well signed by the same key, for another audience.
    OtherAudience,
    /// Well signed, no longer live.
    Expired,
    /// Well signed for the right audience, by a key that isn't published for this service.
    ForeignKey,
}

/// Tokens and published keys of every algorithm.
#[derive(Debug)]
pub struct Specimens {
    appliance: Appliance,
    publication: Publication,
    good: Vec<Token>,
    expired: Vec<Token>,
}

impl Specimens {
    /// Makes the store, issues and publishes.
    pub fn new() -> Self {
        let appliance = Appliance::new("libraries");
        let issue = |options: &[&str]| -> Vec<Token> {
            ALGORITHMS.iter().map(|algorithm| appliance.token(&grant(algorithm, ""), "ward-7", options)).collect()
        };
        let expired = issue(&["--lifetime", "1s"]);
        let good = issue(&["--lifetime", "1h"]);
        let publication = appliance.publish();
        expired.iter().for_each(Token::wait_until_expired);
        Self { appliance, publication, good, expired }
    }

    /// The token that has to be accepted.
    pub fn good(&self, algorithm: &str) -> &Token {
        &self.good[position(algorithm)]
    }

    /// Every twin of it.
    pub fn twins(&self, algorithm: &str) -> Vec<(Twin, Token)> {
        let good = self.good(algorithm);
        let other = if algorithm == "ES256" { "RS256" } else { "ES256" };
        vec![
            (Twin::PayloadByte, good.with_payload_byte_changed()),
            (Twin::SignatureByte, good.with_signature_byte_changed()),
            (Twin::OtherAlgorithm, good.with_algorithm(other)),
            (Twin::Unsigned, good.unsigned()),
            (Twin::OtherAudience, self.appliance.token(&grant(algorithm, "-other"), "ward-7", &[])),
            (Twin::Expired, self.expired[position(algorithm)].clone()),
            (Twin::ForeignKey, self.appliance.token(&grant(algorithm, "-foreign"), "ward-7", &[])),
        ]
    }

    /// The key set published for the algorithm's service.
    pub fn key_set(&self, algorithm: &str) -> PathBuf {
        self.publication.file(&algorithm.to_lowercase(), "jwks.json")
    }

    /// The PEM file published for the algorithm's service.
    pub fn pem(&self, algorithm: &str) -> PathBuf {
        self.publication.key_file(&algorithm.to_lowercase(), ".pem")
    }

    /// The good token and every twin, each for `verifier`, which has to name the twin's fault in the words of `said`.
    pub fn trials(&self, verifier: &str, algorithm: &str, said: fn(Twin) -> &'static str) -> Vec<Trial> {
        let request = |token: &Token| {
            let mut request = self.configuration(algorithm);
            request["verifier"] = verifier.into();
            request["token"] = token.text().into();
            request
        };
        let good = self.good(algorithm);
        let accepted = Trial::new(format!("{verifier} {algorithm}"), request(good), Verdict::Accept(good.claims()));
        let refused = self.twins(algorithm).into_iter().map(|(twin, token)| {
            Trial::new(format!("{verifier} {algorithm} {twin:?}"), request(&token), Verdict::Reject(said(twin)))
        });
        std::iter::once(accepted).chain(refused).collect()
    }

    /// What any verifier is configured with: `keys`, `algorithm`, `issuer`, `audience`, the last three from `service.json`.
    pub fn configuration(&self, algorithm: &str) -> Value {
        let service = self.publication.expectations(&algorithm.to_lowercase());
        assert_eq!(service["issuer"], self.appliance.issuer());
        json!({
            "keys": self.key_set(algorithm),
            "algorithm": service["algorithm"],
            "issuer": service["issuer"],
            "audience": service["audience"],
        })
    }
}

impl Default for Specimens {
    fn default() -> Self {
        Self::new()
    }
}

fn position(algorithm: &str) -> usize {
    ALGORITHMS.iter().position(|known| *known == algorithm).expect("one of ALGORITHMS")
}

fn grant(algorithm: &str, suffix: &str) -> String {
    format!("{}{suffix}/reader", algorithm.to_lowercase())
}
