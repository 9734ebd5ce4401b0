//! `coldsign backup verify`

use super::{Context, Ended, Screen, opened_with, tell_lacking};
use coldsign::acts::Store;
use coldsign::acts::backup::{Backup, Comparison};
use serde_json::json;
use std::path::PathBuf;

/// Open backups and check every byte of them, and that they are this store's past
///
/// Opens each backup named with a passphrase of its day and checks everything in it as a restore would:
/// every file, the journal, every private key. Where the store is on this machine, the backup's
/// journal must be the beginning of the store's. Writes nothing. Stops at the first that does not hold;
/// with --json each that holds is an object on a line of its own.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign backup verify /media/usb/coldsign-backup-1a2b3c4d-000042.tar
  coldsign --unlock recovery backup verify /media/usb/coldsign-backup-1a2b3c4d-000042.tar")]
pub struct Args {
    /// The backup; several may be named
    #[arg(required = true)]
    file: Vec<PathBuf>,
}

pub fn run(args: Args, context: &Context, screen: &mut Screen) -> Ended {
    let store = store_beside(context, screen);
    let mut typed = None;
    for file in &args.file {
        if args.file.len() > 1 {
            screen.note(&file.display().to_string());
        }
        let backup = opened_with(file, &mut typed, context, screen)?;
        show(&backup, store.as_ref(), screen)?;
    }
    Ok(())
}

fn show(backup: &Backup, store: Option<&Store>, screen: &mut Screen) -> Ended {
    let comparison = store.map(|store| backup.compare(store)).transpose()?;
    tell_lacking(&backup.lacking, screen);
    if screen.json() {
        let (behind, listed) = match comparison {
            Some(Comparison::Past { behind, listed }) => (Some(behind), Some(listed)),
            _ => (None, None),
        };
        let manifest = &backup.manifest;
        screen.object(&json!({
            "sha256": backup.sha256, "store_id": manifest.store_id, "made": manifest.made, "by": manifest.by,
            "size": manifest.size, "files": manifest.files.keys().collect::<Vec<_>>(),
            "checkpoint": backup.store().journal().note(),
            "lacking_publications": backup.lacking, "compared": behind.is_some(), "lines_behind": behind, "listed": listed,
        }));
        return Ok(());
    }
    tell(backup, comparison, screen);
    screen.line(&backup.sha256);
    Ok(())
}

fn tell(backup: &Backup, comparison: Option<Comparison>, screen: &mut Screen) {
    let keys = backup.store().ledger().keys.all().iter().filter(|key| key.has_private_half()).count();
    screen.note(&format!(
        "whole: {} files, {}, {keys} keys",
        backup.manifest.files.len(),
        match backup.lacking.len() {
            0 => "every promise of its journal kept".to_owned(),
            few => format!("every promise of its journal kept but for {few} publications"),
        }
    ));
    match comparison {
        Some(Comparison::Past { behind, listed }) => {
            screen.note(&format!("it is the past of the store here, which has {behind} journal lines more"));
            if !listed {
                screen.note("the journal here names no such backup: it was not recorded, or is from a branch");
            }
        }
        Some(Comparison::OtherStore) => screen.warning("the store here is another: not compared"),
        None => screen.note("no store here to compare it with: whether it is the newest is not known"),
    }
}

/// The store of this machine, as far as it can be read: a broken one is no reason not to look at its
/// backup.
fn store_beside(context: &Context, screen: &mut Screen) -> Option<Store> {
    let place = context.place().ok().filter(|place| Store::is_at(place))?;
    match Store::open(&place) {
        Ok(store) => Some(store),
        Err(refusal) => {
            screen.warning(&format!("the store here can't be read, so it is not compared: {refusal}"));
            None
        }
    }
}
