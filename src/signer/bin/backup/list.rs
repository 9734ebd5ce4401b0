//! `coldsign backup list`

use super::super::table::Table;
use super::super::when;
use super::{Context, Ended, Screen};
use serde_json::json;

/// List the backups that were made; needs no passphrase
///
/// Lists the backups that the journal knows, oldest first, and restores. Needs no passphrase.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  coldsign backup list\n  coldsign backup list --json")]
pub struct Args {}

pub fn run(_: Args, context: &Context, screen: &mut Screen) -> Ended {
    let store = context.store()?;
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
        let mut table = Table::new(&["MADE (UTC)", "BY", "LINES", "BYTES", "FILE", "SHA-256"]);
        for one in backups.all() {
            let (lines, bytes) = (one.made.size.to_string(), one.made.bytes.to_string());
            table.row(&[&when::minute(one.at), &one.by, &lines, &bytes, &one.made.file, &one.made.sha256]);
        }
        for line in table.lines(screen.width()) {
            screen.line(&line);
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
