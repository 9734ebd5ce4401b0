//! `coldsign rotate plan`

use super::{as_json, show};
use crate::bin::Ended;
use crate::bin::context::Context;
use crate::bin::screen::Screen;
use crate::bin::when;
use coldsign::acts::rotate;
use coldsign::issuing::policy::duration::words;
use coldsign::rotation::calendar;
use coldsign::storage::Outbox;
use serde_json::json;
use std::path::{Path, PathBuf};

const YEAR: u64 = 365 * 86_400;

/// Show when which key changes hands, and why then
///
/// Shows the dated schedule of every keyset: from when a step may be done, by when it has to be, and
/// the reason of each date. Dates beyond the next step assume that each is done on its last day. Asks
/// for no passphrase.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign rotate plan
  coldsign rotate plan --keyset default --until 2028-01-01
  coldsign rotate plan --ics rotation.ics")]
pub struct Args {
    /// Only this keyset
    #[arg(long)]
    keyset: Option<String>,
    /// Until then: a date, or a duration from now (+90d) [default: a year]
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// Write it as a calendar (RFC 5545) as well; a file that is there is replaced
    #[arg(long, value_name = "FILE")]
    ics: Option<PathBuf>,
}

pub fn run(args: &Args, context: &Context, screen: &mut Screen) -> Ended {
    let store = context.store(screen)?;
    let now = context.now()?;
    let until = match &args.until {
        Some(text) => when::point(text, now)?,
        None => now.saturating_add(YEAR),
    };
    let steps = rotate::plan(&store, args.keyset.as_deref(), now, until)?;
    if let Some(file) = &args.ics {
        let folder = file.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let outbox = Outbox::open(folder)?;
        store.refuse_inside(&outbox)?;
        let title = |step: &_| format!("coldsign: {}", rotate::words(step));
        let text = |step: &coldsign::rotation::Step| {
            let late = step.latest.map(|_| format!("\nnot later: else {}", step.latest_why)).unwrap_or_default();
            format!("not before: {}{late}\n{}", step.earliest_why, rotate::command(step))
        };
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        outbox.replace_public_file(&name, calendar(&store.sheet().store_id, now, &steps, title, text).as_bytes())?;
        screen.note(&format!("wrote {} steps to {}", steps.len(), file.display()));
    }
    if screen.json() {
        screen.object(&json!({"time": now, "until": until, "steps": steps.iter().map(as_json).collect::<Vec<_>>()}));
        return Ok(());
    }
    let (policy, _) = store.policy()?;
    let promised = policy.distribution();
    screen.line(&format!(
        "P publish every {} · m {} lost sticks · D delivery {} · L reload {} · S skew {}",
        words(promised.publish_every),
        promised.lost_sticks,
        words(promised.delivery),
        words(promised.reload),
        words(policy.timing().skew)
    ));
    for keyset in policy.keysets().filter(|keyset| args.keyset.as_ref().is_none_or(|name| *name == keyset.name)) {
        let timing = policy.rotation(&keyset.name);
        screen.line(&format!(
            "{}: R each key signs {}, H its longest token {}; m·P + D + L + S = {}",
            keyset.name,
            words(timing.rotate_every),
            words(timing.longest_horizon),
            words(timing.distribution())
        ));
    }
    screen.line("");
    for step in &steps {
        show(step, now, screen);
    }
    if steps.is_empty() {
        screen.line("Nothing to do.");
    }
    screen.line("(UTC)");
    Ok(())
}
