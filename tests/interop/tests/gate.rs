//! A publication that the real `coldsign` made goes over a stick into the real `coldsign-gate`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use coldsign_interop::{Appliance, Gate};
use std::fs;

#[test]
fn a_publication_is_pinned_installed_exported_and_believed() {
    let appliance = Appliance::new("libraries");
    let token = appliance.token("eddsa/reader", "ann", &[]).text();
    let first = appliance.publish();
    let folder = first.folder();
    let gate = Gate::new();
    gate.pin(folder, "api-1", &appliance.root_fingerprint());
    let installed = |folder: &std::path::Path| gate.install(folder, "eddsa");
    assert_eq!(installed(folder), Ok(()));
    assert_eq!(
        fs::read(gate.export().join("jwks.json")).unwrap(),
        fs::read(folder.join("for-eddsa/jwks.json")).unwrap()
    );
    let file = gate.path("token.jwt");
    fs::write(&file, &token).unwrap();
    let file = file.display().to_string();
    assert_eq!(gate.ended(&["check", "--service", "eddsa", &file]), Ok(()));

    let second = appliance.publish_again();
    let keys = second.join("for-eddsa/jwks.json");
    let sound = fs::read(&keys).unwrap();
    fs::write(&keys, [&sound[..], b" "].concat()).unwrap();
    assert_eq!(installed(&second), Err("PUBLICATION-CHANGED".to_owned()));
    fs::write(&keys, sound).unwrap();
    assert_eq!(installed(&second), Ok(()));
    assert_eq!(gate.ended(&["check", "--service", "eddsa", &file]), Ok(()));
    assert_eq!(installed(folder), Err("BUNDLE-ROLLBACK".to_owned()), "the stick of last month");
}

#[test]
fn a_receipt_goes_back_and_lets_a_key_sign_before_time_would() {
    let appliance = Appliance::new("receipts");
    let first = appliance.publish();
    let gate = Gate::new();
    let root = first.folder().join("root.1.json").display().to_string();
    gate.done(&["pin", &root, "--name", "api-1", "--fingerprint", &appliance.root_fingerprint()]);
    assert_eq!(appliance.ended(&["key", "generate", "default"]), Ok(()));
    let second = appliance.publish_again().display().to_string();
    assert_eq!(appliance.ended(&["key", "activate", "default/2"]), Err("KEY-CARRIED".to_owned()));

    let export = gate.path("export").display().to_string();
    gate.done(&["install", &second, "--export", &export, "--service", "api", "--reload", "true"]);
    let stick = gate.path("stick");
    fs::create_dir(&stick).unwrap();
    gate.done(&["receipt", "--to", &stick.display().to_string()]);
    let receipt = stick.join("receipt-api-1-1.jwt").display().to_string();
    assert_eq!(appliance.ended(&["verifier", "receipt", &receipt]), Err("RECEIPT-VERIFIER".to_owned()));
    let enrol = |print: &str| appliance.ended(&["verifier", "add", "api-1", &receipt, "--fingerprint", print]);
    assert_eq!(enrol(&appliance.root_fingerprint()), Err("VERIFIER-FINGERPRINT".to_owned()));
    assert_eq!(enrol(&gate.fingerprint()), Ok(()));
    assert_eq!(appliance.ended(&["verifier", "receipt", &receipt]), Ok(()));
    assert_eq!(appliance.ended(&["verifier", "receipt", &receipt]), Err("RECEIPT-COUNTER".to_owned()));
    assert_eq!(appliance.ended(&["key", "activate", "default/2"]), Ok(()), "it is installed and loaded there");
}
