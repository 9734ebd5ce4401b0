//! The demonstration runs as the README shows it, and leaves what it says it leaves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::process::Command;

fn demo(folder: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_coldsign"))
        .args(["demo", "--in"])
        .arg(folder)
        .env_remove("COLDSIGN_STORE")
        .output()
        .expect("the demonstration");
    let told = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    told
}

#[test]
fn the_readme_s_session_is_the_demonstration_s() {
    let temp = tempfile::tempdir().expect("a folder");
    let folder = temp.path().join("look");
    let told = demo(&folder);
    let readme = include_str!("../README.md");
    let commands: Vec<&str> = told.lines().filter(|line| line.starts_with("$ coldsign ")).collect();
    assert!(commands.len() > 10, "{told}");
    let mut shown = readme.lines().filter(|line| line.starts_with("$ coldsign ")).peekable();
    assert!(shown.peek().is_some(), "the README shows no session");
    let mut rest = commands.iter();
    for line in shown {
        assert!(rest.any(|command| *command == line), "the demonstration does not do: {line}");
    }
    for file in [
        "tokens/study-hospital-a.client.yaml",
        "store/policy.toml",
        "stick/coldsign-publication-000001/SHA256SUMS",
        "stick/coldsign-publication-000001/for-orders/START-HERE.html",
    ] {
        assert!(folder.join(file).exists(), "{file}");
    }
}

#[test]
fn two_demonstrations_share_no_key() {
    let temp = tempfile::tempdir().expect("a folder");
    let keys = |name: &str| {
        let folder = temp.path().join(name);
        demo(&folder);
        std::fs::read_to_string(folder.join("stick/coldsign-publication-000001/for-orders/jwks.json"))
            .expect("a key set")
    };
    assert_ne!(keys("one"), keys("two"));
}
