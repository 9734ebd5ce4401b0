//! Whole processes, from the call to their end, against one that does nothing.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::measure::{line, median, once};
use crate::{say, store};

const TURNS: usize = 101;
/// 5 ms (issue 3).
const AIM: f64 = 0.005;

pub fn run() {
    let folder = tempfile::tempdir().unwrap();
    let place = store::make(folder.path());
    let token = folder.path().join("token");
    std::fs::write(&token, TOKEN).unwrap();
    let ours = |arguments: &[&str]| {
        let mut command = quiet(env!("CARGO_BIN_EXE_coldsign"));
        command.env("COLDSIGN_STORE", &place).args(arguments);
        command
    };
    let path = token.to_str().unwrap();
    let nothing = time(&mut quiet("true"));
    let inspect = time(&mut ours(&["token", "inspect", path]));
    let status = time(&mut ours(&["status"]));
    for (name, took) in [("token inspect / true", inspect), ("status / true", status)] {
        line(name, took, nothing, took / nothing, None);
    }
    for (name, took) in [("token inspect", inspect), ("status", status)] {
        let kept = if took <= AIM { "kept" } else { "MISSED" };
        say(&format!("  {name}: {:.2} ms, aim 5 ms: {kept}", took * 1e3));
    }
    match peer() {
        None => say("  jwt-cli is not installed: nothing to compare with"),
        Some(version) => {
            let mut command = quiet("jwt");
            command.args(["decode", TOKEN]);
            let theirs = time(&mut command);
            line(&format!("token inspect / {version} decode"), inspect, theirs, inspect / theirs, None);
        }
    }
}

fn quiet(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn time(command: &mut Command) -> f64 {
    let program = Path::new(command.get_program()).display().to_string();
    median((0..TURNS).map(|_| {
        let (status, took) = once(|| command.status().unwrap());
        assert!(status.success(), "{program}: {status}");
        took
    }))
}

/// jwt-cli's own word for its version, where it is on the path.
fn peer() -> Option<String> {
    let output = Command::new("jwt").arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// The token of the verifier's documentation.
const TOKEN: &str = concat!(
    "eyJhbGciOiJFZERTQSIsImtpZCI6ImtQcktfcW14VldhWVZBOXd3QkY2SXVvM3ZWeno3VHhIQ1R3WEJ5Z3JTNGsi",
    "LCJ0eXAiOiJhdCtqd3QifQ.eyJpc3MiOiJodHRwczovL3Rva2Vucy5leGFtcGxlLm9yZyIsImF1ZCI6Imh0dHBzO",
    "i8vYXBpLmV4YW1wbGUub3JnIiwic3ViIjoid2FyZDciLCJjbGllbnRfaWQiOiJ3YXJkNyIsInNjb3BlIjoiZGF0Y",
    "TpyZWFkIiwianRpIjoiN2Q1YjZjMWUiLCJpYXQiOjE4MDAwMDAwMDAsIm5iZiI6MTgwMDAwMDAwMCwiZXhwIjoxO",
    "DAwMDQzMjAwfQ.iCo99VnwvE91JRe_mE9UvOaDGW2_I59RKCDDPMVOs799Sa7s8yTHu3Rj2fI2gnGzgXwIR4JKXd",
    "Mcwfv3in8rDQ",
);
