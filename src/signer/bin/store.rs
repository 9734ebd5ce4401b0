//! `coldsign store …`

use super::Ended;
use super::context::Context;
use super::screen::Screen;
use coldsign::acts::check::{Fault, Faulty, Report, check, repair};
use coldsign_verify::escape::escaped;
use serde_json::{Value, json};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Name every fault of the store's files; needs no passphrase
    #[command(after_help = "\
Examples:
  coldsign store check
  coldsign store check --repair
  coldsign unlock test admin      what only a passphrase can show: every private key")]
    Check {
        /// Mend what follows from what is there: modes, left-overs of crashes, a checkpoint left
        /// behind, a missing or unreadable store.json, a missing policy.toml
        #[arg(long)]
        repair: bool,
    },
}

pub fn run(command: Command, context: &Context, screen: &mut Screen) -> Ended {
    let Command::Check { repair: mend } = command;
    let place = context.place()?;
    let (report, mended) = if mend { repair(&place)? } else { (check(&place)?, Vec::new()) };
    tell(&report, &mended, screen);
    if report.faults.is_empty() {
        return Ok(());
    }
    let mendable = report.faults.iter().filter(|fault| fault.cure.is_some()).count();
    let advised = report.faults.iter().filter(|fault| fault.advice.is_some()).count();
    Err(Faulty { faults: report.faults.len(), mendable, advised }.into())
}

fn tell(report: &Report, mended: &[Fault], screen: &mut Screen) {
    if screen.json() {
        let list = |faults: &[Fault]| faults.iter().map(as_json).collect::<Vec<_>>();
        screen.object(&json!({
            "faults": list(&report.faults), "mended": list(mended), "notes": report.notes,
            "authenticated": false,
        }));
        return;
    }
    for fault in mended {
        screen.line(&format!("mended  {}", words(fault)));
    }
    for fault in &report.faults {
        screen.line(&words(fault));
        if let Some(advice) = &fault.advice {
            screen.line(&format!("    {}", escaped(advice)));
        }
    }
    for note in &report.notes {
        screen.note(note);
    }
    if report.faults.is_empty() {
        screen.line("no fault found");
        screen.note("not authenticated: no passphrase was asked for; coldsign unlock test NAME opens every key");
    }
}

fn words(fault: &Fault) -> String {
    let file = if fault.file.is_empty() { "." } else { &fault.file };
    let line = fault.line.map(|line| format!(":{line}")).unwrap_or_default();
    format!("{}{line}: {}", escaped(file), escaped(&fault.what))
}

fn as_json(fault: &Fault) -> Value {
    json!({
        "file": fault.file, "line": fault.line, "what": fault.what, "mendable": fault.cure.is_some(),
        "advice": fault.advice,
    })
}
