//! `coldsign journal export`

use super::super::Ended;
use super::super::context::{Context, Pin};
use super::super::screen::Screen;
use coldsign::acts::journal::export;
use serde_json::json;
use std::path::PathBuf;

/// Write the journal for an auditor's machine
///
/// Checks the journal and writes it for an auditor's machine. It names subjects and roles, never a
/// token or a private key. In an existing folder it becomes a folder with its checkpoint, the journal
/// key and every policy; otherwise one file of lines.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign journal export --to /media/usb
  coldsign journal export --to journal.jsonl
  coldsign journal verify --export /media/usb/coldsign-journal-000512")]
pub struct Args {
    /// An existing folder, or the name of a file
    #[arg(long, value_name = "DIR|FILE")]
    to: PathBuf,
    #[command(flatten)]
    pin: Pin,
}

pub fn run(args: Args, context: &Context, screen: &mut Screen) -> Ended {
    context.refuse_within(&args.to)?;
    let exported = export(&context.store_to_pin(args.pin.unauthenticated, screen)?, &args.to)?;
    if screen.json() {
        screen.object(&json!({"path": exported.path, "lines": exported.lines}));
        return Ok(());
    }
    screen.note(&format!("{} lines, checked; they name who was given what", exported.lines));
    screen.line(&exported.path.display().to_string());
    Ok(())
}
