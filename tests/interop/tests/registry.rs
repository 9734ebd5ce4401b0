//! A real container registry that trusts our certificate accepts our tokens and refuses twins.

use coldsign_interop::{Appliance, Python, Token, Trial, Verdict, on_path, run};
use serde_json::json;

/// Permitted, on an empty registry.
const OWN: &str = "/v2/tools/base/tags/list";
/// Never granted.
const FOREIGN: &str = "/v2/tools/secret/tags/list";

#[test]
fn registry_accepts_ours_and_refuses_twins() {
    let Some(binary) = on_path(&["docker-registry", "registry"]) else { return };
    let Some(python) = Python::of_system() else { return };
    let appliance = Appliance::new("registry");
    let tokens =
        ["es256", "rs256", "other"].map(|name| appliance.token(&format!("registry-{name}/pull"), "builder", &[]));
    let publication = appliance.publish();
    let [es256, rs256, other] = &tokens;
    for (service, good, foreign) in [("registry-es256", es256, rs256), ("registry-rs256", rs256, es256)] {
        let expectations = publication.expectations(service);
        let shared = json!({
            "binary": binary,
            "certificate": publication.key_file(service, ".crt.pem"),
            "issuer": expectations["issuer"],
            "audience": expectations["audience"],
        });
        // No expired twin: registries forgive 60 s, longer than a test should wait.
        let trials = [
            trial("good", good, OWN, Verdict::Accept(good.claims())),
            trial("good, elsewhere", good, FOREIGN, Verdict::Reject("insufficient_scope")),
            trial("payload changed", &good.with_payload_byte_changed(), OWN, Verdict::Reject("invalid_token")),
            trial("signature changed", &good.with_signature_byte_changed(), OWN, Verdict::Reject("invalid_token")),
            trial("unsigned", &good.unsigned(), OWN, Verdict::Reject("invalid_token")),
            trial("another service's", other, OWN, Verdict::Reject("invalid_token")),
            trial("another key's", foreign, OWN, Verdict::Reject("invalid_token")),
        ];
        run(python.script("registry.py"), shared, &trials);
    }
}

fn trial(name: &str, token: &Token, path: &str, verdict: Verdict) -> Trial {
    Trial::new(name, json!({ "token": token.text(), "path": path }), verdict)
}
