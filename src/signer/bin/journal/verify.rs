//! `coldsign journal verify`

use super::super::context::Context;
use super::super::screen::Screen;
use super::super::{Ended, status, when};
use coldsign::acts::journal::{self, Older};
use coldsign::journal::{hex, sha256, verifier_key};
use coldsign_verify::escape::escaped_up_to;
use serde_json::json;
use std::path::{Path, PathBuf};

/// How much of a proven line is shown, in characters.
const LONGEST: usize = 2_000;

/// Check every line and every checkpoint, here or in an export; needs no passphrase
///
/// Checks every line, the chain between them, every checkpoint's root and signature, without a
/// passphrase. What it can't show without something from outside it says.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign journal verify
  coldsign journal verify --against checkpoint-of-march
  coldsign journal verify --against /media/usb/coldsign-publication-000007
  coldsign journal verify --export coldsign-journal-000512 --key journal.vkey
  coldsign journal verify --proof ann.tlog-proof --key journal.vkey")]
pub struct Args {
    /// A checkpoint kept elsewhere, or a publication with one: prove that its lines are this journal's first
    #[arg(long, value_name = "FILE|DIR", conflicts_with = "proof")]
    against: Option<PathBuf>,
    /// An exported journal instead of the store's
    #[arg(long, value_name = "DIR|FILE", conflicts_with = "proof")]
    export: Option<PathBuf>,
    /// The journal key as it was seen elsewhere (journal.vkey of an earlier export)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The journal fingerprint as it was seen elsewhere (a recovery sheet, a distribution page): 16 digits or more
    #[arg(long, value_name = "DIGITS", conflicts_with = "proof")]
    fingerprint: Option<String>,
    /// A proof that `journal prove` wrote; needs no journal
    #[arg(long, value_name = "FILE", requires = "key")]
    proof: Option<PathBuf>,
}

pub fn run(args: Args, context: &Context, screen: &mut Screen) -> Ended {
    if let (Some(proof), Some(key)) = (&args.proof, &args.key) {
        return prove(proof, key, screen);
    }
    let (store, audit) = match &args.export {
        Some(path) => (None, journal::verify_export(path)?),
        None => {
            let store = context.store(screen)?;
            let audit = journal::verify(&store)?;
            (Some(store), audit)
        }
    };
    let replaced = args.key.as_deref().map(|key| journal::check_key(&audit, key)).transpose()?;
    let compared = args.fingerprint.as_deref().map(|given| journal::find_fingerprint(&audit, given)).transpose()?;
    let against = args.against.as_deref().map(|file| journal::against(&audit, store.as_ref(), file)).transpose()?;
    let key = verifier_key(&audit.genesis.store_id, &audit.keys.newest());
    let fingerprint = hex(&sha256(audit.note.as_bytes()));
    let checkpoints = audit.entries.iter().filter(|entry| entry.is_checkpoint()).count();
    if screen.json() {
        screen.object(&json!({
            "verified": true, "lines": audit.entries.len(), "checkpoints": checkpoints,
            "covered": audit.checkpoint.size, "store_id": audit.genesis.store_id, "issuer": audit.genesis.issuer,
            "journal_key": key, "key_authenticated": args.key.is_some() || screen.is_authenticated(), "keys_replaced": audit.keys.replacements().count(),
            "compared": compared.as_ref().map(|checkpoint| checkpoint.size), "checkpoint": audit.note,
            "fingerprint": fingerprint, "against": against.as_ref().map(|older| match older {
                Older::Prefix(older) | Older::LeftBehind(older, _) => older.size,
            }), "left_behind_at_epoch": match &against {
                Some(Older::LeftBehind(_, epoch)) => Some(epoch.started.epoch),
                _ => None,
            }, "torn_bytes": audit.torn,
        }));
        return Ok(());
    }
    let time = |entry: Option<&coldsign::journal::Entry>| entry.map(|entry| when::utc(entry.time)).unwrap_or_default();
    screen.line(&format!(
        "verified: {} lines and {checkpoints} signed checkpoints, {} to {}",
        audit.entries.len(),
        time(audit.entries.first()),
        time(audit.entries.last())
    ));
    screen.line(&format!("journal fingerprint {}", status::short(&fingerprint)));
    screen.line(&format!("journal key {key}"));
    match replaced {
        Some(false) => screen.line("the journal key is the one in the file named with --key"),
        Some(true) => screen.line(
            "the journal key follows from the one in the file named with --key: each key was signed by the one before",
        ),
        None if screen.is_authenticated() => screen.line("your passphrase vouches for the journal key"),
        None => screen.line("the journal key is NOT authenticated: it is the one that the journal names itself"),
    }
    if let Some(checkpoint) = &compared {
        screen.line(&format!("that fingerprint is this journal's, of its first {} lines", checkpoint.size));
    }
    match against {
        Some(Older::LeftBehind(older, epoch)) => {
            screen.line(&format!(
                "that checkpoint of {} lines is known: the restore of {} was given it, and left its branch behind",
                older.size,
                when::utc(epoch.at)
            ));
            screen.note(&format!(
                "this journal goes on from the first {} of those lines, in epoch {}",
                epoch.started.size, epoch.started.epoch
            ));
        }
        Some(Older::Prefix(older)) => {
            screen.line(&format!("that checkpoint is a prefix: its {} lines are this journal's first", older.size));
            screen.note("what came after it can still have been cut off; a newer checkpoint would show that");
        }
        None => screen.note(
            "without a checkpoint kept elsewhere nobody can see whether the end was cut off, an older copy put \
             back, or the journal forked: --against",
        ),
    }
    if args.key.is_none() && !screen.is_authenticated() {
        screen.note("a copy of the key kept elsewhere confirms it (--key), or your passphrase (--unlock NAME)");
    }
    if audit.torn > 0 {
        screen.note(&format!("{} bytes of an act that was never acknowledged lie beyond its end", audit.torn));
    }
    Ok(())
}

fn prove(file: &Path, key: &Path, screen: &mut Screen) -> Ended {
    let (proof, checkpoint) = journal::verify_proof(file, key)?;
    let line = String::from_utf8_lossy(&proof.line);
    if screen.json() {
        screen.object(&json!({
            "verified": true, "index": proof.index, "covered": checkpoint.size, "line": line, "checkpoint": proof.note,
        }));
        return Ok(());
    }
    screen.line(&format!("verified: entry {} of a journal of {} lines is", proof.index, checkpoint.size));
    screen.line(&escaped_up_to(&line, LONGEST).to_string());
    Ok(())
}
