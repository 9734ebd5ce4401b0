//! What somebody without rights of the gate's can do to the places it works in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod machine;

use coldsign_verify::files::{Folder, LockFile, runs_as_root};
use machine::{Machine, Ran, contents, ran};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::Path;
use std::process::Command;

/// Some user who is neither root nor this one.
const STRANGER: u32 = 54_321;

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// In bounded time: who hangs is killed.
fn in_time(machine: &Machine, arguments: &[&str]) -> Ran {
    let mut command = machine.command(Path::new("timeout"));
    let ended = ran(command.arg("20").arg(env!("CARGO_BIN_EXE_coldsign-gate")).args(arguments), "");
    assert_ne!(ended.status, 124, "{arguments:?} hangs");
    ended
}

fn install<'a>(stick: &'a str, export: &'a str) -> [&'a str; 6] {
    ["install", stick, "--export", export, "--service", "api"]
}

#[test]
fn a_pipe_for_any_file_is_refused_and_never_waited_for() {
    let machine = Machine::pinned();
    let stick = machine.at("stick");
    machine.gate(&["install", &stick]).done();
    pipe(&machine.path("pipe"));
    let pin = ["--trust", "other", "pin", "pipe", "--name", "b", "--fingerprint", &"0".repeat(64)];
    for arguments in
        [&["check", "--service", "api", "pipe"] as &[&str], &["check", "--jwks", "pipe", "--profile", "fedn"], &pin]
    {
        let ended = in_time(&machine, arguments);
        assert!(ended.status == 1 && ended.err.contains("pipe is no ordinary file"), "{arguments:?}: {}", ended.err);
    }
    for name in ["bundle.jwt", "root.2.json", "for-api/jwks.json"] {
        machine.bring(&contents(5));
        let _ = fs::remove_file(machine.path("stick").join(name));
        pipe(&machine.path("stick").join(name));
        in_time(&machine, &["install", &stick]).refused("PUBLICATION-NOT-A-FILE");
    }
    machine.gate(&["receipt", "--fingerprint"]).done();
    let key = machine.path("trust/receipt.key");
    fs::remove_file(&key).unwrap();
    pipe(&key);
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    in_time(&machine, &["receipt"]).refused("RECEIPT-KEY-DAMAGED");
}

#[test]
fn a_lock_that_somebody_holds_is_named_and_not_waited_for_for_ever() {
    let machine = Machine::pinned();
    let (stick, export) = (machine.at("stick"), machine.at("export"));
    machine.gate(&install(&stick, &export)).done();
    machine.bring(&contents(5));
    let held = LockFile::take(&Folder::open(&machine.path("export")).unwrap(), "..lock").unwrap();
    let busy = in_time(&machine, &install(&stick, &export)).refused("EXPORT-BUSY");
    assert!(busy.err.contains("export/..lock is held by another process"), "{}", busy.err);
    assert_eq!(machine.exported("jwks.json"), "{\"seq\": 1}\n");
    drop(held);
    let held = LockFile::take(&Folder::open(&machine.path("trust")).unwrap(), "lock").unwrap();
    let busy = in_time(&machine, &["receipt"]).refused("TRUST-BUSY");
    assert!(busy.err.contains("trust/lock is held by another process"), "{}", busy.err);
    drop(held);
    fs::remove_file(machine.path("export/..lock")).unwrap();
    pipe(&machine.path("export/..lock"));
    in_time(&machine, &install(&stick, &export)).refused("EXPORT-LOCK");
    fs::remove_file(machine.path("export/..lock")).unwrap();
    machine.gate(&install(&stick, &export)).done();
}

#[test]
fn root_goes_no_way_that_others_can_exchange_and_names_what_they_may_write() {
    if !runs_as_root() {
        println!("skipped: not root");
        return;
    }
    let machine = Machine::pinned();
    let stick = machine.at("stick");
    let (home, keys) = (machine.path("home"), machine.path("home/keys"));
    fs::create_dir_all(&keys).unwrap();
    lchown(&home, Some(STRANGER), None).unwrap();
    let refused = machine.gate(&install(&stick, &machine.at("home/keys"))).refused("EXPORT-EXPOSED");
    assert!(refused.err.contains(&format!("{} belongs to user {STRANGER}", home.display())), "{}", refused.err);
    assert_eq!(fs::read_dir(&keys).unwrap().count(), 0);
    // Not yet there: nothing is made where it is not safe.
    machine.gate(&install(&stick, &machine.at("home/new/keys"))).refused("EXPORT-EXPOSED");
    assert!(!machine.path("home/new").exists());
    // A link of theirs, wherever it leads.
    lchown(&home, Some(0), None).unwrap();
    symlink(machine.path("home/keys"), machine.path("link")).unwrap();
    lchown(machine.path("link"), Some(STRANGER), None).unwrap();
    machine.gate(&install(&stick, &machine.at("link"))).refused("EXPORT-EXPOSED");
    fs::set_permissions(&home, Permissions::from_mode(0o777)).unwrap();
    machine.gate(&install(&stick, &machine.at("home/keys"))).refused("EXPORT-EXPOSED");
    fs::set_permissions(&home, Permissions::from_mode(0o755)).unwrap();
    // The folder itself is a service's own: it can harm itself alone.
    lchown(&keys, Some(STRANGER), None).unwrap();
    let warned = machine.gate(&install(&stick, &machine.at("home/keys"))).done();
    assert!(warned.err.contains("warning: ") && warned.err.contains("home/keys belongs to user"), "{}", warned.err);
    assert!(keys.join("jwks.json").is_file());
    lchown(machine.path("trust"), Some(STRANGER), None).unwrap();
    let warned = machine.gate(&["status"]).done();
    assert!(warned.err.contains("trust belongs to user"), "{}", warned.err);
    fs::rename(machine.path("trust"), machine.path("home/trust")).unwrap();
    lchown(&home, Some(STRANGER), None).unwrap();
    machine.gate(&["--trust", "home/trust", "install", &stick]).refused("TRUST-EXPOSED");
}

#[test]
fn a_receipt_on_a_stick_is_no_planted_file() {
    let machine = Machine::pinned();
    machine.gate(&["install", &machine.at("stick")]).done();
    let back = machine.path("back");
    fs::create_dir(&back).unwrap();
    let victim = machine.path("victim");
    fs::write(&victim, "kept").unwrap();
    for (name, next) in [("receipt-api-1-1.jwt", 1), (".receipt-api-1-2.jwt.partial", 2)] {
        symlink(&victim, back.join(name)).unwrap();
        let ended = in_time(&machine, &["receipt", "--to", "back"]);
        assert_eq!(ended.status, i32::from(next == 1), "{ended:?}");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "kept");
    }
    // What a killed run has left goes with the next.
    fs::write(back.join(".coldsign.0123456789abcdef.partial"), "half").unwrap();
    machine.gate(&["receipt", "--to", "back"]).done();
    assert!(!back.join(".coldsign.0123456789abcdef.partial").exists());
}
