//! What keeps the house standing: who may use whom, who may touch what, what may be depended on,
//! and what must be written down. Each guard first judges the project, then a sample made to fail.
#![allow(clippy::expect_used, clippy::panic, reason = "a guard that can't read the house has failed")]

mod dependencies;
mod documents;
mod floors;
mod manifests;
mod paths;
mod reach;
mod rule_ids;
mod source;
mod supply;

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the project stands.
fn root() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where the project is"))
}

/// Every file that is or would be under version control, from the root, with `/`, sorted.
fn project_files() -> Vec<String> {
    let root = root();
    let mut files = Vec::new();
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output();
    match listed {
        Ok(output) if output.status.success() && !output.stdout.is_empty() => {
            let text = String::from_utf8(output.stdout).expect("file names are UTF-8");
            files.extend(text.split_terminator('\0').filter(|path| root.join(path).is_file()).map(str::to_owned));
        }
        // An unpacked archive has no history: everything but build products counts.
        _ => walk(&root, &root, &mut files),
    }
    files.sort();
    files.dedup();
    files
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("the entry can be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !matches!(name, "target" | ".git") {
            walk(root, &path, files);
        } else if path.is_file() {
            let inside = path.strip_prefix(root).expect("found below the root");
            files.push(inside.to_str().expect("file names are UTF-8").to_owned());
        }
    }
}

/// A project file's text.
fn text_of(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|fault| panic!("{path}: {fault}"))
}

/// All Rust sources whose path begins with `folder`.
fn sources_in(folder: &str) -> Vec<source::Source> {
    let files = project_files().into_iter().filter(|path| path.starts_with(folder) && path.ends_with(".rs"));
    let sources = source::read_all(files.map(|path| {
        let text = text_of(&path);
        (path, text)
    }));
    assert!(!sources.is_empty(), "no source found in {folder}: the guard would see nothing");
    sources
}

/// Fails with one offence a line.
fn none(offences: &[String]) {
    assert!(offences.is_empty(), "{} offences:\n{}", offences.len(), offences.join("\n"));
}

/// Fails unless exactly the expected offences were found, each named by a part of its text.
fn exactly(offences: &[String], expected: &[&str]) {
    for part in expected {
        assert!(offences.iter().any(|offence| offence.contains(part)), "nothing about {part:?} in {offences:#?}");
    }
    assert_eq!(offences.len(), expected.len(), "{offences:#?}");
}
