//! `coldsign doctor`

use super::Ended;
use super::context::Context;
use super::fault::Fault;
use super::screen::Screen;
use coldsign::acts::doctor::{Finding, Report, Request, Verdict, examine};
use coldsign::storage::{Restrictions, holds_any};
use coldsign_verify::escape::escaped;
use serde_json::json;
use std::env::consts::{ARCH, OS};
use std::path::{Path, PathBuf};

/// Say whether machine, program and the store's place are fit for real keys
///
/// Looks at networks and routes, swap, core files, the clock, the store's file system, neighbours,
/// modes and room, the age of the newest publication and backup, and the program's own fingerprint. Changes
/// nothing and asks for nothing. Each finding is ok, worth a look, or bad; with one that is bad
/// the exit status is 1. What to do about each: docs/operator/install.md.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign doctor
  coldsign --store /srv/keys doctor --json")]
pub struct Args {}

pub fn run(_: Args, context: &Context, screen: &mut Screen) -> Ended {
    let report = examine(&Request {
        root: PathBuf::from("/"),
        store: context.place().ok(),
        program: program(),
        restrictions: Restrictions::of_this_process(),
        confinement: (context.confined().files, context.confined().calls),
        release_build: !cfg!(debug_assertions),
        now: context.now()?,
    });
    if screen.json() {
        screen.object(&as_json(&report));
    } else {
        show(&report, screen);
    }
    match report.count(Verdict::Bad) {
        0 => Ok(()),
        bad => Err(Fault::Unsound(bad).into()),
    }
}

/// The file that is running, even where another has taken its name since. Without `/proc` (an empty
/// chroot): the path it was called by.
fn program() -> Option<PathBuf> {
    if holds_any(Path::new("/proc/self"), &["exe"]).is_some() {
        return Some(PathBuf::from("/proc/self/exe"));
    }
    std::env::args_os().next().map(PathBuf::from).filter(|called| called.components().count() > 1)
}

fn target() -> String {
    let libc = if cfg!(target_env = "musl") { "-musl" } else { "-gnu" };
    format!("{ARCH}-{OS}{libc}")
}

fn show(report: &Report, screen: &mut Screen) {
    screen.line(&format!("coldsign {} for {}", env!("CARGO_PKG_VERSION"), target()));
    if let Some(program) = &report.program {
        screen.line(&format!("  sha256  {}", hex(&program.sha256)));
        for (line, words) in program.words().chunks(8).enumerate() {
            screen.line(&format!("  {}  {}", if line == 0 { "words " } else { "      " }, words.join(" ")));
        }
    }
    screen.line("");
    for finding in &report.findings {
        screen.line(&format!("{:<4}  {:<14}  {}", finding.verdict.word(), finding.topic, escaped(&finding.fact)));
        for more in finding.why.iter().copied().chain(finding.command.as_deref()) {
            screen.line(&format!("{:22}{}", "", escaped(more)));
        }
    }
    screen.line("");
    let count = |verdict| report.count(verdict);
    screen.line(&format!(
        "{} bad, {} to look at, {} ok",
        count(Verdict::Bad),
        count(Verdict::Look),
        count(Verdict::Ok)
    ));
}

fn as_json(report: &Report) -> serde_json::Value {
    let finding = |one: &Finding| {
        json!({
            "topic": one.topic, "verdict": one.verdict.word(), "fact": one.fact, "why": one.why, "command": one.command,
        })
    };
    json!({
        "program": {
            "version": env!("CARGO_PKG_VERSION"),
            "target": target(),
            "static": report.program.as_ref().and_then(|program| program.stands_alone),
            "sha256": report.program.as_ref().map(|program| hex(&program.sha256)),
            "words": report.program.as_ref().map(|program| program.words().join(" ")),
        },
        "bad": report.count(Verdict::Bad),
        "look": report.count(Verdict::Look),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
