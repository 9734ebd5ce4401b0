//! PyJWT verifies the published bundle vectors as ordinary JWTs, and refuses their twins.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use coldsign_interop::Python;
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
