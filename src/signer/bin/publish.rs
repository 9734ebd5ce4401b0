//! `coldsign publish`

use super::Ended;
use super::context::Context;
use super::fault::Fault;
use super::screen::Screen;
use coldsign::acts::{found, publications, publish, root};
use coldsign::publishing::folder_name;
use coldsign::storage::Outbox;
use serde_json::json;
use std::path::PathBuf;

/// Make the next publication where anything changed, and copy it out
///
/// Makes the next publication where anything changed since the last one, or where that one's bundle
/// ends too soon; keeps it in the store, and copies it out. What services need to check tokens is in its for-SERVICE folders.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign publish --to /media/usb
  coldsign publish --renew --to /media/usb")]
pub struct Args {
    /// Copy the publication into this directory
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Make the next one even where nothing changed
    #[arg(long)]
    renew: bool,
}

pub fn run(args: Args, context: &Context, screen: &mut Screen) -> Ended {
    let outbox = args.to.as_deref().map(Outbox::open).transpose()?;
    let mut session = context.act(screen, |store, screen| {
        let Some(outbox) = &outbox else { return Ok(()) };
        store.refuse_inside(outbox)?;
        super::publication::tell_met(&found::meet(store, outbox.path())?, screen);
        Ok(())
    })?;
    let published = publish::publish(&mut session, args.renew)?;
    let mut copied = None;
    if let Some(outbox) = &outbox {
        publications::copy(session.store(), published.seq, outbox).map_err(|refusal| Fault::NotCopied {
            seq: published.seq,
            what: refusal.to_string(),
            again: None,
        })?;
        copied = Some(outbox.path().join(folder_name(published.seq)));
    }
    if screen.json() {
        let record = publications::find(session.store(), Some(published.seq))?;
        let made = record.made.bundle.as_ref();
        screen.object(&json!({
            "seq": published.seq, "new": published.new, "manifest": published.manifest, "bundle": made.map(|made| &made.sha256), "expires_at": made.map(|made| made.exp),
            "root": root::newest(session.store())?.map(|root| super::root::as_json(&root)), "folder": copied.as_ref().map(|folder| folder.display().to_string()),
        }));
        return Ok(());
    }
    let seq = published.seq;
    if published.new {
        screen.note(&format!("made publication {seq}"));
    } else {
        screen.note(&format!("nothing changed since publication {seq}: it stays the newest"));
    }
    for change in &published.changes {
        let (word, path) = super::publication::words(change);
        screen.note(&format!("  {word:<8}{path}"));
    }
    match &copied {
        Some(folder) => screen.note(&format!("copied to {}", folder.display())),
        None => screen.hint(&format!("coldsign publication copy {seq} --to .")),
    }
    if let Some(root) = root::newest(session.store())? {
        super::root::tell_fingerprint(&root, screen);
    }
    screen.note("the SHA-256 of the publication's SHA256SUMS, to compare by another way:");
    screen.line(&published.manifest);
    Ok(())
}
