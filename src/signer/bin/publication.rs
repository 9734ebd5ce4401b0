//! `coldsign publication …`

use super::Ended;
use super::context::{Context, Pin};
use super::screen::Screen;
use super::table::Table;
use super::when;
use coldsign::acts::found::{self, Met};
use coldsign::acts::publications;
use coldsign::publishing::{Change, folder_name};
use coldsign::storage::Outbox;
use serde_json::json;
use std::collections::BTreeMap;
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
    /// Show what changed for each service from one publication to another
    #[command(after_help = "Examples:\n  coldsign publication diff 3\n  coldsign publication diff 3 7 --json")]
    Diff {
        /// The older one's number
        from: u64,
        /// The newer one's; the newest without
        to: Option<u64>,
    },
    /// Check a folder: whether it is a publication of this store, whole and as it was made
    ///
    /// Checks a folder on a stick or anywhere: that every file is there as it was made, that this store
    /// made it, which number it is, and whether there is a newer one. Needs no passphrase.
    #[command(after_help = "Examples:\n  coldsign publication check /media/usb/coldsign-publication-000007")]
    Check {
        /// The publication's folder
        folder: PathBuf,
    },
    /// Copy a publication out once more, as it was
    ///
    /// Asks for the passphrase: it vouches for the store that the publication is copied from.
    #[command(after_help = "Examples:\n  coldsign publication copy 3 --to /media/usb")]
    Copy {
        /// Its number; the newest without
        number: Option<u64>,
        /// Into this directory
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        #[command(flatten)]
        pin: Pin,
    },
}

pub fn run(command: Command, context: &Context, screen: &mut Screen) -> Ended {
    let store = match &command {
        Command::Copy { pin, .. } => context.store_to_pin(pin.unauthenticated, screen)?,
        _ => context.store(screen)?,
    };
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
        Command::Diff { from, to } => {
            let to = publications::find(&store, to)?.made.seq;
            diff(from, to, &publications::diff(&store, from, to)?, screen);
        }
        Command::Check { folder } => {
            let found = found::check(&store, &folder)?;
            let record = publications::find(&store, Some(found.seq))?;
            let expires_at = record.made.bundle.as_ref().map(|made| made.exp);
            let expired = expires_at.is_some_and(|end| context.now().is_ok_and(|now| now >= end));
            if screen.json() {
                screen.object(&json!({
                    "seq": found.seq, "newest": found.newest, "time": record.at, "manifest": record.made.manifest,
                    "expires_at": expires_at, "expired": expired,
                }));
                return Ok(());
            }
            screen.line(&format!(
                "publication {} of {}: whole, as this store made it",
                found.seq,
                when::utc(record.at)
            ));
            if found.newest > found.seq {
                screen.warning(&format!("publication {} is newer: carry that one", found.newest));
                screen.hint("coldsign publication copy --to DIR");
            } else {
                screen.line("it is the newest");
            }
            if let (true, Some(end)) = (expired, expires_at) {
                screen.warning(&format!("its bundle ended {}: no verifier takes it", when::utc(end)));
            }
        }
        Command::Copy { number, to, pin: _ } => {
            let seq = publications::find(&store, number)?.made.seq;
            let manifest = publications::find(&store, number)?.made.manifest.clone();
            let outbox = Outbox::open(&to)?;
            store.refuse_inside(&outbox)?;
            tell_met(&found::meet(&store, outbox.path())?, screen);
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

/// What lies on a medium and is no concern of this store's, or not any more.
pub fn tell_met(met: &Met, screen: &mut Screen) {
    for seq in &met.left_behind {
        screen.note(&format!("publication {seq} there is of the branch that a restore left behind: take it off"));
    }
    for (name, what) in &met.forged {
        screen.warning(&format!("{name} there is forged: it has this store's id, but {what}"));
    }
    for (name, what) in &met.unread {
        screen.warning(&format!("{name} there says nothing of this store: {what}"));
    }
}

/// A change in the word for it, and the file.
pub fn words(change: &Change) -> (&'static str, &str) {
    match change {
        Change::Added(path) => ("new", path),
        Change::Removed(path) => ("gone", path),
        Change::Changed(path) => ("changed", path),
    }
}

fn diff(from: u64, to: u64, changes: &[Change], screen: &mut Screen) {
    // What is in no service's folder is every service's.
    let mut services: BTreeMap<Option<&str>, Vec<(&str, &str)>> = BTreeMap::new();
    for (word, path) in changes.iter().map(words) {
        let own = path.strip_prefix("for-").and_then(|rest| rest.split_once('/'));
        let (service, file) = own.map_or((None, path), |(service, file)| (Some(service), file));
        services.entry(service).or_default().push((word, file));
    }
    if screen.json() {
        let rows = services.iter().flat_map(|(service, files)| {
            files.iter().map(move |(word, file)| json!({"service": service, "change": word, "file": file}))
        });
        screen.object(&json!({"from": from, "to": to, "changes": rows.collect::<Vec<_>>()}));
        return;
    }
    if services.is_empty() {
        screen.line(&format!("publications {from} and {to} differ in number and time only"));
    }
    for (service, files) in &services {
        screen.line(&format!("{}:", service.unwrap_or("every service")));
        for (word, file) in files {
            screen.line(&format!("  {word:<8}{file}"));
        }
    }
}
