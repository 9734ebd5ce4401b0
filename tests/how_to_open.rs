//! The commands of `HOW-TO-OPEN.txt` in a backup, by tar and another implementation of age: whoever
//! finds one opens it without us. The same for a single file of a store.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use rexpect::session::spawn_command;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const PASSPHRASE: &str = "correct horse battery staple";
const POLICY: &str = include_str!("scenarios/policy.toml");

/// Whether the machine has age; says so where it hasn't, past the capture of test output.
fn age_is_there() -> bool {
    let there = Command::new("age").arg("--version").output().is_ok();
    if !there {
        assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "CI has to run this: age is not installed");
        let _ = std::io::stderr().write_all(b"skipped: HOW-TO-OPEN.txt, age is not installed\n");
    }
    there
}

fn coldsign(folder: &Path, arguments: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coldsign"));
    command.args(["--passphrase-file", "pass"]).args(arguments.split(' ')).current_dir(folder);
    let output = command.env("COLDSIGN_STORE", folder.join("store")).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Types a command at a terminal; `secret` is what age is told where it asks.
fn typed(folder: &Path, command: &str, secret: &str) {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-ec", &format!("{command}\necho 'it is'' done'")]).current_dir(folder).env("HOME", folder);
    let mut session = spawn_command(shell, Some(60_000)).expect("a pseudo-terminal");
    if command.starts_with("age -d unlock/") || command.starts_with("age -d roots/") {
        session.exp_string("passphrase").unwrap();
        session.send_line(secret).unwrap();
    }
    session.exp_string("it is done").unwrap_or_else(|error| panic!("{command}: {error}"));
    session.exp_eof().unwrap();
}

/// A store's backup, and what stands on its recovery sheet.
fn backed_up() -> (tempfile::TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    fs::write(place("pass"), PASSPHRASE).unwrap();
    fs::write(place("policy.toml"), POLICY).unwrap();
    fs::create_dir(place("stick")).unwrap();
    coldsign(
        folder.path(),
        "init --issuer https://t.example --admin anna --policy policy.toml --recovery-sheet sheet --kdf-log-n 10",
    );
    coldsign(folder.path(), "publish");
    coldsign(folder.path(), "backup create --to stick");
    let backup = fs::read_dir(place("stick")).unwrap().next().unwrap().unwrap().path();
    let sheet = fs::read_to_string(place("sheet")).unwrap();
    (folder, backup, sheet)
}

fn code(sheet: &str, name: &str) -> String {
    let line = sheet.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(2).unwrap().replace('-', "")
}

fn opens(folder: &Path, backup: &Path, name: &str, secret: &str) -> PathBuf {
    let opened = folder.join(format!("opened-by-{name}"));
    fs::create_dir(&opened).unwrap();
    let text = Command::new("tar").arg("-xOf").arg(backup).arg("HOW-TO-OPEN.txt").output().unwrap().stdout;
    let text = String::from_utf8(text).unwrap();
    let (_, without) = text.split_once("Without it, with tar and age").unwrap();
    let commands = without.lines().filter_map(|line| line.strip_prefix("    "));
    let commands: Vec<&str> = commands.map(|line| line.split("  ").next().unwrap()).collect();
    assert_eq!(commands.len(), 3, "{text}");
    for command in commands {
        let command = command.replace("THIS-FILE", backup.to_str().unwrap()).replace("NAME", name);
        typed(&opened, &command, secret);
    }
    opened
}

/// The seal by the identity, and a private key by the seal.
fn reaches_a_key(opened: &Path) {
    let decrypted = |identity: &str, file: &Path| {
        let output = Command::new("age").args(["-d", "-i", identity]).arg(file).current_dir(opened).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let seal: serde_json::Value =
        serde_json::from_str(&decrypted("identity", &opened.join("sealed/1/seal.age"))).unwrap();
    fs::write(opened.join("sealing"), seal["sealing_identity"].as_str().unwrap()).unwrap();
    let keys = fs::read_dir(opened.join("sealed/1")).unwrap().map(|entry| entry.unwrap().path());
    let keys: Vec<PathBuf> = keys.filter(|path| !path.ends_with("seal.age")).collect();
    assert!(keys.len() >= 3, "{keys:?}");
    for key in keys {
        assert!(decrypted("sealing", &key).starts_with("-----BEGIN PRIVATE KEY-----"), "{key:?}");
    }
}

#[test]
fn a_backup_opens_by_its_own_note_without_coldsign() {
    if !age_is_there() {
        return;
    }
    let (folder, backup, sheet) = backed_up();
    for (name, secret) in [("anna", PASSPHRASE.to_owned()), ("recovery", code(&sheet, "recovery code"))] {
        let opened = opens(folder.path(), &backup, name, &secret);
        let journal = fs::read(opened.join("journal/entries.jsonl")).unwrap();
        assert!(fs::read(folder.path().join("store/journal/entries.jsonl")).unwrap().starts_with(&journal));
        reaches_a_key(&opened);
        let identity = fs::read_to_string(opened.join("identity")).unwrap();
        assert!(
            identity.starts_with(&format!("# coldsign unlock, version 1\n# unlock: {name}\n# store: ")),
            "{identity}"
        );
    }
}

#[test]
fn a_custodian_s_key_opens_with_the_code_on_the_sheet() {
    if !age_is_there() {
        return;
    }
    let (folder, _, sheet) = backed_up();
    let file = fs::read_dir(folder.path().join("store/roots")).unwrap().map(|entry| entry.unwrap().file_name());
    let file = file.map(|name| name.into_string().unwrap()).find(|name| name.starts_with("key-")).unwrap();
    typed(&folder.path().join("store"), &format!("age -d roots/{file} > ../root.pem"), &code(&sheet, "root code"));
    let pem = fs::read_to_string(folder.path().join("root.pem")).unwrap();
    assert!(pem.starts_with("coldsign root key, version 1\nstore: "), "{pem}");
    // Lines before the block are no hindrance to other readers of PEM.
    let read = Command::new("openssl").args(["pkey", "-noout", "-in", "root.pem"]).current_dir(folder.path()).output();
    assert!(read.is_ok_and(|output| output.status.success()), "openssl does not read it");
}
