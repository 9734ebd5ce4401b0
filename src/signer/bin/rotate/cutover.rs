//! `coldsign rotate cutover …`

use super::super::medium;
use crate::bin::Ended;
use crate::bin::context::Context;
use crate::bin::screen::{Screen, many};
use crate::bin::when;
use coldsign::acts::Store;
use coldsign::acts::cutover::{self, Sheets, Survey, Wanted, Whom};
use coldsign::publishing::fingerprint;
use coldsign::rotation::RotationDenied;
use coldsign::storage::Outbox;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Show what a cutover would be, or how far it is
    #[command(
        after_help = "Examples:\n  coldsign rotate cutover plan fedn\n  coldsign rotate cutover plan fedn --swap 2027-03-01T06:00Z"
    )]
    Plan(Planned),
    /// Issue every live token of the service again under its next key, and open the cutover
    ///
    /// Writes holder-SUBJECT for each holder and operator-SERVICE for the service's operator. Until the
    /// cutover is confirmed, everything that is issued for the service is issued under both keys. Where
    /// not everything could be written, the same command again goes on with what did not get out.
    /// With --again, folders that were lost on the way are handed out once more; the swap stays.
    #[command(after_help = "Examples:
  coldsign rotate cutover issue fedn --to /media/usb
  coldsign rotate cutover issue fedn --again --subject ward7 --to /media/usb
  coldsign rotate cutover issue fedn --again --operators --to /media/usb")]
    Issue {
        #[command(flatten)]
        planned: Planned,
        /// Hand out once more what was handed out before, to everyone
        #[arg(long)]
        again: bool,
        /// With --again: to this holder alone; may be given several times
        #[arg(long, value_name = "SUBJECT", requires = "again")]
        subject: Vec<String>,
        /// With --again: to the services' operators alone
        #[arg(long, requires = "again", conflicts_with = "subject")]
        operators: bool,
        /// Write the folders into this directory
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Record that the operator has installed the new key: it signs alone from now on
    #[command(after_help = "Examples:\n  coldsign rotate cutover confirm fedn")]
    Confirm {
        /// A service that reads one key
        service: String,
        /// Also where holders have no replacement: they are locked out
        #[arg(long)]
        accept_outage: bool,
    },
}

#[derive(clap::Args)]
pub struct Planned {
    /// A service that reads one key
    service: String,
    /// When its operator swaps the key [default: as soon as every holder has the replacement]
    #[arg(long, value_name = "TIME")]
    swap: Option<String>,
}

pub fn run(command: Command, context: &Context, screen: &mut Screen) -> Ended {
    match command {
        Command::Plan(planned) => plan(&planned, context, screen),
        Command::Issue { planned, again, subject, operators, to } => {
            let whom = match (again, operators) {
                (false, _) => Whom::Missing,
                (true, true) => Whom::Operators,
                (true, false) if subject.is_empty() => Whom::Everyone,
                (true, false) => Whom::Subjects(subject),
            };
            issue(&planned, whom, &to, context, screen)
        }
        Command::Confirm { service, accept_outage } => confirm(&service, accept_outage, context, screen),
    }
}

fn survey(
    planned: &Planned,
    whom: Whom,
    store: &Store,
    context: &Context,
) -> Result<(Survey, Wanted), coldsign::refusal::Refusal> {
    let now = context.now()?.max(store.journal().newest_time());
    let swap_at = planned.swap.as_deref().map(|text| when::point(text, now)).transpose()?;
    let wanted = Wanted { swap_at, whom };
    Ok((cutover::survey(store, &planned.service, &wanted, now)?, wanted))
}

fn plan(planned: &Planned, context: &Context, screen: &mut Screen) -> Ended {
    let (survey, wanted) = survey(planned, Whom::Missing, &context.store(screen)?, context)?;
    if survey.open && wanted.swap_at.is_some() {
        return Err(RotationDenied::CutoverOpen { service: planned.service.clone() }.into());
    }
    if screen.json() {
        screen.object(&as_json(&survey));
        return Ok(());
    }
    let name = |key: &Option<String>| key.clone().unwrap_or_else(|| "a key yet to be made".to_owned());
    let swap = survey.swap;
    screen.line(&format!("{}: {} → {}", survey.services.join(", "), name(&survey.old), name(&survey.new)));
    screen.line(&match (survey.open, survey.tokens) {
        (false, tokens) => {
            format!("  {:<22}to issue: {} again under the new key, one folder a holder", "now", many(tokens, "token"))
        }
        (true, 0) => format!("  {:<22}issued: every holder has a replacement", when::utc(swap.issued_at)),
        (true, left) => {
            format!(
                "  {:<22}issued: {} did not get out; issue again",
                when::utc(swap.issued_at),
                many(left, "replacement")
            )
        }
    });
    screen.line(&format!(
        "  {:<22}the swap: the operator installs the new key and restarts",
        when::utc(when::rounded_up(swap.at))
    ));
    screen.line(&format!(
        "  {} to {}: a holder may be locked out",
        when::utc(swap.locked_from),
        when::utc(when::rounded_up(swap.locked_until))
    ));
    if let Some(until) = survey.foreign_until.filter(|until| *until > swap.at) {
        screen.line(&format!(
            "  the swap ends tokens that {} has signed elsewhere: they would live until {}; nothing replaces them",
            name(&survey.old),
            when::utc(when::rounded_up(until))
        ));
    }
    screen.line("  until it is confirmed, everything is issued under both keys");
    for service in survey.services.iter().filter(|_| survey.open) {
        let state = if survey.confirmed.contains(service) { "confirmed" } else { "not confirmed yet" };
        screen.line(&format!("  {service}: {state}"));
    }
    let service = &planned.service;
    match (survey.open, survey.tokens) {
        (false, _) | (true, 1..) => screen.hint(&format!("coldsign rotate cutover issue {service} --to .")),
        (true, 0) => screen.hint(&format!("coldsign rotate cutover confirm {service}")),
    }
    Ok(())
}

fn issue(planned: &Planned, whom: Whom, to: &std::path::Path, context: &Context, screen: &mut Screen) -> Ended {
    let outbox = Outbox::open(to)?;
    medium::tell_modes(&outbox, screen);
    let mut wanted = Wanted { swap_at: None, whom: whom.clone() };
    let mut session = context.act(screen, |store, _| {
        store.refuse_inside(&outbox)?;
        let before;
        (before, wanted) = survey(planned, whom.clone(), store, context)?;
        Ok(cutover::may_issue(&before, &planned.service, &wanted)?)
    })?;
    let set = cutover::issue(&mut session, &planned.service, &wanted, &outbox, &SHEETS)?;
    let swap = set.survey.swap;
    if screen.json() {
        screen.object(&json!({
            "cutover": as_json(&set.survey), "fingerprint": fingerprint(&set.next.public), "replacements": set.replacements.len(), "folders": set.folders,
            "left": set.left.iter().map(|(service, subject, why)| json!({
                "service": service, "subject": subject, "why": why,
            })).collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    for folder in &set.folders {
        screen.line(&outbox.path().join(folder).display().to_string());
    }
    screen.note(&format!(
        "{}; the swap is at {}",
        many(set.replacements.len(), "replacement"),
        when::both(when::rounded_up(swap.at))
    ));
    screen.note(&format!(
        "a holder may be locked out from {} to {}",
        when::utc(swap.locked_from),
        when::utc(when::rounded_up(swap.locked_until))
    ));
    if let Some(there) = set.survey.late {
        screen.warning(&format!(
            "these may arrive after the swap, as late as {}: whoever waits is refused from the swap on; a later swap \
             locks nobody out, so tell the operators",
            when::utc(when::rounded_up(there))
        ));
    }
    screen.note(&format!("for the operators, by another way: SHA-256 of the public key {}", set.next.name()));
    screen.line(&fingerprint(&set.next.public));
    for (service, subject, why) in &set.left {
        screen.warning(&format!("no replacement for {subject} at {service}: {why}"));
    }
    screen.note("hand the folders out; when the operator says that it is done:");
    screen.hint(&format!("coldsign rotate cutover confirm {}", planned.service));
    Ok(())
}

const SHEETS: Sheets = Sheets { operator: for_operator, holder: for_holder };

fn for_holder(survey: &Survey) -> String {
    format!(
        "The key {} of {} is replaced at {}.\n\n\
         Until then go on with the token that you have. From then on use the one in this folder; it lasts as\n\
         long as the old one would have. Between {} and {} either may be refused: try again later.\n",
        survey.old.as_deref().unwrap_or("that is installed"),
        survey.services.join(", "),
        when::utc(when::rounded_up(survey.swap.at)),
        when::utc(survey.swap.locked_from),
        when::utc(when::rounded_up(survey.swap.locked_until))
    )
}

fn for_operator(survey: &Survey, service: &str) -> String {
    let swap = survey.swap;
    let old = survey.old.as_deref().unwrap_or("the key that is installed");
    let new = survey.new.as_deref().unwrap_or("the new key");
    format!(
        "Swap of the signing key of {service}: {old} -> {new}\n\n\
         When: {}, not before.\n\
         1. Install the files of this folder in the place of those of {old}.\n\
         2. Restart the service: until then it goes on with the old key.\n\
         3. Tell the administrator of coldsign that it is done. Until then every new token is made for both keys.\n\n\
         From that moment the service refuses every token of the old key. Its holders were given new ones that\n\
         work from the swap on. Between {} and {} a holder may be refused.\n\
         Compare the fingerprint on the page in this folder with the administrator by another way.\n",
        when::utc(when::rounded_up(swap.at)),
        when::utc(swap.locked_from),
        when::utc(when::rounded_up(swap.locked_until))
    )
}

fn confirm(service: &str, accept_outage: bool, context: &Context, screen: &mut Screen) -> Ended {
    let mut session = context.act(screen, |store, _| {
        let now = context.now()?.max(store.journal().newest_time());
        cutover::may_confirm(store, service, accept_outage, now)
    })?;
    let done = cutover::confirm(&mut session, service, accept_outage)?;
    if screen.json() {
        screen.object(&json!({
            "confirmed": service, "waiting": done.waiting, "signs": done.signs,
            "publication": done.published.as_ref().map(|made| json!({"seq": made.seq, "manifest": made.manifest})),
        }));
        return Ok(());
    }
    match &done.signs {
        Some(key) => screen.note(&format!("{service} has the new key: {key} signs alone")),
        None => screen.note(&format!("{service} has the new key; still to be swapped: {}", done.waiting.join(", "))),
    }
    if let Some(published) = &done.published {
        screen.note(&format!("made publication {}", published.seq));
        screen.hint(&format!("coldsign publication copy {} --to .", published.seq));
    }
    screen.hint("coldsign rotate next --to .");
    Ok(())
}

fn as_json(survey: &Survey) -> Value {
    json!({
        "keyset": survey.keyset, "services": survey.services, "confirmed": survey.confirmed, "old": survey.old,
        "new": survey.new, "open": survey.open, "tokens": survey.tokens, "issued": survey.swap.issued_at,
        "swap": survey.swap.at, "locked_from": survey.swap.locked_from, "locked_until": survey.swap.locked_until,
        "late": survey.late, "foreign_until": survey.foreign_until,
    })
}
