//! Command scenarios: one behaviour a file in `cases/`, named by its outcome, run by the real binary.
//!
//! A file is lines of
//!
//! | line | meaning |
//! | --- | --- |
//! | `# …` | for the reader |
//! | `given store` | a store at `store` with `policy.toml` below, opened by the passphrase in `pass` |
//! | `given published store` | the same with publication 1 made and copied to `stick` |
//! | `given store of tomorrow` | the same as `store`, made by a clock that is a day ahead |
//! | `given quick store` | the same as `store`, with nothing to wait for: no travel times, no skew |
//! | `file NAME` … `end` | a file with the lines between |
//! | `$ …` | a command, run by `sh` in a folder of its own |
//! | `= N` | its exit status; 0 where not said |
//! | `1> …`, `2> …` | its stdout, stderr holds this text |
//! | `1= …` | its stdout is this line and nothing else |
//! | `1j POINTER VALUE`, `2j …` | its stdout, stderr is one JSON value, and holds VALUE (JSON) at POINTER (RFC 6901) |
//! | `needs TOOL` | where the machine has no such command the scenario is skipped, by name |
//! | `needs TOOL …` | the same where that command fails (`needs unshare -Urm true`) |
//! | `not 1> …`, `not 2> …` | its stdout, stderr does not hold this text |
//! | `has PATH`, `no PATH` | after it this file or folder is there, is not there |
//! | `empty DIR` | after it this folder has nothing in it |
//! | `journal + N` | the journal has grown by N lines since the last command |
//!
//! The environment: `coldsign` is the binary under test, `COLDSIGN_STORE` is `store`, `PASS` is
//! `--passphrase-file pass`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock};

const POLICY: &str = include_str!("policy.toml");
const PASSPHRASE: &str = "correct horse battery staple";

#[test]
fn every_scenario_ends_as_its_file_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/cases");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the folder of cases")
        .map(|entry| entry.expect("a case").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "case"))
        .collect();
    files.sort();
    if let Ok(only) = std::env::var("SCENARIO") {
        files.retain(|path| path.display().to_string().contains(&only));
    }
    assert!(!files.is_empty(), "no case to run");
    let failures = Mutex::new(Vec::new());
    let queue = Mutex::new(files.iter());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(file) = { queue.lock().expect("the queue").next() } {
                    if let Some(tool) = missing_tool(file) {
                        println!("skipped {}: this machine has no {tool}", file.display());
                    } else if let Err(failure) = Scenario::run(file) {
                        failures.lock().expect("failures").push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("failures");
    assert!(failures.is_empty(), "{} of {} scenarios failed\n\n{}", failures.len(), files.len(), failures.join("\n\n"));
    println!("{} scenarios", files.len());
}

struct Scenario {
    folder: tempfile::TempDir,
    last: Option<(String, Output)>,
    status_seen: bool,
    journal: usize,
    journal_before: usize,
}

impl Scenario {
    fn run(file: &Path) -> Result<(), String> {
        let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut scenario = Self {
            folder: tempfile::tempdir().map_err(|error| error.to_string())?,
            last: None,
            status_seen: true,
            journal: 0,
            journal_before: 0,
        };
        fs::write(scenario.path("pass"), PASSPHRASE).map_err(|error| error.to_string())?;
        fs::create_dir(scenario.path("out")).map_err(|error| error.to_string())?;
        let mut lines = text.lines().enumerate();
        while let Some((at, line)) = lines.next() {
            let step = if let Some(file) = line.strip_prefix("file ") {
                let inner: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "end").collect();
                let place = scenario.path(file);
                fs::write(place, inner.join("\n") + "\n").map_err(|error| error.to_string())
            } else {
                scenario.step(line)
            };
            step.map_err(|what| {
                let last = scenario_output(scenario.last.as_ref());
                format!("{name}.case line {}: {line}\n  {what}{last}", at + 1)
            })?;
        }
        let last = scenario_output(scenario.last.as_ref());
        scenario.check_status().map_err(|what| format!("{name}.case: {what}{last}"))
    }

    fn step(&mut self, line: &str) -> Result<(), String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "" | "#" | "needs" => Ok(()),
            "given" => self.given(rest),
            "$" => {
                self.check_status()?;
                self.journal_before = self.journal;
                let output = self.shell(rest)?;
                self.journal = self.journal_lines();
                self.last = Some((rest.to_owned(), output));
                self.status_seen = false;
                Ok(())
            }
            "=" => {
                self.status_seen = true;
                let wanted: i32 = rest.parse().map_err(|_| "no exit status")?;
                let found = self.output()?.status.code();
                if found == Some(wanted) { Ok(()) } else { Err(format!("its exit status is {found:?}")) }
            }
            "1>" => self.holds(&self.output()?.stdout, rest, true),
            "2>" => self.holds(&self.output()?.stderr, rest, true),
            "1=" => {
                let stdout = String::from_utf8_lossy(&self.output()?.stdout).into_owned();
                if stdout.trim_end() == rest { Ok(()) } else { Err("its stdout is another".to_owned()) }
            }
            "not" => match rest.split_once(' ') {
                Some(("1>", text)) => self.holds(&self.output()?.stdout, text, false),
                Some(("2>", text)) => self.holds(&self.output()?.stderr, text, false),
                _ => Err("not what?".to_owned()),
            },
            "has" => {
                if self.path(rest).exists() {
                    Ok(())
                } else {
                    Err("it is not there".to_owned())
                }
            }
            "no" => {
                if self.path(rest).exists() {
                    Err("it is there".to_owned())
                } else {
                    Ok(())
                }
            }
            "empty" => {
                let inside: Vec<_> =
                    fs::read_dir(self.path(rest)).map_err(|error| error.to_string())?.flatten().collect();
                if inside.is_empty() { Ok(()) } else { Err(format!("there is {:?}", inside[0].file_name())) }
            }
            "journal" => {
                let grown = self.journal.saturating_sub(self.journal_before);
                if rest == format!("+ {grown}") { Ok(()) } else { Err(format!("it has grown by {grown}")) }
            }
            "1j" => json_holds(&self.output()?.stdout, rest),
            "2j" => json_holds(&self.output()?.stderr, rest),
            _ => Err("no such line in a scenario".to_owned()),
        }
    }

    fn given(&mut self, what: &str) -> Result<(), String> {
        let fixture = fixture(what)?;
        copy_tree(fixture, self.folder.path()).map_err(|error| error.to_string())?;
        self.journal = self.journal_lines();
        Ok(())
    }

    fn shell(&self, command: &str) -> Result<Output, String> {
        shell(self.folder.path(), command).map_err(|error| error.to_string())
    }

    fn output(&self) -> Result<&Output, String> {
        self.last.as_ref().map(|(_, output)| output).ok_or_else(|| "no command before it".to_owned())
    }

    /// A command whose status no line speaks of must have succeeded.
    fn check_status(&self) -> Result<(), String> {
        match &self.last {
            Some((command, output)) if !self.status_seen && !output.status.success() => {
                Err(format!("`{command}` failed"))
            }
            _ => Ok(()),
        }
    }

    fn holds(&self, stream: &[u8], text: &str, wanted: bool) -> Result<(), String> {
        match (String::from_utf8_lossy(stream).contains(text), wanted) {
            (true, true) | (false, false) => Ok(()),
            (false, true) => Err("it is not said".to_owned()),
            (true, false) => Err("it is said".to_owned()),
        }
    }

    fn journal_lines(&self) -> usize {
        fs::read_to_string(self.path("store/journal/entries.jsonl")).map_or(0, |text| text.lines().count())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The first command that a scenario needs and this machine lacks.
fn missing_tool(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut needed = text.lines().filter_map(|line| line.strip_prefix("needs "));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let lacks = |tool: &&str| match tool.split_once(' ') {
        Some(_) => !Command::new("sh").args(["-c", tool]).output().is_ok_and(|output| output.status.success()),
        None => !std::env::split_paths(&path).any(|folder| folder.join(tool).is_file()),
    };
    needed.find(lacks).map(str::to_owned)
}

/// `POINTER VALUE`; the pointer of the whole is empty, so that `1j` alone says that it is JSON at all.
fn json_holds(stream: &[u8], rest: &str) -> Result<(), String> {
    let found: serde_json::Value =
        serde_json::from_slice(stream).map_err(|error| format!("it is not one JSON value: {error}"))?;
    let (pointer, wanted) = rest.split_once(' ').unwrap_or((rest, ""));
    let there = found.pointer(pointer).ok_or("there is nothing at that place")?;
    if wanted.is_empty() {
        return Ok(());
    }
    let wanted: serde_json::Value = serde_json::from_str(wanted).map_err(|error| error.to_string())?;
    if *there == wanted { Ok(()) } else { Err(format!("there is {there}")) }
}

fn scenario_output(last: Option<&(String, Output)>) -> String {
    let Some((command, output)) = last else { return String::new() };
    format!(
        "\n  $ {command}\n  status {:?}\n  stdout {}\n  stderr {}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).replace('\n', "\n         "),
        String::from_utf8_lossy(&output.stderr).replace('\n', "\n         ")
    )
}

fn shell(folder: &Path, command: &str) -> std::io::Result<Output> {
    let binary = Path::new(env!("CARGO_BIN_EXE_coldsign"));
    let path = format!(
        "{}:{}",
        binary.parent().unwrap_or(Path::new("/")).display(),
        std::env::var("PATH").unwrap_or_default()
    );
    Command::new("sh")
        .arg("-c")
        .arg(command)
        .current_dir(folder)
        .env_clear()
        .env("PATH", path)
        .env("HOME", folder)
        .env("TZ", "UTC")
        .env("COLDSIGN_STORE", folder.join("store"))
        .env("PASS", "--passphrase-file pass")
        .stdin(std::process::Stdio::null())
        .output()
}

/// A store made once a run, and copied for each scenario that starts from it.
fn fixture(what: &str) -> Result<&'static Path, String> {
    static MADE: OnceLock<Mutex<BTreeMap<String, &'static Path>>> = OnceLock::new();
    let mut made = MADE.get_or_init(Mutex::default).lock().map_err(|_| "a fixture failed before")?;
    if let Some(folder) = made.get(what) {
        return Ok(folder);
    }
    let commands: &[&str] = match what {
        "store" => &[INIT],
        "store of tomorrow" => &[],
        "quick store" => &[QUICK, INIT],
        "published store" => &[INIT, "mkdir stick", "coldsign $PASS publish --to stick"],
        _ => return Err("no such fixture".to_owned()),
    };
    let folder: &'static Path =
        Box::leak(tempfile::tempdir().map_err(|error| error.to_string())?.keep().into_boxed_path());
    fs::write(folder.join("pass"), PASSPHRASE).map_err(|error| error.to_string())?;
    fs::write(folder.join("policy.toml"), POLICY).map_err(|error| error.to_string())?;
    if what == "store of tomorrow" {
        tomorrow(folder)?;
    }
    for command in commands {
        let output = shell(folder, command).map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(format!("fixture: {command}: {}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    made.insert(what.to_owned(), folder);
    Ok(folder)
}

/// The clock is the one thing that no command line changes.
fn tomorrow(folder: &Path) -> Result<(), String> {
    use coldsign::acts::init;
    use coldsign::keystore::{KdfCost, Passphrase, RecoveryCode};
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_err(|error| error.to_string())?;
    let request = init::Request {
        path: &folder.join("store"),
        issuer: "https://tokens.example",
        admin: "admin",
        passphrase: &Passphrase::from(zeroize::Zeroizing::new(PASSPHRASE.to_owned())),
        cost: KdfCost::new(10).map_err(|fault| fault.to_string())?,
        policy: POLICY,
        recovery: &RecoveryCode::generate().map_err(|fault| fault.to_string())?,
        root_code: &RecoveryCode::generate().map_err(|fault| fault.to_string())?,
        root_to: None,
        now: now.as_secs() + 86_400,
    };
    init::init(&request).map(|_| ()).map_err(|refusal| refusal.to_string())
}

const QUICK: &str = r#"sed -e 's/^publish_every = .*/publish_every = "0s"/' -e 's/^delivery = .*/delivery = "0s"/' \
    -e 's/^reload = .*/reload = "0s"/' -e 's/^lost_sticks = .*/lost_sticks = 0/' policy.toml > quick && mv quick policy.toml && \
    printf '\n[timing]\nskew = "0s"\nbackdate = "0s"\n' >> policy.toml"#;

const INIT: &str = "coldsign $PASS init --issuer https://tokens.example --policy policy.toml \
    --recovery-sheet recovery.txt --kdf-log-n 10";

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
