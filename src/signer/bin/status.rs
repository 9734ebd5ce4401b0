//! `coldsign status`

use super::Ended;
use super::context::Context;
use super::key::{self, state};
use super::screen::{Screen, many};
use super::table::Table;
use super::verifier;
use super::when;
use coldsign::acts::Store;
use coldsign::acts::status::{Summary, summary};
use serde_json::json;

/// Say what to do next, then which keys, services and publications there are
///
/// Says what to do next, then which keys, services and publications there are. Asks for no
/// passphrase: it shows what the store's files say. With --unlock NAME it asks, and a passphrase
/// vouches for what it shows.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  coldsign status\n  coldsign --unlock anna status\n  coldsign status --json")]
pub struct Args {}

pub fn run(_: Args, context: &Context, screen: &mut Screen) -> Ended {
    let store = context.store(screen)?;
    let summary = summary(&store, context.now()?)?;
    if screen.json() {
        screen.object(&as_json(&summary, &store.sheet().issuer));
        return Ok(());
    }
    let width = screen.width();
    screen.line(&format!("{}  issuer {}", when::both(summary.now), store.sheet().issuer));
    screen.line("");
    if summary.todo.is_empty() {
        screen.line("Nothing to do.");
    } else {
        screen.line("To do:");
        for todo in &summary.todo {
            screen.line(&format!("  {}", todo.what));
            let command = screen.command(&todo.command);
            screen.line(&format!("    {command}"));
        }
    }
    screen.line("");
    for line in
        keys(&summary, &store).lines(width).iter().chain([&String::new()]).chain(&services(&summary).lines(width))
    {
        screen.line(line);
    }
    screen.line("");
    if !summary.verifiers.is_empty() {
        for line in verifier::table(&summary.verifiers).lines(width) {
            screen.line(&line);
        }
        screen.line("");
    }
    match summary.newest_publication {
        Some(newest) => screen.line(&format!(
            "publication {} of {} ({})",
            newest.made.seq,
            when::utc(newest.at),
            when::from(summary.now, newest.at)
        )),
        None => screen.line("nothing published yet"),
    }
    if let Some((from, to)) = summary.publication_due {
        screen.line(&format!("the next publication is due from {} to {}", when::minute(from), when::utc(to)));
    }
    match summary.newest_backup {
        Some(newest) => screen.line(&format!(
            "backup of {} ({}), {} journal lines",
            when::utc(newest.at),
            when::from(summary.now, newest.at),
            newest.made.size
        )),
        None => screen.line("no backup yet"),
    }
    if let Some(epoch) = store.ledger().backups.epochs().last() {
        screen.line(&format!(
            "epoch {}: restored from a backup of {} journal lines (SHA-256 {}…), see coldsign backup list",
            summary.epoch,
            epoch.started.size,
            epoch.started.backup.get(..16).unwrap_or_default()
        ));
    }
    screen.line(&format!("can be opened by {}", summary.unlocks.join(", ")));
    if summary.unconfirmed > 0 {
        screen.line(&format!("{} with delivery unconfirmed: coldsign token list", many(summary.unconfirmed, "token")));
    }
    screen.line(&format!("journal fingerprint {}", short(&summary.fingerprint)));
    if !screen.is_authenticated() {
        screen.line("(read without unlocking: nothing here is checked by a passphrase)");
    }
    Ok(())
}

/// A digest for comparing by eye: the first half in fours.
pub fn short(hex: &str) -> String {
    let digits: Vec<char> = hex.chars().take(32).collect();
    digits.chunks(4).map(|four| four.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

fn keys(summary: &Summary<'_>, store: &Store) -> Table {
    let mut table = Table::new(&["KEY", "ALGORITHM", "STATE", "SINCE (UTC)"]);
    for key in &summary.keys {
        let since = key.activated_at.unwrap_or(key.made_at);
        table.row(&[&key.name(), &key.public.algorithm().to_string(), &state(key, store), &when::minute(since)]);
    }
    table
}

fn services(summary: &Summary<'_>) -> Table {
    let mut table = Table::new(&["SERVICE", "PROFILE", "KEYSET", "LIVE TOKENS", "LAST EXPIRY (UTC)"]);
    for service in &summary.services {
        let last = service.last_expiry.map(when::minute).unwrap_or_default();
        let live = match service.revoked {
            0 => service.live.to_string(),
            revoked => format!("{} ({revoked} revoked)", service.live),
        };
        let live = if service.left_at.is_some() { format!("{live}, left the policy") } else { live };
        table.row(&[&service.name, service.profile, &service.keyset, &live, &last]);
    }
    table
}

fn as_json(summary: &Summary<'_>, issuer: &str) -> serde_json::Value {
    json!({
        "time": summary.now,
        "issuer": issuer,
        "todo": summary.todo.iter().map(|todo| json!({"what": todo.what, "command": todo.command})).collect::<Vec<_>>(),
        "keys": summary.keys.iter().map(|key| key::as_json(key)).collect::<Vec<_>>(),
        "services": summary.services.iter().map(|service| json!({
            "service": service.name, "profile": service.profile, "keyset": service.keyset,
            "live_tokens": service.live, "revoked_tokens": service.revoked, "last_expiry": service.last_expiry,
            "left": service.left_at,
        })).collect::<Vec<_>>(),
        "verifiers": summary.verifiers.iter().map(verifier::as_json).collect::<Vec<_>>(),
        "publication": summary.newest_publication.map(|newest| json!({
            "seq": newest.made.seq, "time": newest.at, "manifest": newest.made.manifest,
            "next_due_from": summary.publication_due.map(|due| due.0),
            "next_due_until": summary.publication_due.map(|due| due.1),
        })),
        "backup": summary.newest_backup.map(|newest| json!({
            "file": newest.made.file, "time": newest.at, "size": newest.made.size, "sha256": newest.made.sha256,
        })),
        "epoch": summary.epoch,
        "unlocks": summary.unlocks,
        "unlocks_behind": summary.unlocks_behind,
        "unconfirmed": summary.unconfirmed,
        "checkpoint": summary.checkpoint,
        "fingerprint": summary.fingerprint,
    })
}
