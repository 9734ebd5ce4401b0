//! `coldsign publication …`

use super::Ended;
use super::context::Context;
use super::screen::Screen;
use super::table::Table;
use super::when;
use coldsign::acts::publications;
use coldsign::publishing::folder_name;
use coldsign::storage::Outbox;
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Subcommand)]
pub enum Command {
    /// List publications
    #[command(after_help = "Examples:\n  coldsign publication list")]
    List,
    /// Show what a publication holds
    #[command(after_help = "Examples:\n  coldsign publication show\n  coldsign publication show 3 --json")]
    Show {
        /// Its number; the newest without
        number: Option<u64>,
    },
    /// Copy a publication out once more, as it was; needs no passphrase
    #[command(after_help = "Examples:\n  coldsign publication copy 3 --to /media/usb")]
    Copy {
        /// Its number; the newest without
        number: Option<u64>,
        /// Into this directory
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
}

pub fn run(command: Command, context: &Context, screen: &mut Screen) -> Ended {
    let store = context.store()?;
    match command {
        Command::List => {
            let all = store.ledger().publications.all();
            if screen.json() {
                let rows = all.iter().map(|one| {
                    json!({"seq": one.made.seq, "time": one.at, "by": one.by, "manifest": one.made.manifest, "kids": one.made.kids})
                });
                screen.object(&rows.collect());
                return Ok(());
            }
            let mut table = Table::new(&["NUMBER", "MADE (UTC)", "BY", "KEYS", "SHA-256 OF SHA256SUMS"]);
            for one in all {
                let keys = one.made.kids.len().to_string();
                table.row(&[&one.made.seq.to_string(), &when::minute(one.at), &one.by, &keys, &one.made.manifest]);
            }
            for line in table.lines(screen.width()) {
                screen.line(&line);
            }
        }
        Command::Show { number } => {
            let record = publications::find(&store, number)?;
            let files = publications::files(&store, record.made.seq)?;
            if screen.json() {
                screen.object(&json!({
                    "seq": record.made.seq, "time": record.at, "by": record.by, "manifest": record.made.manifest,
                    "kids": record.made.kids, "files": files.keys().collect::<Vec<_>>(),
                }));
                return Ok(());
            }
            screen.line(&format!("publication {} of {} by {}", record.made.seq, when::utc(record.at), record.by));
            screen.line(&format!("SHA-256 of SHA256SUMS {}", record.made.manifest));
            for (path, bytes) in &files {
                screen.line(&format!("{:>8}  {path}", bytes.len()));
            }
        }
        Command::Copy { number, to } => {
            let seq = publications::find(&store, number)?.made.seq;
            let manifest = publications::find(&store, number)?.made.manifest.clone();
            let outbox = Outbox::open(&to)?;
            store.refuse_inside(&outbox)?;
            let folder = outbox.path().join(folder_name(seq));
            let new = publications::copy(&store, seq, &outbox)?;
            if screen.json() {
                screen.object(
                    &json!({"seq": seq, "folder": folder.display().to_string(), "copied": new, "manifest": manifest}),
                );
                return Ok(());
            }
            let did = if new { "copied to" } else { "is there already, whole:" };
            screen.note(&format!("publication {seq} {did} {}", folder.display()));
            screen.line(&manifest);
        }
    }
    Ok(())
}
