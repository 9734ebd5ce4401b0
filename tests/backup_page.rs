//! The commands of docs/operator/backup.md, run from the page as they stand, by a person who types
//! the passphrase where they are asked.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

const PAGE: &str = include_str!("../docs/operator/backup.md");
const PASSPHRASE: &str = "correct horse battery staple";

/// The text of each block marked `sh`.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "```sh" {
            let inside: Vec<&str> = lines.by_ref().map(str::trim).take_while(|line| *line != "```").collect();
            blocks.push(inside.join("\n"));
        }
    }
    blocks
}

fn shell(folder: &Path, script: &str) -> Output {
    Command::new("sh")
        .args(["-ec", script])
        .current_dir(folder)
        .env_clear()
        .env("PATH", format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap_or_default()))
        .env("HOME", folder)
        .env("TZ", "UTC")
        .env("COLDSIGN_STORE", folder.join("store"))
        .stdin(std::process::Stdio::null())
        .output()
        .expect("a shell")
}

fn done(folder: &Path, script: &str) -> String {
    let output = shell(folder, script);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{script}\n{told}");
    told
}

/// `coldsign` for the page: answers the question for a passphrase, or for the recovery code.
fn put_a_typist_before_coldsign(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let typist = format!(
        "#!/bin/sh\ncase \" $* \" in *' recovery '*) typed=code ;; *) typed=pass ;; esac\n\
         exec '{}' --passphrase-file '{}/'$typed \"$@\"\n",
        env!("CARGO_BIN_EXE_coldsign"),
        folder.display()
    );
    std::fs::create_dir(folder.join("bin")).unwrap();
    let place = folder.join("bin/coldsign");
    std::fs::write(&place, typist).unwrap();
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_page_restores_what_it_backed_up() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    std::fs::write(folder.join("pass"), PASSPHRASE).unwrap();
    std::fs::write(folder.join("policy.toml"), include_str!("scenarios/policy.toml")).unwrap();
    std::fs::create_dir_all(folder.join("media/usb")).unwrap();
    std::fs::create_dir_all(folder.join("media/other")).unwrap();
    put_a_typist_before_coldsign(folder);
    done(
        folder,
        "coldsign init --issuer https://t.example --policy policy.toml --recovery-sheet sheet --kdf-log-n 10\n\
         grep 'recovery code' sheet | awk '{print $3}' > code\n\
         coldsign publish --to media/usb",
    );
    let blocks = blocks(PAGE);
    assert!(blocks.len() >= 8, "the page has lost its commands");
    let media = format!("{}/", folder.join("media").display());
    for (at, block) in blocks.iter().enumerate() {
        let told = done(folder, &block.replace("/media/", &media));
        if block.contains("backup restore") {
            assert!(told.contains("nothing seen outside is lost"), "{told}");
            // The old machine is gone from here on, and one backup is not the other.
            std::fs::remove_dir_all(folder.join("store")).unwrap();
        }
        assert!(!told.contains("error"), "block {}: {told}", at + 1);
    }
    assert!(folder.join("media/usb/coldsign-publication-001001/SHA256SUMS").is_file());
    assert_eq!(std::fs::read_dir(folder.join("media/usb")).unwrap().count(), 4);
    done(folder, "coldsign --store restored token issue api/reader ann --to media");
    assert!(folder.join("media/api-ann.header").is_file());
}
