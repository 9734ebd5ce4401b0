//! `coldsign rotate next`

use super::as_json;
use crate::bin::Ended;
use crate::bin::ask;
use crate::bin::context::Context;
use crate::bin::fault::Fault;
use crate::bin::publication;
use crate::bin::screen::Screen;
use crate::bin::when;
use coldsign::acts::{found, publications, rotate};
use coldsign::publishing::folder_name;
use coldsign::storage::Outbox;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// How far ahead the next steps are told, in seconds.
const AHEAD: u64 = 365 * 86_400;

/// Do whatever of the rotation is due
///
/// Does every step of `rotate plan` that is due: makes standby keys, lets a successor sign, ends the
/// old key, lets go of keys that nobody needs, and publishes where services need to hear of it. What
/// is early is left alone and told with its date; a cutover has commands of its own.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign rotate next --to /media/usb
  coldsign rotate next --yes --json")]
pub struct Args {
    /// Copy the publication into this directory
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Do not ask whether private halves may be destroyed
    #[arg(long)]
    yes: bool,
}

pub fn run(args: &Args, context: &Context, screen: &mut Screen) -> Ended {
    let outbox = args.to.as_deref().map(Outbox::open).transpose()?;
    let mut ends = false;
    let mut session = context.act(screen, |store, screen| {
        if let Some(outbox) = &outbox {
            store.refuse_inside(outbox)?;
            publication::tell_met(&found::meet(store, outbox.path())?, screen);
        }
        let now = context.now()?.max(store.journal().newest_time());
        ends = rotate::due(store, now)?.iter().any(|step| step.act.ends_a_key());
        if ends && !args.yes {
            ask::confirm("A key's private half will be destroyed; backups may still hold it.")?;
        }
        Ok(())
    })?;
    let done = rotate::next(&mut session, args.yes || ends)?;
    let mut copied = None;
    if let (Some(outbox), Some(published)) = (&outbox, &done.published) {
        publications::copy(session.store(), published.seq, outbox).map_err(|refusal| Fault::NotCopied {
            seq: published.seq,
            what: refusal.to_string(),
            again: None,
        })?;
        copied = Some(outbox.path().join(folder_name(published.seq)));
    }
    let ahead = rotate::plan(session.store(), None, session.now(), session.now().saturating_add(AHEAD))?;
    // The next of each kind: a publication comes every few weeks, a key in months.
    let mut kinds = BTreeSet::new();
    let ahead: Vec<_> =
        ahead.iter().filter(|step| !step.is_due(session.now()) && kinds.insert(step.act)).take(3).collect();
    if screen.json() {
        screen.object(&json!({
            "done": done.taken.iter().map(as_json).collect::<Vec<_>>(),
            "waiting": done.waiting.iter().map(|(step, why)| json!({"step": as_json(step), "why": why})).collect::<Vec<_>>(),
            "publication": done.published.as_ref().map(|published| json!({
                "seq": published.seq, "manifest": published.manifest, "folder": copied,
            })),
            "next": ahead.into_iter().map(as_json).collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    for step in &done.taken {
        screen.note(&format!("done: {}", rotate::words(step)));
    }
    if done.taken.is_empty() && done.published.is_none() {
        screen.note("nothing is due");
    }
    for (step, why) in &done.waiting {
        screen.warning(&format!("due, but not done: {}: {why}", rotate::words(step)));
        screen.hint(&rotate::command(step));
    }
    if let Some(published) = &done.published {
        screen.note(&format!("made publication {}", published.seq));
        match &copied {
            Some(folder) => screen.note(&format!("copied to {}; carry it to every service", folder.display())),
            None => screen.hint(&format!("coldsign publication copy {} --to .", published.seq)),
        }
        screen.note("the SHA-256 of the publication's SHA256SUMS, to compare by another way:");
        screen.line(&published.manifest);
    }
    for step in ahead {
        let by = step.latest.map(|latest| format!(" to {}", when::utc(latest))).unwrap_or_default();
        let from = when::utc(when::rounded_up(step.earliest));
        screen.note(&format!("next: {} ({from}{by})", rotate::words(step)));
    }
    Ok(())
}
