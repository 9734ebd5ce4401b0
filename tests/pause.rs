//! After a long pause a person is asked whether the clock is right.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a test: a panic is a failure")]

use rexpect::session::{PtySession, spawn_command};
use std::path::Path;
use std::process::Command;

const PASSPHRASE: &str = "correct horse battery staple";
/// The machine's clock, moved for one process alone.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t which, struct timespec *now) {
    int done = syscall(SYS_clock_gettime, which, now);
    if (which == CLOCK_REALTIME && getenv("AHEAD")) now->tv_sec += atol(getenv("AHEAD"));
    return done;
}
"#;
const FORTY_DAYS: &str = "3456000";

fn coldsign(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coldsign"));
    command.args(arguments).current_dir(folder).env_clear().env("TZ", "UTC").env("TERM", "dumb");
    command.env("COLDSIGN_STORE", folder.join("store")).env("HOME", folder);
    command
}

fn forty_days_later(folder: &Path, arguments: &[&str]) -> PtySession {
    let mut command = coldsign(folder, arguments);
    command.env("LD_PRELOAD", folder.join("shim.so")).env("AHEAD", FORTY_DAYS);
    spawn_command(command, Some(60_000)).expect("a pseudo-terminal")
}

#[test]
fn the_answer_decides_and_the_passphrase_comes_before_it() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    std::fs::write(folder.join("shim.c"), SHIM).unwrap();
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-o", "shim.so", "shim.c"]).current_dir(folder).status();
    if !compiled.is_ok_and(|status| status.success()) {
        return println!("skipped: no C compiler to move the clock with");
    }
    std::fs::write(folder.join("pass"), PASSPHRASE).unwrap();
    std::fs::write(folder.join("policy.toml"), include_str!("scenarios/policy.toml")).unwrap();
    let init = ["--passphrase-file", "pass", "init", "--issuer", "https://tokens.example", "--policy", "policy.toml"];
    let init = [&init[..], &["--recovery-sheet", "recovery.txt", "--kdf-log-n", "10"]].concat();
    assert!(coldsign(folder, &init).output().unwrap().status.success());

    let issue = ["token", "issue", "api/reader", "ann", "--to", "."];
    let mut p = forty_days_later(folder, &issue);
    p.exp_string("passphrase of admin: ").unwrap();
    p.send_line(PASSPHRASE).unwrap();
    p.exp_string("Is that the time?").unwrap();
    p.send_line("no").unwrap();
    p.exp_string("NOT-CONFIRMED").unwrap();
    p.exp_eof().unwrap();
    assert!(!folder.join("api-ann.header").exists());

    let mut p = forty_days_later(folder, &issue);
    p.exp_string("passphrase of admin: ").unwrap();
    p.send_line(PASSPHRASE).unwrap();
    p.exp_string("The last act was").unwrap();
    p.exp_string("Is that the time?").unwrap();
    p.send_line("Yes").unwrap();
    p.exp_string("the time of this act is").unwrap();
    p.exp_eof().unwrap();
    assert!(folder.join("api-ann.header").exists());
}
