//! FlowAPI's token checks, configured with our `flowapi.env`, read the roles and scopes that policy grants.

use coldsign_interop::{Appliance, Python, Token, Trial, Verdict, run};
use serde_json::{Value, json};

#[test]
fn flowapi_reads_roles_and_scopes_and_refuses_twins() {
    let Some(python) = Python::with("flowkit") else { return };
    let appliance = Appliance::new("flowkit");
    let expired = appliance.token("flowapi/viewer", "amina", &["--lifetime", "1s"]);
    let analyst = appliance.token("flowapi/analyst", "amina", &[]);
    let both = appliance.token("flowapi/analyst,viewer", "amina", &[]);
    let narrowed = appliance.token("flowapi/analyst", "amina", &["--scope", "run"]);
    let south = appliance.token("flowapi-south/viewer", "amina", &[]);
    let foreign = appliance.token("flowapi-foreign/viewer", "amina", &[]);
    let publication = appliance.publish();
    expired.wait_until_expired();

    // Scopes come out sorted.
    let analyst_scopes =
        json!(["daily_location:admin3", "get_result", "get_result&daily_location.aggregation_unit.admin3", "run"]);
    let viewer_scopes = json!(["get_result", "get_result&geography.aggregation_unit.admin3"]);
    let trials = [
        accepted("one role", &analyst, json!({ "analyst": analyst_scopes })),
        accepted("two roles", &both, json!({ "analyst": analyst_scopes, "viewer": viewer_scopes })),
        accepted("narrowed", &narrowed, json!({ "analyst": ["run"] })),
        refused("payload changed", &both.with_payload_byte_changed(), "422 Signature verification failed"),
        refused("signature changed", &both.with_signature_byte_changed(), "422 Signature verification failed"),
        refused("HS256 claimed", &both.with_algorithm("HS256"), "422 The specified alg value is not allowed"),
        refused("unsigned", &both.unsigned(), "422 The specified alg value is not allowed"),
        refused("another server's", &south, "422 Audience doesn't match"),
        refused("another keyset's", &foreign, "422 Signature verification failed"),
        refused("expired", &expired, "401 Token has expired"),
    ];
    let variables = publication.file("flowapi", "flowapi.env");
    run(python.script_after_sourcing("flowapi.py", &variables), json!({}), &trials);
    run(python.script_with_env_file("flowapi.py", &variables), json!({}), &trials);
}

fn accepted(name: &str, token: &Token, roles: Value) -> Trial {
    Trial::new(name, json!({ "token": token.text() }), Verdict::Accept(json!({ "sub": "amina", "roles": roles })))
}

fn refused(name: &str, token: &Token, said: &'static str) -> Trial {
    Trial::new(name, json!({ "token": token.text() }), Verdict::Reject(said))
}
