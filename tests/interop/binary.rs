//! The binary under test, built the way it ships.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Path of the `coldsign` binary.
///
/// Built on its own, because in a build of the whole workspace feature unification would make a signer
/// that nobody ships. `COLDSIGN_BINARY` names another one to test, such as a release candidate.
pub(crate) fn coldsign() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("COLDSIGN_BINARY") {
        Some(path) => PathBuf::from(path),
        None => build("coldsign"),
    })
}

/// Path of the `coldsign-gate` binary, built the same way.
pub(crate) fn coldsign_gate() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| build("coldsign-gate"))
}

/// `target/interop`, where packages and notes of these tests are kept.
pub(crate) fn interop_folder() -> PathBuf {
    let folder = target_folder().join("interop");
    std::fs::create_dir_all(&folder).expect("target/interop");
    folder
}

fn build(binary: &str) -> PathBuf {
    let profile = profile_folder();
    let name = profile.file_name().expect("profile folder").to_str().expect("UTF-8 profile").to_owned();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--package", binary, "--bin", binary, "--profile"])
        .arg(if name == "debug" { "dev" } else { &name })
        .arg("--target-dir")
        .arg(target_folder())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{binary} doesn't build:\n{}", String::from_utf8_lossy(&output.stderr));
    profile.join(binary)
}

// A test runs as <target>/<profile>/deps/<test>.
fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("path of the running test");
    test.ancestors().nth(2).expect("profile folder").to_path_buf()
}

/// Where cargo builds, this test included.
pub fn target_folder() -> PathBuf {
    profile_folder().parent().expect("target folder").to_path_buf()
}
