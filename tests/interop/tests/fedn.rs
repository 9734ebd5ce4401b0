//! A real FEDn network, configured with our `fedn.env`, lets in exactly whom our tokens name.
//!
//! FEDn reads its configuration at import, so each is a process of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use coldsign_interop::{Appliance, Publication, Python, Token, Trial, Verdict, run};
use serde_json::json;

const ROLES: [&str; 3] = ["admin", "client", "combiner"];

#[test]
fn fedn_lets_in_ours_and_refuses_twins() {
    let Some(python) = Python::with("fedn") else { return };
    let network = Network::new();
    let services = [("fedn-eddsa", "fedn-rs256"), ("fedn-es256", "fedn-eddsa"), ("fedn-rs256", "fedn-es256")];
    for (service, foreign) in services {
        let trials = [network.roles_at_doors(service), network.twins(service, foreign), network.files(service)];
        let fedn = python.script_after_sourcing("fedn_network.py", &network.variables(service));
        run(fedn, json!({}), &trials.concat());
    }
}

#[test]
fn fedn_in_a_container_reads_the_same_variables() {
    let Some(python) = Python::with("fedn") else { return };
    let network = Network::new();
    for service in ["fedn-eddsa", "fedn-rs256"] {
        let fedn = python.script_with_env_file("fedn_network.py", &network.variables(service));
        run(fedn, json!({}), &network.roles_at_doors(service));
    }
}

#[test]
fn fedn_refuses_another_custom_claim() {
    let Some(python) = Python::with("fedn") else { return };
    let network = Network::new();
    let trial = |door: &str, role: &str, said| {
        let token = network.tokens[&("fedn-eddsa", role)].text();
        Trial::new(door, json!({ "door": door, "token": token }), Verdict::Reject(said))
    };
    let trials = [
        trial("admin_rest", "admin", "401 Invalid token"),
        trial("client_rest", "client", "401 Invalid token"),
        trial("client_grpc", "client", "PERMISSION_DENIED Insufficient permissions"),
    ];
    let mut fedn = python.script_after_sourcing("fedn_network.py", &network.variables("fedn-eddsa"));
    // FEDn as published for this service, except for the value it asks for.
    fedn.env("INTEROP_CUSTOM_CLAIM_VALUE", "another-study");
    run(fedn, json!({}), &trials);
}

/// Tokens and files of every service and role of `policies/fedn.toml`.
struct Network {
    appliance: Appliance,
    publication: Publication,
    tokens: BTreeMap<(&'static str, &'static str), Token>,
    expired: BTreeMap<&'static str, Token>,
}

impl Network {
    fn new() -> Self {
        let appliance = Appliance::new("fedn");
        let services = ["fedn-eddsa", "fedn-es256", "fedn-rs256"];
        let expired: BTreeMap<_, _> = services
            .into_iter()
            .map(|service| (service, appliance.token(&format!("{service}/client"), "site-1", &["--lifetime", "1s"])))
            .collect();
        let tokens = services.into_iter().flat_map(|service| {
            ROLES.map(|role| ((service, role), appliance.token(&format!("{service}/{role}"), "site-1", &[])))
        });
        let tokens = tokens.collect();
        let publication = appliance.publish();
        expired.values().for_each(Token::wait_until_expired);
        Self { appliance, publication, tokens, expired }
    }

    fn variables(&self, service: &str) -> PathBuf {
        self.publication.file(service, "fedn.env")
    }

    /// Each role at each door: one is let in, the others are refused.
    fn roles_at_doors(&self, service: &'static str) -> Vec<Trial> {
        let doors = [
            ("admin_rest", "admin", "401 Invalid token"),
            ("client_rest", "client", "401 Invalid token"),
            ("combiner_rest", "combiner", "401 Invalid token"),
            ("client_grpc", "client", "PERMISSION_DENIED Insufficient permissions"),
        ];
        let trials = doors.into_iter().flat_map(|(door, wanted, said)| {
            ROLES.map(|role| {
                let token = &self.tokens[&(service, role)];
                let verdict = if role == wanted { Verdict::Accept(token.claims()) } else { Verdict::Reject(said) };
                Trial::new(
                    format!("{service} {role} at {door}"),
                    json!({ "door": door, "token": token.text() }),
                    verdict,
                )
            })
        });
        trials.collect()
    }

    /// Tampered, expired and foreign tokens of the right role.
    fn twins(&self, service: &'static str, foreign: &'static str) -> Vec<Trial> {
        let good = &self.tokens[&(service, "client")];
        let twins = [
            ("payload changed", good.with_payload_byte_changed(), "401 Invalid token"),
            ("signature changed", good.with_signature_byte_changed(), "401 Invalid token"),
            ("HS256 claimed", good.with_algorithm("HS256"), "401 Invalid token"),
            ("unsigned", good.unsigned(), "401 Invalid token"),
            ("expired", self.expired[service].clone(), "401 Token expired"),
            ("of another network", self.tokens[&(foreign, "client")].clone(), "401 Invalid token"),
        ];
        let trials = twins.into_iter().flat_map(|(what, token, rest)| {
            [("client_rest", rest), ("client_grpc", "UNAUTHENTICATED Invalid token")].map(|(door, said)| {
                let request = json!({ "door": door, "token": token.text() });
                Trial::new(format!("{service} {what} at {door}"), request, Verdict::Reject(said))
            })
        });
        trials.collect()
    }

    /// The files that holders get, read by FEDn's own code.
    fn files(&self, service: &str) -> Vec<Trial> {
        let file = |role: &str, subject: &str| self.appliance.token_file(&format!("{service}/{role}"), subject, &[]);
        let trial = |door: &str, file: &Path, subject: &str, role: &str| {
            let verdict = Verdict::Accept(json!({ "sub": subject, "role": role }));
            Trial::new(format!("{service} {door}"), json!({ "door": door, "file": file }), verdict)
        };
        vec![
            trial("client_yaml", &file("client", "ward 7, bed 2"), "ward 7, bed 2", "client"),
            trial("api_client", &file("admin", "admin-1"), "admin-1", "admin"),
            trial("combiner_announce", &file("combiner", "combiner-1"), "combiner-1", "combiner"),
        ]
    }
}
