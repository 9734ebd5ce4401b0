//! A throwaway store, driven over the command line as an admin would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::binary::coldsign;
use crate::token::Token;

/// The issuer of every throwaway store.
const ISSUER: &str = "https://issuer.example.org";

/// A store made by `init`, with the policy of one world applied and its keys generated.
#[derive(Debug)]
pub struct Appliance {
    folder: TempDir,
}

impl Appliance {
    /// Makes a store with `policies/<world>.toml`.
    pub fn new(world: &str) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        fs::write(folder.path().join("passphrase"), "correct horse battery staple interop\n").expect("passphrase file");
        let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("policies/{world}.toml"));
        let appliance = Self { folder };
        let mut init = appliance.command(&["init", "--issuer", ISSUER, "--kdf-log-n", "10"]);
        init.arg("--policy").arg(policy);
        init.arg("--recovery-sheet").arg(appliance.path("recovery"));
        finish(init);
        appliance
    }

    /// What `iss` holds.
    pub fn issuer(&self) -> &'static str {
        ISSUER
    }

    /// Issues one token (`grant` is `SERVICE/ROLE[,ROLE…]`) and returns it as a raw token.
    pub fn token(&self, grant: &str, subject: &str, options: &[&str]) -> Token {
        let file = self.token_file(grant, subject, &[&["--form", "raw"], options].concat());
        Token::new(&fs::read_to_string(file).expect("token file"))
    }

    /// Issues one token and returns the file its holder would get.
    pub fn token_file(&self, grant: &str, subject: &str, options: &[&str]) -> PathBuf {
        let to = self.empty_folder();
        let mut issue = self.command(&["token", "issue", grant, subject]);
        issue.args(options).arg("--to").arg(&to);
        finish(issue);
        only_file(&to)
    }

    /// Publishes, and returns what would lie on the stick.
    pub fn publish(&self) -> Publication {
        let to = self.empty_folder();
        let mut publish = self.command(&["publish"]);
        publish.arg("--to").arg(&to);
        finish(publish);
        Publication { folder: to.join("coldsign-publication-000001") }
    }

    /// Publishes once more, whatever changed, and returns the new folder.
    pub fn publish_again(&self) -> PathBuf {
        let to = self.empty_folder();
        let mut publish = self.command(&["publish", "--renew"]);
        publish.arg("--to").arg(&to);
        finish(publish);
        only_file(&to)
    }

    /// The newest root's fingerprint as the signing machine shows it.
    pub fn root_fingerprint(&self) -> String {
        self.told(&["root", "show"])["fingerprint"].as_str().expect("a fingerprint").to_owned()
    }

    /// Runs one command, and returns what it says as JSON.
    pub fn told(&self, arguments: &[&str]) -> Value {
        let mut command = self.command(arguments);
        command.arg("--json");
        serde_json::from_slice(&finish(command)).expect("JSON")
    }

    /// A new folder on this machine: a stick, or what is handed out.
    pub fn empty_folder(&self) -> PathBuf {
        tempfile::tempdir_in(self.folder.path()).expect("temporary folder").keep()
    }

    /// Runs one command: done, or the rule that refused.
    ///
    /// # Errors
    /// The rule.
    pub fn ended(&self, arguments: &[&str]) -> Result<(), String> {
        let output = self.command(&[&["--json"], arguments].concat()).output().expect("coldsign starts");
        if output.status.success() {
            return Ok(());
        }
        let told: Value = serde_json::from_slice(&output.stderr).expect("a refusal as JSON");
        Err(told["error"]["rule"].as_str().unwrap_or_default().to_owned())
    }

    /// Runs one command that ends in a path.
    pub fn act(&self, arguments: &[&str], path: &Path) {
        let mut act = self.command(arguments);
        act.arg(path);
        finish(act);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(coldsign());
        command.arg("--store").arg(self.path("store"));
        command.arg("--passphrase-file").arg(self.path("passphrase"));
        command.args(arguments);
        command.env_remove("COLDSIGN_STORE");
        command
    }
}

/// The first publication of a store.
#[derive(Debug)]
pub struct Publication {
    folder: PathBuf,
}

impl Publication {
    /// The whole folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder that the operator of `service` gets.
    pub fn service(&self, service: &str) -> PathBuf {
        self.folder.join(format!("for-{service}"))
    }

    /// The path of a file in it.
    pub fn file(&self, service: &str, name: &str) -> PathBuf {
        let path = self.service(service).join(name);
        assert!(path.is_file(), "not published: {}", path.display());
        path
    }

    /// The one file published for `service` whose name ends in `suffix`, for names that hold a key id.
    pub fn key_file(&self, service: &str, suffix: &str) -> PathBuf {
        let folder = self.service(service);
        let names = fs::read_dir(&folder).expect("service folder").map(|entry| entry.expect("service folder").path());
        let mut found = names.filter(|path| path.to_string_lossy().ends_with(suffix));
        let file = found.next().unwrap_or_else(|| panic!("no *{suffix} in {}", folder.display()));
        assert!(found.next().is_none(), "more than one *{suffix} in {}", folder.display());
        file
    }

    /// `service.json`: what a verifier of `service` has to expect.
    pub fn expectations(&self, service: &str) -> Value {
        let bytes = fs::read(self.file(service, "service.json")).expect("service.json");
        serde_json::from_slice(&bytes).expect("service.json is JSON")
    }
}

/// The one thing that lies in a folder.
pub fn only_file(folder: &Path) -> PathBuf {
    let mut files = fs::read_dir(folder).expect("folder").map(|entry| entry.expect("folder").path());
    let file = files.next().expect("a file");
    assert!(files.next().is_none(), "more than one file in {}", folder.display());
    file
}

fn finish(mut command: Command) -> Vec<u8> {
    let output = command.output().expect("coldsign starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    output.stdout
}
