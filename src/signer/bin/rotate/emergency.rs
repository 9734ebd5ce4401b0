//! `coldsign rotate emergency`

use super::super::medium;
use crate::bin::Ended;
use crate::bin::ask;
use crate::bin::context::Context;
use crate::bin::fault::Fault;
use crate::bin::screen::{Screen, many};
use crate::bin::when;
use coldsign::acts::emergency::{self, Hit, Survey};
use coldsign::acts::{Store, publications};
use coldsign::keystore::KeyRecord;
use coldsign::publishing::folder_name;
use coldsign::refusal::Refusal;
use coldsign::rotation::Bound;
use coldsign::storage::Outbox;
use serde_json::{Value, json};
use std::path::PathBuf;

/// How many tokens are told one by one.
const TOLD: usize = 20;

/// A key is in the wrong hands: see what that hits, and replace it at once
///
/// Shows which services and tokens a lost key hits, and until when each service may go on accepting
/// what a thief signs. Then, after a Yes: the key is recorded as compromised, its private half
/// destroyed, its successor signs at once, and a publication without it is made. With --dry-run
/// nothing is changed and no passphrase is asked for. Named once more with --reissue, a compromised
/// key has those of its tokens issued again that no file went out for; with --again the others too.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  coldsign rotate emergency default --dry-run
  coldsign rotate emergency default --reason 'laptop stolen' --to /media/usb
  coldsign rotate emergency default/3 --reissue --to /media/usb")]
pub struct Args {
    /// A keyset (then it is the key that signs), keyset/number, or a kid
    #[arg(value_name = "KEYSET|KEY", allow_hyphen_values = true)]
    key: String,
    /// Show what it would mean; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Issue the tokens that it hits again, into the directory of --to
    #[arg(long, requires = "to")]
    reissue: bool,
    /// With --reissue, of a key that is compromised already: also what has a replacement, which got lost
    #[arg(long, requires = "reissue")]
    again: bool,
    /// Copy the publication into this directory, and the tokens of --reissue
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Why, for the journal
    #[arg(long)]
    reason: Option<String>,
    /// Do not ask whether it is meant
    #[arg(long)]
    yes: bool,
}

/// What an emergency of that key is about, in a store.
fn examine(args: &Args, store: &Store, outbox: Option<&Outbox>, context: &Context) -> Result<Survey, Refusal> {
    if let Some(outbox) = outbox {
        store.refuse_inside(outbox)?;
    }
    let now = context.now()?.max(store.journal().newest_time());
    let (policy, _) = store.policy()?;
    if let Some(keyset) = policy.keyset(&args.key).filter(|_| args.yes) {
        // Done twice by a script, it would end the key that has just taken over.
        let signs = store.ledger().keys.newest_activated(&keyset.name).map(KeyRecord::name);
        return Err(Fault::Unnamed { keyset: args.key.clone(), key: signs }.into());
    }
    let survey = match args.reissue {
        true => emergency::left(store, &args.key, args.again, now)?,
        false => emergency::survey(store, &args.key, now)?,
    };
    if args.again && !survey.declared {
        return Err(Fault::NotDeclared(survey.key.name()).into());
    }
    Ok(survey)
}

pub fn run(args: &Args, context: &Context, screen: &mut Screen) -> Ended {
    let outbox = args.to.as_deref().map(Outbox::open).transpose()?;
    if let Some(outbox) = &outbox {
        medium::tell_modes(outbox, screen);
    }
    if args.dry_run {
        let store = context.store(screen)?;
        let survey = examine(args, &store, outbox.as_ref(), context)?;
        if screen.json() {
            screen.object(&json!({"dry_run": as_json(&survey, &store)}));
        } else {
            show(&survey, &store, screen);
        }
        return Ok(());
    }
    let mut shown = None;
    let mut session = context.act(screen, |store, screen| {
        let survey = examine(args, store, outbox.as_ref(), context)?;
        if !screen.json() {
            show(&survey, store, screen);
        }
        if !args.yes && !survey.declared {
            ask::confirm(&format!("{} is taken for compromised, for good; its tokens die.", survey.key.name()))?;
        }
        shown = Some(survey);
        Ok(())
    })?;
    let survey = shown.ok_or(Fault::Missing("no key was looked at"))?;
    let declared = match survey.declared {
        true => emergency::resume(&mut session, &survey.key.kid, args.again)?,
        // The key that was shown, though another act may have replaced it since.
        false => emergency::declare(&mut session, &survey.key.kid, args.reason.clone())?,
    };
    if !screen.json() {
        screen.note(&format!("{} is compromised; its private half is unlinked", declared.survey.key.name()));
        if let Some(successor) = &declared.successor {
            screen.note(&format!("{} signs from now on", successor.name()));
        }
    }
    let mut folder = None;
    let newest = session.store().ledger().publications.newest().map(|newest| newest.made.seq);
    let carried = newest.filter(|_| survey.declared || declared.published.is_some());
    if let (Some(outbox), Some(seq)) = (&outbox, carried) {
        let again = args.reissue.then(|| emergency::command(&survey.key, args.again, outbox));
        publications::copy(session.store(), seq, outbox).map_err(|refusal| Fault::NotCopied {
            seq,
            what: refusal.to_string(),
            again,
        })?;
        folder = Some(outbox.path().join(folder_name(seq)));
    }
    let (reissued, not) = match &outbox {
        Some(outbox) if args.reissue => emergency::reissue(&mut session, &declared.survey, outbox)?,
        _ => (Vec::new(), Vec::new()),
    };
    if screen.json() {
        screen.object(&json!({
            "done": as_json(&declared.survey, session.store()),
            "successor": declared.successor.as_ref().map(|key| key.name()),
            "publication": declared.published.as_ref().map(|made| json!({"seq": made.seq, "manifest": made.manifest, "folder": folder})),
            "reissued": reissued.iter().map(|token| json!({
                "subject": token.subject, "jti": token.jti, "expires": token.expires_at, "file": token.file.name,
            })).collect::<Vec<_>>(),
            "not_reissued": not.iter().map(|one| json!({
                "service": one.service, "subject": one.subject, "why": one.why,
            })).collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    if let Some(published) = &declared.published {
        screen.note(&format!("made publication {}: carry it to every service today", published.seq));
        match &folder {
            Some(folder) => screen.note(&format!("copied to {}", folder.display())),
            None => screen.hint(&format!("coldsign publication copy {} --to .", published.seq)),
        }
        screen.note("the SHA-256 of the publication's SHA256SUMS, to compare by another way:");
        screen.line(&published.manifest);
    }
    for token in &reissued {
        let path = outbox.as_ref().map(|outbox| outbox.path().join(&token.file.name)).unwrap_or_default();
        screen.note(&format!("{} until {}: {}", token.subject, when::utc(token.expires_at), path.display()));
    }
    for one in &not {
        screen.warning(&format!("not issued again: {} for {}: {}", one.service, one.subject, one.why));
    }
    Ok(())
}

fn show(survey: &Survey, store: &Store, screen: &mut Screen) {
    let (due, served) = (survey.tokens(store).count(), survey.served(store).count());
    let left = if survey.declared && !survey.again { ", not issued again yet" } else { "" };
    let told = if survey.declared { due } else { due + served };
    screen.line(&format!("{} ({}): {}{left}", survey.key.name(), survey.key.kid, many(told, "unexpired token")));
    for token in survey.tokens(store).take(TOLD) {
        let issued = &token.issued;
        let roles = issued.roles.join(",");
        screen.line(&format!(
            "  {}/{roles} {} until {}",
            issued.service,
            coldsign_verify::escape::escaped(&issued.sub),
            when::utc(issued.exp)
        ));
    }
    if due > TOLD {
        screen.line(&format!("  and {} more: coldsign token list --live", due - TOLD));
    }
    if let Some(tokens) = survey.key.foreign.tokens.filter(|tokens| tokens.until > survey.at) {
        screen.line(&format!(
            "tokens that it has signed elsewhere stop too; they would live until {}, and can't be issued again here",
            when::utc(when::rounded_up(tokens.until))
        ));
    }
    if served > 0 {
        let whose = match (survey.declared, survey.signs) {
            (true, _) => "further holders have another token that works",
            (false, true) => "of them have a replacement under the next key: their holders switch to it now",
            (false, false) => "of them have another token that works: their holders keep to that one",
        };
        screen.line(&format!("{served} {whose}"));
    }
    for hit in &survey.hits {
        let bound = match hit.bound {
            Bound::Until(until) => format!(
                "until {} at the latest where it reads bundles; a file of keys until it is replaced",
                when::utc(when::rounded_up(until))
            ),
            Bound::UntilReplaced => "until its operator confirms that the file was replaced".to_owned(),
        };
        screen.line(&format!("{}: {}; may accept what a thief signs {bound}", hit.service, many(hit.tokens, "token")));
        if survey.signs {
            screen.line(&format!("    {}", again(hit, survey.at)));
        }
    }
    if !survey.declared {
        show_cutover(survey, screen);
    }
    match (&survey.successor, survey.signs) {
        (_, false) => screen.line("it does not sign: no other key has to take over"),
        (Some(successor), true) => screen.line(&format!("{successor} would sign at once")),
        (None, true) => screen.line("there is no standby: a key would be made, and sign before services have it"),
    }
}

/// What becomes of the operators of a cutover that it ends.
fn show_cutover(survey: &Survey, screen: &mut Screen) {
    let waiting = survey.handed.join(", ");
    if survey.signs && !waiting.is_empty() {
        screen.line(&format!("the cutover under way ends: the operators of {waiting} swap now, not by their sheets"));
    }
    if !survey.signs && !survey.went_over.is_empty() {
        let back = survey.went_over.join(", ");
        screen.line(&format!("the operators of {back} go back to the key before at once: this one is installed there"));
    }
    if let (Some(service), false) = (survey.handed.first(), survey.signs) {
        screen.line(&format!(
            "the cutover under way ends: the operators of {waiting} must not install what they were handed; begin \
             another: coldsign rotate cutover plan {service}"
        ));
    }
}

fn again(hit: &Hit, now: u64) -> String {
    match hit.again {
        Some(at) if at <= now => "it has the successor: new tokens work at once".to_owned(),
        Some(at) => format!("new tokens may be refused there until {}", when::utc(when::rounded_up(at))),
        None => "new tokens are refused there until its operator installs the new key".to_owned(),
    }
}

fn as_json(survey: &Survey, store: &Store) -> Value {
    json!({
        "key": survey.key.name(), "kid": survey.key.kid, "time": survey.at, "signs": survey.signs,
        "successor": survey.successor, "operators_of": survey.handed, "went_over": survey.went_over,
        "served": survey.served(store).count(),
        "foreign_until": survey.key.foreign.tokens.map(|tokens| tokens.until),
        "tokens": survey.tokens(store).map(|token| json!({
            "jti": token.issued.jti, "service": token.issued.service, "subject": token.issued.sub, "expires": token.issued.exp,
        })).collect::<Vec<_>>(),
        "services": survey.hits.iter().map(|hit| json!({
            "service": hit.service, "reads_bundles": hit.reads_bundles, "tokens": hit.tokens,
            "accepted_until": match hit.bound { Bound::Until(until) => Some(until), Bound::UntilReplaced => None },
            "successor_known_from": hit.again,
        })).collect::<Vec<_>>(),
    })
}
