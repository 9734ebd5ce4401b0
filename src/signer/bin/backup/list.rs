//! `coldsign backup list`

use super::super::when;
use super::{Context, Ended, Screen};
use coldsign_verify::escape::escaped;
use serde_json::json;

/// List the backups that were made; needs no passphrase
///
/// Lists the backups that the journal knows, oldest first, and restores. Needs no passphrase.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  coldsign backup list\n  coldsign backup list --json")]
pub struct Args {}

pub fn run(_: Args, context: &Context, screen: &mut Screen) -> Ended {
    let store = context.store(screen)?;
    let backups = &store.ledger().backups;
    if screen.json() {
        let made = backups.all().iter().map(|one| {
            json!({"file": one.made.file, "time": one.at, "by": one.by, "size": one.made.size,
                "bytes": one.made.bytes, "sha256": one.made.sha256})
        });
        let epochs = backups.epochs().iter().map(|one| {
            json!({"epoch": one.started.epoch, "time": one.at, "by": one.by, "size": one.started.size,
                "lost": one.started.lost, "publications_from": one.started.publications_from,
                "backup": one.started.backup, "reason": one.started.reason})
        });
        screen.object(&json!({"backups": made.collect::<Vec<_>>(), "epochs": epochs.collect::<Vec<_>>()}));
        return Ok(());
    }
    if backups.all().is_empty() {
        screen.line("no backup was made yet");
    } else {
        // Name and digest are compared with a stick's: they are never cut.
        for one in backups.all() {
            let made = &one.made;
            screen.line(&escaped(&made.file).to_string());
            let (at, by) = (when::utc(one.at), escaped(&one.by));
            screen.line(&format!("  {at} by {by}, {} journal lines, {} bytes", made.size, made.bytes));
            screen.line(&format!("  SHA-256 {}", made.sha256));
        }
    }
    for epoch in backups.epochs() {
        let lost = match epoch.started.lost {
            Some(lost) => format!("{lost} lines known to be lost"),
            None => "what was lost is unknown".to_owned(),
        };
        let started = &epoch.started;
        screen.line(&format!(
            "epoch {} since {}: restored with {} journal lines by {}, {lost}; from the backup with SHA-256 {}",
            started.epoch,
            when::utc(epoch.at),
            started.size,
            epoch.by,
            started.backup
        ));
    }
    Ok(())
}
