//! Manifests: lints that can't be switched off by leaving a line out, and arithmetic that can't wrap.

use crate::{exactly, none, project_files, text_of};

/// The lines of one table of a TOML text, comments and blank lines left out.
pub fn table<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let heading = format!("[{name}]");
    let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
    let inside = lines.skip_while(|line| *line != heading).skip(1).take_while(|line| !line.starts_with('['));
    inside.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// What the workspace's manifest must say, and where.
const PROMISED: [(&str, &str); 7] = [
    ("workspace.lints.rust", "unsafe_code = \"forbid\""),
    ("workspace.lints.rust", "missing_docs = \"deny\""),
    ("workspace.lints.clippy", "unwrap_used = \"deny\""),
    ("workspace.lints.clippy", "panic = \"deny\""),
    ("workspace.lints.clippy", "print_stdout = \"deny\""),
    ("workspace.lints.clippy", "disallowed_types = \"deny\""),
    ("profile.release", "overflow-checks = true"),
];

fn broken_promises(workspace: &str) -> Vec<String> {
    let missing = PROMISED.iter().filter(|(name, line)| !table(workspace, name).contains(line));
    missing.map(|(name, line)| format!("[{name}] lacks {line}")).collect()
}

fn without_lints(path: &str, manifest: &str) -> Vec<String> {
    let kept = table(manifest, "lints") == ["workspace = true"];
    if kept { Vec::new() } else { vec![format!("{path}: [lints] must be the workspace's and nothing else")] }
}

#[test]
fn the_lints_hold_for_every_member() {
    let manifests: Vec<String> = project_files().into_iter().filter(|path| path.ends_with("Cargo.toml")).collect();
    assert!(manifests.len() > 1, "the workspace has members: {manifests:?}");
    let mut offences = broken_promises(&text_of("Cargo.toml"));
    offences.extend(manifests.iter().flat_map(|path| without_lints(path, &text_of(path))));
    none(&offences);
}

#[test]
fn a_lint_left_out_is_seen() {
    let lines = |wanted: &str| {
        PROMISED
            .iter()
            .filter(|(name, _)| *name == wanted)
            .map(|(_, line)| format!("{line} # why\n"))
            .collect::<String>()
    };
    let tables = ["workspace.lints.rust", "workspace.lints.clippy", "profile.release"];
    let workspace: String = tables.iter().map(|name| format!("[{name}]\n{}\n", lines(name))).collect();
    none(&broken_promises(&workspace));
    for (_, line) in PROMISED {
        exactly(&broken_promises(&workspace.replace(line, &format!("# {line}"))), &[line]);
    }
    exactly(&without_lints("a/Cargo.toml", "[package]\nname = \"a\"\n"), &["a/Cargo.toml"]);
    exactly(&without_lints("a/Cargo.toml", "[lints]\nworkspace = true\n[lints.rust]\n[lints]\nx = 1"), &[]);
    exactly(&without_lints("a/Cargo.toml", "[lints.rust]\nunsafe_code = \"allow\"\n"), &["a/Cargo.toml"]);
}
