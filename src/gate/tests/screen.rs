//! What is shown of what was typed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod machine;

use machine::Machine;
use std::fs;

#[test]
fn a_hint_can_be_pasted_whatever_it_names_and_however_long() {
    let machine = Machine::pinned();
    let name = format!("{}/it's a \\ stick/{}", "x".repeat(200), "y".repeat(200));
    let folder = machine.path("usb").join(&name).join("z".repeat(200)).join("w".repeat(200)).join("v".repeat(200));
    fs::create_dir_all(&folder).unwrap();
    fs::rename(machine.path("stick"), folder.join("coldsign-publication-000001")).unwrap();
    let refused = machine.gate(&["install", folder.to_str().unwrap(), "--export", "it's \\ here"]);
    let refused = refused.refused("PUBLICATION-MISSING");
    let hint = refused.err.lines().find_map(|line| line.strip_prefix("coldsign-gate: hint: coldsign-gate ")).unwrap();
    machine.shell(&format!("\"$GATE\" {hint}")).done();
    assert!(machine.path("it's \\ here/..data").exists());
    let colour = machine.gate(&["install", folder.to_str().unwrap(), "--export", "\x1b[31m"]);
    let colour = colour.refused("PUBLICATION-MISSING");
    assert!(!colour.err.contains('\x1b') && colour.err.contains("--export '\\u{1b}[31m'"), "{colour:?}");
}

#[test]
fn a_mistyped_command_line_is_shown_escaped() {
    let machine = Machine::new();
    for arguments in [
        &["\x1b]0;owned\x07"][..],
        &["status", "\x1b[2J\nOK: all is well"],
        &["status", "--\u{202e}x"],
        &["check", "--service", "api", "--role\x1b", "x"],
        &["install"],
    ] {
        let refused = machine.gate(arguments);
        assert_eq!((refused.status, refused.out.as_str()), (2, ""), "{refused:?}");
        let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!refused.err.chars().any(raw) && !refused.err.contains("\nOK"), "{refused:?}");
        assert!(refused.err.contains("Usage: coldsign-gate"), "{refused:?}");
    }
    assert!(machine.gate(&["--version"]).done().out.starts_with("coldsign-gate "));
}
