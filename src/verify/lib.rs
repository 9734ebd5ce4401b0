//! Strict verification of access tokens (JWTs) against a key set that came by file.
//!
//! For a service that no network connects to the issuer: it holds the issuer's `jwks.json`,
//! says what it expects, and asks about each token. The crate opens no socket, reads no clock and
//! no environment, and holds no private key; [`trust`] alone touches files, those of its own folder
//! and of a publication handed to it.
//!
//! # A service in ten lines
//!
//! ```
//! use coldsign_verify::{Expectations, Jwks, UnixTime, Verifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Once, at start: in a service, std::fs::read("jwks.json")?
//! let jwks = br#"{"keys": [{
//!     "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
//!     "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
//!     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
//! }]}"#;
//! let expectations = Expectations::rfc9068("https://tokens.example.org", "https://api.example.org").leeway(60);
//! let verifier = Verifier::new(Jwks::parse(jwks)?, expectations);
//!
//! // For each request: what follows "Authorization: Bearer ", and
//! // UnixTime::try_from(std::time::SystemTime::now())?
//! let token = concat!(
//!     "eyJhbGciOiJFZERTQSIsImtpZCI6ImtQcktfcW14VldhWVZBOXd3QkY2SXVvM3ZWeno3VHhIQ1R3WEJ5Z3JTNGsi",
//!     "LCJ0eXAiOiJhdCtqd3QifQ.eyJpc3MiOiJodHRwczovL3Rva2Vucy5leGFtcGxlLm9yZyIsImF1ZCI6Imh0dHBzO",
//!     "i8vYXBpLmV4YW1wbGUub3JnIiwic3ViIjoid2FyZDciLCJjbGllbnRfaWQiOiJ3YXJkNyIsInNjb3BlIjoiZGF0Y",
//!     "TpyZWFkIiwianRpIjoiN2Q1YjZjMWUiLCJpYXQiOjE4MDAwMDAwMDAsIm5iZiI6MTgwMDAwMDAwMCwiZXhwIjoxO",
//!     "DAwMDQzMjAwfQ.iCo99VnwvE91JRe_mE9UvOaDGW2_I59RKCDDPMVOs799Sa7s8yTHu3Rj2fI2gnGzgXwIR4JKXd",
//!     "Mcwfv3in8rDQ",
//! );
//! let verified = verifier.verify(token, UnixTime(1_800_000_300))?;
//! assert_eq!(verified.subject(), Some("ward7"));
//! assert!(verified.scopes().any(|scope| scope == "data:read"));
//!
//! // A day later: the sender hears outward() and status 401, the log gets the rest.
//! let refusal = verifier.verify(token, UnixTime(1_800_086_400)).unwrap_err();
//! assert_eq!(refusal.outward(), "invalid_token");
//! assert_eq!(refusal.code(), "TOKEN-EXPIRED");
//! assert_eq!(refusal.to_string(), "token expired at 2027-01-15T20:00:00Z, it is 2027-01-16T08:00:00Z");
//! # Ok(())
//! # }
//! ```
//!
//! # What is checked, in this order
//!
//! 1. Form: at most 16 KiB, only base64url's characters, exactly three parts, canonical base64url.
//! 2. Header: strict JSON with `alg`, `kid`, `typ` and nothing else (`crit`, `jwk`, `jku`, `zip`… are
//!    refused); `typ` is the profile's.
//! 3. Key: exactly the one under `kid`, whose algorithm is the header's. Nothing else is tried.
//! 4. Signature. A bad one outranks whatever is wrong with the claims, which nobody has read yet.
//! 5. Claims: strict JSON, no member twice at any depth; types, `iss` and `aud` as exact strings;
//!    what the [`Profile`] demands and rules out; further claims by [`Expectations::claim`];
//!    `cnf` only when the caller enforces it; `exp`, `nbf`, `iat` as integers, and the longest validity.
//!
//! 6. Of a verifier from a published bundle: what has been [withdrawn](revocation). Such a verifier
//!    refuses everything once the bundle has expired.
//!
//! A verifier over a bare `jwks.json` knows nothing of single withdrawn tokens; a withdrawn key is
//! one that the key set no longer has.
//!
//! # Publications
//!
//! [`root`], [`bundle`], [`receipt`]: made and checked here, by the same code, so that nothing is
//! signed that no verifier would accept. [`trust::TrustStore`] is a verifier's memory: the root it
//! pinned, followed to the newest, and the last good bundle.
//!
//! # Features
//!
//! `aws-lc` (default): ES256 and RS256 over aws-lc, which needs a C compiler to build. Without it
//! Ed25519 alone, in Rust alone; a key set's keys of other algorithms are then
//! [skipped](Jwks::skipped), and a single one is refused by name ([`KeyError::NotBuiltIn`]).
//!
//! # For issuers
//!
//! [`jws::assemble`] makes a token over a [`jws::Sign`], which keeps its key to itself;
//! [`jws::inspect`] shows any token without believing it, and [`escape`] makes its text safe to show;
//! [`words`] are digests to read aloud.

// Building blocks, read through their module
pub mod base64url;
pub mod escape;
pub mod json;
pub mod jws;
pub mod words;

// Publications, read through their module
pub mod bundle;
pub mod receipt;
pub mod revocation;
pub mod root;
#[cfg(unix)]
pub mod trust;

// Files, for the trust store and for the programs around it
#[cfg(unix)]
pub mod files;

mod algorithm;
mod claims;
mod digest;
mod expectations;
mod jwk;
mod jwks;
mod key;
#[cfg(test)]
mod largest;
mod members;
mod refusal;
mod time;
#[cfg(test)]
mod vectors;
mod verifier;

// Keys
pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use jwk::{Foreign, JwkError, LONGEST_KID};
pub use jwks::{Jwks, JwksError, JwksKey, LONGEST_JWKS, SkippedKey};
pub use key::{BadSignature, KeyError, LARGEST_RSA_BITS, PublicKey, SMALLEST_RSA_BITS};

// Tokens
pub use digest::{Digest, NotADigest};
pub use expectations::{Expectations, Profile, UnknownProfile};
pub use members::MemberFault;
pub use refusal::Refusal;
pub use time::UnixTime;
pub use verifier::{VerifiedToken, Verifier};
