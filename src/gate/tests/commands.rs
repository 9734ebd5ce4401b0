//! The commands as an operator of a service uses them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod machine;

use coldsign_verify::bundle::Contents;
use coldsign_verify::receipt::Receipt;
use coldsign_verify::revocation::Revocations;
use coldsign_verify::{Digest, UnixTime};
use machine::{AUDIENCE, ISSUER, Machine, Signer, contents, now, token};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

#[test]
fn a_root_is_pinned_by_hex_or_words_and_by_nothing_else() {
    let machine = Machine::new();
    machine.bring(&contents(1));
    let (root, print) = (machine.at("stick/root.1.json"), Digest::of(&machine.root));
    let pin = |fingerprint: &str, input: &str| {
        machine.gate_with(&["pin", &root, "--name", "api-1", "--fingerprint", fingerprint], input)
    };
    let words = print.words().join(" ");
    let missing = machine.gate(&["install", &machine.at("stick")]).refused("TRUST-MISSING");
    assert!(missing.err.contains("hint: coldsign-gate --trust"), "{}", missing.err);
    let mut misread = print.words();
    misread.swap(3, 4);
    pin(&misread.join(" "), "").refused("PIN-FINGERPRINT");
    pin("1f0c", "").refused("PIN-FINGERPRINT");
    pin(&Digest::of(b"x").to_string(), "").refused("ROOT-FINGERPRINT");
    assert!(!machine.path("trust").exists(), "a refusal leaves nothing behind");
    pin("-", &words).done();
    pin(&words, "").done();
    pin(&print.to_string(), "").done();
    let other = machine.gate(&["pin", &root, "--name", "other", "--fingerprint", &words]).refused("TRUST-PINNED");
    assert!(other.err.contains("for a verifier of another name"), "{}", other.err);
    assert_eq!(machine.gate(&["pin", &root]).status, 2);
    assert_eq!(machine.gate(&[]).status, 2);
    let folder = machine.gate(&["pin", &machine.at("stick"), "--name", "api-1", "--fingerprint", &words]);
    assert!(folder.status == 1 && folder.err.contains("name a root.N.json"), "{folder:?}");
}

#[test]
fn tokens_are_checked_by_what_is_installed() {
    let machine = Machine::pinned();
    let check = |service: &str, jti: &str| machine.gate_with(&["check", "--service", service], &token(jti));
    check("api", "a").refused("TRUST-EMPTY");
    machine.gate(&["install", &machine.at("stick")]).done();
    let accepted = check("api", "a").done();
    assert!(accepted.out.starts_with("accepted: ward7 until "), "{}", accepted.out);
    check("fed", "a").refused("TOKEN-TYPE");
    let unknown = check("apy", "a").refused("TRUST-SERVICE");
    assert!(unknown.err.contains("it has: api, fed"));

    let tokens = BTreeMap::from([("a".to_owned(), UnixTime(now() + 3_600))]);
    machine.bring(&Contents { revoked: Revocations { tokens, ..Revocations::default() }, ..contents(3) });
    machine.gate(&["install", &machine.at("stick")]).done();
    check("api", "a").refused("TOKEN-REVOKED");
    check("api", "b").done();
    let subjects = BTreeMap::from([("ward7".to_owned(), UnixTime(now()))]);
    machine.bring(&Contents { revoked: Revocations { subjects, ..Revocations::default() }, ..contents(5) });
    machine.gate(&["install", &machine.at("stick")]).done();
    check("api", "b").refused("TOKEN-REVOKED");
    let told = machine.gate_with(&["check", "--service", "api", "--json"], &token("c"));
    assert_eq!((told.status, told.out.as_str()), (1, ""));
    let error: Value = serde_json::from_str(&told.err).unwrap();
    assert_eq!(error["error"]["rule"], "TOKEN-REVOKED");
}

#[test]
fn a_bare_key_set_still_does() {
    let machine = Machine::new();
    let key = Signer::new(7).public;
    let jwks = json!({"keys": [key.to_jwk(&key.thumbprint())]});
    fs::write(machine.path("jwks.json"), jwks.to_string()).unwrap();
    let check = |issuer: &str| {
        let arguments = ["check", "--jwks", "jwks.json", "--issuer", issuer, "--audience", AUDIENCE];
        machine.gate_with(&arguments, &format!("Authorization: Bearer {}\n", token("a")))
    };
    check(ISSUER).done();
    check("https://x.example").refused("TOKEN-ISSUER");
    assert_eq!(machine.gate(&["check", "--jwks", "jwks.json", "--service", "api"]).status, 2);
    assert_eq!(machine.gate(&["check"]).status, 2);
}

#[test]
fn authenticated_files_are_exported_and_old_sticks_change_nothing() {
    let machine = Machine::pinned();
    let (stick, export) = (machine.at("stick"), machine.at("export"));
    let install = || machine.gate(&["install", &stick, "--export", &export, "--service", "api"]);
    machine.bring(&contents(4));
    fs::write(machine.path("stick/for-api/evil.sh"), "#!/bin/sh").unwrap();
    install().done();
    assert_eq!(machine.exported("jwks.json"), "{\"seq\": 4}\n");
    let names = || {
        let listed =
            fs::read_dir(machine.path("export")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = listed.filter(|name| !name.starts_with("..")).collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["jwks.json", "key-4.pem", "service.json"]);

    machine.bring(&contents(3));
    let old = install().refused("BUNDLE-ROLLBACK");
    assert!(old.err.contains("publication 4 serves until"), "{}", old.err);
    machine.bring(&contents(6));
    fs::write(machine.path("stick/for-api/jwks.json"), "forged").unwrap();
    install().refused("PUBLICATION-CHANGED");
    machine.bring(&contents(6));
    fs::remove_file(machine.path("stick/for-api/jwks.json")).unwrap();
    let half = install().refused("PUBLICATION-MISSING");
    assert!(half.err.contains("take the whole folder again"), "{}", half.err);
    symlink("/dev/zero", machine.path("stick/for-api/jwks.json")).unwrap();
    install().refused("PUBLICATION-NOT-A-FILE");
    machine.bring(&Contents { expires_at: UnixTime(now() - 5), ..contents(6) });
    install().refused("BUNDLE-EXPIRED");
    let nothing = machine.gate(&["install", &stick, "--export", &export, "--service", "db"]);
    assert_eq!(nothing.status, 1);
    assert_eq!(machine.exported("jwks.json"), "{\"seq\": 4}\n");

    machine.bring(&contents(6));
    let unknown = machine.gate(&["install", &stick, "--export", &export, "--service", "db"]);
    unknown.refused("EXPORT-NOTHING");
    install().done();
    assert_eq!(
        (machine.exported("jwks.json").as_str(), names()),
        ("{\"seq\": 6}\n", ["jwks.json", "key-6.pem", "service.json"].map(str::to_owned).to_vec(),)
    );
    let again = machine.gate(&["install", &stick, "--export", &export, "--service", "api", "--json"]).done();
    assert_eq!((&again.object()["new"], &again.object()["switched"]), (&json!(false), &json!(false)));

    let whole = machine.at("whole");
    machine.gate(&["install", &stick, "--export", &whole]).done();
    assert!(machine.path("whole/bundle.jwt").is_file() && machine.path("whole/for-fed/fedn.env").is_file());
    fs::write(machine.path("file"), "").unwrap();
    machine.gate(&["install", &stick, "--export", &machine.at("file")]).refused("EXPORT-SYSTEM");
}

#[test]
fn the_stick_itself_is_no_publication_but_says_which_is() {
    let machine = Machine::pinned();
    fs::create_dir(machine.path("usb")).unwrap();
    fs::rename(machine.path("stick"), machine.path("usb/coldsign-publication-000001")).unwrap();
    let rest = ["--export", "keys", "--service", "api", "--reload", "echo ran"];
    let refused = machine.gate(&[&["install", "usb"], &rest[..]].concat()).refused("PUBLICATION-MISSING");
    // Pasted it does what was meant: the export, too.
    let hint = "install usb/coldsign-publication-000001 --export keys --service api --reload 'echo ran'";
    assert!(refused.err.contains(hint), "{}", refused.err);
    let words = "its root.1.json is not the one trusted here";
    assert!(!refused.err.contains(words), "{}", refused.err);
    let other = Machine::new();
    fs::write(other.path("root.1.json"), machine::root(1, 3)).unwrap();
    let bundle = coldsign_verify::bundle::sign(&contents(1), &Signer::new(3)).unwrap();
    fs::write(other.path("bundle.jwt"), bundle).unwrap();
    let foreign = machine.gate(&["install", &other.at("")]).refused("BUNDLE-KEY");
    assert!(foreign.err.contains(words), "{}", foreign.err);
    // A copy that was broken off is neither offered nor taken; a number counts as one.
    for name in [
        "coldsign-publication-000002.partial",
        "coldsign-publication-0000003x",
        "coldsign-publication-+4",
        "coldsign-publication-",
    ] {
        fs::create_dir(machine.path("usb").join(name)).unwrap();
        fs::copy(
            machine.path("usb/coldsign-publication-000001/bundle.jwt"),
            machine.path("usb").join(name).join("bundle.jwt"),
        )
        .unwrap();
    }
    let refused = machine.gate(&["install", "usb"]).refused("PUBLICATION-MISSING");
    assert!(refused.err.contains("install usb/coldsign-publication-000001\n"), "{}", refused.err);
    let half = machine.gate(&["install", "usb/coldsign-publication-000002.partial"]).refused("PUBLICATION-PARTIAL");
    assert!(half.err.contains("/usb/coldsign-publication-000001\n"), "{}", half.err);
    let inside = machine.gate(&["install", "usb/coldsign-publication-000002.partial/."]);
    inside.refused("PUBLICATION-PARTIAL");
    fs::rename(machine.path("usb/coldsign-publication-000001"), machine.path("usb/coldsign-publication-999999"))
        .unwrap();
    fs::create_dir(machine.path("usb/coldsign-publication-1000000")).unwrap();
    fs::write(machine.path("usb/coldsign-publication-1000000/bundle.jwt"), "").unwrap();
    let refused = machine.gate(&["install", "usb"]).refused("PUBLICATION-MISSING");
    assert!(refused.err.contains("install usb/coldsign-publication-1000000\n"), "{}", refused.err);
    let unmounted = machine.gate(&["install", "elsewhere"]).refused("PUBLICATION-MISSING");
    assert!(unmounted.err.contains("there is no folder elsewhere"), "{}", unmounted.err);
}

#[test]
fn a_refusal_after_the_end_does_not_say_that_anything_serves() {
    let machine = Machine::pinned();
    let ends = now() + 2;
    machine.bring(&Contents { expires_at: UnixTime(ends), ..contents(4) });
    machine.gate(&["install", &machine.at("stick")]).done();
    while now() < ends {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let expired = machine.gate(&["install", &machine.at("stick")]).refused("BUNDLE-EXPIRED");
    assert!(expired.err.contains("publication 4 has expired at") && !expired.err.contains("serves"), "{}", expired.err);
}

#[test]
fn the_service_is_reloaded_after_its_files_changed() {
    let machine = Machine::pinned();
    let (stick, export) = (machine.at("stick"), machine.at("export"));
    let install =
        |hook: &str| machine.gate(&["install", &stick, "--export", &export, "--service", "api", "--reload", hook]);
    let failed = install("cat export/jwks.json > seen; echo talk; exit 3").refused("INSTALL-RELOAD");
    assert!(
        failed.err.contains("exit status: 3") && failed.err.contains("--service api --reload 'cat "),
        "{}",
        failed.err
    );
    assert_eq!(fs::read_to_string(machine.path("seen")).unwrap(), "{\"seq\": 1}\n", "run after the switch");
    let status = || machine.gate(&["status", "--json"]).done().object();
    assert_eq!(status()["installed"]["loaded_at"], Value::Null);
    // Nobody noted that the service has it: the same installation tries again, and then no more.
    install("echo again >> seen").done();
    assert!(status()["installed"]["loaded_at"].is_u64());
    install("echo more >> seen").done();
    assert_eq!(fs::read_to_string(machine.path("seen")).unwrap(), "{\"seq\": 1}\nagain\n");
}

#[test]
fn a_hook_that_failed_runs_again_though_another_export_was_loaded() {
    let machine = Machine::pinned();
    let stick = machine.at("stick");
    let install = |export: &str, hook: &str| machine.gate(&["install", &stick, "--export", export, "--reload", hook]);
    install("one", "true").done();
    install("two", "exit 1").refused("INSTALL-RELOAD");
    assert_eq!(machine.gate(&["status", "--json"]).done().object()["installed"]["loaded_at"], Value::Null);
    install("two", "touch ran").done();
    assert!(machine.path("ran").exists());
}

#[test]
fn what_was_installed_while_a_hook_ran_is_not_noted_as_loaded() {
    let machine = Machine::pinned();
    let old = machine.at("old");
    fs::rename(machine.path("stick"), &old).unwrap();
    machine.bring(&contents(4));
    // The other installation comes in the middle of this one's hook.
    let hook = format!("{} install stick", env!("CARGO_BIN_EXE_coldsign-gate"));
    let refused = machine.gate(&["install", &old, "--reload", &hook]).refused("TRUST-BUSY");
    assert!(refused.err.contains("that was not noted: "), "{}", refused.err);
    let status = machine.gate(&["status", "--json"]).done().object();
    assert_eq!((&status["installed"]["seq"], &status["installed"]["loaded_at"]), (&json!(4), &Value::Null));
}

#[test]
fn receipts_are_signed_by_a_key_of_their_own_and_count() {
    let machine = Machine::pinned();
    machine.gate(&["receipt"]).refused("TRUST-EMPTY");
    machine.gate(&["install", &machine.at("stick")]).done();
    let first = machine.gate(&["receipt"]).done();
    let (one, key) = Receipt::introduce(first.out.trim_end()).unwrap();
    let mode = fs::metadata(machine.path("trust/receipt.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let print = coldsign_verify::receipt::fingerprint(&key);
    assert!(first.err.contains(&print.to_string()) && first.err.contains(&print.words().join(" ")));
    let shown = machine.gate(&["receipt", "--fingerprint"]).done();
    assert!(shown.out.contains(&print.to_string()));

    fs::create_dir(machine.path("back")).unwrap();
    let told = machine.gate(&["receipt", "--to", &machine.at("back"), "--json"]).done().object();
    let text = fs::read_to_string(machine.path("back/receipt-api-1-2.jwt")).unwrap();
    assert_eq!((&told["counter"], told["receipt"].as_str()), (&json!(2), Some(text.as_str())));
    let two = Receipt::verify(&text, &key).unwrap();
    assert_eq!(two.check_after(one.contents().counter, &one.digest()), Ok(()));
    assert_eq!((two.contents().seq, two.contents().verifier.as_str()), (1, "api-1"));
    fs::set_permissions(machine.path("trust/receipt.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let open = machine.gate(&["receipt"]).refused("RECEIPT-KEY-MODE");
    assert!(open.err.contains("hint: chmod 600 "), "{}", open.err);
}

#[test]
fn whatever_the_umask_services_of_other_users_can_read() {
    let machine = Machine::new();
    machine.bring(&contents(1));
    let print = Digest::of(&machine.root);
    let mode = |name: &str| fs::metadata(machine.path(name)).unwrap().permissions().mode() & 0o777;
    let gate = |line: &str| {
        machine.shell(&format!("umask 077; \"$GATE\" --trust a/trust {line}")).done();
    };
    gate(&format!("pin stick/root.1.json --name api-1 --fingerprint {print}"));
    assert_eq!((mode("a"), mode("a/trust"), mode("a/trust/trust.json")), (0o755, 0o755, 0o644));
    gate("install stick --export b/keys");
    assert_eq!(
        (mode("a/trust/trust.json"), mode("b"), mode("b/keys"), mode("b/keys/bundle.jwt")),
        (0o644, 0o755, 0o755, 0o644)
    );
    gate("receipt");
    assert_eq!(mode("a/trust/receipt.key"), 0o600);
    // What an operator made tighter stays so.
    fs::set_permissions(machine.path("a/trust"), fs::Permissions::from_mode(0o700)).unwrap();
    gate(&format!("pin stick/root.1.json --name api-1 --fingerprint {print}"));
    assert_eq!(mode("a/trust"), 0o700);
}

#[test]
fn status_says_what_is_trusted_and_until_when() {
    let machine = Machine::pinned();
    let status = machine.gate(&["status"]).done();
    assert!(status.out.contains("nothing is installed") && status.out.contains("verifier api-1"));
    machine.bring(&Contents { expires_at: UnixTime(now() + 86_400), ..contents(1) });
    machine.gate(&["install", &machine.at("stick")]).done();
    let status = machine.gate(&["status"]).done();
    assert!(status.out.contains("publication 1: until") && status.err.contains("warning: "), "{status:?}");
    let object = machine.gate(&["status", "--json"]).done().object();
    assert_eq!((&object["installed"]["seq"], &object["root_version"]), (&json!(1), &json!(1)));
    fs::write(machine.path("trust/trust.json"), "{}").unwrap();
    machine.gate(&["status"]).refused("TRUST-DAMAGED");
}

#[test]
fn every_command_has_help_with_examples() {
    let machine = Machine::new();
    for command in ["pin", "install", "check", "receipt", "status"] {
        let help = machine.gate(&[command, "--help"]).done();
        assert!(help.out.contains("Examples:"), "{}", help.out);
    }
}
