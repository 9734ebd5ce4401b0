//! The file around a root: its payload and signatures as RFC 7515 §7.2.1 lays them out.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Fault, LONGEST, MOST_KEYS, TYP, Terms};
use crate::algorithm::Algorithm;
use crate::base64url;
use crate::digest::Digest;
use crate::json;
use crate::jws::{self, Malformed, Sign, SignFailure};
use crate::key::PublicKey;
use crate::members::{MemberFault, Members};

/// A root file taken apart, its signatures not yet held against anybody's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unverified {
    terms: Terms,
    payload: String,
    payload_digest: Digest,
    signatures: Vec<Signature>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    kid: String,
    protected: String,
    signature: Vec<u8>,
}

impl Unverified {
    /// What it says; believed by nobody yet.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The SHA-256 of the payload as it is signed: the same whoever has signed it so far, so that
    /// custodians can tell each other what they sign.
    pub fn payload_digest(&self) -> Digest {
        self.payload_digest
    }

    /// The thumbprints of those of `keys` whose signature is here and holds; none counts twice.
    pub fn signers<'k>(&self, keys: impl IntoIterator<Item = &'k PublicKey>) -> BTreeSet<String> {
        let signed = |key: &PublicKey, kid: &str| {
            self.signatures.iter().any(|signature| {
                let input = format!("{}.{}", signature.protected, self.payload);
                signature.kid == kid && key.verify(input.as_bytes(), &signature.signature).is_ok()
            })
        };
        keys.into_iter()
            .map(|key| (key, key.thumbprint()))
            .filter(|(key, kid)| signed(key, kid))
            .map(|it| it.1)
            .collect()
    }

    pub(super) fn check_threshold(&self, of: &Terms) -> Result<(), Fault> {
        let found = self.signers(&of.root_keys).len();
        if found >= of.threshold {
            return Ok(());
        }
        Err(Fault::Threshold {
            root_version: self.terms.root_version,
            of_version: of.root_version,
            found,
            threshold: of.threshold,
            of: of.root_keys.len(),
        })
    }

    pub(super) fn into_terms(self) -> Terms {
        self.terms
    }

    fn to_text(&self) -> String {
        let signatures: Vec<Value> = self
            .signatures
            .iter()
            .map(|it| json!({ "protected": it.protected, "signature": base64url::encode(&it.signature) }))
            .collect();
        format!("{}\n", json!({ "payload": self.payload, "signatures": signatures }))
    }
}

/// Takes a root file apart strictly; whose signatures it has is for [`Root`](super::Root) to judge.
pub fn parse(bytes: &[u8]) -> Result<Unverified, Fault> {
    if bytes.len() > LONGEST {
        return Err(Fault::TooLong { length: bytes.len() });
    }
    let mut members = Members::of(json::parse_object(bytes)?);
    let payload = members.text("payload").map_err(Fault::Form)?;
    let items = members.array("signatures", MOST_KEYS).map_err(Fault::Form)?;
    members.end().map_err(Fault::Form)?;
    let decoded = base64url::decode(&payload)
        .map_err(|_| Fault::Form(MemberFault::new("payload", "not canonical unpadded base64url")))?;
    let mut signatures = Vec::new();
    for (position, item) in items.iter().enumerate() {
        signatures.push(read_signature(position, item.as_object(), &payload)?);
    }
    let payload_digest = Digest::of(&decoded);
    Ok(Unverified { terms: Terms::from_payload(&decoded)?, payload, payload_digest, signatures })
}

/// RFC 7515 §7.2.1 without the unprotected `header`: nothing unsigned is read.
fn read_signature(position: usize, item: Option<&Map<String, Value>>, payload: &str) -> Result<Signature, Fault> {
    let item = item.ok_or_else(|| Fault::Form(MemberFault::new("signatures", "not an array of objects")))?;
    let mut members = Members::of(item.clone());
    let protected = members.text("protected").map_err(Fault::Form)?;
    let signature = members.text("signature").map_err(Fault::Form)?;
    members.end().map_err(Fault::Form)?;
    // Each signature is a compact JWS over the same payload, and held to the same rules.
    let whole = format!("{protected}.{payload}.{signature}");
    let compact = jws::parse_of_any_length(&whole).map_err(|source| Fault::Header { position, source })?;
    if compact.typ() != Some(TYP) {
        return Err(Fault::Type { position, found: compact.typ().map(str::to_owned) });
    }
    // A signature that can't count for any key of a root has no business in it.
    if compact.algorithm() != Algorithm::EdDsa {
        let source = Malformed::Algorithm { name: compact.algorithm().to_string() };
        return Err(Fault::Header { position, source });
    }
    let kid =
        compact.kid().ok_or(Fault::Header { position, source: Malformed::KidLength { characters: 0 } })?.to_owned();
    Ok(Signature { kid, protected, signature: compact.signature().to_vec() })
}

/// The root file of these terms, signed by each of `signers` in turn. Custodians of the root
/// before must be among them, or [`add`](add_signature) theirs.
///
/// # Errors
/// When no reader would accept the terms, or a key doesn't sign.
pub fn sign(terms: &Terms, signers: &[&dyn Sign]) -> Result<String, Fault> {
    let decoded = terms.to_payload()?;
    let (payload, payload_digest) = (base64url::encode(&decoded), Digest::of(&decoded));
    let mut file = Unverified { terms: terms.clone(), payload, payload_digest, signatures: Vec::new() };
    for signer in signers {
        file = signed_also(file, *signer)?;
    }
    Ok(file.to_text())
}

/// The same root file with one more signature. The fingerprint changes with it: a root is
/// published when all have signed, and never changed then.
///
/// # Errors
/// When the file is no root, or the key has signed it already or doesn't sign.
pub fn add_signature(file: &[u8], signer: &dyn Sign) -> Result<String, Fault> {
    Ok(signed_also(parse(file)?, signer)?.to_text())
}

fn signed_also(mut file: Unverified, signer: &dyn Sign) -> Result<Unverified, Fault> {
    let kid = signer.kid().to_owned();
    if file.signatures.iter().any(|signature| signature.kid == kid) {
        return Err(Fault::SignedAlready { kid });
    }
    if signer.algorithm() != Algorithm::EdDsa {
        let reason = format!("roots are signed with EdDSA, not {}", signer.algorithm());
        return Err(SignFailure::Key { kid, reason }.into());
    }
    let payload = base64url::decode(&file.payload)
        .map_err(|_| Fault::Form(MemberFault::new("payload", "not canonical unpadded base64url")))?;
    let token = jws::assemble(signer, TYP, &payload)?;
    let compact = jws::parse_of_any_length(&token).map_err(|source| Fault::Header { position: 0, source })?;
    let protected = token.split('.').next().unwrap_or_default().to_owned();
    file.signatures.push(Signature { kid, protected, signature: compact.signature().to_vec() });
    // One order, whoever signed first: the same custodians make the same file.
    file.signatures.sort_by(|one, other| one.kid.cmp(&other.kid));
    Ok(file)
}
