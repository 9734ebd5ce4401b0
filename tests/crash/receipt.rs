//! A receipt for the store in a folder, by a machine that has installed its first publication.

use coldsign_verify::jws::{Sign, SignFailure};
use coldsign_verify::trust::{Publication, TrustStore};
use coldsign_verify::{Algorithm, Digest, PublicKey, UnixTime, receipt};
use ed25519_dalek::{Signer, SigningKey};
use std::fs;
use std::path::Path;

struct Key(SigningKey, String);

impl Sign for Key {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDsa
    }

    fn kid(&self) -> &str {
        &self.1
    }

    fn sign(&self, signing_input: &[u8]) -> Result<Vec<u8>, SignFailure> {
        Ok(self.0.sign(signing_input).to_bytes().to_vec())
    }
}

/// Writes `receipt.jwt`, and gives its key's fingerprint.
pub fn of_a_machine(folder: &Path) -> String {
    let key = SigningKey::from_bytes(&[7; 32]);
    let public = PublicKey::ed25519(Algorithm::EdDsa, key.verifying_key().as_bytes()).unwrap();
    let key = Key(key, public.thumbprint());
    let stick = folder.join("store/publications/000001");
    let root = fs::read(stick.join("root.1.json")).unwrap();
    let machine = tempfile::tempdir().unwrap();
    let now = UnixTime(crate::world::now());
    let mut trust = TrustStore::pin(machine.path(), "api-1", &root, &Digest::of(&root)).unwrap();
    let publication = Publication::at(&stick);
    let accepted = trust.examine(&publication, now).unwrap();
    trust.install(&accepted, now).unwrap();
    fs::write(folder.join("receipt.jwt"), trust.receipt(&public, &key, now).unwrap()).unwrap();
    receipt::fingerprint(&public).to_string()
}
