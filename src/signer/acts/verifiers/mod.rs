//! `verifier …`: the verifiers whose word counts, and what they say they have.

mod denied;
mod receipts;
pub mod record;
mod standing;

use super::denied::nearest;
use super::{Session, Store};
use crate::journal::Event;
use crate::refusal::Refusal;
use coldsign_verify::escape::escaped;
use coldsign_verify::receipt::{Receipt, fingerprint, is_verifier_name};
use coldsign_verify::{Algorithm, Digest, PublicKey};
use record::{VerifierAdded, VerifierRecord, VerifierRemoved};

pub use denied::{ReceiptDenied, VerifierDenied};
pub use receipts::{examine, take};
pub use standing::{Standing, must_confirm, standings, warnings};

/// A verifier to enrol: what was handed in, and what was read out.
pub struct Enrolment<'a> {
    /// Its name.
    pub name: &'a str,
    /// One of its receipts, or its public key as JWK or PEM.
    pub file: &'a [u8],
    /// The fingerprint as it was read out: hex, or 24 words.
    pub fingerprint: &'a str,
}

/// A verifier that counts, by its name.
///
/// # Errors
/// [`VerifierDenied::Unknown`].
pub fn find<'a>(store: &'a Store, name: &str) -> Result<&'a VerifierRecord, VerifierDenied> {
    let verifiers = &store.ledger().verifiers;
    verifiers.find(name).ok_or_else(|| {
        let enrolled = verifiers.enrolled();
        let nearest = nearest(name, enrolled.iter().map(|known| known.name.as_str()));
        VerifierDenied::Unknown { name: name.to_owned(), nearest }
    })
}

/// The key of a verifier that can be enrolled: its fingerprint is the one that was read out, and it
/// is nobody else's. Changes nothing.
///
/// # Errors
/// [`VerifierDenied`]; [`ReceiptDenied`] where the receipt is another's.
pub fn check_add(store: &Store, enrolment: &Enrolment<'_>) -> Result<PublicKey, Refusal> {
    let name = enrolment.name;
    if !is_verifier_name(name) {
        return Err(VerifierDenied::Name(name.to_owned()).into());
    }
    if store.ledger().verifiers.find(name).is_some() {
        return Err(VerifierDenied::Known(name.to_owned()).into());
    }
    let wanted = Digest::from_paper(enrolment.fingerprint).map_err(|_| VerifierDenied::FingerprintForm)?;
    let key = key_in(store, enrolment)?;
    let found = fingerprint(&key);
    if found != wanted {
        return Err(VerifierDenied::Fingerprint { found }.into());
    }
    let kid = key.thumbprint();
    let verifier = store.ledger().verifiers.by_kid(&kid).filter(|known| known.name != name);
    let own = store.ledger().keys.by_kid(&kid);
    if let Some(owner) = verifier.map(|known| known.name.clone()).or_else(|| own.map(|key| key.name())) {
        return Err(VerifierDenied::KeyKnown { owner }.into());
    }
    Ok(key)
}

/// Enrols a verifier: from now on its receipts are believed.
///
/// # Errors
/// As [`check_add`], or as the store refuses.
pub fn add(session: &mut Session, enrolment: &Enrolment<'_>) -> Result<VerifierRecord, Refusal> {
    let key = check_add(session.store(), enrolment)?;
    let kid = key.thumbprint();
    let added = VerifierAdded { verifier: enrolment.name.to_owned(), jwk: key.to_jwk(&kid), kid };
    session.record(&[added.line()])?;
    Ok(find(session.store(), enrolment.name)?.clone())
}

/// Removes a verifier: what it confirmed counts no longer, and its receipts are refused.
///
/// # Errors
/// [`VerifierDenied::Unknown`], or as the store refuses.
pub fn remove(session: &mut Session, name: &str, reason: Option<String>) -> Result<(), Refusal> {
    find(session.store(), name)?;
    session.record(&[VerifierRemoved { verifier: name.to_owned(), reason }.line()])
}

/// The receipt key in a file, whatever form it has.
fn key_in(store: &Store, enrolment: &Enrolment<'_>) -> Result<PublicKey, Refusal> {
    let none = |what: String| VerifierDenied::Key(what);
    let text = receipts::text(enrolment.file).map_err(|fault| none(fault.to_string()))?;
    let key = if text.trim_start().starts_with("-----") {
        PublicKey::from_spki_pem(Algorithm::EdDsa, text).map_err(|error| none(error.to_string()))?
    } else if text.trim_start().starts_with('{') {
        PublicKey::from_jwk(text.as_bytes()).map_err(|error| none(error.to_string()))?.0
    } else {
        let (receipt, key) = Receipt::introduce(text).map_err(|fault| none(fault.to_string()))?;
        let contents = receipt.contents();
        if contents.store != store.sheet().store_id {
            return Err(ReceiptDenied::Store { found: contents.store.clone() }.into());
        }
        if contents.verifier != enrolment.name {
            return Err(none(format!("it is a receipt of {}", escaped(&contents.verifier))).into());
        }
        key
    };
    if key.algorithm() != Algorithm::EdDsa {
        return Err(none(format!("it is for {}, a receipt key for EdDSA", key.algorithm())).into());
    }
    Ok(key)
}
