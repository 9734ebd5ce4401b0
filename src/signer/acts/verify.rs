//! `token verify`: the answer a service would give.

use super::foreign::kids_for;
use super::issue::{expectations, service_of};
use super::series::installed;
use super::{Denied, Store, told};
use crate::issuing::policy::Consumer;
use crate::keystore::KeyRecord;
use crate::publishing::{ServiceSheet, verify_folder};
use crate::refusal::{Refusal, Refuse};
use crate::storage::{Directory, StorageFault, folder_above, holds_file};
use coldsign_verify::{Jwks, UnixTime, VerifiedToken, Verifier};
use std::collections::BTreeMap;
use std::path::Path;

const LARGEST: u64 = 1 << 20;

/// A verifier as a service of this store would set it up, with the keys a publication made now
/// would hold.
///
/// # Errors
/// [`Denied::NoService`].
pub fn verifier_of_store(store: &Store, service: &str, now: u64) -> Result<Verifier, Refusal> {
    let policy = told::policy(store, now)?;
    let service = service_of(&policy, service)?;
    let keys = store.ledger().keys.of_keyset(&service.keyset);
    // A service that reads one key has the one that is installed.
    let one = (service.consumer == Consumer::SingleKey).then(|| installed(store, service).map(|key| key.kid.as_str()));
    let held = |key: &&KeyRecord| one.map_or_else(|| key.published_at(now), |one| one == Some(key.kid.as_str()));
    let named =
        |key: &KeyRecord| kids_for(service, key).into_iter().map(|kid| (kid, key.public.clone())).collect::<Vec<_>>();
    let set = keys.filter(held).flat_map(named);
    let jwks = Jwks::new(set)
        .map_err(|error| Denied::Damaged { file: "journal/entries.jsonl".to_owned(), what: error.to_string() })?;
    Ok(Verifier::new(jwks, expectations(store, &policy, service, now)?))
}

/// A verifier from a published `for-<service>` folder alone. Where `SHA256SUMS` lies beside the
/// folder, the whole publication must match it.
///
/// # Errors
/// [`NotPublished`], or as its files refuse.
pub fn verifier_of_folder(folder: &Path) -> Result<(Verifier, ServiceSheet), Refusal> {
    if let Some((whole, _)) = folder_above(folder)
        && holds_file(&whole, "SHA256SUMS")
    {
        let files = whole_publication(&whole)?;
        verify_folder(&files).map_err(|differences| NotPublished {
            folder: whole.display().to_string(),
            differences: differences.iter().map(ToString::to_string).collect(),
        })?;
    }
    let directory = Directory::open(folder)?;
    let sheet = ServiceSheet::parse(&directory.read("service.json", LARGEST)?)?;
    let verifier = Verifier::new(sheet.jwks()?, sheet.expectations()?);
    Ok((verifier, sheet))
}

/// The verifier's answer.
///
/// # Errors
/// [`TokenRefused`].
pub fn verify(verifier: &Verifier, token: &[u8], now: u64) -> Result<VerifiedToken, Refusal> {
    let text = std::str::from_utf8(super::inspect::bare(token)).unwrap_or("\u{fffd}");
    verifier.verify(text, UnixTime(now)).map_err(|refusal| TokenRefused(refusal).into())
}

fn whole_publication(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, StorageFault> {
    let (above, name) = folder_above(path).ok_or_else(|| StorageFault::Missing(path.to_owned()))?;
    Directory::open(&above)?.read_folder(&name, LARGEST)
}

/// A token that a service would refuse.
#[derive(Debug, thiserror::Error)]
#[error("the token is refused: {0}")]
pub struct TokenRefused(pub coldsign_verify::Refusal);

impl Refuse for TokenRefused {
    fn rule(&self) -> Option<&'static str> {
        Some(self.0.code())
    }
}

/// A publication that is not as it was made.
#[derive(Debug, thiserror::Error)]
#[error("{folder} is not as it was published")]
pub struct NotPublished {
    /// The publication.
    pub folder: String,
    /// What is missing, extra or changed, a line each.
    pub differences: Vec<String>,
}

impl Refuse for NotPublished {
    fn rule(&self) -> Option<&'static str> {
        Some("PUBLICATION-CHANGED")
    }

    fn why(&self) -> Vec<String> {
        self.differences.clone()
    }

    fn hint(&self) -> Option<String> {
        Some("coldsign publication list".to_owned())
    }
}
