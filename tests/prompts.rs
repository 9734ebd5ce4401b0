//! The prompts, driven at a pseudo-terminal as a person would.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use rexpect::session::{PtySession, spawn_command};
use std::path::Path;
use std::process::Command;

const PASSPHRASE: &str = "correct horse battery staple";

fn coldsign(folder: &Path, arguments: &[&str]) -> PtySession {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coldsign"));
    command.args(arguments).current_dir(folder).env_clear().env("TZ", "UTC").env("TERM", "dumb").env("LANG", "C.UTF-8");
    command.env("COLDSIGN_STORE", folder.join("store")).env("HOME", folder);
    spawn_command(command, Some(60_000)).expect("a pseudo-terminal")
}

/// The code that the sheet on the terminal shows on its line.
fn code_of(sheet: &str, name: &str) -> String {
    let line = sheet.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {sheet}"));
    line.split_whitespace().nth(2).expect("a code").to_owned()
}

/// What a new administrator types, one slip at every step.
fn make_store(folder: &Path) -> String {
    let mut p = coldsign(folder, &["init", "--kdf-log-n", "10"]);
    p.exp_string("issuer, such as").unwrap();
    p.send_line("not an issuer").unwrap();
    p.exp_string("can't be an issuer").unwrap();
    p.exp_string("issuer, such as").unwrap();
    p.send_line("https://tokens.example").unwrap();
    p.exp_string("kind of service [api]").unwrap();
    p.send_line("banana").unwrap();
    p.exp_string("one of api, fedn, flowkit, plain").unwrap();
    p.exp_string("kind of service [api]").unwrap();
    p.send_line("").unwrap();
    p.exp_string("its name here").unwrap();
    p.send_line("My Service").unwrap();
    p.exp_string("its audience").unwrap();
    p.send_line("https://orders.example").unwrap();
    p.exp_string("can't name a service").unwrap();
    p.exp_string("kind of service [api]").unwrap();
    p.send_line("api").unwrap();
    p.exp_string("its name here").unwrap();
    p.send_line("orders").unwrap();
    p.exp_string("its audience").unwrap();
    p.send_line("https://orders.example").unwrap();
    p.exp_string("[admin]").unwrap();
    p.send_line("anna").unwrap();
    p.exp_string("new passphrase of anna: ").unwrap();
    p.send_line(PASSPHRASE).unwrap();
    p.exp_string("the same again: ").unwrap();
    p.send_line(PASSPHRASE).unwrap();
    let sheet = p.exp_string("Then type them back").unwrap();
    assert!(!sheet.contains(PASSPHRASE), "the passphrase was echoed");
    let (recovery, root) = (code_of(&sheet, "recovery code"), code_of(&sheet, "root code"));
    assert_ne!(recovery, root);
    p.exp_string("recovery code: ").unwrap();
    p.send_line(&root).unwrap();
    p.exp_string("that is another code").unwrap();
    p.exp_string("recovery code: ").unwrap();
    p.send_line(&recovery[..recovery.len() - 1]).unwrap();
    p.exp_string("a code has 28 letters and digits, this has 27").unwrap();
    p.exp_string("recovery code: ").unwrap();
    p.send_line(&recovery.to_lowercase().replace('-', " ")).unwrap();
    p.exp_string("root code: ").unwrap();
    p.send_line(&root).unwrap();
    p.exp_string("made the store").unwrap();
    p.exp_eof().unwrap();
    recovery
}

#[test]
fn a_person_makes_a_store_and_issues_a_token() {
    let temp = tempfile::tempdir().unwrap();
    let recovery = make_store(temp.path());
    std::fs::create_dir(temp.path().join("out")).unwrap();

    let issue = ["token", "issue", "orders/reader", "ann", "--to", "out"];
    let mut p = coldsign(temp.path(), &issue);
    p.exp_string("passphrase of anna: ").unwrap();
    for tries in 1..=3 {
        p.send_line("mistyped").unwrap();
        p.exp_string("that is not the passphrase of unlock anna").unwrap();
        p.exp_string(if tries < 3 { "passphrase of anna: " } else { "[UNLOCK-PASSPHRASE]" }).unwrap();
    }
    p.exp_eof().unwrap();

    let mut p = coldsign(temp.path(), &issue);
    p.exp_string("passphrase of anna: ").unwrap();
    p.send_line("mistyped").unwrap();
    p.exp_string("once more").unwrap();
    p.exp_string("passphrase of anna: ").unwrap();
    p.send_line(PASSPHRASE).unwrap();
    let seen = p.exp_string("orders-ann.header").unwrap();
    assert!(!seen.contains(PASSPHRASE), "the passphrase was echoed");
    p.exp_eof().unwrap();

    let mut p = coldsign(temp.path(), &["--unlock", "recovery", "key", "generate", "default"]);
    p.exp_string("recovery code: ").unwrap();
    p.send_line(&recovery).unwrap();
    p.exp_string("made default/2").unwrap();
    p.exp_eof().unwrap();
}

#[test]
fn a_person_changes_a_passphrase_and_makes_a_new_code() {
    let temp = tempfile::tempdir().unwrap();
    let recovery = make_store(temp.path());
    let new = "another passphrase entirely";

    // Asked for the old one first, then for the new one twice; a slip changes nothing.
    let mut p = coldsign(temp.path(), &["unlock", "change", "anna"]);
    p.exp_string("passphrase of anna: ").unwrap();
    p.send_line(PASSPHRASE).unwrap();
    p.exp_string("new passphrase of anna: ").unwrap();
    p.send_line("too short").unwrap();
    p.exp_string("the passphrase is too short: 9 characters, at least 12; once more").unwrap();
    for (again, told) in [("something else", "that was not the same"), (new, "the passphrase of anna is changed")] {
        p.exp_string("new passphrase of anna: ").unwrap();
        p.send_line(new).unwrap();
        p.exp_string("the same again: ").unwrap();
        p.send_line(again).unwrap();
        let seen = p.exp_string(told).unwrap();
        assert!(!seen.contains(new), "the passphrase was echoed");
    }
    p.exp_eof().unwrap();

    // A new code is shown once and asked back before the old one ends.
    let mut p = coldsign(temp.path(), &["unlock", "change", "recovery"]);
    p.exp_string("passphrase of anna: ").unwrap();
    p.send_line(new).unwrap();
    let sheet = p.exp_string("Then type it back").unwrap();
    let code = code_of(&sheet, "recovery code");
    assert!(sheet.contains("not on this sheet"));
    p.exp_string("recovery code: ").unwrap();
    p.send_line(&recovery).unwrap();
    p.exp_string("that is another code").unwrap();
    p.exp_string("recovery code: ").unwrap();
    p.send_line(&code).unwrap();
    p.exp_string("the code of recovery is changed").unwrap();
    p.exp_eof().unwrap();
    for (typed, opens) in [(&recovery, false), (&code, true)] {
        let mut p = coldsign(temp.path(), &["unlock", "test", "recovery"]);
        p.exp_string("recovery code: ").unwrap();
        p.send_line(typed).unwrap();
        if !opens {
            for slip in ["0", typed] {
                p.exp_string("recovery code: ").unwrap();
                p.send_line(slip).unwrap();
            }
        }
        p.exp_string(if opens { "recovery opens the store" } else { "[UNLOCK-PASSPHRASE]" }).unwrap();
        p.exp_eof().unwrap();
    }
}

#[test]
fn an_unlock_is_removed_by_a_word_only() {
    let temp = tempfile::tempdir().unwrap();
    make_store(temp.path());
    for (answer, told) in [("yes", "not confirmed [NOT-CONFIRMED]"), ("Yes", "recovery no longer opens the store")] {
        let mut p = coldsign(temp.path(), &["unlock", "remove", "recovery"]);
        p.exp_string("passphrase of anna: ").unwrap();
        p.send_line(PASSPHRASE).unwrap();
        p.exp_string("Confirm with Yes (exactly)").unwrap();
        p.send_line(answer).unwrap();
        p.exp_string(told).unwrap();
        p.exp_eof().unwrap();
        assert_eq!(temp.path().join("store/unlock/recovery.age").exists(), answer == "yes");
    }
}

#[test]
fn a_yes_that_was_typed_before_the_question_counts_for_nothing() {
    let temp = tempfile::tempdir().unwrap();
    make_store(temp.path());
    let mut p = coldsign(temp.path(), &["unlock", "remove", "recovery"]);
    p.exp_string("passphrase of anna: ").unwrap();
    p.send_line(&format!("{PASSPHRASE}\nYes")).unwrap();
    p.exp_string("Confirm with Yes (exactly)").unwrap();
    p.send_line("no").unwrap();
    p.exp_string("not confirmed [NOT-CONFIRMED]").unwrap();
    p.exp_eof().unwrap();
    assert!(temp.path().join("store/unlock/recovery.age").exists());
}

/// A policy whose keys reach verifiers at once: no courier, no reload, no skew.
const AT_ONCE: &str = r#"
format = "coldsign-policy"
version = 1

[timing]
skew = "0s"
backdate = "0s"

[distribution]
publish_every = "1d"
delivery = "0s"
reload = "0s"
lost_sticks = 0

[keysets.default]
algorithm = "EdDSA"

[services.api]
profile = "rfc9068"
keyset = "default"
audience = "https://api.example"

[services.api.roles.reader]
"#;

#[test]
fn what_destroys_a_key_is_asked_for_in_a_word() {
    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("pass"), PASSPHRASE).unwrap();
    std::fs::write(temp.path().join("policy.toml"), AT_ONCE).unwrap();
    for arguments in [
        &[
            "init",
            "--issuer",
            "https://t.example",
            "--policy",
            "policy.toml",
            "--recovery-sheet",
            "sheet",
            "--kdf-log-n",
            "10",
        ][..],
        &["key", "generate", "default"],
        &["publish"],
        &["key", "activate", "default/2"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coldsign"));
        command.args(["--passphrase-file", "pass"]).args(arguments).current_dir(temp.path());
        let output = command.env("COLDSIGN_STORE", temp.path().join("store")).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let private_halves = || {
        let files = std::fs::read_dir(temp.path().join("store/sealed/1")).unwrap();
        files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with("key-")).count()
    };
    let before = private_halves();
    let deactivate = ["--passphrase-file", "pass", "key", "deactivate", "default/1"];
    let mut p = coldsign(temp.path(), &deactivate);
    p.exp_string("The private half of default/1 will be destroyed").unwrap();
    p.send_line("yes").unwrap();
    p.exp_string("not confirmed [NOT-CONFIRMED]").unwrap();
    p.exp_eof().unwrap();
    assert_eq!(private_halves(), before);

    let mut p = coldsign(temp.path(), &deactivate);
    p.exp_string("Confirm with Yes (exactly)").unwrap();
    p.send_line("Yes").unwrap();
    p.exp_string("default/1 is verifying until").unwrap();
    p.exp_eof().unwrap();
    assert_eq!(private_halves(), before - 1);
}

#[test]
fn a_restore_asks_for_the_newest_checkpoint() {
    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("pass"), PASSPHRASE).unwrap();
    std::fs::write(temp.path().join("policy.toml"), AT_ONCE).unwrap();
    std::fs::create_dir(temp.path().join("stick")).unwrap();
    let init = "init --issuer https://t.example --policy policy.toml --recovery-sheet sheet --kdf-log-n 10";
    for arguments in [init, "backup create --to stick"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coldsign"));
        command.args(["--passphrase-file", "pass"]).args(arguments.split(' ')).current_dir(temp.path());
        let output = command.env("COLDSIGN_STORE", temp.path().join("store")).output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let backup = std::fs::read_dir(temp.path().join("stick")).unwrap().next().unwrap().unwrap().path();
    let restore = ["--store", "new", "backup", "restore", backup.to_str().unwrap()];

    let mut p = coldsign(temp.path(), &restore);
    p.exp_string("a backup of ").unwrap();
    p.exp_string("passphrase of admin: ").unwrap();
    p.send_line(PASSPHRASE).unwrap();
    p.exp_string("file with the newest checkpoint, or its fingerprint, or none: ").unwrap();
    p.send_line("no-such-file").unwrap();
    p.exp_string("no-such-file is not there").unwrap();
    p.exp_string("or none: ").unwrap();
    p.send_line("store/journal/checkpoint").unwrap();
    p.exp_string("nothing seen outside is lost").unwrap();
    p.exp_string("epoch 2 begins").unwrap();
    p.exp_eof().unwrap();

    std::fs::remove_dir_all(temp.path().join("new")).unwrap();
    let mut p = coldsign(temp.path(), &restore);
    p.exp_string("passphrase of admin: ").unwrap();
    p.send_line(PASSPHRASE).unwrap();
    p.exp_string("or none: ").unwrap();
    p.send_line("none").unwrap();
    p.exp_string("no checkpoint from outside").unwrap();
    p.exp_string("epoch 2 begins").unwrap();
    p.exp_eof().unwrap();
}

#[test]
fn a_signal_at_the_passphrase_prompt_leaves_the_terminal_with_its_echo() {
    let temp = tempfile::tempdir().unwrap();
    make_store(temp.path());
    for signal in ["TERM", "INT", "HUP", "QUIT"] {
        // Another process keeps the terminal, as an operator's shell would.
        let mut shell = Command::new("sh");
        let script = format!(
            "trap : INT; stty echo; echo shell $$; {} token issue orders/reader ann --to out; echo ended $?; stty -a",
            env!("CARGO_BIN_EXE_coldsign")
        );
        shell.args(["-c", &script]).current_dir(temp.path()).env("COLDSIGN_STORE", temp.path().join("store"));
        let mut p = spawn_command(shell, Some(30_000)).expect("a pseudo-terminal");
        p.exp_string("shell ").unwrap();
        let shell = p.read_line().unwrap();
        let shell = shell.trim();
        p.exp_string("passphrase of anna: ").unwrap();
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap();
        let killed = Command::new("kill").args([&format!("-{signal}"), children.trim()]).status().unwrap();
        assert!(killed.success());
        p.exp_string("ended 1").unwrap();
        let settings = p.exp_eof().unwrap();
        assert!(settings.contains(" echo ") && !settings.contains("-echo "), "{signal}: {settings}");
        assert!(std::fs::read_dir(temp.path().join("out")).is_err(), "{signal}: something was issued");
    }
}

#[test]
fn a_person_is_asked_about_tokens_that_the_key_signed_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    make_store(folder.path());
    // SHA-256 of "a key of these tests" as the seed.
    let key = r#"{"kty":"OKP","crv":"Ed25519","kid":"prod-2024",
        "d":"PA49-He1hCMrSfFhEW-o4VcTHbTJTMpWme4TrRfC3Hs","x":"Ge_BvuEqdqVSBk5DSVpuJoKPwEX8Gy3htfrwikxpeRc"}"#;
    std::fs::write(folder.path().join("old.jwk"), key).unwrap();
    let import = || {
        let mut p = coldsign(folder.path(), &["key", "import", "default", "old.jwk"]);
        p.exp_string("passphrase of anna: ").unwrap();
        p.send_line(PASSPHRASE).unwrap();
        p.exp_string("signed elsewhere? A time, or none: ").unwrap();
        p
    };
    let mut p = import();
    p.send_line("soon").unwrap();
    p.exp_string("is no time").unwrap();
    p.exp_eof().unwrap();

    let mut p = import();
    p.send_line("+90d").unwrap();
    p.exp_string("(12h, 30d)?: ").unwrap();
    p.send_line("120d").unwrap();
    p.exp_string("old kid prod-2024 as well, so that they are accepted? [yes]: ").unwrap();
    p.send_line("").unwrap();
    p.exp_string("took in default/2").unwrap();
    p.exp_string("published under the kid prod-2024 as well").unwrap();
    p.exp_eof().unwrap();
}
