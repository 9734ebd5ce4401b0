//! What is left of the secrets in the memory of a process: nothing of keys, identities and passphrase once
//! the store is closed; while it is open, the counts are reported.
//!
//! The process is held up by `strace` at its very last call, when every secret has been dropped, and
//! before, at the write of its product, when the store is still open.

use super::{Life, PASSPHRASE};
use crate::known::{Secrets, found};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A store, and its secrets.
fn begun() -> Option<(Life, Secrets)> {
    let mut life = Life::begin();
    if !life.traced {
        println!("skipped: a process can't be held up here");
        return None;
    }
    life.done(
        "--passphrase-file given/pass init --issuer https://tokens.example --policy given/policy.toml \
         --recovery-sheet given/recovery.txt --kdf-log-n 10",
    );
    let mut secrets = Secrets::from([("passphrase".to_owned(), PASSPHRASE.as_bytes().to_vec())]);
    life.gather(&mut secrets, "its", "given/recovery.txt", &[("admin", PASSPHRASE)]);
    Some((life, secrets))
}

fn issue(grant: &str, subject: &str) -> String {
    format!("--passphrase-file given/pass token issue {grant} {subject} --to out")
}

/// The secrets that are there, and how often.
fn counted(secrets: &Secrets, memory: &[u8]) -> Vec<String> {
    let mut seen = found(secrets, memory);
    seen.retain(|what| what.contains("(raw)") || what.contains("(backwards)") || what.contains("base64"));
    let counted = seen.iter().map(|what| {
        let secret = what.strip_suffix(" (raw)").and_then(|name| secrets.get(name));
        format!("{what} x{}", secret.map_or(1, |secret| times(secret, memory)))
    });
    counted.collect()
}

#[test]
fn a_closed_store_leaves_no_secret_in_memory() {
    let Some((life, secrets)) = begun() else { return };
    match held_up(&life, "exit_group", &issue("api/reader", "ann")) {
        Some(memory) => assert_eq!(counted(&secrets, &memory), Vec::<String>::new()),
        None => println!("skipped: its memory can't be read here"),
    }
}

#[test]
#[ignore = "a report that takes half a minute: just memory"]
fn what_memory_still_holds_is_reported() {
    let Some((life, secrets)) = begun() else { return };
    for (grant, key) in [("api/reader", "default"), ("flowkit/analyst", "flowkit"), ("study/client", "study")] {
        for (call, when) in [("write", "with the store open"), ("exit_group", "after it was closed")] {
            let subject = format!("{call}-{key}").replace('_', "-");
            match held_up(&life, call, &issue(grant, &subject)) {
                Some(memory) => {
                    let (size, counted) = (memory.len() >> 20, counted(&secrets, &memory));
                    println!("{key}, {when}: {size} MiB searched, found {counted:?}");
                }
                None => println!("{key}, {when}: its memory can't be read here"),
            }
        }
    }
}

fn times(secret: &[u8], memory: &[u8]) -> usize {
    memory.windows(secret.len()).filter(|part| *part == secret).count()
}

/// The readable memory of a command that is held up when it enters a call (a write: to stdout).
fn held_up(life: &Life, call: &str, command: &str) -> Option<Vec<u8>> {
    let folder = life.folder.path();
    let trace = folder.join("given/held");
    let _ = fs::remove_file(&trace);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o"]).arg(&trace).arg("-e").arg(format!("trace={call}"));
    strace.arg("-e").arg(format!("inject={call}:delay_enter=3000000"));
    if call == "write" {
        strace.args(["-P", "/dev/null"]);
    }
    strace.arg(env!("CARGO_BIN_EXE_coldsign")).args(command.split(' ')).current_dir(folder);
    strace.env("COLDSIGN_STORE", folder.join("store")).env("TZ", "UTC");
    let mut child = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    let mut pid = None;
    while pid.is_none() && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(50));
        let text = fs::read_to_string(&trace).unwrap_or_default();
        pid =
            text.lines().find(|line| line.contains(call)).and_then(|line| line.split(' ').next()?.parse::<u32>().ok());
    }
    let memory = pid.and_then(memory_of);
    child.wait().unwrap();
    memory.filter(|memory| !memory.is_empty())
}

fn memory_of(pid: u32) -> Option<Vec<u8>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mut file = File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut memory = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, mode) = (words.next()?, words.next()?);
        if !mode.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-')?;
        let (from, to) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
        let mut part = Vec::new();
        if file.seek(SeekFrom::Start(from)).is_ok() {
            let _ = (&mut file).take(to - from).read_to_end(&mut part);
        }
        memory.extend(part);
    }
    Some(memory)
}
