//! What is signed or put in force is what was seen, at a pseudo-terminal: somebody with write access to
//! the store exchanges it while the question stands.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use rexpect::session::{PtySession, spawn_command};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PASSPHRASE: &str = "correct horse battery staple";

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// A store, its root code in `code`.
    fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(desk.path("pass"), PASSPHRASE).unwrap();
        let init = ["init", "--issuer", "https://tokens.example", "--api", "api=https://api.example"];
        desk.done(&[&init[..], &["--kdf-log-n", "10", "--recovery-sheet", "sheet"]].concat());
        desk.code("sheet", "code");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn code(&self, sheet: &str, file: &str) {
        let sheet = fs::read_to_string(self.path(sheet)).unwrap();
        let code = sheet.lines().find_map(|line| line.strip_prefix("root code       ")).unwrap();
        fs::write(self.path(file), code).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coldsign"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("TZ", "UTC").env("TERM", "dumb").env("COLDSIGN_STORE", self.path("store"));
        command
    }

    fn done(&self, arguments: &[&str]) {
        let ended = self.command(arguments).args(["--passphrase-file", "pass"]).output().unwrap();
        assert!(ended.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
    }

    /// At a terminal, the passphrase typed.
    fn typed(&self, arguments: &[&str]) -> PtySession {
        let mut p = spawn_command(self.command(arguments), Some(60_000)).expect("a pseudo-terminal");
        p.exp_string("passphrase of admin: ").unwrap();
        p.send_line(PASSPHRASE).unwrap();
        p
    }

    fn journal(&self) -> String {
        fs::read_to_string(self.path("store/journal/entries.jsonl")).unwrap()
    }

    fn policy(&self) -> String {
        fs::read_to_string(self.path("store/policy.toml")).unwrap()
    }
}

fn write(place: &Path, text: &str) {
    fs::write(place, text).unwrap();
}

#[test]
fn a_policy_that_is_exchanged_while_the_question_stands_is_not_applied() {
    let desk = Desk::new();
    let honest = desk.policy().replace("\"Read data\"", "\"Read data of ward 7\"");
    write(&desk.path("store/policy.toml"), &honest);
    let mut p = desk.typed(&["policy", "apply"]);
    let shown = p.exp_string("Confirm with Yes (exactly): ").unwrap();
    assert!(shown.contains("description changes from Read data to Read data of ward 7"), "{shown}");
    assert!(shown.contains("the SHA-256 of its text is"), "{shown}");
    let wide = honest.replacen("scopes = [", "scopes = [\"admin:all\", ", 1);
    assert_ne!(wide, honest);
    write(&desk.path("store/policy.toml"), &wide);
    p.send_line("Yes").unwrap();
    p.exp_string("it is in force now").unwrap();
    p.exp_eof().unwrap();
    let in_force = desk.command(&["policy", "show"]).output().unwrap();
    assert_eq!(String::from_utf8(in_force.stdout).unwrap(), honest);

    // What lies there now is another policy, shown in its turn; no is no.
    let before = desk.journal();
    let mut p = desk.typed(&["policy", "apply"]);
    let shown = p.exp_string("Confirm with Yes (exactly): ").unwrap();
    assert!(shown.contains("gains scope admin:all"), "{shown}");
    p.send_line("yes").unwrap();
    p.exp_string("[NOT-CONFIRMED]").unwrap();
    p.exp_eof().unwrap();
    assert_eq!(desk.journal(), before);
}

#[test]
fn a_root_is_shown_before_its_code_is_asked_for() {
    let desk = Desk::new();
    desk.done(&["root", "add-key", "--threshold", "2", "--root-code-file", "code", "--sheet", "berta"]);
    desk.code("berta", "two");
    let before = desk.journal();
    let mut p = desk.typed(&["root", "rotate", "--bundle-key", "--by", "root/1"]);
    let shown = p.exp_string("Confirm with Yes (exactly): ").unwrap();
    for told in ["new      bundle/2 (", "leaves   bundle/1 (", "as is    root/2 (", "the SHA-256 of its payload is"] {
        assert!(shown.contains(told), "{told} is not in {shown}");
    }
    assert!(!shown.contains("root code of"), "{shown}");
    p.send_line("No").unwrap();
    p.exp_string("[NOT-CONFIRMED]").unwrap();
    p.exp_eof().unwrap();
    assert_eq!(desk.journal(), before);

    desk.done(&["root", "rotate", "--bundle-key", "--by", "root/1", "--root-code-file", "code"]);
    let mut p = desk.typed(&["root", "sign"]);
    let shown = p.exp_string("Confirm with Yes (exactly): ").unwrap();
    assert!(shown.contains("new      bundle/2 (") && shown.contains("leaves   bundle/1 ("), "{shown}");
    assert!(!shown.contains("root code of"), "{shown}");
    // The draft is exchanged while the question stands: the bytes that were shown are signed.
    let roots = fs::read_dir(desk.path("store/roots")).unwrap().map(|file| file.unwrap().path());
    let draft = roots.into_iter().find(|path| path.to_string_lossy().contains("draft-")).unwrap();
    write(&draft, "{}\n");
    p.send_line("Yes").unwrap();
    p.exp_string("root code of root/2: ").unwrap();
    p.send_line(&fs::read_to_string(desk.path("two")).unwrap()).unwrap();
    p.exp_string("made root 3").unwrap();
    p.exp_eof().unwrap();
}
