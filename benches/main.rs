//! What our own code costs on top of what can't be avoided, as ratios measured in one run.
//!
//! `just bench` runs all of it, `just bench tokens` (or `processes`, `journal`) a part.
//! What the figures mean stands in docs/benchmarks.md.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark that can't go on has failed")]

mod journal;
mod measure;
mod processes;
mod store;
mod tokens;

use std::io::Write as _;

fn main() {
    // Cargo adds `--bench`; whatever is no flag chooses parts.
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let parts: [(&str, fn()); 3] = [("tokens", tokens::run), ("processes", processes::run), ("journal", journal::run)];
    for (name, run) in parts {
        if chosen.is_empty() || chosen.iter().any(|part| part == name) {
            say(&format!("\n{name}"));
            run();
        }
    }
}

/// One line on standard output.
fn say(line: &str) {
    writeln!(std::io::stdout().lock(), "{line}").unwrap();
}
