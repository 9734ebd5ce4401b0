//! A verifier's machine: the real `coldsign-gate` and a trust store of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::binary::coldsign_gate;

/// A machine with a gate and nothing pinned yet.
#[derive(Debug)]
pub struct Gate {
    folder: TempDir,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A new machine.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("temporary folder") }
    }

    /// A place on that machine.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The receipt key's fingerprint as the machine shows it.
    pub fn fingerprint(&self) -> String {
        let output = self.command(&["receipt", "--fingerprint"]).output().expect("coldsign-gate starts");
        let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        shown["fingerprint"].as_str().expect("a fingerprint").to_owned()
    }

    /// Pins the first root of a publication by a fingerprint that came by another way.
    pub fn pin(&self, publication: &Path, name: &str, fingerprint: &str) {
        let root = publication.join("root.1.json").display().to_string();
        self.done(&["pin", &root, "--name", name, "--fingerprint", fingerprint]);
    }

    /// Installs a publication with the export of one service: done, or the rule that refused.
    ///
    /// # Errors
    /// The rule.
    pub fn install(&self, publication: &Path, service: &str) -> Result<(), String> {
        let (publication, export) = (publication.display().to_string(), self.export().display().to_string());
        self.ended(&["install", &publication, "--export", &export, "--service", service])
    }

    /// Where [`Gate::install`] exports to.
    pub fn export(&self) -> PathBuf {
        self.path("export")
    }

    /// Runs one command that must succeed.
    pub fn done(&self, arguments: &[&str]) {
        assert_eq!(self.ended(arguments), Ok(()), "{arguments:?}");
    }

    /// Runs one command: done, or the rule that refused.
    ///
    /// # Errors
    /// The rule.
    pub fn ended(&self, arguments: &[&str]) -> Result<(), String> {
        let output = self.command(arguments).output().expect("coldsign-gate starts");
        if output.status.success() {
            return Ok(());
        }
        let told: Value = serde_json::from_slice(&output.stderr).expect("a refusal as JSON");
        Err(told["error"]["rule"].as_str().unwrap_or_default().to_owned())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(coldsign_gate());
        command.arg("--trust").arg(self.path("trust")).arg("--json").args(arguments);
        command
    }
}
