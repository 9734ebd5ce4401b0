//! `coldsign journal show`

use super::super::context::Context;
use super::super::screen::Screen;
use super::super::{Ended, when};
use coldsign::acts::journal::{Filter, check_filter, show};
use coldsign::journal::Entry;
use coldsign_verify::escape::escaped_up_to;
use serde_json::{Value, json};

/// How much of a member is shown, in characters; `--json` has all of it.
const LONGEST: usize = 60;

/// Show entries; needs no passphrase
///
/// Shows the journal's entries, oldest first. Checkpoints are left out unless they are asked for.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign journal show --since 2027-03-01 --until 2027-04-01
  coldsign journal show --type key
  coldsign journal show --type policy.applied --json")]
pub struct Args {
    /// From this time on: a date or time, UTC where it says nothing else
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only of this type (key.activated) or family of types (key)
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Checkpoints too
    #[arg(long)]
    checkpoints: bool,
}

pub fn run(args: Args, context: &Context, screen: &mut Screen) -> Ended {
    let now = context.now()?;
    let point = |text: Option<String>| text.map(|text| when::point(&text, now)).transpose();
    let filter = Filter {
        since: point(args.since)?,
        until: point(args.until)?,
        types: args.types,
        checkpoints: args.checkpoints,
    };
    let store = context.store(screen)?;
    check_filter(&filter)?;
    if screen.json() {
        screen.object(&show(&store, &filter).map(as_json).collect());
        return Ok(());
    }
    for entry in show(&store, &filter) {
        screen.line(&words(entry));
    }
    screen.note("the journal key was not authenticated: only an act that opens the store compares it with the seal");
    Ok(())
}

fn words(entry: &Entry) -> String {
    let body = entry.body();
    let members = body.iter().map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("  {name} {}", escaped_up_to(&text, LONGEST))
    });
    let corrected = if entry.time == entry.written {
        String::new()
    } else {
        format!("  (the clock showed {})", when::utc(entry.written))
    };
    format!(
        "{:>6}  {}  {}  {}{}{corrected}",
        entry.index,
        when::utc(entry.time),
        escaped_up_to(&entry.by, LONGEST),
        escaped_up_to(&entry.kind, LONGEST),
        members.collect::<String>()
    )
}

fn as_json(entry: &Entry) -> Value {
    json!({
        "index": entry.index, "time": entry.time, "written_time": entry.written, "by": &*entry.by,
        "type": &*entry.kind, "members": entry.body(),
    })
}
