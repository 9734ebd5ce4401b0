//! `docs/operator/install.md` and the packed folder's `INSTALL.txt`, done as they say, around the
//! binary under test. That the binary to carry is static is `just appliance`'s to check.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The packed folder, as it lies on a stick.
fn packed(to: &Path) -> PathBuf {
    let output = Command::new(root().join(".ci/appliance"))
        .args(["pack", env!("CARGO_BIN_EXE_coldsign")])
        .arg(to)
        .env_remove("COLDSIGN_STORE")
        .output()
        .expect("bash");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(told.lines().last().expect("the folder's path"))
}

/// Runs commands in a folder with another `/usr/local`; what they print.
fn run(commands: &str, folder: &Path, local: &Path) -> Result<String, String> {
    let commands = commands.replace("/usr/local", &local.display().to_string());
    let path = format!("{}:{}", local.join("bin").display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("sh")
        .args(["-e", "-c", &commands])
        .current_dir(folder)
        .env("PATH", path)
        .env("COLDSIGN_STORE", local.join("store"))
        .output()
        .expect("sh");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(told)
    } else {
        Err(format!("{commands}\n{told}{}", String::from_utf8_lossy(&output.stderr)))
    }
}

/// The fenced blocks marked `sh`.
fn blocks(page: &str) -> Vec<&str> {
    page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_page_s_commands_install_and_check_it() {
    let temp = tempfile::tempdir().expect("a folder");
    let folder = packed(temp.path());
    let page = std::fs::read_to_string(root().join("docs/operator/install.md")).expect("the page");
    let blocks = blocks(&page);
    assert_eq!(blocks.len(), 4, "check, install, manual pages, doctor");
    let local = temp.path().join("local");
    let told: Vec<String> =
        blocks.iter().map(|block| run(block, &folder, &local).unwrap_or_else(|fault| panic!("{fault}"))).collect();
    let digest = told[0].split_whitespace().next().expect("a SHA-256");
    assert!(told[3].contains(digest), "doctor tells another SHA-256 than sha256sum: {}", told[3]);
    let instructions = std::fs::read_to_string(folder.join("INSTALL.txt")).expect("INSTALL.txt");
    assert!(instructions.contains(digest));
    assert!(told[1].starts_with("coldsign "));
    for file in ["bin/coldsign", "share/man/man1/coldsign-token-issue.1", "share/bash-completion/completions/coldsign"]
    {
        assert!(local.join(file).is_file(), "{file}");
    }
    let licences = std::fs::read_to_string(folder.join("LICENCES-OF-PARTS.txt")).expect("licences");
    for part in ["aws-lc-sys-", "ed25519-dalek-", "GNU C Library"] {
        assert!(licences.contains(part), "{part}");
    }

    // A bad copy is found before it is installed.
    std::fs::write(folder.join("coldsign"), "not the program").expect("a bad copy");
    assert!(run(blocks[0], &folder, &local).is_err());
}
