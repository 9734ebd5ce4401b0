//! The pages for bad days, run from their own command blocks by the real binary at a
//! pseudo-terminal: `sh` blocks are typed from top to bottom, the prompts answered as a person
//! would, and what the `text` block after one says must be on the screen. The last command of a block
//! marked `sh refused` must be refused.
//!
//! Beforehand there is the store of an administrator anna with one published key, a token of ann's,
//! and the recovery sheet. `/media` is a folder of the test. `<!-- test: … -->` is a command
//! that brings about what a section is about.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use rexpect::ReadUntil;
use rexpect::reader::Regex;
use rexpect::session::{PtySession, spawn_command};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Keys reach verifiers at once: no courier, no reload, no skew.
const POLICY: &str = r#"
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
[keysets.fed]
algorithm = "ES256"
[services.fed]
profile = "fedn"
keyset = "fed"
[services.fed.roles.client]
"#;

#[test]
fn the_page_on_losses_does_what_it_says() {
    Desk::new().play("docs/operator/recovery.md", 8);
}

#[test]
fn the_page_on_thefts_does_what_it_says() {
    Desk::new().play("docs/operator/stolen.md", 3);
}

#[test]
fn the_page_on_alarms_does_what_it_says() {
    Desk::new().play("docs/operator/tampered.md", 8);
}

#[test]
fn the_page_on_the_root_does_what_it_says() {
    Desk::new().play("docs/operator/root.md", 4);
}

#[test]
fn the_page_on_rotation_does_what_it_says() {
    Desk::new().play("docs/operator/rotation.md", 4);
}

/// A piece of a page that can be done.
#[derive(Debug, PartialEq)]
enum Piece {
    Typed(String),
    Refused(String),
    Shown(String),
    Arranged(String),
}

fn pieces(page: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let mut block = || lines.by_ref().take_while(|line| *line != "```").collect::<Vec<_>>().join("\n");
        match line {
            "```sh" => pieces.push(Piece::Typed(block())),
            "```sh refused" => pieces.push(Piece::Refused(block())),
            "```text" => pieces.push(Piece::Shown(block())),
            other => {
                let command = other.strip_prefix("<!-- test: ").and_then(|rest| rest.strip_suffix(" -->"));
                pieces.extend(command.map(|command| Piece::Arranged(command.to_owned())));
            }
        }
    }
    pieces
}

#[test]
fn a_page_s_pieces_are_found() {
    let page = "# A\n```sh\none\ntwo\n```\n```text\nthree\n```\n```\nleft out\n```\n<!-- test: four -->\n\
                ```sh refused\nfive\n```\n";
    let all = [
        Piece::Typed("one\ntwo".into()),
        Piece::Shown("three".into()),
        Piece::Arranged("four".into()),
        Piece::Refused("five".into()),
    ];
    assert_eq!(pieces(page), all);
}

/// Where an administrator sits: the folder, what they know by heart, what they have on paper.
struct Desk {
    folder: tempfile::TempDir,
    passphrases: Vec<(String, String)>,
    recovery: String,
    /// The codes of custodians, by the name of the key.
    roots: BTreeMap<String, String>,
    /// Shown last, to be typed back.
    new_code: String,
    /// What opened the store on the day of the backup.
    backed_up: Option<(Vec<(String, String)>, String)>,
    typed: usize,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        std::fs::write(place("pass"), "correct horse battery staple").unwrap();
        std::fs::write(place("policy.toml"), POLICY).unwrap();
        std::fs::create_dir_all(place("media/usb")).unwrap();
        std::fs::create_dir_all(place("media/other")).unwrap();
        std::fs::create_dir_all(place("media/berta")).unwrap();
        std::fs::create_dir_all(place("media/cora")).unwrap();
        let init = "init --issuer https://t.example --admin anna --policy policy.toml --recovery-sheet sheet";
        for command in [
            &format!("{init} --kdf-log-n 10"),
            "publish",
            "token issue api/reader ann --to .",
            "token issue fed/client ward7 --to .",
        ] {
            let mut coldsign = Command::new(env!("CARGO_BIN_EXE_coldsign"));
            coldsign.args(["--passphrase-file", "pass"]).args(command.split(' ')).current_dir(folder.path());
            let output = coldsign.env("COLDSIGN_STORE", place("store")).output().unwrap();
            assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let sheet = std::fs::read_to_string(place("sheet")).unwrap();
        Self {
            passphrases: vec![("anna".to_owned(), "correct horse battery staple".to_owned())],
            recovery: code_of(&sheet, "recovery code"),
            roots: BTreeMap::from([("root/1".to_owned(), code_of(&sheet, "root code"))]),
            new_code: String::new(),
            folder,
            backed_up: None,
            typed: 0,
        }
    }

    fn play(mut self, page: &str, least: usize) {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
        let mut screen = String::new();
        let mut typed = 0;
        for piece in pieces(&text) {
            match piece {
                Piece::Typed(block) => {
                    typed += 1;
                    screen = self.type_in(&block);
                }
                Piece::Refused(block) => {
                    typed += 1;
                    screen = self.type_in(&format!("if {block}; then exit 3; else true; fi"));
                }
                Piece::Arranged(command) => drop(self.type_in(&command)),
                Piece::Shown(lines) => {
                    for line in lines.lines() {
                        assert!(screen.contains(line), "{page}: {line:?} is not on the screen:\n{screen}");
                    }
                }
            }
        }
        assert!(typed >= least, "{page}: only {typed} blocks found");
    }

    /// Types a block into a shell, line by line, and answers what it asks; returns the screen.
    fn type_in(&mut self, block: &str) -> String {
        if block.contains("backup create --to /media/usb") {
            self.backed_up = Some((self.passphrases.clone(), self.recovery.clone()));
        } else if block.contains("backup restore /media/usb") {
            (self.passphrases, self.recovery) = self.backed_up.clone().expect("there is a backup");
        }
        let block = block.replace("/media/", &format!("{}/", self.folder.path().join("media").display()));
        let mut session = self.shell(&format!("set -e\n{block}\necho 'the block'' is done'"));
        let question = Regex::new(
            r"(new passphrase of \w+|passphrase of \w+|recovery code|root code of root/\d+|root code|the same again|Confirm with Yes \(exactly\)): $",
        )
        .unwrap();
        let mut screen = String::new();
        loop {
            let questions = vec![ReadUntil::Regex(question.clone()), ReadUntil::EOF];
            let (before, asked) = session.exp_any(questions).unwrap_or_else(|error| panic!("{block}: {error}"));
            screen.push_str(&before);
            if before.contains("custodian's sheet") {
                self.new_code = code_of(&before, "root code");
                let (_, name) = before.split_once("\nkey     ").expect("the name of the key");
                let name = name.split_whitespace().next().expect("a name").to_owned();
                self.roots.insert(name, self.new_code.clone());
            } else if before.contains("Then type it back.") {
                self.recovery = code_of(&before, "recovery code");
            }
            screen.push_str(&asked);
            if !question.is_match(&asked) {
                break; // the end: what is left of the screen
            }
            let answer = self.answer(asked.trim_end_matches(": "));
            session.send_line(&answer).unwrap();
        }
        assert!(screen.contains("the block is done"), "{block}\n{screen}");
        screen
    }

    fn answer(&mut self, question: &str) -> String {
        match question {
            "recovery code" => self.recovery.clone(),
            // The code of the sheet that was shown, or of the one custodian there is.
            "root code" if !self.new_code.is_empty() => std::mem::take(&mut self.new_code),
            "root code" => self.roots["root/1"].clone(),
            "Confirm with Yes (exactly)" => "Yes".to_owned(),
            "the same again" => self.passphrases.last().unwrap().1.clone(),
            other if other.starts_with("root code of ") => {
                self.roots[other.trim_start_matches("root code of ")].clone()
            }
            other if other.starts_with("new passphrase of ") => {
                self.typed += 1;
                let name = other.trim_start_matches("new passphrase of ").to_owned();
                let new = format!("a new passphrase, number {}", self.typed);
                self.passphrases.push((name, new.clone()));
                new
            }
            other => {
                let name = other.strip_prefix("passphrase of ").unwrap_or_else(|| panic!("{other}?"));
                let known = self.passphrases.iter().rev().find(|(of, _)| of == name);
                known.unwrap_or_else(|| panic!("nobody knows the passphrase of {name}")).1.clone()
            }
        }
    }

    fn shell(&self, script: &str) -> PtySession {
        let folder = self.folder.path();
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_coldsign"));
        let path = format!("{}:/usr/bin:/bin", binary.parent().unwrap().display());
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).current_dir(folder).env_clear();
        command.env("PATH", path).env("HOME", folder).env("TZ", "UTC").env("TERM", "dumb").env("COLUMNS", "200");
        command.env("COLDSIGN_STORE", folder.join("store"));
        spawn_command(command, Some(60_000)).expect("a pseudo-terminal")
    }
}

/// The code that stands behind its name on a sheet.
fn code_of(sheet: &str, name: &str) -> String {
    let line = sheet.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {sheet}"));
    line.split_whitespace().nth(2).expect("a code").to_owned()
}
