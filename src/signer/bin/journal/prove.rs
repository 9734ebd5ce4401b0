//! `coldsign journal prove`

use super::super::Ended;
use super::super::context::{Context, Pin};
use super::super::fault::Fault;
use super::super::screen::Screen;
use coldsign::acts::journal::{index_of, prove, verify};
use coldsign::storage::create_private_file;
use serde_json::json;
use std::path::PathBuf;

/// Write the proof that one entry stands in the journal
///
/// Writes the proof (c2sp.org/tlog-proof) that one entry stands in the journal: the entry, the path
/// to a signed checkpoint, that checkpoint. It shows none of the other entries.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign journal prove 17 --to entry-17.tlog-proof
  coldsign journal prove --jti zk9xTq1M0XgNDYyGfqYV8A --to ann.tlog-proof
  coldsign journal verify --proof ann.tlog-proof --key journal.vkey")]
#[command(group = clap::ArgGroup::new("entry").required(true))]
pub struct Args {
    /// The entry's index (journal show)
    #[arg(group = "entry")]
    index: Option<u64>,
    /// The entry that issued the token with this jti (token list --long)
    #[arg(long, group = "entry", allow_hyphen_values = true)]
    jti: Option<String>,
    /// A new file; - for standard output
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    #[command(flatten)]
    pin: Pin,
}

pub fn run(args: Args, context: &Context, screen: &mut Screen) -> Ended {
    if args.to.as_os_str() != "-" {
        context.refuse_within(&args.to)?;
    }
    let audit = verify(&context.store_to_pin(args.pin.unauthenticated, screen)?)?;
    let index = match (args.index, &args.jti) {
        (Some(index), _) => index,
        (None, Some(jti)) => index_of(&audit, jti)?,
        (None, None) => return Err(Fault::Missing("no entry is named").into()),
    };
    let proof = prove(&audit, index)?.render();
    if args.to.as_os_str() == "-" {
        screen.product(proof.as_bytes());
        return Ok(());
    }
    create_private_file(&args.to, proof.as_bytes())?;
    if screen.json() {
        screen.object(&json!({"path": args.to, "index": index, "covered": audit.checkpoint.size}));
        return Ok(());
    }
    screen.note(&format!("entry {index} of {} covered lines", audit.checkpoint.size));
    screen.line(&args.to.display().to_string());
    Ok(())
}
