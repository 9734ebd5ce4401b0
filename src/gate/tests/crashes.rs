//! `install` killed by the system at each of its calls that change something on the disk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod machine;

use machine::{Machine, contents, ran};
use std::path::Path;

/// The system calls by which anything changes; strace counts each by itself, and skips those it doesn't know.
const CALLS: [&str; 12] = [
    "rename",
    "renameat",
    "renameat2",
    "fsync",
    "fdatasync",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "write",
];

#[test]
fn whatever_call_it_dies_at_both_sides_stay_whole() {
    let strace = Path::new("/usr/bin/strace");
    if !strace.is_file() {
        println!("skipped: no strace");
        return;
    }
    let mut killed = Vec::new();
    for call in CALLS {
        for count in 1.. {
            match killed_at(strace, call, count) {
                Some(true) => killed.push(format!("{call} {count}")),
                Some(false) => break,
                None => {
                    println!("skipped: strace may not trace here");
                    return;
                }
            }
        }
    }
    println!("killed at {killed:?}");
    let at_least = |call: &str, times| killed.iter().filter(|at| at.starts_with(call)).count() >= times;
    assert!(at_least("rename", 3) && at_least("fsync", 8) && at_least("symlink", 2), "{killed:?}");
}

/// Whether it died there; either way the same installation then gets through.
fn killed_at(strace: &Path, call: &str, count: u32) -> Option<bool> {
    let machine = Machine::pinned();
    let (stick, export) = (machine.at("stick"), machine.at("export"));
    let install = ["install", &stick, "--export", &export, "--service", "api"];
    machine.gate(&install).done();
    machine.bring(&contents(5));
    let inject = format!("inject=?{call}:signal=KILL:when={count}");
    let mut traced = machine.command(strace);
    traced.args(["-f", "-o", "/dev/null", "-e", &inject, env!("CARGO_BIN_EXE_coldsign-gate")]).args(install);
    let ended = ran(&mut traced, "");
    if ended.err.to_ascii_lowercase().contains("ptrace") {
        return None;
    }
    let status = machine.gate(&["status", "--json"]).done().object();
    let (seq, seen) = (status["installed"]["seq"].as_u64().unwrap(), machine.exported("jwks.json"));
    assert!([1, 5].contains(&seq), "{call} {count}");
    // The trust store is never behind what services read.
    let exported = [1, 5].into_iter().find(|seq| seen == format!("{{\"seq\": {seq}}}\n"));
    assert!(exported.is_some_and(|exported| exported <= seq), "{call} {count}: {seen:?} is in use, {seq} installed");
    // No receipt vouches for files that are not in use.
    let receipt = machine.gate(&["receipt"]);
    match receipt.status {
        0 => assert_eq!(exported, Some(seq), "{call} {count}"),
        _ => drop(receipt.refused("TRUST-EXPORT-DUE")),
    }
    assert_eq!(machine.exported("service.json").replace("of", "seq"), seen, "{call} {count}");
    let exported = exported.unwrap_or_default();
    assert_eq!(machine.exported(&format!("key-{exported}.pem")), "pem\n", "{call} {count}");
    machine.gate(&install).done();
    assert_eq!(machine.exported("jwks.json"), "{\"seq\": 5}\n", "{call} {count}");
    assert_eq!(machine.exported("key-5.pem"), "pem\n", "{call} {count}");
    machine.gate(&["receipt"]).done();
    Some(ended.status != 0)
}
