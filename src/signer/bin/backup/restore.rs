//! `coldsign backup restore`

use super::super::ask;
use super::super::fault::Fault;
use super::super::status::short;
use super::super::when;
use super::{Context, Ended, Screen, opened, tell_lacking};
use coldsign::acts::backup::NUMBERS_UNKNOWN;
use coldsign::acts::backup::outlook::{Outlook, Witness, check_fingerprint, outlook};
use coldsign::acts::backup::restore::{Request, Restored, restore};
use coldsign::acts::found::checkpoint_file;
use coldsign::acts::{init, shell_word};
use coldsign::issuing::record::TokenIssued;
use coldsign::journal::{Entry, hex, sha256};
use coldsign::refusal::Refusal;
use coldsign::storage::read_file;
use serde_json::json;
use std::path::{Path, PathBuf};

/// The longest journal that is read to see what was recorded after a backup, in bytes.
const LONGEST_JOURNAL: u64 = 1 << 30;
/// How many lost acts are shown; `--json` has all.
const MOST_SHOWN: usize = 100;

/// Make a store from a backup, in a new epoch
///
/// Makes a store from a backup, in the place that --store names, and starts a new epoch in its
/// journal. To see whether the backup is the newest, hold it against the newest checkpoint that left
/// the old machine: a copy of the file journal/checkpoint, a page with it typed in, or a journal
/// fingerprint that was noted. A copy of journal/entries.jsonl, where the old disk can still be read,
/// shows act by act what would be lost.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign --store /srv/coldsign backup restore /media/usb/coldsign-backup-1a2b3c4d-000042.tar
  coldsign --store /srv/coldsign backup restore BACKUP --checkpoint /media/other/checkpoint
  coldsign --store /srv/coldsign backup restore BACKUP --checkpoint /media/usb/coldsign-publication-000007
  coldsign --store /srv/coldsign backup restore BACKUP --fingerprint '1f0c 42aa 97b3 d5e0'
  coldsign --store /srv/coldsign backup restore BACKUP --checkpoint C --accept-fork --published 17
  coldsign --store /srv/coldsign backup restore BACKUP --no-checkpoint --reason 'disk died'")]
pub struct Args {
    /// The backup
    file: PathBuf,
    /// A file with the newest checkpoint seen outside, a publication, or the old journal; may be given more than once
    #[arg(long, value_name = "FILE|DIR")]
    checkpoint: Vec<PathBuf>,
    /// The newest journal fingerprint noted outside, or its first 16 digits or more
    #[arg(long, value_name = "HEX")]
    fingerprint: Option<String>,
    /// No checkpoint is known outside
    #[arg(long, conflicts_with_all = ["checkpoint", "fingerprint"])]
    no_checkpoint: bool,
    /// The highest publication number seen at any service
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=900_000))]
    published: Option<u64>,
    /// Take the loss of what was recorded after the backup
    #[arg(long)]
    accept_fork: bool,
    /// Why, for the journal
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub fn run(args: Args, context: &Context, screen: &mut Screen) -> Ended {
    let place = context.place()?;
    init::check_place(&place)?;
    let mut given = named(&args)?;
    let backup = opened(&args.file, context, screen)?;
    let fingerprint = hex(&sha256(backup.store().journal().note().as_bytes()));
    screen.note(&format!("journal fingerprint in it {}", short(&fingerprint)));
    if given.is_empty() && !args.no_checkpoint {
        given = asked()?;
    }
    let outlook = outlook(&backup, &given, args.published)?;
    // Its making is the newest time that is known.
    context.check_gap(backup.manifest.made)?;
    tell_outlook(&outlook, screen);
    let request = Request {
        backup: &backup,
        place: &place,
        outlook: &outlook,
        accept_fork: args.accept_fork,
        reason: args.reason.as_deref(),
        now: context.now()?,
    };
    let restored = restore(&request)?;
    for left in &restored.swept {
        screen.note(&format!("removed what an interrupted restore had left: {}", left.display()));
    }
    tell_lacking(&backup.lacking, screen);
    report(&restored, &outlook, &place, screen);
    Ok(())
}

/// What options name of what was brought along from outside.
fn named(args: &Args) -> Result<Vec<Witness>, Refusal> {
    let mut given = args.checkpoint.iter().map(|file| witness(file)).collect::<Result<Vec<_>, _>>()?;
    if let Some(fingerprint) = &args.fingerprint {
        check_fingerprint(fingerprint)?;
        given.push(Witness::Fingerprint(fingerprint.clone()));
    }
    Ok(given)
}

/// What was brought along, from the person at the terminal.
fn asked() -> Result<Vec<Witness>, Refusal> {
    ask::tell(
        "Is this backup the newest? The newest checkpoint that left the old machine shows\n\
         it: a copy of its file journal/checkpoint on a stick, a page with it typed into\n\
         a file, or the journal fingerprint that somebody noted.\n",
    )
    .map_err(|_| Fault::NoTerminal("name it with --checkpoint FILE or --fingerprint, or say --no-checkpoint"))?;
    loop {
        let answer = ask::line("file with the newest checkpoint, or its fingerprint, or none", None)?;
        if answer == "none" {
            return Ok(Vec::new());
        }
        if check_fingerprint(&answer).is_ok() {
            return Ok(vec![Witness::Fingerprint(answer)]);
        }
        match witness(Path::new(&answer)) {
            Ok(witness) => return Ok(vec![witness]),
            Err(refusal) => ask::tell(&format!("{}\n", coldsign_verify::escape::escaped(&refusal.to_string())))?,
        }
    }
}

fn witness(file: &Path) -> Result<Witness, Refusal> {
    Ok(Witness::File(file.to_owned(), read_file(&checkpoint_file(file), LONGEST_JOURNAL)?))
}

fn tell_outlook(outlook: &Outlook, screen: &mut Screen) {
    if outlook.left_behind > 0 {
        screen.note("a checkpoint given is of a branch that an earlier restore left behind");
    }
    match (&outlook.seen, outlook.lost) {
        (None, _) => {
            screen.warning("no checkpoint from outside: whether this backup is the newest can't be known,");
            screen.warning("nor how much was recorded after it, nor that its journal key is the store's");
        }
        (Some((_, size)), 0) => {
            screen.note(&format!("nothing seen outside is lost (checkpoint of {size} lines)"));
        }
        (Some((_, size)), lost) => {
            screen.warning(&format!("a checkpoint of {size} lines was seen: at least {lost} lines are lost"));
        }
    }
    if outlook.publications_unknown() {
        screen.warning(NUMBERS_UNKNOWN);
    }
    for act in outlook.acts.iter().take(MOST_SHOWN) {
        screen.warning(&format!("lost: {}", lost(act)));
    }
    if let Some(more @ 1..) = outlook.acts.len().checked_sub(MOST_SHOWN) {
        screen.warning(&format!("and {more} more; --json has all"));
    }
    if let Some(seq) = outlook.unknown_publication {
        screen.warning(&format!("publication {seq} was made after this backup"));
    }
}

/// A lost act in one line: what must be known to deal with it.
fn lost(act: &Entry) -> String {
    let body =
        |name: &str| act.body().get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let what = match act.event::<TokenIssued>() {
        Ok(Some(token)) => format!(
            "{}/{} for {}, jti {}, valid until {}",
            token.service,
            token.roles.join(","),
            token.sub,
            token.jti,
            when::utc(token.exp)
        ),
        _ => ["keyset", "number", "seq", "name", "kid", "generation", "sha256"]
            .iter()
            .filter_map(|name| body(name).map(|value| format!("{name} {value}")))
            .take(2)
            .collect::<Vec<_>>()
            .join(", "),
    };
    format!("{} by {}: {} {what}", when::utc(act.time), act.by, act.kind)
}

fn report(restored: &Restored, outlook: &Outlook, place: &Path, screen: &mut Screen) {
    let epoch = &restored.epoch;
    if screen.json() {
        screen.object(&json!({
            "store": place, "store_id": restored.store.sheet().store_id, "epoch": epoch.epoch, "size": epoch.size,
            "lost": epoch.lost, "lost_acts": outlook.acts.iter().map(|act| json!({
                "type": &*act.kind, "time": act.time, "by": &*act.by, "details": act.body(),
            })).collect::<Vec<_>>(), "publications_from": epoch.publications_from,
            "checkpoint": restored.store.journal().note(), "clock_behind": restored.behind,
            "left_beside": restored.swept,
        }));
        return;
    }
    screen.note(&format!(
        "restored {} with {} journal lines; epoch {} begins",
        place.display(),
        epoch.size,
        epoch.epoch
    ));
    screen.warning("never use the old store again: two stores with one set of keys can't be told apart");
    screen.note("what was recorded after the backup is unknown here: tokens issued then stay valid,");
    screen.note("keys made then are gone, keys and tokens withdrawn then are in force again: do that again");
    screen.note(&format!(
        "the next publication has number {} or more: carry it to every service",
        epoch.publications_from
    ));
    if let Some(behind) = restored.behind {
        screen.warning(&format!("the machine's clock is {behind} seconds behind the backup: no act goes by it."));
        screen.warning(
            "if the clock is wrong now, set it; if it was ahead when the backup was made, correct the journal",
        );
        screen.hint(&format!("coldsign --store {} clock show", shell_word(place)));
        return;
    }
    screen.hint(&format!("coldsign --store {} publish --to DIR", shell_word(place)));
}
