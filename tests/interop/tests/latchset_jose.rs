//! The command `jose` (latchset) verifies our tokens with our `jwks.json`, for the algorithms it knows.

#![allow(clippy::unwrap_used, reason = "a test: a panic is a failure")]

use std::path::Path;
use std::process::Command;

use coldsign_interop::{Specimens, Token, Twin, on_path};
use serde_json::Value;

#[test]
fn jose_command_verifies_ours_and_refuses_twins() {
    let Some(jose) = on_path(&["jose"]) else { return };
    let specimens = Specimens::new();
    for algorithm in ["ES256", "RS256"] {
        let keys = specimens.key_set(algorithm);
        let good = specimens.good(algorithm);
        assert_eq!(verified(&jose, &keys, good), Some(good.claims()), "{algorithm}");
        for (twin, token) in specimens.twins(algorithm) {
            // It checks signatures and leaves claims to others.
            let claims = matches!(twin, Twin::OtherAudience | Twin::Expired).then(|| token.claims());
            assert_eq!(verified(&jose, &keys, &token), claims, "{algorithm} {twin:?}");
        }
    }
}

fn verified(jose: &Path, keys: &Path, token: &Token) -> Option<Value> {
    let folder = tempfile::tempdir().unwrap();
    let [input, payload] = ["token", "payload"].map(|name| folder.path().join(name));
    std::fs::write(&input, token.text()).unwrap();
    let status = Command::new(jose)
        .args(["jws", "ver", "-i"])
        .arg(&input)
        .arg("-k")
        .arg(keys)
        .arg("-O")
        .arg(&payload)
        .output()
        .unwrap()
        .status;
    status.success().then(|| serde_json::from_slice(&std::fs::read(&payload).unwrap()).unwrap())
}
