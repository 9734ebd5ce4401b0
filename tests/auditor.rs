//! The auditor's page, played from its own command blocks.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test: a panic is a failure")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

const PAGE: &str = include_str!("../docs/auditor/journal.md");
const POLICY: &str = include_str!("scenarios/policy.toml");

/// `coldsign` for the page: whoever exports the journal types the passphrase.
fn put_a_typist_before_coldsign(folder: &Path) {
    let binary = env!("CARGO_BIN_EXE_coldsign");
    let typist = format!(
        "#!/bin/sh\ncase \" $* \" in *' journal export '*) exec '{binary}' --passphrase-file '{}/pass' \"$@\" ;; esac\n\
         exec '{binary}' \"$@\"\n",
        folder.display()
    );
    fs::create_dir(folder.join("bin")).unwrap();
    let place = folder.join("bin/coldsign");
    fs::write(&place, typist).unwrap();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
}

fn shell(folder: &Path, script: &str) -> Output {
    let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    command.args(["-e", "-c", script]).current_dir(folder).env_clear().env("PATH", path).env("TZ", "UTC");
    command.env("HOME", folder).env("COLDSIGN_STORE", folder.join("store")).output().unwrap()
}

fn blocks() -> Vec<String> {
    PAGE.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn every_command_of_the_page_does_what_it_says() {
    let temp = tempfile::tempdir().unwrap();
    put_a_typist_before_coldsign(temp.path());
    fs::write(temp.path().join("pass"), "correct horse battery staple").unwrap();
    fs::write(temp.path().join("policy.toml"), POLICY).unwrap();
    let prepare = "coldsign --passphrase-file pass init --issuer https://tokens.example --policy policy.toml \
                   --recovery-sheet recovery.txt --kdf-log-n 10
                   mkdir out
                   coldsign --passphrase-file pass token issue api/reader ann bob --to out --reason 'ticket 7'";
    let prepared = shell(temp.path(), prepare);
    assert!(prepared.status.success(), "{}", String::from_utf8_lossy(&prepared.stderr));

    let blocks = blocks();
    assert_eq!(blocks.len(), 8, "blocks of the page");
    let mut said = String::new();
    for block in blocks {
        // The page asks about a March to come; the tokens here are of today.
        let block = block.replace("2027-03-01", "+1s").replace("2027-04-01", "+30d");
        let output = shell(temp.path(), &block);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{block}\n{out}\n{err}");
        said.push_str(&out);
    }
    for answer in [
        "ticket 7",
        "data:read",
        "lines and 3 signed checkpoints",
        "the journal key is NOT authenticated",
        "that checkpoint is a prefix",
        "the journal key is the one in the file named with --key",
        "verified: entry ",
        "acts go by the machine's clock",
    ] {
        assert!(said.contains(answer), "nobody said {answer:?} in\n{said}");
    }
}
