//! npm `jose` and `fast-jwt` accept our tokens with our `jwks.json` and refuse each twin.

use coldsign_interop::{Node, Specimens, Twin, run};
use serde_json::json;

#[test]
fn node_libraries_accept_ours_and_refuse_twins() {
    let Some(node) = Node::with_packages() else { return };
    let specimens = Specimens::new();
    let jose = ["EdDSA", "Ed25519", "ES256", "RS256"].map(|algorithm| specimens.trials("jose", algorithm, by_jose));
    let fast_jwt = ["EdDSA", "ES256", "RS256"].map(|algorithm| specimens.trials("fast-jwt", algorithm, by_fast_jwt));
    run(node.script("stock_libraries.mjs"), json!({}), &[jose.concat(), fast_jwt.concat()].concat());
}

fn by_jose(twin: Twin) -> &'static str {
    match twin {
        Twin::PayloadByte | Twin::SignatureByte => "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
        Twin::OtherAlgorithm | Twin::Unsigned => "ERR_JOSE_ALG_NOT_ALLOWED",
        Twin::OtherAudience => "ERR_JWT_CLAIM_VALIDATION_FAILED: unexpected \"aud\"",
        Twin::Expired => "ERR_JWT_EXPIRED",
        Twin::ForeignKey => "ERR_JWKS_NO_MATCHING_KEY",
    }
}

fn by_fast_jwt(twin: Twin) -> &'static str {
    match twin {
        Twin::PayloadByte | Twin::SignatureByte => "FAST_JWT_INVALID_SIGNATURE",
        Twin::OtherAlgorithm => "FAST_JWT_INVALID_ALGORITHM",
        Twin::Unsigned => "FAST_JWT_MISSING_SIGNATURE",
        Twin::OtherAudience => "FAST_JWT_INVALID_CLAIM_VALUE: The aud claim",
        Twin::Expired => "FAST_JWT_EXPIRED",
        Twin::ForeignKey => "FAST_JWT_KEY_FETCHING_ERROR",
    }
}
