//! PyJWT and joserfc accept our tokens with our `jwks.json` and refuse each twin.

use coldsign_interop::{Python, Specimens, Twin, run};
use serde_json::json;

#[test]
fn python_libraries_accept_ours_and_refuse_twins() {
    let Some(python) = Python::with("stock") else { return };
    let specimens = Specimens::new();
    // PyJWT knows Ed25519 keys by the older name only.
    let pyjwt = ["EdDSA", "ES256", "RS256"].map(|algorithm| specimens.trials("PyJWT", algorithm, by_pyjwt));
    let joserfc =
        ["EdDSA", "Ed25519", "ES256", "RS256"].map(|algorithm| specimens.trials("joserfc", algorithm, by_joserfc));
    run(python.script("stock_libraries.py"), json!({}), &[pyjwt.concat(), joserfc.concat()].concat());
}

fn by_pyjwt(twin: Twin) -> &'static str {
    match twin {
        Twin::PayloadByte | Twin::SignatureByte => "InvalidSignatureError",
        Twin::OtherAlgorithm | Twin::Unsigned => "InvalidAlgorithmError",
        Twin::OtherAudience => "InvalidAudienceError",
        Twin::Expired => "ExpiredSignatureError",
        Twin::ForeignKey => "KeyError",
    }
}

fn by_joserfc(twin: Twin) -> &'static str {
    match twin {
        Twin::PayloadByte | Twin::SignatureByte => "BadSignatureError",
        Twin::OtherAlgorithm | Twin::Unsigned => "UnsupportedAlgorithmError",
        Twin::OtherAudience => "InvalidClaimError",
        Twin::Expired => "ExpiredTokenError",
        Twin::ForeignKey => "InvalidKeyIdError",
    }
}
