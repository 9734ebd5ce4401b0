//! What judges a publication is confined; what the operator has run after it is not.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod machine;

use machine::{Machine, contents};
use std::fs;
use std::os::unix::fs::symlink;

fn field(status: &str, name: &str) -> String {
    let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.unwrap_or_default().trim().to_owned()
}

#[test]
fn the_reload_command_runs_outside_and_the_judge_inside() {
    let machine = Machine::pinned();
    // By the shell that the gate starts: its own state, and that of every child of the gate.
    let look = "cat /proc/self/status >own; for s in /proc/[0-9]*/status; do \
                if grep -q \"^PPid:[[:space:]]*$PPID$\" $s 2>/dev/null && grep -q '^Name:[[:space:]]*exe$' $s; then cat $s >judge; fi; done";
    let done = machine.gate(&["install", &machine.at("stick"), "--reload", look]).done();
    assert!(done.out.contains("reloaded: the command ended well"), "{done:?}");
    let read = |name: &str| fs::read_to_string(machine.path(name)).unwrap_or_default();
    let (own, judge, test) = (read("own"), read("judge"), fs::read_to_string("/proc/self/status").unwrap());
    assert_eq!(field(&own, "Seccomp_filters"), field(&test, "Seccomp_filters"), "the command is confined, too");
    assert_eq!(field(&own, "NoNewPrivs"), field(&test, "NoNewPrivs"));
    assert_eq!((field(&judge, "NoNewPrivs").as_str(), field(&judge, "Seccomp").as_str()), ("1", "2"), "{judge}");
}

#[test]
fn the_reload_command_s_end_is_the_installation_s() {
    let machine = Machine::pinned();
    let stick = machine.at("stick");
    let failed = machine.gate(&["install", &stick, "--reload", "echo told; exit 3"]).refused("INSTALL-RELOAD");
    assert!(failed.err.contains("told") && failed.err.contains("ended with exit status: 3"), "{}", failed.err);
    let json = machine.gate(&["install", &stick, "--reload", "true", "--json"]).done().object();
    assert_eq!((json["reloaded"].as_bool(), json["new"].as_bool()), (Some(true), Some(false)));
    // The judge, without the one that would answer: refused, and nothing waits.
    machine.bring(&contents(4));
    let orphan = machine.shell(
        "bash -c 'exec -a \"coldsign-gate (judge)\" \"$GATE\" install stick --reload true' </dev/null >out 2>err; echo $?",
    );
    let told = fs::read_to_string(machine.path("err")).unwrap();
    assert!(
        orphan.out.trim() == "127" || told.contains("[INSTALL-RELOAD]") && orphan.out.trim() == "1",
        "{orphan:?} {told}"
    );
}

#[test]
fn a_trust_store_that_leads_out_of_itself_is_not_read() {
    let machine = Machine::pinned();
    machine.gate(&["install", &machine.at("stick")]).done();
    fs::write(machine.path("token"), machine::token("a")).unwrap();
    fs::create_dir(machine.path("trust-of-another")).unwrap();
    fs::copy(machine.path("trust/trust.json"), machine.path("trust-of-another/trust.json")).unwrap();
    machine.gate(&["check", "--service", "api", "token"]).done();
    // A trust store that leads out of itself: as if somebody had made the gate want another file.
    fs::remove_file(machine.path("trust/trust.json")).unwrap();
    symlink("../trust-of-another/trust.json", machine.path("trust/trust.json")).unwrap();
    let refused = machine.gate(&["check", "--service", "api", "token"]);
    assert!(refused.status == 1 && refused.err.contains("it is no ordinary file [TRUST-DAMAGED]"), "{refused:?}");
}
