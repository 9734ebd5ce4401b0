//! PyJWT verifies published bundles as ordinary JWTs, and refuses their twins; another reader takes their checkpoints.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use coldsign_interop::{Appliance, Python};
use serde_json::Value;
use std::fs;
use std::path::Path;

#[test]
fn a_bundle_is_an_ordinary_jwt() {
    let Some(python) = Python::with("stock") else { return };
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../keys/vectors/trust-v1");
    for (own, other) in [(1, 2), (2, 1)] {
        let named = [format!("root.{own}.json"), format!("bundle.{own}.jwt"), format!("bundle.{other}.jwt")];
        let output = python.script("bundle.py").args(named.map(|name| vectors.join(name))).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && output.stdout == b"verified\n", "{told}");
    }
}

#[test]
fn what_publish_writes_is_an_ordinary_jwt_with_a_checkpoint_of_the_journal() {
    let Some(python) = Python::with("stock") else { return };
    let (own, other) = (Appliance::new("fedn"), Appliance::new("flowkit"));
    let (folder, foreign) = (own.publish_again(), other.publish_again());
    let output = python
        .script("bundle.py")
        .args([folder.join("root.1.json"), folder.join("bundle.jwt"), foreign.join("bundle.jwt")])
        .arg("today")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && output.stdout == b"verified\n", "{told}");

    let place = tempfile::tempdir().unwrap();
    own.token("fedn-eddsa/client", "ann", &[]);
    own.act(&["journal", "export", "--to"], place.path());
    let export = fs::read_dir(place.path()).unwrap().next().unwrap().unwrap().path();
    let judged = |publication: &Path| {
        let note = place.path().join("note");
        fs::write(&note, checkpoint(publication)).unwrap();
        let output = python.script("journal.py").arg(&export).arg(&note).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).contains("PREFIX sound"))
    };
    assert_eq!(judged(&folder), (true, true));
    assert_eq!(judged(&foreign), (false, false));
}

/// The note in a publication's bundle, as anybody reads it.
fn checkpoint(publication: &Path) -> String {
    let bundle = fs::read_to_string(publication.join("bundle.jwt")).unwrap();
    let payload = URL_SAFE_NO_PAD.decode(bundle.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    claims["checkpoint"].as_str().unwrap().to_owned()
}
