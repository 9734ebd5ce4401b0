//! `coldsign clock …`

use super::Ended;
use super::context::Context;
use super::fault::Fault;
use super::screen::Screen;
use super::token::token_json;
use super::when;
use coldsign::acts::Unlocked;
use coldsign::acts::clock::{self, ClockDenied, Correction, Span};
use coldsign::issuing::revoked::Revocations;
use coldsign_verify::escape::escaped;
use serde_json::{Value, json};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Show the machine's clock against the journal's times
    #[command(after_help = "Examples:\n  coldsign clock show\n  coldsign clock show --json")]
    Show,
    /// Record that the clock was ahead when the journal's last entries were made
    #[command(after_help = "\
Examples:
  coldsign clock correct --reason 'the clock stood at 2031 after the battery was changed'
  coldsign clock correct --since 2027-03-04T08:00Z --reason 'two days ahead since that morning'")]
    Correct {
        /// Why, for the journal
        #[arg(long)]
        reason: String,
        /// The journalled time of the first wrong entry; without it those later than the clock
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
    },
}

pub fn run(command: Command, context: &Context, screen: &mut Screen) -> Ended {
    match command {
        Command::Show => show(context, screen),
        Command::Correct { reason, since } => correct(&reason, since.as_deref(), context, screen),
    }
}

fn show(context: &Context, screen: &mut Screen) -> Ended {
    let store = context.store(screen)?;
    let (now, newest) = (context.now()?, store.journal().newest_time());
    let verdict = clock::act_time(now, newest, store.skew()).and_then(|time| {
        clock::check_gap(&store, now, false)?;
        Ok(time)
    });
    let span = clock::span(&store, now, None).ok().filter(|_| verdict.is_err());
    let corrections = clock::corrections(&store)?;
    if screen.json() {
        let corrections = corrections.iter().map(|(one, by)| {
            json!({
                "first": one.first, "last": one.last, "wrong": one.wrong, "right": one.right, "reason": one.reason,
                "by": by,
            })
        });
        screen.object(&json!({
            "clock": now, "newest_entry": newest, "skew": store.skew(),
            "refused": verdict.as_ref().err().and_then(|denied| coldsign::refusal::Refuse::rule(denied)),
            "ahead": span.as_ref().map(|span| span_json(span, &store.ledger().revocations, now)), "corrections": corrections.collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    screen.line(&format!("the machine's clock shows   {}", when::both(now)));
    screen.line(&format!("the journal's newest entry  {} ({})", when::both(newest), when::from(now, newest)));
    match &verdict {
        Ok(time) if *time == now => screen.line("acts go by the machine's clock"),
        Ok(time) => screen.line(&format!("acts go by the journal's time: {}", when::both(*time))),
        Err(denied) => screen.line(&format!("acts are refused: {denied}")),
    }
    for (one, by) in &corrections {
        screen.line(&format!(
            "corrected {} by {}: entries {} to {} showed up to {}: {}",
            when::utc(one.right),
            escaped(by),
            one.first,
            one.last,
            when::utc(one.wrong),
            escaped(&one.reason)
        ));
    }
    if let Some(span) = &span {
        tell(span, screen);
        screen.note("if the clock is right now, it was ahead then; if it is wrong now, set it");
        screen.hint("coldsign clock correct --reason REASON");
    }
    Ok(())
}

fn correct(reason: &str, since: Option<&str>, context: &Context, screen: &mut Screen) -> Ended {
    if reason.trim().is_empty() {
        return Err(Fault::Missing("--reason is empty: say why, for whoever reads the journal").into());
    }
    let now = context.now()?;
    let unlock = context.unlock(&context.unvouched_store()?, None)?;
    let place = context.place()?;
    let (unlocked, passphrase) =
        context.with_passphrase_kept(&unlock, |passphrase| Unlocked::open(&place, Some(&unlock), passphrase))?;
    screen.shows(true);
    let store = unlocked.store();
    let since = since.map(|text| when::point(text, now)).transpose()?;
    let span = clock::span(store, now, since)?;
    let wrong = span_json(&span, &store.ledger().revocations, now);
    let (tokens, publications) = (span.tokens.is_empty(), span.publications.is_empty());
    if !screen.json() {
        tell(&span, screen);
    }
    if !context.time_is_confirmed() {
        context.confirm_time("Entries later than the right time are put right.", ClockDenied::Unconfirmed { now })?;
    }
    let corrected = clock::correct(unlocked, &passphrase, &Correction { now, since, reason })?;
    if screen.json() {
        screen.object(&json!({
            "first": corrected.first, "last": corrected.last, "wrong": corrected.wrong, "right": corrected.right,
            "span": wrong,
        }));
        return Ok(());
    }
    screen.note(&format!(
        "entries {} to {} count as made {} from now on",
        corrected.first,
        corrected.last,
        when::utc(corrected.right)
    ));
    if !tokens {
        screen.warning("the tokens above keep the dates they carry: issue those again that begin too late");
    }
    if !publications {
        screen.hint("coldsign publish --renew --to DIR");
    }
    Ok(())
}

/// What was made while the clock was wrong.
fn tell(span: &Span<'_>, screen: &mut Screen) {
    let index = |entry: Option<&coldsign::journal::Entry>| entry.map_or(0, |entry| entry.index);
    screen.line(&format!(
        "entries {} to {}, up to {}:",
        index(span.entries.first()),
        index(span.entries.last()),
        when::utc(span.newest)
    ));
    for token in &span.tokens {
        let issued = &token.issued;
        screen.line(&format!(
            "  token {}/{} for {}, valid {} to {}, {}",
            issued.service,
            issued.roles.join(","),
            escaped(&issued.sub),
            when::utc(issued.nbf),
            when::utc(issued.exp),
            token.delivery.words()
        ));
    }
    for publication in &span.publications {
        screen.line(&format!("  publication {}, dated {}", publication.made.seq, when::utc(publication.at)));
    }
}

fn span_json(span: &Span<'_>, revocations: &Revocations, now: u64) -> Value {
    json!({
        "first": span.entries.first().map(|entry| entry.index), "last": span.entries.last().map(|entry| entry.index),
        "newest": span.newest,
        "tokens": span.tokens.iter().map(|token| token_json(token, revocations, now)).collect::<Vec<_>>(),
        "publications": span.publications.iter().map(|one| one.made.seq).collect::<Vec<_>>(),
    })
}
