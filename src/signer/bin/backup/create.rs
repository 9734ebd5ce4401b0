//! `coldsign backup create`

use super::super::status::short;
use super::{Context, Ended, Screen, tell_lacking};
use coldsign::acts::{backup, shell_word};
use coldsign::journal::{hex, sha256};
use coldsign::storage::{Outbox, has_made, is_folder, same_file_system};
use serde_json::json;
use std::path::PathBuf;

/// Write everything of the store into one sealed file, read it back and check it
///
/// Writes one file with everything of the store: keys, journal, policies, publications. It is sealed
/// to every unlock: each passphrase and the recovery code of today open it, on any machine. It is
/// read back and checked before it counts, and recorded in the journal.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign backup create --to /media/usb
  coldsign backup create --to /media/usb --json")]
pub struct Args {
    /// Into this directory, on a medium that is kept elsewhere
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

pub fn run(args: Args, context: &Context, screen: &mut Screen) -> Ended {
    let outbox = Outbox::open(&args.to)?;
    let was_there = is_folder(&args.to) && !has_made(&args.to);
    let mut session = context.session(screen)?;
    let backup = backup::create(&mut session, &outbox)?;
    for name in &backup.left_out {
        screen.warning(&format!("not in the backup, for it is no part of a store: {name}"));
    }
    tell_lacking(&backup.lacking, screen);
    if !was_there {
        screen.warning(&format!("{} was not there and was made: is the medium mounted?", args.to.display()));
    }
    let beside = same_file_system(&backup.path, session.store().directory().path());
    if beside {
        screen.warning("it lies on the same file system as the store: one dead disk ends both; copy it to a stick");
    }
    let made = &backup.made;
    let fingerprint = hex(&sha256(backup.checkpoint.as_bytes()));
    if screen.json() {
        screen.object(&json!({
            "file": backup.path, "sha256": made.sha256, "bytes": made.bytes, "size": made.size,
            "files": backup.files, "checkpoint": backup.checkpoint, "fingerprint": fingerprint,
            "lacking_publications": backup.lacking, "same_file_system": beside, "directory_made": !was_there,
        }));
        return Ok(());
    }
    screen.note(&format!("made {}", backup.path.display()));
    screen.note(&format!(
        "{} files, {} journal lines, {} bytes; read back and checked",
        backup.files, made.size, made.bytes
    ));
    screen.note(&format!("journal fingerprint in it {}", short(&fingerprint)));
    let openers: Vec<&str> = session.store().ledger().unlocks.all().iter().map(|unlock| unlock.name.as_str()).collect();
    screen.note(&format!("today's passphrases and codes open it for ever: {}", openers.join(", ")));
    screen.hint(&format!("coldsign backup verify {}", shell_word(&backup.path)));
    screen.note("its SHA-256:");
    screen.line(&made.sha256);
    Ok(())
}
