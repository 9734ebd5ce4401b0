//! Envoy's `jwt_authn` accepts our tokens with our `jwks.json` and refuses each twin.

use coldsign_interop::{Python, Specimens, Twin, run};
use serde_json::json;

#[test]
fn envoy_accepts_ours_and_refuses_twins() {
    let Some(python) = Python::with("stock") else { return };
    let specimens = Specimens::new();
    let algorithms = ["EdDSA", "ES256", "RS256"];
    let services = algorithms.map(|algorithm| specimens.configuration(algorithm));
    let trials = algorithms.map(|algorithm| specimens.trials("Envoy", algorithm, by_envoy)).concat();
    run(python.script("envoy_proxy.py"), json!({ "services": services }), &trials);
}

fn by_envoy(twin: Twin) -> &'static str {
    match twin {
        Twin::PayloadByte | Twin::SignatureByte => "401 Jwt verification fails",
        Twin::OtherAlgorithm | Twin::ForeignKey => "401 Jwks doesn't have key to match kid or alg from Jwt",
        Twin::Unsigned => "401 Jwt is not in the form of Header.Payload.Signature",
        Twin::OtherAudience => "403 Audiences in Jwt are not allowed",
        Twin::Expired => "401 Jwt is expired",
    }
}
